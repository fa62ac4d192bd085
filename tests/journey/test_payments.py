"""Payments from the first request to the ledger, through the real wire protocols of the stand-in providers."""

from __future__ import annotations


import pytest

from tests.journey.payments_shop import PAGE, Till, open_till
from tests.world import World


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def test_a_stripe_payment_is_captured_once_its_webhook_was_worked_off(till: Till) -> None:
    # GIVEN a payment that was started
    world = till.world
    answer = till.start()
    assert answer.status == 201, answer
    payment_id = answer.json["payment_id"]
    assert answer.json["client_secret"].startswith("pi_")
    assert answer.json["amount"] == {"amount": 5000, "currency": "EUR"}
    # WHEN the shopper pays
    world.providers["stripe"].door("pay", id=till.payment(payment_id)["provider_ref"])
    world.settle()
    # THEN the books say so, and so does the bus
    assert till.payment(payment_id)["status"] == "captured"
    assert till.ledger() == [("capture", 5000)]
    assert till.told() == ["payment.captured"]
    assert world.events("payment.captured")[0]["data"]["captured"] == 5000
    assert "due" not in till.payment(payment_id)
    assert not world.failures


def test_a_mollie_payment_is_captured_after_it_was_fetched(till: Till) -> None:
    world = till.world
    answer = till.start(provider="mollie", return_url=PAGE)
    assert answer.status == 201, answer
    assert "/checkout/tr_" in answer.json["redirect_url"]
    world.providers["mollie"].door("pay", id=till.payment(answer.json["payment_id"])["provider_ref"])
    world.settle()
    assert till.payment(answer.json["payment_id"])["status"] == "captured"
    assert till.ledger() == [("capture", 5000)]
    assert till.told() == ["payment.captured"]
    assert not world.failures


def test_cash_is_captured_at_once_by_staff(till: Till) -> None:
    answer = till.start(till.staff, provider="cash", method="cash")
    till.world.settle()
    assert (answer.status, answer.json["status"]) == (201, "captured")
    assert till.ledger() == [("capture", 5000)]
    assert till.told() == ["payment.captured"]
