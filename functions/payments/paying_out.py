"""Paying a cash refund out: it is owed until somebody says that the money was handed over.

The books move at that moment, and the fact says who paid and from which drawer, so a drawer's count can be compared
with the books. Saying it again changes nothing.
"""

from datetime import timedelta

from commerce import audit, clock, problems
from commerce.principal import Principal
from payments import books, ledger, recording
from payments.ledger import Fact

_OFF = timedelta(minutes=5)
"""How far a till's clock may be off ours."""


def pay_out(kept: books.Kept, refund_id: str, by: Principal, drawer_id: str | None, at: str | None) -> Fact:
    """A cash refund was handed over at `at` (now, unless given). Returns the refund as it stands.

    Raises Problem: 403 for another location, 404 for an unknown refund, 409 for one that is not paid in cash.
    """
    _at_its_place(by, kept.payment.get("location_id"))
    owed = kept.fact("refund", refund_id)
    if owed is None:
        raise problems.not_found("refund")
    if kept.payment["provider"] != "cash":
        raise problems.conflict("not-a-cash-refund", "The provider pays this refund out, nobody at a drawer.")
    if owed.status != "owed":
        return owed
    paid_at = _moment(at, kept.payment["created_at"])
    more = {"paid_out_by": by.key} | ({"drawer_id": drawer_id} if drawer_id else {})
    paid = ledger.refund(refund_id, owed.of, "succeeded", paid_at, owed.amount, owed.currency, **more)
    recording.apply(kept.id, [paid], kept, entry=audit.entry(by, "payment.paid-out", f"payment/{kept.id}"))
    after = books.read(kept.id)  # another drawer may have been quicker: what it did is the answer
    fact = after.fact("refund", refund_id) if after else None
    assert fact is not None, "facts are never deleted"
    return fact


def _at_its_place(by: Principal, place: str | None) -> None:
    """Cash is paid out where it was taken. Whoever stands nowhere (head office) may say so of any place."""
    if place and by.location_id != place and (by.location_id or by.kind == "device"):
        raise problems.Problem(403, "forbidden", "Not allowed", "This was paid at another location.")


def _moment(at: str | None, taken: str) -> int:
    """The moment of paying out, epoch seconds: not before the money was taken, and not in the future."""
    if at is None:
        return int(clock.source())
    moment = clock.parse(at)
    if not clock.parse(taken) - _OFF <= moment <= clock.now() + _OFF:
        raise problems.invalid(["body", "at"], "That is before the money was taken, or still to come.")
    return int(moment.timestamp())
