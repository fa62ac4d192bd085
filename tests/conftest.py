"""Fixtures for every tier: a fresh world under test, cheap enough to have one per test."""

from __future__ import annotations

import pytest

from tests.local.platform_fixture import mandje, platform, platform_home
from tests.world import World
from tests.world.contract import witness

# No test, whatever it is about, may meet an answer that the contract does not name.
World.witness = staticmethod(witness)

__all__ = ["mandje", "platform", "platform_home"]  # fixtures: one platform a session, whichever folder asks for it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--explore",
        choices=("part", "all", "pairs"),
        default="part",
        help="how much of the faults to explore: a fixed part (default), every single one, or every pair",
    )


@pytest.fixture
def world() -> World:
    """The whole deployed system in this process, empty and at 10:00 on 21 November 2026. See tests/world/README.md."""
    return World()
