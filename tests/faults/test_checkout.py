"""Checkout under disturbance: two at once in every order of their calls, and big orders struck at every call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from checkout import table
from commerce import writes
from tests.journey.checkout_shop import Shop, Shopper, payment_event
from tests.world import World
from tests.world.doctor_hook import violations
from tests.world.explore import MODES, explore
from tests.world.interleave import interleave

Act = Callable[[World], Any]


@pytest.fixture
def in_twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Big orders go two levels at a time, so that three lines show what three hundred would."""
    monkeypatch.setattr(table, "CHUNK", 2)


# The scene is set before the world splits; what the actors need to know of it lives on the world.


def scene(stock: int, *baskets: int, lines: int = 1, place: int = 0, late: bool = False) -> Act:
    """A shop with `lines` SKUs, and one basket per number of pieces; the first `place` of them are ordered."""

    def setup(world: World) -> None:
        shop = Shop(world)
        skus = [f"TEE-{number}" for number in range(lines)]
        for sku in skus:
            shop.product(sku)
            shop.stock(sku, stock)
        world.shop = shop  # type: ignore[attr-defined]
        world.shoppers = [shop.basket(dict.fromkeys(skus, pieces)) for pieces in baskets]  # type: ignore[attr-defined]
        world.pump.paused.add("PaymentsEvents")  # its payments exist only as events
        for shopper in world.shoppers[:place]:  # type: ignore[attr-defined]
            assert shop.place(shopper, key="scene").status == 201
        if late:
            world.clock.tick(901)

    return setup


def shop_of(world: World) -> Shop:
    return world.shop  # type: ignore[attr-defined,no-any-return]


def shopper_of(world: World, number: int) -> Shopper:
    return world.shoppers[number]  # type: ignore[attr-defined,no-any-return]


def places(number: int, *allowed: int, key: str = "place") -> Act:
    def act(world: World) -> None:
        answer = shop_of(world).place(shopper_of(world, number), key=key)
        assert answer.status in (allowed or (201, 409)), answer

    return act


def cancels(world: World) -> None:
    answer = shop_of(world).cancel(shop_of(world).orders()[0]["order_id"], shopper_of(world, 0).token)
    assert answer.status in (200, 409), answer


def sweeps(world: World) -> None:
    assert world.invoke("checkout.sweep", {})["failed"] == 0


def captured(amount: int, payment_id: str = "pay-1", kind: str = "payment.captured") -> Act:
    """A payment's event arrives; what is given back comes again later."""

    def act(world: World) -> None:
        event = payment_event(shop_of(world).orders()[0]["order_id"], amount, payment_id, kind)
        if world.invoke("checkout.on_event", event)["batchItemFailures"]:
            world.again = event  # type: ignore[attr-defined]

    return act


def sound(*more: Callable[[World], str | None]) -> Callable[[World], list[str]]:
    """The doctor's findings, and what else a race must not leave."""

    def check(world: World) -> list[str]:
        if again := getattr(world, "again", None):
            world.advance(120)
            world.invoke("checkout.on_event", again)
            world.settle()
        return [*violations(world), *(found for each in more if (found := each(world)))]

    return check


def states(*allowed: tuple[str, ...]) -> Callable[[World], str | None]:
    def look(world: World) -> str | None:
        found = tuple(sorted(order["state"] for order in shop_of(world).orders() if order["state"] != "rejected"))
        return None if found in allowed else f"orders are {found}"

    return look


def nothing_lost(world: World) -> str | None:
    """Every piece is on hand, and what no order holds or sold is available again."""
    held = sum(
        line["quantity"]
        for order in shop_of(world).orders()
        if order["state"] in ("placing", "placed")
        for line in order["lines"]
    )
    levels = [item for item in world.items("StockTable") if item["pk"].startswith("SKU#") and "on_hand" in item]
    reserved = sum(item["reserved"] for item in levels)
    return None if reserved == held else f"{reserved} reserved, orders hold {held}"


# ------------------------------------------------------------------------------------------------------ concurrency


def test_the_last_piece_is_sold_once_whoever_is_faster() -> None:
    found = interleave(scene(1, 1, 1), [places(0), places(1)], sound(states(("placed",)), nothing_lost))
    assert not found.failures
    assert found.schedules >= 5


def test_three_buyers_of_two_pieces(request: pytest.FixtureRequest) -> None:
    buyers = [places(0), places(1), places(2)]
    check = sound(states(("placed", "placed")), nothing_lost)
    switches = 1 if request.config.getoption("--explore") == "part" else None
    assert not interleave(scene(2, 1, 1, 1), buyers, check, switches=switches).failures


def test_nobody_is_told_sold_out_while_there_is_enough() -> None:
    found = interleave(scene(2, 1, 1), [places(0, 201), places(1, 201)], sound(states(("placed", "placed"))))
    assert not found.failures


def test_two_tabs_and_a_double_click_make_one_order() -> None:
    tabs = interleave(scene(9, 1), [places(0, key="a"), places(0, key="b")], sound(states(("placed",)), nothing_lost))
    clicks = interleave(scene(9, 1), [places(0, 201), places(0, 201)], sound(states(("placed",)), nothing_lost))
    assert not tabs.failures
    assert not clicks.failures


def test_a_line_taken_out_of_the_basket_is_ordered_or_gone_never_both() -> None:
    def takes_out(world: World) -> None:
        shopper = shopper_of(world, 0)
        answer = world.call("DELETE", f"/baskets/{shopper.basket_id}/lines/TEE-0", shopper.token)
        assert answer.status < 300, answer

    def either(world: World) -> str | None:
        ordered = {line["sku"] for order in shop_of(world).orders() for line in order["lines"]}
        left = set(shop_of(world).lines(shopper_of(world, 0)))
        return f"TEE-0 ordered and still in the basket: {left}" if ordered & left else None

    found = interleave(scene(9, 1, lines=2), [places(0), takes_out], sound(either, nothing_lost))
    assert not found.failures


def test_expiry_and_payment_at_once_end_in_paid() -> None:
    check = sound(states(("paid",)), _never_both)
    found = interleave(scene(5, 2, place=1, late=True), [sweeps, captured(2000)], check, switches=2)
    assert not found.failures


def test_cancelling_and_payment_at_once_end_in_cancelled_with_the_money_due_back() -> None:
    def back(world: World) -> str | None:
        (order,) = shop_of(world).orders()
        return None if order["refund_due"] == order["captured"] == {"pay-1": 2000} else str(order)

    found = interleave(scene(5, 2, place=1), [cancels, captured(2000)], sound(states(("cancelled",)), back))
    assert not found.failures


def test_cancelling_and_expiry_at_once_release_once() -> None:
    found = interleave(
        scene(5, 2, place=1, late=True), [cancels, sweeps], sound(states(("cancelled",), ("expired",)), nothing_lost)
    )
    assert not found.failures


def test_two_tenders_at_once_pay_together() -> None:
    found = interleave(
        scene(5, 2, place=1), [captured(1500, "card"), captured(500, "gift")], sound(states(("paid",)), _never_both)
    )
    assert not found.failures


def test_more_time_and_expiry_at_once_are_one_or_the_other() -> None:
    found = interleave(
        scene(5, 2, place=1, late=True),
        [captured(2000, kind="payment.authorized"), sweeps],
        sound(states(("placed",), ("expired",)), nothing_lost),
    )
    assert not found.failures


def test_two_runs_of_a_big_request_are_one_order(in_twos: None) -> None:
    found = interleave(
        scene(5, 1, lines=3),
        [places(0, 201, 409), places(0, 201, 409)],
        sound(states(("placed",)), nothing_lost),
        switches=2,
    )
    assert not found.failures


def test_two_big_orders_for_the_last_pieces_leave_nothing_behind(in_twos: None) -> None:
    # Each may take what the other lacks; then both give back, and say so.
    found = interleave(
        scene(1, 1, 1, lines=3), [places(0, 201, 409, 503), places(1, 201, 409, 503)],
        sound(states(("placed",), ()), nothing_lost), switches=2,
    )  # fmt: skip
    assert not found.failures


def _never_both(world: World) -> str | None:
    """I3: a captured payment is kept for a paid order or goes back, never both."""
    (order,) = shop_of(world).orders()
    kept = sum(order["captured"].values()) - sum(order.get("refund_due", {}).values())
    return None if kept == (order["total"] if order["state"] == "paid" else 0) else f"{order['state']} keeps {kept}"


# ---------------------------------------------------------------------------------------------------------- faults


def big_order_expires(world: World) -> None:
    """Three levels in pieces of two: placed, then nobody pays."""
    with world.calm():
        scene(5, 1, lines=3)(world)
    shop, shopper = shop_of(world), shopper_of(world, 0)
    answer = shop.place(shopper)
    assert answer.status == 201, answer
    world.settle()
    for _ in range(4):
        world.advance(901)
    assert shop.order(answer.json["order_id"])["state"] == "expired"
    assert shop.lines(shopper) == {"TEE-0": 1, "TEE-1": 1, "TEE-2": 1}
    assert nothing_lost(world) is None


def big_order_cancelled(world: World) -> None:
    """Placed in the scene, cancelled under disturbance."""
    with world.calm():
        scene(5, 1, lines=3, place=1)(world)
    shop, shopper = shop_of(world), shopper_of(world, 0)
    order_id = shop.orders()[0]["order_id"]
    answer = shop.cancel(order_id, shopper.token)
    assert (answer.status, answer.json["state"]) == (200, "cancelled"), answer
    for _ in range(4):
        world.advance(61)
    assert shop.order(order_id)["state"] == "cancelled"
    assert shop.lines(shopper) == {"TEE-0": 1, "TEE-1": 1, "TEE-2": 1}
    assert nothing_lost(world) is None


@pytest.mark.parametrize("journey", [big_order_expires, big_order_cancelled])
def test_a_big_order_survives_every_fault(in_twos: None, journey: Act, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--explore") == "part":
        found = explore(journey, slice=(0, 4))
    else:
        found = explore(journey, modes=tuple(MODES))
    assert not found.failures, found


# ------------------------------------------------------------------------------------------ mistakes that must show


def test_an_event_left_behind_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without REMOVE event, a version that means nothing is published as what the last one meant."""
    change = table._change

    def forgetful(order: Any, state: str, event: str | None, *rest: Any, **more: Any) -> writes.Write:
        write = change(order, state, event, *rest, **more)
        if event is None:
            request = {
                **write.request,
                "UpdateExpression": write.request["UpdateExpression"]
                .replace("#event, ", "")
                .replace(" REMOVE #event", ""),
            }
            request["ExpressionAttributeNames"] = {
                k: v for k, v in request["ExpressionAttributeNames"].items() if k != "#event"
            }
            return writes.Write(write.action, request, write.refused)
        return write

    monkeypatch.setattr(table, "_change", forgetful)
    world = World()
    scene(5, 2, place=1)(world)
    captured(500)(world)
    world.settle()
    assert len(world.events("order.placed")) == 2


def test_expiring_by_the_clock_alone_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the version in the condition, expiry and payment both win."""
    change = table._change

    def careless(*args: Any, **more: Any) -> writes.Write:
        write = change(*args, **more)
        request = {**write.request, "ConditionExpression": "attribute_exists(pk)"}
        values = request["ExpressionAttributeValues"]
        request["ExpressionAttributeValues"] = {k: v for k, v in values.items() if k not in (":version", ":was")}
        return writes.Write(write.action, request, write.refused)

    monkeypatch.setattr(table, "_change", careless)
    found = interleave(scene(5, 2, place=1, late=True), [sweeps, captured(2000)], sound(states(("paid",)), _never_both))
    assert found.failures


def test_a_piece_not_bound_to_progress_is_found_out(in_twos: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the progress in each piece, two runs of one request take twice."""
    advance = table._advance

    def unbound(*args: Any, **more: Any) -> writes.Write:
        write = advance(*args, **more)
        request = {**write.request, "ConditionExpression": "attribute_exists(pk)"}
        values = request["ExpressionAttributeValues"]
        request["ExpressionAttributeValues"] = {k: v for k, v in values.items() if k != ":version"}
        return writes.Write(write.action, request, write.refused)

    monkeypatch.setattr(table, "_advance", unbound)
    found = interleave(
        scene(5, 1, lines=3), [places(0, 201, 409), places(0, 201, 409)], sound(nothing_lost), switches=2
    )
    assert found.failures
