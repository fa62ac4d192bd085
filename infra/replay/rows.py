"""The rows of a transaction file, each with its cells or the reason why it has none. No row takes another along."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from infra.replay.dialect import COLUMNS, Table, cells_of

_LINES_A_CELL = 5
"""A quoted cell may go over a few lines; one that goes on longer was never closed."""
_INTEGER = re.compile(r"(-?[0-9]{1,9})(\.0)?")
_POINT = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_COMMA = re.compile(r"-?[0-9]{1,9}(,[0-9]{1,9})?")


@dataclass(frozen=True)
class Record:
    """One row of the file. `number` is its first line, `lines` how many it has; `wrong` says why it has no cells."""

    number: int
    lines: int
    text: str
    cells: dict[str, str] | None = None
    wrong: str | None = None


def records(table: Table) -> Iterator[Record]:
    """Every row, in the order of the file; blank lines are none."""
    place = table.first
    while place < len(table.lines):
        record = _record(table, place)
        if record is not None:
            yield record
        place += record.lines if record else 1


def counted(table: Table, found: list[Record]) -> int:
    """How many rows the file has, told from its lines alone: each that is not blank is one, except the later lines of a
    cell that goes on; and what can be a row by itself is never such a line.

    Not the same count as `len(found)`: a row that was swallowed by another is counted here and missing there.
    """
    going_on = {line for record in found for line in range(record.number + 1, record.number + record.lines)}
    return sum(
        bool(line.strip()) and (number not in going_on or _is_a_row(table, line))
        for number, line in enumerate(table.lines[table.first :], start=table.first + 1)
    )


def decimal_mark(found: list[Record]) -> str:
    """`,` if the prices of the file are written with a comma, else `.`; a price in the other way is not a number."""
    prices = [record.cells["UnitPrice"] for record in found if record.cells]
    commas = sum("," in price and _COMMA.fullmatch(price) is not None for price in prices)
    points = sum("." in price and _POINT.fullmatch(price) is not None for price in prices)
    return "," if commas > points else "."


def integer(text: str) -> int | None:
    """A whole number in ASCII digits, None for anything else (`1_0`, `٣`, `1e3`). Spreadsheets make a 6 a `6.0`."""
    found = _INTEGER.fullmatch(text)
    return int(found[1]) if found else None


def decimal(text: str, mark: str) -> Decimal | None:
    """A number with this decimal mark in ASCII digits, None for anything else."""
    pattern = _COMMA if mark == "," else _POINT
    return Decimal(text.replace(",", ".")) if pattern.fullmatch(text) else None


def _record(table: Table, place: int) -> Record | None:
    text, number = table.lines[place], place + 1
    if not text.strip():
        return None
    try:
        cells = cells_of(text, table.separator)
    except csv.Error:
        return _going_on(table, place) or Record(number, 1, text, wrong="broken CSV line: a quote that does not fit")
    if len(cells) != table.width:
        return Record(number, 1, text, wrong=f"{len(cells)} columns instead of {table.width}")
    return Record(number, 1, text, cells=_named(table, cells))


def _going_on(table: Table, place: int) -> Record | None:
    """The row that begins here and goes on over the next lines, if a quoted cell of it does."""
    text = table.lines[place]
    for lines, line in enumerate(table.lines[place + 1 : place + _LINES_A_CELL], start=2):
        if _is_a_row(table, line):
            return None
        text += f"\n{line}"
        try:
            cells = cells_of(text, table.separator)
        except csv.Error:
            continue
        return Record(place + 1, lines, text, cells=_named(table, cells)) if len(cells) == table.width else None
    return None


def _named(table: Table, cells: list[str]) -> dict[str, str]:
    return {name: cells[table.columns[name]].strip() if name in table.columns else "" for name in COLUMNS}


def _is_a_row(table: Table, line: str) -> bool:
    """Whether a line is a row by itself: it begins with an invoice number as a cell of its own, or has all columns."""
    begins = re.match(rf'\s*"?\s*[A-Za-z]?[0-9]{{1,12}}\s*"?\s*{re.escape(table.separator)}', line)
    return begins is not None or line.count(table.separator) == table.width - 1
