"""Door: what happened elsewhere becomes a person's history."""

from typing import Any

from commerce import consumer, events
from profiles import history
from profiles.entries import entry_of


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Keep one entry per event; the partial batch response."""
    return consumer.consume(event, context, _keep)


def _keep(message: events.Envelope) -> None:
    """Anonymous baskets and orders are nobody's history; what is told again was told before."""
    data = events.TYPES[message.type].model_validate(message.data).model_dump(exclude_none=True)
    if data.get("customer_id") and not data.get("again"):
        history.append(data["customer_id"], message.time, message.id, entry_of(message.type, data))
