"""What several files of journeys share."""

from __future__ import annotations

import pytest

from tests.world import World


@pytest.fixture(scope="module")
def shop() -> World:
    """One small shop for a whole file of requests, most of which are refused."""
    world = World()
    world.seed_products({"TEE": 1995}, stock=5)
    world.settle()
    return world
