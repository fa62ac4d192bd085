"""What is spoken with Stripe: one version of its API, sent every time and expected back, and the order's currency."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.journey.payments_shop import PAGE, Till, open_till, stripe_header
from tests.world import World

VERSION = "2026-10-28.endive"


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def test_every_request_names_the_version(till: Till) -> None:
    seen: dict[str, str | None] = {}
    stripe = till.world.outsiders["api.stripe.com"]

    def noting(method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        seen[f"{method} {path.split('?')[0]}"] = {name.lower(): value for name, value in headers.items()}.get(
            "stripe-version"
        )
        return stripe(method, path, headers, body)

    till.world.outsiders["api.stripe.com"] = noting
    till.world.providers["stripe"].door("webhooks", drop=-1)
    till.start(amount={"amount": 1000, "currency": "EUR"}, return_url=PAGE)
    held = till.start(amount={"amount": 1000, "currency": "EUR"}, capture="manual").json["payment_id"]
    till.world.providers["stripe"].door("pay", id=till.payment(held)["provider_ref"])
    till.world.advance(1200, tick=600)
    assert till.capture(held, 1000).status == 201
    assert till.refund(held, 500).status == 201
    till.close()
    till.world.advance(7200, tick=600)
    assert len(seen) >= 8, seen
    assert set(seen.values()) == {VERSION}, seen


def test_a_page_does_not_offer_other_currencies(till: Till) -> None:
    for more in ({}, {"method": "link"}):
        till.start(return_url=PAGE, amount={"amount": 1000, "currency": "EUR"}, **more)
    made = till.world.providers["stripe"].standin.account.objects["checkout.session"].values()
    assert [each["adaptive_pricing"] for each in made] == [{"enabled": False}] * 2


@pytest.mark.parametrize(("version", "warned"), [(VERSION, False), ("2025-03-31.basil", True)])
def test_an_event_of_another_version_is_taken_and_told(till: Till, version: str, warned: bool) -> None:
    intent = {"object": "payment_intent", "id": "pi_x", "status": "succeeded", "amount": 1, "currency": "eur"}
    made = {"id": "evt_x", "object": "event", "api_version": version, "type": "payment_intent.succeeded"}
    body = json.dumps(made | {"created": 1, "livemode": False, "data": {"object": intent}}).encode()
    header = {"Stripe-Signature": stripe_header(body, till.world.clock.now)}
    assert till.world.call("POST", "/webhooks/stripe/default", body=body, headers=header).status == 200
    assert len(till.inbox()) == 1
    lines = [line.text for line in till.world.logs if "another version" in line.text]
    assert bool(lines) == warned
    assert all('"level":"WARNING"' in line and version in line for line in lines)
