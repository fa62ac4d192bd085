"""The clock's door: ask providers what became of what nobody reported.

A payment is due while something about it is open: its start has no known outcome, a shopper has not paid yet, a refund
has no answer or has failed, its order has not counted it. An inbox item is due when it could not be worked off.
Whatever is found out goes the same way into the books as a webhook would.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from commerce import clock, log, reads
from commerce.sweeper import sweep
from payments import (
    asking,
    books,
    capturing,
    closing,
    exchange,
    ledger,
    mailbox,
    missed,
    providers,
    recording,
    refunding,
    reminding,
    returning,
    table,
    worker,
)
from payments.ledger import Fact

_GIVE_UP_ORPHANS_AFTER = 75
"""Tries, an hour apart at last: about three days, as long as providers themselves keep trying."""
_STARTED_BY_NOW_S = 600
_SHORTEST_WAIT_S = 120
_LONGEST_WAIT_S = 6 * 3600
_DOWN_AFTER = 3
"""Failed requests to one provider in one run, after which it is left alone until the next minute."""
_CARRY_OUT: dict[str, Callable[[dict[str, Any], Fact], Any]] = {
    "refund": refunding.carry_out,
    "capture_request": capturing.carry_out,
}


def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """Move on every payment and inbox item that is due."""
    down: Counter[str] = Counter()

    def move_on(key: dict[str, Any]) -> None:
        if key["pk"].startswith(mailbox.PREFIX):
            _posting(key["pk"])
        else:
            _payment(key["pk"].removeprefix("P#"), down)

    counted = sweep(books.PAYMENTS, move_on)
    _missed(down)
    return counted


def _missed(down: Counter[str]) -> None:
    """Ask for what was not told, after everything that is known to be due."""
    try:
        missed.look(lambda provider: down[provider] >= _DOWN_AFTER)
    except (exchange.NotDone, exchange.OtherMode) as error:
        log.failure("provider cannot be asked for what was missed", error)


def _posting(pk: str) -> None:
    item = reads.get(books.PAYMENTS, (pk, "-"))
    if item is None or "due" not in item:
        return
    if worker.work_off(item) not in ("orphan", "put off"):
        mailbox.finished(item, "done")
    elif item["tried"] >= _GIVE_UP_ORPHANS_AFTER:
        log.outcome("webhook given up", inbox=pk, why=item["why"])
        mailbox.finished(reads.get(books.PAYMENTS, (pk, "-")) or item, "given up")  # as it was just put off


def _payment(payment_id: str, down: Counter[str]) -> None:
    kept = books.read(payment_id)
    if kept is None or "due" not in kept.payment or down[kept.payment["provider"]] >= _DOWN_AFTER:
        return
    try:
        _look(kept)
    except exchange.NotDone:
        down[kept.payment["provider"]] += 1
        raise
    except exchange.Missing as no:
        # The provider knows it no more, or not under this key: somebody has to look, and once in a while is enough.
        log.failure("payment cannot be asked about", no, payment_id=payment_id)
        books.look_again(kept.payment, clock.after(_LONGEST_WAIT_S))


def _look(kept: books.Kept) -> None:
    kept = books.Kept(books.tell(kept.payment), kept.facts)
    if kept.payment["provider"] == "cash":
        _say_what_is_owed(kept)
    elif not _settled(kept):
        if "provider_ref" not in kept.payment:
            _find_start(kept.payment)
            return
        said = recording.fetched(kept)
        if said:
            recording.apply(kept.id, said)
        kept = _give_back(_close(_finish(_reread(kept.id))))
    kept = returning.retry(kept)
    kept, again = reminding.remind(kept, _balance(kept))
    looks = [again, returning.retry_at(kept), None if _settled(kept) else _next_look(kept)]
    books.look_again(kept.payment, min((at for at in looks if at), default=None))


def _say_what_is_owed(kept: books.Kept) -> None:
    """Cash that is owed waits for somebody who pays it out, however long that takes."""
    for fact in kept.facts:
        if fact.kind == "refund" and fact.status == "owed":
            log.warning("cash refund not paid out", payment_id=kept.id, refund_id=fact.object_id, amount=fact.amount)


def _find_start(payment: dict[str, Any]) -> None:
    """A start without an outcome: find what the provider made, or give it up. Nobody was told how to pay it."""
    found = providers.of(payment).find(payment)
    if found:
        table.opened(payment, found.ref, {"status": "open"} | found.kept())
    elif _age(payment) >= _STARTED_BY_NOW_S:
        table.refused(payment, table.LOST)
    else:
        books.look_again(payment, clock.after(_SHORTEST_WAIT_S))


def _finish(kept: books.Kept) -> books.Kept:
    """Refunds and captures that were asked for, and that are not among what the provider has."""
    for fact in kept.facts:
        if fact.unanswered and fact.kind in _CARRY_OUT:
            _finish_one(kept, fact)
            kept = _reread(kept.id)  # what was just asked for counts for the next one
    return kept


def _finish_one(kept: books.Kept, fact: Fact) -> None:
    now, asked_at = clock.source(), fact.more.get("asked_at")
    if fact.kind == "capture_request" and not _balance(kept).authorized:
        recording.apply(kept.id, [ledger.refused(fact, int(now), "not_held")])  # what was held is gone without it
        return
    match asking.step(kept.payment["provider"], asked_at, now):
        case "drop":
            log.outcome("request given up", payment_id=kept.id, kind=fact.kind, asked=fact.object_id)
            recording.apply(kept.id, [ledger.refused(fact, int(now), "not_done")])
        case "send" if asked_at is not None:
            _CARRY_OUT[fact.kind](kept.payment, fact)
        case "send" if fact.kind == "capture_request" or refunding.not_before(kept, fact) <= now:
            _CARRY_OUT[fact.kind](kept.payment, books.asked(kept.payment, fact, now))


def _close(kept: books.Kept) -> books.Kept:
    """Close at the provider what may not be paid any more: the order ended, or another attempt took its place."""
    payment = kept.payment
    balance = _balance(kept)
    if balance.captured and (balance.settling or not balance.authorized):
        return kept  # nothing is held beside what was taken, or is not yet known to be
    if not balance.captured and balance.status not in ("open", "failed", "authorized"):
        return kept
    payable = table.payable_alone(payment["order_id"])
    if payable and payable["state"] == "open" and not payment.get("superseded"):
        return kept
    closing.close(payment)
    return _reread(kept.id)


def _give_back(kept: books.Kept) -> books.Kept:
    """Money in another currency is held as long as the order may still be paid, for somebody to decide about it."""
    if not _balance(kept).held:
        return kept
    payable = table.payable_alone(kept.payment["order_id"])
    if payable and payable["state"] == "open":
        return kept
    refunding.give_back_foreign(kept)
    return _reread(kept.id)


def _balance(kept: books.Kept) -> ledger.Balance:
    return ledger.fold(kept.facts, kept.payment["currency"], kept.payment["status"])


def _settled(kept: books.Kept) -> bool:
    return ledger.settled(kept.payment, _balance(kept))


def _next_look(kept: books.Kept) -> str:
    """After half as long again as nothing has happened: soon at first, then ever more rarely; for cash once a day."""
    if kept.payment["provider"] == "cash":
        return clock.after(books.REMIND_S)
    newest = max((fact.at for fact in kept.facts), default=0)
    quiet = min(_age(kept.payment), clock.source() - newest)
    wait = min(max(quiet / 2, _SHORTEST_WAIT_S), _LONGEST_WAIT_S)
    for fact in kept.facts:
        if fact.kind == "refund" and fact.unanswered and "asked_at" not in fact.more:
            wait = min(wait, max(refunding.not_before(kept, fact) - clock.source(), books.SOON_S))
    return clock.after(wait)


def _age(payment: Mapping[str, Any]) -> float:
    return clock.source() - clock.parse(payment["created_at"]).timestamp()


def _reread(payment_id: str) -> books.Kept:
    kept = books.read(payment_id)
    if kept is None:
        raise recording.NoSuchPayment(payment_id)
    return kept
