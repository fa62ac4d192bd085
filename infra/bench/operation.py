"""An operation to be counted, what it may cost, and how the two compare.

The targets are those of the data design (docs/architecture.md names them): requests to DynamoDB, write units and read
units per operation of a warm function. An operation that is over its target says why, and its numbers are pinned in
docs/costs.md all the same: it can get better in silence, but not worse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from infra.bench.counting import Count


@dataclass(frozen=True)
class Target:
    """The most an operation may use; None: nothing was promised."""

    requests: int | None = None
    write_units: float | None = None
    read_units: float | None = None

    def missed_by(self, count: Count) -> list[str]:
        """What is over the target, in words; empty if nothing is."""
        compared = (
            ("requests", self.requests, count.requests),
            ("write units", self.write_units, count.write_units),
            ("read units", self.read_units, count.read_units),
        )
        return [f"{used:g} {what} > {most:g}" for what, most, used in compared if most is not None and used > most]


@dataclass(frozen=True)
class Operation:
    """One line of the cost table. `count` builds its own scene, does the operation once warm, and counts it."""

    group: str
    name: str
    count: Callable[[], Count]
    target: Target = Target()
    why_over: str = ""
    """Why it costs more than its target, where it does."""


def placing(lines: int) -> Target:
    """The target of placing a customer's order: 3 requests, 2 (n + 4) write units and the index entries, n + 1 reads.

    Two units for each of n stock levels, order, basket, payable and marker; the order is in two indexes: due, customer.
    Basket and prices are read strongly consistent: one unit each, basket by the 4 KB.
    """
    return Target(requests=3, write_units=2 * (lines + 4) + 2, read_units=lines + 1)
