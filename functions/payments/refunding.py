"""Giving money back: first kept, under a name that follows from who asked, then carried out under that name.

The headroom is taken in the transaction that keeps the request, so requests at one moment cannot give back more than
came in. What the provider then does not answer, the sweep asks about; it never asks for it again under another name.
"""

from dataclasses import dataclass, replace
from typing import Any

from commerce import audit, clock, log, problems, writes
from payments import books, exchange, ledger, naming, providers, recording
from payments.ledger import Fact

_TRIES = 6
_FOREIGN_TRIES = 5


@dataclass(frozen=True)
class TooMuch(Exception):
    """More than may still be given back. `refundable` is minor units."""

    refundable: int


class InParts(Exception):
    """The amount does not fit into one of several provider payments (a link that was paid twice)."""


@dataclass(frozen=True)
class Wish:
    """Give `amount` minor units of a payment back. `id` names the refund here and at the provider.

    `entry` is kept with the wish.
    """

    id: str
    payment_id: str
    amount: int
    reason: str
    by: str
    body_hash: str = ""
    entry: audit.Entry | None = None
    currency: str = ""
    """The payment's, unless it is money that came in another one."""


@dataclass(frozen=True)
class Refunding:
    """The payment, and the refund as it stands. `repeat`: it had been asked for before."""

    payment: dict[str, Any]
    fact: Fact
    repeat: bool


def refund(wish: Wish, kept: books.Kept | None = None) -> Refunding:
    """Keep the wish and carry it out.

    `kept` is the payment if the caller has read it. Raises recording.NoSuchPayment, TooMuch, InParts, and Problem 503
    when nothing could be written.
    """
    for _ in range(_TRIES):
        kept = kept or books.read(wish.payment_id)
        if kept is None:
            raise recording.NoSuchPayment(wish.payment_id)
        if known := kept.fact("refund", wish.id):
            return Refunding(kept.payment, known, True)
        fact = _request(wish, kept)
        change = ledger.decide(kept.payment, kept.facts, [fact])
        assert change is not None, "a first request always changes something"
        try:
            wait = books.REMIND_S if fact.status == "owed" else not_before(kept, fact) - clock.source()
            again_at = clock.after(max(wait, books.SOON_S))
            payment = books.record(kept, change, *audit.kept(books.PAYMENTS, wish.entry), again_at=again_at)
        except writes.Refused:
            kept = None  # the payment moved: how much is left has to be seen again
            continue
        return carry_out(payment, fact) if "asked_at" in fact.more else Refunding(payment, fact, False)
    raise problems.busy()


def give_back_foreign(kept: books.Kept) -> None:
    """Money in another currency goes back as it came: each provider payment of it on its own, and once.

    A refund that failed is asked for again under another name, a few times; then somebody has to look.
    """
    for code in ledger.fold(kept.facts, kept.payment["currency"], kept.payment["status"]).held:
        for of in sorted({fact.of for fact in kept.facts if fact.kind == "capture" and fact.currency == code}):
            left = ledger.refundable_of(kept.facts, of, code)
            failed = sum(fact.of == of and (fact.kind, fact.status) == ("refund", "failed") for fact in kept.facts)
            if left and failed < _FOREIGN_TRIES:
                name = naming.of_foreign(kept.id, of, code, left, failed)
                refund(Wish(name, kept.id, left, "another currency", "payments", currency=code))


def carry_out(payment: dict[str, Any], fact: Fact) -> Refunding:
    """Have the provider make a refund that is kept already. Without an answer it stays as it is, and due."""
    try:
        said = providers.of(payment).refund(payment, fact)
    except exchange.Refused as no:
        log.failure("refund refused", no, payment_id=payment["payment_id"], refund_id=fact.object_id, code=no.code)
        said = recording.after_refusal(payment, fact, no.code)
    except exchange.NotDone as error:
        log.failure("refund not sent", error, payment_id=payment["payment_id"], refund_id=fact.object_id)
        return Refunding(payment, books.asked(payment, fact, None), False)
    except exchange.Unknown as error:
        log.failure("refund without an answer", error, payment_id=payment["payment_id"], refund_id=fact.object_id)
        return Refunding(payment, fact, False)
    payment = recording.apply(payment["payment_id"], said)
    return Refunding(payment, recording.newest(fact, said), False)


def not_before(kept: books.Kept, fact: Fact) -> float:
    """When the provider may be asked for this refund, beside the others (epoch seconds)."""
    return providers.of(kept.payment).not_before(fact, kept.facts)


def ready(kept: books.Kept, asked: Fact) -> Fact:
    """The request, marked as sent if it may be: it is sent as soon as it is kept."""
    now = int(clock.source())
    if asked.unanswered and not_before(kept, asked) <= now:
        return replace(asked, more={**asked.more, "asked_at": now})
    return asked


def _request(wish: Wish, kept: books.Kept) -> Fact:
    """The fact of the request, on the provider payment that can bear it."""
    currency = wish.currency or kept.payment["currency"]
    left = ledger.refundable(kept.facts, currency)
    if wish.amount > left:
        raise TooMuch(left)
    captures = [fact for fact in kept.facts if fact.kind == "capture" and fact.currency == currency]
    of = next((f.of for f in captures if ledger.refundable_of(kept.facts, f.of, currency) >= wish.amount), None)
    if of is None:
        raise InParts
    status = "owed" if kept.payment["provider"] == "cash" else "requested"
    now = int(clock.source())
    more = {"reason": wish.reason, "by": wish.by} | ({"body_hash": wish.body_hash} if wish.body_hash else {})
    return ready(kept, ledger.refund(wish.id, of, status, now, wish.amount, currency, **more))
