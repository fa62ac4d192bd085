"""No webhook is needed to learn of anything: whatever is lost, the clock's look at the provider's lists finds it."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.providers.mollie_account import Account as MollieAccount
from payments import missed, mollie
from tests.journey.payments_shop import PAGE, Till, open_till
from tests.journey.test_payments_outcomes import books_agree, by_hand, objects
from tests.world import World

PROVIDERS = ("stripe", "mollie")
ENDS = (300, 1000)
"""What has gone back in the end: the refund that did not fail, and the other one where it could be tried again."""
HOUR = 3600


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def seen(till: Till) -> None:
    """The lists have been read once, and what is there was found."""
    till.world.advance(700, tick=350)


def dispute(till: Till, provider: str, payment_id: str, amount: int = 1000) -> str:
    reference = till.payment(payment_id)["provider_ref"]
    made = till.world.providers[provider].door("disputes/open", id=reference, amount=amount)
    return str(made["id"])


def whole_life(till: Till, provider: str) -> str:
    """Everything that happens to a payment without us: paid, refunded twice in the dashboard, one of them failing after
    it had arrived, disputed, and the dispute won.
    """
    bank = till.world.providers[provider]
    payment_id = till.start(provider=provider, return_url=PAGE).json["payment_id"]
    bank.door("pay", id=till.payment(payment_id)["provider_ref"])
    till.world.advance(HOUR, tick=900)
    reference = till.payment(payment_id)["provider_ref"]
    if provider == "stripe":
        (session,) = objects(till, provider, "checkout.session")
        reference = session["payment_intent"]
    by_hand(till, provider, reference, 700)
    by_hand(till, provider, reference, 300)
    till.world.advance(HOUR, tick=900)
    books_agree(till, provider, payment_id)
    failing = objects(till, provider, "refund")[0]["id"]
    bank.door("refunds/fail", id=failing)
    till.world.advance(HOUR, tick=900)
    books_agree(till, provider, payment_id)
    back = bank.door("disputes/open", id=reference, amount=1000)["id"]
    till.world.advance(HOUR, tick=900)
    books_agree(till, provider, payment_id)
    bank.door("disputes/close", id=back, won=True)
    till.world.advance(HOUR, tick=900)
    books_agree(till, provider, payment_id)
    return payment_id


@pytest.mark.parametrize("provider", PROVIDERS)
def test_with_no_webhook_at_all_the_books_are_equal(till: Till, provider: str) -> None:
    till.world.providers[provider].door("webhooks", drop=-1)
    payment_id = whole_life(till, provider)
    payment = till.payment(payment_id)
    assert (payment["captured"], payment.get("charged_back", 0)) == (5000, 0)
    assert payment["refunded"] in ENDS
    told = ["payment.captured", "payment.refunded", "payment.refund_failed"]
    assert list(dict.fromkeys(till.told())) == [*told, "payment.chargeback_opened", "payment.chargeback_closed"]
    assert not [item for item in till.inbox() if "due" in item]


LOST = [
    "payment_intent.succeeded", "payment_intent.created", "charge.succeeded", "charge.refunded", "refund.created",
    "refund.updated", "refund.failed", "charge.refund.updated", "charge.dispute.created", "charge.dispute.closed",
    "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated", "checkout.session.completed",
]  # fmt: skip


@pytest.mark.parametrize("lost", [*LOST, "charge.*", "refund.*", "charge.dispute.*"])
def test_whichever_event_of_stripe_is_lost_the_books_are_equal(till: Till, lost: str) -> None:
    account = till.world.providers["stripe"].standin.account
    post = account.post

    def lossy(event: dict[str, Any], endpoint: dict[str, Any]) -> None:
        if event["type"] != lost and not (lost.endswith("*") and event["type"].startswith(lost[:-1])):
            post(event, endpoint)

    account.post = lossy  # type: ignore[method-assign]
    payment_id = whole_life(till, "stripe")
    assert till.payment(payment_id)["refunded"] in ENDS


@pytest.mark.parametrize("lost", range(7))
def test_whichever_webhook_of_mollie_is_lost_the_books_are_equal(till: Till, lost: int) -> None:
    account: MollieAccount = till.world.providers["mollie"].standin.account
    notify, count = account.notify, iter(range(100))
    account.notify = lambda payment: None if next(count) == lost else notify(payment)  # type: ignore[method-assign]
    payment_id = whole_life(till, "mollie")
    assert till.payment(payment_id)["refunded"] in ENDS


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_was_delivered_is_not_worked_off_again(till: Till, provider: str) -> None:
    till.paid(provider)
    seen(till)
    before = len(till.inbox())
    hits = [item.get("hits") for item in till.inbox()]
    till.world.advance(6 * HOUR, tick=900)
    assert (len(till.inbox()), [item.get("hits") for item in till.inbox()]) == (before, hits)


def test_a_second_payment_through_a_link_is_found(till: Till) -> None:
    """Nothing is open about the first one any more, so nobody looks at it by itself."""
    link = till.paid("mollie", method="link")
    till.world.providers["mollie"].door("webhooks", drop=-1)
    till.world.providers["mollie"].door("pay", id=till.payment(link)["provider_ref"])
    seen(till)
    assert till.payment(link)["captured"] == 10000


@pytest.mark.parametrize("provider", PROVIDERS)
def test_more_than_a_run_reads_goes_on_in_the_next_and_says_so(
    till: Till, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = till.paid(provider)
    till.world.providers[provider].door("webhooks", drop=-1)
    reference = till.payment(payment_id)["provider_ref"]
    for amount in range(101, 112):
        by_hand(till, provider, reference, amount)
    monkeypatch.setattr(missed, "_PAGES", 1)
    shorten(provider, monkeypatch)
    till.world.advance(4 * HOUR, tick=601)
    said = [line.text for line in till.world.logs if "than one run reads" in line.text]
    assert said
    books_agree(till, provider, payment_id)
    assert till.payment(payment_id)["refunded"] == sum(range(101, 112))
    before = len(said)
    till.world.advance(HOUR, tick=601)
    again = len([line for line in till.world.logs if "than one run reads" in line.text])
    assert again == before or provider == "mollie", "what was read is not read again"


def shorten(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three."""
    if provider == "mollie":
        page = mollie.page

        def short(payment: Any, where: str, kind: str) -> Any:
            return page(payment, where.replace("limit=250", "limit=3"), kind)

        monkeypatch.setattr(mollie, "page", short)
        return
    from payments import stripe

    get = stripe._get
    monkeypatch.setattr(stripe, "_get", lambda account, path, query=None: get(account, path, _three(query)))


def _three(query: Any) -> Any:
    return query and {**query, "limit": 3}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_that_is_down_is_asked_again_and_nothing_is_skipped(till: Till, provider: str) -> None:
    payment_id = till.paid(provider)
    seen(till)
    till.world.providers[provider].door("webhooks", drop=-1)
    host = f"api.{provider}.com"
    standin = till.world.outsiders.pop(host)
    by_hand(till, provider, till.payment(payment_id)["provider_ref"], 700)
    till.world.advance(HOUR, tick=601)
    till.world.outsiders[host] = standin
    seen(till)
    books_agree(till, provider, payment_id)


def test_lists_of_mollie_are_followed_to_their_end_by_their_links(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start without an answer, behind more payments than fit a page."""
    till.world.providers["mollie"].door("faults", when="after", status=500, match="POST /v2/payments")
    till.world.pump.paused.add("PaymentsSweepClock")
    assert till.start(provider="mollie", return_url=PAGE, key="s").status == 503
    standin = till.world.providers["mollie"]
    body = b'{"description": "x", "redirectUrl": "https://x.test", "amount": {"currency": "EUR", "value": "9.00"}}'
    for _ in range(1100):
        standin.handle("POST", "/v2/payments", {"authorization": "Bearer test_world"}, body)
    till.world.pump.paused.clear()
    till.world.advance(130)
    (payment,) = [
        item for item in till.world.items("PaymentsTable") if item["pk"].startswith("P#") and item["sk"] == "-"
    ]
    assert payment["status"] == "open"
    asked = [call.target for call in till.world.calls if call.kind == "http" and call.target == "/v2/payments"]
    assert len(asked) > 4
