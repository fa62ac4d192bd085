"""What breaks first: an order's counted use against AWS's published limits, at 10, 1,000 and 100,000 orders a minute.

Limits are defaults in us-east-1 as published; most can be raised on request. Nothing here was measured on AWS: the use
per order is counted in the in-process world, durations are those assumed in `prices`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.bench import prices
from infra.bench.counting import Count

RATES = (10, 1_000, 100_000)
"""Orders a minute."""
LOOKS = 20
"""Assumed requests for products, stock and baskets per order, besides those counted. One DynamoDB request each."""
UNPAID = 0.2
"""Assumed orders that expire unpaid, per order that is paid."""
LEFT_BASKETS = 5
"""Assumed baskets that fall silent, per order."""
SWEPT_A_MINUTE = 16 * 50
"""Items one sweep moves on at most: 50 from each of 16 shards of the `due` index, once a minute."""


@dataclass(frozen=True)
class Limit:
    """One limit: `per_second` of it are allowed, `used` is what one order takes."""

    name: str
    per_second: float
    used: float

    def share(self, orders_a_minute: float) -> float:
        """The part of the limit that so many orders use; above 1 it breaks."""
        return self.used * orders_a_minute / 60 / self.per_second


def limits(order: Count, memory_mb: Mapping[str, int], stage_throttle: float) -> list[Limit]:
    """Every limit an order counts against. `stage_throttle` is the template's own, in requests a second."""
    served = order.served.total() + LOOKS
    tables = [
        Limit(f"{table.removesuffix('Table')} table, write units", 40_000, units)
        for table, units in sorted(order.written.items(), key=lambda entry: -entry[1])
    ]
    to_providers = sum(call.kind == "http" for call in order.calls)
    return [
        Limit("API Gateway, this stage's throttle (template)", stage_throttle, served),
        Limit("API Gateway, account", 10_000, served),
        Limit("Lambda, concurrent executions", 1_000, _busy_seconds(order) + LOOKS * _LOOK_S),
        Limit("EventBridge, PutEvents (one event each)", 10_000, order.published),
        Limit("EventBridge, deliveries to targets", 18_750, order.queued),
        *tables,
        Limit("orders' `due` index, 16 partitions", 16_000, order.dated["OrdersTable"]),
        Limit("sweep of unpaid orders", SWEPT_A_MINUTE / 60, UNPAID),
        Limit("sweep of silent baskets", SWEPT_A_MINUTE / 60, LEFT_BASKETS),
        Limit("Stripe, requests in live mode", 100, to_providers),
    ]


_LOOK_S = (prices.OWN_MS + prices.WAITS_MS["GetItem"]) / 1000


def _busy_seconds(order: Count) -> float:
    waits = sum(prices.wait_ms(call.kind, call.operation) for call in order.calls)
    return (waits + prices.OWN_MS * order.invocations.total()) / 1000


def broken(every: list[Limit], orders_a_minute: float) -> list[Limit]:
    """The limits that rate breaks, the worst first."""
    over = [limit for limit in every if limit.share(orders_a_minute) > 1]
    return sorted(over, key=lambda limit: -limit.share(orders_a_minute))


def most(limit: Limit) -> float:
    """Orders a minute that this limit alone would allow."""
    return limit.per_second * 60 / limit.used if limit.used else float("inf")
