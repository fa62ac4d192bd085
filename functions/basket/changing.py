"""Editing a basket: decide on what is there, write if it still is, otherwise look again."""

from collections.abc import Callable
from typing import Any

from basket import owners, table
from basket.basket import PEOPLE, TRADE, Edit, Limits, Opened
from commerce import clock, ids, problems
from commerce.baskets import BasketChanged
from commerce.principal import Principal

Decide = Callable[[Opened], Edit | None]
_ATTEMPTS = 12


def limits_of(caller: Principal) -> Limits:
    """How much this caller may put into a basket."""
    return TRADE if caller.serves else PEOPLE


def meet(caller: Principal, basket_id: str) -> Opened:
    """The basket, as this caller may see it; one that was only looked at so far has version 0. Raises 404."""
    if caller.kind == "guest" and caller.id != basket_id:
        raise problems.not_found("basket")
    return _met(caller, basket_id, table.read(basket_id))


def _met(caller: Principal, basket_id: str, item: dict[str, Any] | None) -> Opened:
    if item is None and caller.kind != "guest" and (there := owners.at_address(caller, basket_id)):
        return Opened(there)
    return table.opened(caller, basket_id, item)


def change(caller: Principal, basket_id: str, decide: Decide, unseen: Edit | None = None) -> tuple[Opened, bool]:
    """Edit a basket; returns it as it is then, and whether this call changed it.

    `decide` says what to write, given what is there. `unseen` is an edit that needs no look: it is tried first, and
    costs one request. Raises what `decide` raises, 404 for a basket that is not this caller's, 503 when others kept
    being faster.
    """
    limits = limits_of(caller)
    if unseen is None or (caller.kind == "guest" and caller.id != basket_id):
        at = meet(caller, basket_id)
    else:
        try:
            return table.write(caller, table.unread(basket_id), unseen, limits), True
        except BasketChanged as refused:
            at = _met(caller, basket_id, refused.basket)
    for attempt in range(_ATTEMPTS):
        edit = decide(at)
        if edit is None:
            return at, False
        if not at.item["version"]:
            owners.begin(dict(at.item))
            at = meet(caller, basket_id)
            continue
        try:
            return table.write(caller, at, edit, limits), True
        except BasketChanged as refused:
            clock.pause(0.01 * 2 ** min(attempt, 5) * ids.random_bytes(1)[0] / 255)
            there = refused.basket if at.through is None else None
            at = _met(caller, basket_id, there) if there else meet(caller, basket_id)
    raise problems.busy()
