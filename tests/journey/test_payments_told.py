"""What a provider tells counts by the object it names: of whatever type the event is, whatever it leaves out, and
whichever of several webhooks arrives. Both protocols.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.journey.payments_shop import PAGE, Till, open_till, stripe_header
from tests.journey.test_payments_outcomes import books_agree, by_hand, objects
from tests.world import World

STRIPE, MOLLIE = "/webhooks/stripe/default", "/webhooks/mollie/default"


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def post(till: Till, kind: str, thing: dict[str, Any], number: int = 0) -> None:
    """Stripe posts an event of any type about an object, signed."""
    made = {"id": f"evt_hand{number}", "object": "event", "type": kind, "created": int(till.world.clock.now)}
    body = json.dumps(made | {"livemode": False, "data": {"object": thing}}).encode()
    header = {"Stripe-Signature": stripe_header(body, till.world.clock.now)}
    answer = till.world.call("POST", STRIPE, body=body, headers=header)
    assert answer.status == 200, answer
    till.world.settle()


def told_by_mollie(till: Till, event: dict[str, Any]) -> None:
    """Mollie posts a next-generation event, signed."""
    body = json.dumps({"resource": "event", "id": "event_hand"} | event).encode()
    seal = "sha256=" + hmac.new(b"world", body, hashlib.sha256).hexdigest()
    answer = till.world.call("POST", MOLLIE, body=body, headers={"X-Mollie-Signature": seal})
    assert answer.status == 200, answer
    till.world.settle()


# ------------------------------------------------------------------------------------------------- Stripe


@pytest.mark.parametrize(
    "kind", ["charge.refunded", "charge.updated", "charge.something_new", "payment_intent.partially_refunded", "new"]
)
@pytest.mark.parametrize("by", ["payment_intent", "charge", "metadata", "whole objects"])
def test_an_event_of_any_type_that_names_a_payment_of_ours_has_it_fetched(till: Till, kind: str, by: str) -> None:
    payment_id = till.paid()
    till.world.providers["stripe"].door("webhooks", drop=-1)
    reference = till.payment(payment_id)["provider_ref"]
    (charge,) = objects(till, "stripe", "charge")
    by_hand(till, "stripe", reference, 700)
    named: dict[str, dict[str, Any]] = {
        "payment_intent": {"object": "charge", "id": charge["id"], "payment_intent": reference},
        "charge": {"object": "review", "id": "prv_1", "charge": charge["id"]},
        "metadata": {"object": "charge", "id": charge["id"], "metadata": {"payment_id": payment_id}},
        "whole objects": {"id": "prv_1", "payment_intent": {"id": reference, "object": "payment_intent"}},
    }
    post(till, kind, named[by])
    assert till.payment(payment_id)["refunded"] == 700
    assert not [item for item in till.inbox() if "due" in item]


@pytest.mark.parametrize("left_out", [["status"], ["payment_intent"], ["status", "payment_intent"], ["amount"]])
def test_a_refund_event_with_members_that_are_null_is_taken_and_fetched(till: Till, left_out: list[str]) -> None:
    payment_id = till.paid()
    till.world.providers["stripe"].door("events/shape", refund=dict.fromkeys(left_out))
    by_hand(till, "stripe", till.payment(payment_id)["provider_ref"], 700)
    till.world.providers["stripe"].door("refunds/fail", id=objects(till, "stripe", "refund")[0]["id"])
    by_hand(till, "stripe", till.payment(payment_id)["provider_ref"], 300)
    till.world.settle()
    assert not till.world.providers["stripe"].standin.outbox.pending, "each was answered with 200"
    books_agree(till, "stripe", payment_id)
    assert till.payment(payment_id)["refunded"] == 300


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_event_with_a_charge_only_is_taken_and_fetched(till: Till, won: bool) -> None:
    payment_id = till.paid()
    stripe = till.world.providers["stripe"]
    stripe.door("events/shape", dispute={"payment_intent": None, "status": None})
    dispute = stripe.door("disputes/open", id=till.payment(payment_id)["provider_ref"])
    till.world.settle()
    assert till.payment(payment_id)["charged_back"] == 5000
    stripe.door("disputes/close", id=dispute["id"], won=won)
    till.world.settle()
    books_agree(till, "stripe", payment_id)
    assert not stripe.standin.outbox.pending


def test_what_a_dispute_costs_is_in_the_ledger_and_changes_nothing_else(till: Till) -> None:
    payment_id = till.paid()
    stripe = till.world.providers["stripe"]
    dispute = stripe.door("disputes/open", id=till.payment(payment_id)["provider_ref"])
    till.world.settle()
    assert till.fees() == [("fee", -2000)]
    stripe.door("disputes/close", id=dispute["id"], won=True)
    till.world.settle()
    assert till.fees() == [("fee", -2000)], "Stripe keeps it"
    assert (till.payment(payment_id)["captured"], till.payment(payment_id)["charged_back"]) == (5000, 0)
    assert till.refund(payment_id, 5000).status in (201, 422)
    shown = till.world.call("GET", f"/payments/{payment_id}", till.staff).json
    assert shown["fees"] == {"amount": 2000, "currency": "EUR"}


def test_a_charge_that_is_not_ours_is_none_of_our_business(till: Till) -> None:
    till.paid()
    stripe, key = till.world.providers["stripe"], {"authorization": "Bearer sk_test_world"}
    form = b"amount=900&currency=eur&payment_method=pm_card_visa&confirm=true&payment_method_types[]=card"
    status, _, content = stripe.handle("POST", "/v1/payment_intents", key, form)
    assert status == 200, content
    by_hand(till, "stripe", json.loads(content)["id"], 100)
    till.world.settle()
    assert till.ledger() == [("capture", 5000)]
    assert not [item for item in till.inbox() if "due" in item]


# ------------------------------------------------------------------------------------------------- Mollie


def subscribed(till: Till, simple: bool, events: list[str]) -> None:
    """Mollie tells by signed events only."""
    mollie = till.world.providers["mollie"]
    mollie.door("subscribe", url=f"https://api.mandje.test{MOLLIE}", secret="world", simple=simple, events=events)
    mollie.standin.account.notify = lambda payment: None  # type: ignore[method-assign]


@pytest.mark.parametrize("simple", [False, True], ids=["full", "simple"])
def test_next_generation_events_alone_are_enough(till: Till, simple: bool) -> None:
    subscribed(till, simple, ["*"])
    payment_id = till.paid("mollie")
    assert till.payment(payment_id)["captured"] == 5000
    mollie, reference = till.world.providers["mollie"], till.payment(payment_id)["provider_ref"]
    by_hand(till, "mollie", reference, 700)
    till.world.settle()
    till.world.pump.paused.add("PaymentsSweepClock")
    till.world.advance(30, tick=5)
    assert till.payment(payment_id)["refunded"] == 700
    mollie.door("refunds/fail", id=objects(till, "mollie", "refund")[0]["id"])
    back = mollie.door("disputes/open", id=reference, amount=1000, fee=250)
    till.world.settle()
    assert (till.payment(payment_id)["refunded"], till.payment(payment_id)["charged_back"]) == (0, 1000)
    assert till.fees() == [("fee", -250)]
    mollie.door("disputes/close", id=back["id"], won=True)
    till.world.settle()
    books_agree(till, "mollie", payment_id)
    assert till.payment(payment_id)["charged_back"] == 0


@pytest.mark.parametrize("simple", [False, True], ids=["full", "simple"])
def test_a_payment_link_that_was_paid_is_told_by_its_event(till: Till, simple: bool) -> None:
    subscribed(till, simple, ["payment-link.paid"])
    payment_id = till.paid("mollie", method="link")
    assert till.payment(payment_id)["captured"] == 5000


@pytest.mark.parametrize("kind", ["refund", "chargeback"])
def test_an_event_that_says_nothing_but_an_id_leads_to_the_payment(till: Till, kind: str) -> None:
    payment_id = till.paid("mollie")
    mollie, reference = till.world.providers["mollie"], till.payment(payment_id)["provider_ref"]
    mollie.door("webhooks", drop=-1)
    if kind == "refund":
        by_hand(till, "mollie", reference, 700)
        mollie.door("refunds/settle", id=objects(till, "mollie", "refund")[0]["id"])
    else:
        mollie.door("disputes/open", id=reference, amount=700)
    (made,) = objects(till, "mollie", kind)
    told_by_mollie(till, {"type": f"{kind}.of_next_year", "entityId": made["id"]})
    books_agree(till, "mollie", payment_id)
    assert till.payment(payment_id)["captured"] - sum(amount for _, amount in till.ledger()) == 700


def test_events_of_mollie_that_name_no_payment_are_kept_and_counted(till: Till) -> None:
    events = [{"id": "event_1", "type": "payout.paid", "entityId": "po_abc123"}, {"id": "event_2", "type": "new"}]
    for event in (*events, events[0], {"type": "refund.refunded", "entityId": "re_unknown1"}):
        told_by_mollie(till, event)
    assert len(till.inbox()) == 3
    assert not [item for item in till.inbox() if "due" in item]
    told = [json.loads(line.text) for line in till.world.logs if '"posting"' in line.text]
    assert [(each["ended"], each["type"]) for each in told] == [
        ("foreign", "payout.paid"),
        ("foreign", "new"),
        ("foreign", "refund.refunded"),
    ]


@pytest.mark.parametrize("said", ["re_abc123", "ord_1234", "sub_1"])
def test_a_classic_webhook_at_a_payment_s_own_address_has_it_fetched(till: Till, said: str) -> None:
    """Whatever id it carries: the address names the payment."""
    payment_id = till.start(provider="mollie", return_url=PAGE).json["payment_id"]
    mollie, reference = till.world.providers["mollie"], till.payment(payment_id)["provider_ref"]
    mollie.door("webhooks", drop=-1)
    mollie.door("pay", id=reference)
    address = objects(till, "mollie", "payment")[0]["webhookUrl"].removeprefix("https://api.mandje.test")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert till.world.call("POST", address, body=f"id={said}", headers=form).status == 200
    till.world.settle()
    assert till.payment(payment_id)["captured"] == 5000
