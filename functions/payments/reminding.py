"""What an order counts of a payment is what the payment is, or the order is told again.

Checkout keeps on the payable what it has counted, in the transaction that counts it. Until that is so the payment stays
due, whatever became of the event that told it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from commerce import clock, payables
from payments import books, table
from payments.ledger import Balance

_SHORTEST_S = 120
_LONGEST_S = 6 * 3600
_PAYABLE = ("open", "failed")


def remind(kept: books.Kept, balance: Balance) -> tuple[books.Kept, str | None]:
    """Tell the order again what it has not counted. When to look again; None if it has counted everything.

    Raises `writes.Refused` if the payment has moved: whoever moved it told it.
    """
    payable = table.payable_alone(kept.payment["order_id"])
    if payable is None or payables.counts(payable, kept.payment):
        return kept, _before_the_end(payable) if balance.status in _PAYABLE else None
    if (kept.payment.get("event") or {}).get("time", "") > clock.after(-books.SOON_S):
        return kept, clock.after(_SHORTEST_S)  # it is only being told
    told = books.tell_again(kept, _meaning(balance))
    quiet = clock.source() - max((fact.at for fact in kept.facts), default=0)
    return books.Kept(told, kept.facts), clock.after(min(max(quiet / 2, _SHORTEST_S), _LONGEST_S))


def _before_the_end(payable: Mapping[str, Any] | None) -> str | None:
    """A moment before the order expires: what a bank has accepted meanwhile (nobody reports it) extends its hold."""
    if payable is None or payable["state"] != "open":
        return None
    at = clock.iso(clock.parse(payable["until"]) - timedelta(seconds=_SHORTEST_S))
    return at if at > clock.iso() else None


def _meaning(balance: Balance) -> str:
    if balance.captured:
        return "payment.captured"
    if balance.authorized:
        return "payment.authorized"
    return "payment.pending" if balance.pending else "payment.failed"
