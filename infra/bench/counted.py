"""Everything that is counted, put together: the operations, the tables of both pages, and whether those are current."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from infra import template
from infra.bench import browsing, buying, flat, pages, report, scale
from infra.bench.counting import Count
from infra.bench.operation import Operation

OPERATIONS: list[Operation] = [*browsing.OPERATIONS, *buying.OPERATIONS]
PAGE_OF = {
    "operations": pages.COSTS,
    "order": pages.COSTS,
    "flat": pages.COSTS,
    "measured": pages.COSTS,
    "takes": pages.SCALE,
    "limits": pages.SCALE,
}
"""Which page each generated part is in."""
Tick = Callable[[str], None]


@functools.cache
def count(operation: Operation) -> Count:
    """What an operation uses; counted once per process."""
    return operation.count()


def missed() -> list[str]:
    """Targets that are missed and not explained, in words."""
    return report.unexplained([(operation, count(operation)) for operation in OPERATIONS])


@dataclass
class Pages:
    """The generated parts by name, and how far the flat-cost table was counted this time."""

    parts: dict[str, str]

    def outdated(self) -> list[str]:
        """Parts that docs/ tells differently, in words."""
        return [
            f"docs/{page.name}: the part '{name}' is out of date; make bench ARGS=--quick writes it"
            for name, body in self.parts.items()
            if pages.part(page := PAGE_OF[name], name) != body
        ]

    def write(self) -> list[str]:
        """Write every part; returns the names of those that changed."""
        return [name for name, body in self.parts.items() if pages.write(PAGE_OF[name], name, body)]


def build(flat_up_to: int, tick: Tick, *, simulated: bool = True) -> Pages:
    """Count everything and make the tables. Flat-cost rows of larger shops are kept as the page has them.

    `simulated`: with the simulation of a hot SKU, which takes longest and depends on nothing but its own code.
    """
    memory = {name: function.memory for name, function in template.load().functions.items()}
    counted = []
    for operation in OPERATIONS:
        tick(f"counting: {operation.group.lower()}")
        counted.append((operation, count(operation)))
    bought = buying.purchase("stripe")
    parts = {
        "operations": f"{report.operations(counted, memory)}\n\n{report.price_list()}",
        "order": report.whole_order(bought.parts, memory),
        "flat": _flat(flat_up_to, tick),
    }
    if simulated:
        tick("simulating takes of a hot SKU")
        parts["takes"] = report.takes_tables()
    parts["limits"] = report.limits_table(scale.limits(bought.whole, memory, stage_throttle()))
    return Pages(parts)


def stage_throttle() -> float:
    """Requests a second the template lets through its API."""
    api = template.load().resources[template.load().api.name]["Properties"]
    return float(api["MethodSettings"][0]["ThrottlingRateLimit"])


def _flat(up_to: int, tick: Tick) -> str:
    rows = []
    for size in (*flat.SIZES, flat.MILLION):
        if size <= up_to:
            tick(f"counting in a shop of {size:,} products")
            rows.append(flat.measure(size))
    if grown := flat.grew(rows):
        raise AssertionError("the cost is not flat: " + "; ".join(grown))
    fresh = report.flat_table(rows).splitlines()
    counted = {_size(line) for line in fresh}
    kept = [line for line in pages.part(pages.COSTS, "flat").splitlines() if _size(line) not in counted]
    return "\n".join([*fresh, *kept])


def _size(line: str) -> str:
    """The first cell of a table's line: how many products the shop has."""
    return line.split("|")[1] if "|" in line else ""
