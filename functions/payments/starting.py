"""Starting a payment: kept before the provider is asked, asked under its own id, and continued by a retry.

    1. one transaction: the payment, its pointer, the payable it was decided on
    2. the provider is asked, key = payment id
    3. one write: the provider's reference and what the shopper needs to pay

A crash or a lost answer anywhere leaves a payment that the same request continues, under the same key, or that the
sweep sorts out. Nothing is ever sent twice under two keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from commerce import audit, clock, log, payables, problems, writes
from commerce.principal import Principal
from commerce.requests import Request
from payments import accounts, asking, books, closing, exchange, ledger, naming, providers, table, tenders
from payments.amounts import NotPayable
from payments.opening import Order

_TRIES = 4


@dataclass(frozen=True)
class Terms:
    """What the caller asks for. Without an amount it is all that is still open.

    `account` is only ever named by staff with the scope for it; else the configuration decides.
    """

    provider: str
    account: str | None
    method: str
    amount: int | None
    currency: str | None
    capture: str
    return_url: str | None


@dataclass(frozen=True)
class Started:
    """The payment and what was answered; `repeat` if an earlier request had been answered already."""

    payment: Mapping[str, Any]
    answer: Mapping[str, Any]
    repeat: bool


def start(principal: Principal, order_id: str, terms: Terms, request: Request, webhooks: str) -> Started:
    """Start a payment of an order, or continue the one this request started. Raises Problem."""
    payment_id = naming.of_request(request)
    named = audit.entry(principal, "payment.account-named", f"payment/{payment_id}") if terms.account else None
    for _ in range(_TRIES):
        payable, known = table.payable(order_id)
        if payable is None or not _may_pay(principal, payable):
            raise problems.not_found("order")
        principal.need_place_if_any(*payables.places(payable))
        if payment_id in known:
            break
        account = _check(principal, payable, terms)
        others = table.payments(known)
        tender = _tender(payable, others, terms)
        payment = _draft(payment_id, payable, principal, terms, account, tender.amount, request)
        cash = terms.method == "cash"
        taken = _in_hand(payment) if cash else None
        try:
            writes.commit(
                table.started(payment, payable, taken),
                [table.superseded(dict(each)) for each in tender.instead_of],
                audit.kept(books.PAYMENTS, named),
            )
        except writes.Refused as refused:
            if refused.first(table.Exists):
                break
            continue  # another payment, or the order, moved meanwhile: decide again
        if cash:
            started = Started(payment, {"status": "captured"}, False)
        else:
            started = _ask(payment, Order(payable["order_number"], terms.return_url, webhooks))
        closing.at_once(tender.instead_of)
        return started
    kept = books.read(payment_id)
    if kept is None or payable is None:
        raise problems.busy()
    naming.same(request, kept.payment)
    return _again(kept.payment, Order(payable["order_number"], terms.return_url, webhooks))


def _may_pay(principal: Principal, payable: Mapping[str, Any]) -> bool:
    return principal.has("payments:write") or payable.get("owner") == principal.key


def _check(principal: Principal, payable: Mapping[str, Any], terms: Terms) -> str:
    """The account that takes this payment. Raises Problem if the order cannot be paid like this."""
    if payable["state"] != "open":
        raise problems.conflict("order-not-payable", "Nothing can be paid for this order any more.")
    if terms.currency not in (None, payable["currency"]):
        raise problems.invalid(["body", "amount", "currency"], f"This order is paid in {payable['currency']}.")
    if terms.method == "cash":
        principal.need("payments:write")
    if (terms.method == "cash") != (terms.provider == "cash"):
        raise _unsupported(terms)
    if terms.method == "cash":
        return "default"
    provider = providers.of({"provider": terms.provider})
    if terms.method not in provider.METHODS:
        raise _unsupported(terms)
    if provider.needs_return_url(terms.method) and not terms.return_url:
        raise problems.invalid(["body", "return_url"], f"{terms.provider} needs a page to return to.", "missing")
    return _account(principal, payable, terms)


def _account(principal: Principal, payable: Mapping[str, Any], terms: Terms) -> str:
    chosen = terms.account or accounts.configured().choose(
        terms.provider, payable.get("market"), payable.get("channel"), _place(principal, payable)
    )
    if chosen and accounts.secret(terms.provider, chosen):
        return chosen
    if terms.account:
        raise problems.invalid(["body", "account"], f"There is no {terms.provider} account of this name.")
    raise _unsupported(terms)


def _place(principal: Principal, payable: Mapping[str, Any]) -> str | None:
    """The location a payment belongs to: where it is taken, or else where its order is handed over."""
    return principal.location_id or payable.get("location_id")


def _unsupported(terms: Terms) -> problems.Problem:
    detail = f"{terms.provider} cannot be used for method {terms.method} here."
    return problems.Problem(422, "method-not-supported", "Method not supported", detail)


def _tender(payable: Mapping[str, Any], others: list[dict[str, Any]], terms: Terms) -> tenders.Tender:
    try:
        return tenders.decide(payable["amount"], others, terms.amount)
    except tenders.TooMuch as too_much:
        left = {"amount": too_much.open, "currency": payable["currency"]}
        raise problems.conflict("amount-not-open", "More than is still open.", open=left) from None


def _draft(
    payment_id: str,
    payable: Mapping[str, Any],
    principal: Principal,
    terms: Terms,
    account: str,
    amount: int,
    request: Request,
) -> dict[str, Any]:
    kept = {name: payable.get(name) for name in ("order_id", "order_number", "customer_id", "owner", "currency")}
    draft = {"pk": f"P#{payment_id}", "sk": "-", "version": 1, "payment_id": payment_id, "status": "created"}
    draft |= {"provider": terms.provider, "account": account, "method": terms.method, "amount": amount}
    draft |= {"captured": 0, "refunded": 0, "created_at": clock.iso(), "body_hash": request.body_hash}
    draft |= {"started_by": principal.key, "location_id": _place(principal, payable)}
    draft |= {"capture": "manual"} if terms.capture == "manual" else {}
    return {name: value for name, value in (draft | kept).items() if value is not None}


def _in_hand(payment: dict[str, Any]) -> ledger.Change:
    """Cash is a fact the moment it is told: payment, fact, ledger entry and event in one transaction."""
    pid, now = payment["payment_id"], int(clock.source())
    taken = ledger.capture(pid, pid, "succeeded", now, payment["amount"], payment["currency"])
    change = ledger.decide(payment, [], [taken])
    assert change is not None, "a first capture always changes something"
    return change


def _again(payment: dict[str, Any], order: Order) -> Started:
    """The request came before: continue what it started, or answer as then."""
    if payment["method"] == "cash":
        return Started(payment, {"status": "captured"}, True)
    if "answer" in payment:
        secret = _client_secret(payment)
        return Started(payment, payment["answer"] | ({"client_secret": secret} if secret else {}), True)
    if "refusal" in payment:
        raise _refusal(payment["refusal"])
    return _ask(payment, order)


def _client_secret(payment: Mapping[str, Any]) -> str | None:
    try:
        return providers.of(payment).client_secret(payment)
    except (exchange.NotDone, exchange.Missing) as error:
        raise _unavailable(payment) from error


def _ask(payment: dict[str, Any], order: Order) -> Started:
    """Have the provider make the payment, and keep what it answered."""
    provider = providers.of(payment)
    started_at = clock.parse(payment["created_at"]).timestamp()
    try:
        if asking.key_lives(payment["provider"], started_at, clock.source()):
            opened = provider.start(payment, order)
        else:
            # Under a key that the provider may have forgotten it would be made a second time: it is only looked for.
            found = provider.find(payment)
            if found is None:
                raise exchange.Unknown("not there, and not to be asked for again")
            opened = found
    except NotPayable as no:
        table.refused(payment, "amount_not_payable")
        raise _refusal("amount_not_payable", str(no)) from no
    except exchange.Refused as no:
        table.refused(payment, no.code)
        raise _refusal(no.code) from no
    except exchange.NotDone as error:
        log.failure("provider unavailable", error, provider=payment["provider"])
        raise _unavailable(payment) from error
    except (exchange.Unknown, exchange.Missing) as error:
        log.failure("provider gave no answer", error, provider=payment["provider"])
        table.doubtful(payment)
        raise _unavailable(payment) from error
    answer = {"status": "open"} | opened.kept()
    table.opened(payment, opened.ref, answer)
    shown = answer | ({"client_secret": opened.client_secret} if opened.client_secret else {})
    return Started(payment, shown, False)


def _refusal(code: str, detail: str = "") -> problems.Problem:
    detail = detail or "The payment provider refused this payment."
    return problems.Problem(422, "payment-refused", "Payment refused", detail, code=code)


def _unavailable(payment: Mapping[str, Any]) -> problems.Problem:
    detail = "Nothing was charged. Send the same request again, with the same Idempotency-Key."
    return problems.Problem(
        503, "provider-unavailable", "The payment provider does not answer", detail, payment_id=payment["payment_id"]
    )
