"""Prices and totals: the same sum on every channel, because there is one place that adds.

A product item keeps `prices{currency: {amount, since}}` and `was[{currency, amount, until}]`, the last prices of each
currency, so that what was shown at a moment can be told for a while. Amounts are gross (tax included) minor units.
What a price receipt promises: docs/decisions/price-receipts.md.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from commerce import clock, reads, tokens
from commerce.markets import Market
from commerce.money import tax_included

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
    """The gross unit price in a currency, now or as it was at `at` (ISO time); None if not sold in it.

    The catalog forgets: what it says of an older moment counts only where something proves it (`Promise.as_shown`).
    """
    if at is not None:
        past = [was for was in product.get("was", []) if was["currency"] == currency and at < was["until"]]
        if past:
            amount: int = min(past, key=lambda was: str(was["until"]))["amount"]
            return amount
    price = product.get("prices", {}).get(currency)
    if price is None or (at is not None and at < price["since"]):
        return None
    return int(price["amount"])


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

    Read `consistent`ly, past the cache, before somebody is told that a product is not there or not sold: it may have
    come this second.

    A cached price is at most `PRICE_CACHE_SECONDS` (30) old. What is shown is honoured by the price receipt; what is
    charged is read fresh by checkout.
    """
    now = clock.source()
    kept_s = float(os.environ.get("PRICE_CACHE_SECONDS", "30"))
    young = [sku for sku in skus if sku in _cache and now - _cache[sku][0] < kept_s]
    warm = {} if consistent else {sku: _cache[sku][1] for sku in young}
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


_FORMAT = "r2"
_A_MOMENT = timedelta(milliseconds=1)
_MOST_MOMENTS = 50
"""So many earlier moments are tried to find the prices that were shown."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the shopper holds: this was shown, and holds until `expires_at`."""

    id: str
    expires_at: str
    signature: str


@dataclass(frozen=True, slots=True)
class Promise:
    """What a receipt of ours says: these lines at these prices (both as digests), this total, shown at `moment`."""

    moment: str
    lines: str
    prices: str
    total: int | None
    """None in a receipt of an earlier format, which is as good as expired."""
    living: bool

    def is_of(self, lines: list[PricedLine]) -> bool:
        """Whether these are the things and quantities that were shown."""
        return self.total is None or self.lines == _lines_digest(lines)

    def kept_by(self, lines: list[PricedLine]) -> bool:
        """Whether these lines cost no more than what was shown."""
        if self.total is None:
            return self.prices == _early_digest(lines)
        return totals(lines).total <= self.total

    def as_shown(
        self, quantities: Mapping[str, int], products: Mapping[str, Mapping[str, Any]], market: Market
    ) -> list[PricedLine] | None:
        """The lines as they were shown; None if the catalog cannot tell any more.

        Prices may have been shown from a cache that was a little behind, so moments before are tried too. The digest
        decides: no price counts that was not shown.
        """
        ended = {was["until"] for sku in quantities for was in products[sku].get("was", [])}
        before = sorted((until for until in ended if until <= self.moment), reverse=True)[:_MOST_MOMENTS]
        for moment in [self.moment, *(clock.iso(clock.parse(until) - _A_MOMENT) for until in before)]:
            lines, unsold = price_lines(quantities, products, market, moment)
            if not unsold and _prices_digest(lines, market) == self.prices:
                return lines
        return None


def receipt(basket_id: str, lines: list[PricedLine], market: Market) -> Receipt:
    """Sign what is shown: the basket, the moment, its lines, quantities, prices and total."""
    expires_at = clock.after(market.receipt_seconds)
    shown = (_FORMAT, clock.iso(), _lines_digest(lines), _prices_digest(lines, market), str(totals(lines).total))
    identity = "~".join(shown)
    return Receipt(identity, expires_at, tokens.sign("price", _signed(basket_id, identity, expires_at)))


def promise(basket_id: str, shown: Receipt) -> Promise:
    """What a receipt promises. Raises ValueError if we never made this promise for this basket."""
    if tokens.read("price", shown.signature) != _signed(basket_id, shown.id, shown.expires_at):
        raise ValueError("not a price receipt of this basket")
    match shown.id.split("~"):
        case [said, moment, lines, prices, total] if said == _FORMAT:
            return Promise(moment, lines, prices, int(total), clock.iso() <= shown.expires_at)
    moment, _, prices = shown.id.partition("~")
    return Promise(moment, "", prices, None, living=False)


def _lines_digest(lines: list[PricedLine]) -> str:
    return tokens.digest(sorted([line.sku, line.quantity] for line in lines))[:16]


def _prices_digest(lines: list[PricedLine], market: Market) -> str:
    return tokens.digest([market.currency, sorted([line.sku, line.unit_price] for line in lines)])[:16]


def _early_digest(lines: list[PricedLine]) -> str:
    return tokens.digest(sorted([line.sku, line.unit_price] for line in lines))[:16]


def _signed(basket_id: str, identity: str, expires_at: str) -> dict[str, str]:
    return {"basket": basket_id, "id": identity, "until": expires_at}
