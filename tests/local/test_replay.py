"""A day of sales over HTTP: broken rows are named, the rest adds up, and a killed run goes on where it stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from infra import sam

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """Twelve sales of six people and strangers, one article at two prices, and five rows that cannot be sold."""
    rows = [
        f"{536000 + n},85{100 + n % 4}A,MUG {n % 4},{1 + n},2010-12-01 08:26:00,{2.55 + n % 2:.2f},"
        f"{17850.0 + n % 6 if n % 3 else ''},United Kingdom"
        for n in range(12)
    ]
    rows += [
        "C536999,85100A,MUG 0,-1,2010-12-01 09:00:00,2.55,17850.0,United Kingdom",
        "537000,POST,POSTAGE,1,2010-12-01 09:00:00,18.00,17850.0,France",
        "537001,85100A,MUG 0,1,2010-12-01 09:00:00,0.0,,United Kingdom",
        "537002,85100A,MUG 0,two,2010-12-01 09:00:00,2.55,,United Kingdom",
        "537003,85100A,MUG 0,1",
    ]
    path = tmp_path / "day.csv"
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return path


def test_a_day_adds_up_and_names_what_it_leaves_out(mandje: Any, platform: dict[str, Any], day: Path) -> None:
    done = mandje("replay", str(day), "--parallel", "4", "--left-out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 of 12 sales are paid orders" in done.stdout
    assert done.stdout.count("  row ") == 5
    # WHEN it is run again, nothing is sold twice
    again = mandje("replay", str(day))
    assert again.returncode == 0, again.stdout + again.stderr
    assert "going on after 12 invoices" in again.stdout


def test_a_difficult_export_is_sold_and_accounted_for(mandje: Any, platform: dict[str, Any], tmp_path: Path) -> None:
    # GIVEN a spreadsheet's export: other names and signs, Windows characters, inch marks, an exchange, a short customer
    # number, and more of an article than one delivery holds
    rows = [
        '637001;84001A;HEART 5" TALL;60000;2010-12-01 08:26:00;0,01;12;United Kingdom',
        "637002;84001A;HEART;60000;2010-12-01 08:26:00;0,01;7.0;United Kingdom",
        '637003;84002;CAF\u00c9 "GOOD" MUG;3;2010-12-01 08:26:00;2,55;;United Kingdom',
        "637003;84003;PLATE;-1;2010-12-01 08:26:00;9,95;;United Kingdom",
        '637004;84004;"NEVER CLOSED;1;2010-12-01 08:26:00;2,55;12;United Kingdom',
        "637005;84005;SAUCER;2;2010-12-01 08:26:00;1,00;12;France",
    ]
    header = "Invoice;StockCode;Description;Quantity;InvoiceDate;Price;Customer ID;Country"
    path = tmp_path / "export.csv"
    path.write_bytes("\r\n".join(["sep=;", header, *rows]).encode("cp1252"))
    # WHEN it is replayed
    done = mandje("replay", str(path), "--left-out")
    # THEN what can be sold is, and the rest has a name and an amount
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        "read as Windows-1252, semicolons between columns, a decimal comma",
        "4 of 4 sales are paid orders",
        "4 rows sold + 2 rows left out = 6 rows in the file",
        "orders £1,209.65 + left out -£9.95 = £1,199.70 in the file",
        "exchange inside a sale: a negative quantity beside goods that were sold: -£9.95",
        "  row 7: broken CSV line",
    ):
        assert line in done.stdout, done.stdout


def test_a_killed_replay_goes_on(mandje: Any, platform: dict[str, Any], home: Path, day: Path) -> None:
    # GIVEN another day of the same shop, whose replay is killed in the middle of selling
    day.write_text(day.read_text().replace("5360", "5361"))
    earlier = _journals(home)
    command = [sys.executable, "-m", "infra.cli", "replay", str(day), "--parallel", "2"]
    environment = os.environ | {"MANDJE_RUN": str(home)}
    quiet = subprocess.DEVNULL
    running = subprocess.Popen(command, cwd=sam.ROOT, env=environment, stdout=quiet, stderr=quiet)
    give_up = time.monotonic() + 120
    while _sold(home, earlier) < 3 and running.poll() is None and time.monotonic() < give_up:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert 3 <= _sold(home, earlier) < 12, "killed too early or too late to show anything"
    # WHEN it is run again
    done = mandje("replay", str(day))
    # THEN everything adds up, once
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 of 12 sales are paid orders" in done.stdout


def _journals(home: Path) -> set[Path]:
    return set((home / "replay").glob("day-*.jsonl"))


def _sold(home: Path, earlier: set[Path]) -> int:
    """How many sales the journal of the newest replay has."""
    return sum(journal.read_text().count('"sold ') for journal in _journals(home) - earlier)
