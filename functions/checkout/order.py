"""The order: what it is made of, which states follow which, and what may be asked of it.

Pure rules over the order item (a plain dictionary). What money means to it is in `money`, what it owes to other rooms
in `owing`.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from checkout import money
from commerce import baskets, ids, items, problems
from commerce.holds import Hold, together
from commerce.markets import Market
from commerce.pricing import PricedLine, Totals

Order = dict[str, Any]

NEXT: Mapping[str, frozenset[str]] = {
    "placing": frozenset({"placed", "rejected"}),
    "placed": frozenset({"authorized", "paid", "expired", "cancelled"}),
    "authorized": frozenset({"paid", "expired", "cancelled"}),  # all of it is held, nothing or not all is taken
    "expired": frozenset({"paid"}),  # paid late, and the stock could be taken again
    "paid": frozenset({"fulfilled", "cancelled"}),
    "fulfilled": frozenset(),
    "rejected": frozenset(),
    "cancelled": frozenset(),
}
"""The whole state machine. No state can be reached from itself."""

PACK_OVER = 60
"""From this many dots on they are kept compressed: 2,000 of them are 300 KB plain and 30 KB packed."""

_ITEM_BYTES = 390_000
"""DynamoDB takes 400 KB an item; the rest is room for what later states add."""


def may_become(order: Mapping[str, Any], state: str) -> bool:
    """Whether the order may go to `state` now. While it is being unwound it goes nowhere else."""
    return state in NEXT[order["state"]] and order.get("unwinding") in (None, state)


# --------------------------------------------------------------------------------------------------------- the draft


@dataclass(frozen=True)
class Terms:
    """What the shopper, the till and the clock say about an order; times as ISO text.

    `placed_by` is kept only if somebody else than the owner placed the order, `sold_at` (where that was) only if it
    is another location than `location_id`.
    """

    order_id: str
    placed_by: str
    placed_at: str
    pay_by: str
    fulfilment: dict[str, Any]
    contact: dict[str, Any] | None = None
    location_id: str | None = None
    sold_at: str | None = None


def draft(
    basket: Mapping[str, Any],
    dots: dict[str, Any],
    priced: list[PricedLine],
    totals: Totals,
    holds: Iterable[Hold],
    market: Market,
    terms: Terms,
    sourcing: str,
) -> Order:
    """The order item for these dots of a basket, as it is at the moment of placing."""
    customer_id = basket.get("owner")
    order: Order = {
        "pk": f"O#{terms.order_id}",
        "sk": "-",
        "order_id": terms.order_id,
        "order_number": ids.order_number(terms.order_id),
        "state": "placed",
        "version": 1,
        "market": market.id,
        "currency": market.currency,
        "channel": basket["channel"],
        "basket_id": basket["basket_id"],
        "placed_at": terms.placed_at,
        "pay_by": terms.pay_by,
        "lines": order_lines(priced, holds),
        "fulfilment": terms.fulfilment,
        "sourcing": sourcing,
    }
    optional = {"customer_id": customer_id, "contact": terms.contact, "location_id": terms.location_id}
    optional |= {"sold_at": terms.sold_at if terms.sold_at != terms.location_id else None}
    optional |= {"placed_by": terms.placed_by if terms.placed_by != owner_of(order | optional) else None}
    return order | totals.as_map() | pack_dots(dots) | {k: v for k, v in optional.items() if v}


def owner_of(order: Mapping[str, Any]) -> str:
    """The key of the principal whose order it is: its customer, or the guest with its basket's token."""
    customer_id = order.get("customer_id")
    return f"customer:{customer_id}" if customer_id else f"guest:{order['basket_id']}"


def sources(order: Mapping[str, Any]) -> list[str]:
    """The locations the goods leave from."""
    return sorted({line["location_id"] for line in order["lines"]})


def hands_over(order: Mapping[str, Any]) -> list[str]:
    """The locations that may hand the goods over: the one the shopper comes to, or those that send them."""
    place = order["fulfilment"].get("location_id")
    return [place] if place else sources(order)


def order_lines(priced: Iterable[PricedLine], holds: Iterable[Hold]) -> list[dict[str, Any]]:
    """One entry per SKU and level. A line divided over levels divides its amounts so that they still add up."""
    parts: dict[str, list[Hold]] = {}
    for hold in together(holds):
        parts.setdefault(hold.sku, []).append(hold)
    lines = []
    for line in priced:
        done = tax_done = 0
        for hold in parts[line.sku]:
            done += hold.quantity
            tax_until = line.tax * done // line.quantity
            entry = {"sku": line.sku, "name": line.name, "quantity": hold.quantity, "unit_price": line.unit_price}
            entry |= {"line_total": line.unit_price * hold.quantity, "tax": tax_until - tax_done}
            entry |= {"location_id": hold.location_id} | ({"shard": hold.shard} if hold.shard else {})
            lines.append(entry)
            tax_done = tax_until
    return lines


def whole_lines(order: Mapping[str, Any]) -> list[PricedLine]:
    """The order's lines by SKU, as they were priced, whatever levels they come from."""
    whole: dict[str, PricedLine] = {}
    for line in order["lines"]:
        was = whole.get(line["sku"])
        quantity, total, tax = (was.quantity, was.line_total, was.tax) if was else (0, 0, 0)
        whole[line["sku"]] = PricedLine(
            line["sku"], line["name"], quantity + line["quantity"], line["unit_price"],
            total + line["line_total"], tax + line["tax"],
        )  # fmt: skip
    return list(whole.values())


def holds_of(order: Mapping[str, Any]) -> list[Hold]:
    """What the order takes or has taken, one per level, in the order in which chunks count them."""
    return together(
        Hold(line["sku"], line["location_id"], line["quantity"], line.get("shard")) for line in order["lines"]
    )


def pack_dots(dots: dict[str, Any]) -> dict[str, Any]:
    """The members of the item that keep the basket's dots, to give them back as they were."""
    if len(dots) <= PACK_OVER:
        return {"dots": dots}
    text = json.dumps(dots, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return {"dots": {}, "packed_dots": zlib.compress(text.encode(), 6)}


def dots_of(order: Mapping[str, Any]) -> dict[str, Any]:
    """The basket's dots this order took."""
    packed = order.get("packed_dots")
    dots: dict[str, Any] = json.loads(zlib.decompress(packed)) if packed else order["dots"]
    return dots


def dots_in(order: Mapping[str, Any], basket: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the order's dots that are (again) in this basket: its own, or the one its own was merged into."""
    names = list(dots_of(order))
    if basket["basket_id"] != order["basket_id"]:
        names = [baskets.moved_name(name, baskets.tag(order["basket_id"])) for name in names]
    return {name: basket["dots"][name] for name in names if name in basket["dots"]}


def refuse_size(order: Mapping[str, Any]) -> problems.Problem | None:
    """Why an order cannot be kept in one item, or None. Only thousands of lines with long names come near."""
    if items.size(order) <= _ITEM_BYTES:
        return None
    return problems.Problem(422, "order-too-large", "Too many lines for one order", "Order this in two parts.")


def fits(basket: Mapping[str, Any], dots: Mapping[str, Any]) -> bool:
    """Whether a basket can take these dots back. If it was filled to the brim meanwhile, the order must end even so."""
    return items.size(basket) + items.size(dots) <= _ITEM_BYTES


# ------------------------------------------------------------------------------------------------- what may be asked


def refuse_cancelling(order: Mapping[str, Any]) -> problems.Problem | None:
    """Why this order cannot be cancelled, or None if it can (or already is)."""
    if order["state"] == "placing" or order.get("unwinding") == "expired":
        return in_progress()
    if order["state"] == "cancelled" or may_become(order, "cancelled"):
        return None
    return _wrong_state(order, "cancelled", "An order can be cancelled until it is fulfilled.")


def refuse_fulfilling(order: Mapping[str, Any]) -> problems.Problem | None:
    """Why this order cannot be fulfilled, or None if it can (or already is)."""
    if order["state"] == "fulfilled":
        return None
    if not may_become(order, "fulfilled"):
        return _wrong_state(order, "fulfilled", "Only a paid order is handed over or sent.")
    if short := money.short_of(order):
        missing = {"amount": short, "currency": order["currency"]}
        return problems.conflict("order-not-covered", "Not all of this order is paid (any more).", short=missing)
    return None


def in_progress() -> problems.Problem:
    """409: the order is just being placed or unwound; asking again in a moment helps."""
    return problems.conflict("in-progress", "This order is being worked on. Try again in a moment.")


def _wrong_state(order: Mapping[str, Any], wanted: str, rule: str) -> problems.Problem:
    state = order["state"]
    return problems.conflict("order-state", f"The order is {state}; it cannot become {wanted}. {rule}", state=state)
