"""Which profiles are the same person. Pure.

A merge never moves anything: it is an edge between two profiles, and taking the edge away undoes it. What follows from
the edges is computed, never remembered: profiles connected by merges are one person (a component), and the root, whose
id the golden record carries, is the survivor that the newest of those merges named. So a state is a function of the
set of its merges, and adding one and taking it away again leads back to exactly where it was: along chains, around
cycles, and in any order.

"Newest" is a counter of the component and never a clock: each merge takes one more than both sides had seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_MEMBERS = 90
"""A merge repoints its members in one transaction of at most 100 writes."""

MAX_MERGES = 150
"""Merges among members that are already one person keep nothing apart, but they are kept: this bounds the item."""


class TooMany(Exception):
    """More profiles or merges than one person can have."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Two profiles are one person, and the golden record is the survivor's. `seq` orders merges of one person."""

    merge_id: str
    survivor_id: str
    absorbed_id: str
    seq: int
    at: str


@dataclass(frozen=True, slots=True)
class Component:
    """Profiles that are one person. `seq` is the highest that any merge of theirs ever had, undone ones included."""

    members: frozenset[str]
    merges: frozenset[Merge] = frozenset()
    seq: int = 0

    @classmethod
    def alone(cls, profile_id: str) -> Component:
        """A profile that is merged with nobody."""
        return cls(frozenset({profile_id}))

    @property
    def root(self) -> str:
        """The profile whose id the person has."""
        if not self.merges:
            (only,) = self.members
            return only
        return max(self.merges, key=lambda merge: merge.seq).survivor_id

    def merge(self, merge_id: str) -> Merge | None:
        """One of its merges."""
        return next((merge for merge in self.merges if merge.merge_id == merge_id), None)


def merged(
    survivor: Component, absorbed: Component, merge_id: str, survivor_id: str, absorbed_id: str, at: str
) -> Component:
    """Both components as one person, whose root is `survivor_id`. They may be the same component already.

    Raises `TooMany`.
    """
    assert survivor_id in survivor.members
    assert absorbed_id in absorbed.members
    assert survivor_id != absorbed_id
    seq = max(survivor.seq, absorbed.seq) + 1
    merge = Merge(merge_id, survivor_id, absorbed_id, seq, at)
    both = Component(survivor.members | absorbed.members, survivor.merges | absorbed.merges | {merge}, seq)
    if len(both.members) > MAX_MEMBERS or len(both.merges) > MAX_MERGES:
        raise TooMany
    return both


def unmerged(component: Component, merge_id: str) -> tuple[Component, ...]:
    """What remains without that merge: two persons, or still one if other merges hold them together."""
    left = frozenset(merge for merge in component.merges if merge.merge_id != merge_id)
    assert len(left) < len(component.merges)
    return tuple(
        Component(members, frozenset(merge for merge in left if merge.survivor_id in members), component.seq)
        for members in _connected(component.members, left)
    )


def _connected(members: Iterable[str], merges: Iterable[Merge]) -> list[frozenset[str]]:
    """The members, grouped by what the merges connect; in a stable order."""
    group = {member: frozenset({member}) for member in members}
    for merge in merges:
        together = group[merge.survivor_id] | group[merge.absorbed_id]
        group.update(dict.fromkeys(together, together))
    return sorted(set(group.values()), key=min)
