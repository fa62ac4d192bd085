"""Markets: configuration, not code. A market fixes currency, country, languages, taxes and times."""

import json
import os
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from commerce import problems


@dataclass(frozen=True)
class Market:
    """Where and how we sell. Taxes are whole percents by tax class; prices include tax."""

    id: str
    currency: str
    country: str
    languages: tuple[str, ...]
    taxes: dict[str, int] = field(hash=False)
    hold_seconds: int = 900
    """How long an unpaid order holds its stock."""
    receipt_seconds: int = 900
    """How long a price once shown is honoured."""
    sourcing: str = "fewest-parcels"
    """How delivery stock is chosen: `fewest-parcels`, `nearest` or `most-stock`."""

    def tax_percent(self, tax_class: str) -> int:
        """The percent of a tax class; an unknown class is taxed at the standard rate, never at none."""
        return self.taxes.get(tax_class, self.taxes["standard"])


_DEFAULT: dict[str, dict[str, Any]] = {
    "nl": {"currency": "EUR", "country": "NL", "languages": ["nl", "en"],
           "taxes": {"standard": 21, "reduced": 9, "zero": 0}},
    "uk": {"currency": "GBP", "country": "GB", "languages": ["en"],
           "taxes": {"standard": 20, "reduced": 5, "zero": 0}},
}  # fmt: skip
DEFAULT = "nl"


@cache
def _all(configured: str) -> dict[str, Market]:
    """`MARKETS` (JSON, by market id) overrides or adds to the defaults, member by member."""
    merged = {key: dict(value) for key, value in _DEFAULT.items()}
    for key, value in json.loads(configured).items():
        merged[key] = merged.get(key, {}) | value
    return {
        key: Market(**(value | {"id": key, "languages": tuple(value["languages"])})) for key, value in merged.items()
    }


def every() -> dict[str, Market]:
    """All markets by id."""
    return _all(os.environ.get("MARKETS") or "{}")


def get(market_id: str | None) -> Market:
    """A market, `nl` unless named. Raises 422 for one that does not exist."""
    try:
        return every()[market_id or DEFAULT]
    except KeyError:
        raise problems.invalid(["body", "market"], f"There is no market {market_id!r}.") from None
