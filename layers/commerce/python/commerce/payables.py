"""What payments may collect for an order: opened and closed by checkout, inside its own transactions.

Item `DUE#<order>` / `-` in the payments table: expected amount and currency, until when, and for whom. It is also
checkout's receipt: `c:<payment>` is what the order has counted of a payment. While that is not what the payment is,
payments tells the order again.
"""

from collections.abc import Mapping
from typing import Any

from commerce import writes

FIGURES = ("captured", "outside", "charged_back", "authorized", "capture_before", "pending", "expected_by")
"""What an order counts of a payment."""
_COUNTED = "c:"


def key(order_id: str) -> tuple[str, str]:
    """The payable's key in the payments table."""
    return f"DUE#{order_id}", "-"


def places(item: Mapping[str, Any]) -> list[str]:
    """The locations an order (or its payable) belongs to: where it is handed over and where it was sold.

    None for delivery off the web. Whoever acts for one location only may act on what belongs to it.
    """
    return sorted({place for place in (item.get("location_id"), item.get("sold_at")) if place})


def figures(payment: Mapping[str, Any]) -> str:
    """What an order counts of a payment, as one short text; a payment item and its event give the same."""
    told = [payment.get(name) or 0 for name in FIGURES]
    while told and not told[-1]:
        told.pop()
    return "/".join(map(str, told))


def counts(payable: Mapping[str, Any], payment: Mapping[str, Any]) -> bool:
    """Whether the order has counted the payment as it is now."""
    return bool(payable.get(_COUNTED + payment["payment_id"], "") == figures(payment))


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
    return changed(order_id, open=False)


def changed(
    order_id: str, *, open: bool | None = None, until: str | None = None, counted: Mapping[str, str] | None = None
) -> writes.Write:
    """Fragment: whether anything may be collected, until when, and what the order counts now of each payment.

    What is not said stays. Opened again, it collects what is short: the amount less what the payments still hold.
    """
    sets, names, values = ["#v = #v + :one"], {"#v": "version"}, {":one": 1}
    told: dict[str, Any] = {"state": None if open is None else ("open" if open else "closed"), "until": until}
    told |= {_COUNTED + payment_id: text for payment_id, text in (counted or {}).items()}
    for place, (name, value) in enumerate((name, value) for name, value in told.items() if value is not None):
        sets.append(f"#m{place} = :m{place}")
        names[f"#m{place}"] = name
        values[f":m{place}"] = value
    return writes.update("PAYMENTS", key(order_id), set=", ".join(sets), names=names, values=values)
