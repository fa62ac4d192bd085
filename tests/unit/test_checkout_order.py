"""The order's rules: a state machine without circles, and lines that add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout import order as rules
from checkout.order import NEXT
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
        ("placed", None, {"authorized", "paid", "expired", "cancelled"}),
        ("authorized", None, {"paid", "expired", "cancelled"}),
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
    [("placed", None), ("authorized", None), ("paid", None), ("cancelled", None), ("placing", "in-progress"),
     ("fulfilled", "order-state"), ("expired", "order-state"), ("rejected", "order-state")],
)  # fmt: skip
def test_cancelling_is_refused_with_a_reason(state, slug):
    problem = rules.refuse_cancelling(an_order(state))
    assert (problem.slug if problem else None) == slug


@pytest.mark.parametrize(
    ("state", "slug"),
    [
        ("paid", None),
        ("fulfilled", None),
        ("placed", "order-state"),
        ("authorized", "order-state"),
        ("cancelled", "order-state"),
    ],
)
def test_only_paid_orders_are_fulfilled(state, slug):
    problem = rules.refuse_fulfilling(an_order(state, captured={"p": 1000}))
    assert (problem.slug if problem else None) == slug


@pytest.mark.parametrize("gone", [{"outside": {"p": 400}}, {"charged_back": {"p": 400}}, {"refund_due": {"p": 400}}])
def test_only_what_is_covered_is_handed_over(gone):
    problem = rules.refuse_fulfilling(an_order("paid", captured={"p": 1000}, currency="EUR", **gone))
    assert (problem.slug, problem.extra["short"]) == ("order-not-covered", {"amount": 400, "currency": "EUR"})


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
