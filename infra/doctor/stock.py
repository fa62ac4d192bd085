"""I1: stock adds up, is promised once, and only facts make it negative."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from checkout import order as rules
from commerce import clock
from commerce.holds import Hold
from infra.doctor.findings import Item, Patient, Violation
from stock.orders import Slot

FACTS = {"sale", "count", "safety"}
"""Movements that say what already is so; they alone may drive `available` below zero."""


def check(patient: Patient) -> Iterator[Violation]:
    """Every level, against itself and against the orders that hold it."""
    promised, unsure = _promised(patient)
    factual = {
        (move["sku"], place)
        for move in patient.movements.values()
        if move["kind"] in FACTS
        for place in (move["location_id"], move.get("to_location_id"))
    }
    for key, level in patient.levels.items():
        subject = f"{level['sku']} at {key[1].removeprefix('LOC#')}"
        if level["available"] != level["on_hand"] - level["reserved"] - level["safety"]:
            yield Violation("I1", subject, f"available is not on hand - reserved - safety: {_figures(level)}")
        if level["reserved"] < 0:
            yield Violation("I1", subject, f"reserved is negative: {_figures(level)}")
        if level["available"] < -level["safety"] and (level["sku"], level["location_id"]) not in factual:
            yield Violation("I1", subject, f"negative without a fact that says so: {_figures(level)}")
        if key not in unsure and level["reserved"] != promised[key]:
            yield Violation("I1", subject, f"reserved {level['reserved']}, but orders hold {promised[key]}")
    for key, units in promised.items():
        if key not in patient.levels and units:
            yield Violation("I1", f"{key}", f"orders hold {units} of a level that does not exist")


def _promised(patient: Patient) -> tuple[Counter[tuple[str, str]], set[tuple[str, str]]]:
    """Units held by orders, by level; and the levels of orders that may be changing at this moment."""
    promised: Counter[tuple[str, str]] = Counter()
    unsure: set[tuple[str, str]] = set()
    for order in patient.orders.values():
        holds = rules.holds_of(order)
        if patient.under_way(order):
            unsure |= {hold.key for hold in holds}
            continue
        for hold in held(patient, order):
            promised[hold.key] += hold.quantity
    return promised, unsure


def held(patient: Patient, order: Item) -> list[Hold]:
    """What an order holds of its lines now."""
    holds = rules.holds_of(order)
    if progress := patient.holding.get(order["order_id"]):
        return holds[: progress["held"]]
    if order["state"] in ("placed", "authorized"):
        return holds
    if order.get("paid_at"):  # paid, fulfilled, or cancelled afterwards: held until stock has booked the sale
        return [hold for hold in holds if (f"SKU#{hold.sku}", _slot(order, hold).movement_id) not in patient.movements]
    return []


def _slot(order: Item, hold: Hold) -> Slot:
    return Slot(hold, order["order_id"], order["order_number"], clock.parse(order["paid_at"]))


def _figures(level: dict[str, Any]) -> str:
    return ", ".join(f"{name} {level[name]}" for name in ("on_hand", "reserved", "safety", "available"))
