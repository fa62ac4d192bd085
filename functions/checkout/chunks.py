"""Big orders: taken, and given back, ninety stock levels at a time.

    begin ── take 90 ── take 90 ── ... ── finish          order: placing ........ placed
                 └── turn back ── give 90 ── ... ── reject        placing ........ rejected
    begin ending ── give 90 ── ... ── end                         placed, unwinding ... expired | cancelled

Each piece is bound to how far the order is (`HELD`), so two runs cannot do one piece twice and a crash loses nothing:
a repeat of the request carries on forwards, the sweeper goes backwards, and whoever is second sees it and stops.
Between the pieces nobody outside can tell: basket and payable change only in the first or last one.
"""

from collections.abc import Mapping
from typing import Any

from checkout import moments, money, offers, table
from checkout import order as rules
from checkout.order import Order
from checkout.seen import Levels
from checkout.table import Held
from commerce import baskets, problems, writes
from commerce.requests import Request

_RACES = 10
"""How often a piece may be overtaken before this run leaves the order to the sweeper."""


def is_big(order: Mapping[str, Any]) -> bool:
    """Whether one transaction cannot change all its stock levels."""
    return len(rules.holds_of(order)) > table.CHUNK


def place(order: Order, seen: Levels, basket: Mapping[str, Any], request: Request) -> Order:
    """Place a big order. On `writes.Refused` (shortage, basket changed) everything has been given back."""
    return _take_rest(order, table.begin(order, request), basket, seen)


def carry_on(order: Order) -> Order:
    """Finish placing an order that an earlier run left half-way. 409 if it is already on its way back."""
    held = table.read_held(order["order_id"])
    if held is None or held.giving:
        raise rules.in_progress()
    return _take_rest(order, held, None, None)


def undo(order: Order) -> None:
    """Give back whatever a half-placed order took and reject it. Does nothing if it has moved on."""
    for _ in range(_RACES):
        held = table.read_held(order["order_id"])
        if held is None:
            return
        try:
            table.reject(order, _give_all(order, held if held.giving else table.turn_back(held)))
        except writes.Refused:
            continue
        return
    raise problems.busy()


def end(order: Order, to: money.Ending, request: Request | None) -> None:
    """End a big unpaid order. Raises `writes.Refused` if it has moved on before anything was given back."""
    held = table.begin_ending(order, to, request)
    carry_on_ending(order | {"unwinding": to, "version": order["version"] + 1}, held)


def carry_on_ending(order: Order, held: Held | None = None) -> None:
    """Give back the rest of an order that is being unwound. Does nothing if another run has done it."""
    for _ in range(_RACES):
        held = held or table.read_held(order["order_id"])
        if held is None:
            return
        try:
            all_given = _give_all(order, held)
            table.end_last(order, all_given, table.open_basket(order["basket_id"]), moments.of(order))
        except writes.Refused:
            held = None
            continue
        return
    raise problems.busy()


def _take_rest(order: Order, held: Held, basket: Mapping[str, Any] | None, seen: Levels | None) -> Order:
    every = rules.holds_of(order)
    overtaken = 0
    while overtaken < _RACES:
        some = every[held.count : held.count + table.CHUNK]
        try:
            if some:
                held = table.take_some(held, some, seen)
                continue
            basket = basket or table.basket(order["basket_id"])
            if not offers.still_there(rules.dots_of(order), basket):
                raise writes.Refused([baskets.BasketChanged(dict(basket) if basket else None)])
            assert basket is not None
            table.finish(order, held, basket)
            return order | {"state": "placed", "version": order["version"] + 1}
        except writes.Refused as refused:
            overtaken += 1
            # First of all: is this still ours to do? What another run took or finished looks like a shortage, too.
            order, held = _as_it_is(order["order_id"])
            if order["state"] != "placing":
                return order
            if refused.all(writes.Superseded):
                continue
            gone = refused.first(baskets.BasketChanged)
            if gone and offers.still_there(rules.dots_of(order), gone.basket):
                basket = gone.basket
                continue
            undo(order)
            raise
    raise rules.in_progress()


def _as_it_is(order_id: str) -> tuple[Order, Held]:
    """Order and progress after another run was faster. 409 if that one is giving back."""
    order, held = table.read(order_id), table.read_held(order_id)
    if order is None or order["state"] == "rejected" or (held and held.giving):
        raise rules.in_progress()
    return order, held or Held(order_id, 0, 0, giving=False)


def _give_all(order: Order, held: Held) -> Held:
    every = rules.holds_of(order)
    while held.count:
        held = table.give_some(held, every[max(0, held.count - table.CHUNK) : held.count])
    return held
