"""Put the demo retailer into the running platform, through its own API. Running it twice changes nothing."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from infra.client import Api, emulator, running_platform
from infra.local import retailer
from infra.say import Sorry

_COUNTED_WITHIN_S = 120.0
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

    Opening stock is counted, which is a fact and not an addition; levels that exist already are left alone, so a
    second run changes nothing.
    """
    staff = Api(platform["api_url"], platform["tokens"]["staff"])
    tell = tell or (lambda done, of: None)
    for key, place in retailer.locations().items():
        staff.put(f"/locations/{key}", place)
    products = retailer.products()
    staff.post("/products/batch", {"products": products})
    stocked = _stocked(staff, products)
    opening: dict[str, list[dict[str, Any]]] = {}
    for location, sku, units in retailer.opening_stock():
        if (location, sku) not in stocked:
            opening.setdefault(location, []).append({"sku": sku, "quantity": units})
    # The clock would start these jobs within a minute; nobody waits that long for a demo.
    sweep = emulator(platform, "lambda")
    jobs = [_count(staff, location, lines) for location, lines in opening.items()]
    levels = sum(len(lines) for lines in opening.values())
    give_up = time.monotonic() + _COUNTED_WITHIN_S
    while (done := sum(_progress(staff, job) for job in jobs)) < levels:
        tell(done, levels)
        sweep.invoke(FunctionName=platform["functions"]["StockSweep"]["name"], Payload=b"{}")["Payload"].read()
        if time.monotonic() > give_up:
            raise Sorry(f"only {done} of {levels} stock levels were counted within {_COUNTED_WITHIN_S:.0f} s.")
    tell(levels, levels)
    return {"products": len(products), "locations": len(retailer.LOCATIONS), "stock levels": levels}


def _count(staff: Api, location: str, lines: list[dict[str, Any]]) -> str:
    """The opening count of one location: a stored job that the stock service works off."""
    body = {"location_id": location, "reference": "opening stock", "lines": lines}
    return str(staff.post("/stock/counts", body, key=f"seed:{location}:{len(lines)}")["count_id"])


def _progress(staff: Api, job: str) -> int:
    return int(staff.get(f"/stock/counts/{job}")["done"])


def _stocked(staff: Api, products: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Where there is stock already (a platform started with KEEP=1)."""
    skus = [product["sku"] for product in products]
    found = set()
    for start in range(0, len(skus), 50):
        for item in staff.get("/stock?" + "&".join(f"sku={sku}" for sku in skus[start : start + 50]))["items"]:
            found |= {(level["location_id"], item["sku"]) for level in item["locations"]}
    return found
