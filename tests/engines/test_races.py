"""Takers against each other, on the engines that real threads may use at once (`concurrent_engine` says why not moto).

These engines do one write after the other, so the races show that our conditions suffice, not how DynamoDB conflicts.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from commerce import aws, holds, reads, writes
from commerce.holds import Hold
from infra import sam

from .engine import Engine
from .taker import LOCATION, race


def _stock(sku: str, units: int) -> None:
    writes.commit(writes.put("STOCK", holds.new_level(sku, LOCATION, units)))


def _level(sku: str) -> dict[str, Any]:
    level = reads.get("STOCK", holds.level_key(sku, LOCATION))
    assert level is not None
    assert level["available"] == level["on_hand"] - level["reserved"] - level["safety"]
    return level


@pytest.mark.parametrize("units", [1, 3, 20])
def test_few_units_and_many_takers(concurrent_engine: Engine, sku: str, units: int) -> None:
    # GIVEN few units
    _stock(sku, units)
    # WHEN sixteen takers want two each at once
    won = race([sku], threads=16, times=2)
    # THEN as many were taken as there were, and each taking is a version
    level = _level(sku)
    assert (won, level["available"], level["reserved"], level["version"]) == (units, 0, units, units + 1)


def test_the_race_shows_an_oversell(concurrent_engine: Engine, sku: str) -> None:
    # GIVEN three units, and takers who look first and then write without a condition
    _stock(sku, 3)
    key = holds.level_key(sku, LOCATION)
    aws.client("dynamodb")
    looked = Barrier(16)

    def take() -> bool:
        enough = _level(sku)["available"] >= 1
        looked.wait()
        change = "available = available - :q, reserved = reserved + :q"
        if enough:
            writes.commit(writes.update("STOCK", key, set=change, when="", values={":q": 1}))
        return enough

    # WHEN sixteen of them race
    with ThreadPoolExecutor(16) as pool:
        won = sum(each.result() for each in [pool.submit(take) for _ in range(16)])
    # THEN more was sold than there is: without its condition, a take fails the tests above
    assert (won, _level(sku)["available"]) == (16, -13)


def test_hot_levels_in_one_transaction(concurrent_engine: Engine, sku: str) -> None:
    # GIVEN three levels, one of them with less than the others
    skus = {f"{sku}-a": 12, f"{sku}-b": 7, f"{sku}-c": 12}
    for name, units in skus.items():
        _stock(name, units)
    # WHEN sixteen takers want one of each
    won = race(list(skus), threads=16, times=1)
    # THEN the scarcest decides, and nobody holds only a part
    assert won == 7
    assert [_level(name)["reserved"] for name in skus] == [7, 7, 7]


def test_takes_releases_and_sales_at_once(concurrent_engine: Engine, sku: str) -> None:
    # GIVEN ten units and eight shoppers who change their minds
    _stock(sku, 10)
    aws.client("dynamodb")
    start = Barrier(8)

    def shop(number: int) -> tuple[int, int]:
        dice, held, sold = random.Random(number), 0, 0
        start.wait()
        for _ in range(6):
            move = dice.choice([holds.release, holds.sell]) if held else holds.take
            try:
                writes.commit(move([Hold(sku, LOCATION, 1)]))
            except writes.Refused:
                assert move is holds.take, "what is held can always be settled"
                continue
            held += 1 if move is holds.take else -1
            sold += move is holds.sell
        return held, sold

    # WHEN all shop at once
    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(shop, range(8)))
    # THEN the level is the sum of what each of them did
    held, sold = (sum(each) for each in zip(*ended, strict=True))
    level = _level(sku)
    assert (level["on_hand"], level["reserved"]) == (10 - sold, held)
    assert sold > 0


def test_a_key_put_by_many_has_one_owner(concurrent_engine: Engine, sku: str) -> None:
    # GIVEN sixteen who want the same key
    aws.client("dynamodb")
    start = Barrier(16)

    def put(number: int) -> int | None:
        start.wait()
        try:
            writes.commit(writes.put("STOCK", {"pk": sku, "sk": "-", "owner": number}))
        except writes.Refused:
            return None
        return number

    # WHEN all put it at once
    with ThreadPoolExecutor(16) as pool:
        owners = [each for each in pool.map(put, range(16)) if each is not None]
    # THEN one did, and the item is that one's
    (owner,) = owners
    assert reads.get("STOCK", (sku, "-")) == {"pk": sku, "sk": "-", "owner": owner}


def test_processes_race_like_threads(concurrent_engine: Engine, sku: str) -> None:
    # GIVEN 30 units and four processes of four threads
    _stock(sku, 30)
    path = os.pathsep.join(str(sam.ROOT / folder) for folder in ("functions", "layers/commerce/python", "."))
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.engines.taker", sku, "4", "4"], cwd=sam.ROOT,
            env=os.environ | {"PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        # WHEN all start at once and take 64 times
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        won = [int(process.communicate(timeout=60)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    # THEN thirty were taken
    level = _level(sku)
    assert (sum(won), level["available"], level["reserved"]) == (30, 0, 30)
