"""What an order's end does to stock: which goods leave, which come back, in chunks one transaction can carry.

Each level an order takes from has one slot in the history: the movement whose id follows from the order and the level.
Whoever writes the slot first decides: the sale, or the cancellation that came before it. Slots never expire, so
replaying the whole bus years later changes nothing.

    paid, then cancelled:   slot = sale           then a second movement brings the goods back
    cancelled, then paid:   slot = cancellation   (the hold is released; the sale then finds the slot taken)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from commerce import events, holds
from commerce.holds import Hold
from stock.movements import as_text, derived_id

LEVELS_AT_ONCE = 45
"""A level and its movement are two writes; with one check they fit a transaction of 100."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What one order does to one level."""

    hold: Hold
    order_id: str
    order_number: str
    paid_at: datetime
    part: int | None = None
    parts: int | None = None
    """Only of the first slot of a portion: which portion of how many this is."""

    @property
    def movement_id(self) -> str:
        """The id of the movement in this slot."""
        return derived_id(self.paid_at, "sale", self.order_id, *self.hold.key)

    def sale(self) -> dict[str, Any]:
        """The goods leave."""
        return self._movement(self.movement_id, "sale", -self.hold.quantity, self.paid_at)

    def never_left(self) -> dict[str, Any]:
        """The order was cancelled before its goods left: nothing moved."""
        return self._movement(self.movement_id, "cancellation", 0, self.paid_at)

    def back(self, cancelled_at: datetime) -> dict[str, Any]:
        """The goods come back. `cancelled_at` is the moment the event tells: the same in every delivery of it."""
        movement_id = derived_id(cancelled_at, "cancellation", self.order_id, *self.hold.key)
        return self._movement(movement_id, "cancellation", self.hold.quantity, cancelled_at)

    def _movement(self, movement_id: str, kind: str, quantity: int, at: datetime) -> dict[str, Any]:
        portion = {"part": self.part, "parts": self.parts} if self.part else {}
        return portion | {
            "movement_id": movement_id,
            "kind": kind,
            "sku": self.hold.sku,
            "location_id": self.hold.location_id,
            "quantity": quantity,
            "order_id": self.order_id,
            "reference": self.order_number,
            "at": as_text(at),
        }


def slots(order: events.OrderPaid | events.OrderCancelled) -> list[Slot]:
    """The slots of an order, sorted. The same order has the same slots in every event.

    Raises ValueError for an order that was never paid: it sold nothing.
    """
    if not order.paid_at:
        raise ValueError("an order without paid_at sold nothing")
    wanted = holds.together(Hold(line.sku, line.location_id, line.quantity, line.shard) for line in order.lines)
    return [Slot(hold, order.order_id, order.order_number, datetime.fromisoformat(order.paid_at)) for hold in wanted]


def chunks(all_slots: Sequence[Slot]) -> Iterator[Sequence[Slot]]:
    """In portions of one transaction: a portion is settled whole or not at all, and its first slot names it."""
    starts = range(0, len(all_slots), LEVELS_AT_ONCE)
    for part, start in enumerate(starts, 1):
        first = replace(all_slots[start], part=part, parts=len(starts))
        yield [first, *all_slots[start + 1 : start + LEVELS_AT_ONCE]]
