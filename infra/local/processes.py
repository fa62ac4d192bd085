"""Processes that outlive the command which started them: start, recognise again, stop with everything below them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.say import Sorry, shown


@dataclass(frozen=True)
class Process:
    """One started process, the leader of a session of its own."""

    name: str
    pid: int
    born: str
    """When the system says it started: a process with the same number but another birthday is somebody else's."""
    log: str

    def as_json(self) -> dict[str, object]:
        """For `.mandje/run.json`."""
        return asdict(self)

    @property
    def alive(self) -> bool:
        """Is this very process still running?"""
        with contextlib.suppress(ChildProcessError, OSError):
            os.waitpid(self.pid, os.WNOHANG)  # a dead child of ours would look alive until somebody asks for it
        return bool(self.born) and _birthday(self.pid) == self.born


def start(name: str, command: Sequence[str], log: Path, *, env: Mapping[str, str], cwd: Path) -> Process:
    """Start a process that keeps running when this one ends; its output goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=dict(env), cwd=cwd, start_new_session=True
        )
    return Process(name, child.pid, _birthday(child.pid), str(log))


def wait_until(process: Process, ready: Callable[[], bool], seconds: float) -> None:
    """Wait until `ready`; `Sorry` with the last line of its log when it dies or takes longer."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not process.alive:
            raise Sorry(f"{process.name} stopped while starting: {_last_words(Path(process.log))}")
        if time.monotonic() > deadline:
            raise Sorry(f"{process.name} was not ready within {seconds:.0f} s: {_last_words(Path(process.log))}")
        time.sleep(0.03)


def stop(process: Process, seconds: float) -> bool:
    """Ask it to end, wait, then end it and everything it started; True when it ended by itself."""
    graceful = True
    if process.alive:
        _signal(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while process.alive and time.monotonic() < deadline:
            time.sleep(0.05)
        graceful = not process.alive
        # What it left behind (workers of functions) is in the same session.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        while process.alive:
            time.sleep(0.02)
    return graceful


def port_is_free(port: int) -> bool:
    """Can 127.0.0.1:port be listened on?"""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _birthday(pid: int) -> str:
    """When a process started, in the system's own words; "" when there is none or it is only waiting to be buried."""
    if Path("/proc/self/stat").exists():
        try:
            # The name in parentheses may hold anything; after it come the state and, 19 fields on, the start time.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return "" if fields[0] == "Z" else fields[19]
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, born = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else born.strip()


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1] if lines else 'it said nothing'}   (log: {shown(log)})"
