"""Run a real transaction file through the HTTPS API of the running platform, and account for every penny.

The file's articles become the catalogue and the opening stock; every sale invoice goes from the person (or an
anonymous basket) over lines, checkout and payment to the paid order. At the end the orders are compared with the file,
the stock with opening minus sold, and the ledger with the orders. Interrupted? Run it again: it goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from infra.client import Unexpected, running_platform
from infra.local import laptop
from infra.replay import account, transactions
from infra.replay.account import Outcome, pounds
from infra.replay.run import Journal, Replay, Sold
from infra.say import Sorry, bold, dim, green


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `mandje replay`."""
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="a day of the 'Online Retail' data (I or II)")
    parser.add_argument("--parallel", type=int, default=6, metavar="N", help="people served at once (default 6)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N invoices")
    parser.add_argument("--again", action="store_true", help="forget an earlier run and sell it once more")
    parser.add_argument("--left-out", action="store_true", help="list every row left out, not only the reasons")


def run(args: argparse.Namespace) -> int:
    """Replay the file; 0 if everything adds up."""
    if not 1 <= args.parallel <= 64:
        raise Sorry("--parallel takes 1 to 64.")
    whole, fingerprint = _read(args.file)
    day = whole if args.limit is None else transactions.only(whole, args.limit)
    platform = running_platform()
    installed = hashlib.sha256(str(platform.get("started_at", platform["api_url"])).encode()).hexdigest()[:8]
    path = laptop.HERE / "replay" / f"{args.file.stem}-{fingerprint[:8]}-{installed}.jsonl"
    if args.again:
        path.unlink(missing_ok=True)
    journal = Journal(path)
    if "run" not in journal.facts:
        journal.keep("run", hashlib.sha256(f"{fingerprint}{installed}{time.time()}".encode()).hexdigest()[:16])
    replay = Replay(platform, journal.facts["run"], journal, args.parallel)

    print(
        f"{bold(args.file.name)}: {len(day.sales)} sales, {sum(sale.rows for sale in day.sales)} lines, "
        f"{pounds(sum(sale.total for sale in day.sales))}; {len(day.prices)} articles"
    )
    print(dim(f"read as {day.filed.written}"))
    if resumed := sum(1 for fact in journal.facts if fact.startswith("sold ")):
        print(f"going on after {resumed} invoices of an earlier run")
    began = time.monotonic()
    try:
        with _bar(2 * len(day.prices), "catalogue and opening stock", "article") as bar:
            replay.prepare(day, bar.update)
    except Unexpected as error:
        raise Sorry(f"{args.file} cannot be prepared: {error}") from None
    with _bar(len(day.sales), "selling", "invoice") as bar:
        sold, failed = replay.sell(day.sales, bar.update)
    return _account(whole, day, replay, sold, failed, time.monotonic() - began, list_all=args.left_out)


def _read(path: Path) -> tuple[transactions.Day, str]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Sorry(f"{path} cannot be read: {error.strerror}.") from None
    try:
        return transactions.read(raw), hashlib.sha256(raw).hexdigest()
    except ValueError as error:
        raise Sorry(f"{path}: {error}.") from None


def _account(
    whole: transactions.Day,
    day: transactions.Day,
    replay: Replay,
    sold: list[Sold],
    failed: list[tuple[str, str]],
    took: float,
    *,
    list_all: bool,
) -> int:
    """Compare what came out with the file. Every line is a claim that can fail."""
    expected = _expected_stock(day, replay, {one.invoice for one in sold})
    outcome = Outcome(sold, failed, replay.captured(sold), expected, replay.available(sorted(expected)))
    claims = [*account.of_platform(day.sales, outcome), *account.of_file(whole, day.sales, sold)]
    print()
    for claim in claims:
        print(f"  {green('ok') if claim.good else bold('WRONG')}  {claim.sentence}")
        if claim.which:
            print(f"         {', '.join(claim.which[:10])}{' ...' if len(claim.which) > 10 else ''}")
    for invoice, why in failed[:20]:
        print(f"         invoice {invoice}: {why}")
    print(f"\n{sum(sale.rows for sale in day.sales)} lines in {took:.0f} s. {len(day.left_out)} rows left out:")
    for reason, count, pence in account.reasons(day):
        print(f"  {count:5}  {reason}: {pounds(pence)}")
    if lacking := account.in_part(day):
        shown = ", ".join(f"{invoice} {pounds(order)} of {pounds(filed)}" for invoice, order, filed in lacking[:10])
        print(f"{len(lacking)} sales lack rows of their invoice: {shown}{' ...' if len(lacking) > 10 else ''}")
    if list_all:
        for out in day.left_out:
            print(f"  row {out.number}: {out.reason}: {out.text}")
    if day.price_points:
        print(f"{day.price_points} articles stand at further prices on the same day; each price is a SKU of its own.")
    return 0 if all(claim.good for claim in claims) else 1


def _expected_stock(day: transactions.Day, replay: Replay, sold: set[str]) -> dict[str, int]:
    opening: dict[str, Any] = replay.journal.facts["opening"]
    received = replay.received(day)
    expected = {sku: opening.get(sku, 0) + received[sku] for sku in day.prices}
    for sale in day.sales:
        if sale.invoice in sold:
            for sku, quantity in sale.quantities.items():
                expected[sku] -= quantity
    return expected


def _bar(total: int, what: str, unit: str) -> tqdm[Any]:
    return tqdm(total=total, desc=f"{what:28}", unit=f" {unit}", dynamic_ncols=True, leave=True)
