"""The explorers find every planted design mistake, and find nothing in the sound design."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World
from tests.world.doctor_hook import left_over, slips
from tests.world.explore import explore, replay
from tests.world.findings import Exploration, NothingExplored, parse
from tests.world.interleave import interleave
from tests.world.selftest import stock, toy_world, wrong

UNITS = 5


@pytest.fixture
def mistake() -> Iterator[object]:
    """A way to plant one of the toy shop's design mistakes for the length of a test."""
    toy_world()
    import toyshop

    def plant(name: str) -> None:
        toyshop.MISTAKE = name

    yield plant
    toyshop.MISTAKE = ""


def place_order(world: World) -> None:
    with world.calm():
        stock(world, UNITS)
    answer = world.call("POST", "/orders", key="first")
    assert answer.status == 201, answer
    world.settle()


def oracle(world: World) -> list[str]:
    return left_over(world) + wrong(world, UNITS)


def explored(**options: object) -> Exploration:
    return explore(place_order, oracle=oracle, make=toy_world, **options)  # type: ignore[arg-type]


def test_the_sound_design_survives_every_fault_in_every_delivery_mode() -> None:
    found = explored(modes=("once", "twice", "shuffled"))
    assert not found.failures
    # and it was really struck: at every kind of call, in every way
    assert found.points >= 100
    assert found.calls == {
        "dynamodb.GetItem ToyTable",
        "dynamodb.TransactWriteItems ToyTable",
        "dynamodb.DeleteItem ToyTable",
        "dynamodb.Query ToyTable.due",
        "eventbridge.PutEvents",
    }
    assert set(found.faults) == {
        "die_before", "die_after", "client_gone", "answer_lost", "timed_out", "throttled", "transaction_conflict",
        "partly_refused", "stale",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "symptom"),
    [
        ("ack_too_early", "but 0 sold"),
        ("conflict_as_condition", "sold out"),
        ("publish_separately", "but 0 sold"),
        ("delete_before_publish", "but 0 sold"),
        ("swallow_failures", "but 0 sold"),
        ("ignore_failed_entries", "but 0 sold"),
        ("two_transactions", "left"),
    ],
)
def test_each_planted_mistake_is_found_and_its_seed_shows_it_again(mistake, name: str, symptom: str) -> None:  # type: ignore[no-untyped-def]
    mistake(name)
    found = explored()
    assert found.failures
    first = found.failures[0]
    assert symptom in " ".join(first.problems)
    assert replay(first.seed, place_order, oracle, toy_world) == first.problems
    # the same fault does no harm to the sound design
    mistake("")
    assert not [
        problem for problem in replay(first.seed, place_order, oracle, toy_world) if "nothing to strike" not in problem
    ]


def test_a_consumer_without_inbox_is_found_by_delivering_twice(mistake) -> None:  # type: ignore[no-untyped-def]
    mistake("no_inbox")
    found = explored(modes=("twice",))
    # it fails without any fault, so the seed names none
    assert [failure.seed for failure in found.failures] == ["place-order~twice"]


def test_a_function_that_fails_for_ever_is_a_violation(mistake) -> None:  # type: ignore[no-untyped-def]
    mistake("poison")
    (failure,) = explored().failures
    assert "ToyEventsDlq: failed for ever" in failure.problems[0]


def test_pairs_of_faults_contain_the_single_ones() -> None:
    singles = explored(slice=(0, 6))
    pairs = explored(depth=2, slice=(0, 6))
    assert not pairs.failures
    assert singles.places <= pairs.places
    assert pairs.points > 5 * singles.points


def test_slices_are_stable_and_together_are_the_whole() -> None:
    whole, parts = explored(), [explored(slice=(part, 3)) for part in range(3)]
    assert sum(part.points for part in parts) == whole.points
    assert explored(slice=(1, 3)).places == parts[1].places


def test_a_run_that_struck_nothing_is_no_pass() -> None:
    def only_calm(world: World) -> None:
        world.pump.paused.add("ToySweepClock")

    with pytest.raises(NothingExplored):
        explore(only_calm, oracle=left_over, make=toy_world)


def test_a_seed_of_another_journey_or_time_is_refused() -> None:
    with pytest.raises(ValueError, match="is about pay-order"):
        replay("pay-order@1:die_after", place_order, oracle, toy_world)
    assert "has changed" in replay("place-order@999:die_after", place_order, oracle, toy_world)[-1]
    assert parse("pay-order~twice@3:throttled+9:die_after#7") == (
        "pay-order",
        "twice",
        {3: "throttled", 9: "die_after"},
        7,
    )


def test_the_same_seed_makes_the_same_calls_in_another_process() -> None:
    script = (
        "from tests.unit.test_world_faults import place_order; from tests.world.selftest import toy_world\n"
        "world = toy_world(3); world.deliver(copies=1, shuffled=True, delay=9); place_order(world); world.advance(60)\n"
        "print([(call.function, call.name) for call in world.calls], world.items('ToyTable'), world.clock.now)"
    )
    root = Path(__file__).parents[2]
    outcomes = set()
    for hash_seed in "12":
        path = os.pathsep.join(str(root / part) for part in ("functions", "layers/commerce/python", "."))
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
        outcomes.add(
            subprocess.run([sys.executable, "-c", script], env=env, cwd=root, capture_output=True, check=True).stdout
        )
    assert len(outcomes) == 1


# ---------------------------------------------------------------------------------------------------- two at a time


def race(world: World, *, units: int, buyers: int) -> list[str]:
    sold = sum(item["pk"].startswith("ORDER#") for item in world.items("ToyTable"))
    return wrong(world, units) + ([] if sold == min(units, buyers) else [f"{sold} orders for {units} units"])


def buyer(key: str):  # type: ignore[no-untyped-def]
    return lambda world: world.call("POST", "/orders", key=key)


def test_no_order_of_two_buyers_calls_oversells_the_last_unit() -> None:
    buyers = [buyer("ann"), buyer("bob")]
    found = interleave(
        lambda world: stock(world, 1), buyers, lambda world: race(world, units=1, buyers=2), make=toy_world
    )
    assert not found.failures
    assert found.schedules >= 2


def test_reading_before_writing_oversells_in_an_order_that_can_be_run_again(mistake) -> None:  # type: ignore[no-untyped-def]
    mistake("read_then_write")
    buyers = [buyer("ann"), buyer("bob")]

    def oversold(world: World) -> list[str]:
        return [] if sum(item["pk"].startswith("ORDER#") for item in world.items("ToyTable")) == 1 else ["oversold"]

    found = interleave(lambda world: stock(world, 1), buyers, oversold, make=toy_world)
    assert 0 < len(found.failures) < found.schedules
    order = found.failures[0][0]
    again = interleave(lambda world: stock(world, 1), buyers, oversold, make=toy_world, schedule=order)
    assert again.failures == [(order, ["oversold"])]
    # one switch away from a running buyer is enough to see it
    assert interleave(lambda world: stock(world, 1), buyers, oversold, switches=1, make=toy_world).failures


def test_a_double_click_places_one_order() -> None:
    found = interleave(
        lambda world: stock(world, 3),
        [buyer("same"), buyer("same")],
        lambda world: race(world, units=3, buyers=1),
        make=toy_world,
    )
    assert not found.failures


def test_each_actor_keeps_its_own_environment_and_log() -> None:
    def logged(world: World) -> list[str]:
        lines = sorted(line.text for line in world.logs if line.function == "ToyApi")
        return [] if lines == ["order ann is placed", "order bob is placed"] else lines

    assert not interleave(lambda world: stock(world, 3), [buyer("ann"), buyer("bob")], logged, make=toy_world).failures


def test_actors_that_cannot_meet_are_reported() -> None:
    with pytest.raises(NothingExplored):
        interleave(lambda world: stock(world, 1), [buyer("ann")], lambda world: [], make=toy_world)


def test_an_error_of_programming_is_found_even_if_all_comes_right_in_the_end() -> None:
    world = toy_world()
    tries: list[int] = []

    def stumble(event: object, context: object) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise AttributeError("'NoneType' object has no attribute 'get'")

    world.runtime.stand_ins["ToyOnEvent"] = stumble
    place_order(world)
    assert len(tries) == 2
    assert not left_over(world)
    assert "slip: ToyOnEvent: AttributeError" in slips(world)[0]
