"""What a DynamoDB request costs, by the published rules (developer guide: "Read and write capacity", "Item sizes").

moto reports no consumed capacity for transactions, so the hook in `aws.py` counts from the images before and after.
Sizes in bytes, units as billed on demand: a write unit is 1 KB, a read unit 4 KB, transactions count twice,
eventually consistent reads half.
"""

from __future__ import annotations

import math
from typing import Any

from infra.template_model import Index, Table

Image = dict[str, Any]
"""An item in DynamoDB JSON: `{"pk": {"S": "..."}}`."""


def size(image: Image | None) -> int:
    """Bytes of an item: attribute names plus values."""
    return sum(len(name.encode()) + _value(value) for name, value in (image or {}).items())


def _value(value: dict[str, Any]) -> int:
    (kind, content), *_ = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number(content)
        case "B":
            return len(content) * 3 // 4
        case "BOOL" | "NULL":
            return 1
        case "SS":
            return sum(len(item.encode()) for item in content)
        case "NS":
            return sum(_number(item) for item in content)
        case "BS":
            return sum(len(item) * 3 // 4 for item in content)
        case "L":
            return 3 + sum(1 + _value(item) for item in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value(item) for name, item in content.items())
    raise ValueError(f"unknown attribute type {kind}")


def _number(text: str) -> int:
    """About one byte per two significant digits, plus one; one more for a negative number. At most 21."""
    digits = text.lstrip("-").split("E")[0].split("e")[0].replace(".", "").strip("0")
    return min(21, math.ceil(len(digits) / 2) + 1 + text.startswith("-"))


def _blocks(bytes_: int, block: int) -> int:
    return max(1, math.ceil(bytes_ / block))


def write(table: Table, old: Image | None, new: Image | None, *, transactional: bool) -> float:
    """Write units of changing one item from `old` to `new` (`None`: absent), its index entries included."""
    base = _blocks(max(size(old), size(new)), 1024) * (2 if transactional else 1)
    return base + sum(_index(table, index, old, new) for index in table.indexes.values())


def refused(old: Image | None, *, transactional: bool) -> float:
    """Write units of a write whose condition failed: the item that was looked at is paid for."""
    return _blocks(size(old), 1024) * (2 if transactional else 1)


def _index(table: Table, index: Index, old: Image | None, new: Image | None) -> int:
    before, after = entry(table, index, old), entry(table, index, new)
    if before == after:
        return 0
    keys = [index.hash_key, *([index.range_key] if index.range_key else [])]
    moved = before is not None and after is not None and any(before[key] != after[key] for key in keys)
    if moved:  # a changed key is a delete and a put
        return _blocks(size(before), 1024) + _blocks(size(after), 1024)
    return _blocks(max(size(before), size(after)), 1024)


def entry(table: Table, index: Index, image: Image | None) -> Image | None:
    """The item as the index holds it, or `None` if it is not in this (sparse) index."""
    keys = [index.hash_key, *([index.range_key] if index.range_key else [])]
    if image is None or any(key not in image for key in keys):
        return None
    if index.projection == "ALL":
        return image
    kept = {*keys, table.hash_key, table.range_key, *index.included}
    return {name: value for name, value in image.items() if name in kept}


def read_one(image: Image | None, *, consistent: bool, transactional: bool = False) -> float:
    """Read units of one item by key (an absent one costs the minimum)."""
    return _blocks(size(image), 4096) * (2.0 if transactional else 1.0 if consistent else 0.5)


def read_many(images: list[Image], *, consistent: bool) -> float:
    """Read units of a query or scan: the sizes are added first, then rounded."""
    return _blocks(sum(map(size, images)), 4096) * (1.0 if consistent else 0.5)
