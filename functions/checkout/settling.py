"""What payments mean to an order: paid, more time, paid late, or money that must go back.

One delivery applies one step after another until the rules have nothing more to say; each step is one conditional
write. A delivery that is lost half-way, repeated or overtaken ends in the same place.
"""

from checkout import chunks, seen, sourcing, table
from checkout import order as rules
from checkout.order import Order, Step
from checkout.seen import Levels
from checkout.sourcing import Plan
from commerce import clock, events, markets, problems, writes
from commerce.holds import Hold
from commerce.pricing import PricedLine

_RACES = 8


class UnknownOrder(Exception):
    """No order of ours: the event goes back to the queue and, if nobody finds the order, to its DLQ."""


class NotNow(Exception):
    """The order is being placed or unwound: the queue brings the event again when that is done."""


def captured(payment: events.PaymentCaptured) -> None:
    """A payment's captured total is known. Raises UnknownOrder and NotNow."""
    order: Order | None = None
    for _ in range(_RACES):
        order = order or _settled(payment.order_id)
        if payment.currency != order["currency"]:
            raise ValueError(f"order {payment.order_id} is not paid in {payment.currency}")
        step = rules.next_step(order, payment.payment_id, payment.captured)
        if step is None:
            return
        try:
            order = rules.after(order, _take(order, step))
        except writes.Refused:
            order = None  # it has moved on: look again
    raise problems.busy()


def refund_rest(order: Order) -> None:
    """An order that ended keeps nothing: part payments go back."""
    step = rules.next_step(order)
    if step is not None and step.kind == "refund":
        table.owe(order, step)


def pending(payment: events.PaymentAuthorized) -> None:
    """A payment is on its way: the payer gets the market's hold time from now, once. Raises UnknownOrder and NotNow."""
    for _ in range(_RACES):
        order = _settled(payment.order_id)
        until = clock.after(markets.get(order["market"]).hold_seconds)
        if order["state"] != "placed" or "first_pay_by" in order or until <= order["pay_by"]:
            return
        try:
            table.extend(order, until)
        except writes.Refused:
            continue
        return
    raise problems.busy()


def _settled(order_id: str) -> Order:
    order = table.read(order_id)
    if order is None:
        raise UnknownOrder(order_id)
    if order["state"] == "placing" or "unwinding" in order:
        raise NotNow(order_id)
    return order


def _take(order: Order, step: Step) -> Step:
    """Write a step; the one that was written, as a late payment may end in a refund."""
    match step.kind:
        case "paid":
            table.pay(order, step)
        case "note":
            table.note(order, step)
        case "refund":
            table.owe(order, step)
        case "retake":
            return _retake(order, step)
    return step


def _retake(order: Order, step: Step) -> Step:
    """Paid after it expired: from wherever it can come now, else the money back. Lost races come here again."""
    # What one transaction cannot take again goes back: half a late order helps nobody.
    reason = "late" if chunks.is_big(order) else "out-of-stock"
    priced = rules.whole_lines(order)
    held, levels = ([], None) if chunks.is_big(order) else _available_again(order, priced)
    if levels is None or not 0 < len(held) <= table.CHUNK:
        instead = rules.refund_instead(order, step, reason)
        table.owe(order, instead)
        return instead
    table.pay_late(order, step, rules.order_lines(priced, held), levels, table.open_basket(order["basket_id"]))
    return step


def _available_again(order: Order, priced: list[PricedLine]) -> tuple[list[Hold], Levels]:
    """Where an order's lines could come from now (nothing if they cannot), and the levels that say so."""
    quantities = {line.sku: line.quantity for line in priced}
    market = markets.get(order["market"])
    able = seen.reachable(order["fulfilment"], market, order["channel"])
    levels = seen.look(quantities, [place.id for place in able])
    plan = sourcing.plan(quantities, able, levels.stock(), market.sourcing)
    return (levels.holds(plan.shares) if isinstance(plan, Plan) else []), levels
