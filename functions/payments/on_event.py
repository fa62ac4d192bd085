"""The event door: give back what an order must not keep, and ask nobody to pay for an order that ended."""

from typing import Any

from commerce import clock, events
from commerce.consumer import consume
from payments import books, returning, table


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Refund what orders must not keep, exactly once each; close what nobody may pay any more."""
    return consume(event, context, handle)


def handle(message: events.Envelope) -> None:
    """One order event. A repeat finds what it asks for asked: only totals count."""
    if message.type == "order.refund_due":
        due = events.OrderRefundDue.model_validate(message.data)
        _give_back(message, due, due.refunds, due.reason)
    elif message.type == "order.cancelled":
        cancelled = events.OrderCancelled.model_validate(message.data)
        _give_back(message, cancelled, cancelled.refunds, "cancelled")
        _close(cancelled.order_id)
    elif message.type == "order.expired":
        _close(events.OrderExpired.model_validate(message.data).order_id)


def _give_back(message: events.Envelope, order: events.Order, refunds: list[events.RefundDue], reason: str) -> None:
    for each in refunds:
        returning.asked(order.order_id, each, reason, message, bool(order.again))


def _close(order_id: str) -> None:
    """Have the sweep look now at what is open for the order: it closes that at the provider."""
    _, known = table.payable(order_id)
    for payment in table.payments(known):
        if "due" in payment and payment["provider"] != "cash":  # cash has no page: what is owed of it waits for people
            books.look_again(payment, clock.iso())
