"""Giving money back: exactly what was asked, never more than came in, never twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journey.payments_shop import PAGE, Till, open_till
from tests.world import World


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def at_provider(till: Till, provider: str = "stripe") -> list[int]:
    """Amounts of the refunds the provider has."""
    amount = "amount" if provider == "stripe" else "_amount"
    return [each[amount] for each in till.world.providers[provider].standin.account.objects["refund"].values()]


# ------------------------------------------------------------------------------------------------- by staff


def test_a_refund_goes_through_and_is_told(till: Till) -> None:
    payment_id = till.paid()
    answer = till.refund(payment_id, 2000)
    assert (answer.status, answer.json["status"]) == (201, "succeeded"), answer
    till.world.settle()
    assert till.payment(payment_id)["refunded"] == 2000
    assert till.ledger() == [("capture", 5000), ("refund", -2000)]
    assert till.told() == ["payment.captured", "payment.refunded"]
    shown = till.world.call("GET", f"/payments/{payment_id}", till.staff).json["refunds"]
    assert [(each["refund_id"], each["status"]) for each in shown] == [(answer.json["refund_id"], "succeeded")]
    assert shown[0]["reason"] == "returned"


def test_mollie_takes_its_time(till: Till) -> None:
    payment_id = till.paid("mollie")
    answer = till.refund(payment_id, 2000)
    assert (answer.status, answer.json["status"]) == (201, "pending")
    assert till.payment(payment_id)["refund_pending"] == 2000
    till.world.advance(20, tick=5)
    assert (till.payment(payment_id)["refunded"], till.payment(payment_id)["refund_pending"]) == (2000, 0)


def test_parts_up_to_what_came_in_and_no_further(till: Till) -> None:
    payment_id = till.paid()
    for amount in (2000, 2000):
        assert till.refund(payment_id, amount).status == 201
    too_much = till.refund(payment_id, 1001)
    assert (too_much.status, too_much.json["type"]) == (409, "/problems/refund-exceeds-captured")
    assert too_much.json["refundable"] == {"amount": 1000, "currency": "EUR"}
    assert till.refund(payment_id, 1000).status == 201
    till.world.settle()
    assert till.payment(payment_id)["status"] == "refunded"
    assert at_provider(till) == [2000, 2000, 1000]


def test_the_same_request_gives_back_once(till: Till) -> None:
    payment_id = till.paid()
    first, again = till.refund(payment_id, 2000, key="r"), till.refund(payment_id, 2000, key="r")
    assert (again.json, again.headers["idempotent-replayed"]) == (first.json, "true")
    other = till.refund(payment_id, 1, key="r")
    assert (other.status, other.json["type"]) == (422, "/problems/idempotency-key-reused")
    assert at_provider(till) == [2000]


def test_who_may_and_what_is_refused(till: Till) -> None:
    world, payment_id = till.world, till.paid()
    path = f"/payments/{payment_id}/refunds"
    body = {"amount": {"amount": 1, "currency": "EUR"}, "reason": "x"}
    assert world.call("POST", path, till.customer, json=body, key="k").status == 403
    assert world.call("POST", path, world.token("staff", scopes="payments:read"), json=body, key="k").status == 403
    assert world.call("POST", path, till.staff, json=body).status == 400
    assert till.refund("no-such-payment", 1).status == 404
    assert till.refund(payment_id, 100, currency="USD").status == 422
    for wrong in ({}, {"amount": body["amount"]}, body | {"reason": "\x07"}, body | {"iban": "NL53INGB0654422370"}):
        assert world.call("POST", path, till.staff, json=wrong, key="k").status == 422
    assert till.refund(till.start(till.staff, key="open").json.get("payment_id", payment_id), 5001).status == 409
    assert at_provider(till) == []


def test_a_payment_that_was_not_paid_has_nothing_to_give_back(till: Till) -> None:
    answer = till.refund(till.start().json["payment_id"], 1)
    assert answer.json["refundable"]["amount"] == 0


# ------------------------------------------------------------------------------------------------- failing


def test_a_refund_that_fails_later_is_our_money_again(till: Till) -> None:
    """Stripe's test card 4000 0000 0000 5126: the refund succeeds, then fails."""
    answer = till.start()
    reference = till.payment(answer.json["payment_id"])["provider_ref"]
    till.world.providers["stripe"].door("pay", id=reference, payment_method="pm_card_refundFail")
    till.world.settle()
    payment_id = answer.json["payment_id"]
    assert till.refund(payment_id, 5000).json["status"] == "succeeded"
    till.world.advance(20, tick=5)
    assert till.ledger() == [("capture", 5000), ("refund", -5000), ("refund_reversed", 5000)]
    assert till.told() == ["payment.captured", "payment.refunded", "payment.refund_failed"]
    assert (till.payment(payment_id)["status"], till.payment(payment_id)["refunded"]) == ("captured", 0)


def test_a_refund_the_provider_refuses_is_told(till: Till) -> None:
    payment_id = till.paid()
    till.world.pump.paused.add("stripe")  # we have not heard of the dispute
    till.world.providers["stripe"].door("disputes/open", id=till.payment(payment_id)["provider_ref"])
    answer = till.refund(payment_id, 5000, key="r")
    assert (answer.status, answer.json["code"]) == (422, "charge_disputed")
    assert till.refund(payment_id, 5000, key="r").json["code"] == "charge_disputed"
    till.world.settle()
    # the payment was read again: why it was refused is known before its webhook came
    assert till.told() == ["payment.captured", "payment.refund_failed", "payment.chargeback_opened"]
    assert till.payment(payment_id)["refund_pending"] == 0


@pytest.mark.parametrize("provider", ["stripe", "mollie"])
@pytest.mark.parametrize("status", [0, 500])
def test_a_lost_answer_is_asked_for_and_never_done_twice(till: Till, provider: str, status: int) -> None:
    payment_id = till.paid(provider)
    till.world.providers[provider].door("webhooks", drop=-1)
    till.world.providers[provider].door("faults", when="after", status=status, match="refunds")
    answer = till.refund(payment_id, 2000, key="r")
    assert (answer.status, answer.json["status"]) == (201, "pending")
    assert till.refund(payment_id, 2000, key="r").json["refund_id"] == answer.json["refund_id"]
    till.world.advance(900, tick=61)
    assert at_provider(till, provider) == [2000]
    assert till.payment(payment_id)["refunded"] == 2000


def test_a_refund_that_never_arrived_is_sent_again_under_its_own_name(till: Till) -> None:
    payment_id = till.paid()
    stripe = till.world.outsiders.pop("api.stripe.com")
    answer = till.refund(payment_id, 2000)
    assert answer.json["status"] == "pending"
    assert till.refund(payment_id, 3001).status == 409, "what was asked for is not to be had twice"
    till.world.advance(120, tick=61)
    till.world.outsiders["api.stripe.com"] = stripe
    till.world.advance(300, tick=61)
    assert at_provider(till) == [2000]
    (made,) = till.world.providers["stripe"].standin.account.objects["refund"].values()
    assert made["metadata"]["refund_id"] == answer.json["refund_id"]
    assert till.payment(payment_id)["refunded"] == 2000


def test_mollie_refuses_an_equal_refund_within_the_hour_and_gets_it_later(till: Till) -> None:
    """The second and third of equal parts are not dropped: each waits for its hour, and its key with it."""
    payment_id = till.paid("mollie")
    assert till.refund(payment_id, 1000).status == 201
    till.world.settle()
    for _ in range(2):
        assert till.refund(payment_id, 1000).json["status"] == "pending"
    assert at_provider(till, "mollie") == [1000]
    till.world.advance(3 * 3600, tick=300)
    assert at_provider(till, "mollie") == [1000, 1000, 1000]
    assert till.payment(payment_id)["refunded"] == 3000
    answers = [c.status for c in till.world.calls if c.kind == "http" and c.writes and "/refunds" in c.target]
    assert answers == [201, 201, 201], "and Mollie never had to refuse one"


def test_a_provider_that_is_down_is_left_alone_for_a_minute(till: Till) -> None:
    for _ in range(5):
        till.start(amount={"amount": 1000, "currency": "EUR"})
    tried: list[str] = []

    def down(method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        tried.append(path)
        return 503, {}, b""

    till.world.outsiders["api.stripe.com"] = down
    till.world.advance(700)
    assert len(tried) == 3


# ------------------------------------------------------------------------------------------------- by the order


def due(payment_id: str, amount: int = 5000) -> list[dict[str, Any]]:
    return [{"payment_id": payment_id, "amount": amount}]


@pytest.mark.parametrize("kind", ["order.refund_due", "order.cancelled"])
@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_what_an_order_must_not_keep_goes_back(till: Till, provider: str, kind: str) -> None:
    payment_id = till.paid(provider)
    till.order_event(kind, "order/x@3", due(payment_id))
    till.world.settle()
    till.world.advance(20, tick=5)
    assert at_provider(till, provider) == [5000]
    assert till.payment(payment_id)["status"] == "refunded"


def test_the_same_event_again_gives_nothing_more(till: Till) -> None:
    payment_id = till.paid()
    for _ in range(3):
        till.order_event("order.refund_due", "order/x@3", due(payment_id, 2000))
    till.world.settle()
    assert at_provider(till) == [2000]
    till.order_event("order.refund_due", "order/x@4", due(payment_id, 2000))
    till.order_event("order.refund_due", "order/x@2", due(payment_id, 500))
    till.world.settle()
    assert at_provider(till) == [2000], "told again, or late, it is the same money"
    till.order_event("order.refund_due", "order/x@5", due(payment_id, 3000))
    till.world.settle()
    assert at_provider(till) == [2000, 1000], "a larger total asks for the difference"


def test_never_more_than_is_left(till: Till) -> None:
    """Staff gave 20.00 back by hand; the order then wants all 50.00 back."""
    payment_id = till.paid()
    till.refund(payment_id, 2000)
    till.order_event("order.refund_due", "order/x@3", due(payment_id))
    till.order_event("order.cancelled", "order/x@4", due(payment_id))
    till.world.settle()
    assert at_provider(till) == [2000, 3000]
    assert not till.world.pump.dead_letters()


def test_several_payments_each_give_back_their_own(till: Till) -> None:
    cash = till.start(till.staff, provider="cash", method="cash", amount={"amount": 2000, "currency": "EUR"})
    card = till.paid()
    till.order_event("order.cancelled", "order/x@3", due(cash.json["payment_id"], 2000) + due(card, 3000))
    till.world.settle()
    assert till.payment(card)["status"] == "refunded"
    assert till.payment(cash.json["payment_id"])["refund_pending"] == 2000
    assert till.pay_out(cash.json["payment_id"]).status == 200
    assert {till.payment(each)["status"] for each in (cash.json["payment_id"], card)} == {"refunded"}
    assert sum(amount for _, amount in till.ledger()) == 0


def test_an_order_that_names_no_payment_of_ours_is_not_forgotten(till: Till) -> None:
    till.order_event("order.refund_due", "order/x@3", due("no-such-payment"))
    till.world.settle()
    assert "PaymentsEventsDlq" in till.world.pump.dead_letters()


def test_a_provider_that_is_down_does_not_hold_up_the_queue(till: Till) -> None:
    payment_id = till.paid("mollie")
    mollie = till.world.outsiders.pop("api.mollie.com")
    till.order_event("order.refund_due", "order/x@3", due(payment_id))
    till.world.settle()
    assert not till.world.pump.dead_letters()
    assert till.payment(payment_id)["refund_pending"] == 5000
    till.world.outsiders["api.mollie.com"] = mollie
    till.world.advance(300, tick=61)
    assert till.payment(payment_id)["refunded"] == 5000


def test_a_page_that_was_paid_twice_is_given_back_part_by_part(till: Till) -> None:
    """A link leads to payments of its own: each can give back only what it brought in."""
    link = till.start(provider="mollie", method="link", return_url=PAGE).json["payment_id"]
    mollie = till.world.providers["mollie"]
    for _ in range(2):
        mollie.door("pay", id=till.payment(link)["provider_ref"])
        till.world.settle()
    assert till.payment(link)["captured"] == 10000
    assert till.told() == ["payment.captured", "payment.captured", "payment.amount_mismatch"]
    assert till.refund(link, 6000).json["type"] == "/problems/refund-in-parts"
    assert till.refund(link, 5000).status == 201
    till.world.advance(20, tick=5)
    assert till.refund(link, 4999).status == 201
    till.world.advance(20, tick=5)
    assert till.payment(link)["refunded"] == 9999


@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_one_key_for_two_payments_names_two_refunds(till: Till, provider: str) -> None:
    part = {"amount": 2500, "currency": "EUR"}
    paid = [till.paid(provider, amount=part) for _ in range(2)]
    made = [till.refund(each, 1000, key="same") for each in paid]
    assert [each.status for each in made] == [201, 201]
    assert len({each.json["refund_id"] for each in made}) == 2
    till.world.advance(130, tick=65)
    assert at_provider(till, provider) == [1000, 1000]
    assert [till.payment(each)["refunded"] for each in paid] == [1000, 1000]


@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_one_key_for_two_holds_names_two_captures(till: Till, provider: str) -> None:
    held = []
    for _ in range(2):
        part = {"amount": 2500, "currency": "EUR"}
        answer = till.start(provider=provider, return_url=PAGE, capture="manual", amount=part)
        held.append(answer.json["payment_id"])
        till.world.providers[provider].door("pay", id=till.payment(held[-1])["provider_ref"])
        till.world.settle()
    assert [till.capture(each, 1000, key="same").status for each in held] == [201, 201]
    till.world.advance(130, tick=65)
    assert [till.payment(each)["captured"] for each in held] == [1000, 1000]
