"""Taking money that is held: first kept under the name of who asked, then carried out under that name.

What is asked for is taken off what may be captured in the transaction that keeps the request, so requests at one moment
never take more than is held. A repeat is answered from that record, however old it is.
"""

from dataclasses import dataclass
from typing import Any

from commerce import audit, clock, log, problems, writes
from commerce.requests import Request
from payments import books, exchange, ledger, naming, providers, recording
from payments.ledger import Fact

_TRIES = 6


@dataclass(frozen=True)
class Captured:
    """The payment, and what became of the request for a capture. `repeat`: it had been asked for before."""

    payment: dict[str, Any]
    fact: Fact
    repeat: bool


def capture(kept: books.Kept | None, amount: int | None, request: Request) -> Captured:
    """Take `amount` of what may still be taken, or all of it.

    Raises Problem: 409 when less may be taken, 422 when the provider refuses, 503 when it gave no answer this time.
    """
    for _ in range(_TRIES):
        assert kept is not None, "payments are never deleted"
        name = naming.of_request(request, kept.id)
        if known := kept.fact("capture_request", name):
            naming.same(request, dict(known.more))
            return _repeat(kept, known)
        fact = _request(kept, amount, name, request)
        change = ledger.decide(kept.payment, kept.facts, [fact])
        assert change is not None, "a first request always changes something"
        try:
            entry = audit.kept(books.PAYMENTS, request.entry)
            payment = books.record(kept, change, *entry, again_at=clock.after(books.SOON_S))
        except writes.Refused:
            kept = books.read(kept.id)  # the payment moved: how much may be taken has to be seen again
            continue
        return _answer(carry_out(payment, fact), False)
    raise problems.busy()


def carry_out(payment: dict[str, Any], fact: Fact) -> Captured:
    """Have the provider make a capture that is kept already. Without an answer it stays as it is, and due."""
    try:
        said = providers.of(payment).capture(payment, fact)
    except exchange.Refused as no:
        log.failure("capture refused", no, payment_id=payment["payment_id"], capture_id=fact.object_id, code=no.code)
        said = recording.after_refusal(payment, fact, no.code)
    except exchange.NotDone as error:
        log.failure("capture not sent", error, payment_id=payment["payment_id"], capture_id=fact.object_id)
        return Captured(payment, books.asked(payment, fact, None), False)
    except exchange.Unknown as error:
        log.failure("capture without an answer", error, payment_id=payment["payment_id"], capture_id=fact.object_id)
        return Captured(payment, fact, False)
    payment = recording.apply(payment["payment_id"], said)
    return Captured(payment, recording.newest(fact, said), False)


def _request(kept: books.Kept, amount: int | None, name: str, request: Request) -> Fact:
    """The fact of the request, on the provider payment that holds the money."""
    currency = kept.payment["currency"]
    left = ledger.fold(kept.facts, currency, kept.payment["status"]).capturable
    wanted = left if amount is None else amount
    if not 0 < wanted <= left:
        money = {"amount": left, "currency": currency}
        raise problems.conflict("not-authorized", "Less than that is held for this payment.", authorized=money)
    of = next(fact.of for fact in kept.facts if fact.kind == "attempt" and fact.status == "authorized")
    now = int(clock.source())
    more = {"body_hash": request.body_hash, "by": request.principal, "asked_at": now}
    return ledger.capture_request(name, of, "requested", now, wanted, currency, **more)


def _repeat(kept: books.Kept, known: Fact) -> Captured:
    """What became of it, by our own record. Only what has never left is sent now."""
    if known.unanswered and "asked_at" not in known.more:
        return _answer(carry_out(kept.payment, books.asked(kept.payment, known, clock.source())), True)
    if known.unanswered:
        return Captured(kept.payment, known, True)
    return _answer(Captured(kept.payment, known, True), True)


def _answer(made: Captured, repeat: bool) -> Captured:
    if made.fact.unanswered:
        detail = "Send the same request again, with the same Idempotency-Key."
        raise problems.Problem(503, "provider-unavailable", "The payment provider does not answer", detail)
    if made.fact.status == "failed":
        detail, code = "The payment provider refused to capture.", made.fact.more.get("code", "failed")
        raise problems.Problem(422, "capture-refused", "Capture refused", detail, code=code)
    return Captured(made.payment, made.fact, repeat)
