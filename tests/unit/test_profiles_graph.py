"""Merging and unmerging as pure rules: whatever is done, the state follows from the merges that are in force."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from profiles.graph import MAX_MEMBERS, MAX_MERGES, Component, Merge, TooMany, merged, unmerged

NAMES = "abcdef"
Names = st.sampled_from(NAMES)


class People(RuleBasedStateMachine):
    """Any merges and unmerges among six profiles, against the definition: connected by merges = one person."""

    def __init__(self) -> None:
        super().__init__()
        self.of = {name: Component.alone(name) for name in NAMES}
        self.in_force: dict[str, tuple[str, str]] = {}
        self.number = itertools.count()

    def put(self, *components: Component) -> None:
        self.of |= {member: component for component in components for member in component.members}

    def merge(self, survivor: str, absorbed: str) -> str:
        merge_id = f"m{next(self.number)}"
        self.put(merged(self.of[survivor], self.of[absorbed], merge_id, survivor, absorbed, "now"))
        self.in_force[merge_id] = survivor, absorbed
        return merge_id

    def unmerge(self, merge_id: str) -> None:
        survivor, _ = self.in_force.pop(merge_id)
        self.put(*unmerged(self.of[survivor], merge_id))

    @rule(survivor=Names, absorbed=Names)
    def two_are_one(self, survivor: str, absorbed: str) -> None:
        if survivor != absorbed:
            self.merge(survivor, absorbed)
            assert self.of[absorbed].root == survivor

    @rule(pick=st.integers(0, 99))
    def they_are_not(self, pick: int) -> None:
        if self.in_force:
            self.unmerge(sorted(self.in_force)[pick % len(self.in_force)])

    @rule(survivor=Names, absorbed=Names)
    def merge_then_unmerge_is_identity(self, survivor: str, absorbed: str) -> None:
        if survivor != absorbed:
            before = {name: (each.members, each.merges, each.root) for name, each in self.of.items()}
            self.unmerge(self.merge(survivor, absorbed))
            assert {name: (each.members, each.merges, each.root) for name, each in self.of.items()} == before

    @rule()
    def undoing_all_leaves_everybody_alone(self) -> None:
        kept = dict(self.of), dict(self.in_force)
        for merge_id in sorted(self.in_force):
            self.unmerge(merge_id)
        assert all(each.members == {name} and each.root == name for name, each in self.of.items())
        self.of, self.in_force = kept

    @invariant()
    def one_person_is_what_merges_connect(self) -> None:
        for name in NAMES:
            seen, todo = {name}, [name]
            while todo:
                here = todo.pop()
                for pair in self.in_force.values():
                    if here in pair:
                        todo += [other for other in pair if other not in seen]
                        seen |= set(pair)
            assert self.of[name].members == seen

    @invariant()
    def members_agree(self) -> None:
        for name in NAMES:
            assert {self.of[member].root for member in self.of[name].members} == {self.of[name].root}
            assert {each.merge_id for each in self.of[name].merges} == {
                merge_id for merge_id, pair in self.in_force.items() if name in self.of[pair[0]].members
            }

    @invariant()
    def the_newest_merge_names_the_root(self) -> None:
        for component in self.of.values():
            if component.merges:
                # Older merges may tie (they were made apart), the newest never does.
                *_, newest = sorted(each.seq for each in component.merges)
                assert [each.seq for each in component.merges].count(newest) == 1
                assert component.root == max(component.merges, key=lambda each: each.seq).survivor_id


TestPeople = People.TestCase
TestPeople.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)


def _chain(*names: str) -> Component:
    """a absorbed b, then b absorbed c, ..."""
    component = Component.alone(names[0])
    for number, (survivor, absorbed) in enumerate(itertools.pairwise(names)):
        component = merged(component, Component.alone(absorbed), f"m{number}", survivor, absorbed, "now")
    return component


def test_a_chain_broken_in_the_middle_falls_into_two() -> None:
    # GIVEN a-b-c-d
    chain = _chain("a", "b", "c", "d")
    assert chain.root == "c"
    # WHEN the middle merge is undone
    left, right = unmerged(chain, "m1")
    # THEN each half has its own newest survivor
    assert (left.members, left.root) == ({"a", "b"}, "a")
    assert (right.members, right.root) == ({"c", "d"}, "c")


def test_a_cycle_holds_until_two_of_its_merges_are_undone() -> None:
    # GIVEN a-b-c-a
    chain = _chain("a", "b", "c")
    cycle = merged(chain, chain, "m9", "c", "a", "now")
    assert cycle.root == "c"
    # WHEN one is undone THEN they are still one
    (still,) = unmerged(cycle, "m0")
    assert still.members == {"a", "b", "c"}
    # WHEN another is undone THEN they are two
    assert {part.members for part in unmerged(still, "m9")} == {frozenset("a"), frozenset("bc")}


def test_merging_the_other_way_round_changes_who_survives_and_undoing_it_changes_it_back() -> None:
    pair = _chain("a", "b")
    turned = merged(pair, pair, "turn", "b", "a", "now")
    assert (pair.root, turned.root) == ("a", "b")
    (back,) = unmerged(turned, "turn")
    assert back.root == "a"


def test_a_merge_after_an_undone_one_is_newer_than_all_the_component_ever_had() -> None:
    one, two = unmerged(_chain("a", "b"), "m0")
    assert one.seq == two.seq == 1
    again = merged(two, one, "m1", "b", "a", "now")
    assert again.merge("m1") == Merge("m1", "b", "a", 2, "now")


@given(st.permutations(range(5)))
def test_the_order_of_undoing_does_not_matter(order: list[int]) -> None:
    # GIVEN five merges among four profiles, one of them redundant
    component = _chain("a", "b", "c", "d")
    component = merged(component, component, "m3", "a", "d", "now")
    component = merged(component, component, "m4", "d", "b", "now")
    # WHEN three are undone in any order
    parts = dict.fromkeys(component.members, component)
    for number in order[:3]:
        whole = next(part for part in parts.values() if part.merge(f"m{number}"))
        for part in unmerged(whole, f"m{number}"):
            parts |= dict.fromkeys(part.members, part)
    # THEN what is left depends only on which two remain
    left = sorted(f"m{number}" for number in order[3:])
    assert sorted(each.merge_id for part in set(parts.values()) for each in part.merges) == left
    for part in set(parts.values()):
        assert part.root == (
            max(part.merges, key=lambda each: each.seq).survivor_id if part.merges else min(part.members)
        )


def test_a_person_has_bounds() -> None:
    most = Component(frozenset(f"p{number}" for number in range(MAX_MEMBERS)))
    with pytest.raises(TooMany):
        merged(most, Component.alone("x"), "m", "p0", "x", "now")
    tangle = _chain("a", "b")
    for number in range(1, MAX_MERGES):
        tangle = merged(tangle, tangle, f"again{number}", "a", "b", "now")
    with pytest.raises(TooMany):
        merged(tangle, tangle, "one more", "a", "b", "now")
