"""A real transaction file as sales: what can be sold is read to the penny, every other row is named with its reason.

The columns are those of the UCI "Online Retail" data: InvoiceNo, StockCode, Description, Quantity, InvoiceDate,
UnitPrice, CustomerID, Country; one row per invoice line, pounds sterling.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
MAX_QUANTITY = 99_999
MAX_LINES = 2_000

# Codes of the source that are bookings, not goods.
NOT_GOODS = {
    "POST": "postage", "DOT": "postage", "C2": "carriage", "C3": "carriage", "M": "manual booking",
    "D": "discount", "S": "samples", "B": "bad debt", "CRUK": "commission", "BANK CHARGES": "bank charges",
    "AMAZONFEE": "marketplace fee", "ADJUST": "adjustment", "ADJUST2": "adjustment",
    "TEST001": "test", "TEST002": "test",
}  # fmt: skip
_GOODS = re.compile(r"^(?:\d{5}[A-Za-z]{0,3}|DCGS\w{2,8}|SP\d{4}|PADS)$")


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
    """A row that is not replayed, and why. `number` counts lines of the file from 1 (the header)."""

    number: int
    reason: str
    text: str


@dataclass
class Sale:
    """One invoice: quantities by SKU. `total` in pence, as the file says."""

    invoice: str
    customer: str | None
    quantities: dict[str, int] = field(default_factory=dict)
    total: int = 0
    rows: int = 0


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


def read(lines: Iterable[str]) -> Day:
    """Read a file's lines. Raises ValueError if it is not such a file at all."""
    left_out: list[LeftOut] = []
    rows = list(_rows(lines, left_out))
    points = _price_points(rows)
    sales: dict[str, Sale] = {}
    names: dict[str, str] = {}
    prices: dict[str, int] = {}
    sold: Counter[str] = Counter()
    for row in rows:
        sku = points[row.code, row.price]
        sale = sales.setdefault(row.invoice, Sale(row.invoice, row.customer))
        if sku not in sale.quantities and len(sale.quantities) >= MAX_LINES:
            left_out.append(LeftOut(row.number, f"invoice has over {MAX_LINES} different articles", row.invoice))
            continue
        if sale.quantities.get(sku, 0) + row.quantity > MAX_QUANTITY:
            left_out.append(LeftOut(row.number, f"quantity over {MAX_QUANTITY}", f"{row.invoice} {row.code}"))
            continue
        sale.quantities[sku] = sale.quantities.get(sku, 0) + row.quantity
        sale.total += row.price * row.quantity
        sale.rows += 1
        names.setdefault(sku, row.name)
        prices[sku] = row.price
        sold[sku] += row.quantity
    left_out.sort(key=lambda out: out.number)
    usable = [sale for sale in sales.values() if sale.rows]
    extra = len(prices) - len({row.code for row in rows})
    return Day(usable, names, prices, dict(sold), left_out, max(extra, 0))


def only(day: Day, first: int) -> Day:
    """The day as if only its first sales had happened; the catalogue stays that of the whole file."""
    sales = day.sales[:first]
    sold: Counter[str] = Counter()
    for sale in sales:
        sold.update(sale.quantities)
    return replace(day, sales=sales, sold={sku: sold[sku] for sku in day.prices})


def _rows(lines: Iterable[str], left_out: list[LeftOut]) -> Iterator[Row]:
    source = iter(lines)
    header = next(csv.reader([next(source, "").removeprefix("\ufeff")]), [])
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise ValueError(f"this is not a transaction file: the header lacks {', '.join(missing)}")
    for number, text in _records(source):
        try:
            (cells,) = csv.reader([text], strict=True)
        except (csv.Error, ValueError):
            left_out.append(LeftOut(number, "broken CSV line", _short(text)))
            continue
        if not cells:
            continue
        if len(cells) != len(header):
            left_out.append(LeftOut(number, f"{len(cells)} columns instead of {len(header)}", _short(text)))
            continue
        found = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        row = _row(number, found)
        if isinstance(row, str):
            left_out.append(
                LeftOut(number, row, _short(f"{found['InvoiceNo']} {found['StockCode']} {found['Description']}"))
            )
        else:
            yield row


def _records(source: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Records with the number of their first line: a quoted cell may span lines, but never more than a few."""
    held, started = "", 0
    for number, line in enumerate(source, start=2):
        started = started if held else number
        held += line
        if held.count('"') % 2 == 0 or number - started >= 4:
            yield started, held.rstrip("\r\n")
            held = ""
    if held:
        yield started, held.rstrip("\r\n")


def _row(number: int, cells: dict[str, str]) -> Row | str:
    """The row, or why it is left out."""
    invoice, code = cells["InvoiceNo"], cells["StockCode"]
    if not re.fullmatch(r"[A-Za-z]?\d{1,12}", invoice):
        return "no invoice number"
    try:
        quantity = int(cells["Quantity"])
        price = Decimal(cells["UnitPrice"])
    except (ValueError, InvalidOperation):
        return "quantity or price is not a number"
    if not price.is_finite():
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
        return "negative quantity without a cancellation: a stock write-off, not a sale"
    if price == 0:
        return "zero price"
    if price < 0:
        return "negative price"
    if not _GOODS.match(code):
        return "not goods: unknown code"
    pence = price * 100
    if pence != pence.to_integral_value():
        return "price is not whole pence"
    customer = re.sub(r"\.0$", "", cells["CustomerID"]) or None
    return Row(number, invoice, code, _plain(cells["Description"]) or code, quantity, int(pence), customer)


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


def _plain(text: str) -> str:
    kept = "".join(character for character in text if unicodedata.category(character)[0] != "C")
    return unicodedata.normalize("NFC", kept).strip()[:200]


def _short(text: str) -> str:
    return _plain(text)[:80]
