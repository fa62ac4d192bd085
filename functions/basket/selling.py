"""What may be put into a basket: what is in the catalog, and sold in the basket's market."""

from basket.basket import Edit, Opened
from commerce import markets, pricing, problems


def unknown(skus: list[str]) -> list[str]:
    """Those that are not in the catalog. It is read again, past the cache, before one counts as unknown."""
    known = pricing.products(skus)
    if not_seen := [sku for sku in skus if sku not in known]:
        known |= pricing.products(not_seen, consistent=True)
    return [sku for sku in skus if sku not in known]


def markets_of(sku: str) -> tuple[str, ...] | None:
    """The markets a product is sold in, as far as is known without asking; None for all of them.

    So an add that reads nothing can still be conditional on the basket's market.
    """
    product = pricing.products([sku]).get(sku, {})
    every = markets.every().values()
    sold = tuple(market.id for market in every if pricing.price_at(product, market.currency) is not None)
    return None if len(sold) == len(every) else sold


def sold_here(at: Opened, sku: str, edit: Edit | None) -> Edit | None:
    """The edit, if it adds nothing that is not sold in the basket's market. Raises 409 `not-sold`.

    Fewer pieces of what is there are always possible. The catalog is asked again before anybody is refused.
    """
    if edit is None or edit.added_units <= 0:
        return edit
    currency = markets.get(at.item["market"]).currency
    for consistent in (False, True):
        product = pricing.products([sku], consistent=consistent).get(sku, {})
        if pricing.price_at(product, currency) is not None:
            return edit
    raise problems.conflict("not-sold", f"{sku} is not sold here.", skus=[sku])
