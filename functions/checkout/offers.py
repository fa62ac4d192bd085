"""What a basket may be ordered as: by whom, in which version, at which price."""

from collections.abc import Mapping
from typing import Any

from checkout import order as rules
from checkout.views import PriceReceiptBody
from commerce import baskets, payables, pricing, problems
from commerce.markets import Market
from commerce.pricing import PricedLine, Totals
from commerce.principal import Principal


def may_order(caller: Principal, basket: Mapping[str, Any]) -> bool:
    """A guest orders the basket the token is for, a customer their own, staff and tills anybody's."""
    match caller.kind:
        case "guest":
            return bool(caller.id == basket["basket_id"]) and not basket.get("owner")
        case "customer":
            return bool(caller.id == basket.get("owner"))
    return caller.has("orders:write")


def may_see(caller: Principal, order: Mapping[str, Any], scope: str) -> bool:
    """Its owner, and staff or tills with the scope."""
    return caller.has(scope) if caller.serves else bool(caller.key == rules.owner_of(order))


def served_at(order: Mapping[str, Any]) -> list[str]:
    """The locations that may look at an order: those it belongs to and those its goods leave from. [] is any."""
    belongs = payables.places(order)
    return belongs + rules.sources(order) if belongs else []


def refuse_basket(basket: Mapping[str, Any], version: int | None, moved_to: str | None) -> problems.Problem | None:
    """Why this basket, as it is, cannot be ordered. `moved_to` is told only to who may see that basket."""
    if basket["state"] != "open":
        moved = {"merged_to": moved_to} if moved_to else {}
        return problems.conflict("basket-changed", "This basket was merged into another.", **moved)
    if version is not None and version != basket["version"]:
        return changed(basket)
    if not baskets.ordered_dots(basket):
        return empty()
    return None


def empty() -> problems.Problem:
    """409: nothing to order."""
    return problems.conflict("basket-empty", "There is nothing in this basket to order.")


def changed(basket: Mapping[str, Any] | None) -> problems.Problem:
    """409: the basket is not what the shopper saw; look again."""
    now = {"version": basket["version"]} if basket else {}
    return problems.conflict("basket-changed", "The basket was changed meanwhile. Look again before ordering.", **now)


def still_there(ordered: Mapping[str, Any], basket: Mapping[str, Any] | None) -> bool:
    """Whether everything ordered is still in the basket as it is now. Dots never change, so presence is enough."""
    return basket is not None and basket["state"] == "open" and all(dot in basket["dots"] for dot in ordered)


def priced(
    basket_id: str,
    quantities: Mapping[str, int],
    products: Mapping[str, Mapping[str, Any]],
    market: Market,
    shown: PriceReceiptBody | None,
) -> tuple[list[PricedLine], Totals]:
    """Lines and totals at the prices that count: today's, or those a living receipt promises if they are lower.

    Raises 422 for a receipt that is not ours, 409 `not-sold` for what has no price today, and 409 `price-changed` when
    the same lines cost more than was shown and the promise is over, or nobody can tell any more what it was.
    """
    promise = _promise(basket_id, shown) if shown else None
    lines, unsold = pricing.price_lines(quantities, products, market)
    if unsold:
        raise problems.conflict("not-sold", "Some things are not sold here (any more).", skus=sorted(unsold)[:100])
    if promise is None or not promise.is_of(lines):
        return lines, pricing.totals(lines)  # a receipt of other things promises nothing
    if promise.living and (then := promise.as_shown(quantities, products, market)):
        lines = min(lines, then, key=lambda each: pricing.totals(each).total)
    elif not promise.kept_by(lines):
        total = {"amount": pricing.totals(lines).total, "currency": market.currency}
        raise problems.conflict("price-changed", "Prices changed since they were shown.", total=total)
    return lines, pricing.totals(lines)


def _promise(basket_id: str, shown: PriceReceiptBody) -> pricing.Promise:
    try:
        return pricing.promise(basket_id, pricing.Receipt(shown.id, shown.expires_at, shown.signature))
    except ValueError:
        raise problems.invalid(["body", "price_receipt"], "This is not a price receipt of this basket.") from None
