"""The local tier: the deployed template over HTTP. Its platform is the session's, see `platform_fixture`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.client import Api

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is of the local tier."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.local)


@pytest.fixture(scope="session")
def home(platform_home: Path) -> Path:
    """Where the platform keeps its files."""
    return platform_home


@pytest.fixture
def staff(platform: dict[str, Any]) -> Api:
    """A member of staff with every scope."""
    return Api(platform["api_url"], platform["tokens"]["staff"])


@pytest.fixture
def anyone(platform: dict[str, Any]) -> Api:
    """Somebody without a token."""
    return Api(platform["api_url"])
