"""Bringing what a provider says into the books: read, decide, write under the version that was read, tell."""

from collections.abc import Sequence
from typing import Any

from commerce import problems, writes
from payments import books
from payments.ledger import Fact, decide

_TRIES = 8
_AT_ONCE = 40
"""Facts per transaction: each may come with a ledger entry, and 100 writes fit."""


class NoSuchPayment(Exception):
    """Nothing is known under this payment id (yet)."""


def apply(payment_id: str, reported: Sequence[Fact], kept: books.Kept | None = None) -> dict[str, Any]:
    """Keep what is new of `reported`; returns the payment as it is then. Repeats write nothing.

    `kept` is what the caller has read already. Raises NoSuchPayment, or Problem 503 after too many collisions.
    """
    payment: dict[str, Any] = {}
    for start in range(0, max(1, len(reported)), _AT_ONCE):
        payment = _apply(payment_id, reported[start : start + _AT_ONCE], kept)
        kept = None
    return payment


def _apply(payment_id: str, reported: Sequence[Fact], kept: books.Kept | None) -> dict[str, Any]:
    for _ in range(_TRIES):
        kept = kept or books.read(payment_id)
        if kept is None:
            raise NoSuchPayment(payment_id)
        change = decide(kept.payment, kept.facts, reported)
        try:
            payment = books.record(kept, change) if change else kept.payment
            if payment.get("untold"):
                payment = books.tell(payment)
            return payment
        except writes.Refused:
            kept = None  # somebody else was quicker
    raise problems.busy()
