"""What movements do to levels: arithmetic on paper."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce import holds
from stock import levels
from stock.levels import NotEnough, Oversold


def base(on_hand: int, reserved: int = 0, safety: int = 0, **more: object) -> dict:
    return holds.new_level("TEE", "ams", on_hand, reserved=reserved, safety=safety) | more


def part(number: int, on_hand: int, reserved: int = 0) -> dict:
    return holds.new_level("TEE", "ams", on_hand, reserved=reserved, shard=str(number))


def after(place: list[dict], changes: list[levels.Change]) -> list[int]:
    """What is available in each level afterwards."""
    units = {change.level["sk"]: change.units for change in changes}
    return [level["available"] + units.get(level["sk"], 0) for level in place]


def test_what_comes_in_goes_to_the_one_level() -> None:
    assert after([base(3)], levels.raised([base(3)], 4)) == [7]


def test_what_comes_in_is_spread_over_the_parts_after_the_debt_is_paid() -> None:
    # GIVEN a split level whose base owes two
    place = [base(-2, shards=3, active=2), part(0, 0), part(1, 0), part(2, 5)]
    # WHEN seven come in
    changes = levels.raised(place, 7)
    # THEN the debt is paid, the rest is spread over the two parts in use
    assert after(place, changes) == [0, 3, 2, 5]


def test_nothing_promised_leaves() -> None:
    # GIVEN five on hand, three promised, one kept back
    place = [base(5, reserved=3, safety=1)]
    # WHEN two are to leave THEN only one can
    with pytest.raises(NotEnough) as refusal:
        levels.lowered(place, 2, fact=False)
    assert refusal.value.available == 1
    assert after(place, levels.lowered(place, 1, fact=False)) == [0]


def test_a_fact_leaves_all_the_same_and_names_the_newest_orders_at_risk() -> None:
    # GIVEN five on hand, promised to three orders
    notes = {"h:OLD": [100, 2], "h:NEW": [300, 1], "h:MIDDLE": [200, 2]}
    place = [base(5, reserved=5, **notes)]
    # WHEN the till sells two of them
    (change,) = levels.lowered(place, 2, fact=True)
    # THEN two promised units are missing: the newest order's one and one of the next
    assert change.units == -2
    assert change.oversold == Oversold(missing=2, orders=["NEW", "MIDDLE"])


def test_selling_into_the_safety_stock_puts_no_order_at_risk() -> None:
    place = [base(3, reserved=1, safety=2, **{"h:ORDER": [1, 1]})]
    (change,) = levels.lowered(place, 1, fact=True)
    assert change.oversold == Oversold(missing=0, orders=[])


def test_a_sale_of_what_the_books_never_had_is_oversold_but_nobody_was_promised_any() -> None:
    (change,) = levels.lowered([levels.absent("TEE", "ams", 0)], 3, fact=True)
    assert (change.units, change.oversold) == (-3, Oversold(0, []))


def test_a_fact_at_a_split_level_uses_every_part_before_it_is_oversold() -> None:
    place = [base(0, shards=2, active=2), part(0, 2), part(1, 3)]
    assert after(place, levels.lowered(place, 5, fact=True)) == [0, 0, 0]
    assert not any(change.oversold for change in levels.lowered(place, 5, fact=True))
    assert after(place, levels.lowered(place, 7, fact=True)) == [-2, 0, 0]
    assert levels.lowered(place, 7, fact=True)[0].oversold == Oversold(0, [])


def test_a_count_books_the_difference_and_holds_on_to_what_it_looked_at() -> None:
    # GIVEN a split place with ten on hand
    place = [base(4, reserved=4, shards=2, active=2), part(0, 3), part(1, 3)]
    # WHEN eight are found
    changes = levels.counted(place, 8)
    # THEN two less are booked, and every level is named: none may move meanwhile
    assert sum(change.units for change in changes) == -2
    assert {change.level["sk"] for change in changes} == {level["sk"] for level in place}
    assert all(change.exact for change in changes)


def test_a_count_of_what_is_there_changes_nothing() -> None:
    assert [change.units for change in levels.counted([base(4)], 4)] == [0]


def test_splitting_moves_what_is_available_and_leaves_what_is_held() -> None:
    place = [base(12, reserved=2, safety=1), part(0, 0), part(1, 0)]
    changes = levels.rebalanced(place, 2)
    assert after(place, changes) == [0, 5, 4]
    assert sum(change.units for change in changes) == 0


def test_joining_brings_back_what_is_available_and_leaves_what_is_held() -> None:
    place = [base(1), part(0, 4, reserved=3), part(1, 2)]
    assert after(place, levels.rebalanced(place, 0)) == [4, 0, 0]


def test_a_joined_base_gets_its_debt_paid() -> None:
    place = [base(-3), part(0, 2), part(1, 2)]
    assert after(place, levels.rebalanced(place, 0)) == [1, 0, 0]


amounts = st.integers(0, 50)
places = st.builds(
    lambda head, parts, active: [
        base(head[0] - 5, reserved=head[1], safety=head[2], shards=len(parts), active=min(active, len(parts))),
        *(part(number, held + free, reserved=held) for number, (held, free) in enumerate(parts)),
    ],
    st.tuples(amounts, amounts, st.integers(0, 3)),
    st.lists(st.tuples(amounts, amounts), max_size=5),
    st.integers(0, 5),
)


@given(places, st.integers(0, 5), st.integers(0, 100))
def test_moving_between_parts_neither_makes_nor_loses_goods(place: list[dict], active: int, percent: int) -> None:
    changes = levels.rebalanced(place, min(active, len(place) - 1), percent)
    assert sum(change.units for change in changes) == 0
    # no level gives what it does not have free
    assert all(change.level["available"] + change.units >= 0 for change in changes if change.units < 0)


@given(places, st.integers(1, 120))
def test_what_leaves_is_what_was_asked_and_only_a_fact_takes_what_is_promised(place: list[dict], units: int) -> None:
    facts = levels.lowered(place, units, fact=True)
    assert sum(change.units for change in facts) == -units
    assert len({change.level["sk"] for change in facts}) == len(facts)
    total = sum(level["available"] for level in place)
    assert any(change.oversold for change in facts) == (units > total)
    if units <= max(0, total):
        assert min(after(place, levels.lowered(place, units, fact=False))) >= min(0, place[0]["available"])
    else:
        with pytest.raises(NotEnough):
            levels.lowered(place, units, fact=False)


@given(places, st.integers(0, 200))
def test_what_comes_in_is_exactly_what_was_asked(place: list[dict], units: int) -> None:
    assert sum(change.units for change in levels.raised(place, units)) == units


@given(places, st.integers(0, 200))
def test_after_a_count_exactly_that_is_on_hand(place: list[dict], found: int) -> None:
    assert levels.on_hand(place) + sum(change.units for change in levels.counted(place, found)) == found
