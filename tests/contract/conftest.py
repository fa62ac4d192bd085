"""One full day, lived once for all tests of this folder. Nobody may change it for the others."""

from __future__ import annotations

import pytest

from tests.contract.day import live_through
from tests.world import World


@pytest.fixture(scope="package")
def day() -> World:
    """The world after that day."""
    world = World()
    live_through(world)
    return world
