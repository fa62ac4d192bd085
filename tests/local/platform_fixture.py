"""The one platform of a test session, shared by every folder that needs it: the real template on the local cloud, real
processes, other ports than a developer's own. `tests/conftest.py` makes these fixtures known everywhere; nothing starts
before a test asks.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import sam


@pytest.fixture(scope="session")
def platform_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this platform keeps its files."""
    return tmp_path_factory.mktemp("platform")


@pytest.fixture(scope="session")
def mandje(platform_home: Path) -> Any:
    """Run a `mandje` command against this platform; returns the finished process."""
    environment = os.environ | {"MANDJE_RUN": str(platform_home), "NO_COLOR": "1"}

    def run(*arguments: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infra.cli", *arguments], cwd=sam.ROOT, env=environment,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def platform(platform_home: Path, mandje: Any) -> Iterator[dict[str, Any]]:
    """The running platform, as `platform.json` describes it."""
    from infra.local.laptop import CLOUD_PYTHON

    if not CLOUD_PYTHON.exists():
        pytest.skip("the local cloud is not installed here; `make test` installs it")
    names = ("--port", "--ministack-port", "--stripe-port", "--mollie-port", "--issuer-port")
    ports = [item for pair in zip(names, free_ports(len(names)), strict=True) for item in pair]
    started = mandje("up", *ports)
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        yield json.loads((platform_home / "platform.json").read_text())
    finally:
        mandje("down")


def free_ports(count: int) -> list[str]:
    """Ports of 127.0.0.1 that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    numbers = [str(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return numbers
