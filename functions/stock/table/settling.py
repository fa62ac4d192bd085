"""The ends of orders: each portion of an order is settled in one transaction, exactly once.

The first movement of a portion says so (`part` of `parts`), which is what the order waits for. An order that asks
again, because it has not heard, is told again.
"""

from collections.abc import Sequence
from datetime import datetime

from commerce import holds, problems, writes
from stock.orders import Slot
from stock.table.movements import AlreadyMoved, put_movement, tell_again

_TURNS = 4


def sell(chunk: Sequence[Slot], asked_by: int | None = None) -> bool:
    """Held goods leave. False if these slots were written before (sold, or cancelled first).

    `asked_by` is the version of an order that asks again.
    """
    try:
        writes.commit(
            holds.sell((slot.hold for slot in chunk), chunk[0].order_id),
            (put_movement(slot.sale()) for slot in chunk),
        )
    except writes.Refused as refused:
        if booked := refused.first(AlreadyMoved):
            return _booked(booked, asked_by)
        raise
    return True


def take_back(chunk: Sequence[Slot], cancelled_at: datetime, asked_by: int | None = None) -> bool:
    """A paid order was cancelled: sold goods come back, goods not sold yet are released and can never be sold.

    False if that was done before.
    """
    for _ in range(_TURNS):
        # Nearly always the sale came first, so that is tried first. Slots of a portion are always written together:
        # the first one speaks for all.
        try:
            writes.commit(
                _was_sold(chunk[0]),
                holds.take_back(slot.hold for slot in chunk),
                (put_movement(slot.back(cancelled_at)) for slot in chunk),
            )
        except writes.Refused as refused:
            if booked := refused.first(AlreadyMoved):
                return _booked(booked, asked_by)
            if not refused.first(NotSold):
                raise
        else:
            return True
        try:
            writes.commit(
                holds.release((slot.hold for slot in chunk), chunk[0].order_id),
                (put_movement(slot.never_left(), silent=slot.part is None) for slot in chunk),
            )
        except writes.Refused as refused:
            taken = refused.first(AlreadyMoved)
            if taken is None:
                raise
            if taken.movement["kind"] == "cancellation":
                return _booked(taken, asked_by)
            # The sale came between the two tries: once more from the top.
        else:
            return True
    raise problems.busy()


def _booked(before: AlreadyMoved, asked_by: int | None) -> bool:
    """This portion was settled before; whoever asks again is told again. Always False."""
    if asked_by is not None:
        tell_again(before.movement, asked_by)
    return False


class NotSold(Exception):
    """The goods of this order have not left."""


def _was_sold(slot: Slot) -> writes.Write:
    return writes.check(
        "STOCK",
        (f"SKU#{slot.hold.sku}", f"MOVE#{slot.movement_id}"),
        when="kind = :sale",
        values={":sale": "sale"},
        refused=lambda old: NotSold(),
    )
