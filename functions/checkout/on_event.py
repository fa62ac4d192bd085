"""The event door: payments tell what became of money, stock tells what it booked."""

from typing import Any

from checkout import settling
from commerce import consumer, events


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work off a batch of bus events; returns the partial batch response."""
    return consumer.consume(event, context, _handle)


def _handle(message: events.Envelope) -> None:
    if message.type == "stock.moved":
        settling.booked(events.StockMoved.model_validate(message.data))
    else:
        settling.told(message)
