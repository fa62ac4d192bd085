"""A platform of its own for these tests: the real template on the local cloud, real processes, other ports."""

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
from infra.client import Api
from infra.local.laptop import CLOUD_PYTHON

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is of the local tier."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.local)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this platform keeps its files."""
    return tmp_path_factory.mktemp("platform")


@pytest.fixture(scope="session")
def mandje(home: Path) -> Any:
    """Run a `mandje` command against this platform; returns the finished process."""
    environment = os.environ | {"MANDJE_RUN": str(home), "NO_COLOR": "1"}

    def run(*arguments: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infra.cli", *arguments], cwd=sam.ROOT, env=environment,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def platform(home: Path, mandje: Any) -> Iterator[dict[str, Any]]:
    """The running platform, as `platform.json` describes it."""
    if not CLOUD_PYTHON.exists():
        pytest.skip("the local cloud is not installed here; `make test` installs it")
    names = ("--port", "--ministack-port", "--stripe-port", "--mollie-port", "--issuer-port")
    ports = [item for pair in zip(names, _free_ports(len(names)), strict=True) for item in pair]
    started = mandje("up", *ports)
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        yield json.loads((home / "platform.json").read_text())
    finally:
        mandje("down")


@pytest.fixture
def staff(platform: dict[str, Any]) -> Api:
    """A member of staff with every scope."""
    return Api(platform["api_url"], platform["tokens"]["staff"])


@pytest.fixture
def anyone(platform: dict[str, Any]) -> Api:
    """Somebody without a token."""
    return Api(platform["api_url"])


def _free_ports(count: int) -> list[str]:
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    numbers = [str(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return numbers
