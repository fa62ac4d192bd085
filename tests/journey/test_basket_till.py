"""The till's log: killed at any moment, torn, offline for hours, answers lost; the basket is what it recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from infra.local.till import Damaged, Offline, OutOfStep, Till
from tests.world.world import World

KILLS = 8
APPENDS = """
import sys
from infra.local.till import Till
till = Till(sys.argv[1], "till-ams-1")
for _ in range(int(sys.argv[2])):
    print(till.add("basket", "TEE", 1), flush=True)
"""


class Counter:
    """A till counter in this world: a guest basket that the till serves."""

    def __init__(self, world: World, *skus: str) -> None:
        self.world = world
        batch = [
            {"sku": sku, "name": sku, "prices": [{"amount": 100, "currency": "EUR"}]} for sku in skus or ("TEE", "MUG")
        ]
        world.call("POST", "/products/batch", world.token("staff"), json={"products": batch})
        self.basket = world.call("POST", "/baskets", json={"channel": "till"}).json["basket"]["basket_id"]
        self.token = world.token("device", sub="till-ams-1", location_id="ams-kalverstraat")

    def send(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = self.world.call("POST", path, self.token, json=body)
        return answer.status, answer.json

    def lines(self) -> dict[str, int]:
        shown = self.world.call("GET", f"/baskets/{self.basket}", self.token).json
        return {line["sku"]: line["quantity"] for line in shown["lines"]}


@pytest.fixture
def counter(world: World) -> Counter:
    return Counter(world)


def offline(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    raise Offline("no line")


def test_what_was_recorded_offline_arrives_once(counter: Counter, tmp_path: Path) -> None:
    till = Till(tmp_path / "log", "till-ams-1")
    for _ in range(30):
        till.add(counter.basket, "TEE", 1)
    till.set(counter.basket, "TEE", 7)
    till.add(counter.basket, "MUG", 2)
    assert till.sync(offline).left == 32
    assert counter.lines() == {}
    report = till.sync(counter.send)
    assert (report.applied, report.left, report.refused) == (32, 0, [])
    assert counter.lines() == {"TEE": 7, "MUG": 2}
    assert till.sync(counter.send).applied == 0


def test_lost_answers_and_restarts_change_nothing(counter: Counter, tmp_path: Path) -> None:
    # GIVEN a line on which half of the answers are lost
    random = Random(1)

    def shaky(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = counter.send(path, body)
        if random.random() < 0.5:
            raise Offline("lost")
        return answer

    # WHEN the till records, syncs and restarts all day
    for _ in range(12):
        till = Till(tmp_path / "log", "till-ams-1")
        till.add(counter.basket, "TEE", 1)
        till.add(counter.basket, "MUG", 2)
        till.sync(shaky)
        if random.random() < 0.3:
            till.compact()
        till.close()
    Till(tmp_path / "log", "till-ams-1").sync(counter.send)
    # THEN
    assert counter.lines() == {"TEE": 12, "MUG": 24}


def test_what_others_added_unseen_survives_the_tills_edits(counter: Counter, tmp_path: Path) -> None:
    till = Till(tmp_path / "log", "till-ams-1")
    till.add(counter.basket, "TEE", 2)
    till.sync(counter.send)
    body = {"sku": "TEE", "quantity": 3}
    path = f"/baskets/{counter.basket}/lines"
    counter.world.call("POST", path, counter.world.token("staff"), json=body, key="k")
    # WHEN the till, which has not heard of it, removes its line; then hears, and removes again
    till.remove(counter.basket, "TEE")
    till.sync(counter.send)
    assert counter.lines() == {"TEE": 3}
    till.remove(counter.basket, "TEE")
    till.sync(counter.send)
    assert counter.lines() == {}


def test_what_a_till_knows_survives_a_restart(counter: Counter, tmp_path: Path) -> None:
    till = Till(tmp_path / "log", "till-ams-1")
    till.add(counter.basket, "TEE", 2)
    till.sync(counter.send)
    till.add(counter.basket, "TEE", 1)
    seen = till.seen(counter.basket, "TEE")
    till.compact()
    till.close()
    assert Till(tmp_path / "log", "till-ams-1").seen(counter.basket, "TEE") == seen == ["till-ams-1|1", "till-ams-1|2"]


def test_one_impossible_operation_does_not_hold_up_the_rest(counter: Counter, tmp_path: Path) -> None:
    till = Till(tmp_path / "log", "till-ams-1")
    till.add(counter.basket, "TEE", 99_999)
    till.add(counter.basket, "GONE-FROM-THE-CATALOG", 1)
    till.add(counter.basket, "TEE", 1)  # one more than a line has
    till.add(counter.basket, "MUG", 1)
    report = till.sync(counter.send)
    assert [entry["refused"] for entry in report.refused] == [2, 3]
    assert [entry["problem"]["type"] for entry in report.refused] == [
        "/problems/validation",
        "/problems/quantity-limit",
    ]
    assert (report.applied, report.left) == (4, 0)
    assert counter.lines() == {"TEE": 99_999, "MUG": 1}


def test_a_basket_that_is_gone_does_not_hold_up_the_others(counter: Counter, tmp_path: Path) -> None:
    till = Till(tmp_path / "log", "till-ams-1")
    gone = "0190a1b2-0000-7000-8000-00000000dead"
    till.add(gone, "TEE", 1)
    till.add(counter.basket, "TEE", 1)
    report = till.sync(counter.send)
    assert (report.stuck[gone]["status"], report.applied, report.left) == (404, 1, 1)


@pytest.mark.parametrize("same", [True, False])
def test_a_till_that_lost_its_log_is_told(counter: Counter, tmp_path: Path, same: bool) -> None:
    """Its next operations would pass for repeats and be lost: it needs a new name."""
    till = Till(tmp_path / "log", "till-ams-1")
    till.add(counter.basket, "TEE", 1)
    till.add(counter.basket, "TEE", 1)
    till.sync(counter.send)
    new = Till(tmp_path / "new", "till-ams-1")
    new.add(counter.basket, "TEE" if same else "MUG", 1)
    with pytest.raises(OutOfStep):
        new.sync(counter.send)


def test_one_till_at_a_time(tmp_path: Path) -> None:
    first = Till(tmp_path / "log", "till-ams-1")
    with pytest.raises(BlockingIOError):
        Till(tmp_path / "log", "till-ams-1")
    first.close()
    with pytest.raises(Damaged):
        Till(tmp_path / "log", "till-ams-2")
    Till(tmp_path / "log", "till-ams-1").close()


def test_a_line_torn_at_any_byte_never_counted(tmp_path: Path) -> None:
    # GIVEN a log whose last line was being written when the power went
    till = Till(tmp_path / "log", "till-ams-1")
    till.add("basket", "TEE", 1)
    whole = (tmp_path / "log").read_bytes()
    till.add("basket", "MUG", 1)
    both = (tmp_path / "log").read_bytes()
    till.close()
    for length in range(len(whole), len(both)):
        torn = tmp_path / f"torn-{length}"
        torn.write_bytes(both[:length])
        # WHEN the till starts again and goes on
        again = Till(torn, "till-ams-1")
        assert again.add("basket", "SOCKS", 1) == 2
        again.close()
        # THEN
        operations = Till(torn, "till-ams-1").logs["basket"].operations
        assert [operation["sku"] for operation in operations] == ["TEE", "SOCKS"]


@pytest.mark.parametrize("damage", [b"{}\n", b"nonsense\n", b'{"basket":"b","seq":5,"op":"add","sku":"A","at":"x"}\n'])
def test_damage_inside_is_told_not_guessed(tmp_path: Path, damage: bytes) -> None:
    till = Till(tmp_path / "log", "till-ams-1")
    till.add("b", "TEE", 1)
    till.close()
    with (tmp_path / "log").open("ab") as file:
        file.write(damage)
    with pytest.raises(Damaged, match="line 3"):
        Till(tmp_path / "log", "till-ams-1")


def test_a_full_disk_refuses_and_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    till = Till(tmp_path / "log", "till-ams-1")
    till.add("b", "TEE", 1)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:10]))
    with pytest.raises(OSError, match="full"):
        till.add("b", "MUG", 1)
    monkeypatch.undo()
    assert till.add("b", "SOCKS", 1) == 2
    till.close()
    assert [each["sku"] for each in Till(tmp_path / "log", "till-ams-1").logs["b"].operations] == ["TEE", "SOCKS"]


def test_killed_at_random_moments_it_keeps_every_operation_it_confirmed(tmp_path: Path) -> None:
    # GIVEN a real till process that records as fast as it can, and is killed (no warning, no clean-up) again and again
    log, random, confirmed = tmp_path / "log", Random(2), 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", APPENDS, str(log), "1000000"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert process.stdout
        first = process.stdout.readline()
        time.sleep(random.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        said = [first, *process.stdout.read().splitlines(keepends=True)]
        process.wait()
        # THEN it went on where it was, and what it confirmed is there (one more may be: written, not yet confirmed)
        numbers = [int(line) for line in said if line.endswith("\n")]
        assert numbers[0] in (confirmed + 1, confirmed + 2)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        confirmed = numbers[-1]
        entries = [json.loads(line) for line in log.read_bytes().split(b"\n")[1:] if line.endswith(b"}")]
        assert [entry["seq"] for entry in entries][:confirmed] == list(range(1, confirmed + 1))
    till = Till(log, "till-ams-1")
    assert till.logs["basket"].last in (confirmed, confirmed + 1)


def test_whatever_the_kills_left_arrives_exactly_once(counter: Counter, tmp_path: Path) -> None:
    # GIVEN a till that is killed while it records for this basket
    script = APPENDS.replace('"basket"', repr(counter.basket))
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "log"), "200"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout
    for _ in range(40):
        process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    # WHEN it is started again and syncs, every part twice
    till = Till(tmp_path / "log", "till-ams-1")
    recorded = till.logs[counter.basket].last

    def twice(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        counter.send(path, body)
        return counter.send(path, body)

    assert till.sync(twice).left == 0
    # THEN
    assert counter.lines() == {"TEE": recorded}
