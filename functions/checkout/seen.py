"""Places and stock levels as they were read: what can be promised, and which levels to take it from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checkout import sourcing
from checkout.sourcing import Place, Share, Stock
from commerce import holds, locations, pricing, reads
from commerce.holds import Hold
from commerce.markets import Market


@dataclass(frozen=True)
class Levels:
    """Level items by key. A proposal only: the transaction's conditions decide."""

    items: Mapping[reads.Key, Mapping[str, Any]]

    def stock(self) -> Stock:
        """What each place can promise of each SKU."""
        return {where: holds.available(levels) for where, levels in self._by_place().items()}

    def holds(self, shares: Iterable[Share]) -> list[Hold]:
        """Which levels the shares come from: split (hot) levels are taken from at random."""
        there = self._by_place()
        return [hold for each in shares for hold in holds.spread(there[each.sku, each.location_id], each.quantity)]

    def __or__(self, other: "Levels") -> "Levels":
        return Levels({**self.items, **other.items})

    def _by_place(self) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
        there: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for level in self.items.values():
            there.setdefault((level["sku"], level["location_id"]), []).append(level)
        return there


def reachable(fulfilment: Mapping[str, Any], market: Market, channel: str, *, fresh: bool = False) -> list[Place]:
    """The locations this fulfilment may come from: the one store it names, or all that deliver, nearest first."""
    place, near = fulfilment.get("location_id"), locations.point(fulfilment.get("address", {}))
    every = locations.every(fresh=fresh)
    known = every.values() if place is None else filter(None, [locations.get(place)])
    return sourcing.places(known, fulfilment["kind"], market.id, channel, near)


def look(skus: Iterable[str], location_ids: Sequence[str]) -> Levels:
    """The levels of these SKUs at these locations, as they are this moment."""
    return look_with_products(list(skus), location_ids, products=False)[1]


def look_with_products(
    skus: Sequence[str], location_ids: Sequence[str], *, products: bool = True
) -> tuple[dict[str, dict[str, Any]], Levels]:
    """Products by SKU (unknown ones left out) and levels, in one round of reads; one more if a level is split."""
    wanted: dict[str, Iterable[reads.Key]] = {
        "STOCK": [holds.level_key(sku, place) for place in location_ids for sku in skus]
    }
    if products:
        wanted["CATALOG"] = [pricing.product_key(sku) for sku in skus]
    found = reads.get_many(wanted)
    levels = dict(found["STOCK"])
    if parts := holds.parts_of(levels.values()):
        levels |= reads.get_many({"STOCK": parts})["STOCK"]
    return {item["sku"]: item for item in found.get("CATALOG", {}).values()}, Levels(levels)
