"""The basket item as more than one service meets it: what is in it, and the one way its content changes.

Item `B#<id>` / `-`. The lines are an add-wins set of *dots*; a dot is one accepted add and never changes:

    dots{name: [sku, quantity, at, via, more]}   name = digest of a request's Idempotency-Key (8 characters),
                                                 `<writer>|<seq>` for the seq-th operation of a device's log,
                                                 or `=<random>` for a line set by a simple client
    recent{name: stamp}   gone dots that were named after a key, for a day: repeating such an add changes nothing
    seen{writer: seq}     how far each device's log was applied
    proofs{writer: [..]}  digests of the last operations of each log (those before are in items of their own)
    units                 the sum of all quantities

A line's quantity is the sum of its dots. Why dots are lists and names carry no SKU: docs/decisions/basket-layout.md.
The basket service owns every other rule.
"""

import base64
import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from commerce import clock, due, events, reads, tokens, writes

PER_DOT_LIMIT = 60
"""Up to here single dots are named in the expression (4 KB at most); above, the whole map is written back."""

RECENT_HOURS = 25
"""A gone dot's name is kept for a day (in whole hours, so one more)."""

Packed = list[Any]
"""A dot as stored. Only this module takes it apart."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One accepted add. `at` is milliseconds since the epoch by the adder's clock: display and order only."""

    sku: str
    quantity: int
    at: int
    via: str = ""
    """Channel of the adder; empty means the basket's own channel."""
    saved: bool = False
    """Saved for later: not in the sums, not ordered."""
    origin: str | None = None
    """Tag of the basket that was merged in with this dot."""
    through: str | None = None
    """Tag of the merged basket whose old address this dot was added by, after the merge."""
    by: str | None = None
    """Who added it, if it was not the shopper: the id of a till or a member of staff."""
    location_id: str | None = None
    """Where it was added, if in a store."""

    @classmethod
    def of(cls, packed: Packed) -> "Dot":
        """Read a stored dot."""
        sku, quantity, at = packed[:3]
        via = packed[3] if len(packed) > 3 else ""
        more = packed[4] if len(packed) > 4 else {}
        saved = more.get("s", False)
        return cls(sku, quantity, at, via, saved, more.get("o"), more.get("t"), more.get("b"), more.get("l"))

    def packed(self) -> Packed:
        """As stored: trailing members that say nothing are left out, because every byte of a basket is paid for."""
        more = {"s": self.saved, "o": self.origin, "t": self.through, "b": self.by, "l": self.location_id}
        said = {key: value for key, value in more.items() if value}
        tail: Packed = [self.via, said] if said else [self.via] if self.via else []
        return [self.sku, self.quantity, self.at, *tail]


def key(basket_id: str) -> tuple[str, str]:
    """The basket's key in the basket table."""
    return f"B#{basket_id}", "-"


def home(basket_id: str) -> dict[str, Any] | None:
    """The basket, or the one it was merged into; None if there is none (any more)."""
    basket = reads.get("BASKET", key(basket_id))
    hops = 0
    while basket and basket["state"] == "merged" and hops < 4:
        basket, hops = reads.get("BASKET", key(basket["merged_to"])), hops + 1
    return basket


def dots(basket: Mapping[str, Any]) -> dict[str, Dot]:
    """All dots, in order of their adding."""
    return {name: Dot.of(packed) for name, packed in _in_order(basket["dots"])}


def ordered_dots(basket: Mapping[str, Any]) -> dict[str, Packed]:
    """The dots an order takes: everything that is not saved for later. Keep them as they are, to give them back."""
    return {name: packed for name, packed in basket["dots"].items() if not Dot.of(packed).saved}


def quantities(dots: Mapping[str, Packed]) -> dict[str, int]:
    """Quantity per SKU, in order of first appearance."""
    total: dict[str, int] = {}
    for _, packed in _in_order(dots):
        dot = Dot.of(packed)
        total[dot.sku] = total.get(dot.sku, 0) + dot.quantity
    return total


def _in_order(dots: Mapping[str, Packed]) -> list[tuple[str, Packed]]:
    return sorted(dots.items(), key=lambda entry: (entry[1][2], entry[0]))


# --------------------------------------------------------------------------------------------------------- names


def keyed(name: str) -> bool:
    """Whether a dot is named after an Idempotency-Key: not after a device's operation, nor by ourselves (`=...`)."""
    return "|" not in name and not name.startswith("=")


def short_digest(*parts: str) -> str:
    """48 bits in 8 characters: enough to tell the thousand names a basket may know from each other."""
    return base64.urlsafe_b64encode(hashlib.sha256("\n".join(parts).encode()).digest()[:6]).decode()


def digest_of(value: Any) -> str:
    """As `short_digest`, of JSON-like data."""
    return short_digest(tokens.digest(value))


def tag(basket_id: str) -> str:
    """A basket id in 22 characters."""
    return base64.urlsafe_b64encode(uuid.UUID(basket_id).bytes).rstrip(b"=").decode()


def untag(text: str) -> str:
    """The basket id of a tag."""
    return str(uuid.UUID(bytes=base64.urlsafe_b64decode(text + "==")))


def moved_name(name: str, tag: str) -> str:
    """A dot's name in the basket its basket was merged into.

    Devices count per basket, so `till-1|3` may be in both: it becomes `till-1@<tag>|3`. Digests of keys include the
    basket id and stay as they are.
    """
    writer, bar, seq = name.partition("|")
    return f"{writer}@{tag}|{seq}" if bar else name


# ------------------------------------------------------------------------------------------------------- changes


@dataclass
class BasketChanged(Exception):
    """The basket is no longer what the writer read; `basket` is what it is now (None: gone)."""

    basket: dict[str, Any] | None


def change(
    basket: Mapping[str, Any],
    event: dict[str, Any],
    *,
    put: Mapping[str, Packed] | None = None,
    drop: Mapping[str, Packed] | None = None,
    remember: Mapping[str, int] | None = None,
    forget: Iterable[str] = (),
    set: Iterable[str] = (),
    remove: Iterable[str] = (),
    when: Iterable[str] = (),
    values: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
    refused: Callable[[dict[str, Any] | None], Exception] = BasketChanged,
) -> writes.Write:
    """Fragment: take `drop` out and put `put` in, if the basket is open and every dot of `drop` is still there.

    What others add meanwhile stays. Dots named after a key that go are remembered in `recent`, and so are those in
    `remember`; those in `forget` are forgotten. Callers add their own parts (`set`, `remove`), conditions (`when`),
    values and names. Much at once is written back as a whole, which then needs the version that was read.
    """
    put, drop = put or {}, drop or {}
    sets, removes, conditions = ["#v = #v + :one", "#e = :event", *set], [*remove], ["#s = :open", *when]
    all_values = {":one": 1, ":event": event, ":open": "open"} | dict(values or {})
    all_names = {"#v": "version", "#e": "event", "#s": "state"} | dict(names or {})
    gone = {name: stamp(packed) for name, packed in drop.items() if keyed(name)} | dict(remember or {})
    forgotten = [name for name in forget if name not in gone]
    if max(len(put) + len(drop), len(gone) + len(forgotten)) > PER_DOT_LIMIT:
        after = {name: packed for name, packed in basket["dots"].items() if name not in drop} | dict(put)
        recent = {name: at for name, at in basket["recent"].items() if name not in forgotten} | gone
        sets += ["dots = :dots", "recent = :recent", "units = :units"]
        conditions.append("#v = :version")
        all_values |= {":dots": after, ":recent": recent, ":units": sum_of(after), ":version": basket["version"]}
    else:
        for place, name in enumerate(sorted(drop)):
            all_names[f"#d{place}"] = name
            removes.append(f"dots.#d{place}")
            # Dots never change, so "still there" is "still what was read".
            conditions.append(f"attribute_exists(dots.#d{place})")
        for place, name in enumerate(sorted(gone)):
            all_names[f"#g{place}"], all_values[f":g{place}"] = name, gone[name]
            sets.append(f"recent.#g{place} = :g{place}")
        for place, name in enumerate(forgotten):
            all_names[f"#f{place}"] = name
            removes.append(f"recent.#f{place}")
        for place, name in enumerate(sorted(put)):
            all_names[f"#p{place}"], all_values[f":p{place}"] = name, put[name]
            sets.append(f"dots.#p{place} = :p{place}")
        if difference := sum_of(put) - sum_of(drop):
            sets.append("units = units + :units")
            all_values[":units"] = difference
    return writes.update(
        "BASKET", key(basket["basket_id"]), set=", ".join(sets), remove=", ".join(removes),
        when=" AND ".join(conditions), values=all_values, names=all_names, refused=refused,
    )  # fmt: skip


def sum_of(dots: Mapping[str, Packed]) -> int:
    """How many pieces these dots are together."""
    return sum(packed[1] for packed in dots.values())


def body_digest(sku: str, quantity: int) -> int:
    """Four digits that tell one add from another: whether a repeated key repeats its request."""
    return int.from_bytes(hashlib.sha256(f"{sku} {quantity}".encode()).digest()[:4], "big") % 10_000


def stamp(packed: Packed) -> int:
    """What `recent` keeps of a gone dot: the hour it went, and the digest of the request that had added it."""
    return int(clock.source() // 3600) * 10_000 + body_digest(packed[0], packed[1])


def skus_of(dots: Mapping[str, Packed]) -> list[str]:
    """The SKUs touched, at most 50: an event is a hint to look, not a copy of the basket."""
    return sorted({packed[0] for packed in dots.values()})[:50]


def remove_ordered(basket: Mapping[str, Any], dots: Mapping[str, Packed], order_id: str) -> writes.Write:
    """Fragment: take exactly the ordered dots out; lines added meanwhile stay. Refused with `BasketChanged`."""
    event = events.of("basket.changed", change="ordered", skus=skus_of(dots))
    return change(basket, event, drop=dots, set=["last_order = :order"], values={":order": order_id})


def give_back(
    basket: Mapping[str, Any], dots: Mapping[str, Packed], order_id: str, ordered_from: str | None = None
) -> writes.Write:
    """Fragment: an unpaid order returns its dots, each as it was. Refused with `BasketChanged` (then read again).

    `basket` is the order's basket or, if that was merged since, its `home`; say `ordered_from` (the order's
    `basket_id`), so that the dots get the names they would have had they been there at the merge. Dots keep their
    names, so a device that had seen one can still remove it.
    """
    event = events.of("basket.changed", change="given-back", skus=skus_of(dots))
    if ordered_from and ordered_from != basket["basket_id"]:
        came = tag(ordered_from)
        dots = {moved_name(name, came): replace(Dot.of(packed), through=came).packed() for name, packed in dots.items()}
    # A basket that was empty when it was last looked after is not looked after any more: now it must be.
    look = due.fields(key(basket["basket_id"])[0], clock.iso())
    return change(
        basket, event, put=dots,
        set=["last_order = :order", *(f"{name} = if_not_exists({name}, :{name})" for name in look)],
        values={":order": order_id} | {f":{name}": value for name, value in look.items()},
    )  # fmt: skip
