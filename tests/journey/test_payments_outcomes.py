"""What a provider answered and what it did are two things: nothing is concluded from an answer that is no documented
refusal, and nothing is done twice because of one. Both protocols.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.journey.payments_shop import PAGE, Till, open_till
from tests.world import World
from tests.world.calls import Call, Crash, current

PROVIDERS = ("stripe", "mollie")
KEY_LIVES_S = {"stripe": 24 * 3600, "mollie": 3600}
DOUBT = [0, 400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 503]
"""Answers that say nothing about what was done (0: the connection breaks)."""
SAID: dict[str, list[tuple[int, dict[str, Any]]]] = {
    "stripe": [
        (409, {"error": {"type": "invalid_request_error", "code": "lock_timeout"}}),
        (409, {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}),
        (400, {"error": {"type": "idempotency_error", "message": "other parameters"}}),
        (400, {"error": {"type": "invalid_request_error", "code": "a_code_of_next_year"}}),
        (404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}}),
        (402, {"error": {"type": "api_error"}}),
        (200, {"object": "something else"}),
        (200, {}),
    ],
    "mollie": [
        (409, {"status": 409, "title": "Conflict", "detail": "A duplicate refund has been detected"}),
        (422, {"status": 422, "title": "Unprocessable Entity", "detail": "?"}),
        (422, {"status": 422, "field": "somethingNew", "detail": "?"}),
        (200, {"resource": "something else"}),
        (200, {}),
    ],
}
REFUSED: dict[str, tuple[int, dict[str, Any]]] = {
    "stripe": (400, {"error": {"type": "invalid_request_error", "code": "charge_already_refunded"}}),
    "mollie": (422, {"status": 422, "field": "amount.value", "detail": "The specified amount cannot be refunded"}),
}
SOME = [(provider, status, None) for provider in PROVIDERS for status in (0, 404, 409, 500)]
EVERY = [(provider, status, None) for provider in PROVIDERS for status in DOUBT] + [
    (provider, status, answer) for provider in PROVIDERS for status, answer in SAID[provider]
]


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def fault(till: Till, provider: str, match: str, when: str, status: int, answer: Any = None, count: int = 1) -> None:
    more = {} if answer is None else {"answer": answer}
    till.world.providers[provider].door("faults", when=when, status=status, match=match, count=count, **more)


def untold(till: Till, provider: str) -> None:
    """The provider's webhooks are lost, and nobody asks it by the clock."""
    till.world.providers[provider].door("webhooks", drop=-1)
    till.world.pump.paused.add("PaymentsSweepClock")


def objects(till: Till, provider: str, kind: str) -> list[dict[str, Any]]:
    return list(till.world.providers[provider].standin.account.objects[kind].values())


def amounts(till: Till, provider: str, kind: str) -> list[int]:
    return [each["amount" if provider == "stripe" else "_amount"] for each in objects(till, provider, kind)]


def books_agree(till: Till, provider: str, payment_id: str) -> None:
    totals = till.world.providers[provider].books()["totals"]["EUR"]
    ours = till.payment(payment_id)
    for name in ("captured", "refunded", "charged_back"):
        assert ours.get(name, 0) == totals[name], name


# ------------------------------------------------------------------------------------------------- refunds


@pytest.mark.parametrize(("provider", "status", "answer"), EVERY)
def test_a_refund_that_was_made_but_answered_with_an_error_happens_once(
    till: Till, provider: str, status: int, answer: Any
) -> None:
    payment_id = till.paid(provider)
    fault(till, provider, "refunds", "after", status, answer)
    first = till.refund(payment_id, 3000, key="r")
    # THEN nobody says that it failed, and what was asked for cannot be asked for again
    assert (first.status, first.json["status"]) == (201, "pending"), first
    assert till.refund(payment_id, 3000, key="another").status == 409
    again = till.refund(payment_id, 3000, key="r")
    assert (again.status, again.json["refund_id"]) == (201, first.json["refund_id"])
    till.world.advance(500, tick=125)
    assert amounts(till, provider, "refund") == [3000]
    assert till.payment(payment_id)["refunded"] == 3000
    assert "payment.refund_failed" not in till.told()
    books_agree(till, provider, payment_id)


@pytest.mark.parametrize(("provider", "status", "answer"), SOME)
def test_a_refund_that_was_not_made_is_made_later_under_its_own_key(
    till: Till, provider: str, status: int, answer: Any
) -> None:
    payment_id = till.paid(provider)
    fault(till, provider, "refunds", "before", status, answer)
    assert till.refund(payment_id, 3000, key="r").json["status"] == "pending"
    till.world.advance(500, tick=125)
    assert amounts(till, provider, "refund") == [3000]
    books_agree(till, provider, payment_id)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_documented_refusal_is_told_and_frees_what_was_reserved(till: Till, provider: str) -> None:
    payment_id = till.paid(provider)
    fault(till, provider, "refunds", "before", *REFUSED[provider])
    answer = till.refund(payment_id, 3000, key="r")
    assert (answer.status, answer.json["type"]) == (422, "/problems/refund-refused")
    assert till.refund(payment_id, 3000, key="r").status == 422
    assert till.payment(payment_id)["refund_pending"] == 0
    assert till.refund(payment_id, 3000, key="other").status == 201


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refusal_of_what_was_done_all_the_same_gives_way_to_the_provider_s_word(till: Till, provider: str) -> None:
    """Sent twice below us, the second one refused because of the first: the list says what is true."""
    payment_id = till.paid(provider)
    untold(till, provider)
    fault(till, provider, "refunds", "after", *REFUSED[provider])
    answer = till.refund(payment_id, 3000, key="r")
    assert answer.status == 201, answer
    assert till.refund(payment_id, 3000, key="another").status == 409
    till.world.pump.paused.clear()
    till.world.advance(500, tick=125)
    books_agree(till, provider, payment_id)
    assert till.refund(payment_id, 3000, key="r").json["status"] == "succeeded"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refusal_is_not_believed_while_the_payment_cannot_be_read_again(till: Till, provider: str) -> None:
    payment_id = till.paid(provider)
    untold(till, provider)
    fault(till, provider, "refunds", "after", *REFUSED[provider])
    fault(till, provider, f"GET /v{1 if provider == 'stripe' else 2}/payment", "before", 500)
    assert till.refund(payment_id, 3000, key="r").json["status"] == "pending"
    till.world.pump.paused.clear()
    till.world.advance(500, tick=125)
    assert amounts(till, provider, "refund") == [3000]
    books_agree(till, provider, payment_id)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refund_in_the_dashboard_is_known_after_ours_was_refused(till: Till, provider: str) -> None:
    payment_id = till.paid(provider)
    untold(till, provider)
    by_hand(till, provider, till.payment(payment_id)["provider_ref"], 5000)
    answer = till.refund(payment_id, 3000)
    assert (answer.status, answer.json["type"]) == (422, "/problems/refund-refused")
    assert till.payment(payment_id)["refunded"] + till.payment(payment_id)["refund_pending"] == 5000
    assert till.refund(payment_id, 1).json["refundable"]["amount"] == 0


def by_hand(till: Till, provider: str, reference: str, amount: int) -> None:
    """Somebody refunds at the provider itself: nothing of ours is on it."""
    bank = till.world.providers[provider]
    if provider == "stripe":
        path, body = "/v1/refunds", f"payment_intent={reference}&amount={amount}"
    else:
        path = f"/v2/payments/{reference}/refunds"
        body = '{"description": "by hand", "amount": {"currency": "EUR", "value": "%.2f"}}' % (amount / 100)
    key = {"stripe": "sk_test_world", "mollie": "test_world"}[provider]
    status, _, content = bank.handle("POST", path, {"authorization": f"Bearer {key}"}, body.encode())
    assert status < 300, content


@pytest.mark.parametrize("provider", PROVIDERS)
def test_after_the_key_has_died_a_refund_is_only_looked_for(till: Till, provider: str) -> None:
    """Made, never answered, and the lists not readable for as long as the key lives."""
    payment_id = till.paid(provider)
    untold(till, provider)
    fault(till, provider, "refunds", "after", 500)
    assert till.refund(payment_id, 3000, key="r").json["status"] == "pending"
    till.world.advance(KEY_LIVES_S[provider] + 60)
    assert till.refund(payment_id, 3000, key="r").json["status"] == "pending"
    till.world.pump.paused.clear()
    till.world.advance(500, tick=125)
    assert amounts(till, provider, "refund") == [3000]
    books_agree(till, provider, payment_id)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_the_provider_never_did_ends_after_its_key_has_died(till: Till, provider: str) -> None:
    payment_id = till.paid(provider)
    fault(till, provider, "POST", "before", 500, count=10_000)
    till.refund(payment_id, 3000, key="r")
    till.world.advance(KEY_LIVES_S[provider], tick=1800)
    assert till.payment(payment_id)["refund_pending"] == 3000, "not concluded while it could still be done"
    till.world.advance(8 * 3600, tick=1800)
    assert till.payment(payment_id)["refund_pending"] == 0
    assert till.told()[-1] == "payment.refund_failed"
    assert till.refund(payment_id, 3000, key="r").status == 422
    assert amounts(till, provider, "refund") == []


# ------------------------------------------------------------------------------------------------- captures


def held(till: Till, provider: str) -> str:
    """A payment of 50.00 that is held."""
    payment_id: str = till.start(provider=provider, return_url=PAGE, capture="manual").json["payment_id"]
    till.world.providers[provider].door("pay", id=till.payment(payment_id)["provider_ref"])
    till.world.settle()
    assert till.payment(payment_id)["authorized"] == 5000
    return payment_id


def captured(till: Till, provider: str) -> list[int]:
    if provider == "mollie":
        return amounts(till, provider, "capture")
    return [each["amount_captured"] for each in objects(till, provider, "charge") if each["amount_captured"]]


def posted(till: Till) -> int:
    return len([call for call in till.world.calls if call.kind == "http" and "/capture" in call.target and call.writes])


def dying(when: str) -> Callable[[Call, Callable[[], Any]], Any]:
    """The process that is about to capture dies before or after the provider was asked."""

    def director(call: Call, perform: Callable[[], Any]) -> Any:
        if call.kind == "http" and call.writes and "/capture" in call.target:
            if when == "after":
                perform()
            invocation = current.get()
            assert invocation is not None
            invocation.dead = True
            raise Crash(call.name)
        return perform()

    return director


FAILURES = ["dies before", "dies after", "before 500", "after 500", "after 0", "after 409", "after 408", "nothing"]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("looked", [True, False], ids=["the clock asks", "nobody asks"])
def test_a_capture_repeated_after_the_key_has_died_is_not_made_again(
    till: Till, provider: str, failure: str, looked: bool
) -> None:
    payment_id = held(till, provider)
    till.world.providers[provider].door("webhooks", drop=-1)
    # WHEN something goes wrong with a capture
    when, _, how = failure.partition(" ")
    if when == "dies":
        till.world.outside.director = dying(how)
    elif how:
        fault(till, provider, "/capture", when, int(how))
    first = till.capture(payment_id, 2000, key="c")
    assert first.status in (201, 502, 503), first
    till.world.outside.director = None
    # AND the same request comes again, after the provider has forgotten its key
    if not looked:
        till.world.pump.paused.add("PaymentsSweepClock")
    till.world.advance(KEY_LIVES_S[provider] + 60, tick=600)
    before = posted(till)
    again = till.capture(payment_id, 2000, key="c")
    assert again.status == 201, again
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.json["amount"]["amount"], posted(till)) == (2000, before)
    till.world.pump.paused.clear()
    till.world.advance(500, tick=125)
    # THEN it was made once, or (it never left, and was not looked after in time) never
    never = not looked and failure in ("dies before", "before 500")
    assert captured(till, provider) == ([] if never else [2000])
    books_agree(till, provider, payment_id)
    other = till.capture(payment_id, 2000, key="c").json
    assert (other["status"] == "pending") == never
    assert till.capture(payment_id, 2001, key="c").status == 422


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [0, 400, 404, 408, 409, 422, 429])
def test_a_capture_with_any_answer_that_is_no_refusal_is_made_once(till: Till, provider: str, status: int) -> None:
    payment_id = held(till, provider)
    fault(till, provider, "/capture", "after", status)
    assert till.capture(payment_id, 3000, key="c").status == 503
    assert till.capture(payment_id, 3000, key="another").status == 409, "it is reserved"
    again = till.capture(payment_id, 3000, key="c")
    assert again.status == 201
    till.world.advance(600, tick=60)
    assert captured(till, provider) == [3000]
    done = till.capture(payment_id, 3000, key="c")
    assert (done.status, done.json["captured"]["amount"]) == (201, 3000)
    books_agree(till, provider, payment_id)


def test_two_captures_at_mollie_never_take_more_than_is_held(till: Till) -> None:
    """The first one is on its way there when the second one is asked for."""
    payment_id = held(till, "mollie")
    assert till.capture(payment_id, 3000).status == 201
    too_much = till.capture(payment_id, 3000)
    assert (too_much.status, too_much.json["authorized"]["amount"]) == (409, 2000)
    assert till.payment(payment_id)["authorized"] == 5000, "until it is taken, it is held"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refused_capture_is_told_and_may_be_asked_for_anew(till: Till, provider: str) -> None:
    payment_id = held(till, provider)
    said = {
        "stripe": (400, {"error": {"type": "invalid_request_error", "code": "amount_too_large"}}),
        "mollie": (422, {"status": 422, "field": "amount"}),
    }
    fault(till, provider, "/capture", "before", *said[provider])
    answer = till.capture(payment_id, 3000, key="c")
    assert (answer.status, answer.json["type"]) == (422, "/problems/capture-refused")
    assert till.capture(payment_id, 3000, key="c").status == 422
    assert till.capture(payment_id, 3000, key="other").status == 201


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_capture_of_a_hold_that_ended_is_not_left_open(till: Till, provider: str) -> None:
    payment_id = held(till, provider)
    untold(till, provider)
    till.world.advance(8 * 86400)  # the hold ran out, and nobody told us
    assert till.capture(payment_id, 3000, key="c").status in (422, 503)
    till.world.pump.paused.clear()
    till.world.advance(500, tick=125)
    assert till.capture(payment_id, 3000, key="c").status == 422
    assert not [item for item in till.world.items("PaymentsTable") if "due" in item]
    assert till.payment(payment_id)["captured"] == 0


# ------------------------------------------------------------------------------------------------- starts


@pytest.mark.parametrize(("provider", "status", "answer"), EVERY)
def test_a_start_that_was_made_but_answered_with_an_error_is_one_payment(
    till: Till, provider: str, status: int, answer: Any
) -> None:
    fault(till, provider, "POST", "after", status, answer)
    assert till.start(provider=provider, return_url=PAGE, key="s").status == 503
    again = till.start(provider=provider, return_url=PAGE, key="s")
    assert again.status == 201, again
    kind = "checkout.session" if provider == "stripe" else "payment"
    assert len(objects(till, provider, kind)) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_start_repeated_after_the_key_has_died_is_not_made_again(till: Till, provider: str) -> None:
    fault(till, provider, "POST", "after", 500)
    till.world.pump.paused.add("PaymentsSweepClock")
    assert till.start(provider=provider, return_url=PAGE, key="s").status == 503
    till.world.advance(KEY_LIVES_S[provider] + 60)
    assert till.start(provider=provider, return_url=PAGE, key="s").status in (201, 503)
    kind = "checkout.session" if provider == "stripe" else "payment"
    assert len(objects(till, provider, kind)) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refused_start_that_was_made_and_paid_all_the_same_counts(till: Till, provider: str) -> None:
    said = {
        "stripe": (402, {"error": {"type": "card_error", "code": "card_declined"}}),
        "mollie": (422, {"status": 422, "field": "amount"}),
    }
    fault(till, provider, "POST", "after", *said[provider])
    refused = till.start(provider=provider, key="s", **({"return_url": PAGE} if provider == "mollie" else {}))
    assert (refused.status, refused.json["type"]) == (422, "/problems/payment-refused")
    (made,) = objects(till, provider, "payment_intent" if provider == "stripe" else "payment")
    till.world.providers[provider].door("pay", id=made["id"])
    till.world.settle()
    (payment,) = [
        item for item in till.world.items("PaymentsTable") if item["pk"].startswith("P#") and item["sk"] == "-"
    ]
    assert (payment["status"], payment["captured"]) == ("captured", 5000)
    assert till.ledger() == [("capture", 5000)]


# ------------------------------------------------------------------------------------------------- closing


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [0, 400, 404, 409, 422, 429, 500])
def test_a_hold_that_was_let_go_but_answered_with_an_error_is_known_to_be_gone(
    till: Till, provider: str, status: int
) -> None:
    payment_id = held(till, provider)
    till.world.providers[provider].door("webhooks", drop=-1)
    till.close()
    fault(till, provider, "DELETE" if provider == "mollie" else "/cancel", "after", status)
    till.world.advance(7200, tick=300)
    assert (till.payment(payment_id)["status"], till.payment(payment_id)["authorized"]) == ("canceled", 0)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_closing_what_is_paid_at_that_moment_loses_no_money(till: Till, provider: str) -> None:
    payment_id = till.start(provider=provider, return_url=PAGE).json["payment_id"]
    till.world.providers[provider].door("webhooks", drop=-1)
    till.world.providers[provider].door("pay", id=till.payment(payment_id)["provider_ref"])
    till.close()
    till.world.advance(7200, tick=300)
    assert till.payment(payment_id)["captured"] == 5000
    books_agree(till, provider, payment_id)
