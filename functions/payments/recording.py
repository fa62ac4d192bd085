"""Bringing what a provider says into the books: read, decide, write under the version that was read, tell."""

from collections.abc import Iterable, Sequence
from typing import Any

from commerce import audit, clock, log, problems, writes
from payments import books, exchange, ledger, providers
from payments.ledger import Fact, decide

_TRIES = 8
_AT_ONCE = 40
"""Facts per transaction: each may come with a ledger entry, and 100 writes fit."""


class NoSuchPayment(Exception):
    """Nothing is known under this payment id (yet)."""


def apply(
    payment_id: str, reported: Sequence[Fact], kept: books.Kept | None = None, entry: audit.Entry | None = None
) -> dict[str, Any]:
    """Keep what is new of `reported`; returns the payment as it is then. Repeats write nothing.

    `kept` is what the caller has read already, `entry` goes into the audit with what is new. Raises NoSuchPayment, or
    Problem 503 after too many collisions.
    """
    payment: dict[str, Any] = {}
    for start in range(0, max(1, len(reported)), _AT_ONCE):
        payment = _apply(payment_id, reported[start : start + _AT_ONCE], kept, entry)
        kept = entry = None
    return payment


def fetched(kept: books.Kept, reference: str | None = None) -> list[Fact]:
    """What the provider says about a payment now and is news here. Raises `exchange.NotDone` or `Missing`.

    `reference` is the provider's name of it, should we not have kept that yet.
    """
    payment = ({"provider_ref": reference} if reference else {}) | kept.payment
    return [fact for fact in providers.of(payment).fetch(payment) if not _known(kept, fact)]


def after_refusal(payment: dict[str, Any], asked: Fact, code: str) -> list[Fact]:
    """What is true after a provider refused what we asked for.

    It often refuses because somebody was quicker, in its dashboard for instance: so the payment is read again, and what
    is said there about the very thing we asked for counts for more than our reading of the refusal. If it cannot be
    read, the refusal is not believed either: the request stays unanswered.
    """
    kept = books.read(payment["payment_id"])
    if kept is None:
        raise NoSuchPayment(payment["payment_id"])
    try:
        return [*fetched(kept), ledger.refused(asked, int(clock.source()), code)]
    except (exchange.NotDone, exchange.Missing):
        return []


def newest(fact: Fact, said: Iterable[Fact]) -> Fact:
    """What is known of `fact` after what was said."""
    return max([fact, *(each for each in said if each.key == fact.key)], key=lambda each: each.rank)


def _alarm(payment: dict[str, Any], change: ledger.Change | None) -> None:
    """Say so when a provider took another amount or currency than it was asked for: somebody has to look."""
    for kind, data in change.events if change else []:
        if kind == "payment.amount_mismatch":
            log.alarm("another amount or currency than asked for", payment_id=payment["payment_id"], **data)
    if change and _too_little(payment, change):
        log.alarm("less came than was asked for", payment_id=payment["payment_id"], captured=payment["captured"])


def _too_little(payment: dict[str, Any], change: ledger.Change) -> bool:
    """Whether a payment that takes everything at once is over with less. It counts as the part that it is."""
    over = any((fact.kind, fact.status) == ("capture", "succeeded") and fact.more.get("last") for fact in change.facts)
    return over and payment.get("capture") != "manual" and 0 < payment["captured"] < payment["amount"]


def _known(kept: books.Kept, fact: Fact) -> bool:
    """An attempt that still is what it was. Asked for, Stripe gives no time of it, and now would always be news."""
    known = kept.fact(*fact.key)
    if known is None or fact.kind != "attempt" or (known.status, known.amount) != (fact.status, fact.amount):
        return False
    return fact.more.get("until") in (None, known.more.get("until"))


def _apply(
    payment_id: str, reported: Sequence[Fact], kept: books.Kept | None, entry: audit.Entry | None
) -> dict[str, Any]:
    for _ in range(_TRIES):
        kept = kept or books.read(payment_id)
        if kept is None:
            raise NoSuchPayment(payment_id)
        change = decide(kept.payment, kept.facts, reported)
        try:
            payment = books.record(kept, change, *audit.kept(books.PAYMENTS, entry)) if change else kept.payment
            _alarm(payment, change)
            if payment.get("untold"):
                payment = books.tell(payment)
            return payment
        except writes.Refused:
            kept = None  # somebody else was quicker
    raise problems.busy()
