"""dynoxide, a DynamoDB of its own (Rust over SQLite): in memory, on a free port of this machine."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.dynoxide import BINARY
from tests.local.platform_fixture import free_ports


def binary() -> Path | None:
    """The one `DYNOXIDE` names, or what `make dynoxide` installed; None if there is neither."""
    found = Path(os.environ.get("DYNOXIDE") or BINARY)
    return found if found.is_file() and os.access(found, os.X_OK) else None


@contextmanager
def running(program: Path) -> Iterator[str]:
    """The address of an empty store that is gone afterwards."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [str(program), "serve", "--host", "127.0.0.1", "--port", port],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        assert process.poll() is None, f"dynoxide ended with {process.returncode}"
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except urllib.error.HTTPError:
            return  # an error is an answer
        except OSError:
            time.sleep(0.02)
    raise AssertionError("dynoxide does not answer")
