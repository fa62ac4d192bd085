"""Stock under concurrency and faults: every order of two actors' requests, every fault at every call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stock.table import movements
from tests.journey.stock_shop import AMS, HUB, cancelled, figures, hold, move, paid, wrong
from tests.world import World
from tests.world.doctor_hook import left_over
from tests.world.explore import explore
from tests.world.interleave import interleave

Actor = Callable[[World], Any]


def shop(world: World) -> None:
    world.seed_products({"TEE": 1995}, stock=10)


def split_shop(world: World) -> None:
    shop(world)
    staff = world.token("staff")
    world.call("PUT", "/stock/TEE/shards", staff, json={"location_id": HUB, "shards": 2})
    world.settle()


def does(kind: str, quantity: int, *, key: str = "", **more: Any) -> Actor:
    return lambda world: move(world, kind, quantity, key=key or f"{kind}{quantity}", **more)


def splits(parts: int) -> Actor:
    body = {"location_id": HUB, "shards": parts}
    return lambda world: world.call("PUT", "/stock/TEE/shards", world.token("staff"), json=body)


def keeps(safety: int | None) -> Actor:
    body = {"location_id": HUB, "safety_stock": safety}
    return lambda world: world.call("PUT", "/stock/TEE/safety", world.token("staff"), json=body)


def expects(*allowed: tuple[int, int, int]) -> Callable[[World], list[str]]:
    def check(world: World) -> list[str]:
        found = wrong(world) + left_over(world)
        return found + ([] if figures(world) in allowed else [f"ended with {figures(world)}"])

    return check


@pytest.mark.parametrize(
    ("actors", "ends"),
    [
        ([does("sale", 2), does("sale", 3)], [(5, 0, 5)]),
        ([does("sale", 2, key="same"), does("sale", 2, key="same")], [(8, 0, 8)]),
        ([does("sale", 9), does("adjustment", -9)], [(1, 0, 1), (-8, 0, -8)]),
        ([does("transfer", 6, to_location_id=AMS), does("transfer", 7, to_location_id=AMS)], [(4, 0, 4), (3, 0, 3)]),
        ([does("count", 7), does("sale", 2)], [(7, 0, 7), (5, 0, 5)]),
        ([does("count", 7), does("count", 8)], [(7, 0, 7), (8, 0, 8)]),
        ([keeps(3), does("sale", 2)], [(8, 0, 5)]),
        ([keeps(3), keeps(4)], [(10, 0, 7), (10, 0, 6)]),
        ([splits(3), does("sale", 2)], [(8, 0, 8)]),
        ([splits(3), does("count", 7)], [(7, 0, 7)]),
        ([splits(3), splits(2)], [(10, 0, 10)]),
    ],
    ids=lambda value: None,
)
def test_in_any_order_of_their_requests(actors: list[Actor], ends: list[tuple[int, int, int]]) -> None:
    found = interleave(shop, actors, expects(*ends))
    assert found.schedules > 1
    assert not found.failures, str(found)


@pytest.mark.parametrize(
    ("actors", "ends"),
    [
        ([does("sale", 4, key="one"), does("sale", 4, key="other")], [(2, 0, 2)]),
        ([does("count", 7), does("sale", 2)], [(7, 0, 7), (5, 0, 5)]),
        ([splits(1), does("sale", 4)], [(6, 0, 6)]),
        ([splits(1), does("adjustment", -10)], [(0, 0, 0)]),
        ([splits(1), splits(3)], [(10, 0, 10)]),
    ],
)
def test_a_split_level_in_any_order(actors: list[Actor], ends: list[tuple[int, int, int]]) -> None:
    found = interleave(split_shop, actors, expects(*ends), switches=3)
    assert found.schedules > 1
    assert not found.failures, str(found)


def test_booking_what_was_read_without_looking_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a store that trusts what it read
    monkeypatch.setattr(movements, "conditions", lambda change: ("attribute_exists(pk)", {}))
    # WHEN two counts meet THEN some order of theirs books both differences
    assert interleave(shop, [does("count", 7), does("count", 8)], expects((7, 0, 7), (8, 0, 8))).failures


# ------------------------------------------------------------------------------------------------ paid and cancelled


def event_of(tell: Callable[..., None]) -> Actor:
    """The invocation that a message of this order makes."""

    def act(world: World) -> None:
        tell(world, "ORDER1", [{"sku": "TEE", "quantity": 3, "location_id": HUB}])
        message = world.pump.queues["StockEvents"].messages.pop()
        record = {"messageId": "m", "receiptHandle": "r", "body": message.body, "attributes": {},
                  "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs", "eventSourceARN": "arn",
                  "awsRegion": "eu-west-1"}  # fmt: skip
        answer = world.invoke("stock.on_event", {"Records": [record]})
        assert answer == {"batchItemFailures": []}, json.dumps(answer)

    return act


def ordered(world: World) -> None:
    shop(world)
    hold(world, 3, "ORDER1")


def test_paid_and_cancelled_at_the_same_moment() -> None:
    found = interleave(ordered, [event_of(paid), event_of(cancelled)], expects((10, 0, 10)))
    assert found.schedules > 1
    assert not found.failures, str(found)


def test_the_same_cancellation_twice_at_the_same_moment() -> None:
    found = interleave(ordered, [event_of(cancelled), event_of(cancelled)], expects((10, 0, 10)))
    assert found.schedules > 1
    assert not found.failures, str(found)


# ------------------------------------------------------------------------------------------------------------ faults


def oracle(world: World) -> list[str]:
    return wrong(world) + left_over(world)


def calm_shop(world: World) -> None:
    """A shop in which only the clock of the stock service runs."""
    with world.calm():
        ordered(world)
        world.settle()
    world.pump.paused |= {clock.name for clock in world.template.schedules if clock.function != "StockSweep"}


def later(world: World) -> None:
    """Whatever waits, or was lost, gets its turn."""
    world.settle()
    for _ in range(2):
        world.advance(125)


def test_a_movement_survives_every_fault() -> None:
    def journey(world: World) -> None:
        calm_shop(world)
        assert move(world, "transfer", 4, key="once", to_location_id=AMS).status == 201
        world.settle()
        assert figures(world) == (6, 3, 3)

    assert not explore(journey, oracle=oracle).failures


def test_a_sale_and_its_cancellation_survive_every_fault() -> None:
    def journey(world: World) -> None:
        calm_shop(world)
        lines = [{"sku": "TEE", "quantity": 3, "location_id": HUB}]
        paid(world, "ORDER1", lines)
        cancelled(world, "ORDER1", lines)
        world.settle()
        assert figures(world) == (10, 0, 10)

    assert not explore(journey, modes=("once", "shuffled"), oracle=oracle).failures


def test_a_count_survives_every_fault() -> None:
    def journey(world: World) -> None:
        calm_shop(world)
        body = {"location_id": HUB, "lines": [{"sku": "TEE", "quantity": 7}, {"sku": "GONE", "quantity": 1}]}
        staff = world.token("staff")
        started = world.call("POST", "/stock/counts", staff, json=body, key="count").json
        later(world)
        with world.calm():
            done = world.call("GET", f"/stock/counts/{started['count_id']}", staff).json
        assert (done["state"], done["changed"], done["missing"], done["failures"]) == ("done", 1, 3, 1)
        assert figures(world) == (7, 3, 4)

    assert not explore(journey, oracle=oracle).failures


def test_another_safety_stock_survives_every_fault() -> None:
    def journey(world: World) -> None:
        calm_shop(world)
        place = {"name": "Hub", "kind": "warehouse", "safety_stock": 2}
        world.call("PUT", f"/locations/{HUB}", world.token("staff"), json=place)
        later(world)
        assert figures(world) == (10, 3, 5)

    assert not explore(journey, oracle=oracle).failures
