"""What can be promised where, as shoppers see it. Pure: levels, locations and the moment are passed in."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from commerce import holds, locations
from stock import hours
from stock.levels import Level
from stock.views import StockAtLocation, StockView


@dataclass(frozen=True, slots=True)
class Asked:
    """Near what (degrees north, east), and which locations count."""

    near: tuple[float, float] | None = None
    location_id: str | None = None
    channel: str | None = None
    market: str | None = None
    fulfilment: str | None = None


def view(
    sku: str, levels: Iterable[Level], known: Mapping[str, dict[str, Any]], asked: Asked, now: datetime
) -> StockView:
    """Per location, parts added up, never below zero; nearest first. Levels at places nobody knows do not count."""
    by_place: dict[str, list[Level]] = defaultdict(list)
    for level in levels:
        by_place[level["location_id"]].append(level)
    places = [
        _place(known[place], parts, asked, now)
        for place, parts in by_place.items()
        if place in known and _counts(known[place], asked)
    ]
    places.sort(key=lambda one: (math.inf if one.distance_km is None else one.distance_km, one.location_id))
    return StockView(sku=sku, total=sum(place.available for place in places), locations=places)


def _counts(location: dict[str, Any], asked: Asked) -> bool:
    return asked.location_id in (None, location["location_id"]) and locations.serves(
        location, channel=asked.channel, market=asked.market, fulfilment=asked.fulfilment
    )


def _place(location: dict[str, Any], parts: list[Level], asked: Asked, now: datetime) -> StockAtLocation:
    here, opening = locations.point(location), location.get("opening_hours")
    distance = locations.distance_km(asked.near, here) if asked.near and here else None
    return StockAtLocation.model_validate({
        "location_id": location["location_id"],
        "name": location["name"],
        "kind": location["kind"],
        "available": holds.available(parts),
        "fulfilments": locations.fulfilments(location),
        "distance_km": None if distance is None else round(distance, 1),
        "open_now": hours.is_open(opening, now) if opening else None,
        "open_today": hours.today(opening, now) if opening else None,
    })  # fmt: skip
