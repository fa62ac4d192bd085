"""The basket item as checkout meets it: what is in it, taking out what was ordered, giving it back.

Item `B#<id>` / `-`. Lines are an add-wins set of dots: `dots{"<sku>|<writer>|<seq>": {q, via, at, saved?, ...}}`.
A dot never changes; a line's quantity is the sum of its dots. The basket service owns every other rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from commerce import events, writes

PER_DOT_LIMIT = 60
"""Up to here single dots are named in the expression (4 KB at most); above, the whole map is written back."""


def key(basket_id: str) -> tuple[str, str]:
    """The basket's key in the basket table."""
    return f"B#{basket_id}", "-"


def sku_of(dot: str) -> str:
    """The SKU a dot is about."""
    return dot.split("|", 1)[0]


def ordered_dots(basket: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The dots an order takes: everything that is not saved for later."""
    return {name: dot for name, dot in basket["dots"].items() if not dot.get("saved")}


def quantities(dots: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Quantity per SKU, in order of first appearance."""
    total: dict[str, int] = {}
    for name, dot in sorted(dots.items(), key=lambda entry: (entry[1]["at"], entry[0])):
        total[sku_of(name)] = total.get(sku_of(name), 0) + dot["q"]
    return total


@dataclass
class BasketChanged(Exception):
    """The basket is no longer what the order was made from."""

    basket: dict[str, Any] | None


def remove_ordered(basket: Mapping[str, Any], dots: Mapping[str, Any], order_id: str) -> writes.Write:
    """Fragment: take exactly the ordered dots out; lines added meanwhile stay. Refused with `BasketChanged`."""
    event = events.of("basket.changed", change="ordered", skus=_skus(dots))
    values: dict[str, Any] = {":one": 1, ":event": event, ":open": "open", ":order": order_id}
    names = {"#v": "version", "#e": "event", "#s": "state"}
    bump = "#v = #v + :one, #e = :event, last_order = :order"
    if len(dots) > PER_DOT_LIMIT:
        kept = {name: dot for name, dot in basket["dots"].items() if name not in dots}
        values |= {":kept": kept, ":version": basket["version"]}
        change, when = {"set": f"dots = :kept, {bump}"}, "#s = :open AND #v = :version"
    else:
        alias = {f"#d{place}": name for place, name in enumerate(sorted(dots))}
        names |= alias
        change = {"set": bump, "remove": ", ".join(f"dots.{short}" for short in alias)}
        # Dots never change, so "still there" is "still what was ordered".
        when = " AND ".join(["#s = :open"] + [f"attribute_exists(dots.{short})" for short in alias])
    return writes.update(
        "BASKET", key(basket["basket_id"]), **change, when=when, values=values, names=names, refused=BasketChanged
    )


def give_back(basket: Mapping[str, Any], dots: Mapping[str, Any], order_id: str) -> writes.Write:
    """Fragment: an unpaid order returns its dots, each as it was. Refused with `BasketChanged` (then read again).

    Dots keep their names, so doing it twice changes nothing and a device that had seen one can still remove it.
    """
    event = events.of("basket.changed", change="given-back", skus=_skus(dots))
    values: dict[str, Any] = {":one": 1, ":event": event, ":open": "open"}
    names = {"#v": "version", "#e": "event", "#s": "state"}
    bump = "#v = #v + :one, #e = :event"
    if len(dots) > PER_DOT_LIMIT:
        values |= {":dots": {**basket["dots"], **dots}, ":version": basket["version"]}
        change, when = f"dots = :dots, {bump}", "#s = :open AND #v = :version"
    else:
        alias = {f"d{place}": name for place, name in enumerate(sorted(dots))}
        names |= {f"#{short}": name for short, name in alias.items()}
        values |= {f":{short}": dict(dots[name]) for short, name in alias.items()}
        change = ", ".join([bump] + [f"dots.#{short} = :{short}" for short in alias])
        when = "#s = :open"
    return writes.update(
        "BASKET", key(basket["basket_id"]), set=change, when=when, values=values, names=names, refused=BasketChanged
    )


def _skus(dots: Mapping[str, Any]) -> list[str]:
    """The SKUs touched, at most 50: an event is a hint to look, not a copy of the basket."""
    return sorted({sku_of(name) for name in dots})[:50]
