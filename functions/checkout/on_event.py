"""The event door: payments tell what was captured or is pending."""

from typing import Any

from checkout import settling
from commerce import consumer, events


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work off a batch of bus events; returns the partial batch response."""
    return consumer.consume(event, context, _handle)


def _handle(message: events.Envelope) -> None:
    match message.type:
        case "payment.captured":
            settling.captured(events.PaymentCaptured.model_validate(message.data))
        case "payment.authorized":
            settling.pending(events.PaymentAuthorized.model_validate(message.data))
