"""Taking money that is held. The provider guards against taking too much; its answer is a fact like any other."""

from dataclasses import dataclass
from typing import Any

from commerce import clock, due, log, problems, reads, requests, writes
from commerce.requests import Request
from payments import books, exchange, ledger, naming, providers, recording


@dataclass(frozen=True)
class Captured:
    """The payment after the capture `id` of `amount` minor units. `repeat`: this request was carried out before."""

    id: str
    payment: dict[str, Any]
    amount: int
    repeat: bool


def capture(kept: books.Kept, amount: int | None, request: Request) -> Captured:
    """Take `amount` of what is held, or all of it. A repeat asks the provider again under the same key.

    Raises Problem: 409 when less is held, 422 when the provider refuses, 503 without an answer.
    """
    name = naming.of_request(request)
    marker = reads.get(books.PAYMENTS, (request.pk, "-"))
    if marker:
        wanted = int(request.same(marker)["amount"])
    else:
        wanted = _wanted(kept, amount)
        _keep(kept.payment, request, wanted)
    return Captured(name, _carry_out(kept.payment, wanted, name), wanted, marker is not None)


def _wanted(kept: books.Kept, amount: int | None) -> int:
    held = ledger.fold(kept.facts, kept.payment["currency"], kept.payment["status"]).authorized
    wanted = held if amount is None else amount
    if not 0 < wanted <= held:
        money = {"amount": held, "currency": kept.payment["currency"]}
        raise problems.conflict("not-authorized", "Less than that is held for this payment.", authorized=money)
    return wanted


def _keep(payment: dict[str, Any], request: Request, amount: int) -> None:
    """Before the provider is asked: the marker, and a look at the payment soon, should we not hear the answer."""
    soon = writes.update(
        books.PAYMENTS,
        (payment["pk"], "-"),
        set=f"#v = #v + :one, {due.SET}",
        remove="#e",
        when="#v = :seen",
        names={"#v": "version", "#e": "event"},
        values={":one": 1, ":seen": payment["version"]} | due.values(payment["pk"], clock.after(books.SOON_S)),
    )
    try:
        writes.commit(soon, requests.done(books.PAYMENTS, request, amount=amount))
    except writes.Refused as refused:
        raise problems.busy() from refused


def _carry_out(payment: dict[str, Any], amount: int, name: str) -> dict[str, Any]:
    try:
        said = providers.of(payment).capture(payment, amount, name)
    except exchange.Refused as no:
        detail = "The payment provider refused to capture."
        raise problems.Problem(422, "capture-refused", "Capture refused", detail, code=no.code) from no
    except (exchange.NotDone, exchange.Unknown) as error:
        log.failure("capture without an answer", error, payment_id=payment["payment_id"])
        detail = "Send the same request again, with the same Idempotency-Key."
        raise problems.Problem(503, "provider-unavailable", "The payment provider does not answer", detail) from error
    return recording.apply(payment["payment_id"], said)
