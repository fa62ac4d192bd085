"""Design mistakes every shop has made once, planted in this one: each is found, or the hunt is worth nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from checkout import order as rules
from checkout import table
from commerce import aws, baskets, consumer, due, events, holds, ids, payables, requests, writes
from payments import stripe
from relay import on_stream
from tests.faults import journeys
from tests.faults.shopper import Shopper, done
from tests.world import World, iam
from tests.world.calls import Call
from tests.world.doctor_hook import violations
from tests.world.explore import Exploration, explore, replay
from tests.world.interleave import interleave

Plant = pytest.MonkeyPatch


def hunted(journey: Callable[[World], None], *functions: str) -> Exploration:
    """Strike only at the calls of some functions: where the mistake is known to be."""

    def there(call: Call) -> bool:
        return call.function in functions

    return explore(journey, where=there)


def told(found: Exploration) -> str:
    """Everything the hunt found, with the seeds."""
    assert found.failures, "the planted mistake was not found"
    return "\n".join(map(str, found.failures))


def test_the_same_hunts_find_nothing_in_the_shop_as_it_is() -> None:
    assert not hunted(journeys.place_order, "CheckoutApi", "RelayOnStream").failures
    assert not hunted(journeys.pay_by_ideal, "StockOnEvent").failures
    assert not explore(journeys.pay_by_ideal, where=_in_payments, oracle=_one_intent).failures


def test_lines_checked_one_by_one(monkeypatch: Plant) -> None:
    """Stock is taken line by line before the order is placed: a crash between the two keeps it for ever."""

    def place(order: Any, seen: Any, basket: Any, request: Any) -> None:
        order |= due.fields(order["pk"], order["pay_by"]) | {"event": events.of("order.placed")}
        for line in holds.take(rules.holds_of(order), order["order_id"], seen.items):
            writes.commit(line)
        writes.commit(
            writes.put("ORDERS", order),
            baskets.remove_ordered(basket, rules.dots_of(order), order["order_id"]),
            payables.opened(order),
            requests.done("ORDERS", request, order_id=order["order_id"]),
        )

    monkeypatch.setattr(table, "place", place)
    assert "I1" in told(hunted(journeys.place_order, "CheckoutApi"))


def test_published_separately(monkeypatch: Plant) -> None:
    """The order is written, then the bus is told: a crash between the two and nobody ever hears of it."""
    original, entry = table.place, on_stream._entry

    def place(order: Any, *rest: Any) -> None:
        original(order, *rest)
        said = events.envelope(order)
        assert said is not None
        told_by = {"EventBusName": "mandje-mandje", "Source": said.source, "DetailType": said.type}
        aws.client("events").put_events(Entries=[told_by | {"Detail": json.dumps(said.model_dump(exclude_none=True))}])

    def not_placed(change: Any) -> Any:
        made = entry(change)
        return None if made and made.entry["DetailType"] == "order.placed" else made

    monkeypatch.setattr(table, "place", place)
    monkeypatch.setattr(on_stream, "_entry", not_placed)
    monkeypatch.setattr(iam, "refused", lambda function, need: False)  # and somebody gave checkout the bus
    assert "order.placed was never published" in told(hunted(journeys.place_order, "CheckoutApi"))


def test_forgotten_before_it_is_published(monkeypatch: Plant) -> None:
    """The relay takes a record off the stream whether or not the bus took its event."""
    publish = on_stream._publish

    def careless(group: Any) -> int:
        publish(group)
        return len(group)

    monkeypatch.setattr(on_stream, "_publish", careless)
    assert "never published" in told(hunted(journeys.place_order, "RelayOnStream"))


def test_a_conflict_taken_for_an_answer(monkeypatch: Plant) -> None:
    """A cancelled transaction is read as "already done" though only contention cancelled it."""
    causes = writes._causes

    def hasty(error: Any, fragments: Any) -> list[Exception]:
        if error.response["Error"]["Code"] == "TransactionCanceledException":
            return [write.refused({}) for write in fragments]
        return causes(error, fragments)

    monkeypatch.setattr(writes, "_causes", hasty)
    assert "transaction_conflict" in told(hunted(journeys.pay_by_ideal, "StockOnEvent"))


def test_acknowledged_too_early(monkeypatch: Plant) -> None:
    """A consumer tells the queue that all is done before it knows."""
    consume = consumer.consume

    def careless(*arguments: Any) -> dict[str, Any]:
        consume(*arguments)
        return {"batchItemFailures": []}

    monkeypatch.setattr(consumer, "consume", careless)
    # a crash does not show it, because a dead consumer acknowledges nothing: an error it survives does
    assert "throttled" in told(hunted(journeys.pay_by_ideal, "StockOnEvent"))


def test_a_new_key_for_a_payment_whose_fate_is_unknown(monkeypatch: Plant) -> None:
    """A start without an answer is sent again under a new key: two payments where the shopper meant one."""
    post = stripe._post

    def rekeyed(payment: Any, operation: str, path: str, form: Any, key: str) -> Any:
        return post(payment, operation, path, form, ids.new())

    monkeypatch.setattr(stripe, "_post", rekeyed)
    found = explore(journeys.pay_by_ideal, where=_in_payments, oracle=_one_intent)
    assert "answer_lost" in told(found)
    seed = found.failures[0].seed
    assert replay(seed, journeys.pay_by_ideal, _one_intent)
    monkeypatch.undo()
    assert not replay(seed, journeys.pay_by_ideal, _one_intent)  # the same fault does the shop as it is no harm


def _in_payments(call: Call) -> bool:
    return call.function == "PaymentsApi" and call.kind == "http"


def _one_intent(world: World) -> list[str]:
    made = len(world.providers["stripe"].standin.account.objects["payment_intent"])
    return [*([] if made == 1 else [f"{made} payments at Stripe for one payment of ours"]), *violations(world)]


def test_stock_read_then_written(monkeypatch: Plant) -> None:
    """What was read is written back less what was sold: two shoppers get the last shirt."""

    def take(wanted: Any, order_id: str, seen: Any) -> list[writes.Write]:
        fragments = []
        for hold in holds.together(wanted):
            level = seen[hold.key]
            values = {":a": level["available"] - hold.quantity, ":r": level["reserved"] + hold.quantity, ":one": 1}
            fragments.append(
                writes.update(
                    "STOCK",
                    hold.key,
                    set="available = :a, reserved = :r, #v = #v + :one, #e = :event",
                    values=values | {":event": events.of("stock.level_changed")},
                    names={"#v": "version", "#e": "event"},
                )
            )
        return fragments

    monkeypatch.setattr(holds, "take", take)
    found = interleave(_last_shirt, [_buyer(0), _buyer(1)], _sold_once)
    assert found.failures
    order, problems = found.failures[0]
    assert "2 orders" in " ".join(problems)
    again = interleave(_last_shirt, [_buyer(0), _buyer(1)], _sold_once, schedule=order)
    assert again.failures == [(order, problems)]


def test_the_last_shirt_is_sold_once_in_every_order_of_calls() -> None:
    found = interleave(_last_shirt, [_buyer(0), _buyer(1)], _sold_once)
    assert not found.failures
    assert found.schedules > 2


def _last_shirt(world: World) -> None:
    world.seed_products({"TEE": 1995}, stock=1)
    world.guests = [Shopper.guest(world), Shopper.guest(world)]  # type: ignore[attr-defined]
    for guest in world.guests:  # type: ignore[attr-defined]
        done(guest.add("TEE"))


def _buyer(number: int) -> Callable[[World], None]:
    def buy(world: World) -> None:
        answer = world.guests[number].checkout()  # type: ignore[attr-defined]
        assert answer.status in (201, 409), answer

    return buy


def _sold_once(world: World) -> list[str]:
    orders = [item for item in world.items("OrdersTable") if item["pk"].startswith("O#") and item["sk"] == "-"]
    return [*([] if len(orders) == 1 else [f"{len(orders)} orders of one shirt"]), *violations(world)]
