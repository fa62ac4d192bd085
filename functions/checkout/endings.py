"""How an order ends: it expires unpaid, somebody cancels it, or it is handed over."""

from checkout import chunks, moments, money, offers, settling, table
from checkout import order as rules
from checkout.order import Order
from commerce import audit, baskets, clock, payables, problems, writes
from commerce.principal import Principal
from commerce.requests import Request

_RACES = 8


def move_on(order_id: str) -> None:
    """Whatever is due on an order: undo half a placing, let it expire, finish unwinding, send part payments back, and
    tell again what nobody has acknowledged.

    The index that named it may be behind; what the order itself says counts.
    """
    for _ in range(_RACES):
        order = table.read(order_id)
        if order is None or order.get("due", "~") > clock.iso():
            return
        try:
            _move_on(order)
        except writes.Refused:
            continue  # somebody else has just moved it: look again
        return
    raise problems.busy()


def _move_on(order: Order) -> None:
    if order["state"] == "placing":
        chunks.undo(order)
    elif "unwinding" in order:
        chunks.carry_on_ending(order)
    elif order["state"] in ("placed", "authorized"):
        _end(order, "expired", None)
    else:
        settling.remind(order)


def cancel(caller: Principal, order_id: str, request: Request) -> tuple[Order, bool]:
    """The cancelled order, and whether this request had cancelled it before. Repeats change nothing."""
    request = request.audited(audit.entry(caller, "order.cancelled", f"order/{order_id}"))
    for _ in range(_RACES):
        order, marker = table.read_with_marker(order_id, request)
        if order is None or not offers.may_see(caller, order, "orders:write"):
            raise problems.not_found("order")
        caller.need_place(*payables.places(order))
        if marker:
            request.same(marker)
            chunks.carry_on_ending(order)
            return order | {"state": "cancelled"}, True
        if problem := rules.refuse_cancelling(order):
            raise problem
        try:
            if order["state"] == "cancelled" or "unwinding" in order:
                table.mark(order, request.audited(None))
            elif order["state"] == "paid":
                table.cancel_paid(order, moments.of(order), request)
            else:
                _end(order, "cancelled", request)
        except writes.Refused:
            continue
        return order | {"state": "cancelled"}, False
    raise problems.busy()


def fulfil(caller: Principal, order_id: str, request: Request) -> tuple[Order, bool]:
    """The fulfilled order, and whether this request had done it before. Repeats change nothing."""
    done = request.audited(audit.entry(caller, "order.fulfilled", f"order/{order_id}"))
    for _ in range(_RACES):
        order, marker = table.read_with_marker(order_id, request)
        if order is None:
            raise problems.not_found("order")
        caller.need_place(*rules.hands_over(order))
        if marker:
            request.same(marker)
            return order | {"state": "fulfilled"}, True
        if problem := rules.refuse_fulfilling(order):
            raise problem
        try:
            table.mark(order, request) if order["state"] == "fulfilled" else table.fulfil(order, done)
        except writes.Refused:
            continue
        return order | {"state": "fulfilled"}, False
    raise problems.busy()


def _end(order: Order, to: money.Ending, request: Request | None) -> None:
    """End an unpaid order. Raises `writes.Refused` if it has moved on, or the request is already done."""
    if chunks.is_big(order):
        chunks.end(order, to, request)
        return
    for _ in range(_RACES):
        try:
            table.end(order, to, table.open_basket(order["basket_id"]), moments.of(order), request)
        except writes.Refused as refused:
            if all(isinstance(cause, baskets.BasketChanged) for cause in refused.causes):
                continue  # the basket was merged or edited meanwhile: look where its lines belong now
            raise
        return
    raise problems.busy()
