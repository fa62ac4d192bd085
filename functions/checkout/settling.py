"""What payments and stock tell an order: paid, held, more time, paid late, money that must go back, goods booked.

One delivery applies one step after another until the rules have nothing more to say; each step is one conditional
write. A delivery that is lost half-way, repeated or overtaken ends in the same place, and one that never comes is told
again: payments until the payable says that the order counts its money, the order until both others have acknowledged.
"""

from checkout import chunks, moments, money, owing, seen, sourcing, table
from checkout import order as rules
from checkout.money import Step, Told
from checkout.order import Order
from checkout.seen import Levels
from checkout.sourcing import Plan
from commerce import events, markets, payables, problems, writes
from commerce.holds import Hold
from commerce.pricing import PricedLine

_RACES = 8


class UnknownOrder(Exception):
    """No order of ours: the event goes back to the queue and, if nobody finds the order, to its DLQ."""


class NotNow(Exception):
    """The order is being placed or unwound: the queue brings the event again when that is done."""


def told(message: events.Envelope) -> None:
    """A version of a payment: all its totals. Raises UnknownOrder and NotNow."""
    payment = events.TYPES[message.type].model_validate(message.data)
    assert isinstance(payment, events.Payment), "only events of payments are asked for"
    gone = bool(message.data.get("let_go"))
    if message.type == "payment.failed" and not gone:
        return  # an attempt that never was firm money: nobody counted anything of it
    known = _told(payment, events.version_of(message), gone)
    order: Order | None = None
    for _ in range(_RACES):
        order = order or _settled(payment.order_id)
        if payment.currency != order["currency"]:
            raise ValueError(f"order {payment.order_id} is not paid in {payment.currency}")
        step = money.next_step(order, known)
        if step is None:
            return
        try:
            order = _take(order, step, known)
        except writes.Refused:
            order = None  # it has moved on: look again
    raise problems.busy()


def booked(movement: events.StockMoved) -> None:
    """Stock has booked a portion of an order: sold it, or taken it back."""
    if movement.order_id is None or movement.part is None:
        return
    for _ in range(_RACES):
        order = table.read(movement.order_id)
        after = owing.goods_booked(order, movement.kind, movement.part, movement.parts or 1) if order else None
        if order is None or after is None:
            return
        try:
            table.note(order, money.scheduled(order, after, moments.of(order)), None)
        except writes.Refused:
            continue
        return
    raise problems.busy()


def remind(order: Order) -> None:
    """What an order that is over or paid is due for: part payments go back, and what is open is told again."""
    step = money.next_step(order)
    if step is not None and step.kind == "refund":
        _take(order, step, None)
        return
    tellings = owing.tellings(order)
    for event in tellings:
        order = table.tell_again(order, event, moments.tell_again(order))
    if not tellings:
        after = order | {"version": order["version"] + 1}
        table.note(order, money.scheduled(order, after, moments.of(order)), None)  # nothing is open: due no more


def _told(payment: events.Payment, version: int, gone: bool) -> Told:
    said = payment.model_dump()
    names = ("payment_id", "captured", "outside", "charged_back", "authorized", "pending", "asked")
    times = {name: said[name] or "" for name in ("capture_before", "expected_by")}
    members = {name: said[name] for name in names} | times
    return Told(version=version, gone=gone, figures=payables.figures(said), **members)


def _settled(order_id: str) -> Order:
    order = table.read(order_id)
    if order is None:
        raise UnknownOrder(order_id)
    if order["state"] == "placing" or "unwinding" in order:
        raise NotNow(order_id)
    return order


def _take(order: Order, step: Step, told: Told | None) -> Order:
    """Write a step; the order as it is then. A late payment may end in a refund."""
    if step.kind == "retake":
        return _retake(order, step, told)
    after = money.after(order, step, moments.of(order))
    match step.kind:
        case "paid":
            table.pay(order, after, told)
        case "refund":
            table.owe(order, after, told)
        case _:
            table.note(order, after, told)
    return after


def _retake(order: Order, step: Step, told: Told | None) -> Order:
    """Paid after it expired: from wherever it can come now, else the money back. Lost races come here again."""
    # What one transaction cannot take again goes back: half a late order helps nobody.
    reason = "late" if chunks.is_big(order) else "out-of-stock"
    priced = rules.whole_lines(order)
    held, levels = ([], None) if chunks.is_big(order) else _available_again(order, priced)
    if levels is None or not 0 < len(held) <= table.CHUNK:
        return _take(order, money.refund_instead(step, reason), told)
    after = money.after(order, step, moments.of(order))
    lines = rules.order_lines(priced, held)
    if lines != order["lines"]:
        after |= {"lines": lines, "first_lines": order["lines"]}
    table.pay_late(order, after, told, levels, table.open_basket(order["basket_id"]))
    return after


def _available_again(order: Order, priced: list[PricedLine]) -> tuple[list[Hold], Levels]:
    """Where an order's lines could come from now (nothing if they cannot), and the levels that say so."""
    quantities = {line.sku: line.quantity for line in priced}
    market = markets.get(order["market"])
    able = seen.reachable(order["fulfilment"], market, order["channel"])
    levels = seen.look(quantities, [place.id for place in able])
    plan = sourcing.plan(quantities, able, levels.stock(), market.sourcing)
    return (levels.holds(plan.shares) if isinstance(plan, Plan) else []), levels
