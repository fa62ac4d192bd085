"""Store: a basket, opened as its caller may see it, edited in one request.

Key: `B#<basket>`/`-`; `logs` keeps more beside it. Layout and costs: docs/decisions/basket-layout.md; merged baskets:
docs/decisions/basket-forwarding.md.
"""

import contextlib
import os
from datetime import timedelta
from typing import Any

from basket import basket as rules
from basket import logs
from basket.basket import Edit, Limits, Opened
from basket.parts import GUEST_KEPT_S, Parts
from commerce import baskets, clock, due, events, problems, reads, writes
from commerce.baskets import BasketChanged
from commerce.principal import Principal

Item = dict[str, Any]


def abandoned_after() -> int:
    """Seconds of silence after which a filled basket counts as abandoned."""
    return int(os.environ.get("ABANDONED_AFTER_SECONDS", "3600"))


# ------------------------------------------------------------------------------------------------------- opening


def read(basket_id: str) -> Item | None:
    """The item at a basket's address."""
    return reads.get("BASKET", baskets.key(basket_id))


def opened(caller: Principal, basket_id: str, item: Item | None) -> Opened:
    """The basket whose address has this item, as this caller may see it. Raises 404 if it is somebody else's.

    A merged basket's address leads to the basket it went into; see docs/decisions/basket-forwarding.md. Raises 409
    `basket-changed` for who holds the token of a kiosk's basket that was claimed: the kiosk has its next visitor.
    """
    for _ in range(4):
        if item is None:
            break
        if item["state"] == "open":
            if caller.serves or caller.id == (item.get("customer_id") if caller.kind == "customer" else basket_id):
                return Opened(item)
            break
        through = baskets.tag(basket_id)
        home = baskets.home(item["merged_to"])
        if home and through in home.get("took", {}):
            if caller.kind == "customer" and caller.id != home["customer_id"]:
                break
            if caller.kind == "guest" and item["channel"] == "kiosk":
                taken = "This basket was taken over by the customer who signed in."
                raise problems.conflict("basket-changed", taken, merged_to=home["basket_id"])
            return Opened(home, through, partial=caller.kind == "guest")
        item = reads.get("BASKET", baskets.key(basket_id))  # it was being taken out again just now
    raise problems.not_found("basket")


def unread(basket_id: str) -> Opened:
    """A basket to write to without reading it first."""
    return Opened({"basket_id": basket_id}, read=False)


# ------------------------------------------------------------------------------------------------------- editing


def write(caller: Principal, at: Opened, edit: Edit, limits: Limits) -> Opened:
    """Carry out an edit: one request, which also answers what the basket is now.

    Raises `BasketChanged` (with the item as it is) when the basket is not what the edit was decided on: no longer
    open here, the log elsewhere, a dot that was to go gone already, a name used, or no room without looking.
    """
    fragment, beside = _fragments(caller, at, edit, limits)
    try:
        if not beside:
            return Opened(writes.commit(fragment, read_back=True) or {}, at.through, at.partial)
        writes.commit(fragment, beside)
    except writes.Refused as refused:
        raise refused.first(BasketChanged) or refused from None
    return opened(caller, at.basket_id, reads.get("BASKET", baskets.key(at.basket_id)))


def _fragments(caller: Principal, at: Opened, edit: Edit, limits: Limits) -> tuple[writes.Write, list[writes.Write]]:
    touched = [dot for dots in (edit.put, edit.drop) for dot in dots.values()]
    parts = Parts()
    _address(parts, caller, at)
    _room(parts, at, edit, limits)
    _names_unused(parts, edit)
    _sold(parts, at, edit)
    beside = logs.advance(parts, at, edit)
    _kept(parts, caller, at)
    if edit.put:
        parts.look_after(baskets.key(at.item["basket_id"])[0], abandoned_after())
    fragment = baskets.change(
        at.item,
        events.of("basket.changed", change=edit.change, skus=rules.skus(touched)),
        put={name: dot.packed() for name, dot in edit.put.items()},
        drop={name: dot.packed() for name, dot in edit.drop.items()},
        forget=edit.forget,
        set=parts.set, remove=parts.remove, when=parts.when, values=parts.values, names=parts.names,
    )  # fmt: skip
    return fragment, beside


def _address(parts: Parts, caller: Principal, at: Opened) -> None:
    """The basket is still this caller's to edit, at this address."""
    if at.through:
        parts.when.append("attribute_exists(took.#through)")
        parts.names["#through"] = at.through
    elif caller.kind == "guest":
        parts.when.append("attribute_not_exists(customer_id)")
    elif caller.kind == "customer":
        parts.when.append("customer_id = :customer")
        parts.values[":customer"] = caller.id


def _room(parts: Parts, at: Opened, edit: Edit, limits: Limits) -> None:
    """The edit fits, whatever else is being written: few dots make few lines, few pieces make no line too long."""
    if edit.strict:
        parts.when.append("#v = :read")
        parts.values[":read"] = at.item["version"]
        return
    if edit.growth > 0:
        parts.when.append("size(dots) <= :dots")
        parts.values[":dots"] = limits.lines - edit.growth
    if not at.read:
        parts.when.append("size(recent) < :recent")
        parts.values[":recent"] = limits.recent
    if edit.added_units > 0:
        parts.when.append("units <= :room")
        parts.values[":room"] = limits.quantity - edit.added_units


def _names_unused(parts: Parts, edit: Edit) -> None:
    """No dot is there twice: this is what makes a repeated add change nothing."""
    for place, name in enumerate(sorted(edit.put)):
        parts.names[f"#n{place}"] = name
        parts.when.append(f"attribute_not_exists(dots.#n{place})")
        if baskets.keyed(name):
            parts.when.append(f"attribute_not_exists(recent.#n{place})")


def _sold(parts: Parts, at: Opened, edit: Edit) -> None:
    """Whoever has not looked adds only what is sold in the basket's market, whichever that is."""
    if at.read or edit.markets is None:
        return
    for place, market in enumerate(edit.markets):
        parts.values[f":m{place}"] = market
    known = ", ".join(f":m{place}" for place in range(len(edit.markets)))
    parts.when.append(f"market IN ({known})" if known else "attribute_not_exists(market)")


def _kept(parts: Parts, caller: Principal, at: Opened) -> None:
    """A guest's basket lives on with each edit. Who does not know whose it is makes sure that it lives long enough."""
    guests = "ttl" in at.item or (caller.kind == "guest" and not at.through)
    if guests:
        parts.set.append("#ttl = :ttl")
        parts.values[":ttl"] = clock.epoch_after(GUEST_KEPT_S)
    elif caller.serves and not at.read:
        parts.when.append("(attribute_not_exists(#ttl) OR #ttl > :soon)")
        parts.values[":soon"] = clock.epoch_after(GUEST_KEPT_S // 2)
    else:
        return
    parts.names["#ttl"] = "ttl"


def look_after(pk: str, sk: str) -> None:
    """A basket's moment came: say that it was abandoned, or when to look again. Any edit meanwhile makes this void."""
    item = reads.get("BASKET", (pk, sk))
    if item is None or item.get("due", "~") > clock.iso():
        return
    silent_since = clock.parse(item["event"]["time"])
    look_again = clock.iso(silent_since + timedelta(seconds=abandoned_after()))
    if not baskets.ordered_dots(item):
        fragment = _if_untouched(item, remove=due.REMOVE)
    elif look_again > clock.iso():
        fragment = _if_untouched(item, set="due = :due", values={":due": look_again})
    else:
        event = events.of("basket.abandoned", silent_since=item["event"]["time"])
        fragment = _if_untouched(
            item, set="#v = #v + :one, #e = :event", remove=due.REMOVE, values={":one": 1, ":event": event}
        )
    with contextlib.suppress(writes.Refused):
        writes.commit(fragment)


def _if_untouched(item: Item, *, set: str = "", remove: str = "", values: Item | None = None) -> writes.Write:
    names = {"#v": "version"} | ({"#e": "event"} if "#e" in set else {})
    return writes.update(
        "BASKET", (item["pk"], item["sk"]), set=set, remove=remove, when="#v = :version", names=names,
        values={":version": item["version"]} | (values or {}),
    )  # fmt: skip
