"""Store: a basket, opened as its caller may see it, edited in one request.

Keys: `B#<basket>`/`-` the basket, `B#<basket>`/`SEEN#<writer>` the log position of an idle device. Layout and costs:
docs/decisions/basket-layout.md; merged baskets: docs/decisions/basket-forwarding.md.
"""

import contextlib
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from basket import basket as rules
from basket.basket import Edit, Limits, Opened
from commerce import baskets, clock, due, events, problems, reads, writes
from commerce.baskets import BasketChanged
from commerce.principal import Principal

Item = dict[str, Any]

GUEST_KEPT_S = 30 * 24 * 3600
"""A guest's basket goes after 30 days without an edit. Owned baskets stay."""
GUEST_TOKEN_S = 180 * 24 * 3600
"""How long a guest's token works, and how long a merged basket's old address and the merge's undo do."""
MOST_LOGS = 32
"""So many devices' log positions are kept in the basket itself; idle ones move to items of their own."""


def abandoned_after() -> int:
    """Seconds of silence after which a filled basket counts as abandoned."""
    return int(os.environ.get("ABANDONED_AFTER_SECONDS", "3600"))


# ------------------------------------------------------------------------------------------------------- opening


def read(basket_id: str) -> Item | None:
    """The item at a basket's address."""
    return reads.get("BASKET", baskets.key(basket_id))


def open_(caller: Principal, basket_id: str) -> Opened:
    """The basket, as this caller may see it. Raises 404 if there is none or it is somebody else's.

    A merged basket's address leads to the basket it went into; see docs/decisions/basket-forwarding.md.
    """
    if caller.kind == "guest" and caller.id != basket_id:
        raise problems.not_found("basket")
    return opened(caller, basket_id, reads.get("BASKET", baskets.key(basket_id)))


def opened(caller: Principal, basket_id: str, item: Item | None) -> Opened:
    """As `open_`, when the item at this address is at hand already."""
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
            return Opened(home, through, partial=caller.kind == "guest")
        item = reads.get("BASKET", baskets.key(basket_id))  # it was being taken out again just now
    raise problems.not_found("basket")


def unread(basket_id: str) -> Opened:
    """A basket to write to without reading it first."""
    return Opened({"basket_id": basket_id}, read=False)


def log_position(at: Opened, writer: str) -> int:
    """How far a device's log was applied, by the stored name of the log; also if the device was idle for long."""
    position: int | None = at.item["seen"].get(writer)
    if position is None and "archived" in at.item:
        keys = [(baskets.key(at.item["basket_id"])[0], f"SEEN#{writer}")]
        if at.through:
            keys.append((baskets.key(baskets.untag(at.through))[0], f"SEEN#{writer.removesuffix('@' + at.through)}"))
        position = max((item["seq"] for item in reads.get_many({"BASKET": keys})["BASKET"].values()), default=0)
    return position or 0


# ------------------------------------------------------------------------------------------------------- editing


def write(caller: Principal, at: Opened, edit: Edit, limits: Limits) -> Opened:
    """Carry out an edit: one request, which also answers what the basket is now.

    Raises `BasketChanged` (with the item as it is) when the basket is not what the edit was decided on: no longer
    open here, the log elsewhere, a dot that was to go gone already, a name used, or no room without looking.
    """
    idle = _idle_logs(at, edit)
    fragment = _fragment(caller, at, edit, limits, idle)
    try:
        if not idle:
            return Opened(writes.commit(fragment, read_back=True) or {}, at.through, at.partial)
        writes.commit(fragment, [_archived(at, writer, seq) for writer, seq in idle.items()])
    except writes.Refused as refused:
        raise refused.first(BasketChanged) or refused from None
    return opened(caller, at.basket_id, reads.get("BASKET", baskets.key(at.basket_id)))


def _fragment(caller: Principal, at: Opened, edit: Edit, limits: Limits, idle: Mapping[str, int]) -> writes.Write:
    touched = [dot for dots in (edit.put, edit.drop) for dot in dots.values()]
    parts = Parts()
    _address(parts, caller, at)
    _room(parts, at, edit, limits)
    _names_unused(parts, edit)
    _log(parts, at, edit, idle)
    _kept(parts, caller, at)
    if edit.put:
        parts.look_after(baskets.key(at.item["basket_id"])[0], abandoned_after())
    return baskets.change(
        at.item,
        events.of("basket.changed", change=edit.change, skus=rules.skus(touched)),
        put={name: dot.packed() for name, dot in edit.put.items()},
        drop={name: dot.packed() for name, dot in edit.drop.items()},
        forget=edit.forget,
        set=parts.set, remove=parts.remove, when=parts.when, values=parts.values, names=parts.names,
    )  # fmt: skip


class Parts:
    """The parts of an update, gathered."""

    def __init__(self) -> None:
        self.set: list[str] = []
        self.remove: list[str] = []
        self.when: list[str] = []
        self.values: dict[str, Any] = {}
        self.names: dict[str, str] = {}

    def look_after(self, pk: str, seconds: int) -> None:
        """The sweeper looks at the basket then, unless it is to do so sooner.

        Only a basket that fell silent gets a new moment: moving it with every edit would write the index each time.
        """
        at = due.fields(pk, clock.after(seconds))
        self.set += [f"{name} = if_not_exists({name}, :{name})" for name in at]
        self.values |= {f":{name}": value for name, value in at.items()}


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


def _log(parts: Parts, at: Opened, edit: Edit, idle: Mapping[str, int]) -> None:
    """The device's log is exactly where this batch begins, and then where it ends."""
    if edit.writer is None:
        return
    parts.names["#writer"] = edit.writer
    parts.set.append("seen.#writer = :seq")
    parts.values[":seq"] = edit.seq
    in_item = edit.was_seq > 0 if not at.read else edit.writer in at.item["seen"]
    if in_item:
        parts.when.append("seen.#writer = :was_seq")
        parts.values[":was_seq"] = edit.was_seq
    else:
        parts.when.append("attribute_not_exists(seen.#writer)")
        # Its position may be in an item of its own. Whoever has not looked there must not begin anew.
        archived = at.item.get("archived")
        parts.when.append("archived = :was_archived" if archived else "attribute_not_exists(archived)")
        parts.values |= {":was_archived": archived} if archived else {}
        if not at.read:
            parts.when.append("size(seen) < :logs")
            parts.values[":logs"] = MOST_LOGS
    for place, (writer, seq) in enumerate(idle.items()):
        parts.names[f"#i{place}"], parts.values[f":i{place}"] = writer, seq
        parts.when.append(f"seen.#i{place} = :i{place}")
        parts.remove.append(f"seen.#i{place}")
    if idle:
        parts.set.append("archived = :archived")
        parts.values[":archived"] = (at.item.get("archived") or 0) + len(idle)


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


def _idle_logs(at: Opened, edit: Edit) -> dict[str, int]:
    """The log positions that leave the basket when one more device comes than it keeps: of devices without a dot."""
    if edit.writer is None or not at.read or edit.writer in at.item["seen"] or len(at.item["seen"]) < MOST_LOGS:
        return {}
    busy = {name.partition("|")[0] for name in at.item["dots"]}
    by_use = sorted(at.item["seen"].items(), key=lambda entry: (entry[0] in busy, entry[0]))
    return dict(by_use[: MOST_LOGS // 2])


def _archived(at: Opened, writer: str, seq: int) -> writes.Write:
    item: Item = {"pk": baskets.key(at.item["basket_id"])[0], "sk": f"SEEN#{writer}", "seq": seq}
    if "ttl" in at.item:
        item["ttl"] = clock.epoch_after(GUEST_TOKEN_S)
    return writes.put("BASKET", item, when="")


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
