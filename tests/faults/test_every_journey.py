"""Every journey, struck at its outside calls: whatever fails once, the promise is kept and the doctor finds nothing.

`make test` explores a fixed part, the same in every run; `pytest tests/faults --explore all` every single fault in
every delivery mode, `--explore pairs` every pair. What fails prints a seed; `test_a_seed` shows how to run it again.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults import journeys
from tests.world import World
from tests.world.doctor_hook import violations
from tests.world.explore import MODES, Journey, explore, replay
from tests.world.findings import name_of

PART = {"slice": (0, 8), "modes": ("once",)}
"""What `make test` takes: every eighth fault of the kindest delivery, and all undisturbed deliveries."""


def each() -> Any:
    return pytest.mark.parametrize("journey", journeys.ALL, ids=name_of)


@each()
@pytest.mark.parametrize("mode", MODES)
def test_undisturbed_in_every_way_events_can_travel(
    journey: Journey, mode: str, request: pytest.FixtureRequest
) -> None:
    seeds = range(1 if request.config.getoption("--explore") == "part" else 20)
    for seed in seeds:
        suffix = "" if mode == "once" else f"~{mode}"
        assert not replay(f"{name_of(journey)}{suffix}#{seed}", journey)


@each()
def test_no_fault_breaks_the_promise(journey: Journey, request: pytest.FixtureRequest) -> None:
    match request.config.getoption("--explore"):
        case "part":
            found = explore(journey, **PART)
        case "all":
            found = explore(journey, modes=tuple(MODES))
        case _:
            found = explore(journey, depth=2)
    assert not found.failures, found


def test_a_seed_runs_one_story_again() -> None:
    assert replay("place-order@3:die_after", journeys.place_order) == []


@each()
def test_the_whole_bus_delivered_again_changes_nothing(journey: Journey) -> None:
    """I8: every event of the story comes twice more, in another order; no table notices."""
    # GIVEN a finished story
    world = World()
    journey(world)
    world.settle()
    before = _business(world)
    published = [each.event for each in world.pump.bus.log]
    # WHEN the bus is replayed twice, shuffled
    for _ in range(2):
        world.random.shuffle(published)
        for event in published:
            world.pump.bus.route(next(iter(world.template.buses.values())), event)
        world.settle()
    # THEN
    assert _business(world) == before
    assert not violations(world)
    assert published, "a story without events proves nothing"


def _business(world: World) -> dict[str, list[Any]]:
    """All items, but for the markers that remember what was handled."""
    return {
        table: sorted((item for item in world.items(table) if not item["pk"].startswith("INBOX#")), key=str)
        for table in world.template.tables
    }
