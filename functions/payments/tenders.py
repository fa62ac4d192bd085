"""How much of an order a new payment may ask for. Pure.

Firm is what has come or is on its way: captured (and not given back), held, or being processed. Soft is what a shopper
was asked for but has not paid: a page left open, a tab closed. Firm money can never be asked for again. Soft money can,
because people change their mind about how to pay; the attempts whose place is taken are closed at the provider.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_WAITING = ("created", "unknown", "open", "failed")


@dataclass(frozen=True)
class TooMuch(Exception):
    """More was asked for than is open. `open` is minor units."""

    open: int


@dataclass(frozen=True)
class Tender:
    """What a new payment asks for, and whose place it takes."""

    amount: int
    instead_of: list[Mapping[str, Any]]


def decide(expected: int, payments: Iterable[Mapping[str, Any]], asked: int | None) -> Tender:
    """The amount of a new payment: what was asked for, or what is still open.

    Raises TooMuch when that is more than is open, or nothing is.
    """
    known = list(payments)
    firm = sum(_firm(payment) for payment in known)
    waiting = [payment for payment in known if _soft(payment)]
    soft = sum(payment["amount"] for payment in waiting)
    left = expected - firm
    amount = asked if asked is not None else (left - soft if left > soft else left)
    if not 0 < amount <= left:
        raise TooMuch(max(0, left))
    instead_of = []
    for payment in waiting:  # oldest first
        if soft + amount <= left:
            break
        soft -= payment["amount"]
        instead_of.append(payment)
    return Tender(amount, instead_of)


def needless(expected: int, payments: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The attempts that are still open although firm money covers the order."""
    known = list(payments)
    if sum(_firm(payment) for payment in known) < expected:
        return []
    return [payment for payment in known if _soft(payment)]


def _firm(payment: Mapping[str, Any]) -> int:
    going = sum(payment.get(name, 0) for name in ("refunded", "refund_pending", "owed"))
    kept = payment.get("captured", 0) - going
    if payment["status"] == "pending":
        return max(int(payment["amount"]), int(kept))
    return int(max(0, kept - payment.get("charged_back", 0)) + payment.get("authorized", 0))


def _soft(payment: Mapping[str, Any]) -> bool:
    """Still payable by a shopper who has not. A failed one is, where the provider lets them try again."""
    return payment["status"] in _WAITING and "due" in payment and not payment.get("superseded")
