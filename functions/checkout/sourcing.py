"""Where the goods come from: pure rules over what places can promise.

Delivery leaves from one location whenever one has everything, and only otherwise from several. Pickup and carry-out
take everything from the one store. What cannot be had is told per SKU, together with what could be done instead.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

from commerce import locations

Kind = Literal["delivery", "pickup", "carry_out"]

Stock = Mapping[tuple[str, str], int]
"""What can be promised: (SKU, location id) -> pieces. What is not named is not there."""

_EXACT_COMBINATIONS = 300
"""How many combinations of locations are tried one by one before sourcing becomes greedy."""


@dataclass(frozen=True, slots=True)
class Place:
    """A store or warehouse as sourcing sees it. `distance` is in km from the destination, None if unknown."""

    id: str
    name: str
    serves: frozenset[str]
    warehouse: bool = False
    distance: float | None = None

    @property
    def rank(self) -> tuple[float, bool, str]:
        """Nearest first; without a known distance warehouses before stores, then by id: a plan is repeatable."""
        return (math.inf if self.distance is None else self.distance, not self.warehouse, self.id)


@dataclass(frozen=True, slots=True)
class Share:
    """So many pieces of one SKU from one place."""

    sku: str
    location_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Short:
    """Fewer than asked for. `location_id` is None when several locations were looked at."""

    sku: str
    location_id: str | None
    requested: int
    available: int

    def at(self, location_id: str | None) -> "Short":
        """This shortage as one of the place that was asked for, if a place was."""
        return self if location_id is None else replace(self, location_id=location_id)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which place gives what, and how that was decided (kept on the order)."""

    shares: list[Share]
    rule: str
    considered: int

    @property
    def locations(self) -> list[str]:
        """Where the goods come from: one parcel each."""
        return sorted({share.location_id for share in self.shares})

    def decision(self) -> str:
        """For the order item: `fewest-parcels of 6`: the rule, and how many places were weighed."""
        return f"{self.rule} of {self.considered}"


def places(
    known: Iterable[Mapping[str, Any]],
    kind: Kind | None,
    market: str,
    channel: str,
    near: tuple[float, float] | None = None,
) -> list[Place]:
    """The locations that may serve this fulfilment (None: any) for a market and channel, nearest first."""
    found = []
    for each in known:
        if not locations.serves(each, channel=channel, market=market, fulfilment=kind):
            continue
        here = locations.point(each)
        distance = locations.distance_km(here, near) if here and near else None
        serves = frozenset(locations.fulfilments(each))
        name = each.get("name", each["location_id"])
        found.append(Place(each["location_id"], name, serves, each.get("kind") == "warehouse", distance))
    return sorted(found, key=lambda place: place.rank)


def plan(wanted: Mapping[str, int], able: Sequence[Place], stock: Stock, rule: str) -> Plan | list[Short]:
    """Shares for everything wanted, or every shortage.

    A plan exists exactly when, for each SKU, the places together have enough. One place is chosen if one has
    everything. Otherwise rule `nearest` takes each SKU from the nearest that has it whole; the other rules take as few
    places as possible (tried one by one while there are few combinations, then greedily). `fewest-parcels` prefers
    near places among equals, `most-stock` those with most left over.
    """
    if missing := shortages(wanted, able, stock):
        return missing
    ranked = _ranked(wanted, able, stock, rule)
    for chosen in _choices(ranked, rule):
        shares = _fill(wanted, chosen, stock)
        if shares is not None:
            return Plan(shares, rule, len(able))
    return Plan(_greedy(wanted, ranked, stock), rule, len(able))


def shortages(wanted: Mapping[str, int], able: Sequence[Place], stock: Stock) -> list[Short]:
    """The SKUs of which the places together have too few."""
    only = able[0].id if len(able) == 1 else None
    return [
        Short(sku, only, quantity, have)
        for sku, quantity in sorted(wanted.items())
        if (have := _total(sku, able, stock)) < quantity
    ]


def alternatives(
    wanted: Mapping[str, int], around: Sequence[Place], stock: Stock, kind: Kind, asked_at: str | None
) -> list[dict[str, Any]]:
    """What could be done instead: other stores with everything, delivery, a split, or fewer pieces.

    `around` are all places that serve any fulfilment, nearest first; `asked_at` is the place that was asked for.
    """
    ways: list[dict[str, Any]] = []
    for place in around:
        if "pickup" in place.serves and place.id != asked_at and not shortages(wanted, [place], stock):
            distance = {} if place.distance is None else {"distance_km": round(place.distance, 1)}
            ways.append({"kind": "pickup", "location_id": place.id, "name": place.name} | distance)
    senders = [place for place in around if "delivery" in place.serves]
    if kind == "delivery":
        senders = [place for place in senders if asked_at in (None, place.id)]
        have = {sku: min(quantity, _total(sku, senders, stock)) for sku, quantity in wanted.items()}
    else:
        asked = [place for place in around if place.id == asked_at and kind in place.serves]
        have = {sku: min(quantity, _total(sku, asked, stock)) for sku, quantity in wanted.items()}
        rest = {sku: quantity - have[sku] for sku, quantity in wanted.items() if quantity > have[sku]}
        if senders and not shortages(wanted, senders, stock):
            ways.append({"kind": "delivery"})
        if any(have.values()) and senders and not shortages(rest, _without(senders, asked_at), stock):
            here = {"kind": kind, "location_id": asked_at, "lines": _lines(have)}
            ways.append({"kind": "split", "parts": [here, {"kind": "delivery", "lines": _lines(rest)}]})
    if any(have.values()):
        ways.append({"kind": "lower_quantity", "location_id": asked_at, "lines": _lines(have)})
    return ways


# ------------------------------------------------------------------------------------------------------- the parts


def _total(sku: str, able: Iterable[Place], stock: Stock) -> int:
    return sum(stock.get((sku, place.id), 0) for place in able)


def _ranked(wanted: Mapping[str, int], able: Sequence[Place], stock: Stock, rule: str) -> list[Place]:
    """Most preferred first: by distance, or (rule `most-stock`) by how much of what is wanted would be left over."""
    if rule != "most-stock":
        return sorted(able, key=lambda place: place.rank)

    def left_over(place: Place) -> int:
        return min(stock.get((sku, place.id), 0) - quantity for sku, quantity in wanted.items())

    return sorted(able, key=lambda place: (-left_over(place), *place.rank))


def _choices(ranked: Sequence[Place], rule: str) -> Iterator[Sequence[Place]]:
    """Single places, then pairs, then triples ... while they are few; preferred ones first."""
    yield from ([place] for place in ranked)
    if rule == "nearest":
        yield ranked
        return
    for size in range(2, len(ranked) + 1):
        if math.comb(len(ranked), size) > _EXACT_COMBINATIONS:
            return
        yield from combinations(ranked, size)


def _fill(wanted: Mapping[str, int], chosen: Sequence[Place], stock: Stock) -> list[Share] | None:
    """Everything from the chosen places; None if they have too little.

    A SKU that one of them has whole is not divided over several.
    """
    shares: list[Share] = []
    for sku, quantity in wanted.items():
        whole = next((place for place in chosen if stock.get((sku, place.id), 0) >= quantity), None)
        left = quantity
        for place in [whole] if whole else chosen:
            if taken := min(left, stock.get((sku, place.id), 0)):
                shares.append(Share(sku, place.id, taken))
                left -= taken
        if left:
            return None
    return shares


def _greedy(wanted: Mapping[str, int], ranked: Sequence[Place], stock: Stock) -> list[Share]:
    """Again and again the place that completes most lines, then gives most pieces, then is preferred."""
    left, remaining, shares = dict(wanted), list(ranked), list[Share]()
    while left:
        best = max(remaining, key=lambda place: _use(left, place, stock))
        remaining.remove(best)
        for sku, quantity in list(left.items()):
            if taken := min(quantity, stock.get((sku, best.id), 0)):
                shares.append(Share(sku, best.id, taken))
                left[sku] -= taken
        left = {sku: quantity for sku, quantity in left.items() if quantity}
    return shares


def _use(left: Mapping[str, int], place: Place, stock: Stock) -> tuple[int, int]:
    """How many lines a place would complete, and how many pieces it would give."""
    gives = [(quantity, stock.get((sku, place.id), 0)) for sku, quantity in left.items()]
    return sum(has >= quantity for quantity, has in gives), sum(min(has, quantity) for quantity, has in gives)


def _without(places: Iterable[Place], location_id: str | None) -> list[Place]:
    return [place for place in places if place.id != location_id]


def _lines(quantities: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"sku": sku, "quantity": quantity} for sku, quantity in sorted(quantities.items()) if quantity]
