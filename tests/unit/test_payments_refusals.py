"""What ends a request: the documented refusals of each operation, and nothing else."""

from typing import Any

import pytest

from payments import asking, refusals


def error(code: str | None = None, kind: str = "invalid_request_error", **more: Any) -> dict[str, Any]:
    return {"error": {"type": kind} | ({"code": code} if code else {}) | more}


@pytest.mark.parametrize(
    ("operation", "status", "answer", "code"),
    [
        ("refund", 400, error("charge_already_refunded"), "charge_already_refunded"),
        ("refund", 400, error("charge_disputed"), "charge_disputed"),
        ("refund", 400, error(param="amount"), "amount_too_large"),
        ("capture", 400, error("payment_intent_unexpected_state"), "payment_intent_unexpected_state"),
        ("capture", 400, error(param="amount_to_capture"), "amount_too_large"),
        ("cancel", 400, error("payment_intent_unexpected_state"), "payment_intent_unexpected_state"),
        ("start", 400, error("amount_too_small"), "amount_too_small"),
        ("start", 402, error("card_declined", "card_error", decline_code="lost_card"), "lost_card"),
        ("start", 402, error("expired_card", "card_error"), "expired_card"),
    ],
)
def test_what_stripe_documents_is_a_refusal(operation: str, status: int, answer: dict[str, Any], code: str) -> None:
    assert refusals.stripe(operation, status, answer) == code


@pytest.mark.parametrize("operation", ["start", "capture", "refund", "cancel"])
@pytest.mark.parametrize(
    ("status", "answer"),
    [
        *((status, error("charge_already_refunded")) for status in (200, 401, 403, 404, 408, 409, 425, 429, 500, 503)),
        (400, error("idempotency_key_in_use", "idempotency_error")),
        (400, error(kind="idempotency_error", param="amount")),
        (400, error("parameter_unknown", param="amount")),
        (400, error("resource_missing")),
        (400, error("rate_limit")),
        (400, error()),
        (400, {}),
        (400, {"error": "amount_too_small"}),
        (402, error("card_declined", "api_error")),
    ],
)
def test_nothing_else_of_stripe_is(operation: str, status: int, answer: dict[str, Any]) -> None:
    assert refusals.stripe(operation, status, answer) is None


def test_a_card_is_declined_when_it_pays_not_when_it_is_paid_back() -> None:
    assert refusals.stripe("refund", 402, error("card_declined", "card_error")) is None


@pytest.mark.parametrize("operation", ["start", "capture", "refund"])
def test_mollie_refuses_by_the_field(operation: str) -> None:
    assert refusals.mollie(operation, 422, {"field": "amount.value"}) == "amount.value"
    for status in (400, 404, 409, 429, 500):
        assert refusals.mollie(operation, status, {"field": "amount.value"}) is None
    for answer in ({}, {"field": None}, {"field": "metadata"}, {"detail": "amount"}):
        assert refusals.mollie(operation, 422, answer) is None


@pytest.mark.parametrize(("provider", "lives"), [("stripe", 86400), ("mollie", 3600)])
def test_sent_again_only_while_the_key_lives_then_looked_at_then_dropped(provider: str, lives: int) -> None:
    assert asking.step(provider, None, 10**10) == "send", "never sent: there is no key yet"
    ends = [asking.step(provider, 1000, 1000 + after) for after in (0, lives // 2, lives - 301)]
    assert ends == ["send"] * 3
    assert [asking.step(provider, 1000, 1000 + lives + after) for after in (-300, 0, 3599)] == ["look"] * 3
    assert asking.step(provider, 1000, 1000 + lives + 3600) == "drop"
