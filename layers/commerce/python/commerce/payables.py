"""What payments may collect for an order: opened and closed by checkout, inside its own transactions.

Item `DUE#<order>` / `-` in the payments table: expected amount and currency, until when, and for whom.
"""

from collections.abc import Mapping
from typing import Any

from commerce import writes


def key(order_id: str) -> tuple[str, str]:
    """The payable's key in the payments table."""
    return f"DUE#{order_id}", "-"


def places(payable: Mapping[str, Any]) -> list[str]:
    """The locations the order belongs to: where it is handed over and where it was sold."""
    return sorted({place for place in (payable.get("location_id"), payable.get("sold_at")) if place})


def opened(order: dict[str, Any]) -> writes.Write:
    """Fragment: payments may collect the order's total."""
    pk, sk = key(order["order_id"])
    kept = (
        "order_id",
        "order_number",
        "currency",
        "customer_id",
        "owner",
        "location_id",
        "sold_at",
        "market",
        "channel",
    )
    item = {"pk": pk, "sk": sk, "version": 1, "state": "open", "amount": order["total"], "until": order["pay_by"]}
    return writes.put("PAYMENTS", item | {name: order.get(name) for name in kept})


def closed(order_id: str) -> writes.Write:
    """Fragment: nothing new may be collected. What arrives all the same is recorded and sorted out."""
    return writes.update(
        "PAYMENTS",
        key(order_id),
        set="#s = :closed, #v = #v + :one",
        names={"#s": "state", "#v": "version"},
        values={":closed": "closed", ":one": 1},
    )


def extended(order_id: str, until: str) -> writes.Write:
    """Fragment: a payment is pending, so the payer gets more time."""
    return writes.update(
        "PAYMENTS",
        key(order_id),
        set="#u = :until, #v = #v + :one",
        names={"#u": "until", "#v": "version"},
        values={":until": until, ":one": 1},
    )
