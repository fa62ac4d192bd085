"""Money is conserved: orders, payments, refunds, disputes and everything that breaks, against paper and pencil.

Hypothesis plays random stories with the deployed system: shoppers and a till over HTTP, the real stand-ins of Stripe
and Mollie over their wire protocols, a virtual clock. Providers do what they are asked and lose the answer, answer 409,
429 or 500, forget their idempotency keys; webhooks and bus events are lost, doubled, late and shuffled; everybody sends
a request twice. At the end the faults stop, time passes, and the ledger must be what the providers' books and the
drawer say, every order must keep exactly what it owes, and nobody was charged or refunded twice (`money_spec`,
`money_audit`).

`MANDJE_EXAMPLES=300 pytest tests/journey/test_money_machine.py` (or `--explore all`) plays longer. What fails prints
its story; as a function of a machine it becomes one of `money_stories`, which are told in every run.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.journey import money_audit as audit
from tests.journey.money_outside import ONLINE
from tests.journey.money_shop import PRICES, Shop
from tests.journey.money_spec import Order, Tender

T = TypeVar("T")
Way = tuple[str, str, bool]
WAYS = (
    ("stripe", "online", False), ("stripe", "online", True), ("stripe", "link", True),
    ("mollie", "online", True), ("mollie", "link", True), ("mollie", "qr", True),
    ("cash", "cash", False),
)  # fmt: skip
"""Provider, method, and whether the shopper is sent to a page."""
CARDS = ("", "ideal", "pm_card_pendingRefund", "pm_card_refundFail")
BREAKS = (
    ("after", 0), ("after", 409), ("after", 408), ("after", 500),
    ("before", 0), ("before", 409), ("before", 429), ("before", 500),
)  # fmt: skip
CALLS = ("POST", "refunds", "captur", "")
EVENTS = (
    "payment.captured", "payment.authorized", "payment.refunded", "payment.refund_failed", "payment.failed",
    "payment.chargeback_opened", "payment.chargeback_closed",
    "order.paid", "order.cancelled", "order.expired", "order.refund_due", "order.placed", "stock.moved",
)  # fmt: skip
WEBHOOKS: dict[str, dict[str, Any]] = {
    "lost": {}, "gone": {"drop": 1}, "twice": {"copies": 2}, "late": {"delay_s": 300}, "lifo": {"order": "lifo"},
}  # fmt: skip
"""A lost one is posted again; one that is gone never is."""
PAUSES = ((130, None), (970, 240), (3800, 950), (90_000, 15_000))
"""A couple of minutes, past the time to pay, past what Mollie remembers of a key, more than a day."""


class Money(RuleBasedStateMachine):
    """The machine. One shop an example."""

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop()
        self.outside, self.paper = self.shop.outside, self.shop.paper

    WHICH, YES = st.integers(0, 9), st.booleans()
    PART = st.sampled_from((1.0, 1.0, 0.5, 0.25))

    def orders(self) -> list[Order]:
        """Newest first: that is where a story mostly goes on."""
        return list(self.paper.orders.values())[::-1]

    def tenders(self, *, online: bool = False) -> list[Tender]:
        found = [each for each in self.paper.tenders.values() if not (online and each.provider == "cash")]
        return found[::-1]

    def online(self) -> list[Tender]:
        return self.tenders(online=True)

    def soon(self, quickly: bool) -> None:
        if quickly:
            self.shop.world.settle()

    # ------------------------------------------------------------------------------------------- buying and paying

    SKU, WAY, HELD = st.sampled_from(sorted(PRICES)), st.sampled_from(WAYS), st.sampled_from((False, False, True))

    @initialize(sku=SKU, quantity=st.integers(1, 2), till=YES, way=WAY, held=HELD, part=PART, pays=YES)
    def begin(self, sku: str, quantity: int, till: bool, way: Way, held: bool, part: float, pays: bool) -> None:
        """The first of them."""
        self.buy(sku, quantity, till, way, held, part, pays)

    @precondition(lambda self: len(self.paper.orders) < 3)
    @rule(sku=SKU, quantity=st.integers(1, 2), till=YES, way=WAY, held=HELD, part=PART, pays=YES)
    def buy(self, sku: str, quantity: int, till: bool, way: Way, held: bool, part: float, pays: bool) -> None:
        """Somebody orders, begins to pay, and mostly does."""
        self.place(sku, quantity, till)
        self.start(0, way, held, part, pays)

    def place(self, sku: str, quantity: int, till: bool) -> None:
        self.shop.place(sku, 1 if sku == "LAST" else quantity, till)
        self.soon(True)

    @precondition(lambda self: self.paper.orders)
    @rule(which=WHICH, way=WAY, held=HELD, part=PART, pays=YES)
    def start(self, which: int, way: Way, held: bool, part: float, pays: bool) -> None:
        """Another payment of an order, or another attempt."""
        provider, method, page = way
        order = pick(self.orders(), which)
        before = set(self.paper.tenders)
        amount = None if part == 1 else int(order.total * part)
        self.shop.start(order, provider, method, page, held and method == "online", amount)
        for payment_id in set(self.paper.tenders) - before:
            if pays and provider != "cash":
                self.shop.pay(self.paper.tenders[payment_id])
        self.soon(pays)

    @precondition(lambda self: self.online())
    @rule(which=WHICH, card=st.sampled_from(CARDS), quickly=YES)
    def pay(self, which: int, card: str, quickly: bool) -> None:
        """A shopper who still has the page pays there, however late that is."""
        tender = pick(self.online(), which)
        card = "" if tender.manual or tender.provider != "stripe" else card
        if self.shop.pay(tender, card) and card == "pm_card_refundFail":
            tender.stirred = tender.stuck = True
        self.soon(quickly)

    @precondition(lambda self: self.online())
    @rule(which=WHICH, how=st.sampled_from(("fail", "cancel", "expire", "pending")))
    def do_not_pay(self, which: int, how: str) -> None:
        tender = pick(self.online(), which)
        self.outside.does(tender.provider, how, id=self.shop.ref(tender))
        self.soon(True)

    @precondition(lambda self: any(each.manual for each in self.online()))
    @rule(which=WHICH, part=PART, quickly=YES)
    def capture(self, which: int, part: float, quickly: bool) -> None:
        tender = pick([each for each in self.online() if each.manual], which)
        self.shop.capture(tender, None if part == 1 else int(tender.amount * part))
        self.soon(quickly)

    # ------------------------------------------------------------------------------------------- and back again

    @precondition(lambda self: self.paper.tenders)
    @rule(which=WHICH, part=st.sampled_from((0.25, 0.5, 1.0, 1.0, 1.5)), quickly=YES)
    def refund(self, which: int, part: float, quickly: bool) -> None:
        tender = pick(self.tenders(), which)
        self.shop.refund(tender, int(tender.amount * part))
        self.soon(quickly)

    @precondition(lambda self: self.online())
    @rule(which=WHICH, part=st.sampled_from((0.5, 1.0)))
    def refund_in_the_dashboard(self, which: int, part: float) -> None:
        tender = pick(self.online(), which)
        for ref in self.shop.refs(tender)[:1]:
            if self.outside.dashboard_refund(tender.provider, ref, int(tender.amount * part)):
                tender.stirred = True
                tender.by_dashboard += int(tender.amount * part)
        self.soon(True)

    @precondition(lambda self: self.online())
    @rule(which=WHICH, refund=WHICH)
    def the_bank_sends_a_refund_back(self, which: int, refund: int) -> None:
        tender = pick(self.online(), which)
        live = [each.ref for each in self.shop.figures()[tender.payment_id].refunds if each.live]
        if live and self.outside.does(tender.provider, "refunds/fail", id=pick(live, refund)):
            tender.stirred = True
        self.soon(True)

    @precondition(lambda self: self.paper.orders)
    @rule(which=WHICH, by_staff=YES, quickly=YES)
    def cancel(self, which: int, by_staff: bool, quickly: bool) -> None:
        self.shop.cancel(pick(self.orders(), which), by_staff)
        self.soon(quickly)

    @precondition(lambda self: self.paper.orders)
    @rule(which=WHICH)
    def hand_over(self, which: int) -> None:
        self.shop.world.settle()
        self.shop.fulfil(pick(self.orders(), which))

    @precondition(lambda self: self.online())
    @rule(which=WHICH)
    def dispute(self, which: int) -> None:
        tender = pick(self.online(), which)
        for ref in self.shop.refs(tender)[:1]:
            if self.outside.does(tender.provider, "disputes/open", id=ref):
                tender.stirred = tender.stuck = True
        self.soon(True)

    @precondition(lambda self: any(self.outside.disputes(name) for name in ONLINE))
    @rule(which=WHICH, won=YES)
    def decide_a_dispute(self, which: int, won: bool) -> None:
        open_ = [(name, each) for name in ONLINE for each in self.outside.disputes(name)]
        provider, dispute = pick(open_, which)
        self.outside.does(provider, "disputes/close", id=dispute, won=won)
        self.soon(True)

    @precondition(lambda self: any(each.provider == "cash" for each in self.tenders()))
    @rule(which=WHICH)
    def pay_out_cash(self, which: int) -> None:
        if waiting := self.shop.cash_to_pay_out():
            self.shop.pay_out(*pick(waiting, which))

    # ------------------------------------------------------------------------------------------- time and repeats

    def settle(self) -> None:
        self.shop.world.settle()

    @rule(pause=st.sampled_from((PAUSES[0], *PAUSES)))
    def time_passes(self, pause: tuple[float, float | None]) -> None:
        self.shop.world.advance(*pause)

    @rule(which=st.integers(0, 99))
    def ask_again(self, which: int) -> None:
        """Somebody sends an earlier request once more, under the same key."""
        self.shop.send(pick(self.shop.sent[::-1], which))

    # ------------------------------------------------------------------------------------------- what breaks

    @rule(
        what=st.sampled_from(("call", "call", "webhook", "event", "order of events")),
        provider=st.sampled_from(ONLINE), how=st.sampled_from(BREAKS), match=st.sampled_from(CALLS),
        webhook=st.sampled_from(tuple(WEBHOOKS)), event=st.sampled_from(EVENTS),
    )  # fmt: skip
    def something_breaks(
        self, what: str, provider: str, how: tuple[str, int], match: str, webhook: str, event: str
    ) -> None:
        match what:
            case "call":
                self.the_next_call_breaks(provider, how, match)
            case "webhook":
                self.the_next_webhook(provider, webhook)
            case "event":
                self.the_next_event_is_lost(event)
            case _:
                self.shop.world.deliver(copies=1, shuffled=True, delay=20)

    def the_next_call_breaks(self, provider: str, how: tuple[str, int], match: str, answer: Any = None) -> None:
        self.outside.breaks(provider, *how, match, answer)

    def the_next_webhook(self, provider: str, how: str) -> None:
        if how == "lost":
            self.outside.lost_posts[provider] = 1
        else:
            self.outside.webhooks(provider, **WEBHOOKS[how])

    def the_next_event_is_lost(self, event: str) -> None:
        self.outside.lost_events.add(event)

    # ------------------------------------------------------------------------------------------- what must hold

    @invariant()
    def nobody_is_refunded_twice(self) -> None:
        wrong = self.shop.look()
        assert not wrong, wrong

    def teardown(self) -> None:
        audit.calm_down(self.shop)
        audit.check(self.shop)


def pick(among: Sequence[T], which: int) -> T:
    return among[which % len(among)]


def play(examples: int, steps: int = 20) -> None:
    """Play random stories, the same ones each time."""
    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None, derandomize=True,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=True,
        ),
    )  # fmt: skip


def test_money_is_conserved(request: pytest.FixtureRequest) -> None:
    short = 10 if request.config.getoption("--explore") == "part" else 400
    play(examples=int(os.environ.get("MANDJE_EXAMPLES", short)))
