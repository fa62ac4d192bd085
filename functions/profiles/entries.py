"""What of an event is kept as history: ids, the channel, the amount. Pure."""

from collections.abc import Mapping
from typing import Any

_KEPT = ("order_id", "order_number", "payment_id", "basket_id", "channel")

_AMOUNTS = {"payment.captured": "captured", "payment.refunded": "refunded"}
"""Payments tell totals: what was taken or went back so far, not what was asked for."""


def entry_of(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of an event of this type; `amount` is in minor units."""
    kept: dict[str, Any] = {"type": kind} | {name: data[name] for name in _KEPT if name in data}
    amount = data.get(_AMOUNTS.get(kind, "total"))
    if amount is not None and "currency" in data:
        kept["amount"] = {"amount": amount, "currency": data["currency"]}
    return kept
