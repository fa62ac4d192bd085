"""Run a real transaction file through the HTTPS API of the running platform, and account for every penny.

The file's articles become the catalogue and the opening stock; every sale invoice goes from the person (or an
anonymous basket) over lines, checkout and payment to the paid order. At the end the orders are compared with the file,
the stock with opening minus sold, and the ledger with the orders. Interrupted? Run it again: it goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tqdm import tqdm

from infra.client import running_platform
from infra.local import laptop
from infra.replay import transactions
from infra.replay.run import Journal, Replay, Sold
from infra.say import Sorry, bold, green


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `mandje replay`."""
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="a day of the 'Online Retail' data")
    parser.add_argument("--parallel", type=int, default=6, metavar="N", help="people served at once (default 6)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N invoices")
    parser.add_argument("--again", action="store_true", help="forget an earlier run and sell it once more")
    parser.add_argument("--left-out", action="store_true", help="list every row left out, not only the reasons")


def run(args: argparse.Namespace) -> int:
    """Replay the file; 0 if everything adds up."""
    if not 1 <= args.parallel <= 64:
        raise Sorry("--parallel takes 1 to 64.")
    day, fingerprint = _read(args.file)
    if args.limit is not None:
        day = transactions.only(day, args.limit)
    platform = running_platform()
    installed = hashlib.sha256(str(platform.get("started_at", platform["api_url"])).encode()).hexdigest()[:8]
    path = laptop.HERE / "replay" / f"{args.file.stem}-{fingerprint[:8]}-{installed}.jsonl"
    if args.again:
        path.unlink(missing_ok=True)
    journal = Journal(path)
    if "run" not in journal.facts:
        journal.keep("run", hashlib.sha256(f"{fingerprint}{installed}{time.time()}".encode()).hexdigest()[:16])
    replay = Replay(platform, journal.facts["run"], journal, args.parallel)

    print(f"{bold(args.file.name)}: {len(day.sales)} sales, {sum(sale.rows for sale in day.sales)} lines, "
          f"{_pounds(sum(sale.total for sale in day.sales))}; {len(day.prices)} articles")  # fmt: skip
    if resumed := sum(1 for fact in journal.facts if fact.startswith("sold ")):
        print(f"going on after {resumed} invoices of an earlier run")
    began = time.monotonic()
    with _bar(2 * len(day.prices), "catalogue and opening stock", "article") as bar:
        replay.prepare(day, bar.update)
    with _bar(len(day.sales), "selling", "invoice") as bar:
        sold, failed = replay.sell(day.sales, bar.update)
    return _account(day, replay, sold, failed, time.monotonic() - began, list_all=args.left_out)


def _read(path: Path) -> tuple[transactions.Day, str]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Sorry(f"{path} cannot be read: {error.strerror}.") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # older copies of this data set are
    try:
        return transactions.read(text.splitlines(keepends=True)), hashlib.sha256(raw).hexdigest()
    except ValueError as error:
        raise Sorry(f"{path}: {error}.") from None


def _account(
    day: transactions.Day,
    replay: Replay,
    sold: list[Sold],
    failed: list[tuple[str, str]],
    took: float,
    *,
    list_all: bool,
) -> int:
    """Compare what came out with the file. Every line is a claim that can fail."""
    by_invoice = {one.invoice: one for one in sold}
    wrong = [s.invoice for s in day.sales if s.invoice in by_invoice and by_invoice[s.invoice].total != s.total]
    captured = replay.captured(sold)
    unbooked = [one.order_number for one in sold if captured[one.order_id] != one.total]
    expected = _expected_stock(day, replay, set(by_invoice))
    stock = replay.available(sorted(expected))
    amiss = [sku for sku, units in expected.items() if stock[sku] != units]
    ordered, filed = sum(one.total for one in sold), sum(sale.total for sale in day.sales)
    lines = sum(sale.rows for sale in day.sales)
    checks: list[tuple[bool, str]] = [
        (not failed and len(sold) == len(day.sales), f"{len(sold)} of {len(day.sales)} sales are paid orders"),
        (not wrong and ordered == filed, f"orders {_pounds(ordered)}, file {_pounds(filed)}"),
        (not unbooked, f"ledger {_pounds(sum(captured.values()))} = orders"),
        (not amiss, f"stock of {len(expected)} articles = opening - sold"),
        (len({one.order_number for one in sold}) == len(sold), "order numbers are unique"),
    ]
    print()
    for good, claim in checks:
        print(f"  {green('ok') if good else bold('WRONG')}  {claim}")
    for invoice, why in failed[:20]:
        print(f"         invoice {invoice}: {why}")
    for what, which in (("amounts differ", wrong), ("ledger differs", unbooked), ("stock differs", amiss)):
        if which:
            print(f"         {what}: {', '.join(which[:10])}{' ...' if len(which) > 10 else ''}")
    print(f"\n{lines} lines in {took:.0f} s. {len(day.left_out)} rows left out:")
    for reason, count in Counter(out.reason for out in day.left_out).most_common():
        print(f"  {count:5}  {reason}")
    if list_all:
        for out in day.left_out:
            print(f"  row {out.number}: {out.reason}: {out.text}")
    if day.price_points:
        print(f"{day.price_points} articles stand at further prices on the same day; each price is a SKU of its own.")
    return 0 if all(good for good, _ in checks) else 1


def _expected_stock(day: transactions.Day, replay: Replay, sold: set[str]) -> dict[str, int]:
    opening: dict[str, Any] = replay.journal.facts["opening"]
    received = replay.received(day)
    expected = {sku: opening.get(sku, 0) + received[sku] for sku in day.prices}
    for sale in day.sales:
        if sale.invoice in sold:
            for sku, quantity in sale.quantities.items():
                expected[sku] -= quantity
    return expected


def _pounds(pence: int) -> str:
    return f"£{pence // 100:,}.{pence % 100:02d}"


def _bar(total: int, what: str, unit: str) -> tqdm[Any]:
    return tqdm(total=total, desc=f"{what:28}", unit=f" {unit}", dynamic_ncols=True, leave=True)
