"""What an order keeps, from the door to the providers and back: at risk and covered again, held and taken, never
payable once it waits no more, and nothing that has to go back is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.shopper import Shopper, done, level, ordered, paid, shopper_pays
from tests.world import Response, World
from tests.world.doctor_hook import violations

TOTAL = 2 * 1995 + 1250


def start(world: World, order_id: str, key: str, provider: str = "cash", **asked: Any) -> Response:
    """Somebody at the till starts a payment."""
    method = "cash" if provider == "cash" else "online"
    body = {"provider": provider, "method": method, "return_url": "https://shop.test/thanks"} | asked
    return world.call("POST", f"/orders/{order_id}/payments", world.token("staff"), json=body, key=key)


def give_back(world: World, payment_id: str, amount: int, key: str = "by-hand") -> Response:
    body = {"amount": {"amount": amount, "currency": "EUR"}, "reason": "broken"}
    return world.call("POST", f"/payments/{payment_id}/refunds", world.token("staff"), json=body, key=key)


def fulfil(world: World, order_id: str, key: str = "fulfil") -> Response:
    return world.call("POST", f"/orders/{order_id}/fulfilments", world.token("staff"), key=key)


def at_risk(world: World) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = done(world.call("GET", "/orders/at-risk", world.token("staff")))["items"]
    return items


def euro(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def reference(world: World, payment_id: str) -> str:
    (found,) = [i for i in world.items("PaymentsTable") if (i["pk"], i["sk"]) == (f"P#{payment_id}", "-")]
    return str(found["provider_ref"])


def seen(world: World, order_id: str) -> dict[str, Any]:
    """The order as staff sees it; tokens of shoppers live for some hours only."""
    found: dict[str, Any] = done(world.call("GET", f"/orders/{order_id}", world.token("staff")))
    return found


def later(world: World, *seconds: int) -> None:
    world.pump.idle = world.aws.nothing_due
    for each in seconds:
        world.advance(each)


# ------------------------------------------------------------------------------------------------- what it keeps


def test_refunded_in_full_by_mistake_and_paid_again_in_cash(world: World) -> None:
    # GIVEN a paid order whose money a clerk gives back
    shopper, order_id, payment_id = paid(world)
    assert give_back(world, payment_id, TOTAL).status == 201
    world.settle()
    # THEN it is not handed over, and people see it
    refused = fulfil(world, order_id)
    assert (refused.status, refused.json["type"], refused.json["short"]) == (
        409,
        "/problems/order-not-covered",
        euro(TOTAL),
    )
    (listed,) = at_risk(world)
    assert (listed["order_id"], listed["state"], listed["short"]) == (order_id, "paid", euro(TOTAL))
    assert shopper.order(order_id)["short"] == euro(TOTAL)
    # WHEN the shopper pays exactly that again
    assert start(world, order_id, "cash").json["amount"] == euro(TOTAL)
    world.settle()
    later(world, 130, 700)
    # THEN the cash is the order's: nothing goes back, and the goods are handed over
    assert at_risk(world) == []
    assert world.events("order.refund_due") == []
    assert fulfil(world, order_id, "again").status == 200
    later(world, 130, 700)
    assert world.events("order.refund_due") == []
    assert violations(world) == []


@pytest.mark.parametrize("part", [1, 1000])
def test_a_part_that_was_given_back_is_short_and_exactly_that_can_be_paid(world: World, part: int) -> None:
    _, order_id, payment_id = paid(world, "mollie")
    assert give_back(world, payment_id, part).status == 201
    world.settle()
    later(world, 30, 30)
    assert fulfil(world, order_id).json["short"] == euro(part)
    assert start(world, order_id, "too-much", amount=euro(part + 1)).json["open"] == euro(part)
    assert start(world, order_id, "cash").json["amount"] == euro(part)
    world.settle()
    assert start(world, order_id, "more").json["type"] == "/problems/order-not-payable"
    assert fulfil(world, order_id, "again").status == 200


@pytest.mark.parametrize("won", [True, False])
@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_a_chargeback_puts_a_paid_order_at_risk_until_it_is_won(world: World, provider: str, won: bool) -> None:
    _, order_id, payment_id = paid(world, provider)
    bank = world.providers[provider]
    opened = bank.door("disputes/open", id=reference(world, payment_id))
    world.settle()
    assert [each["order_id"] for each in at_risk(world)] == [order_id]
    assert fulfil(world, order_id).json["short"] == euro(TOTAL)
    bank.door("disputes/close", id=opened["id"], won=won)
    world.settle()
    assert fulfil(world, order_id, "again").status == (200 if won else 409)
    world.settle()
    assert violations(world) == []


def test_only_staff_who_may_read_orders_see_those_at_risk(world: World) -> None:
    assert world.call("GET", "/orders/at-risk", world.token("customer")).status == 403
    assert world.call("GET", "/orders/at-risk", world.token("staff", scopes="payments:read")).status == 403
    assert world.call("GET", "/orders/at-risk?limit=0", world.token("staff")).status == 422


def test_orders_at_risk_come_in_pages(world: World) -> None:
    _, first, payment_id = paid(world)
    assert give_back(world, payment_id, 1).status == 201
    world.settle()
    page = done(world.call("GET", "/orders/at-risk?limit=1", world.token("staff")))
    assert [each["order_id"] for each in page["items"]] == [first]
    if page["next_cursor"]:
        rest = world.call("GET", f"/orders/at-risk?limit=1&cursor={page['next_cursor']}", world.token("staff"))
        assert done(rest)["items"] == []


# ------------------------------------------------------------------------------------------------- what may be paid


def _in_state(world: World, state: str) -> str:
    """An order in a state, with nothing of it left to be paid."""
    shopper, order_id = ordered(world)
    if state in ("paid", "fulfilled", "cancelled after paid"):
        start(world, order_id, "first")
        world.settle()
    if state == "fulfilled":
        done(fulfil(world, order_id))
    if state.startswith("cancelled"):
        done(world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel"))
    if state == "cancelled at risk":
        return order_id
    if state == "expired":
        later(world, 960)
    if state == "authorized":
        payment_id = shopper.pay(order_id, key="hold", capture="manual")["payment_id"]
        shopper_pays(world, "stripe", payment_id)
        world.settle()
    world.settle()
    assert shopper.order(order_id)["state"] == state.split()[0]
    return order_id


@pytest.mark.parametrize("provider", ["cash", "stripe", "mollie"])
@pytest.mark.parametrize("state", ["authorized", "paid", "fulfilled", "expired", "cancelled", "cancelled after paid"])
def test_an_order_that_waits_for_no_money_takes_none(world: World, state: str, provider: str) -> None:
    order_id = _in_state(world, state)
    refused = start(world, order_id, "one-more", provider)
    slug = "amount-not-open" if state == "authorized" else "order-not-payable"
    assert (refused.status, refused.json["type"]) == (409, f"/problems/{slug}")


def test_an_order_at_risk_that_is_cancelled_is_not_payable_any_more(world: World) -> None:
    shopper, order_id, payment_id = paid(world)
    give_back(world, payment_id, 1000)
    world.settle()
    done(world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel"))
    assert start(world, order_id, "late").json["type"] == "/problems/order-not-payable"
    world.settle()
    later(world, 130, 700)
    (books,) = world.providers["stripe"].books()["payments"]
    assert books["refunded"] == TOTAL
    assert violations(world) == []


@pytest.mark.parametrize("times", [2, 3])
def test_a_link_that_is_paid_more_than_once_keeps_one_payment_until_the_order_is_cancelled(
    world: World, times: int
) -> None:
    shopper, order_id = ordered(world)
    payment_id = shopper.pay(order_id, "mollie", method="link")["payment_id"]
    mollie, link = world.providers["mollie"], reference(world, payment_id)
    mollie.standin.account.objects["payment-link"][link]["reusable"] = True
    for _ in range(times):
        mollie.door("pay", id=link)
        world.settle()
    later(world, 130, 700)
    # THEN each of Mollie's payments is in the books as Mollie has it, and the doctor compares them one by one
    assert seen(world, order_id)["state"] == "paid"
    assert sorted(each["refunded"] for each in mollie.books()["payments"]) == [0] + [TOTAL] * (times - 1)
    assert violations(world) == []
    done(world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel"))
    world.settle()
    later(world, 130, 3700, 3700, 700)
    assert [each["refunded"] for each in mollie.books()["payments"]] == [TOTAL] * times
    assert violations(world) == []


# ------------------------------------------------------------------------------------------------- firm money


def test_a_debit_that_takes_days_extends_the_hold_and_then_pays(world: World) -> None:
    shopper, order_id = ordered(world)
    payment_id = shopper.pay(order_id)["payment_id"]
    world.providers["stripe"].door("process", id=reference(world, payment_id))
    world.settle()
    assert seen(world, order_id)["pay_by"] > "2026-12-0"
    later(world, 960, 5 * 86400)
    assert seen(world, order_id)["state"] == "placed"
    assert level(world, "TEE") == (5, 2, 3)
    assert start(world, order_id, "cash").json["type"] == "/problems/amount-not-open"
    shopper_pays(world, "stripe", payment_id)
    world.settle()
    assert seen(world, order_id)["state"] == "paid"
    assert violations(world) == []


def test_a_debit_that_fails_leaves_the_usual_time_and_then_the_order_expires(world: World) -> None:
    shopper, order_id = ordered(world)
    payment_id = shopper.pay(order_id)["payment_id"]
    world.providers["stripe"].door("process", id=reference(world, payment_id))
    world.settle()
    later(world, 2 * 86400)
    world.providers["stripe"].door("fail", id=reference(world, payment_id))
    world.settle()
    assert seen(world, order_id)["state"] == "placed"
    later(world, 960, 60)
    assert seen(world, order_id)["state"] == "expired"
    assert level(world, "TEE") == (5, 0, 5)


def test_mollie_tells_nobody_that_a_bank_is_busy_so_it_is_asked_before_the_order_expires(world: World) -> None:
    shopper, order_id = ordered(world)
    payment_id = shopper.pay(order_id, "mollie")["payment_id"]
    world.advance(660, tick=60)
    world.providers["mollie"].door("pending", id=reference(world, payment_id))
    world.advance(180, tick=60)
    assert seen(world, order_id)["pay_by"] > "2026-12-0"
    shopper_pays(world, "mollie", payment_id)
    world.settle()
    assert seen(world, order_id)["state"] == "paid"


# ------------------------------------------------------------------------------------------------- held and taken


def _held(world: World, provider: str = "stripe") -> tuple[Shopper, str, str]:
    shopper, order_id = ordered(world)
    payment_id = shopper.pay(order_id, provider, capture="manual")["payment_id"]
    shopper_pays(world, provider, payment_id)
    world.settle()
    return shopper, order_id, payment_id


@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_a_held_order_lives_until_it_is_captured(world: World, provider: str) -> None:
    _, order_id, payment_id = _held(world, provider)
    held = seen(world, order_id)
    assert held["state"] == "authorized"
    assert held["capture_before"] == held["pay_by"] > "2026-11-27"
    assert fulfil(world, order_id).json["state"] == "authorized"
    later(world, 960, 86400)
    assert seen(world, order_id)["state"] == "authorized"
    assert level(world, "TEE") == (5, 2, 3)
    done(world.call("POST", f"/payments/{payment_id}/captures", world.token("staff"), json={}, key="capture"))
    world.settle()
    later(world, 60, 60, 600)
    assert seen(world, order_id)["state"] == "paid"
    assert not seen(world, order_id).get("capture_before")
    assert level(world, "TEE") == (3, 0, 3)
    assert violations(world) == []


@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_a_hold_that_nobody_takes_ends_the_order_and_is_given_back(world: World, provider: str) -> None:
    _, order_id, _ = _held(world, provider)
    later(world, *[86400] * 8, 3600, 3600)
    assert seen(world, order_id)["state"] == "expired"
    assert level(world, "TEE") == (5, 0, 5)
    assert world.providers[provider].books()["totals"]["EUR"]["authorized"] == 0
    assert violations(world) == []


@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_cancelling_a_held_order_lets_the_money_go(world: World, provider: str) -> None:
    shopper, order_id, _ = _held(world, provider)
    done(world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel"))
    world.settle()
    later(world, 60, 300)
    assert seen(world, order_id)["state"] == "cancelled"
    assert world.providers[provider].books()["totals"]["EUR"]["authorized"] == 0
    assert level(world, "TEE") == (5, 0, 5)
    assert violations(world) == []


@pytest.mark.parametrize("answer", ["clear", "lost"])
def test_the_rest_of_a_hold_that_was_taken_in_part_is_released(world: World, answer: str) -> None:
    # GIVEN a hold at Mollie of which a part was taken (Stripe lets the rest go by itself)
    shopper, order_id, payment_id = _held(world, "mollie")
    body = {"amount": euro(2000)}
    done(world.call("POST", f"/payments/{payment_id}/captures", world.token("staff"), json=body, key="capture"))
    world.settle()
    later(world, 30, 61)
    # WHEN the order is cancelled
    if answer == "lost":
        world.providers["mollie"].door("faults", when="after", status=500, match="/release-authorization")
    done(world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel"))
    world.settle()
    later(world, 60, 300, 700)
    # THEN it is released, what was taken goes back, and the order counts both
    assert world.providers["mollie"].standin.account.objects["payment"][reference(world, payment_id)]["_released"]
    (books,) = world.providers["mollie"].books()["payments"]
    assert books["refunded"] == 2000
    payment = done(world.call("GET", f"/payments/{payment_id}", world.token("staff")))
    assert payment["status"] == "refunded"
    assert not [item for item in world.items("PaymentsTable") if item["pk"] == f"P#{payment_id}" and item.get("due")]
    assert violations(world) == []


# ------------------------------------------------------------------------------------------------- owed again


def refunds(world: World, state: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = done(world.call("GET", f"/refunds?state={state}", world.token("staff")))["items"]
    return items


def _failed_later(world: World) -> tuple[str, str]:
    """A cancelled order whose refund went through, and failed afterwards."""
    shopper, order_id, payment_id = paid(world)
    done(world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel"))
    world.settle()
    assert refunds(world, "owed") == []
    (refund,) = world.providers["stripe"].standin.account.objects["refund"]
    world.providers["stripe"].door("refunds/fail", id=refund)
    world.settle()
    return order_id, payment_id


def test_a_refund_that_fails_later_is_owed_again_and_repaired_by_hand_once(world: World) -> None:
    order_id, payment_id = _failed_later(world)
    for state in ("owed", "failed"):
        (listed,) = refunds(world, state)
        assert (listed["order_id"], listed["payment_id"], listed["amount"]) == (order_id, payment_id, euro(TOTAL))
        assert listed["state"] == "failed"
    assert give_back(world, payment_id, TOTAL).status == 201
    world.settle()
    assert refunds(world, "owed") == refunds(world, "failed") == []
    later(world, 700, 3700, 86400)
    (books,) = world.providers["stripe"].books()["payments"]
    assert books["refunded"] == TOTAL
    assert violations(world) == []


def test_a_refund_that_fails_later_is_tried_again_by_the_sweep_once(world: World) -> None:
    _, payment_id = _failed_later(world)
    later(world, 700, 3700, 700, 86400)
    (books,) = world.providers["stripe"].books()["payments"]
    assert books["refunded"] == TOTAL
    assert refunds(world, "owed") == []
    assert len(done(world.call("GET", f"/payments/{payment_id}", world.token("staff")))["refunds"]) == 2
    assert violations(world) == []


def test_a_refund_by_hand_that_fails_later_is_owed_too(world: World) -> None:
    _, _, payment_id = paid(world)
    give_back(world, payment_id, 1000)
    world.settle()
    (refund,) = world.providers["stripe"].standin.account.objects["refund"]
    world.providers["stripe"].door("refunds/fail", id=refund)
    world.settle()
    (listed,) = refunds(world, "failed")
    assert listed["amount"] == euro(1000)
    later(world, 700, 3700, 700)
    assert refunds(world, "owed") == []
    (books,) = world.providers["stripe"].books()["payments"]
    assert books["refunded"] == 1000


def test_who_may_see_what_is_owed(world: World) -> None:
    assert world.call("GET", "/refunds?state=owed", world.token("customer")).status == 403
    assert world.call("GET", "/refunds?state=owed", world.token("staff", scopes="orders:read")).status == 403
    assert world.call("GET", "/refunds?state=lost", world.token("staff")).status == 422
    assert world.call("GET", "/refunds", world.token("staff")).status == 422
