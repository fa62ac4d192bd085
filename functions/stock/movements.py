"""Movements: append-only facts about goods, and what each does to levels. Pure rules."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from commerce import ids
from stock import levels
from stock.levels import Change, Level


@dataclass(frozen=True, slots=True)
class Asked:
    """A movement somebody wants booked. `quantity` as asked for; `by` is the principal, `movement_id` its own."""

    movement_id: str
    kind: str
    sku: str
    location_id: str
    quantity: int
    by: str
    at: str
    to_location_id: str | None = None
    reference: str | None = None


def plan(asked: Asked, here: Sequence[Level], there: Sequence[Level] = ()) -> list[Change]:
    """What the movement does to the levels of its place (base first), and of the place the goods go to.

    Raises `NotEnough` where goods would leave that are promised or not there; sales and counts are facts.
    """
    match asked.kind:
        case "receipt":
            return levels.raised(here, asked.quantity)
        case "sale":
            return levels.lowered(here, asked.quantity, fact=True)
        case "count":
            return levels.counted(here, asked.quantity)
        case "transfer":
            return levels.lowered(here, asked.quantity, fact=False) + levels.raised(there, asked.quantity)
        case "adjustment" if asked.quantity < 0:
            return levels.lowered(here, -asked.quantity, fact=False)
        case "adjustment":
            return levels.raised(here, asked.quantity)
    raise ValueError(asked.kind)


def booked(asked: Asked, here: Sequence[Level], changes: Sequence[Change]) -> dict[str, Any]:
    """The movement as it is kept: the signed difference at its place, what was counted, and what is left there."""
    difference = sum(change.units for change in changes if change.level["location_id"] == asked.location_id)
    return {
        "movement_id": asked.movement_id,
        "kind": asked.kind,
        "sku": asked.sku,
        "location_id": asked.location_id,
        "to_location_id": asked.to_location_id,
        "quantity": difference,
        "counted": asked.quantity if asked.kind == "count" else None,
        "on_hand": levels.on_hand(here) + difference,
        "reference": asked.reference,
        "by": asked.by,
        "at": asked.at,
    }


def left_behind(location_id: str, here: Sequence[Level], changes: Sequence[Change]) -> dict[str, Any]:
    """The stock of the place after the changes, its parts added up."""
    difference = sum(change.units for change in changes if change.level["location_id"] == location_id)
    total = {name: sum(level[name] for level in here) for name in ("on_hand", "reserved", "safety", "available")}
    total["on_hand"] += difference
    total["available"] += difference
    return {"location_id": location_id} | total


def derived_id(at: datetime, *cause: str) -> str:
    """The id of a movement that follows from something else: the same cause gives the same id, sorted by its time."""
    digest = hashlib.sha256("\n".join(cause).encode()).digest()
    return ids.uuid7(int(at.timestamp() * 1000), digest[:10])


def as_text(at: datetime) -> str:
    """A UTC moment as items keep it: `2026-11-21T10:00:00.000Z`."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
