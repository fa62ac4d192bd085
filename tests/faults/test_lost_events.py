"""Nothing lives only in an event: whichever is lost once, the sweeps tell it again and the story ends as it should.

Each type of event that occurs in a story is lost once, for all its consumers. Then the clock runs for some hours. The
doctor has to be content, nothing may be owed, and goods and money have to be where they are in the undisturbed story.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from checkout import owing
from commerce import clock, payables
from tests.faults import journeys
from tests.faults.shopper import done, ordered, paid, shopper_pays
from tests.world import World
from tests.world.doctor_hook import violations
from tests.world.findings import name_of

Story = Callable[[World], None]

# ------------------------------------------------------------------------------------------------- more stories


def cancel_before_it_is_sold(world: World) -> None:
    """Stock hears of the cancellation first, and of the sale never or too late."""
    shopper, order_id = ordered(world)
    payment_id = shopper.pay(order_id)["payment_id"]
    world.pump.paused.add("StockEvents")
    shopper_pays(world, "stripe", payment_id)
    world.settle()
    done(world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel"))
    world.pump.paused.clear()
    world.settle()


def cancel_at_mollie(world: World) -> None:
    """Mollie takes its time to give money back."""
    shopper, order_id, _ = paid(world, "mollie")
    done(world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel"))
    world.settle()


def pay_twice(world: World) -> None:
    """Paid on the page, but nobody has heard of it when the shopper pays cash as well: one of the two goes back."""
    shopper, order_id = ordered(world)
    payment_id = shopper.pay(order_id)["payment_id"]
    world.pump.paused.add("stripe")
    shopper_pays(world, "stripe", payment_id)
    cash(world, order_id)
    world.pump.paused.clear()
    world.settle()


def part_payment_expires(world: World) -> None:
    """A part in cash, and the rest never comes."""
    _, order_id = ordered(world)
    cash(world, order_id, {"amount": 1000, "currency": "EUR"})
    world.advance(16 * 60)


def refund_by_hand_and_pay_again(world: World) -> None:
    """Staff gives everything back by mistake; the shopper pays again in cash."""
    _, order_id, payment_id = paid(world)
    body = {"amount": {"amount": 5240, "currency": "EUR"}, "reason": "wrong order"}
    done(world.call("POST", f"/payments/{payment_id}/refunds", world.token("staff"), json=body, key="refund"))
    world.settle()
    world.advance(3600, tick=300)
    cash(world, order_id)


def dispute_lost(world: World) -> None:
    """The payer's bank takes the money of a paid order back."""
    _, _, payment_id = paid(world)
    dispute(world, payment_id, won=False)


def dispute_won(world: World) -> None:
    """... and gives it to us again."""
    _, _, payment_id = paid(world)
    dispute(world, payment_id, won=True)


def refund_fails_later(world: World) -> None:
    """What the order wanted back does not reach the payer; it is tried again."""
    shopper, order_id, _ = paid(world)
    done(world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel"))
    world.settle()
    (refund,) = world.providers["stripe"].standin.account.objects["refund"]
    world.providers["stripe"].door("refunds/fail", id=refund)
    world.settle()


def held_then_taken(world: World) -> None:
    """Authorized, and captured by hand."""
    shopper, order_id = ordered(world)
    payment_id = shopper.pay(order_id, capture="manual")["payment_id"]
    shopper_pays(world, "stripe", payment_id)
    world.settle()
    world.advance(1800, tick=60)
    done(world.call("POST", f"/payments/{payment_id}/captures", world.token("staff"), json={}, key="capture"))
    world.settle()


def held_then_cancelled(world: World) -> None:
    """Authorized, and the shopper thinks again."""
    shopper, order_id = ordered(world)
    payment_id = shopper.pay(order_id, capture="manual")["payment_id"]
    shopper_pays(world, "stripe", payment_id)
    world.settle()
    world.advance(1800, tick=60)
    done(world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel"))
    world.settle()


def hand_over(world: World) -> None:
    """Paid, and handed over."""
    _, order_id, _ = paid(world)
    done(world.call("POST", f"/orders/{order_id}/fulfilments", world.token("staff"), key="fulfil"))
    world.settle()


MORE = (
    cancel_before_it_is_sold, cancel_at_mollie, pay_twice, part_payment_expires, refund_by_hand_and_pay_again,
    dispute_lost, dispute_won, refund_fails_later, held_then_taken, held_then_cancelled, hand_over,
)  # fmt: skip


def cash(world: World, order_id: str, amount: dict[str, Any] | None = None) -> None:
    till = world.token("device", location_id="ams-kalverstraat")
    body = {"provider": "cash", "method": "cash"} | ({"amount": amount} if amount else {})
    done(world.call("POST", f"/orders/{order_id}/payments", till, json=body, key="cash"))
    world.settle()


def dispute(world: World, payment_id: str, won: bool) -> None:
    stripe = world.providers["stripe"]
    opened = stripe.door("disputes/open", id=_item(world, payment_id)["provider_ref"])
    world.settle()
    stripe.door("disputes/close", id=opened["id"], won=won)
    world.settle()


def _item(world: World, payment_id: str) -> dict[str, Any]:
    (found,) = [i for i in world.items("PaymentsTable") if (i["pk"], i["sk"]) == (f"P#{payment_id}", "-")]
    return found


# ------------------------------------------------------------------------------------------------- losing


def told(story: Story, lost: str | None) -> tuple[World, list[str]]:
    """The world after a story in which the first event of a type reached nobody, and the types it told."""
    world = World()
    world.pump.idle = world.aws.nothing_due
    route, todo = world.pump.bus.route, [lost]

    def lose(bus: str, event: dict[str, Any]) -> None:
        if event["detail-type"] in todo:
            todo.remove(event["detail-type"])
        else:
            route(bus, event)

    world.pump.bus.route = lose  # type: ignore[method-assign]
    try:
        story(world)
    except AssertionError:
        # It looks before the sweeps have come round. What counts is where it ends.
        assert lost, "undisturbed, the story has to come true"
    world.pump.paused.clear()
    _until_nothing_is_due(world, hours=13)
    if _pay_out(world):
        _until_nothing_is_due(world, hours=13)
    return world, [each.event["detail-type"] for each in world.pump.bus.log]


def _pay_out(world: World) -> bool:
    """The drawer pays out what it owes."""
    owed = [
        each for each in world.items("PaymentsTable") if each.get("kind") == "refund" and each.get("status") == "owed"
    ]
    for each in owed:
        path = f"/payments/{each['pk'].removeprefix('P#')}/refunds/{each['object_id']}/paid-out"
        done(world.call("PUT", path, world.token("device", location_id="ams-kalverstraat"), json={}))
    return bool(owed)


def _until_nothing_is_due(world: World, hours: int) -> None:
    """The clock runs, from one moment at which something is due to the next."""
    end = world.clock.now + hours * 3600
    while world.clock.now < end:
        dues = [
            clock.parse(item["due"]).timestamp()
            for name in world.template.tables
            for item in world.items(name)
            if "due" in item
        ]
        later = [at - world.clock.now for at in dues if at > world.clock.now]
        world.advance(max(60, min([*later, end - world.clock.now])) + 1)


def ends(world: World) -> dict[str, Any]:
    """Where goods and money are: orders, levels, and the books of providers and drawer."""
    orders = [each for each in world.items("OrdersTable") if each["pk"].startswith("O#") and each["sk"] == "-"]
    levels = [each for each in world.items("StockTable") if each["sk"].startswith("LOC#") and "reserved" in each]
    payments = [each for each in world.items("PaymentsTable") if each["pk"].startswith("P#") and each["sk"] == "-"]
    money = ("captured", "refunded", "charged_back")
    return {
        "orders": sorted((each["state"], each.get("refund_due", {}) != {}, "at_risk" in each) for each in orders),
        "levels": sorted((each["sku"], each["sk"], each["on_hand"], each["reserved"]) for each in levels),
        "payments": sorted((each["method"], *(each.get(name, 0) for name in money)) for each in payments),
        "books": {name: provider.books()["totals"] for name, provider in world.providers.items()},
    }


def wrong(world: World) -> list[str]:
    """What the doctor finds, and what is still owed."""
    money = [each for each in world.items("PaymentsTable") if each.get("owed")]
    orders = [each for each in world.items("OrdersTable") if "stock_owes" in each or owing.open_refunds(each)]
    owed = [f"{each['pk']} is owed to" for each in (*money, *orders)]
    return violations(world) + owed


STORIES = [*journeys.ALL, *MORE]


@pytest.mark.parametrize("story", STORIES, ids=name_of)
def test_whichever_event_is_lost_the_story_ends_the_same(story: Story, request: pytest.FixtureRequest) -> None:
    # GIVEN the story undisturbed
    world, types = told(story, None)
    assert wrong(world) == []
    right = ends(world)
    # WHEN each type of event that anybody listens to is lost once (`make test`: one of them, another in each story)
    heard = {kind for rule in world.template.rules for kind in rule.pattern["detail-type"]}
    losses = [kind for kind in dict.fromkeys(types) if kind in heard]
    if request.config.getoption("--explore") == "part" and losses:
        losses = [losses[STORIES.index(story) % len(losses)]]
    for lost in losses:
        world, _ = told(story, lost)
        # THEN
        assert (lost, wrong(world)) == (lost, [])
        assert (lost, ends(world)) == (lost, right)


# ------------------------------------------------------------------------------------------------- planted mistakes


def _told_only_by_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owing, "anything", lambda order: False)


def _never_asked_whether_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payables, "counts", lambda payable, payment: True)


@pytest.mark.parametrize(
    ("mistake", "story", "lost"),
    [
        (_told_only_by_event, journeys.cancel_paid_order, "order.cancelled"),
        (_told_only_by_event, pay_twice, "order.refund_due"),
        (_told_only_by_event, journeys.pay_by_ideal, "order.paid"),
        (_never_asked_whether_it_counts, journeys.pay_by_mollie, "payment.captured"),
    ],
    ids=["cancelled", "refund due", "paid", "captured"],
)
def test_an_obligation_told_only_by_its_event_is_found(
    mistake: Callable[[pytest.MonkeyPatch], None], story: Story, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake(monkeypatch)
    world, _ = told(story, lost)
    assert wrong(world)
