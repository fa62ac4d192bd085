"""The order's rules: a state machine without circles, lines that add up, and money that always has one purpose."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout import order as rules
from checkout.order import NEXT, Step
from commerce import clock, events, ids, items, markets, pricing
from commerce.holds import Hold
from commerce.pricing import PricedLine


def an_order(state="placed", total=1000, **members):
    return {"order_id": "X", "state": state, "total": total, "version": 1} | members


# ------------------------------------------------------------------------------------------------------------ states


def test_no_state_can_be_reached_from_itself():
    def beyond(state):
        return NEXT[state] | {further for each in NEXT[state] for further in beyond(each)}

    assert all(state not in beyond(state) for state in NEXT)


def test_every_order_ends_and_ends_stay():
    assert {state for state in NEXT if not NEXT[state]} == {"fulfilled", "rejected", "cancelled"}


@pytest.mark.parametrize(
    ("state", "unwinding", "allowed"),
    [
        ("placed", None, {"paid", "expired", "cancelled"}),
        ("placed", "cancelled", {"cancelled"}),
        ("expired", None, {"paid"}),
        ("cancelled", None, set()),
    ],
)
def test_what_an_order_may_become(state, unwinding, allowed):
    order = an_order(state) | ({"unwinding": unwinding} if unwinding else {})
    assert {each for each in NEXT if rules.may_become(order, each)} == allowed


@pytest.mark.parametrize(
    ("state", "slug"),
    [("placed", None), ("paid", None), ("cancelled", None), ("placing", "in-progress"), ("fulfilled", "order-state"),
     ("expired", "order-state"), ("rejected", "order-state")],
)  # fmt: skip
def test_cancelling_is_refused_with_a_reason(state, slug):
    problem = rules.refuse_cancelling(an_order(state))
    assert (problem.slug if problem else None) == slug


@pytest.mark.parametrize(
    ("state", "refused"), [("paid", False), ("fulfilled", False), ("placed", True), ("cancelled", True)]
)
def test_only_paid_orders_are_fulfilled(state, refused):
    assert (rules.refuse_fulfilling(an_order(state)) is not None) == refused


# ------------------------------------------------------------------------------------------------------------- lines


@given(st.lists(st.integers(1, 500), min_size=1, max_size=6), st.integers(1, 10**6), st.integers(0, 30))
def test_a_line_divided_over_levels_still_adds_up_to_the_cent(parts, price, percent):
    # GIVEN a line from several places
    quantity = sum(parts)
    total = price * quantity
    line = PricedLine("A", "A", quantity, price, total, total * percent // (100 + percent))
    held = [Hold("A", f"L{place}", amount) for place, amount in enumerate(parts)]
    # WHEN
    lines = rules.order_lines([line], held)
    # THEN
    assert sum(each["quantity"] for each in lines) == quantity
    assert sum(each["line_total"] for each in lines) == total
    assert sum(each["tax"] for each in lines) == line.tax
    assert all(each["tax"] >= 0 for each in lines)
    assert rules.whole_lines({"lines": lines}) == [line]


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("XY"), st.integers(1, 9)), min_size=1))
def test_holds_of_an_order_are_one_per_level_whatever_its_lines_are(entries):
    lines = [{"sku": sku, "location_id": place, "quantity": quantity} for sku, place, quantity in entries]
    found = rules.holds_of({"lines": lines})
    assert len({hold.key for hold in found}) == len(found)
    assert sum(hold.quantity for hold in found) == sum(quantity for _, _, quantity in entries)
    assert found == rules.holds_of({"lines": list(reversed(lines))})


@pytest.mark.parametrize("many", [1, 60, 61, 2000])
def test_dots_come_back_as_they_were_and_take_little_room(many):
    # GIVEN
    dots = {f"till-ams-1|{number}": [f"SKU-{number:05d}", 1, 1795000000000 + number, "till"] for number in range(many)}
    # WHEN
    kept = rules.pack_dots(dots)
    # THEN
    assert rules.dots_of(kept) == dots
    assert items.size(kept) < 40_000


def two_thousand_lines(name):
    """The order of a basket with that many lines, each of the largest quantity, from one warehouse."""
    dots = {f"AbCdEf{n:04d}": [f"SKU-{n:06d}", 99_999, 1795000000000 + n, "", {"b": "staff-anna"}] for n in range(2000)}
    priced = [PricedLine(f"SKU-{n:06d}", name, 99_999, 129_900, 12_989_870_100, 2_254_440_000) for n in range(2000)]
    held = [Hold(line.sku, "nl-warehouse", line.quantity) for line in priced]
    terms = rules.Terms(
        ids.new_order_id(), "staff:anna", clock.iso(), clock.iso(), {"kind": "delivery"}, {"name": "Anna"}
    )
    basket = {"basket_id": "0190a1b2-0000-7000-8000-0000000000b1", "channel": "web", "owner": "c-1"}
    return rules.draft(
        basket, dots, priced, pricing.totals(priced), held, markets.get("nl"), terms, "fewest-parcels of 1"
    )


def test_an_order_of_two_thousand_lines_fits_one_item_and_its_event_fits_the_bus():
    # GIVEN names as long as those of the real transaction files
    order = two_thousand_lines("WHITE HANGING HEART T-LIGHT HOLDER") | {"event": events.of("order.placed")}
    # THEN
    assert rules.refuse_size(order) is None
    assert items.size(order) < 300_000
    assert len(events.envelope(order).model_dump_json()) < 256_000
    # AND what could not be kept is refused before anything is written
    assert rules.refuse_size(two_thousand_lines("X" * 200)).slug == "order-too-large"


# ------------------------------------------------------------------------------------------------------------- money


def settle(order, payment_id="", captured=0):
    """Step after step until the rules have nothing more to say."""
    steps = []
    while (step := rules.next_step(order, payment_id, captured)) is not None:
        steps.append(step.kind)
        order = rules.after(order, step)
        assert len(steps) < 5
    return order, steps


@pytest.mark.parametrize(
    ("order", "captured", "steps", "refund_due"),
    [
        (an_order(), 1000, ["paid"], {}),
        (an_order(), 400, ["note"], {}),
        (an_order(), 1200, ["paid", "refund"], {"p": 200}),
        (an_order(captured={"gift": 600}), 400, ["paid"], {}),
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
    settled, taken = settle(order, "p", captured)
    assert (taken, settled.get("refund_due", {})) == (steps, refund_due)


def test_an_order_that_ended_with_part_payments_gives_them_back():
    order = an_order("expired", captured={"gift": 300, "card": 200})
    assert rules.next_step(order) == Step("refund", order["captured"], {"card": 200, "gift": 300}, "expired")


def test_an_expired_order_whose_stock_is_gone_gives_everything_back():
    step = rules.next_step(an_order("expired", captured={"gift": 300}), "card", 700)
    instead = rules.refund_instead(an_order("expired"), step, "out-of-stock")
    assert (instead.refunds, instead.reason) == ({"card": 700, "gift": 300}, "out-of-stock")


captures = st.lists(st.tuples(st.sampled_from(["p", "q", "r"]), st.integers(1, 1500)), max_size=6)
states = st.sampled_from(["placed", "expired", "cancelled", "rejected", "paid", "fulfilled"])


def start(state):
    return an_order(state) | ({"captured": {"first": 1000}} if state in ("paid", "fulfilled") else {})


@given(states, captures)
def test_captured_money_is_kept_for_a_paid_order_or_goes_back_never_both(state, events):
    # GIVEN any order and any captures
    order = start(state)
    # WHEN
    for payment_id, captured in events:
        order, _ = settle(order, payment_id, captured)
    # THEN
    kept = rules.kept_by(order)
    if order["state"] in ("paid", "fulfilled"):
        assert kept == order["total"]
    elif order["state"] == "placed":
        assert kept < order["total"]
        assert not order.get("refund_due")
    else:
        assert kept == 0
    for payment_id, amount in order.get("refund_due", {}).items():
        assert amount <= order["captured"][payment_id]


@given(states, captures)
def test_repeats_and_stale_captures_change_nothing(state, events):
    # GIVEN
    order = start(state)
    for payment_id, captured in events:
        order, _ = settle(order, payment_id, captured)
    # WHEN everything comes again
    for payment_id, captured in events:
        # THEN
        assert settle(order, payment_id, captured) == (order, [])


@given(st.lists(st.tuples(st.sampled_from(["p", "q", "r"]), st.integers(1, 900)), max_size=4), states)
def test_the_order_of_captures_does_not_decide_what_is_kept(events, state):
    ends = set()
    for arrival in permutations(events):
        order = start(state)
        for payment_id, captured in arrival:
            order, _ = settle(order, payment_id, captured)
        ends.add((tuple(sorted(order.get("captured", {}).items())), order["state"] == "paid"))
    # An expired order's part payments go back as they come, so only there it matters whether one alone was enough.
    assert len(ends) == 1 or state == "expired"


@given(states, captures, st.integers(0, 5))
def test_a_crash_between_two_steps_loses_nothing(state, events, crashed_after):
    # GIVEN one delivery that died after its first step
    order = whole = start(state)
    for place, (payment_id, captured) in enumerate(events):
        whole, _ = settle(whole, payment_id, captured)
        if place == crashed_after and (step := rules.next_step(order, payment_id, captured)) is not None:
            order = rules.after(order, step)
        # WHEN it comes again
        order, _ = settle(order, payment_id, captured)
    # THEN
    assert order == whole
