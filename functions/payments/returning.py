"""What an order asks back, and what has failed to go back: asked for once, tried again, answered.

The order tells a total. What of it is not under way yet becomes a refund in the transaction that keeps the total, so
any number of tellings in any order ask for the same money once. A refund that definitely failed is owed again: the
sweep tries once more under a new name, ever more rarely, until it succeeds or somebody gives the money back by hand.
"""

from collections.abc import Iterator
from datetime import timedelta

from commerce import clock, events, log, problems, writes
from payments import books, claims, ledger, naming, recording, refunding
from payments.ledger import Fact

_TRIES = 6
_FIRST_RETRY_S = 3600
_LONGEST_WAIT_S = 24 * 3600


def asked(order_id: str, due: events.RefundDue, reason: str, by: events.Envelope, again: bool) -> None:
    """The order wants `due.total` of a payment back in all. Raises recording.NoSuchPayment, and Problem 503."""
    version = events.version_of(by)
    for _ in range(_TRIES):
        kept = books.read(due.payment_id)
        if kept is None:
            raise recording.NoSuchPayment(due.payment_id)
        if due.total > kept.payment.get("asked", 0):
            try:
                made = _request(kept, reason, by.id, asked=due.total, heard_at=version)
            except writes.Refused:
                continue  # the payment moved: what is under way has to be seen again
            log.outcome("refund asked", order_id=order_id, payment_id=due.payment_id, total=due.total, refunds=made)
        elif again and version > kept.payment.get("heard_at", 0) and not claims.under_way(kept.payment, kept.facts):
            # Nobody heard the answer: the order asks again, so it is told again.
            try:
                books.answer(kept, heard_at=version)
            except writes.Refused:
                continue
        return
    raise problems.busy()


def retry(kept: books.Kept) -> books.Kept:
    """Try again what has failed, if its time has come, and if the provider still says that it has failed.

    Raises `exchange.NotDone` or `Missing` if the provider cannot be asked, and `writes.Refused` if the payment moved.
    """
    at = retry_at(kept)
    if at is None or at > clock.iso():
        return kept
    if kept.payment["provider"] != "cash" and (said := recording.fetched(kept)):
        recording.apply(kept.id, said)
        kept = _reread(kept)
    if kept.payment.get("owed"):
        failed = claims.failed(kept.payment, kept.facts)
        _request(kept, str(failed[-1].more.get("reason", "owed")) if failed else "owed", "sweep")
    return _reread(kept)


def retry_at(kept: books.Kept) -> str | None:
    """When to try again what is owed; None if nothing is."""
    if not kept.payment.get("owed"):
        return None
    failed = len(claims.failed(kept.payment, kept.facts))
    wait = min(_FIRST_RETRY_S * 4 ** min(failed - 1, 5), _LONGEST_WAIT_S) if failed else 0
    return clock.iso(clock.parse(kept.payment["owed_since"]) + timedelta(seconds=wait))


def _request(kept: books.Kept, reason: str, by: str, **more: int) -> int:
    """Keep refunds for all that is owed with the members `more` on the payment, then carry them out. How many."""
    payment = kept.payment | more
    wanted = [refunding.ready(kept, fact) for fact in _wanted(payment, kept.facts, reason, by)]
    change = ledger.decide(payment, kept.facts, wanted) if wanted else None
    if change is None:
        books.answer(kept, **more)  # nothing is left to give back: that is the answer
        return 0
    payment = books.record(kept, change, again_at=clock.after(_look_after(payment)), more=more)
    for fact in change.facts:
        if "asked_at" in fact.more:
            payment = refunding.carry_out(payment, fact).payment
    return len(wanted)


def _look_after(payment: dict[str, object]) -> int:
    return books.REMIND_S if payment["provider"] == "cash" else books.SOON_S


def _reread(kept: books.Kept) -> books.Kept:
    again = books.read(kept.id)
    assert again is not None, "payments are never deleted"
    return again


def _wanted(payment: dict[str, object], facts: list[Fact], reason: str, by: str) -> Iterator[Fact]:
    """A refund for each provider payment that has to bear a part (a link that was paid twice is two)."""
    currency = str(payment["currency"])
    refundable = ledger.refundable(facts, currency)
    left, tries = claims.owed(payment, facts, refundable), len(claims.failed(payment, facts))
    now, status = int(clock.source()), "owed" if payment["provider"] == "cash" else "requested"
    captures = [fact for fact in facts if fact.kind == "capture" and fact.currency == currency]
    for of in sorted(
        dict.fromkeys(fact.of for fact in captures), key=lambda of: -ledger.refundable_of(facts, of, currency)
    ):
        amount = min(left, ledger.refundable_of(facts, of, currency))
        if amount > 0:
            name = naming.of_refund(payment, of, tries)
            yield ledger.refund(name, of, status, now, amount, currency, reason=reason[:200], by=by)
            left -= amount
