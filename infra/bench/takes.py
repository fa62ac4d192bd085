"""How many takes a second a hot SKU can give: a small discrete simulation against DynamoDB's published limits.

Pure and seeded: no clock, no AWS. Takes arrive at random (Poisson) and pick one of `shards` level items at random. A
take is a transaction, so a level costs 2 write units of the 1,000 a partition has a second, and while one transaction
is at work on an item every other one is cancelled with a conflict. What is cancelled or throttled waits and tries again
exactly as `commerce.writes.commit` does: six attempts, full jitter, then 503.

How long a transaction keeps an item busy is not published; it is a parameter, and the tables show three.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from random import Random

PARTITION_UNITS = 1000
"""Write units a second one partition takes (published)."""
TAKE_UNITS = 2
"""A transactional write of an item up to 1 KB. A cancelled one is paid for too."""
BUCKET_S = 0.1
"""Unused units a partition is assumed to save up. DynamoDB may save more (up to 300 s), but promises none."""
ATTEMPTS = 6
FIRST_PAUSE_S = 0.02
ROUND_TRIP_S = 0.005
"""Assumed time until the caller hears of a cancelled or throttled attempt."""

PATIENCE_S = 0.3
"""At capacity 99 of 100 takes are done within this, and not one in a thousand gives up."""
SHARDS = (1, 2, 4, 8, 16, 32)
TAKES_A_RUN = 6000
"""So many takes per simulation at least: one in a thousand must be seen to be judged."""


@dataclass(frozen=True)
class Hot:
    """A hot SKU. `busy_s`: how long a take occupies its item. `together`: all shards lie in one partition.

    `sold`: every take is followed by its sale, another transaction on the same item, at the same rate.
    """

    shards: int
    busy_s: float = 0.005
    together: bool = False
    sold: bool = False


@dataclass(frozen=True)
class Outcome:
    """Of the takes that arrived: how many came, the share that gave up, attempts per take, seconds until done."""

    arrived: int
    gave_up: float
    attempts: float
    median_s: float
    p99_s: float

    @property
    def good(self) -> bool:
        """Whether shoppers would not notice."""
        return self.gave_up <= 0.001 and self.p99_s <= PATIENCE_S


@dataclass
class _Try:
    arrived: float
    shard: int
    attempt: int
    take: bool


class _Partition:
    """A token bucket of write units, empty at the start."""

    def __init__(self) -> None:
        self.units, self.at = 0.0, 0.0

    def spend(self, now: float) -> bool:
        full = PARTITION_UNITS * BUCKET_S
        self.units, self.at = min(full, self.units + (now - self.at) * PARTITION_UNITS), now
        if self.units < TAKE_UNITS:
            return False
        self.units -= TAKE_UNITS
        return True


def simulate(hot: Hot, per_second: float, seconds: float, seed: int = 1) -> Outcome:
    """Let takes arrive for a while and follow each to its end."""
    random = Random(seed)
    partitions = [_Partition() for _ in range(1 if hot.together else hot.shards)]
    busy_until = [0.0] * hot.shards
    waiting: list[tuple[float, int, _Try]] = []
    rate, at = per_second * (2 if hot.sold else 1), 0.0
    while (at := at + random.expovariate(rate)) < seconds:
        take = not hot.sold or random.random() < 0.5
        waiting.append((at, len(waiting), _Try(at, random.randrange(hot.shards), 0, take)))
    heapq.heapify(waiting)
    number, tried, gave_up, took = len(waiting), 0, 0, list[float]()
    while waiting:
        now, _, one = heapq.heappop(waiting)
        tried += one.take
        room = partitions[0 if hot.together else one.shard].spend(now)
        if room and busy_until[one.shard] <= now:
            busy_until[one.shard] = now + hot.busy_s
            if one.take:
                took.append(now + hot.busy_s - one.arrived)
            continue
        one.attempt += 1
        if one.attempt == ATTEMPTS:
            gave_up += one.take
            continue
        number += 1
        pause = FIRST_PAUSE_S * 2**one.attempt * random.random()
        heapq.heappush(waiting, (now + ROUND_TRIP_S + pause, number, one))
    took.sort()
    arrived = len(took) + gave_up
    if not took:
        return Outcome(arrived, 1.0, ATTEMPTS, float("inf"), float("inf"))
    median, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    return Outcome(arrived, gave_up / arrived, tried / arrived, median, p99)


def capacity(hot: Hot, seed: int = 1) -> int:
    """The most takes a second this SKU gives while `Outcome.good` holds, to within about two percent."""
    low, high = 0.0, hot.shards * PARTITION_UNITS / TAKE_UNITS
    while high - low > max(1.0, 0.02 * low):
        middle = (low + high) / 2
        if simulate(hot, middle, max(2.0, TAKES_A_RUN / middle), seed).good:
            low = middle
        else:
            high = middle
    return int(low)
