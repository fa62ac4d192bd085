"""Stories of the money machine that are told in every run: short ones, each about one way to lose or double a cent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.journey.test_money_machine import PAUSES, WAYS, Money

Story = Callable[[Money], None]

CARD, PAGE, LINK, IDEAL, PAYLINK, QR, CASH = WAYS
MINUTES, QUARTER, HOUR, DAY = PAUSES


class Teller:
    """A machine that is told what to do next, and looks after each step as Hypothesis has it look."""

    def __init__(self) -> None:
        self.machine = Money()

    def __getattr__(self, name: str) -> Callable[..., None]:
        def step(*asked: Any, **named: Any) -> None:
            getattr(self.machine, name)(*asked, **named)
            self.machine.nobody_is_refunded_twice()

        return step


def tell(story: Story, ends: str = "") -> None:
    """Tell one story to its end; the order it is about must end as `ends` says."""
    teller = Teller()
    story(teller)  # type: ignore[arg-type]
    teller.machine.teardown()
    state = teller.machine.shop.order(teller.machine.orders()[-1])["state"]
    assert state == (ends or state), f"the order is {state}, not {ends}"


def bought(machine: Money, way: tuple[str, str, bool] = CARD, quantity: int = 1, manual: bool = False) -> None:
    """GIVEN: somebody ordered shirts of 20.00 and paid."""
    machine.place("TEE", quantity, till=False)
    machine.start(0, way, manual, 1.0, pays=True)


# ------------------------------------------------------------------------------------------------- refunds


def refund_done_but_answered_409(machine: Money) -> None:
    """The clerk asks again, with the same request and with a new one: twice 10.00 of 20.00 at the most."""
    bought(machine)
    machine.the_next_call_breaks("stripe", ("after", 409), "refunds")
    machine.refund(0, 0.5, quickly=False)
    machine.ask_again(0)
    machine.time_passes(QUARTER)


def refund_done_and_refused_in_words(machine: Money) -> None:
    """It answers with a refusal it documents, and has done it all the same: what its list says counts."""
    bought(machine)
    words = {"error": {"type": "invalid_request_error", "code": "charge_disputed", "message": "No."}}
    machine.the_next_call_breaks("stripe", ("after", 400), "refunds", words)
    machine.refund(0, 0.5, quickly=True)
    machine.ask_again(0)


def mollie_refund_done_but_answered_500(machine: Money) -> None:
    """And Mollie has forgotten the key when somebody looks again."""
    bought(machine, IDEAL)
    machine.the_next_webhook("mollie", "lost")
    machine.the_next_call_breaks("mollie", ("after", 500), "refunds")
    machine.refund(0, 0.5, quickly=False)
    machine.time_passes(HOUR)
    machine.ask_again(0)


def two_equal_refunds_at_mollie(machine: Money) -> None:
    """Mollie refuses the second within the hour (409): it goes later, once."""
    bought(machine, IDEAL)
    machine.refund(0, 0.5, quickly=True)
    machine.refund(0, 0.5, quickly=True)


def refund_fails_later(machine: Money) -> None:
    """The bank sends the refund of a cancelled order back: it is owed again."""
    bought(machine)
    machine.cancel(0, by_staff=False, quickly=True)
    machine.the_bank_sends_a_refund_back(0, 0)


def persons_refund_fails_later(machine: Money) -> None:
    bought(machine)
    machine.refund(0, 0.5, quickly=True)
    machine.the_bank_sends_a_refund_back(0, 0)


def persons_refund_fails_after_the_order_was_paid_again(machine: Money) -> None:
    """10.00 of 20.00 went back and came again in cash; then the bank sends the 10.00 back: they are owed once."""
    bought(machine)
    machine.refund(0, 0.5, quickly=True)
    machine.start(0, CASH, False, 0.5, pays=True)
    machine.the_bank_sends_a_refund_back(0, 0)


def dashboard_refund_nobody_heard_of(machine: Money) -> None:
    bought(machine)
    machine.the_next_webhook("stripe", "lost")
    machine.refund_in_the_dashboard(0, 0.5)
    machine.refund(0, 1.0, quickly=True)


def dashboard_refund_of_an_order_that_is_cancelled(machine: Money) -> None:
    bought(machine, IDEAL)
    machine.refund_in_the_dashboard(0, 0.5)
    machine.cancel(0, by_staff=True, quickly=True)


# ------------------------------------------------------------------------------------------------- holds


def captured_again_when_the_key_is_forgotten(machine: Money) -> None:
    """Mollie keeps a key for an hour; the clerk sends the same capture after that."""
    bought(machine, IDEAL, quantity=2, manual=True)
    machine.capture(0, 0.25, quickly=True)
    machine.time_passes(HOUR)
    machine.ask_again(0)
    machine.capture(0, 0.5, quickly=True)
    machine.capture(0, 0.25, quickly=True)


def capture_done_but_answered_500(machine: Money) -> None:
    bought(machine, IDEAL, quantity=2, manual=True)
    machine.the_next_call_breaks("mollie", ("after", 500), "captur")
    machine.capture(0, 0.5, quickly=True)
    machine.time_passes(HOUR)
    machine.ask_again(0)


def held_until_it_is_captured(machine: Money) -> None:
    """A hold outlives the time to pay."""
    bought(machine, CARD, manual=True)
    machine.time_passes(HOUR)
    machine.time_passes(DAY)
    machine.capture(0, 1.0, quickly=True)


def held_and_cancelled(machine: Money) -> None:
    bought(machine, CARD, manual=True)
    machine.cancel(0, by_staff=False, quickly=True)


# ------------------------------------------------------------------------------------------------- tenders


def half_given_back_before_the_other_half(machine: Money) -> None:
    """Half in cash, given back; half in cash again: that is not a paid order."""
    machine.place("TEE", 1, till=True)
    machine.start(0, CASH, False, 0.5, pays=True)
    machine.refund(0, 1.0, quickly=True)
    machine.pay_out_cash(0)
    machine.settle()
    machine.start(0, CASH, False, 0.5, pays=True)


def half_promised_back_before_the_other_half(machine: Money) -> None:
    """As before, but the first half has not left the drawer yet: it is promised, so the order does not keep it."""
    machine.place("TEE", 1, till=True)
    machine.start(0, CASH, False, 0.5, pays=True)
    machine.refund(0, 1.0, quickly=True)
    machine.start(0, CASH, False, 0.5, pays=True)


def half_on_its_way_back_before_the_other_half(machine: Money) -> None:
    """And at a provider that takes its time."""
    machine.place("TEE", 1, till=True)
    machine.start(0, IDEAL, False, 0.5, pays=True)
    machine.refund(0, 1.0, quickly=False)
    machine.start(0, CASH, False, 0.5, pays=True)


def cash_while_a_page_is_open(machine: Money) -> None:
    """The shopper pays on the page after all: one of the two goes back."""
    machine.place("TEE", 1, till=False)
    machine.start(0, CARD, False, 1.0, pays=False)
    machine.start(0, CASH, False, 1.0, pays=True)
    machine.pay(1, "", quickly=True)


def cash_while_the_page_was_just_paid(machine: Money) -> None:
    """40.00 by card of which nobody knows yet, and 20.00 in cash: 20.00 goes back, however often that is told."""
    machine.place("TEE", 2, till=False)
    machine.start(0, CARD, False, 1.0, pays=False)
    machine.pay(0, "", quickly=False)
    machine.start(0, CASH, False, 0.5, pays=False)
    machine.the_next_event_is_lost("payment.refunded")
    machine.settle()
    machine.time_passes(HOUR)
    machine.time_passes(DAY)


def paid_order_cancelled_and_cash_offered(machine: Money) -> None:
    bought(machine)
    machine.cancel(0, by_staff=True, quickly=True)
    machine.start(0, CASH, False, 1.0, pays=True)


def cash_goes_back_through_the_drawer(machine: Money) -> None:
    bought(machine, CASH)
    machine.refund(0, 0.5, quickly=True)
    machine.cancel(0, by_staff=True, quickly=True)
    machine.time_passes(DAY)


def paid_late_and_gone(machine: Money) -> None:
    """The only piece went to somebody else meanwhile."""
    machine.place("LAST", 1, till=False)
    machine.start(0, CARD, False, 1.0, pays=False)
    machine.the_next_call_breaks("stripe", ("before", 500), "")
    machine.time_passes(QUARTER)
    machine.pay(0, "ideal", quickly=True)
    machine.place("LAST", 1, till=True)


# ------------------------------------------------------------------------------------------------- events, disputes


def paid_by_link_and_nobody_told(machine: Money) -> None:
    """The clock finds what no webhook told, long after any function has read a key."""
    machine.place("TEE", 1, till=False)
    machine.start(0, PAYLINK, False, 1.0, pays=False)
    machine.the_next_webhook("mollie", "gone")
    machine.pay(0, "", quickly=False)
    machine.time_passes(HOUR)


def lost(event: str) -> Story:
    """One event never arrives."""

    def story(machine: Money) -> None:
        machine.the_next_event_is_lost(event)
        bought(machine)
        machine.cancel(0, by_staff=False, quickly=True)

    story.__name__ = f"lost_{event}"
    return story


def disputed_and_not_handed_over(machine: Money) -> None:
    bought(machine)
    machine.dispute(0)
    machine.hand_over(0)
    machine.decide_a_dispute(0, won=False)


def disputed_refunded_and_won(machine: Money) -> None:
    """Stripe refunds nothing that is disputed: what the order owes goes back when the dispute is won."""
    bought(machine)
    machine.dispute(0)
    machine.cancel(0, by_staff=True, quickly=True)
    machine.decide_a_dispute(0, won=True)


STORIES: dict[Story, str] = {
    refund_done_but_answered_409: "paid",
    refund_done_and_refused_in_words: "paid",
    mollie_refund_done_but_answered_500: "paid",
    two_equal_refunds_at_mollie: "paid",
    refund_fails_later: "cancelled",
    persons_refund_fails_later: "paid",
    persons_refund_fails_after_the_order_was_paid_again: "paid",
    dashboard_refund_nobody_heard_of: "paid",
    dashboard_refund_of_an_order_that_is_cancelled: "cancelled",
    captured_again_when_the_key_is_forgotten: "paid",
    capture_done_but_answered_500: "expired",
    held_until_it_is_captured: "paid",
    held_and_cancelled: "cancelled",
    half_given_back_before_the_other_half: "expired",
    half_promised_back_before_the_other_half: "expired",
    half_on_its_way_back_before_the_other_half: "expired",
    cash_while_a_page_is_open: "paid",
    cash_while_the_page_was_just_paid: "paid",
    paid_order_cancelled_and_cash_offered: "cancelled",
    cash_goes_back_through_the_drawer: "cancelled",
    paid_late_and_gone: "expired",
    paid_by_link_and_nobody_told: "paid",
    lost("payment.captured"): "cancelled",
    lost("order.paid"): "cancelled",
    lost("order.cancelled"): "cancelled",
    disputed_and_not_handed_over: "paid",
    disputed_refunded_and_won: "cancelled",
}
"""Each story, and how its order ends."""
