"""What is kept of a webhook: enough to work with, nothing about who paid."""

import json
from typing import Any

import pytest

from payments import excerpts, mollie, stripe
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
    return stripe.of_event({"type": kind, "created": 1000, "object": kept})[0]


def test_nothing_personal_and_no_secret_is_kept() -> None:
    kept = excerpts.of_stripe(event("payment_intent.succeeded", intent())).kept
    text = json.dumps(kept)
    assert kept["metadata"] == {"payment_id": "p-1"}
    assert not [canary for canary in ("anna", "Anna", "secret") if canary in text]


def test_an_excerpt_is_small_enough_for_one_write_unit() -> None:
    huge = intent(status="x" * 128, metadata={"payment_id": "p" * 10_000}, amount_received="9" * 500, id="pi" * 64)
    assert len(json.dumps(excerpts.of_stripe(event("payment_intent.succeeded", huge)).kept)) < 500


@pytest.mark.parametrize(
    ("thing", "about"),
    [
        ({"id": "ch_1", "object": "charge", "payment_intent": "pi_1"}, ("charge", "pi_1", None)),
        (
            {"id": "ch_1", "payment_intent": {"id": "pi_1", "receipt_email": "anna@example.com"}},
            ("charge", "pi_1", None),
        ),
        ({"id": "du_1", "payment_intent": None, "charge": "ch_1"}, ("dispute", None, "ch_1")),
        ({"id": "re_1", "status": None, "payment_intent": None, "charge": {"id": "ch_1"}}, ("refund", None, "ch_1")),
        ({"id": "pyr_1", "payment_intent": "pi_1"}, ("refund", "pi_1", None)),
        ({"id": "issfr_1", "object": "radar.early_fraud_warning", "payment_intent": "pi_1"}, ("other", "pi_1", None)),
        ({"id": "cus_1", "object": "customer", "name": "Anna", "email": "anna@example.com"}, ("other", None, None)),
        ({"id": "pi_1 #", "payment_intent": "x" * 200, "charge": 7}, ("other", None, None)),
    ],
)
def test_what_an_event_is_about_follows_from_the_ids_in_it(thing: dict[str, Any], about: tuple[Any, ...]) -> None:
    kept = excerpts.of_stripe(event("a.type.of.next_year", thing)).kept
    assert (kept["object"], kept.get("payment_intent"), kept.get("charge")) == about
    assert "anna" not in json.dumps(kept).lower()


def test_a_thin_event_names_its_object() -> None:
    thin = {"object": "v2.core.event", "id": "evt_1", "type": "v1.x", "livemode": False}
    thin |= {"created": "2026-11-21T10:00:00Z", "related_object": {"id": "pi_1", "type": "payment_intent"}}
    read = excerpts.of_stripe(thin)
    assert (read.kept, read.created) == ({"object": "payment_intent", "id": "pi_1"}, 0)


@pytest.mark.parametrize(
    "broken",
    [
        None, [], "text", 1, {},
        event("payment_intent.succeeded", intent(), id=None),
        event("payment_intent.succeeded", intent(), id="evt 1#x"),
        event("payment_intent.succeeded", intent(), id="e" * 300),
        event("payment_intent.succeeded", intent(), livemode="false"),
        event("payment_intent.succeeded", intent(), type=["payment_intent.succeeded"]),
    ],
)  # fmt: skip
def test_what_is_no_event_is_malformed(broken: Any) -> None:
    with pytest.raises(excerpts.Malformed):
        excerpts.of_stripe(broken)


@pytest.mark.parametrize(
    "odd",
    [
        event("payment_intent.succeeded", intent(), created="yesterday"),
        event("payment_intent.succeeded", intent(), created=True),
        event("payment_intent.succeeded", intent(), data=None),
        event("payment_intent.succeeded", intent(), data={"object": []}),
        event("payment_intent.succeeded", intent(status=None)),
        event("payment_intent.succeeded", intent(status="x" * 129)),
        event("payment_intent.succeeded", intent(amount=10.5)),
        event("payment_intent.succeeded", intent(currency=None, metadata=None)),
        event("refund.updated", {"id": "re_1", "status": None, "amount": 5, "currency": "eur", "payment_intent": "pi"}),
        event(
            "charge.dispute.created", {"id": "du_1", "status": "lost", "amount": 5, "currency": "eur", "charge": "c"}
        ),
    ],
)
def test_a_signed_event_is_kept_whatever_its_object_leaves_out(odd: dict[str, Any]) -> None:
    read = excerpts.of_stripe(odd)
    _, complete = stripe.of_event({"type": read.type, "created": 1, "object": read.kept})
    assert complete == (odd["created"] != 1000), "what is left out has to be asked for"


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


def test_a_hold_says_how_much_is_held_and_for_a_week_unless_its_charge_says_until_when() -> None:
    held = intent(status="requires_capture", amount_received=0, amount_capturable=5000)
    said = facts("payment_intent.amount_capturable_updated", held)
    assert said == [attempt("pi_1", "authorized", 1000, "EUR", 5000, 1000 + 7 * 86400)]
    charge = {"payment_method_details": {"type": "card", "card": {"capture_before": 9000}}}
    asked_for = stripe.of_intent(held | {"latest_charge": charge}, 1000)
    assert asked_for == [attempt("pi_1", "authorized", 1000, "EUR", 5000, 9000)]


def test_a_debit_says_how_much_is_on_its_way_and_until_when_the_bank_has_answered() -> None:
    said = facts("payment_intent.processing", intent(status="processing", amount_received=0))
    assert said == [attempt("pi_1", "pending", 1000, "EUR", 5000, 1000 + 14 * 86400)]


@pytest.mark.parametrize("mode", [{}, {"captureMode": "automatic"}, {"captureMode": "manual"}])
def test_mollie_holds_an_amount_in_every_capture_mode(mode: dict[str, str]) -> None:
    made = {"id": "tr_1", "status": "authorized", "amount": {"currency": "EUR", "value": "50.00"}} | mode
    made |= {"createdAt": "2999-01-01T00:00:00+00:00", "captureBefore": "2999-01-29T00:00:00+00:00"}
    (held,) = mollie.of_payment(made)
    assert (held.kind, held.status, held.amount, held.more["until"] - held.at) == (
        "attempt", "authorized", 5000, 28 * 86400,
    )  # fmt: skip


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
    ("raw", "means"),
    [
        (b"id=tr_abc123", "tr_abc123"),
        (b"id=re_abc123", "re_abc123"),
        (b"id=pl_abc123", "pl_abc123"),
        (b"id=ord_abc", None),
        (b"id=tr_a%0a", None),
    ],
)
def test_mollie_s_form_names_an_object(raw: bytes, means: str | None) -> None:
    assert excerpts.of_mollie_form(raw).reference == means


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"ident=tr_1", b"&" * 100 + b"id=tr_abc123" + b"&a=1" * 100])
def test_what_is_no_form_is_malformed(raw: bytes) -> None:
    with pytest.raises(excerpts.Malformed):
        excerpts.of_mollie_form(raw)


_REFUND = {"resource": "event", "id": "event_1", "type": "refund.refunded", "entityId": "re_abc123"}


@pytest.mark.parametrize(
    ("changes", "reference"),
    [
        ({}, "re_abc123"),
        ({"_embedded": {"entity": {"id": "re_abc123", "paymentId": "tr_abc123"}}}, "tr_abc123"),
        (
            {"_links": {"entity": {"href": "https://api.mollie.com/v2/payments/tr_abc123/refunds/re_abc123"}}},
            "tr_abc123",
        ),
        ({"_embedded": {"entity": {"_links": {"payment": {"href": "x/v2/payments/tr_abc123"}}}}}, "tr_abc123"),
        ({"entityId": "tr_abc123"}, "tr_abc123"),
        ({"entityId": "pl_abc123", "_links": {"entity": {"href": "x/v2/payment-links/pl_abc123"}}}, "pl_abc123"),
        ({"entityId": None, "_embedded": {"entity": {"id": "chb_abc123"}}}, "chb_abc123"),
        ({"entityId": "po_abc123", "type": "payout.paid"}, None),
        ({"entityId": 7, "_embedded": [], "_links": {"entity": "x"}, "id": None, "type": None}, None),
    ],
)
def test_mollie_s_events_name_the_payment_behind_what_they_are_about(
    changes: dict[str, Any], reference: str | None
) -> None:
    assert excerpts.of_mollie_event(_REFUND | changes).reference == reference
