"""Where the goods come from: pure rules over what locations have.

Delivery leaves from one location whenever one has everything, and only otherwise from several. Pickup and carry-out
take everything from the one store. What cannot be had is told per SKU, together with what could be done instead.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

from commerce.holds import Hold, together

Kind = Literal["delivery", "pickup", "carry_out"]

_BY_KIND: dict[str, frozenset[str]] = {
    "warehouse": frozenset({"delivery"}),
    "store": frozenset({"pickup", "carry_out"}),
}
_EARTH_KM = 6371.0
_EXACT_COMBINATIONS = 300
"""How many combinations of locations are tried one by one before sourcing becomes greedy."""


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees north and east."""

    latitude: float
    longitude: float

    def km_to(self, other: "Point") -> float:
        """Great-circle distance (haversine), kilometres."""
        north, other_north = math.radians(self.latitude), math.radians(other.latitude)
        half = math.sin((other_north - north) / 2) ** 2
        half += (
            math.cos(north) * math.cos(other_north) * math.sin(math.radians(other.longitude - self.longitude) / 2) ** 2
        )
        return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


@dataclass(frozen=True, slots=True)
class Location:
    """A store or warehouse as sourcing sees it. `distance` is in km from the destination, None if unknown."""

    id: str
    name: str
    serves: frozenset[str]
    warehouse: bool
    distance: float | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """What is available under one stock key. `shard` is set for a part of a split (hot) level."""

    sku: str
    location_id: str
    available: int
    shard: str | None = None


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

    def as_map(self) -> dict[str, Any]:
        """The wire form of one shortage."""
        return {
            "sku": self.sku,
            "location_id": self.location_id,
            "requested": self.requested,
            "available": self.available,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Which level gives what, and how that was decided (kept on the order)."""

    holds: list[Hold]
    rule: str
    considered: int

    @property
    def locations(self) -> list[str]:
        """Where the goods come from: one parcel each."""
        return sorted({hold.location_id for hold in self.holds})

    def decision(self) -> dict[str, Any]:
        """For the order item: the rule, how many locations were weighed, and which were chosen."""
        return {"rule": self.rule, "considered": self.considered, "locations": self.locations}


def candidates(
    locations: Iterable[Mapping[str, Any]], kind: Kind | None, market: str, channel: str, near: Point | None = None
) -> list[Location]:
    """The locations that may serve this kind of fulfilment (None: any) for a market and channel, nearest first.

    A location says so by `fulfilments`, or its kind does; `markets` and `channels` restrict it when present.
    """
    found = []
    for each in locations:
        serves = frozenset(each.get("fulfilments") or _BY_KIND.get(each.get("kind", "store"), frozenset()))
        if (
            (kind and kind not in serves)
            or not _open_to(each, "markets", market)
            or not _open_to(each, "channels", channel)
        ):
            continue
        found.append(
            Location(
                each["location_id"],
                each.get("name", each["location_id"]),
                serves,
                each.get("kind") == "warehouse",
                _distance(each, near),
            )
        )
    return sorted(found, key=_nearest)


def plan(
    wanted: Mapping[str, int], locations: Sequence[Location], levels: Iterable[Level], rule: str
) -> Plan | list[Short]:
    """Holds for everything wanted, or every shortage.

    A plan exists exactly when, for each SKU, the locations together have enough. One location is chosen if one has
    everything. Otherwise rule `nearest` takes each SKU from the nearest that has it whole; the other rules take as few
    locations as possible (tried one by one while there are few combinations, then greedily). `fewest-parcels` prefers
    near locations among equals, `most-stock` those with most left over.
    """
    stock = _by_location(locations, levels)
    if missing := _missing(wanted, locations, stock):
        return missing
    ranked = _ranked(wanted, locations, stock, rule)
    for chosen in _choices(ranked, rule):
        holds = _fill(wanted, chosen, stock)
        if holds is not None:
            return Plan(together(holds), rule, len(locations))
    return Plan(together(_greedy(wanted, ranked, stock)), rule, len(locations))


def alternatives(
    wanted: Mapping[str, int],
    locations: Sequence[Location],
    levels: Sequence[Level],
    kind: Kind,
    asked_at: str | None,
) -> list[dict[str, Any]]:
    """What could be done instead: other stores with everything, delivery, a split, or fewer pieces.

    `locations` are all that could serve any fulfilment, `asked_at` the store that was asked for.
    """
    stock = _by_location(locations, levels)
    ways: list[dict[str, Any]] = []
    for each in sorted(locations, key=_nearest):
        if "pickup" in each.serves and each.id != asked_at and _fill(wanted, [each], stock) is not None:
            distance = {} if each.distance is None else {"distance_km": round(each.distance, 1)}
            ways.append({"kind": "pickup", "location_id": each.id, "name": each.name} | distance)
    deliverers = [each for each in locations if "delivery" in each.serves]
    if kind != "delivery" and deliverers and not _missing(wanted, deliverers, stock):
        ways.append({"kind": "delivery"})
    asked = [each for each in locations if each.id == asked_at] if kind != "delivery" else deliverers
    have = {sku: min(quantity, _total(sku, asked, stock)) for sku, quantity in wanted.items()}
    if kind != "delivery" and any(have.values()):
        rest = {sku: quantity - have[sku] for sku, quantity in wanted.items() if quantity > have[sku]}
        if deliverers and not _missing(rest, [each for each in deliverers if each.id != asked_at], stock):
            here = {"kind": kind, "location_id": asked_at, "lines": _lines(have)}
            ways.append({"kind": "split", "parts": [here, {"kind": "delivery", "lines": _lines(rest)}]})
    if any(have.values()):
        ways.append({"kind": "lower_quantity", "location_id": asked_at, "lines": _lines(have)})
    return ways


# ------------------------------------------------------------------------------------------------------- the parts

_Stock = dict[str, dict[str, list[Level]]]
"""Location -> SKU -> its level, or the parts of its split level, fullest first."""


def _by_location(locations: Sequence[Location], levels: Iterable[Level]) -> _Stock:
    stock: _Stock = {each.id: {} for each in locations}
    for level in levels:
        if level.available > 0 and level.location_id in stock:
            stock[level.location_id].setdefault(level.sku, []).append(level)
    for skus in stock.values():
        for parts in skus.values():
            parts.sort(key=lambda level: (-level.available, level.shard or ""))
    return stock


def _total(sku: str, locations: Iterable[Location], stock: _Stock) -> int:
    return sum(level.available for each in locations for level in stock[each.id].get(sku, ()))


def _missing(wanted: Mapping[str, int], locations: Sequence[Location], stock: _Stock) -> list[Short]:
    only = locations[0].id if len(locations) == 1 else None
    totals = {sku: _total(sku, locations, stock) for sku in wanted}
    return [
        Short(sku, only, quantity, totals[sku]) for sku, quantity in sorted(wanted.items()) if totals[sku] < quantity
    ]


def _nearest(location: Location) -> tuple[float, bool, str]:
    """Nearest first; without a known distance warehouses before stores, then by id, so that a plan is repeatable."""
    return (math.inf if location.distance is None else location.distance, not location.warehouse, location.id)


def _ranked(wanted: Mapping[str, int], locations: Sequence[Location], stock: _Stock, rule: str) -> list[Location]:
    """Most preferred first: by distance, or (rule `most-stock`) by how much of what is wanted would be left over."""
    if rule != "most-stock":
        return sorted(locations, key=_nearest)

    def left_over(location: Location) -> int:
        return min((_total(sku, [location], stock) - quantity for sku, quantity in wanted.items()), default=0)

    return sorted(locations, key=lambda each: (-left_over(each), *_nearest(each)))


def _choices(ranked: Sequence[Location], rule: str) -> Iterator[Sequence[Location]]:
    """Single locations, then pairs, then triples ... while they are few; preferred ones first."""
    yield from ([each] for each in ranked)
    if rule == "nearest":
        yield ranked
        return
    for size in range(2, len(ranked) + 1):
        if math.comb(len(ranked), size) > _EXACT_COMBINATIONS:
            return
        yield from combinations(ranked, size)


def _fill(wanted: Mapping[str, int], chosen: Sequence[Location], stock: _Stock) -> list[Hold] | None:
    """Take everything from the chosen locations; None if they have too little.

    A SKU that one of them has whole is not divided over several.
    """
    holds: list[Hold] = []
    for sku, quantity in wanted.items():
        whole = next((each for each in chosen if _total(sku, [each], stock) >= quantity), None)
        left = quantity
        for each in [whole] if whole else chosen:
            for level in stock[each.id].get(sku, ()):
                taken = min(left, level.available)
                if taken:
                    holds.append(Hold(sku, each.id, taken, level.shard))
                    left -= taken
        if left:
            return None
    return holds


def _greedy(wanted: Mapping[str, int], ranked: Sequence[Location], stock: _Stock) -> list[Hold]:
    """Again and again the location that completes most lines, then gives most pieces, then is preferred."""
    left = dict(wanted)
    remaining = list(ranked)
    holds: list[Hold] = []
    while left:

        def use(location: Location) -> tuple[int, int]:
            gives = [(quantity, _total(sku, [location], stock)) for sku, quantity in left.items()]
            return sum(has >= quantity for quantity, has in gives), sum(min(has, quantity) for quantity, has in gives)

        best = max(remaining, key=use)
        remaining.remove(best)
        for sku, quantity in list(left.items()):
            here = min(quantity, _total(sku, [best], stock))
            if here:
                holds += _fill({sku: here}, [best], stock) or []
                left[sku] -= here
                if not left[sku]:
                    del left[sku]
    return holds


def _open_to(location: Mapping[str, Any], member: str, value: str) -> bool:
    allowed = location.get(member)
    return not allowed or value in allowed


def _distance(location: Mapping[str, Any], near: Point | None) -> float | None:
    here = point(location)
    return here.km_to(near) if here and near else None


def point(place: Mapping[str, Any]) -> Point | None:
    """The coordinates of a location or address item; None if it has none."""
    if place.get("latitude") is None or place.get("longitude") is None:
        return None
    return Point(float(place["latitude"]), float(place["longitude"]))


def _lines(quantities: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"sku": sku, "quantity": quantity} for sku, quantity in sorted(quantities.items()) if quantity]
