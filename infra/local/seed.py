"""Put the demo retailer into the running platform, through its own API. Running it twice changes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.client import Api, running_platform
from infra.local import retailer

_AT_ONCE = 8
Tell = Callable[[int, int], object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`mandje seed` takes no options."""


def run(args: argparse.Namespace) -> int:
    """Seed the platform that runs here."""
    counts = main(running_platform(), lambda done, of: None)
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return 0


def main(platform: dict[str, Any], tell: Tell | None = None) -> dict[str, int]:
    """Seed `platform` (what `.mandje/platform.json` holds) and say how many of what there are.

    Every receipt has a fixed Idempotency-Key, so a second run within a day adds no stock; after that, one whose SKU
    already has stock at the location is left out.
    """
    staff = Api(platform["api_url"], platform["tokens"]["staff"])
    tell = tell or (lambda done, of: None)
    for key, location in retailer.locations().items():
        staff.put(f"/locations/{key}", location)
    products = retailer.products()
    staff.post("/products/batch", {"products": products})
    stocked = _stocked(staff, products)
    receipts = [one for one in retailer.opening_stock() if one[:2] not in stocked]
    done = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(lambda one: _receive(staff, *one), receipts):
            done += 1
            tell(done, len(receipts))
    return {"products": len(products), "locations": len(retailer.LOCATIONS), "stock levels": len(receipts)}


def _receive(staff: Api, location: str, sku: str, units: int) -> None:
    movement = {"location_id": location, "sku": sku, "kind": "receipt", "quantity": units, "reference": "opening stock"}
    staff.post("/stock/movements", movement, key=f"seed:{location}:{sku}")


def _stocked(staff: Api, products: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Where there is stock already (a platform started with KEEP=1)."""
    skus = [product["sku"] for product in products]
    found = set()
    for start in range(0, len(skus), 50):
        for item in staff.get("/stock?" + "&".join(f"sku={sku}" for sku in skus[start : start + 50]))["items"]:
            found |= {(level["location_id"], item["sku"]) for level in item["locations"]}
    return found
