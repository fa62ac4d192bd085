"""The basket items: opened as their caller may see them, edited in one request, merged in one transaction.

Keys: `B#<basket>`/`-` the basket, `B#<basket>`/`SEEN#<writer>` the log position of an idle device, `OWNER#<person>`/`-`
whose floating basket is which, `OWNER#<person>`/`MERGE#<merge>` what a claim did. Layout and costs:
docs/decisions/basket-layout.md; merged baskets: docs/decisions/basket-forwarding.md.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from basket import basket as rules
from basket.basket import Edit, Limits, Opened
from basket.merging import Returned, Taken
from commerce import baskets, clock, due, events, ids, problems, reads, requests, writes
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


# ------------------------------------------------------------------------------------------------------- creating


def create(channel: str, market: str, location_id: str | None) -> Item:
    """A new guest basket."""
    item = _fresh(channel, market, location_id) | {"ttl": clock.epoch_after(GUEST_KEPT_S)}
    writes.commit(writes.put("BASKET", item))
    return item


def _fresh(channel: str, market: str, location_id: str | None = None) -> Item:
    basket_id = ids.new()
    pk, sk = baskets.key(basket_id)
    item = {
        "pk": pk, "sk": sk, "basket_id": basket_id, "state": "open", "channel": channel, "market": market,
        "version": 1, "event": events.of("basket.changed", change="created"),
        "dots": {}, "recent": {}, "seen": {}, "units": 0,
    }  # fmt: skip
    # In the index from the start: so that no add has to pay for getting there.
    return item | due.fields(pk, clock.after(abandoned_after())) | ({"location_id": location_id} if location_id else {})


def floating(person: str, channel: str, market: str, *, themselves: bool = False) -> Item:
    """The one floating basket of a person (customer or profile id), made on first use.

    `themselves`: it is the customer who asks, and who never gets to a basket by way of another profile.
    """
    while True:
        owner, basket_id = owner_of(person, themselves=themselves)
        if basket_id:
            found = read(basket_id)
            if found is None:
                raise RuntimeError(f"the basket of {owner} is gone")
            return found
        item = _fresh(channel, market) | {"owner": owner, "customer_id": owner, "took": {}}
        entry = {"pk": f"OWNER#{owner}", "sk": "-", "basket_id": item["basket_id"]}
        free = "attribute_not_exists(pk) OR attribute_exists(alias_of)"
        try:
            writes.commit(writes.put("BASKET", entry, when=free), writes.put("BASKET", item))
        except writes.Refused:
            continue  # another device was faster: its basket is the one
        return item


def owner_of(person: str, *, themselves: bool = False) -> tuple[str, str | None]:
    """Who owns the floating basket of this person, and its id if there is one yet. Follows other profiles' ids."""
    for _ in range(8):
        found = reads.get("BASKET", (f"OWNER#{person}", "-"))
        if found is None or "basket_id" in found:
            return person, found["basket_id"] if found else None
        if themselves:
            return person, None
        person = found["alias_of"]
    raise RuntimeError(f"aliases of {person} go round in circles")


def alias(profile_id: str, person: str, because: str) -> bool:
    """Staff who ask for this profile's basket get that person's, unless the profile has one of its own: then False."""
    try:
        writes.commit(
            writes.put(
                "BASKET",
                {"pk": f"OWNER#{profile_id}", "sk": "-", "alias_of": person, "because": because},
                when="attribute_not_exists(pk) OR attribute_exists(alias_of)",
            )
        )
    except writes.Refused:
        return False
    return True


def unalias(profile_id: str, because: str) -> None:
    """The profile stands for itself again, if it was `because` of this that it did not."""
    with contextlib.suppress(writes.Refused):
        writes.commit(
            writes.delete(
                "BASKET", (f"OWNER#{profile_id}", "-"), when="because = :because", values={":because": because}
            )
        )


def hand_over(profile_id: str, basket_id: str, person: str) -> None:
    """The profile's own basket was merged into that person's: from now on the profile's id leads there."""
    with contextlib.suppress(writes.Refused):
        writes.commit(
            writes.update(
                "BASKET",
                (f"OWNER#{profile_id}", "-"),
                set="alias_of = :person",
                remove="basket_id",
                when="basket_id = :basket",
                values={":person": person, ":basket": basket_id},
            )
        )


# -------------------------------------------------------------------------------------------------------- opening


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


# -------------------------------------------------------------------------------------------------------- editing


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
    parts = _Parts()
    _address(parts, caller, at)
    _room(parts, at, edit, limits)
    _names_unused(parts, edit)
    _log(parts, at, edit, idle)
    _kept(parts, caller, at)
    if edit.put:
        shard = due.fields(baskets.key(at.item["basket_id"])[0], clock.after(abandoned_after()))
        # Only a basket that fell silent gets a new moment: moving it with every edit would write the index each time.
        parts.set += ["due = if_not_exists(due, :due)", "due_shard = if_not_exists(due_shard, :due_shard)"]
        parts.values |= {":due": shard["due"], ":due_shard": shard["due_shard"]}
    return baskets.change(
        at.item,
        events.of("basket.changed", change=edit.change, skus=rules.skus(touched)),
        put={name: dot.packed() for name, dot in edit.put.items()},
        drop={name: dot.packed() for name, dot in edit.drop.items()},
        forget=edit.forget,
        set=parts.set, remove=parts.remove, when=parts.when, values=parts.values, names=parts.names,
    )  # fmt: skip


class _Parts:
    """The parts of an update, gathered."""

    def __init__(self) -> None:
        self.set: list[str] = []
        self.remove: list[str] = []
        self.when: list[str] = []
        self.values: dict[str, Any] = {}
        self.names: dict[str, str] = {}


def _address(parts: _Parts, caller: Principal, at: Opened) -> None:
    """The basket is still this caller's to edit, at this address."""
    if at.through:
        parts.when.append("attribute_exists(took.#through)")
        parts.names["#through"] = at.through
    elif caller.kind == "guest":
        parts.when.append("attribute_not_exists(customer_id)")
    elif caller.kind == "customer":
        parts.when.append("customer_id = :customer")
        parts.values[":customer"] = caller.id


def _room(parts: _Parts, at: Opened, edit: Edit, limits: Limits) -> None:
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


def _names_unused(parts: _Parts, edit: Edit) -> None:
    """No dot is there twice: this is what makes a repeated add change nothing."""
    for place, name in enumerate(sorted(edit.put)):
        parts.names[f"#n{place}"] = name
        parts.when.append(f"attribute_not_exists(dots.#n{place})")
        if baskets.keyed(name):
            parts.when.append(f"attribute_not_exists(recent.#n{place})")


def _log(parts: _Parts, at: Opened, edit: Edit, idle: Mapping[str, int]) -> None:
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
    for place, (writer, seq) in enumerate(idle.items()):
        parts.names[f"#i{place}"], parts.values[f":i{place}"] = writer, seq
        parts.when.append(f"seen.#i{place} = :i{place}")
        parts.remove.append(f"seen.#i{place}")
    if idle:
        parts.set.append("archived = :archived")
        parts.values[":archived"] = (at.item.get("archived") or 0) + len(idle)


def _kept(parts: _Parts, caller: Principal, at: Opened) -> None:
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


# -------------------------------------------------------------------------------------------------------- merging


def merge_record(owner: str, merge_id: str) -> Item | None:
    """What a claim of this owner did."""
    return reads.get("BASKET", (f"OWNER#{owner}", f"MERGE#{merge_id}"))


def for_claim(wanted: str, mine: str, request: requests.Request | None) -> tuple[Item | None, Item | None, Item | None]:
    """Both baskets, and the marker of this request if it was carried out before; one request."""
    keys = [baskets.key(wanted), baskets.key(mine), (request.pk if request else "-", "-")]
    found = reads.get_many({"BASKET": keys})["BASKET"]
    return found.get(keys[0]), found.get(keys[1]), found.get(keys[2])


def merge(a: Item, b: Item, what: Taken, *, request: requests.Request | None = None) -> Item:
    """Take basket `a` into the owned basket `b`, and remember how. All at once: b's lines, a's forwarding, the record.

    Raises `writes.Refused` with `requests.AlreadyDone`, or because one of them changed meanwhile (read again).
    """
    until = clock.epoch_after(GUEST_TOKEN_S)
    merge_id = ids.new()
    record = {
        "pk": f"OWNER#{b['customer_id']}", "sk": f"MERGE#{merge_id}", "merge_id": merge_id, "state": "merged",
        "from_basket_id": a["basket_id"], "basket_id": b["basket_id"], "merged_at": clock.iso(),
        "lines": what.lines, "version": 1, "ttl": until,
    }  # fmt: skip
    event = events.of(
        "basket.merged", merge_id=merge_id, from_basket_id=a["basket_id"], skus=baskets.skus_of(what.dots)
    )
    parts = _logs_set(what.seen)
    parts.names["#through"] = what.tag
    parts.values[":until"] = until
    parts.set.append("took.#through = :until")
    over = [tag for tag, ends in b["took"].items() if ends < clock.source() and tag != what.tag][:20]
    for place, tag in enumerate(over):
        parts.names[f"#over{place}"] = tag
        parts.remove.append(f"took.#over{place}")
    if a.get("archived"):
        parts.set.append("archived = if_not_exists(archived, :zero) + :archived")
        parts.values |= {":zero": 0, ":archived": a["archived"]}
    parts.when += ["customer_id = :customer", "attribute_not_exists(took.#through)"]
    parts.values[":customer"] = b["customer_id"]
    writes.commit(
        baskets.change(
            b, event, put=what.dots, remember=what.recent, set=parts.set, remove=parts.remove, when=parts.when,
            values=parts.values, names=parts.names,
        ),
        _forwarding(a, b, merge_id, until),
        writes.put("BASKET", record),
        [requests.done("BASKET", request, merge_id=merge_id)] if request else [],
    )  # fmt: skip
    return record


def _forwarding(a: Item, b: Item, merge_id: str, until: int) -> writes.Write:
    """`a`, exactly as it was read, becomes a forwarder to `b`."""
    return writes.update(
        "BASKET",
        baskets.key(a["basket_id"]),
        set="#s = :merged, merged_to = :b, merge_id = :merge, dots = :none, units = :zero, #ttl = :until,"
        " #v = #v + :one, #e = :event",
        remove=due.REMOVE,
        when="#s = :open AND #v = :version",
        values={
            ":merged": "merged", ":open": "open", ":b": b["basket_id"], ":merge": merge_id, ":none": {}, ":zero": 0,
            ":until": until, ":one": 1, ":version": a["version"],
            ":event": events.of("basket.changed", change="merged", skus=baskets.skus_of(a["dots"])),
        },
        names={"#s": "state", "#ttl": "ttl", "#v": "version", "#e": "event"},
        refused=BasketChanged,
    )  # fmt: skip


def idle_positions(b: Item, tag: str) -> dict[str, int]:
    """Positions of idle devices' logs that belong to a merged basket, by their stored names."""
    if "archived" not in b:
        return {}
    pk, prefix = baskets.key(b["basket_id"])[0], "SEEN#"
    found = {item["sk"].removeprefix(prefix): item["seq"] for item in reads.every("BASKET", pk, prefix=prefix)}
    return {writer: seq for writer, seq in found.items() if writer.endswith(f"@{tag}")}


def unmerge(a: Item, b: Item, what: Returned, record: Item) -> None:
    """Undo a merge: what is still as it came goes back to `a`, which is a basket of its own again.

    Raises `writes.Refused` because one of them changed meanwhile (read again).
    """
    event = events.of(
        "basket.unmerged", merge_id=record["merge_id"], from_basket_id=a["basket_id"], skus=baskets.skus_of(what.leaves)
    )
    parts = _logs_gone(what.forgets)
    parts.names["#through"] = what.tag
    parts.remove.append("took.#through")
    parts.when.append("attribute_exists(took.#through)")
    pk = baskets.key(a["basket_id"])[0]
    writes.commit(
        baskets.change(
            b, event, drop=what.leaves, set=parts.set, remove=parts.remove, when=parts.when, values=parts.values,
            names=parts.names,
        ),
        writes.update(
            "BASKET",
            baskets.key(a["basket_id"]),
            set="#s = :open, dots = :dots, seen = :seen, recent = :recent, units = :units, #ttl = :ttl,"
            f" {due.SET}, #v = #v + :one, #e = :event",
            remove="merged_to, merge_id",
            when="#s = :merged AND merge_id = :merge",
            values={
                ":open": "open", ":merged": "merged", ":merge": record["merge_id"], ":dots": what.dots,
                ":seen": what.seen, ":recent": what.recent, ":units": baskets.sum_of(what.dots), ":one": 1,
                ":ttl": clock.epoch_after(GUEST_KEPT_S),
                ":event": events.of("basket.changed", change="unmerged", skus=baskets.skus_of(what.dots)),
            } | due.values(pk, clock.after(abandoned_after())),
            names={"#s": "state", "#ttl": "ttl", "#v": "version", "#e": "event"},
            refused=BasketChanged,
        ),
        writes.update(
            "BASKET",
            (record["pk"], record["sk"]),
            set="#s = :undone, #v = #v + :one, lines_returned = :lines",
            when="#s = :merged",
            values={":undone": "undone", ":merged": "merged", ":one": 1, ":lines": what.lines},
            names={"#s": "state", "#v": "version"},
        ),
    )  # fmt: skip


def _logs_set(seen: Mapping[str, int]) -> _Parts:
    parts = _Parts()
    for place, (writer, seq) in enumerate(sorted(seen.items())):
        parts.names[f"#w{place}"], parts.values[f":w{place}"] = writer, seq
        parts.set.append(f"seen.#w{place} = :w{place}")
    return parts


def _logs_gone(writers: Iterable[str]) -> _Parts:
    parts = _Parts()
    for place, writer in enumerate(sorted(writers)):
        parts.names[f"#w{place}"] = writer
        parts.remove.append(f"seen.#w{place}")
    return parts
