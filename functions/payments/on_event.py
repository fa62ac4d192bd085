"""The event door: give back what an order must not keep, and ask nobody to pay for an order that ended."""

from typing import Any

from commerce import clock, events, log
from commerce.consumer import consume
from payments import books, naming, refunding, table


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Refund what orders must not keep, exactly once each; close what nobody may pay any more."""
    return consume(event, context, handle)


def handle(message: events.Envelope) -> None:
    """One order event. A repeat finds the refunds made: they are named after the event."""
    if message.type == "order.refund_due":
        due = events.OrderRefundDue.model_validate(message.data)
        _refund(message, due.order_id, due.refunds, due.reason)
    elif message.type == "order.cancelled":
        cancelled = events.OrderCancelled.model_validate(message.data)
        _refund(message, cancelled.order_id, cancelled.refunds, "cancelled")
        _close(cancelled.order_id)
    elif message.type == "order.expired":
        _close(events.OrderExpired.model_validate(message.data).order_id)


def _refund(message: events.Envelope, order_id: str, refunds: list[events.RefundDue], reason: str) -> None:
    for each in refunds:
        if each.amount <= 0:
            continue
        name = naming.of_refund(order_id, each.payment_id, message.id)
        wish = refunding.Wish(name, each.payment_id, each.amount, reason[:200], message.id, at_most=True)
        made = refunding.refund(wish)
        status = made.fact.status if made else "nothing left"
        log.outcome("refund", order_id=order_id, payment_id=each.payment_id, refund_id=name, status=status)


def _close(order_id: str) -> None:
    """Have the sweep look now at what is open for the order: it closes that at the provider."""
    _, known = table.payable(order_id)
    for payment in table.payments(known):
        if "due" in payment:
            books.look_again(payment, clock.iso())
