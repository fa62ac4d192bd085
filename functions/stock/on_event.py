"""Door: paid orders sell what they hold; cancelled ones give it back."""

from typing import Any

from commerce import clock, consumer, events, inbox
from stock import orders
from stock.table import settling


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An SQS batch of `order.paid` and `order.cancelled`."""
    return consumer.consume(event, context, handle)


def handle(message: events.Envelope) -> None:
    """Settle the order's stock, portion by portion; those settled before are passed over."""
    if message.type == "order.paid":
        order = events.OrderPaid.model_validate(message.data)
        asked_by = events.version_of(message) if order.again else None
        done = [settling.sell(chunk, asked_by) for chunk in orders.chunks(orders.slots(order))]
    elif message.type == "order.cancelled":
        cancelled = events.OrderCancelled.model_validate(message.data)
        if not cancelled.was_paid:
            return  # the cancel itself released what was held
        at = clock.parse(cancelled.cancelled_at or message.time)
        asked_by = events.version_of(message) if cancelled.again else None
        done = [settling.take_back(chunk, at, asked_by) for chunk in orders.chunks(orders.slots(cancelled))]
    else:
        return
    if not any(done):
        raise inbox.AlreadyHandled(message.id)
