"""The stories of `money_stories`, and mistakes that a shop could make with its money: each is found by one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checkout import money
from commerce import payables
from payments import capturing, claims, ledger, naming, recording, refusals
from tests.journey import money_stories as stories
from tests.journey.money_stories import STORIES, Story, tell

Plant = pytest.MonkeyPatch


def name_of(story: Story) -> str:
    return story.__name__


@pytest.mark.parametrize("story", STORIES, ids=name_of)
def test_told_to_its_end(story: Story) -> None:
    tell(story, STORIES[story])


# ------------------------------------------------------------------------------------------------- seeded mistakes


def final_4xx(plant: Plant) -> None:
    """Whatever a provider answers with 4xx is taken for its last word, and nobody looks again."""

    def refused(operation: str, status: int, answer: Any) -> str | None:
        return "refused" if 400 <= status < 500 else None

    plant.setattr(refusals, "stripe", refused)
    plant.setattr(refusals, "mollie", refused)
    plant.setattr(recording, "after_refusal", lambda payment, asked, code: [ledger.refused(asked, asked.at, code)])


def local_guess_outranks_the_provider(plant: Plant) -> None:
    """That we take an answer for a refusal counts for more than what the provider says later."""
    right = ledger.refused

    def guess(asked: Any, at: int, code: str) -> Any:
        return replace(right(asked, at, code), rank=9)

    plant.setattr(ledger, "refused", guess)
    plant.setattr(recording, "after_refusal", lambda payment, asked, code: [guess(asked, asked.at, code)])


def capture_without_a_record_of_its_own(plant: Plant) -> None:
    """A repeated capture is sent to the provider again, which has forgotten the key by then."""

    def careless(kept: Any, amount: Any, request: Any, *more: Any) -> Any:
        name = naming.of_request(request)
        fact = capturing._request(kept, amount, name, request)
        return capturing.carry_out(kept.payment, fact)

    plant.setattr(capturing, "capture", careless)


def gross_instead_of_net(plant: Plant) -> None:
    """An order counts what came in, and not what went out again."""

    def gross(order: Any, payment_id: str) -> int:
        came, back = order.get("captured", {}), order.get("refund_due", {})
        return int(came.get(payment_id, 0) - back.get(payment_id, 0))

    plant.setattr(money, "kept_of", gross)


def payable_left_open(plant: Plant) -> None:
    """An order that is over can still be paid."""
    right = payables.changed
    plant.setattr(
        payables, "changed", lambda order_id, **how: right(order_id, **how | {"open": how.get("open") or None})
    )


def cash_succeeds_by_itself(plant: Plant) -> None:
    """A cash refund is booked the moment it is asked for, whoever pays it out."""
    right = ledger.refund

    def at_once(object_id: str, of: str, status: str, *rest: Any, **more: Any) -> Any:
        return right(object_id, of, "succeeded" if status == "owed" else status, *rest, **more)

    plant.setattr(ledger, "refund", at_once)


def told_again_is_refunded_again(plant: Plant) -> None:
    """Each telling of what must go back is taken for a new wish."""
    plant.setattr(claims, "_settled", lambda facts: 0)


def refunded_under_a_new_name(plant: Plant) -> None:
    """A clerk's repeated request gives the money back once more."""
    from commerce import ids

    plant.setattr(naming, "of_request", lambda request, *payment: ids.new())


MISTAKES: dict[Callable[[Plant], None], Story] = {
    final_4xx: stories.refund_done_but_answered_409,
    capture_without_a_record_of_its_own: stories.captured_again_when_the_key_is_forgotten,
    gross_instead_of_net: stories.half_given_back_before_the_other_half,
    payable_left_open: stories.paid_order_cancelled_and_cash_offered,
    cash_succeeds_by_itself: stories.cash_goes_back_through_the_drawer,
    local_guess_outranks_the_provider: stories.refund_done_and_refused_in_words,
    told_again_is_refunded_again: stories.cash_while_the_page_was_just_paid,
    refunded_under_a_new_name: stories.refund_done_but_answered_409,
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_is_found(mistake: Callable[[Plant], None], monkeypatch: Plant) -> None:
    mistake(monkeypatch)
    with pytest.raises(AssertionError):
        tell(MISTAKES[mistake], STORIES[MISTAKES[mistake]])
