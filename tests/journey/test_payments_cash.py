"""Cash goes back when somebody hands it over, not before: owed, reserved, listed and looked at until then."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.shopper import ordered
from tests.journey.payments_shop import Till, open_till
from tests.world import World
from tests.world.doctor_hook import violations

HERE, ELSEWHERE = "ams-kalverstraat", "nl-warehouse"


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def taken(till: Till, location_id: str | None = HERE) -> str:
    """50.00 EUR that a till took; returns the payment's id."""
    device = till.world.token("device", location_id=location_id) if location_id else till.staff
    return str(till.start(device, provider="cash", method="cash").json["payment_id"])


def test_a_cash_refund_is_owed_until_it_was_paid_out(till: Till) -> None:
    payment_id = taken(till)
    answer = till.refund(payment_id, 1500)
    till.world.settle()
    # THEN nothing has left the drawer, and nobody can have it twice
    assert (answer.status, answer.json["status"]) == (201, "owed")
    assert till.ledger() == [("capture", 5000)]
    assert till.told() == ["payment.captured"]
    assert till.refund(payment_id, 3501).json["refundable"] == {"amount": 3500, "currency": "EUR"}
    shown = till.world.call("GET", f"/payments/{payment_id}", till.staff).json
    assert (shown["refunded"]["amount"], shown["refund_pending"]["amount"]) == (0, 1500)
    assert [each["status"] for each in shown["refunds"]] == ["owed"]
    # WHEN the till says that it was handed over
    till.world.clock.tick(600)
    device = till.world.token("device", location_id=HERE)
    paid = till.pay_out(payment_id, device, drawer_id="drawer-1")
    till.world.settle()
    # THEN the books move, at that time
    assert paid.status == 200, paid
    assert {name: paid.json[name] for name in ("refund_id", "payment_id", "status", "amount", "drawer_id")} == {
        "refund_id": answer.json["refund_id"],
        "payment_id": payment_id,
        "status": "succeeded",
        "amount": {"amount": 1500, "currency": "EUR"},
        "drawer_id": "drawer-1",
    }
    assert till.ledger() == [("capture", 5000), ("refund", -1500)]
    assert till.told() == ["payment.captured", "payment.refunded"]
    till.count()
    assert "due" not in till.payment(payment_id), "paid out and counted: nothing is left to wait for"
    # WHEN it says so again, with another drawer
    before = till.world.items("PaymentsTable")
    again = till.pay_out(payment_id, device, drawer_id="drawer-2")
    till.world.settle()
    # THEN nothing changes
    assert (again.status, again.json) == (200, paid.json)
    assert till.world.items("PaymentsTable") == before


def test_the_list_of_what_is_owed_names_the_refunds_to_pay_out(till: Till) -> None:
    """A till has to know which refund it pays out; there may be several of one payment."""
    payment_id = taken(till)
    made = [till.refund(payment_id, amount).json["refund_id"] for amount in (1500, 500)]
    device = till.world.token("device", location_id=HERE)
    (listed,) = till.world.call("GET", "/refunds?state=owed", device).json["items"]
    assert (listed["payment_id"], listed["amount"]["amount"], listed["state"]) == (payment_id, 2000, "owed")
    assert sorted(each["refund_id"] for each in listed["refunds"]) == sorted(made)
    assert listed["refund_id"] == listed["refunds"][0]["refund_id"]
    for refund_id in made:
        done = till.world.call("PUT", f"/payments/{payment_id}/refunds/{refund_id}/paid-out", device)
        assert done.status == 200, done
    assert till.world.call("GET", "/refunds?state=owed", device).json["items"] == []


@pytest.mark.parametrize(
    ("late", "status"), [(-3600, 422), (-60, 200), (0, 200), (60, 200), (3600, 422)], ids=lambda one: str(one)
)
def test_a_till_that_was_offline_says_when(till: Till, late: int, status: int) -> None:
    from commerce import clock
    from commerce.clock import iso

    payment_id = taken(till)
    till.refund(payment_id, 5000)
    at = iso(clock.now().fromtimestamp(till.world.clock.now + late, clock.now().tzinfo))
    answer = till.pay_out(payment_id, at=at)
    assert answer.status == status, answer
    if status == 200:
        assert answer.json["paid_out_at"][:19] == at[:19]
    else:
        assert answer.json["errors"][0]["loc"] == ["body", "at"]
        assert till.ledger() == [("capture", 5000)]


@pytest.mark.parametrize("body", [{"at": "yesterday"}, {"at": "2026-11-21T10:00:00"}, {"drawer_id": "#"}, {"x": 1}])
def test_what_is_no_paying_out(till: Till, body: dict[str, Any]) -> None:
    payment_id = taken(till)
    till.refund(payment_id, 5000)
    assert till.pay_out(payment_id, **body).status == 422


def test_who_may_pay_out(till: Till) -> None:
    world, payment_id = till.world, taken(till)
    till.refund(payment_id, 5000)
    guest = world.call("POST", "/baskets", json={"channel": "web"}).json["token"]
    for nobody in (
        guest,
        till.customer,
        world.token("staff", scopes="payments:write payments:read"),
        world.token("device", scopes="payments:write", location_id=HERE),
        world.token("device", location_id=ELSEWHERE),
        world.token("device"),
        world.token("staff", location_id=ELSEWHERE),
    ):
        assert till.pay_out(payment_id, nobody).status == 403
    assert till.ledger() == [("capture", 5000)]
    assert till.pay_out(payment_id, world.token("staff", location_id=HERE)).status == 200


def test_only_cash_is_paid_out_by_hand(till: Till) -> None:
    world, payment_id = till.world, till.paid("mollie")
    refund = till.refund(payment_id, 1000).json["refund_id"]
    answer = till.pay_out(payment_id)
    assert (answer.status, answer.json["type"]) == (409, "/problems/not-a-cash-refund")
    for path in (f"/payments/{payment_id}/refunds/nothing", f"/payments/nothing/refunds/{refund}"):
        assert world.call("PUT", f"{path}/paid-out", till.staff, json={}).status == 404


def test_two_tills_at_once_pay_out_once(world: World) -> None:
    from tests.world.interleave import interleave

    told: list[str] = []

    def setup(world: World) -> None:
        till = open_till(world)
        payment_id = till.start(till.staff, provider="cash", method="cash", key="cash").json["payment_id"]
        till.refund(payment_id, 5000, key="refund")

    def pay(drawer: str) -> Any:
        def act(world: World) -> Any:
            till = Till(world)
            (payment,) = [item for item in world.items("PaymentsTable") if item.get("method") == "cash"]
            told.append(till.pay_out(payment["payment_id"], drawer_id=drawer).json["drawer_id"])

        return act

    def check(world: World) -> list[str]:
        booked = Till(world).ledger()
        found = [] if booked == [("capture", 5000), ("refund", -5000)] else [str(booked)]
        (drawer,) = [item["drawer_id"] for item in world.items("PaymentsTable") if "drawer_id" in item]
        return found if told == [drawer, drawer] else [*found, f"told {told}, and drawer {drawer} is in the books"]

    found = interleave(setup, [pay("a"), pay("b")], check)
    assert not found.failures, str(found)


@pytest.mark.parametrize("ending", ["expires", "cancelled"])
def test_cash_of_an_order_that_ended_is_owed_too_and_waits(world: World, ending: str) -> None:
    """A part was paid in cash and the order ended: it is owed, whenever the customer comes for it."""
    shopper, order_id = ordered(world)
    till = Till(world, order_id)
    device = world.token("device", location_id=HERE)
    part = {"amount": 1000, "currency": "EUR"}
    asked = {"provider": "cash", "method": "cash", "amount": part}
    payment_id = world.call("POST", f"/orders/{order_id}/payments", device, json=asked, key="cash").json["payment_id"]
    world.settle()
    if ending == "cancelled":
        world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel")
        world.settle()
    world.advance(1200, tick=60)
    assert till.payment(payment_id)["refund_pending"] == 1000
    assert till.payment(payment_id)["due"]
    assert till.ledger() == [("capture", 1000)]
    assert not violations(world)
    # Days go by; it is looked at once a day, and never overdue.
    world.advance(3 * 86400, tick=3600)
    assert not violations(world)
    reminders = [line.text for line in world.logs if "cash refund not paid out" in line.text]
    assert len(reminders) in (2, 3)
    device = world.token("device", location_id=HERE)
    assert till.pay_out(payment_id, device).status == 200
    world.settle()
    assert till.ledger() == [("capture", 1000), ("refund", -1000)]
    assert till.payment(payment_id)["status"] == "refunded"
    assert not violations(world)
