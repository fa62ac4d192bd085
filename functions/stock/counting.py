"""Counts of many SKUs in one call: what a reader's tags and a clerk's numbers add up to. Pure rules."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST = 10_000
"""Tags and counted SKUs of one call."""
PART = 200
"""SKUs worked off in one step."""


class TagTwice(Exception):
    """One tag cannot be on two articles. `line` is where it was met again."""

    def __init__(self, line: int) -> None:
        super().__init__("a tag is listed under two SKUs")
        self.line = line


def size(lines: Sequence[Any]) -> int:
    """How much of `MOST` the lines use."""
    return sum(len(line.tags) if line.tags else 1 for line in lines)


def tally(lines: Sequence[Any]) -> dict[str, int]:
    """Units per SKU. A tag counts once however often it was read; numbers of one SKU add up. Raises `TagTwice`."""
    owner: dict[str, str] = {}
    units: Counter[str] = Counter()
    for place, line in enumerate(lines):
        units[line.sku] += line.quantity or 0
        for tag in line.tags or ():
            if owner.setdefault(tag, line.sku) != line.sku:
                raise TagTwice(place)
    units.update(owner.values())
    return dict(units)


def parts(units: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """In portions of one step, sorted by SKU."""
    skus = sorted(units)
    for start in range(0, len(skus), PART):
        yield {sku: units[sku] for sku in skus[start : start + PART]}
