"""What money means to an order: one purpose for every cent, and nothing waits for ever."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout import money, owing
from checkout.money import Moment, Step, Told

AT = Moment("2026-11-21T10:00", "2026-11-21T10:15", "2026-11-21T10:05")
PAY_BY = "2026-11-21T10:10"
IN_A_WEEK = "2026-11-28T10:00"
IN_TWO_WEEKS = "2026-12-05T10:00"


def an_order(state="placed", total=1000, **members):
    order = {"order_id": "X", "state": state, "total": total, "version": 1, "pay_by": PAY_BY}
    order |= {"due": PAY_BY} if state in ("placed", "authorized") else {}
    return order | members


def told(payment_id, version=0, **totals):
    """A version of a payment; later ones tell more, so without one the sum of what is told will do."""
    return Told(payment_id, version or sum(each for each in totals.values() if isinstance(each, int)) or 1, **totals)


def settle(order, news=None):
    """Step after step until the rules have nothing more to say."""
    steps = []
    while (step := money.next_step(order, news)) is not None:
        steps.append(step.kind)
        order = money.after(order, step, AT)
        assert len(steps) < 5
    return order, steps


@pytest.mark.parametrize(
    ("order", "captured", "steps", "refund_due"),
    [
        (an_order(), 1000, ["paid"], {}),
        (an_order(), 400, ["note"], {}),
        (an_order(), 1200, ["paid", "refund"], {"p": 200}),
        (an_order(captured={"gift": 600}), 400, ["paid"], {}),
        (an_order("authorized", authorized={"p": 1000}), 1000, ["paid"], {}),
        (an_order("paid", captured={"q": 1000}), 1000, ["refund"], {"p": 1000}),
        (an_order("fulfilled", captured={"q": 1000}), 1, ["refund"], {"p": 1}),
        (an_order("expired"), 1000, ["retake"], {}),
        (an_order("expired"), 999, ["refund"], {"p": 999}),
        (an_order("cancelled"), 1000, ["refund"], {"p": 1000}),
        (an_order("rejected"), 1000, ["refund"], {"p": 1000}),
        (an_order("cancelled", captured={"p": 300}, refund_due={"p": 300}), 1000, ["refund"], {"p": 1000}),
    ],
)
def test_what_a_capture_makes_of_an_order(order, captured, steps, refund_due):
    settled, taken = settle(order, told("p", captured=captured))
    assert (taken, settled.get("refund_due", {})) == (steps, refund_due)


def test_an_order_that_ended_with_part_payments_gives_them_back():
    order = an_order("expired", captured={"gift": 300, "card": 200})
    assert money.next_step(order) == Step("refund", order, {"card": 200, "gift": 300}, "expired")


def test_an_expired_order_whose_stock_is_gone_gives_everything_back():
    step = money.next_step(an_order("expired", captured={"gift": 300}), told("card", captured=700))
    instead = money.refund_instead(step, "out-of-stock")
    assert (instead.refunds, instead.reason) == ({"card": 700, "gift": 300}, "out-of-stock")


# ------------------------------------------------------------------------------------------------- what it keeps


@pytest.mark.parametrize(
    ("news", "kept", "short"),
    [
        (told("p", captured=1000), 1000, 0),
        (told("p", captured=1000, outside=1000), 0, 1000),
        (told("p", captured=1000, outside=400), 600, 400),
        (told("p", captured=1000, charged_back=1000), 0, 1000),
        (told("p", captured=1000, outside=1000, charged_back=1000), 0, 1000),
    ],
)
def test_what_went_back_or_was_taken_back_is_not_kept(news, kept, short):
    order, _ = settle(an_order("paid", captured={"p": 1000}), news)
    assert (money.kept_by(order), money.short_of(order), order.get("refund_due")) == (kept, short, None)
    assert ("at_risk" in order) == money.payable(order) == bool(short)


def test_a_refund_in_full_and_the_same_in_cash_is_a_paid_order():
    order, _ = settle(an_order("paid", captured={"card": 1000}), told("card", captured=1000, outside=1000))
    order, steps = settle(order, told("cash", captured=1000))
    assert (steps, money.kept_by(order), "at_risk" in order, order.get("refund_due")) == (["note"], 1000, False, None)


def test_a_won_dispute_covers_again_and_old_news_does_not_change_that():
    lost = told("p", 2, captured=1000, charged_back=1000)
    order, _ = settle(an_order("paid", captured={"p": 1000}), lost)
    order, _ = settle(order, told("p", 3, captured=1000))
    assert money.short_of(order) == 0
    assert settle(order, lost) == (order, [])


def test_what_comes_twice_after_the_hand_over_goes_back_even_if_something_was_returned():
    order, _ = settle(an_order("fulfilled", captured={"p": 1000}), told("p", captured=1000, outside=1000))
    order, steps = settle(order, told("q", captured=1000))
    assert (steps, order["refund_due"]) == (["refund"], {"q": 1000})


def test_what_went_back_before_the_hand_over_is_no_return():
    members = {"captured": {"p": 1000, "q": 1000}, "outside": {"p": 1000}}
    handed_over = an_order("fulfilled", gone_before=1000, **members)
    assert money.next_step(handed_over) is None
    order, steps = settle(handed_over, told("p", captured=1000, version=9))
    assert (steps, order["refund_due"]) == (["refund"], {"p": 1000}), "its refund failed: now it is paid twice"


def test_a_cancelled_order_whose_dispute_was_won_gives_the_money_back():
    order = money.ended(an_order("paid", captured={"p": 1000}, charged_back={"p": 1000}), "cancelled", AT)
    assert "refund_due" not in order
    order, steps = settle(order, told("p", captured=1000))
    assert (steps, order["refund_due"]) == (["refund"], {"p": 1000})


# ------------------------------------------------------------------------------------------------- until when it waits


def test_firm_money_on_its_way_extends_the_hold_until_the_bank_must_have_answered():
    order, steps = settle(an_order(), told("p", pending=1000, expected_by=IN_TWO_WEEKS))
    assert (steps, order["state"], order["pay_by"], order["due"]) == (["note"], "placed", IN_TWO_WEEKS, IN_TWO_WEEKS)
    assert order["first_pay_by"] == PAY_BY
    paid, _ = settle(order, told("p", 2000, captured=1000))
    assert (paid["state"], "pending" in paid) == ("paid", False)


def test_when_the_bank_says_no_the_payer_has_the_usual_time():
    order, _ = settle(an_order(), told("p", pending=1000, expected_by=IN_TWO_WEEKS))
    order, _ = settle(order, told("p", 2000, gone=True))
    assert order["due"] == order["pay_by"] == AT.hold_until


def test_a_part_on_its_way_gives_the_usual_time_once():
    order, _ = settle(an_order(), told("p", pending=10, expected_by=IN_TWO_WEEKS))
    assert order["pay_by"] == AT.hold_until
    later = replace(AT, hold_until="2026-11-21T10:30")
    again = money.after(order, money.next_step(order, told("q", pending=10, expected_by=IN_TWO_WEEKS)), later)
    assert again["pay_by"] == AT.hold_until


def test_an_order_that_is_held_in_full_is_authorized_until_the_first_hold_ends():
    order, steps = settle(an_order(), told("p", authorized=400, capture_before=IN_TWO_WEEKS))
    order, more = settle(order, told("q", authorized=600, capture_before=IN_A_WEEK))
    assert (steps + more, order["state"]) == (["note", "authorized"], "authorized")
    assert (order["pay_by"], order["due"], money.capture_before(order)) == (IN_A_WEEK, IN_A_WEEK, IN_A_WEEK)


def test_an_authorized_order_lives_on_while_it_is_taken_part_by_part():
    order, _ = settle(an_order(), told("p", authorized=1000, capture_before=IN_A_WEEK))
    order, _ = settle(order, told("p", 2000, authorized=600, captured=400, capture_before=IN_A_WEEK))
    assert (order["state"], order["due"]) == ("authorized", IN_A_WEEK)
    order, steps = settle(order, told("p", 3000, captured=1000))
    assert (steps, order["state"]) == (["paid"], "paid")


def test_a_hold_that_is_let_go_gives_the_usual_time_and_then_it_is_over():
    order, _ = settle(an_order(), told("p", authorized=1000, capture_before=IN_A_WEEK))
    order, _ = settle(order, told("p", 2000, gone=True))
    assert (order["state"], order["due"]) == ("authorized", AT.hold_until)
    assert money.ended(order, "expired", AT)["state"] == "expired"


# ------------------------------------------------------------------------------------------------- what it owes


def test_a_refund_is_told_as_a_total_and_stays_due_until_payments_has_heard_it():
    order, _ = settle(an_order("cancelled"), told("p", captured=400))
    assert (owing.tellings(order), order["due"]) == (["order.cancelled"], AT.tell_at)
    order, _ = settle(order, told("p", 900, captured=400, asked=400))
    assert "due" not in order
    order, _ = settle(order, told("p", 2000, captured=1000, asked=400))
    assert owing.refunds(order) == [{"payment_id": "p", "amount": 600, "total": 1000}]
    assert "due" in order


def test_a_paid_order_waits_for_every_portion_of_its_goods():
    order, _ = settle(an_order(), told("p", captured=1000))
    assert (owing.tellings(order), "due" in order) == (["order.paid"], True)
    for part in (2, 1):
        order = money.scheduled(order, owing.goods_booked(order, "sale", part, 3), AT)
        assert owing.goods_booked(order, "sale", part, 3) is None
        assert owing.goods_booked(order, "cancellation", 3, 3) is None
    order = money.scheduled(order, owing.goods_booked(order, "sale", 3, 3), AT)
    assert not {"stock_owes", "stock_did", "due"} & order.keys()


def test_a_paid_order_that_is_cancelled_waits_for_its_goods_to_come_back_instead():
    paid, _ = settle(an_order(), told("p", captured=1000))
    half = money.scheduled(paid, owing.goods_booked(paid, "sale", 1, 2), AT)
    order = money.ended(half, "cancelled", AT)
    assert (order["stock_owes"], "stock_did" in order) == ("cancellation", False)
    assert owing.goods_booked(order, "sale", 2, 2) is None
    assert money.ended(an_order(), "cancelled", AT).get("stock_owes") is None


# ------------------------------------------------------------------------------------------------- properties

captures = st.lists(st.tuples(st.sampled_from(["p", "q", "r"]), st.integers(1, 1500)), max_size=6)
states = st.sampled_from(["placed", "expired", "cancelled", "rejected", "paid", "fulfilled"])


def start(state):
    return an_order(state) | ({"captured": {"first": 1000}} if state in ("paid", "fulfilled") else {})


@given(states, captures)
def test_captured_money_is_kept_for_a_paid_order_or_goes_back_never_both(state, news):
    # GIVEN any order and any captures
    order = start(state)
    # WHEN
    for payment_id, captured in news:
        order, _ = settle(order, told(payment_id, captured=captured))
    # THEN
    kept = money.kept_by(order)
    if order["state"] in ("paid", "fulfilled"):
        assert kept == order["total"]
    elif order["state"] == "placed":
        assert kept < order["total"]
        assert not order.get("refund_due")
    else:
        assert kept == 0
    for payment_id, amount in order.get("refund_due", {}).items():
        assert amount <= order["captured"][payment_id]
    assert ("due" in order) == (order["state"] == "placed" or owing.anything(order))


@given(states, captures)
def test_repeats_and_stale_captures_change_nothing(state, news):
    # GIVEN
    order = start(state)
    for payment_id, captured in news:
        order, _ = settle(order, told(payment_id, captured=captured))
    # WHEN everything comes again
    for payment_id, captured in news:
        # THEN
        assert settle(order, told(payment_id, captured=captured)) == (order, [])


@given(st.lists(st.tuples(st.sampled_from(["p", "q", "r"]), st.integers(1, 900)), max_size=4), states)
def test_the_order_of_captures_does_not_decide_what_is_kept(news, state):
    ends = set()
    for arrival in permutations(news):
        order = start(state)
        for payment_id, captured in arrival:
            order, _ = settle(order, told(payment_id, captured=captured))
        ends.add((tuple(sorted(order.get("captured", {}).items())), order["state"] == "paid"))
    # An expired order's part payments go back as they come, so only there it matters whether one alone was enough.
    assert len(ends) == 1 or state == "expired"


payments = st.builds(
    lambda captured, gone, back: {"captured": captured, "outside": min(gone, captured), "charged_back": back},
    st.integers(1, 1500),
    st.integers(0, 900),
    st.sampled_from([0, 0, 100]),
)


@given(st.lists(payments, min_size=1, max_size=4))
def test_a_paid_order_is_covered_or_at_risk_whatever_goes_back_and_comes(versions):
    order = start("paid")
    for version, totals in enumerate(versions, 1):
        order, _ = settle(order, told("first", version, **totals))
        short = max(0, order["total"] - money.kept_by(order))
        assert money.kept_by(order) <= order["total"]
        assert ("at_risk" in order) == bool(short) == money.payable(order)


@given(states, captures, st.integers(0, 5))
def test_a_crash_between_two_steps_loses_nothing(state, news, crashed_after):
    # GIVEN one delivery that died after its first step
    order = whole = start(state)
    for place, (payment_id, captured) in enumerate(news):
        one = told(payment_id, captured=captured)
        whole, _ = settle(whole, one)
        if place == crashed_after and (step := money.next_step(order, one)) is not None:
            order = money.after(order, step, AT)
        # WHEN it comes again
        order, _ = settle(order, one)
    # THEN
    assert order == whole
