"""A real transaction file as sales: what can be sold is read to the penny, every other row is named with its reason.

The columns are those of the UCI "Online Retail" data (I or II); one row per invoice line, pounds sterling. Every row of
the file is either part of a sale or left out, and what it is worth with it: rows and pence add up to the file's own.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from commerce.text import plain
from infra.replay import dialect, rows
from infra.replay.rows import Record

MAX_QUANTITY = 99_999
MAX_LINES = 2_000
MAX_PENCE = 10**12

# Codes of the source that are bookings, not goods.
NOT_GOODS = {
    "POST": "postage", "DOT": "postage", "C2": "carriage", "C3": "carriage", "M": "manual booking",
    "D": "discount", "S": "samples", "B": "bad debt", "CRUK": "commission", "BANK CHARGES": "bank charges",
    "AMAZONFEE": "marketplace fee", "ADJUST": "adjustment", "ADJUST2": "adjustment",
    "TEST001": "test", "TEST002": "test",
}  # fmt: skip
_GOODS = re.compile(r"(?:[0-9]{5}[A-Za-z]{0,3}|DCGS[A-Za-z0-9_]{2,8}|SP[0-9]{4}|PADS)")


_UNKNOWN = frozenset({"", "nan", "null", "none", "na", "n/a", "#n/a"})
_EXCHANGE = "exchange inside a sale: a negative quantity beside goods that were sold"
_WRITE_OFF = "negative quantity without a cancellation: a stock write-off, not a sale"
_NEGATIVE = "negative quantity"


@dataclass(frozen=True)
class Row:
    """One usable line. `price` in pence."""

    number: int
    invoice: str
    code: str
    name: str
    quantity: int
    price: int
    customer: str | None


@dataclass(frozen=True)
class LeftOut:
    """A row that is not replayed, and why. `number`: its first line in the file. `amount`: pence, 0 if not readable."""

    number: int
    reason: str
    text: str
    amount: int = 0
    invoice: str = ""


@dataclass
class Sale:
    """One invoice: quantities by SKU. `total` in pence, as the file says."""

    invoice: str
    customer: str | None
    quantities: dict[str, int] = field(default_factory=dict)
    total: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Filed:
    """What the file says by itself, before anybody decides what can be sold: its rows, and what they come to."""

    rows: int
    pence: int
    written: str
    """How it is written, for people."""


@dataclass
class Day:
    """What a file holds: sales in file order, the catalogue they need, and the rows left out."""

    sales: list[Sale]
    names: dict[str, str]
    prices: dict[str, int]
    sold: dict[str, int]
    left_out: list[LeftOut]
    price_points: int
    """SKUs that exist only because the file sells one article at several prices on one day."""
    filed: Filed


def read(source: bytes | Iterable[str]) -> Day:
    """Read a file, or its lines. Raises ValueError if it is not such a file at all, saying what was found."""
    table = dialect.table(source if isinstance(source, bytes) else "".join(source).encode())
    found = list(rows.records(table))
    mark = rows.decimal_mark(found)
    left_out: list[LeftOut] = []
    usable: list[Row] = []
    pence = 0
    for record in found:
        worth = _worth(record, mark)
        pence += worth
        row = _row(record, mark)
        if isinstance(row, Row):
            usable.append(row)
        else:
            left_out.append(_left_out(record, row, worth))
    written = f"{table.described()}{', a decimal comma' if mark == ',' else ''}"
    return _day(usable, left_out, Filed(rows.counted(table, found), pence, written))


def _day(usable: list[Row], left_out: list[LeftOut], filed: Filed) -> Day:
    points = _price_points(usable)
    sales: dict[str, Sale] = {}
    names: dict[str, str] = {}
    prices: dict[str, int] = {}
    sold: Counter[str] = Counter()
    for row in usable:
        sku = points[row.code, row.price]
        sale = sales.setdefault(row.invoice, Sale(row.invoice, row.customer))
        reason, amount = None, row.price * row.quantity
        if sku not in sale.quantities and len(sale.quantities) >= MAX_LINES:
            reason = f"invoice has over {MAX_LINES} different articles"
        elif sale.quantities.get(sku, 0) + row.quantity > MAX_QUANTITY:
            reason = f"quantity over {MAX_QUANTITY}"
        elif sale.total + amount > MAX_PENCE:
            reason = "invoice comes to more than one payment can"
        if reason:
            left_out.append(LeftOut(row.number, reason, f"{row.invoice} {row.code}", amount, row.invoice))
            continue
        sale.quantities[sku] = sale.quantities.get(sku, 0) + row.quantity
        sale.total += amount
        sale.rows += 1
        names.setdefault(sku, row.name)
        prices[sku] = row.price
        sold[sku] += row.quantity
    left_out = sorted((_named(out, sales) for out in left_out), key=lambda out: out.number)
    extra = len(prices) - len({row.code for row in usable})
    done = [sale for sale in sales.values() if sale.rows]
    return Day(done, names, prices, dict(sold), left_out, max(extra, 0), filed)


def _named(out: LeftOut, sales: dict[str, Sale]) -> LeftOut:
    """A negative quantity is an exchange if its invoice sells something, else a write-off."""
    if out.reason != _NEGATIVE:
        return out
    beside = out.invoice in sales and sales[out.invoice].rows
    return replace(out, reason=_EXCHANGE if beside else _WRITE_OFF)


def only(day: Day, first: int) -> Day:
    """The day as if only its first sales had happened; the catalogue stays that of the whole file."""
    sales = day.sales[:first]
    sold: Counter[str] = Counter()
    for sale in sales:
        sold.update(sale.quantities)
    return replace(day, sales=sales, sold={sku: sold[sku] for sku in day.prices})


def _left_out(record: Record, reason: str, worth: int) -> LeftOut:
    cells = record.cells
    if cells is None:
        return LeftOut(record.number, reason, _short(record.text), worth)
    text = f"{cells['InvoiceNo']} {cells['StockCode']} {cells['Description']}"
    return LeftOut(record.number, reason, _short(text), worth, cells["InvoiceNo"])


def _worth(record: Record, mark: str) -> int:
    """Quantity x price as the file says, whatever the row is: pence, rounded down; 0 if that cannot be read."""
    if record.cells is None:
        return 0
    quantity, price = rows.integer(record.cells["Quantity"]), rows.decimal(record.cells["UnitPrice"], mark)
    return 0 if quantity is None or price is None else int(quantity * price * 100 // 1)


def _row(record: Record, mark: str) -> Row | str:
    """The row, or why it is left out."""
    cells = record.cells
    if cells is None:
        return record.wrong or "broken"
    invoice, code = cells["InvoiceNo"], cells["StockCode"]
    if not re.fullmatch(r"[A-Za-z]?[0-9]{1,12}", invoice):
        return "no invoice number"
    quantity, price = rows.integer(cells["Quantity"]), rows.decimal(cells["UnitPrice"], mark)
    if quantity is None or price is None:
        return "quantity or price is not a number"
    if invoice[0] in "Cc":
        return "cancellation: returns come later"
    if invoice[0].isalpha():
        return "accounting entry, not a sale"
    if code.upper() in NOT_GOODS:
        return f"not goods: {NOT_GOODS[code.upper()]}"
    if code.lower().startswith("gift_"):
        return "not goods: gift voucher"
    if quantity <= 0:
        return _NEGATIVE if quantity else "quantity is zero"
    if quantity > MAX_QUANTITY:
        return f"quantity over {MAX_QUANTITY}"
    if price == 0:
        return "zero price"
    if price < 0:
        return "negative price"
    if not _GOODS.fullmatch(code):
        return "not goods: unknown code"
    pence = price * 100
    if pence != pence.to_integral_value():
        return "price is not whole pence"
    return Row(record.number, invoice, code, _name(cells["Description"], code), quantity, int(pence), _customer(cells))


def _customer(cells: dict[str, str]) -> str | None:
    """Who bought, as the file numbers people; None for somebody unknown. Spreadsheets make `17850` a `17850.0`."""
    customer = _short(re.sub(r"[.,]0$", "", cells["CustomerID"]))[:40]
    return None if customer.lower() in _UNKNOWN or not customer.strip("0") else customer


def card_of(customer: str) -> str:
    """The loyalty card of a customer: the number itself if it can be one, else one made of it.

    Cards have 4 to 40 letters and digits, and what is one sign all along is nobody's card.
    """
    if re.fullmatch(r"[0-9]{4,40}", customer) and len(set(customer)) > 1:
        return customer
    return f"X{hashlib.sha256(customer.encode()).hexdigest()[:15].upper()}"


def _price_points(rows: list[Row]) -> dict[tuple[str, int], str]:
    """A SKU for every article and price: the usual price keeps the article's code, others get `<code>.<pence>`.

    Prices come from our catalogue, and a SKU has one price; the file sells an article at several on one day.
    """
    seen: dict[str, Counter[int]] = defaultdict(Counter)
    for row in rows:
        seen[row.code][row.price] += 1
    usual = {code: min(prices, key=lambda price: (-prices[price], price)) for code, prices in seen.items()}
    return {
        (code, price): code if price == usual[code] else f"{code}.{price}"
        for code, prices in seen.items()
        for price in prices
    }


def _name(text: str, code: str) -> str:
    """What an article is called, fit for the catalogue; its code if nothing is left."""
    try:
        return plain(_plain(text))[:200].strip()
    except ValueError:
        return code


def _plain(text: str) -> str:
    """One line that can be shown: line ends of any kind become blanks, what cannot be seen goes."""
    lines = " ".join(re.split("[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+", text))
    return "".join(c for c in lines if unicodedata.category(c)[0] != "C" or c in "\u200c\u200d").strip()


def _short(text: str) -> str:
    return _plain(text)[:80]
