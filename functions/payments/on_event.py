"""The event door: give back what an order must not keep."""

from typing import Any

from commerce import events, log
from commerce.consumer import consume
from payments import naming, refunding


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Refund what `order.refund_due` and `order.cancelled` name, exactly once each."""
    return consume(event, context, handle)


def handle(message: events.Envelope) -> None:
    """One order event. A repeat finds the refunds made: they are named after the event."""
    if message.type == "order.refund_due":
        due = events.OrderRefundDue.model_validate(message.data)
        _refund(message, due.order_id, due.refunds, due.reason)
    elif message.type == "order.cancelled":
        cancelled = events.OrderCancelled.model_validate(message.data)
        _refund(message, cancelled.order_id, cancelled.refunds, "cancelled")


def _refund(message: events.Envelope, order_id: str, refunds: list[events.RefundDue], reason: str) -> None:
    for each in refunds:
        if each.amount <= 0:
            continue
        name = naming.of_refund(order_id, each.payment_id, message.id)
        wish = refunding.Wish(name, each.payment_id, each.amount, reason[:200], message.id, at_most=True)
        made = refunding.refund(wish)
        status = made.fact.status if made else "nothing left"
        log.outcome("refund", order_id=order_id, payment_id=each.payment_id, refund_id=name, status=status)
