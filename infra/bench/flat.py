"""Cost against the size of the shop: the same operations with ten products and with a million.

What is compared are requests and units, which do not depend on the machine. The tables are real and full (moto, in
memory); a million products with their stock take about 6 GB and some minutes, so that size is measured on request.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.bench.counting import Count
from infra.bench.stage import ELSE, Stage, sku

SIZES = (10, 1_000, 100_000)
MILLION = 1_000_000
OPERATIONS = ("product", "page of 10 products", "stock of one SKU", "basket add", "place, 3 lines")


@dataclass(frozen=True)
class Row:
    """One size: requests, write units and read units of each operation."""

    products: int
    used: tuple[tuple[int, float, float], ...]

    @classmethod
    def of(cls, products: int, counts: list[Count]) -> Row:
        """Keep what must not depend on the size."""
        return cls(products, tuple((each.requests, each.write_units, each.read_units) for each in counts))


def measure(products: int) -> Row:
    """Count every operation of `OPERATIONS` in a shop of that size: warm, and on products from all over it."""
    stage = Stage(products, everywhere=False)
    chosen = [sku(1), sku(products // 2), sku(products - 1)]
    other = stage.customer(ELSE)
    for each in chosen:
        stage.add(other, each)
    stage.place(other)
    counts = [
        _get(stage, f"/products/{chosen[1]}"),
        _get(stage, "/products?limit=10"),
        _get(stage, f"/stock/{chosen[1]}"),
    ]
    shopper = stage.guest()
    for each in chosen:
        with stage.meter.counted() as added:
            stage.add(shopper, each)
    with stage.meter.counted() as placed:
        stage.place(shopper)
    return Row.of(products, [*counts, added, placed])


def _get(stage: Stage, path: str) -> Count:
    with stage.meter.counted() as count:
        stage.call("GET", path)
    return count


def grew(rows: list[Row]) -> list[str]:
    """What costs more or less in one shop than in another, in words; empty if the cost is flat."""
    first = min(rows, key=lambda row: row.products)
    return [
        f"{name}: {row.products:,} products use {there}, {first.products:,} use {here}"
        for row in rows
        for name, here, there in zip(OPERATIONS, first.used, row.used, strict=True)
        if here != there
    ]
