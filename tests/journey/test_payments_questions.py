"""A question to a provider that gets a strange answer, or that cannot be asked: nothing fails for it, and it is asked
again."""

from __future__ import annotations

from typing import Any

import pytest

from commerce import secrets
from tests.journey.payments_shop import PAGE, Till, open_till
from tests.journey.test_payments_superseded import CASH, at_provider
from tests.journey.test_secrets import throttled, unreachable
from tests.world import World
from tests.world.doctor_hook import slips

STRANGE: list[dict[str, Any]] = [{}, {"object": "list"}, {"id": 5}, {"status": None}, {"metadata": None, "data": 5}]


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def strange(till: Till, provider: str, match: str, answer: dict[str, Any]) -> None:
    till.world.providers[provider].door("faults", when="before", status=200, match=match, answer=answer)


@pytest.mark.parametrize("answer", STRANGE)
def test_cash_is_taken_although_the_open_page_cannot_be_read(till: Till, answer: dict[str, Any]) -> None:
    page = till.start(return_url=PAGE).json["payment_id"]
    strange(till, "stripe", "GET /v1/checkout/sessions", answer)
    assert till.start(till.staff, **CASH).status == 201
    till.world.advance(120, tick=60)
    assert at_provider(till, page) == "expired"
    assert slips(till.world) == []


@pytest.mark.parametrize("down", [throttled, unreachable])
def test_cash_is_taken_although_the_key_to_close_the_page_cannot_be_read(till: Till, down: Any) -> None:
    page = till.start(return_url=PAGE).json["payment_id"]

    def only_accounts(call: Any, perform: Any) -> Any:
        return down(call, perform) if "tokens" not in call.target else perform()

    secrets.forget()
    till.world.outside.director = only_accounts
    assert till.start(till.staff, **CASH).status == 201
    till.world.outside.director = None
    till.world.advance(120, tick=60)
    assert at_provider(till, page) == "expired"


@pytest.mark.parametrize("answer", STRANGE)
def test_a_repeat_without_the_client_secret_is_told_to_come_again(till: Till, answer: dict[str, Any]) -> None:
    first = till.start(key="k")
    strange(till, "stripe", "GET /v1/payment_intents", answer)
    assert till.start(key="k").json["type"] == "/problems/provider-unavailable"
    assert till.start(key="k").json == first.json


@pytest.mark.parametrize("answer", STRANGE)
@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_a_start_that_is_looked_for_in_a_strange_list_is_not_concluded(
    till: Till, provider: str, answer: dict[str, Any]
) -> None:
    # GIVEN a start without an answer, whose key the provider has forgotten
    till.world.pump.paused.add("PaymentsSweepClock")
    till.world.providers[provider].door("faults", when="after", status=0, match="POST /v")
    asked = {"provider": provider, "return_url": PAGE}
    assert till.start(key="k", **asked).status == 503
    till.world.advance(25 * 3600)
    strange(till, provider, "GET /v", answer)
    assert till.start(key="k", **asked).json["type"] == "/problems/provider-unavailable"
    # THEN it is found when the list can be read
    assert till.start(key="k", **asked).status == 201
    assert slips(till.world) == []


@pytest.mark.parametrize("answer", STRANGE)
@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_strange_answers_to_webhooks_and_the_clock_lose_nothing(
    till: Till, provider: str, answer: dict[str, Any]
) -> None:
    payment_id = till.start(provider=provider, return_url=PAGE).json["payment_id"]
    till.world.providers[provider].door("pay", id=till.payment(payment_id)["provider_ref"])
    for _ in range(3):
        strange(till, provider, "GET /v", answer)
    till.world.settle()
    till.world.advance(700, tick=60)
    assert till.payment(payment_id)["captured"] == 5000
    assert slips(till.world) == []
