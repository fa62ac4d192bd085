"""Webhook signatures: a published vector, and everything that must not pass."""

import hashlib
import hmac
import json

import pytest

from payments import signatures

NOW = 1533204620
# The vector of arlyon/async-stripe's webhook test; Stripe itself publishes none.
VECTOR = json.dumps(
    {
        "id": "evt_123", "object": "event", "account": "acct_123", "api_version": "2017-05-25", "created": NOW,
        "livemode": False, "pending_webhooks": 1,
        "request": {"id": "req_123", "idempotency_key": "idempotency-key-123"},
        "data": {"object": {
            "id": "ii_123", "object": "invoiceitem", "amount": 1000, "currency": "usd", "customer": "cus_123",
            "date": NOW, "description": "Test Invoice Item", "discountable": False, "invoice": "in_123",
            "livemode": False, "metadata": {}, "period": {"start": NOW, "end": NOW}, "proration": False, "quantity": 3,
        }},
        "type": "invoiceitem.created",
    },
    separators=(",", ":"), sort_keys=True,
).encode()  # fmt: skip
V1 = "5a81ebe328da1df19581cbc6c7377920947ffd30b56eebcc7ba9a6938a090965"
V0 = "63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef"
HEADER = f"t={NOW},v1={V1},v0={V0}"


def v1(body: bytes, secret: str, at: int = NOW) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def sha(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_the_published_vector_passes() -> None:
    assert signatures.stripe(VECTOR, [HEADER], ["secret"], NOW)


@pytest.mark.parametrize("late", [-300, 0, 300])
def test_five_minutes_either_way_are_fine(late: int) -> None:
    assert signatures.stripe(VECTOR, [HEADER], ["old", "secret"], NOW + late)


@pytest.mark.parametrize("late", [-301, 301, 86400])
def test_further_away_is_a_replay_or_a_forgery(late: int) -> None:
    assert not signatures.stripe(VECTOR, [HEADER], ["secret"], NOW + late)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["garbage"],
        [f"t={NOW}"],
        [f"v1={V1}"],
        [f"t={NOW},v0={V1}"],
        [f"t=,v1={V1}"],
        [f"t={NOW}.0,v1={V1}"],
        [f"t=-{NOW},v1={V1}"],
        [f"t={'9' * 400},v1={V1}"],
        [f"t={NOW},v1={V1[:-1]}"],
        [f"t={NOW},v1=é{V1}"],
        [f"t={NOW},v1=\ud800"],
        [f"v1={V1},t={NOW}"],
    ],
)
def test_what_is_no_signature_does_not_pass(headers: list[str]) -> None:
    assert not signatures.stripe(VECTOR, headers, ["secret"], NOW)


def test_one_changed_byte_does_not_pass() -> None:
    assert not signatures.stripe(VECTOR + b" ", [HEADER], ["secret"], NOW)


def test_no_or_an_empty_secret_verifies_nothing() -> None:
    forged = f"t={NOW},v1={v1(VECTOR, '')}"
    assert not signatures.stripe(VECTOR, [forged], [], NOW)
    assert not signatures.stripe(VECTOR, [forged], [""], NOW)


def test_while_a_secret_rotates_any_pair_will_do() -> None:
    header = f"t={NOW},v1={v1(VECTOR, 'new')},v1={v1(VECTOR, 'old')}"
    assert signatures.stripe(VECTOR, [header], ["old"], NOW)
    assert signatures.stripe(VECTOR, [header], ["new"], NOW)
    assert not signatures.stripe(VECTOR, [header], ["older"], NOW)


def test_a_repeated_header_may_arrive_joined() -> None:
    stale = f"t={NOW - 999},v1={v1(VECTOR, 'secret', NOW - 999)}"
    assert signatures.stripe(VECTOR, [f"{stale},{HEADER}"], ["secret"], NOW)
    assert signatures.stripe(VECTOR, [stale, HEADER], ["secret"], NOW)


def test_a_fresh_time_does_not_lend_itself_to_a_stale_signature() -> None:
    stale = v1(VECTOR, "secret", NOW - 999)
    assert not signatures.stripe(VECTOR, [f"t={NOW - 999},v1={stale},t={NOW}"], ["secret"], NOW)


def test_mollie_signs_the_body_alone() -> None:
    body = b'{"resource":"event"}'
    assert signatures.mollie(body, [sha(body, "one")], ["one"])
    assert signatures.mollie(body, [f"{sha(body, 'old')}, {sha(body, 'one')}"], ["one"])
    assert signatures.mollie(body, [sha(body, "old"), sha(body, "one")], ["zero", "one"])
    assert not signatures.mollie(body + b" ", [sha(body, "one")], ["one"])
    assert not signatures.mollie(body, [sha(body, "one").removeprefix("sha256=")], ["one"])
    assert not signatures.mollie(body, [sha(body, "")], [""])
    assert not signatures.mollie(body, [], ["one"])
