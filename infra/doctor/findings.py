"""What the doctor looks at, and what it says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Item = dict[str, Any]


@dataclass(frozen=True)
class Violation:
    """One broken invariant: which (`I1`), of what, and how."""

    invariant: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}: {self.text}"


@dataclass(frozen=True)
class Patient:
    """All items of all tables by logical table id, the moment of the look, and how long things may be under way.

    `grace_s` is 0 when nothing moves any more (tests); on live tables what changed within it is not judged yet.
    """

    tables: Mapping[str, Iterable[Item]]
    now: str
    grace_from: str
    """Changes after this moment (ISO) may still be under way."""

    @cached_property
    def orders(self) -> dict[str, Item]:
        """Orders by id."""
        return {item["order_id"]: item for item in self.tables["OrdersTable"] if _is(item, "O#", "-")}

    @cached_property
    def holding(self) -> dict[str, Item]:
        """Progress of big orders that are being taken or given back, by order id."""
        return {i["pk"].removeprefix("O#"): i for i in self.tables["OrdersTable"] if _is(i, "O#", "HELD")}

    @cached_property
    def levels(self) -> dict[tuple[str, str], Item]:
        """Stock levels by key."""
        return {(i["pk"], i["sk"]): i for i in self.tables["StockTable"] if _is(i, "SKU#", "LOC#", prefix=True)}

    @cached_property
    def movements(self) -> dict[tuple[str, str], Item]:
        """Stock movements by (pk, movement id)."""
        found = (i for i in self.tables["StockTable"] if _is(i, "SKU#", "MOVE#", prefix=True))
        return {(item["pk"], item["sk"].removeprefix("MOVE#")): item for item in found}

    @cached_property
    def payments(self) -> dict[str, Item]:
        """Payments by id."""
        return {item["payment_id"]: item for item in self.tables["PaymentsTable"] if _is(item, "P#", "-")}

    @cached_property
    def facts(self) -> dict[str, list[Item]]:
        """What providers said, by payment id."""
        found: dict[str, list[Item]] = defaultdict(list)
        for item in self.tables["PaymentsTable"]:
            if _is(item, "P#", "FACT#", prefix=True):
                found[item["pk"].removeprefix("P#")].append(item)
        return found

    @cached_property
    def ledger(self) -> list[Item]:
        """Ledger entries."""
        return [item for item in self.tables["PaymentsTable"] if item["pk"].startswith("LEDGER#")]

    @cached_property
    def baskets(self) -> dict[str, Item]:
        """Baskets by id."""
        return {item["basket_id"]: item for item in self.tables["BasketTable"] if _is(item, "B#", "-")}

    def under_way(self, item: Item) -> bool:
        """Whether an item changed so recently that what follows from it may not have arrived yet."""
        changed = (item.get("event") or {}).get("time") or item.get("changed_at") or item.get("created_at") or ""
        return bool(changed > self.grace_from)


def _is(item: Item, pk: str, sk: str, *, prefix: bool = False) -> bool:
    fits = item["sk"].startswith(sk) if prefix else item["sk"] == sk
    return bool(item["pk"].startswith(pk) and fits)
