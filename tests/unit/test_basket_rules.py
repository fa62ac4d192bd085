"""What edits do to a basket's set of dots, on paper: no store, no clock."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from basket import basket as rules
from basket import merging, operations
from basket.basket import PEOPLE, TRADE, Edit, Limits, Opened
from basket.operations import Kind, Operation
from commerce import baskets
from commerce.baskets import Dot
from commerce.problems import Problem

A, B = "0190a1b2-0000-7000-8000-0000000000a1", "0190a1b2-0000-7000-8000-0000000000b1"
TAG = baskets.tag(A)
HOUR = 490_000
SMALL = Limits(lines=3, quantity=10, recent=4)


def dot(sku: str = "TEE", quantity: int = 1, at: int = 0, **more: Any) -> Dot:
    return Dot(sku, quantity, at, **more)


def item(dots: dict[str, Dot] | None = None, basket_id: str = B, **more: Any) -> dict[str, Any]:
    packed = {name: each.packed() for name, each in (dots or {}).items()}
    known = {"basket_id": basket_id, "channel": "web", "dots": packed, "recent": {}, "seen": {}, "version": 7}
    return known | {"proofs": {}, "units": baskets.sum_of(packed)} | more


def basket(dots: dict[str, Dot] | None = None, **more: Any) -> Opened:
    return Opened(item(dots, **more))


def after(opened: Opened, edit: Edit | None) -> dict[tuple[str, bool], int]:
    """Lines after the edit."""
    assert edit is not None
    kept = {name: each for name, each in baskets.dots(opened.item).items() if name not in edit.drop}
    return rules.quantities(kept | edit.put)


# ----------------------------------------------------------------------------------------------------------- dots


@pytest.mark.parametrize(
    "one",
    [
        dot(),
        dot(via="app"),
        dot(saved=True),
        dot(origin=TAG, through=None, via="till", by="till-ams-1", location_id="ams"),
        dot(through=TAG),
    ],
)
def test_a_dot_is_stored_short_and_read_as_it_was(one: Dot) -> None:
    assert Dot.of(one.packed()) == one


def test_what_says_nothing_takes_no_room() -> None:
    assert dot(at=5).packed() == ["TEE", 1, 5]
    assert dot(at=5, via="app").packed() == ["TEE", 1, 5, "app"]


def test_a_tag_is_a_basket_id_and_back() -> None:
    assert baskets.untag(TAG) == A
    assert len(TAG) == 22


# ------------------------------------------------------------------------------------------------- simple clients


def test_an_add_is_one_dot() -> None:
    edit = rules.add(basket(), "k1", dot(quantity=2), PEOPLE, HOUR)
    assert edit == Edit("added", put={"k1": dot(quantity=2)})


def test_repeating_an_add_changes_nothing() -> None:
    assert rules.add(basket({"k1": dot(quantity=2)}), "k1", dot(quantity=2), PEOPLE, HOUR) is None


def test_repeating_an_add_after_somebody_removed_it_changes_nothing() -> None:
    opened = basket(recent={"k1": baskets.stamp(dot(quantity=2).packed())})
    assert rules.add(opened, "k1", dot(quantity=2), PEOPLE, HOUR) is None


@pytest.mark.parametrize("other", [dot(quantity=3), dot("MUG", 2)])
@pytest.mark.parametrize("gone", [False, True])
def test_a_key_is_for_one_request(other: Dot, gone: bool) -> None:
    first = dot(quantity=2)
    opened = basket(recent={"k1": baskets.stamp(first.packed())}) if gone else basket({"k1": first})
    with pytest.raises(Problem) as refused:
        rules.add(opened, "k1", other, PEOPLE, HOUR)
    assert (refused.value.status, refused.value.slug) == (422, "idempotency-key-reused")


def test_setting_replaces_what_was_there_and_leaves_other_lines() -> None:
    opened = basket({"k1": dot(quantity=2), "k2": dot(quantity=1), "k3": dot("MUG"), "k4": dot(saved=True)})
    edit = rules.set_quantity(opened, "=1", dot(quantity=5), PEOPLE, HOUR)
    assert edit is not None
    assert set(edit.drop) == {"k1", "k2"}
    assert after(opened, edit) == {("TEE", False): 5, ("MUG", False): 1, ("TEE", True): 1}


def test_setting_what_is_so_already_writes_nothing() -> None:
    opened = basket({"k1": dot(quantity=2), "k2": dot(quantity=1)})
    assert rules.set_quantity(opened, "=1", dot(quantity=3), PEOPLE, HOUR) is None
    assert rules.set_quantity(opened, "=1", dot("MUG", 0), PEOPLE, HOUR) is None


def test_setting_to_nothing_removes() -> None:
    opened = basket({"k1": dot(quantity=2)})
    edit = rules.set_quantity(opened, "=1", dot(quantity=0), PEOPLE, HOUR)
    assert after(opened, edit) == {}


# --------------------------------------------------------------------------------------------------------- limits


def test_a_line_too_many_is_refused_but_old_lines_go_on() -> None:
    opened = basket({"a": dot("A"), "b": dot("B"), "c": dot("C", saved=True)})
    with pytest.raises(Problem) as refused:
        rules.add(opened, "k", dot("D"), SMALL, HOUR)
    assert (refused.value.status, refused.value.slug, refused.value.extra) == (409, "basket-full", {"limit": 3})
    assert after(opened, rules.add(opened, "k", dot("A"), SMALL, HOUR))["A", False] == 2


def test_a_basket_that_a_merge_made_too_long_can_still_be_edited() -> None:
    opened = basket({name: dot(name) for name in "ABCDE"})
    assert rules.set_quantity(opened, "=1", dot("A", 4), SMALL, HOUR) is not None
    assert rules.set_quantity(opened, "=1", dot("A", 0), SMALL, HOUR) is not None


def test_a_line_too_long_is_refused() -> None:
    opened = basket({"a": dot("A", 9)})
    assert rules.add(opened, "k", dot("A", 1), SMALL, HOUR) is not None
    with pytest.raises(Problem) as refused:
        rules.add(opened, "k", dot("A", 2), SMALL, HOUR)
    assert (refused.value.status, refused.value.slug) == (409, "quantity-limit")


def test_far_from_the_limits_an_edit_does_not_depend_on_what_others_do() -> None:
    far = rules.add(basket({"a": dot("A")}), "k", dot("A"), SMALL, HOUR)
    near_lines = rules.add(basket({"a": dot("A"), "b": dot("A"), "c": dot("A")}), "k", dot("A"), SMALL, HOUR)
    near_pieces = rules.add(basket({"a": dot("A", 5), "b": dot("B", 5)}), "k", dot("A", 5), SMALL, HOUR)
    assert [edit.strict for edit in (far, near_lines, near_pieces) if edit] == [False, True, True]


def test_too_many_dots_are_folded_without_losing_a_piece_or_where_they_came_from() -> None:
    # GIVEN a basket of more dots than lines may be: 3 of one line, 2 that came with a merge
    dots = {f"k{place}": dot("A", at=place) for place in range(3)} | {
        f"m{place}": dot("A", at=9, origin=TAG) for place in range(2)
    }
    opened = basket(dots)
    # WHEN one more is added
    edit = rules.add(opened, "new", dot("A"), SMALL, HOUR)
    # THEN
    assert edit is not None
    assert edit.strict
    assert after(opened, edit) == {("A", False): 6}
    folded = [each for name, each in edit.put.items() if name.startswith("=")]
    assert [(each.quantity, each.origin, each.at) for each in folded] == [(3, None, 0), (2, TAG, 9)]
    assert "new" in edit.put


def test_a_folded_name_is_never_one_that_was_there() -> None:
    one = rules.fold({"a": dot(), "b": dot()}, Edit("x"), keep=1)
    two = rules.fold({"a": dot(), "c": dot()}, Edit("x"), keep=1)
    assert set(one.put) != set(two.put)


def test_names_of_gone_dots_are_forgotten_after_a_day_and_limited_before() -> None:
    old, young = (HOUR - 26) * 10_000, (HOUR - 1) * 10_000
    edit = rules.add(basket(recent={"o1": old, "o2": old, "y": young}), "k", dot(), SMALL, HOUR)
    assert edit is not None
    assert edit.forget == ("o1", "o2")
    with pytest.raises(Problem) as refused:
        rules.add(basket(recent={f"y{place}": young for place in range(4)}), "k", dot(), SMALL, HOUR)
    assert refused.value.status == 429


# -------------------------------------------------------------------------------------------------- device's logs


def op(seq: int, kind: Kind, sku: str = "TEE", quantity: int = 1, seen: tuple[str, ...] | None = None) -> Operation:
    proof = operations.proof_of(kind, sku, quantity, seen, datetime(2026, 11, 21, 9, 30, tzinfo=UTC))
    return Operation(seq, kind, dot(sku, quantity, at=seq), seen, proof)


def test_a_log_applies_in_order_and_once() -> None:
    log = [op(1, "add", quantity=2), op(2, "add"), op(3, "set", quantity=5, seen=("till|1",))]
    edit = operations.apply(basket(), "till", log, 0, TRADE, HOUR)
    assert edit is not None
    assert after(basket(), edit) == {("TEE", False): 6}
    assert (edit.was_seq, edit.seq) == (0, 3)
    # WHEN it comes again, with more behind it
    again = basket(edit.put)
    assert operations.apply(again, "till", log, 3, TRADE, HOUR) is None
    more = operations.apply(again, "till", [*log, op(4, "remove", seen=("till|2",))], 3, TRADE, HOUR)
    assert after(again, more) == {("TEE", False): 5}


@pytest.mark.parametrize(("first", "applied", "expected"), [(2, 0, 1), (7, 3, 4)])
def test_a_gap_is_refused_with_what_is_expected(first: int, applied: int, expected: int) -> None:
    with pytest.raises(Problem) as refused:
        operations.apply(basket(), "till", [op(first, "add")], applied, TRADE, HOUR)
    assert (refused.value.status, refused.value.extra["expected_seq"]) == (409, expected)


def test_two_devices_under_one_name_are_told_rather_than_one_of_them_lost() -> None:
    there = op(1, "add", "TEE", 2)
    proofs = {1: there.proof}
    for other in (op(1, "add", "MUG", 2), op(1, "add", "TEE", 1), op(1, "remove", "TEE", 0)):
        with pytest.raises(Problem) as refused:
            operations.check_repeats([other], 1, proofs)
        assert refused.value.slug == "sequence-conflict"
    operations.check_repeats([there, op(2, "add")], 1, proofs)
    with pytest.raises(Problem):  # what cannot be proved is not taken for a repeat
        operations.check_repeats([there], 1, {})


def test_a_proof_tells_operations_apart_by_all_they_say() -> None:
    at = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    said = [
        ("add", "TEE", 1, None, at),
        ("set", "TEE", 1, None, at),
        ("add", "MUG", 1, None, at),
        ("add", "TEE", 2, None, at),
        ("remove", "TEE", None, None, at),
        ("remove", "TEE", None, (), at),
        ("remove", "TEE", None, ("a",), at),
        ("add", "TEE", 1, None, at + timedelta(microseconds=1)),
    ]
    assert len({operations.proof_of(*each) for each in said}) == len(said)
    abroad = at.astimezone(timezone(timedelta(hours=5)))
    assert operations.proof_of("add", "TEE", 1, None, at) == operations.proof_of("add", "TEE", 1, None, abroad)


def test_what_a_device_did_not_see_survives_its_removal() -> None:
    opened = basket({"k1": dot(quantity=2), "k2": dot(quantity=3)})
    edit = operations.apply(opened, "till", [op(1, "remove", seen=("k1",))], 0, TRADE, HOUR)
    assert after(opened, edit) == {("TEE", False): 3}
    nothing = operations.apply(opened, "till", [op(1, "remove", seen=())], 0, TRADE, HOUR)
    assert after(opened, nothing) == {("TEE", False): 5}


def test_a_device_that_does_not_say_what_it_saw_means_the_line_as_it_is() -> None:
    opened = basket({"k1": dot(quantity=2), "k2": dot(quantity=3), "s": dot(saved=True)})
    edit = operations.apply(opened, "till", [op(1, "remove")], 0, TRADE, HOUR)
    assert after(opened, edit) == {("TEE", True): 1}


def test_only_dots_of_the_line_can_be_named() -> None:
    opened = basket({"k1": dot("MUG")})
    edit = operations.apply(opened, "till", [op(1, "remove", "TEE", seen=("k1",))], 0, TRADE, HOUR)
    assert after(opened, edit) == {("MUG", False): 1}


def test_saving_for_later_and_back_keeps_who_added_it() -> None:
    opened = basket({"k1": dot(quantity=2, at=1, via="app"), "k2": dot(quantity=3, at=2)})
    saved = operations.apply(opened, "till", [op(1, "save_for_later")], 0, TRADE, HOUR)
    assert saved is not None
    assert saved.put == {"till|1": dot(quantity=5, at=1, via="app", saved=True)}
    there = basket(saved.put)
    back = operations.apply(there, "till", [op(1, "save_for_later"), op(2, "move_to_basket")], 1, TRADE, HOUR)
    assert back is not None
    assert back.put == {"till|2": dot(quantity=5, at=1, via="app")}
    assert set(back.drop) == {"till|1"}


def test_moving_what_is_gone_moves_nothing_but_counts() -> None:
    edit = operations.apply(basket(), "till", [op(1, "save_for_later")], 0, TRADE, HOUR)
    assert edit is not None
    assert (edit.put, edit.drop, edit.seq) == ({}, {}, 1)


def test_within_a_batch_later_operations_see_earlier_ones() -> None:
    log = [op(1, "add"), op(2, "save_for_later"), op(3, "move_to_basket"), op(4, "remove")]
    edit = operations.apply(basket(), "till", log, 0, TRADE, HOUR)
    assert edit is not None
    assert (edit.put, edit.drop) == ({}, {})


def test_only_adds_can_be_written_unseen() -> None:
    both = operations.adds_only("till", [op(4, "add"), op(5, "add", "MUG")])
    assert both is not None
    assert (set(both.put), both.was_seq, both.seq) == ({"till|4", "till|5"}, 3, 5)
    assert operations.adds_only("till", [op(4, "add"), op(5, "set")]) is None


# --------------------------------------------------------------------------------------------------------- merges


def test_merge_and_undo_are_the_identity() -> None:
    # GIVEN two baskets that the same till worked on
    a = item(
        {"till|1": dot("A", 2), "k": dot("B", via="app")},
        A,
        seen={"till": 1, "x": 4},
        recent={"r": 1},
        proofs={"till": ["p1"], "x": ["p3", "p4"]},
    )
    b = item({"till|1": dot("C", 3)}, B, seen={"till": 9})
    # WHEN a is taken into b, and out again
    what = merging.taken(a)
    merged = b | {"dots": b["dots"] | what.dots, "seen": b["seen"] | what.seen, "recent": what.recent}
    merged["proofs"] = what.proofs
    assert baskets.quantities(merged["dots"]) == {"A": 2, "C": 3, "B": 1}
    back = merging.returned(a | {"dots": {}}, merged, (what.seen, what.proofs))
    # THEN
    assert back.dots == a["dots"]
    assert (back.seen, back.proofs) == (a["seen"], a["proofs"])
    assert back.recent == a["recent"]
    assert {name: d for name, d in merged["dots"].items() if name not in back.leaves} == b["dots"]
    assert {writer: seq for writer, seq in merged["seen"].items() if writer not in back.forgets} == b["seen"]


def test_undo_leaves_what_was_touched_or_added_since_and_remembers_its_keys() -> None:
    a = item({"k1": dot("A"), "k2": dot("B")}, A)
    what = merging.taken(a)
    # GIVEN the owner set A anew, and an old tab added C through a's address; a till got further there
    edited = {name: d for name, d in what.dots.items() if name != "k1"} | {
        "=1": dot("A", 5).packed(),
        "k3": dot("C", through=TAG).packed(),
    }
    b = item({}, B) | {"dots": edited, "seen": {f"till@{TAG}": 6}}
    # WHEN
    logs = {f"idle@{TAG}": 3, f"till@{TAG}": 6}, {f"till@{TAG}": ["p6"]}
    back = merging.returned(a | {"dots": {}, "seen": {"till": 2, "idle": 1}}, b, logs)
    # THEN
    assert baskets.quantities(back.dots) == {"B": 1}
    assert set(back.recent) == {"k3"}
    assert back.seen == {"till": 6, "idle": 3}


def test_a_merge_never_makes_an_item_too_large() -> None:
    big = item({f"k{place}": dot("X" * 60, at=10**12) for place in range(2000)}, A)
    assert merging.fits(item({}), merging.taken(big))
    assert not merging.fits(big | {"basket_id": B}, merging.taken(big))


# ----------------------------------------------------------------------------------------------- the old address


def test_who_comes_by_an_old_address_sees_and_edits_only_what_came_that_way() -> None:
    mine = {"m": dot("A", 2, origin=TAG), f"till@{TAG}|2": dot("A", 1, through=TAG)}
    theirs = {"t": dot("A", 7), "u": dot("C")}
    opened = Opened(item(mine | theirs), through=TAG, partial=True)
    assert opened.basket_id == A
    assert opened.dots == mine
    assert [opened.name_there(name) for name in opened.dots] == ["m", "till|2"]
    edit = rules.set_quantity(opened, "=1", dot("A", 1), PEOPLE, HOUR)
    assert edit is not None
    assert set(edit.drop) == set(mine)
    assert edit.put["=1"].through == TAG
    ops = operations.apply(opened, f"till@{TAG}", [op(3, "remove", "A", seen=("till|2", "t"))], 2, PEOPLE, HOUR)
    assert ops is not None
    assert set(ops.drop) == {f"till@{TAG}|2"}
