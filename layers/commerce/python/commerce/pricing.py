"""Prices and totals: the same sum on every channel, because there is one place that adds.

A product item keeps `prices{currency: {amount, since}}` and `was[{currency, amount, until}]`, so the price that was
shown at a moment can still be told afterwards. Amounts are gross (tax included) minor units.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from commerce import clock, reads, tokens
from commerce.markets import Market
from commerce.money import tax_included

HISTORY_HOURS = 24
"""How long the catalog remembers what a price was."""
_CACHE_SIZE = 5000
_cache: dict[str, tuple[float, dict[str, Any]]] = {}


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One line with what it costs. Amounts in minor units of the market's currency."""

    sku: str
    name: str
    quantity: int
    unit_price: int
    line_total: int
    tax: int


@dataclass(frozen=True, slots=True)
class Totals:
    """`subtotal - discount = total`; `tax` is the part of the total that is tax."""

    subtotal: int
    discount: int
    tax: int
    total: int

    def as_map(self) -> dict[str, int]:
        """For items."""
        return asdict(self)


def product_key(sku: str) -> tuple[str, str]:
    """A product's key in the catalog table."""
    return f"SKU#{sku}", "-"


def price_at(product: Mapping[str, Any], currency: str, at: str | None = None) -> int | None:
    """The gross unit price in a currency, now or as it was at `at` (ISO time); None if not sold in it."""
    if at is not None:
        past = [was for was in product.get("was", []) if was["currency"] == currency and at < was["until"]]
        if past:
            amount: int = min(past, key=lambda was: str(was["until"]))["amount"]
            return amount
    price = product.get("prices", {}).get(currency)
    return None if price is None else int(price["amount"])


def price_lines(
    quantities: Mapping[str, int], products: Mapping[str, Mapping[str, Any]], market: Market, at: str | None = None
) -> tuple[list[PricedLine], list[str]]:
    """Priced lines, and the SKUs that are not (or no longer) sold in this market."""
    lines, unsold = [], []
    for sku, quantity in quantities.items():
        product = products.get(sku)
        price = price_at(product, market.currency, at) if product else None
        if product is None or price is None:
            unsold.append(sku)
            continue
        total = price * quantity
        tax = tax_included(total, market.tax_percent(product.get("tax_class", "standard")))
        lines.append(PricedLine(sku, product["name"], quantity, price, total, tax))
    return lines, unsold


def totals(lines: list[PricedLine], discount: int = 0) -> Totals:
    """The sums. Tax is rounded per line, so a line shows the tax it adds."""
    subtotal = sum(line.line_total for line in lines)
    return Totals(subtotal, discount, sum(line.tax for line in lines), subtotal - discount)


def products(skus: list[str], *, consistent: bool = False) -> dict[str, dict[str, Any]]:
    """Products by SKU, unknown ones left out: from the warm cache, misses in one batch read.

    Read `consistent`ly before somebody is told that there is no such product: it may have come this second.

    A cached price is at most `PRICE_CACHE_SECONDS` (30) old. What is shown is honoured by the price receipt; what is
    charged is read fresh by checkout.
    """
    now = clock.source()
    kept_s = float(os.environ.get("PRICE_CACHE_SECONDS", "30"))
    warm = {sku: _cache[sku][1] for sku in skus if sku in _cache and now - _cache[sku][0] < kept_s}
    cold = [sku for sku in skus if sku not in warm]
    if cold:
        found = reads.get_many({"CATALOG": [product_key(sku) for sku in cold]}, consistent=consistent)["CATALOG"]
        if len(_cache) > _CACHE_SIZE:
            _cache.clear()
        for product in found.values():
            warm[product["sku"]] = product
            _cache[product["sku"]] = (now, product)
    return warm


def forget() -> None:
    """Drop the cache (tests; another table)."""
    _cache.clear()


@dataclass(frozen=True, slots=True)
class Receipt:
    """A promise: these lines cost this much if ordered before `expires_at`."""

    id: str
    expires_at: str
    signature: str


def receipt(basket_id: str, lines: list[PricedLine], market: Market) -> Receipt:
    """Sign what was shown: basket, moment, and a digest of each line's price."""
    expires_at = clock.after(market.receipt_seconds)
    identity = f"{clock.iso()}~{_shown(lines)}"
    return Receipt(identity, expires_at, tokens.sign("price", _promise(basket_id, identity, expires_at)))


def honoured_at(basket_id: str, shown: Receipt) -> str | None:
    """The moment whose prices a receipt promises, or None once it has expired.

    Raises ValueError if we never made this promise for this basket.
    """
    payload = tokens.read("price", shown.signature)
    if payload != _promise(basket_id, shown.id, shown.expires_at):
        raise ValueError("not a price receipt of this basket")
    return shown_at(shown) if clock.iso() <= shown.expires_at else None


def shown_at(shown: Receipt) -> str:
    """The moment a receipt was made, as ISO text. Only meaningful once `honoured_at` found it to be ours."""
    return shown.id.partition("~")[0]


def still_true(shown: Receipt, lines: list[PricedLine]) -> bool:
    """Whether today's lines are what the receipt shows: the same things at the same prices."""
    return shown.id.partition("~")[2] == _shown(lines)


def _shown(lines: list[PricedLine]) -> str:
    return tokens.digest(sorted([line.sku, line.unit_price] for line in lines))[:16]


def _promise(basket_id: str, identity: str, expires_at: str) -> dict[str, str]:
    return {"basket": basket_id, "id": identity, "until": expires_at}
