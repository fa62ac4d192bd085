"""A package index on 127.0.0.1 with packages made on the spot, and a project that installs from it."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra import sam


class Index:
    """Wheels in the layout of the simple repository API, in a folder that `serve` puts on an address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def publish(self, name: str, version: str, *requires: str, tag: str = "py3-none-any") -> str:
        """Add a wheel; returns its line in a lock file."""
        home = self.folder / "simple" / name
        home.mkdir(parents=True, exist_ok=True)
        path = home / f"{name}-{version}-{tag}.whl"
        metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", "Provides-Extra: more"]
        metadata += [f"Requires-Dist: {each}" for each in requires]
        content = {
            f"{name}.py": f"VERSION = {version!r}\n",
            f"{name}-{version}.dist-info/METADATA": "\n".join(metadata) + "\n",
            f"{name}-{version}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        record = f"{name}-{version}.dist-info/RECORD"
        lines = [f"{file},sha256={_digest(text)},{len(text)}" for file, text in content.items()]
        with zipfile.ZipFile(path, "w") as wheel:
            for file, text in (content | {record: "\n".join([*lines, f"{record},,"]) + "\n"}).items():
                wheel.writestr(file, text)
        files = "".join(f'<a href="{each.name}">{each.name}</a>' for each in sorted(home.glob("*.whl")))
        (home / "index.html").write_text(f"<!DOCTYPE html><html><body>{files}</body></html>")
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"

    @contextmanager
    def serve(self) -> Iterator[str]:
        """The address of the index while it is served."""
        handler = functools.partial(_Quiet, directory=str(self.folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        finally:
            server.shutdown()


class Project:
    """A folder with infra/install.sh and a lock, as in a fresh clone; its name has a space in it."""

    def __init__(self, folder: Path, lock: str) -> None:
        self.root = folder / "my shop"
        (self.root / "infra").mkdir(parents=True)
        shutil.copy(sam.ROOT / "infra" / "install.sh", self.root / "infra")
        (self.root / "requirements").mkdir()
        (self.root / "requirements" / "ministack.txt").write_text(lock)

    def install(self, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run infra/install.sh for the lock."""
        return subprocess.run(
            ["sh", "infra/install.sh", "ministack"],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def run(self, code: str) -> str:
        """What Python code prints in the installed environment."""
        python = self.root / ".mandje" / "ministack" / "bin" / "python"
        return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def python_with_pip(folder: Path, pip: str) -> str:
    """A Python that is this one, but whose virtual environments come with another pip, as older releases have it."""
    path = folder / "python"
    path.write_text(
        f'#!/bin/sh\n"{sys.executable}" "$@" || exit\n'
        f'case "$1 $2" in "-m venv") "$3/bin/python" -m pip install --quiet --upgrade "{pip}" ;; esac\n'
    )
    path.chmod(0o755)
    return str(path)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass
