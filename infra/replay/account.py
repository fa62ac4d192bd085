"""What a replay claims at its end, each claim with whether it is true. Pure: what came out against the file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from infra.replay.run import Sold
from infra.replay.transactions import Day, Sale


@dataclass(frozen=True)
class Claim:
    """One sentence and whether it holds; `which` names what spoils it."""

    good: bool
    sentence: str
    which: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What the platform says after the replay."""

    sold: list[Sold]
    failed: list[tuple[str, str]]
    captured: Mapping[str, int]
    """Pence by order id, as the ledger says."""
    expected_stock: Mapping[str, int]
    stock: Mapping[str, int]


def of_file(day: Day, replayed: list[Sale], sold: list[Sold]) -> list[Claim]:
    """Every row and every penny of the file is in a paid order or left out by name.

    `replayed`: the sales of the day that were to be sold, if not all. The rows are those of invoices that were sold,
    the pennies those of their orders; the file's own rows and pennies were counted before anything was left out.
    """
    done, asked = {one.invoice for one in sold}, {sale.invoice for sale in replayed}
    later = [sale for sale in day.sales if sale.invoice not in asked]
    rows = sum(sale.rows for sale in replayed if sale.invoice in done)
    rows_later, pence_later = sum(sale.rows for sale in later), sum(sale.total for sale in later)
    out, lost, ordered = len(day.left_out), sum(each.amount for each in day.left_out), sum(one.total for one in sold)
    more_rows = f" + {rows_later} of later invoices" if later else ""
    more_pence = f" + later invoices {pounds(pence_later)}" if later else ""
    return [
        Claim(
            rows + out + rows_later == day.filed.rows,
            f"{rows} rows sold + {out} rows left out{more_rows} = {day.filed.rows} rows in the file",
        ),
        Claim(
            ordered + lost + pence_later == day.filed.pence,
            f"orders {pounds(ordered)} + left out {pounds(lost)}{more_pence} = {pounds(day.filed.pence)} in the file",
        ),
    ]


def of_platform(sales: list[Sale], out: Outcome) -> list[Claim]:
    """What was sold there is what the file sold."""
    by_invoice = {one.invoice: one for one in out.sold}
    wrong = [s.invoice for s in sales if s.invoice in by_invoice and by_invoice[s.invoice].total != s.total]
    unbooked = [one.order_number for one in out.sold if out.captured[one.order_id] != one.total]
    amiss = [sku for sku, units in out.expected_stock.items() if out.stock[sku] != units]
    ordered, filed = sum(one.total for one in out.sold), sum(sale.total for sale in sales)
    return [
        Claim(not out.failed and len(out.sold) == len(sales), f"{len(out.sold)} of {len(sales)} sales are paid orders"),
        Claim(not wrong and ordered == filed, f"orders {pounds(ordered)}, file {pounds(filed)}", tuple(wrong)),
        Claim(not unbooked, f"ledger {pounds(sum(out.captured.values()))} = orders", tuple(unbooked)),
        Claim(not amiss, f"stock of {len(out.expected_stock)} articles = opening - sold", tuple(amiss)),
        Claim(len({one.order_number for one in out.sold}) == len(out.sold), "order numbers are unique"),
    ]


def reasons(day: Day) -> list[tuple[str, int, int]]:
    """Why rows are left out: the reason, how many, and what they are worth in pence; most frequent first."""
    count = Counter(out.reason for out in day.left_out)
    pence: dict[str, int] = defaultdict(int)
    for out in day.left_out:
        pence[out.reason] += out.amount
    return [(reason, many, pence[reason]) for reason, many in count.most_common()]


def in_part(day: Day) -> list[tuple[str, int, int]]:
    """Sales that lack rows of their invoice (an exchange, postage): the invoice, its order's and its file's pence."""
    lacking: dict[str, int] = defaultdict(int)
    for out in day.left_out:
        lacking[out.invoice] += out.amount
    return [(s.invoice, s.total, s.total + lacking[s.invoice]) for s in day.sales if lacking.get(s.invoice)]


def pounds(pence: int) -> str:
    """`£1,234.50`, or `-£1,234.50`."""
    return f"{'-' if pence < 0 else ''}£{abs(pence) // 100:,}.{abs(pence) % 100:02d}"
