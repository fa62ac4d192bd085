"""How a transaction file is written: its characters, its lines, what stands between columns, what they are called.

What is not certain is found out and said, never assumed: spreadsheets export the same table in many ways. Lines end
where files end them (LF, CRLF, CR) and nowhere else: NEL, VT, FF and U+2028 are characters of a cell.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass

COLUMNS: dict[str, tuple[str, ...]] = {
    "InvoiceNo": ("invoiceno", "invoice"),
    "StockCode": ("stockcode",),
    "Description": ("description",),
    "Quantity": ("quantity",),
    "InvoiceDate": ("invoicedate",),
    "UnitPrice": ("unitprice", "price"),
    "CustomerID": ("customerid",),
    "Country": ("country",),
}
"""Our name of a column, and what it is called in "Online Retail" and "Online Retail II", without case and blanks."""
NEEDED = ("InvoiceNo", "StockCode", "Quantity", "UnitPrice", "CustomerID")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_LINE = re.compile(r"\r\n|\n|\r")


class NotATransactionFile(ValueError):
    """The file is something else; the text says what was found."""


@dataclass(frozen=True)
class Table:
    """A file as lines of text. `lines[0]` is line 1 of the file; the rows begin at `lines[first]`."""

    lines: list[str]
    first: int
    separator: str
    columns: dict[str, int]
    """Our name of a column -> its place."""
    width: int
    """How many columns the header has."""
    encoding: str
    """As a person would say it."""

    def described(self) -> str:
        """What was found, for people."""
        return f"{self.encoding}, {SEPARATORS.get(self.separator, repr(self.separator))} between columns"


def table(raw: bytes) -> Table:
    """The lines of a file and how to read them. Raises `NotATransactionFile`."""
    lines, encoding = _lines(raw)
    first = 0
    told = re.fullmatch(r'"?sep=(.)"?', lines[0].strip(" ")) if lines else None
    if told:
        first = 1
    while first < len(lines) and not lines[first].strip():
        first += 1
    if first == len(lines):
        raise NotATransactionFile("the file is empty")
    candidates = [told[1]] if told else list(SEPARATORS)
    headers = {separator: _header(lines[first], separator) for separator in candidates}
    separator = max(headers, key=lambda each: (len(_named(headers[each])), len(headers[each])))
    header = headers[separator]
    columns = _named(header)
    between = SEPARATORS.get(separator, repr(separator))
    names = ", ".join(repr(name[:40]) for name in header[:20] or [lines[first]])
    found = f"found the columns {names}, separated by {between}"
    if missing := [name for name in NEEDED if name not in columns]:
        raise NotATransactionFile(
            f"this is not a transaction file: {found}; {', '.join(missing)} missing. Expected are InvoiceNo (or"
            " Invoice), StockCode, Description, Quantity, InvoiceDate, UnitPrice (or Price), CustomerID (or Customer"
            " ID) and Country"
        )
    if len(columns) < sum(_ours(name) is not None for name in header):
        raise NotATransactionFile(f"a column is there twice: {found}")
    return Table(lines, first + 1, separator, columns, len(header), encoding)


def cells_of(text: str, separator: str) -> list[str]:
    """The cells of one row; a quote opens a cell only at its start. Raises `csv.Error`."""
    # The csv module ends rows at line ends of its own; what is left inside a row here belongs to a quoted cell.
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    if len(rows) != 1:
        raise csv.Error(f"{len(rows)} rows")
    return rows[0]


def _lines(raw: bytes) -> tuple[list[str], str]:
    for mark, name in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if raw.startswith(mark):
            try:
                return _split(raw.decode(name)), name.upper()
            except UnicodeDecodeError:
                raise NotATransactionFile(f"the file says it is {name.upper()} and is not") from None
    for mark, what in (
        (b"PK\x03\x04", "a workbook or ZIP file"),
        (b"\x1f\x8b", "a compressed file"),
        (b"\xd0\xcf\x11\xe0", "a workbook"),
        (b"PAR1", "a Parquet file"),
    ):
        if raw.startswith(mark):
            raise NotATransactionFile(f"this is {what}, not text: save or unpack it as CSV")
    if raw[:4000].count(b"\0") * 4 > len(raw[:4000]):
        raise NotATransactionFile("every other byte is zero, as in UTF-16 without a byte order mark: save it as UTF-8")
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return _split(raw.decode("utf-8")), "UTF-8"
    except UnicodeDecodeError:
        pass
    # One line in another code must not spoil the names in all the others. Bytes 0x0A and 0x0D are line ends in both.
    decoded = [_decoded(line) for line in re.split(rb"\r\n|\n|\r", raw)]
    others = sum(not good for _, good in decoded)
    plain = sum(not line.isascii() for line, good in decoded if good)
    encoding = f"UTF-8, but Windows-1252 in {others} line{'s' * (others > 1)}" if plain else "Windows-1252"
    return _split("\n".join(line for line, _ in decoded)), encoding


def _decoded(line: bytes) -> tuple[str, bool]:
    try:
        return line.decode("utf-8"), True
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace"), False


def _split(text: str) -> list[str]:
    lines = _LINE.split(text.removeprefix("\ufeff"))
    return lines[:-1] if lines and not lines[-1] else lines


def _header(line: str, separator: str) -> list[str]:
    try:
        return [name.strip() for name in cells_of(line, separator)]
    except csv.Error:
        return []


def _named(header: list[str]) -> dict[str, int]:
    """Our name of each column that is known -> its first place."""
    found: dict[str, int] = {}
    for place, name in enumerate(header):
        if (ours := _ours(name)) is not None:
            found.setdefault(ours, place)
    return found


def _ours(name: str) -> str | None:
    squeezed = re.sub(r"[\s_]", "", name).lower()
    return next((ours for ours, theirs in COLUMNS.items() if squeezed in theirs), None)
