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

    def send(self, path: str, body: dict[str, Any], key: str | None = None) -> tuple[int, dict[str, Any]]:
        answer = self.world.call("POST", path, self.token, json=body, key=key)
        return answer.status, answer.json

    def lines(self) -> dict[str, int]:
        shown = self.world.call("GET", f"/baskets/{self.basket}", self.token).json
        return {line["sku"]: line["quantity"] for line in shown["lines"]}


@pytest.fixture
def counter(world: World) -> Counter:
    return Counter(world)


def offline(path: str, body: dict[str, Any], key: str | None = None) -> tuple[int, dict[str, Any]]:
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

    def shaky(path: str, body: dict[str, Any], key: str | None = None) -> tuple[int, dict[str, Any]]:
        answer = counter.send(path, body, key)
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


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("same", [True, False])
def test_a_till_that_lost_its_log_goes_on_under_a_new_name(
    counter: Counter, tmp_path: Path, same: bool, gone: bool
) -> None:
    """Its operations would pass for repeats of what the lost log said, and be lost."""
    till = Till(tmp_path / "log", "till-ams-1")
    till.add(counter.basket, "TEE", 1)
    till.add(counter.basket, "TEE", 1)
    if gone:
        till.remove(counter.basket, "TEE")
    till.sync(counter.send)
    new = Till(tmp_path / "new", "till-ams-1")
    new.add(counter.basket, "TEE" if same else "MUG", 1)
    report = new.sync(counter.send)
    assert (report.applied, report.left) == (1, 0)
    assert report.renamed == {counter.basket: new.logs[counter.basket].name} != {counter.basket: "till-ams-1"}
    there = 0 if gone else 2
    assert counter.lines() == ({"TEE": there + 1} if same else {"TEE": there, "MUG": 1} if there else {"MUG": 1})


def test_two_installations_of_one_name_lose_nothing_and_count_nothing_twice(counter: Counter, tmp_path: Path) -> None:
    # GIVEN two tills that were installed under one name, half of whose answers are lost, and which restart now and then
    random, want = Random(3), 0

    def shaky(path: str, body: dict[str, Any], key: str | None = None) -> tuple[int, dict[str, Any]]:
        answer = counter.send(path, body, key)
        if random.random() < 0.5:
            raise Offline("lost")
        return answer

    tills = [Till(tmp_path / f"log-{each}", "till-ams-1") for each in range(2)]
    for _ in range(30):
        # WHEN both add, and now and then sync
        which = random.randrange(2)
        tills[which].add(counter.basket, "TEE", 1)
        want += 1
        if random.random() < 0.6:
            tills[which].sync(shaky)
        if random.random() < 0.2:
            tills[which].compact()
        if random.random() < 0.2:
            tills[which].close()
            tills[which] = Till(tmp_path / f"log-{which}", "till-ams-1")
    for till in tills:
        assert till.sync(counter.send).left == 0
    # THEN
    assert counter.lines() == {"TEE": want}
    names = {till.logs[counter.basket].name for till in tills}
    assert len(names) == 2
    assert len([name for name in names if name != "till-ams-1"]) >= 1


@pytest.mark.parametrize("device", ["till-ams-1", "tablet"])
def test_under_a_new_name_a_till_still_removes_what_it_saw_and_no_more(
    counter: Counter, tmp_path: Path, device: str
) -> None:
    # GIVEN a till of which the server has an add, and a second installation that took the next place
    one, other = Till(tmp_path / "one", device), Till(tmp_path / "other", device)
    one.add(counter.basket, "TEE", 2)
    one.sync(counter.send)
    counter.send(
        f"/baskets/{counter.basket}/operations",
        {
            "device_id": device,
            "operations": [{"seq": 2, "op": "add", "sku": "MUG", "quantity": 5, "at": "2026-11-21T09:30:00Z"}],
        },
    )
    # WHEN the first adds more, and removes both as it knows them
    one.add(counter.basket, "TEE", 1)
    one.add(counter.basket, "MUG", 1)
    one.remove(counter.basket, "TEE")
    one.close()
    one = Till(tmp_path / "one", device)
    report = one.sync(counter.send)
    # THEN
    assert (report.applied, report.left, list(report.renamed)) == (3, 0, [counter.basket])
    assert counter.lines() == {"MUG": 6}
    # AND it goes on, also after a restart and a compaction
    one.compact()
    one.close()
    one = Till(tmp_path / "one", device)
    one.add(counter.basket, "TEE", 4)
    one.remove(counter.basket, "MUG")
    assert (one.sync(counter.send).applied, counter.lines()) == (2, {"TEE": 4})
    other.close()


def test_a_restored_backup_goes_on_under_a_new_name(counter: Counter, tmp_path: Path) -> None:
    # GIVEN a till whose log was copied, and which went on after that
    till = Till(tmp_path / "log", "till-ams-1")
    till.add(counter.basket, "TEE", 1)
    (tmp_path / "backup").write_bytes((tmp_path / "log").read_bytes())
    till.add(counter.basket, "MUG", 2)
    till.sync(counter.send)
    # WHEN the copy is put back and goes on
    backup = Till(tmp_path / "backup", "till-ams-1")
    assert backup.sync(counter.send).renamed == {}
    backup.add(counter.basket, "MUG", 3)
    assert list(backup.sync(counter.send).renamed) == [counter.basket]
    # THEN
    assert counter.lines() == {"TEE": 1, "MUG": 5}


def test_a_server_that_lost_something_is_not_papered_over(counter: Counter, tmp_path: Path) -> None:
    till = Till(tmp_path / "log", "till-ams-1")
    till.add(counter.basket, "TEE", 1)
    till.sync(counter.send)
    till.add(counter.basket, "TEE", 1)

    def forgetful(path: str, body: dict[str, Any], key: str | None = None) -> tuple[int, dict[str, Any]]:
        return 409, {"type": "/problems/sequence-gap", "expected_seq": 1, "applied_seq": 0, "detail": "1 is next"}

    with pytest.raises(OutOfStep):
        till.sync(forgetful)


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

    def twice(path: str, body: dict[str, Any], key: str | None = None) -> tuple[int, dict[str, Any]]:
        counter.send(path, body, key)
        return counter.send(path, body, key)

    assert till.sync(twice).left == 0
    # THEN
    assert counter.lines() == {"TEE": recorded}
