"""Stores and warehouses, as stock keeps them and checkout sources from them: one partition, read once per half minute.

Item `LOCATIONS` / `LOC#<id>` in the stock table. Coordinates are kept as text: floats never enter an item.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from commerce import clock, markets, reads

PARTITION = "LOCATIONS"
DEFAULT_FULFILMENTS = {"warehouse": ("delivery",), "store": ("pickup", "carry_out")}
"""What a location does by its kind, unless its `fulfilments` say otherwise (a store that ships says `delivery` too)."""

_CACHE_S = 30.0
_EARTH_KM = 6371.0
_cache: dict[str, Any] = {}

Location = dict[str, Any]


def key(location_id: str) -> tuple[str, str]:
    """A location's key in the stock table."""
    return PARTITION, f"LOC#{location_id}"


def every(*, fresh: bool = False) -> dict[str, Location]:
    """All locations by id, at most 30 s old unless `fresh`."""
    now = clock.source()
    if fresh or now - _cache.get("at", -math.inf) >= _CACHE_S:
        items = reads.every("STOCK", PARTITION, prefix="LOC#", consistent=fresh)
        _cache.update(at=now, items={item["location_id"]: item for item in items})
    found: dict[str, Location] = _cache["items"]
    return found


def get(location_id: str) -> Location | None:
    """One location; one that is not known is looked for again, so that a new store works at once."""
    return every().get(location_id) or every(fresh=True).get(location_id)


def knowing(location_ids: Iterable[str]) -> dict[str, Location]:
    """All locations; read again if one of these is not among them, so that a new store counts at once."""
    known = every()
    return known if all(each in known for each in location_ids) else every(fresh=True)


def forget() -> None:
    """Drop the cache (a location changed; another table)."""
    _cache.clear()


def fulfilments(location: Mapping[str, Any]) -> tuple[str, ...]:
    """What this location does for orders: `delivery`, `pickup`, `carry_out`."""
    return tuple(location.get("fulfilments") or DEFAULT_FULFILMENTS.get(location.get("kind", "store"), ()))


def serves(
    location: Mapping[str, Any], *, channel: str | None = None, market: str | None = None, fulfilment: str | None = None
) -> bool:
    """Whether orders of this channel, market and fulfilment may use this location. An absent list excludes none."""
    return (
        (channel is None or not location.get("channels") or channel in location["channels"])
        and (market is None or not location.get("markets") or market in location["markets"])
        and (fulfilment is None or fulfilment in fulfilments(location))
    )


def country(location: Mapping[str, Any]) -> str | None:
    """The country a location is in: its own word, or that of the markets it serves if they are all of one country."""
    if location.get("country"):
        return str(location["country"])
    known = markets.every()
    served = {known[each].country for each in location.get("markets") or () if each in known}
    return served.pop() if len(served) == 1 else None


def point(place: Mapping[str, Any]) -> tuple[float, float] | None:
    """Degrees north and east, None if not known."""
    if place.get("latitude") is None or place.get("longitude") is None:
        return None
    return float(place["latitude"]), float(place["longitude"])


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance (haversine) between two points in degrees."""
    north, other_north = math.radians(one[0]), math.radians(other[0])
    half = math.sin((other_north - north) / 2) ** 2
    half += math.cos(north) * math.cos(other_north) * math.sin(math.radians(other[1] - one[1]) / 2) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, half)))
