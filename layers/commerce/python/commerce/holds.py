"""Stock as checkout and stock write it: take, release and sell, each one condition on one level item.

A level is `SKU#<sku>` / `LOC#<location>[#<shard>]` with `available = on_hand - reserved - safety`. Every fragment
keeps that equation, and only a fact (goods that are already gone) may drive `available` below zero.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from commerce import events, writes

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
        return f"SKU#{self.sku}", f"LOC#{self.location_id}" + (f"#{self.shard}" if self.shard else "")


@dataclass
class Shortage(Exception):
    """A level has less than was asked for."""

    hold: Hold
    available: int

    def __str__(self) -> str:
        return f"{self.hold.sku} at {self.hold.location_id}: {self.hold.quantity} wanted, {self.available} available"


def together(holds: Iterable[Hold]) -> list[Hold]:
    """One hold per level, sorted: two lines on one level must neither break the transaction nor bypass its check."""
    wanted: Counter[tuple[str, str, str | None]] = Counter()
    for hold in holds:
        wanted[hold.sku, hold.location_id, hold.shard] += hold.quantity
    return sorted(
        (Hold(sku, location, quantity, shard) for (sku, location, shard), quantity in wanted.items()),
        key=lambda hold: hold.key,
    )


def take(holds: Iterable[Hold]) -> list[writes.Write]:
    """Fragments: hold stock for an order. Refused with `Shortage` where a level has too little."""
    return [
        writes.update(
            "STOCK",
            hold.key,
            set=f"available = available - :q, reserved = reserved + :q, {_BUMP}",
            when="available >= :q",
            values={":q": hold.quantity, ":one": 1, ":event": events.of("stock.level_changed")},
            names=_NAMES,
            refused=lambda old, hold=hold: Shortage(hold, max(old["available"], 0) if old else 0),  # type: ignore[misc]
        )
        for hold in together(holds)
    ]


def release(holds: Iterable[Hold]) -> list[writes.Write]:
    """Fragments: an order gives its stock back."""
    return _settle(holds, "available = available + :q, reserved = reserved - :q")


def sell(holds: Iterable[Hold]) -> list[writes.Write]:
    """Fragments: held stock leaves the house."""
    return _settle(holds, "on_hand = on_hand - :q, reserved = reserved - :q")


def take_back(holds: Iterable[Hold]) -> list[writes.Write]:
    """Fragments: sold stock comes back (a paid order was cancelled before it was fulfilled)."""
    return _settle(holds, "on_hand = on_hand + :q, available = available + :q", when="attribute_exists(pk)")


def _settle(holds: Iterable[Hold], change: str, when: str = "reserved >= :q") -> list[writes.Write]:
    # `reserved >= q` always holds while each hold is settled once; if it ever fails, refusing beats inventing stock.
    return [
        writes.update(
            "STOCK",
            hold.key,
            set=f"{change}, {_BUMP}",
            when=when,
            values={":q": hold.quantity, ":one": 1, ":event": events.of("stock.level_changed")},
            names=_NAMES,
        )
        for hold in together(holds)
    ]
