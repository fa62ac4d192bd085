"""What an order still owes to another room, until that room has acknowledged it. Pure.

Two obligations, and nothing else: money that must go back (payments acknowledges the total it was asked for), and goods
of a paid order that must be sold, or of a cancelled one that must come back (stock acknowledges each portion it has
booked). While one is open the order is `due`, and the sweep tells the same totals again.
"""

from collections.abc import Mapping
from typing import Any

Order = dict[str, Any]


def anything(order: Mapping[str, Any]) -> bool:
    """Whether anything is not acknowledged."""
    return "stock_owes" in order or bool(open_refunds(order))


def tellings(order: Mapping[str, Any]) -> list[str]:
    """The events that tell what is open, one for each version."""
    if order["state"] == "cancelled":
        return ["order.cancelled"] if anything(order) else []
    told = ["order.paid"] if "stock_owes" in order else []
    return told + (["order.refund_due"] if open_refunds(order) else [])


# ------------------------------------------------------------------------------------------------------------ money


def open_refunds(order: Mapping[str, Any]) -> dict[str, int]:
    """By payment, how much of what must go back payments has not heard of."""
    heard = order.get("refund_heard", {})
    left = {name: total - heard.get(name, 0) for name, total in order.get("refund_due", {}).items()}
    return {name: amount for name, amount in left.items() if amount > 0}


def refunds(order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an event says of them: the total of each payment, and how much of it is not acknowledged."""
    return [
        {"payment_id": name, "amount": amount, "total": order["refund_due"][name]}
        for name, amount in open_refunds(order).items()
    ]


# ------------------------------------------------------------------------------------------------------------ goods


def goods_to_sell() -> dict[str, Any]:
    """The members of an order that has just been paid: stock has to sell what it holds."""
    return {"stock_owes": "sale"}


def goods_to_come_back(order: Order) -> Order:
    """A paid order that was cancelled: stock gives back what it sold, or releases what it did not."""
    return {name: value for name, value in order.items() if name != "stock_did"} | {"stock_owes": "cancellation"}


def goods_booked(order: Order, kind: str, part: int, parts: int) -> Order | None:
    """The order once stock has booked a portion of it; None if that is no news."""
    did = sorted({*order.get("stock_did", []), part})
    if order.get("stock_owes") != kind or did == order.get("stock_did"):
        return None
    rest = {name: value for name, value in order.items() if name not in ("stock_owes", "stock_did")}
    rest["version"] = order["version"] + 1
    return rest if len(did) >= parts else rest | {"stock_owes": kind, "stock_did": did}
