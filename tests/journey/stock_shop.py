"""A place with stock, and what must be true of stock whatever happened."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.world import World

HUB, AMS = "nl-warehouse", "ams-kalverstraat"


def move(world: World, kind: str, quantity: int, *, key: str, sku: str = "TEE", at: str = HUB, **more: Any) -> Any:
    """A movement, booked by staff."""
    body = {"location_id": at, "sku": sku, "kind": kind, "quantity": quantity} | more
    return world.call("POST", "/stock/movements", world.token("staff"), json=body, key=key)


def articles(world: World, skus: list[str], units: int) -> None:
    """Many articles at once, with `units` of each in the warehouse."""
    from commerce import writes
    from commerce.holds import new_level

    with world.calm(), world.runtime.function_environment(world.template.functions["StockApi"]):
        for sku in skus:
            product = {"pk": f"SKU#{sku}", "sk": "-", "sku": sku, "name": sku, "version": 1}
            receipt = {"movement_id": sku, "sku": sku, "location_id": HUB, "kind": "receipt", "quantity": units}
            writes.commit(writes.put("CATALOG", product))
            writes.commit(writes.put("STOCK", new_level(sku, HUB, units)))
            writes.commit(writes.put("STOCK", {"pk": f"SKU#{sku}", "sk": f"MOVE#{sku}"} | receipt))


def levels(world: World, sku: str = "TEE", at: str = HUB) -> list[dict[str, Any]]:
    """The base level and parts of a SKU at a place, as stored."""
    found = [
        item
        for item in world.items("StockTable")
        if item["pk"] == f"SKU#{sku}" and item["sk"].startswith("LOC#") and item["location_id"] == at
    ]
    return sorted(found, key=lambda level: len(level["sk"]) * 1000 + ord(level["sk"][-1]))


def figures(world: World, sku: str = "TEE", at: str = HUB) -> tuple[int, int, int]:
    """On hand, reserved and available at a place, parts added up."""
    return all_figures(world, at)[sku]


def all_figures(world: World, at: str = HUB) -> dict[str, tuple[int, int, int]]:
    """The same of every SKU there."""
    found: dict[str, tuple[int, int, int]] = {}
    for level in world.items("StockTable"):
        if level["pk"].startswith("SKU#") and level["sk"].startswith("LOC#") and level["location_id"] == at:
            on_hand, reserved, free = found.get(level["sku"], (0, 0, 0))
            found[level["sku"]] = (on_hand + level["on_hand"], reserved + level["reserved"], free + level["available"])
    return found


def history(world: World, sku: str = "TEE") -> list[dict[str, Any]]:
    """All movements of a SKU, oldest first."""
    items = [item for item in world.items("StockTable") if item["pk"] == f"SKU#{sku}"]
    return sorted((item for item in items if item["sk"].startswith("MOVE#")), key=lambda item: item["sk"])


def wrong(world: World) -> list[str]:
    """What is not true of stock: each level adds up, and what is on hand is the sum of all movements."""
    found: list[str] = []
    on_hand: Counter[tuple[str, str]] = Counter()
    moved: Counter[tuple[str, str]] = Counter()
    for item in world.items("StockTable"):
        if item["sk"].startswith("MOVE#"):
            moved[item["sku"], item["location_id"]] += item["quantity"]
            if item.get("to_location_id"):
                moved[item["sku"], item["to_location_id"]] -= item["quantity"]
        elif item["pk"].startswith("SKU#"):
            on_hand[item["sku"], item["location_id"]] += item["on_hand"]
            if item["available"] != item["on_hand"] - item["reserved"] - item["safety"] or item["reserved"] < 0:
                found.append(f"does not add up: {item}")
    found += [f"{place}: {on_hand[place]} on hand, {moved[place]} by movements" for place in moved | on_hand
              if on_hand[place] != moved[place]]  # fmt: skip
    return found


def hold(world: World, quantity: int, order_id: str, *, sku: str = "TEE", shard: str | None = None) -> Any:
    """What placing an order does to a level."""
    from commerce import holds, reads, writes

    one = holds.Hold(sku, HUB, quantity, shard)
    with world.runtime.function_environment(world.template.functions["CheckoutApi"]):
        seen = reads.get_many({"STOCK": [one.key]})["STOCK"]
        writes.commit(holds.take([one], order_id, seen))
    return {"sku": sku, "quantity": quantity, "location_id": HUB} | ({"shard": shard} if shard else {})


def bus_event(world: World, kind: str, order_id: str, lines: list[Any], version: int, **more: Any) -> None:
    """Put an order's event into the queue of the stock service, as the bus does."""
    data = {
        "order_id": order_id, "order_number": order_id, "market": "nl", "channel": "web", "currency": "EUR",
        "total": 100, "lines": lines, "paid_at": "2026-11-21T10:00:00.000Z",
    } | more  # fmt: skip
    detail = {
        "id": f"order/{order_id}@{version}", "source": "mandje.checkout", "type": kind, "subject": f"order/{order_id}",
        "time": "2026-11-21T11:00:00.000Z", "dataschema": f"/events/schemas/{kind}.json", "data": data,
    }  # fmt: skip
    body = {"source": "mandje.checkout", "detail-type": kind, "detail": {"specversion": "1.0"} | detail}
    world.pump.send("StockEvents", json.dumps(body))


def paid(world: World, order_id: str, lines: list[Any]) -> None:
    """The order is paid."""
    bus_event(world, "order.paid", order_id, lines, 2)


def cancelled(world: World, order_id: str, lines: list[Any], *, was_paid: bool = True) -> None:
    """The order is cancelled."""
    bus_event(world, "order.cancelled", order_id, lines, 3, was_paid=was_paid)
