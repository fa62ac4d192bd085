"""One process of a race: `python -m tests.engines.taker <sku> <threads> <times>`, the store given by the environment.

It waits for a line on stdin, lets its threads take one unit each time until refused, and prints how many they got.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from commerce import aws, holds, writes
from commerce.holds import Hold, Shortage

LOCATION = "nl-warehouse"


def race(skus: list[str], threads: int, times: int) -> int:
    """So many threads take one unit of every SKU in one transaction, each so many times; returns how often they did."""
    aws.client("dynamodb")  # made before there are threads: botocore's sessions are not for sharing while they load
    start = Barrier(threads)

    def take() -> int:
        start.wait()
        won = 0
        for _ in range(times):
            try:
                writes.commit(holds.take(Hold(sku, LOCATION, 1) for sku in skus))
                won += 1
            except writes.Refused as refused:
                if refused.all(Shortage) != refused.causes:
                    raise
        return won

    with ThreadPoolExecutor(threads) as pool:
        return sum(each.result() for each in [pool.submit(take) for _ in range(threads)])


if __name__ == "__main__":
    aws.client("dynamodb")
    print("ready", flush=True)
    sys.stdin.readline()
    print(race([sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])), flush=True)
