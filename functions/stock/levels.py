"""What a movement does to the levels of one place: pure arithmetic over what was read.

A place has a base level and, if it is split, parts. Whatever comes in fills what is owed first; whatever leaves is
taken where it is available; only a fact may leave the base level below zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from commerce import holds

Level = dict[str, Any]


@dataclass
class NotEnough(Exception):
    """Less is available at the place than is to leave it."""

    available: int

    def __str__(self) -> str:
        return f"{self.available} available"


@dataclass(frozen=True, slots=True)
class Oversold:
    """More has gone than was free: `missing` promised units are not there, `orders` are those at risk."""

    missing: int
    orders: list[str]


@dataclass(frozen=True, slots=True)
class Change:
    """`units` more (or fewer) on hand in one level as it was seen (`version` 0: it does not exist yet).

    `exact`: only if what is on hand there still is what was seen. A split level sells too much for that; there the
    amounts alone must fit.
    """

    level: Level
    units: int
    oversold: Oversold | None = None
    exact: bool = True


def absent(sku: str, location_id: str, safety: int, shard: str | None = None) -> Level:
    """Stands for a level that does not exist yet."""
    return holds.new_level(sku, location_id, 0, safety=safety, shard=shard) | {"version": 0}


def on_hand(levels: Sequence[Level]) -> int:
    """Units on hand at a place."""
    return sum(level["on_hand"] for level in levels)


def counted(levels: Sequence[Level], found: int) -> list[Change]:
    """A count found `found` units: the difference is booked. Levels it leaves alone come too, with no change:
    the difference is only true if none of them moved since."""
    difference = found - on_hand(levels)
    changes = lowered(levels, -difference, fact=True) if difference < 0 else raised(levels, difference)
    touched = {change.level["sk"] for change in changes}
    exact = [replace(change, exact=True) for change in changes]
    return exact + [Change(level, 0) for level in levels if level["sk"] not in touched]


def raised(levels: Sequence[Level], units: int) -> list[Change]:
    """`units` (0 or more) come in: first into what the base level owes, the rest evenly over the parts, if any."""
    base, parts = levels[0], levels[1 : 1 + levels[0].get("active", 0)]
    if not units:
        return []
    if not parts:
        return [Change(base, units)]
    owed = min(units, max(0, -base["available"]))
    share, extra = divmod(units - owed, len(parts))
    shares = [(base, owed), *((part, share + (place < extra)) for place, part in enumerate(parts))]
    return [Change(level, amount, exact=False) for level, amount in shares if amount]


def lowered(levels: Sequence[Level], units: int, *, fact: bool) -> list[Change]:
    """`units` leave. Raises `NotEnough` unless it is a `fact`: then the base level takes what nobody has."""
    free = holds.available(levels)
    if units > free and not fact:
        raise NotEnough(free)
    taken: dict[str, int] = {}
    left = units
    for level in sorted(levels, key=lambda one: (-one["available"], one["sk"])):
        taken[level["sk"]] = amount = min(left, max(0, level["available"]))
        left -= amount
    taken[levels[0]["sk"]] += left
    touched = [level for level in levels if taken[level["sk"]]]
    oversold = _oversold(levels, units) if units > sum(level["available"] for level in levels) else None
    return [
        Change(level, -taken[level["sk"]], oversold if level is touched[0] else None, exact=len(levels) == 1)
        for level in touched
    ]


def _oversold(levels: Sequence[Level], units: int) -> Oversold:
    """Who may have to wait: the newest orders that hold what is missing."""
    promised = sum(level["reserved"] for level in levels)
    missing = min(promised, max(0, promised - (on_hand(levels) - units)))
    orders, uncovered = [], missing
    for order_id, _, quantity in holds.holders(levels):
        if uncovered <= 0:
            break
        orders.append(order_id)
        uncovered -= quantity
    return Oversold(missing, orders)


def rebalanced(levels: Sequence[Level], active: int, percent: int = 100) -> list[Change]:
    """Divide what is available evenly over the first `active` parts (0: all of it goes back to the base level).

    What is held stays where it is held. Only `percent` of what a level would give moves: under a stream of takes
    whoever tries to move everything is always too late.
    """
    base, parts = levels[0], levels[1:]
    free = max(0, sum(level["available"] for level in levels))
    share, extra = divmod(free, active) if active else (0, 0)
    goals = [0 if active else free] + [share + (place < extra) if place < active else 0 for place in range(len(parts))]
    wishes = [(level, goal - level["available"]) for level, goal in zip([base, *parts], goals, strict=True)]
    gives = {level["sk"]: -wish * percent // 100 for level, wish in wishes if wish < 0}
    left = sum(gives.values())
    changes = []
    for level, wish in wishes:
        units = min(left, wish) if wish > 0 else -gives.get(level["sk"], 0)
        left -= max(0, units)
        if units:
            changes.append(Change(level, units, exact=False))
    return changes
