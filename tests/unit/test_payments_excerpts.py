"""What is kept of a webhook: enough to work with, nothing about who paid."""

import json
from typing import Any

import pytest

from payments import excerpts, stripe
from payments.ledger import attempt, capture, chargeback, refund


def intent(**changes: Any) -> dict[str, Any]:
    thing = {"object": "payment_intent", "id": "pi_1", "status": "succeeded", "amount": 5000, "currency": "eur"}
    thing |= {"amount_received": 5000, "amount_capturable": 0, "metadata": {"payment_id": "p-1", "note": "call Anna"}}
    thing |= {"receipt_email": "anna@example.com", "shipping": {"name": "Anna"}, "client_secret": "pi_1_secret_x"}
    return thing | changes


def event(kind: str, thing: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = {
        "object": "event",
        "id": "evt_1",
        "type": kind,
        "created": 1000,
        "livemode": False,
        "data": {"object": thing},
    }
    return made | changes


def facts(kind: str, thing: dict[str, Any]) -> list[Any]:
    kept = excerpts.of_stripe(event(kind, thing)).kept
    assert kept is not None
    return stripe.of_event({"type": kind, "created": 1000, "object": kept})[1]


def test_nothing_personal_and_no_secret_is_kept() -> None:
    kept = excerpts.of_stripe(event("payment_intent.succeeded", intent())).kept
    text = json.dumps(kept)
    assert kept is not None
    assert kept["metadata"] == {"payment_id": "p-1"}
    assert not [canary for canary in ("anna", "Anna", "secret") if canary in text]


def test_an_excerpt_is_small_enough_for_one_write_unit() -> None:
    huge = intent(status="x" * 128, metadata={"payment_id": "p" * 10_000}, amount_received="9" * 500, id="pi" * 64)
    assert len(json.dumps(excerpts.of_stripe(event("payment_intent.succeeded", huge)).kept)) < 500


@pytest.mark.parametrize("kind", ["payment_intent.created", "charge.succeeded", "charge.refunded", "customer.created"])
def test_what_says_nothing_new_is_not_kept(kind: str) -> None:
    assert excerpts.of_stripe(event(kind, intent())).kept is None


def test_a_thin_event_is_understood_and_of_no_use() -> None:
    thin = event("payment_intent.succeeded", {}) | {"object": "v2.core.event"}
    assert excerpts.of_stripe(thin).kept is None


@pytest.mark.parametrize(
    "broken",
    [
        None, [], "text", 1, {},
        event("payment_intent.succeeded", intent(), id=None),
        event("payment_intent.succeeded", intent(), id="evt 1#x"),
        event("payment_intent.succeeded", intent(), id="e" * 300),
        event("payment_intent.succeeded", intent(), livemode="false"),
        event("payment_intent.succeeded", intent(), type=["payment_intent.succeeded"]),
        event("payment_intent.succeeded", intent(), created="yesterday"),
        event("payment_intent.succeeded", intent(), created=True),
        event("payment_intent.succeeded", intent(object="customer")),
        event("payment_intent.succeeded", intent(object=["payment_intent"])),
        event("payment_intent.succeeded", intent(), data=None),
        event("payment_intent.succeeded", intent(), data={"object": []}),
        event("payment_intent.succeeded", intent(status="x" * 129)),
        event("payment_intent.succeeded", intent(amount=10.5)),
        event("payment_intent.succeeded", intent(currency=None)),
    ],
)  # fmt: skip
def test_what_is_no_event_is_malformed(broken: Any) -> None:
    with pytest.raises(excerpts.Malformed):
        excerpts.of_stripe(broken)


def test_an_event_that_says_only_what_is_needed_is_understood() -> None:
    thing = {name: member for name, member in intent().items() if name != "object"}
    bare = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": thing}}
    read = excerpts.of_stripe(bare)
    assert read.kept == excerpts.of_stripe(event("payment_intent.succeeded", intent())).kept
    assert (read.created, read.livemode) == (0, False)


def test_what_was_received_counts_not_what_was_asked_for() -> None:
    said = facts("payment_intent.succeeded", intent(amount=5000, amount_received=3000))
    assert said == [capture("pi_1", "pi_1", "succeeded", 1000, 3000, "EUR")]


def test_a_failed_attempt_is_a_fact_by_time() -> None:
    failed = intent(status="requires_payment_method", amount_received=0)
    failed["last_payment_error"] = {"decline_code": "insufficient_funds", "message": "Anna, your card ..."}
    assert facts("payment_intent.payment_failed", failed) == [attempt("pi_1", "failed", 1000, "EUR")]


def test_a_hold_says_how_much_is_held() -> None:
    held = intent(status="requires_capture", amount_received=0, amount_capturable=5000)
    said = facts("payment_intent.amount_capturable_updated", held)
    assert said == [attempt("pi_1", "authorized", 1000, "EUR", 5000)]


def test_a_refund_is_known_by_our_name_or_by_theirs() -> None:
    made = {"object": "refund", "id": "re_1", "status": "succeeded", "amount": 700, "currency": "eur"}
    made |= {"payment_intent": "pi_1", "metadata": {}}
    assert facts("refund.created", made) == [refund("re_1", "pi_1", "succeeded", 1000, 700, "EUR", ref="re_1")]
    made["metadata"] = {"refund_id": "ours"}
    assert facts("refund.created", made) == [refund("ours", "pi_1", "succeeded", 1000, 700, "EUR", ref="re_1")]


@pytest.mark.parametrize(
    ("kind", "status", "means"),
    [
        ("charge.dispute.created", "needs_response", "opened"),
        ("charge.dispute.funds_withdrawn", "needs_response", "withdrawn"),
        ("charge.dispute.closed", "lost", "lost"),
        ("charge.dispute.closed", "won", "won"),
        ("charge.dispute.closed", "warning_closed", "closed"),
        ("charge.dispute.funds_reinstated", "won", "reinstated"),
    ],
)
def test_the_money_of_a_dispute_moves_with_its_funds(kind: str, status: str, means: str) -> None:
    made = {
        "object": "dispute",
        "id": "du_1",
        "status": status,
        "amount": 5000,
        "currency": "eur",
        "payment_intent": "pi_1",
    }
    assert facts(kind, made) == [chargeback("du_1", "pi_1", means, 1000, 5000, "EUR")]


@pytest.mark.parametrize(
    ("raw", "means"), [(b"id=tr_abc123", "tr_abc123"), (b"id=ord_abc", None), (b"id=tr_a%0a", None)]
)
def test_mollie_s_form_names_a_payment(raw: bytes, means: str | None) -> None:
    assert excerpts.of_mollie_form(raw) == means


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"ident=tr_1", b"&" * 100 + b"id=tr_abc123" + b"&a=1" * 100])
def test_what_is_no_form_is_malformed(raw: bytes) -> None:
    with pytest.raises(excerpts.Malformed):
        excerpts.of_mollie_form(raw)


def test_mollie_s_events_name_the_payment_behind_a_refund() -> None:
    refunded = {"resource": "event", "id": "event_1", "type": "refund.refunded", "entityId": "re_1"}
    assert excerpts.of_mollie_event(refunded) is None
    embedded = refunded | {"_embedded": {"entity": {"paymentId": "tr_abc123"}}}
    assert excerpts.of_mollie_event(embedded) == "tr_abc123"
    assert excerpts.of_mollie_event({"resource": "event", "entityId": "tr_abc123"}) == "tr_abc123"
