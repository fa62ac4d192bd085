"""Stock as checkout and stock write it: take, release and sell, each one condition on one level item.

A level is `SKU#<sku>` / `LOC#<location>[#<shard>]` with `available = on_hand - reserved - safety`. Every fragment
keeps that equation, and only a fact (goods that are already gone) may drive promised goods below zero.

A level that is written too often is split: the base level (no shard) says how many parts there are in `shards`, the
stock of the place is the sum over base and parts, and a hold names the part it was taken from.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from commerce import clock, events, ids, writes

Level = Mapping[str, Any]
"""A level item as read."""

NAMED_HOLDERS = 16
"""So many of the newest unsettled orders a level item names. With them it stays under 1 KB, the next price step."""

_BUMP = "#v = #v + :one, #e = :event"
_NAMES = {"#v": "version", "#e": "event"}


@dataclass(frozen=True, order=True, slots=True)
class Hold:
    """`quantity` of a SKU at a location (and shard, if that level is split)."""

    sku: str
    location_id: str
    quantity: int
    shard: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The level's key in the stock table."""
        return level_key(self.sku, self.location_id, self.shard)


@dataclass
class Shortage(Exception):
    """A level has less than was asked for."""

    hold: Hold
    available: int

    def __str__(self) -> str:
        return f"{self.hold.sku} at {self.hold.location_id}: {self.hold.quantity} wanted, {self.available} available"


def level_key(sku: str, location_id: str, shard: str | None = None) -> tuple[str, str]:
    """The key of a level in the stock table."""
    return f"SKU#{sku}", f"LOC#{location_id}" + (f"#{shard}" if shard else "")


def new_level(
    sku: str, location_id: str, on_hand: int, *, reserved: int = 0, safety: int = 0, shard: str | None = None
) -> dict[str, Any]:
    """A level item that does not exist yet. `stocked_at` (base levels only) lists it in the index of its location."""
    pk, sk = level_key(sku, location_id, shard)
    level = {
        "pk": pk, "sk": sk, "sku": sku, "location_id": location_id, "on_hand": on_hand, "reserved": reserved,
        "safety": safety, "available": on_hand - reserved - safety, "version": 1,
        "event": events.of("stock.level_changed"),
    }  # fmt: skip
    return level | ({"shard": shard} if shard else {"stocked_at": location_id})


def parts_of(levels: Iterable[Level]) -> list[tuple[str, str]]:
    """Keys of the parts of every split level among `levels`: read them too, they hold stock as well."""
    return [
        level_key(level["sku"], level["location_id"], str(part))
        for level in levels
        for part in range(level.get("shards", 0))
    ]


def available(levels: Iterable[Level]) -> int:
    """What one place can promise of one SKU: the sum over its base level and parts, never below zero."""
    return max(0, sum(int(level["available"]) for level in levels))


def spread(levels: Iterable[Level], wanted: int) -> list[Hold]:
    """Holds for `wanted` units of one SKU at one place, given all its levels; empty if together they have too few.

    Any level that has enough by itself may be the one, at random, so that takers do not queue up at the same part;
    otherwise as few levels as possible. If `take` is then refused with a `Shortage`, others were faster: read the
    levels again and spread again, and only when that is empty the goods are sold out.
    """
    levels = list(levels)
    if available(levels) < wanted:
        return []
    usable = [level for level in levels if level["available"] > 0]
    enough = [level for level in usable if level["available"] >= wanted]
    if enough:
        return [_hold(enough[ids.random_bytes(1)[0] % len(enough)], wanted)]
    holds = []
    for level in sorted(usable, key=lambda one: -one["available"]):
        holds.append(_hold(level, min(wanted, level["available"])))
        wanted -= holds[-1].quantity
        if not wanted:
            break
    return holds


def _hold(level: Level, quantity: int) -> Hold:
    return Hold(level["sku"], level["location_id"], quantity, level.get("shard"))


def together(holds: Iterable[Hold]) -> list[Hold]:
    """One hold per level, sorted: two lines on one level must neither break the transaction nor bypass its check."""
    wanted: Counter[tuple[str, str, str | None]] = Counter()
    for hold in holds:
        wanted[hold.sku, hold.location_id, hold.shard] += hold.quantity
    return sorted(
        (Hold(sku, location, quantity, shard) for (sku, location, shard), quantity in wanted.items()),
        key=lambda hold: hold.key,
    )


def take(
    holds: Iterable[Hold], order_id: str | None = None, seen: Mapping[tuple[str, str], Level] | None = None
) -> list[writes.Write]:
    """Fragments: hold stock for an order. Refused with `Shortage` where a level has too little.

    With `order_id` and the levels as they were `seen` (by key), each level also notes who holds it: a till's sale that
    leaves too little can then name the orders at risk. Oldest notes make room, so a level never grows.
    """
    return [_take(hold, order_id, (seen or {}).get(hold.key)) for hold in together(holds)]


def _take(hold: Hold, order_id: str | None, seen: Level | None) -> writes.Write:
    names, note, forget = dict(_NAMES), "", ""
    values: dict[str, Any] = {":q": hold.quantity, ":one": 1}
    if order_id and seen is not None:
        names["#holder"] = _HOLDER + order_id
        values[":holder"] = [clock.epoch_after(0), hold.quantity]
        known = [name for name, _, _ in holders([seen]) if name != order_id]
        old = {f"#old{place}": _HOLDER + name for place, name in enumerate(known[NAMED_HOLDERS - 1 :])}
        names |= old
        note, forget = ", #holder = :holder", ", ".join(old)
    return writes.update(
        "STOCK",
        hold.key,
        set=f"available = available - :q, reserved = reserved + :q, {_BUMP}{note}",
        remove=forget,
        when="available >= :q",
        values=values | {":event": events.of("stock.level_changed")},
        names=names,
        refused=lambda old: Shortage(hold, max(old["available"], 0) if old else 0),
    )


_HOLDER = "h:"
"""Attributes `h:<order_id>` = [taken at (epoch seconds), quantity]. Attributes of their own, because a take, release or
sale can then set or drop one without reading the others."""


def holders(levels: Iterable[Level]) -> list[tuple[str, int, int]]:
    """The newest orders that hold stock here and are not settled: (order id, taken at, quantity), newest first."""
    found = [
        (name.removeprefix(_HOLDER), int(note[0]), int(note[1]))
        for level in levels
        for name, note in level.items()
        if name.startswith(_HOLDER)
    ]
    return sorted(found, key=lambda holder: (-holder[1], holder[0]))


def release(holds: Iterable[Hold], order_id: str | None = None) -> list[writes.Write]:
    """Fragments: an order gives its stock back."""
    return _settle(holds, "available = available + :q, reserved = reserved - :q", order_id)


def sell(holds: Iterable[Hold], order_id: str | None = None) -> list[writes.Write]:
    """Fragments: held stock leaves the house."""
    return _settle(holds, "on_hand = on_hand - :q, reserved = reserved - :q", order_id)


def take_back(holds: Iterable[Hold]) -> list[writes.Write]:
    """Fragments: sold stock comes back (a paid order was cancelled before it was fulfilled).

    It comes back to the base level: the part it was taken from may have been joined again meanwhile.
    """
    at_base = [Hold(hold.sku, hold.location_id, hold.quantity) for hold in holds]
    return _settle(at_base, "on_hand = on_hand + :q, available = available + :q", when="attribute_exists(pk)")


def _settle(
    holds: Iterable[Hold], change: str, order_id: str | None = None, when: str = "reserved >= :q"
) -> list[writes.Write]:
    # `reserved >= q` always holds while each hold is settled once; if it ever fails, refusing beats inventing stock.
    return [
        writes.update(
            "STOCK",
            hold.key,
            set=f"{change}, {_BUMP}",
            remove="#holder" if order_id else "",
            when=when,
            values={":q": hold.quantity, ":one": 1, ":event": events.of("stock.level_changed")},
            names=_NAMES | ({"#holder": _HOLDER + order_id} if order_id else {}),
        )
        for hold in together(holds)
    ]
