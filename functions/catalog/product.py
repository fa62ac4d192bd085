"""A product: what the PIM says about it, and what its prices were lately.

Item `SKU#<sku>` / `-`: `sku, name, prices{currency: {amount, since}}, was[{currency, amount, until}], tax_class,
attributes{}, image, listing, version, event`. Amounts are gross minor units; `was` lets a price that was shown be
honoured for a while.
"""

from collections.abc import Mapping
from typing import Any

LISTING = "P"
"""The one partition of the `listing` index: ten thousand products a second could still be read from it."""

RESERVED = frozenset({"batch", "counts", "movements"})
"""No SKU is one of these: `/products/batch` and `/stock/counts` are other routes, so it could not be reached."""

WAS_KEPT_S = 24 * 3600
"""Past prices are kept a day: no price receipt lives longer."""

_WAS_KEPT = 20
"""So many of each currency: repricing one, or all at once, never costs another its past."""


def revise(old: Mapping[str, Any] | None, said: Mapping[str, Any], now: str, keep_since: str) -> dict[str, Any] | None:
    """The product's next version after the PIM said `said`, without its event; None if that changes nothing.

    `said` has `sku, name, prices{currency: amount}, tax_class, attributes, image`. Past prices that ended before
    `keep_since` are forgotten (ISO times).
    """
    if old is not None and said == described(old):
        return None
    before: Mapping[str, Any] = old["prices"] if old else {}
    prices = {
        currency: before[currency] if amount == _amount(before, currency) else {"amount": amount, "since": now}
        for currency, amount in sorted(said["prices"].items())
    }
    ended = [
        {"currency": currency, "amount": price["amount"], "until": now}
        for currency, price in sorted(before.items())
        if said["prices"].get(currency) != price["amount"]
    ]
    return dict(said) | {
        "prices": prices,
        "was": _lately([*(old["was"] if old else []), *ended], keep_since),
        "listing": LISTING,
        "version": old["version"] + 1 if old else 1,
    }


def described(product: Mapping[str, Any]) -> dict[str, Any]:
    """What the PIM said about it: the product without what we keep beside it."""
    members = ("sku", "name", "tax_class", "attributes", "image")
    return {member: product.get(member) for member in members} | {"prices": amounts(product)}


def amounts(product: Mapping[str, Any]) -> dict[str, int]:
    """Price by currency."""
    return {currency: price["amount"] for currency, price in product["prices"].items()}


def event_type(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> str:
    """One version means one event: a known product's new price is the more urgent news."""
    return "price.changed" if old is not None and amounts(old) != amounts(new) else "product.changed"


def _amount(prices: Mapping[str, Any], currency: str) -> int | None:
    return prices[currency]["amount"] if currency in prices else None


def _lately(was: list[dict[str, Any]], since: str) -> list[dict[str, Any]]:
    kept: dict[str, list[dict[str, Any]]] = {}
    for each in was:
        if each["until"] > since:
            kept.setdefault(each["currency"], []).append(each)
    return sorted((each for past in kept.values() for each in past[-_WAS_KEPT:]), key=lambda each: each["until"])
