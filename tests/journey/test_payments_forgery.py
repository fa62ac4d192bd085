"""Forged webhooks cost nothing: no write, no request to a provider, no look-up, no memory."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.journey.payments_shop import PAGE, Till, open_till
from tests.world import World

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def addresses(till: Till) -> list[str]:
    """The webhook addresses that Mollie was given so far."""
    known = till.world.providers["mollie"].standin.account.objects
    made = [*known["payment"].values(), *known["payment-link"].values()]
    return [urlsplit(each["webhookUrl"]).path for each in made]


def post(till: Till, path: str, body: str, **headers: str) -> Any:
    return till.world.call("POST", path, body=body, headers=FORM | headers)


def cost(till: Till) -> list[str]:
    """What the webhook door and the worker did outside."""
    return [call.name for call in till.world.calls if call.function in ("PaymentsWebhook", "PaymentsWorker")]


def test_forty_forgeries_cost_no_write_and_no_request(till: Till) -> None:
    # GIVEN a real payment, whose provider id somebody knows
    payment_id = till.start(provider="mollie", return_url=PAGE).json["payment_id"]
    reference = till.payment(payment_id)["provider_ref"]
    (real,) = addresses(till)
    base, token = real.rsplit("/", 1)
    kid, content, mac = token.split(".")
    forged = [
        base,
        f"{base}/{payment_id}",
        f"{base}/payments",
        f"{base}/{kid}.{content}.",
        f"{base}/{kid}.{content}.{mac[:-1]}",
        f"{base}/{kid}.{mac}.{content}",
        f"{base}/none.{content}.{mac}",
        f"{base}/{'a' * 400}",
        f"{base}/%00",
        f"{base}/é",
    ]
    before = till.world.items("PaymentsTable")
    # WHEN he posts it to every address he can think of
    for path in forged * 2:
        for body in (f"id={reference}", "id=tr_doesnotexist"):
            answer = post(till, path, body)
            assert (answer.status, answer.json["type"]) == (401, "/problems/bad-signature"), path
    till.world.settle()
    # THEN nothing happened, and the real address works
    assert {name for name in cost(till) if "ssm" not in name} == set()
    assert len([name for name in cost(till) if "ssm" in name]) == 0, "the key is known here already"
    assert till.world.items("PaymentsTable") == before
    assert post(till, real, f"id={reference}").status == 200


def test_a_thousand_unknown_accounts_cost_no_look_up_and_no_memory(till: Till) -> None:
    from commerce import secrets

    known = set(secrets._cache)
    for number in range(500):
        assert post(till, f"/webhooks/mollie/none-{number}", "id=tr_12345678").status == 401
        assert post(till, f"/webhooks/stripe/none-{number}", "{}", **{"Stripe-Signature": "t=1,v1=00"}).status == 401
    assert not cost(till)
    assert set(secrets._cache) == known


def test_an_address_is_good_for_its_account_only(till: Till) -> None:
    from payments import addresses as made

    with till.world.runtime.function_environment(till.world.template.functions["PaymentsApi"]):
        token = made.of("", "other", "0190a1b2-0000-7000-8000-0000000000c1").rsplit("/", 1)[1]
        assert made.payment_of("other", token)
        assert made.payment_of("default", token) is None
        cursor = tokens_of("cursor")
        assert made.payment_of("default", cursor) is None, "nor is any other text we signed"


def tokens_of(purpose: str) -> str:
    from commerce import tokens

    return tokens.sign(purpose, {"payment_id": "p"})


def test_a_form_is_not_taken_for_a_signed_event(till: Till) -> None:
    """With a signature header the signature decides, whatever the address says."""
    till.start(provider="mollie", return_url=PAGE)
    (real,) = addresses(till)
    assert post(till, real, "id=tr_12345678", **{"X-Mollie-Signature": "sha256=00"}).status == 401
    event = json.dumps({"resource": "event", "id": "event_1", "type": "payment.paid", "entityId": "tr_12345678"})
    assert post(till, real, event).status == 401, "an unsigned event is none, wherever it is posted"


@pytest.mark.parametrize("method", ["online", "qr", "link"])
def test_every_way_to_pay_at_mollie_reports_to_an_address_of_ours(till: Till, method: str) -> None:
    payment_id = till.paid("mollie", method=method)
    assert till.payment(payment_id)["status"] == "captured"
    assert all(path.startswith("/webhooks/mollie/default/k1.") for path in addresses(till))


def test_the_key_of_addresses_can_be_rotated(till: Till) -> None:
    payment_id = till.start(provider="mollie", return_url=PAGE).json["payment_id"]
    both = {"k1": "5b" * 32, "k2": "6c" * 32}
    till.world.aws.secret("/mandje/tokens", {"current": "k2", "keys": both})
    till.world.clock.tick(301)
    till.world.providers["mollie"].door("pay", id=till.payment(payment_id)["provider_ref"])
    till.world.settle()
    assert till.payment(payment_id)["status"] == "captured", "an address made with the former key"
    till.world.aws.secret("/mandje/tokens", {"current": "k2", "keys": {"k2": both["k2"]}})
    till.world.clock.tick(301)
    assert post(till, addresses(till)[0], "id=tr_12345678").status == 401
