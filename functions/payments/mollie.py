"""Mollie over its v2 API: plain HTTPS and JSON, no SDK.

A payment's webhook says only that something changed, so everything here starts from what Mollie answers when asked.
"""

import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from commerce import clock
from payments import accounts, addresses, exchange, ledger, refusals
from payments.amounts import back_to_mollie, from_mollie, to_mollie
from payments.ledger import Fact
from payments.opening import Opened, Order

METHODS = {"online", "link", "qr"}
_EMBED = {"embed": "refunds,chargebacks,captures"}
_REFUNDS = {"refunded": "succeeded", "failed": "failed", "canceled": "failed"}
_ENDED = {"failed": "failedAt", "canceled": "canceledAt", "expired": "expiredAt"}
_EQUAL_S = 3600
"""How long Mollie refuses a second refund of the same amount of the same payment."""
_HELD_S = 7 * 86400
"""How long a hold lasts at least, where Mollie does not say until when (`captureBefore`)."""
_ANSWERED_WITHIN_S = 14 * 86400
"""A payment that is `pending` at a bank is paid or failed by then."""


def needs_return_url(method: str) -> bool:
    """Whether the shopper has to be sent somewhere after paying."""
    return method in ("online", "qr")


def start(payment: Mapping[str, Any], order: Order) -> Opened:
    """Make a payment or a payment link. A repeat under the same payment id gets the first answer."""
    body: dict[str, Any] = {
        "amount": to_mollie(payment["amount"], payment["currency"]),
        "description": f"Order {order.number}",
        "webhookUrl": addresses.of(order.webhooks, payment["account"], payment["payment_id"]),
    }
    if order.return_url:
        body["redirectUrl"] = order.return_url
    if payment["method"] == "link":
        # Payments made through a link carry no metadata: the address they report to says which payment they are for.
        return _opened(_send(payment, "start", "POST", "payment-links", body, payment["payment_id"]), payment)
    body["metadata"] = {"payment_id": payment["payment_id"], "order_id": payment["order_id"]}
    if payment.get("capture") == "manual":
        body["captureMode"] = "manual"
    path = "payments"
    if payment["method"] == "qr":
        body["method"], path = "ideal", "payments?include=details.qrCode"
    return _opened(_send(payment, "start", "POST", path, body, payment["payment_id"]), payment)


def _opened(made: Mapping[str, Any], payment: Mapping[str, Any]) -> Opened:
    """What the shopper needs to pay."""
    with exchange.understood():
        links, method = made["_links"], payment["method"]
        if method == "link":
            return Opened(made["id"], link=links["paymentLink"]["href"])
        page = links["checkout"]["href"] if "checkout" in links else None
        code = ((made.get("details") or {}).get("qrCode") or {}).get("src") if method == "qr" else None
        return Opened(made["id"], redirect_url=page, qr=code)


def client_secret(payment: Mapping[str, Any]) -> str | None:
    """Mollie has none."""
    return None


def find(payment: Mapping[str, Any]) -> Opened | None:
    """What became of a start with an unknown outcome: look through the newest payments, back to that time.

    A link cannot be recognised; nobody was told its address, so nobody can pay it.
    """
    if payment["method"] == "link":
        return None
    since = int(clock.parse(payment["created_at"]).timestamp()) - 120
    with exchange.understood(exchange.NotDone):
        for made in _every(payment, "payments", "payments"):
            if _epoch(made["createdAt"]) < since:
                break
            if _ours(made).get("payment_id") == payment["payment_id"]:
                return _opened(made, payment)
    return None


def fetch(payment: Mapping[str, Any]) -> list[Fact]:
    """What Mollie says now about the payment (or the payments of a link), its refunds, captures and chargebacks."""
    reference = payment["provider_ref"]
    with exchange.understood(exchange.NotDone):
        if reference.startswith("pl_"):
            made = _every(payment, f"payment-links/{reference}/payments", "payments")
            return [fact for each in made for fact in of_payment(_get(payment, f"payments/{each['id']}", _EMBED))]
        return of_payment(_get(payment, f"payments/{reference}", _EMBED))


def reported(account: str, reference: str) -> dict[str, Any] | None:
    """The payment a webhook is about; None if this account has no such payment (a forgery, or another account's)."""
    try:
        return _get({"account": account}, f"payments/{reference}", _EMBED)
    except exchange.OtherMode:
        raise
    except exchange.Missing:
        return None


def payment_of_address(account: str, made: Mapping[str, Any]) -> str | None:
    """Our payment that something of Mollie reports to, by the address we gave it (a link and its payments share it)."""
    return addresses.payment_of(account, str(made.get("webhookUrl") or "").rpartition("/")[2])


def payment_of_link(account: str, reference: str) -> str | None:
    """Our payment that a payment link was made for."""
    try:
        return payment_of_address(account, _get({"account": account}, f"payment-links/{reference}"))
    except exchange.OtherMode:
        raise
    except exchange.Missing:
        return None


def payment_behind(account: str, reference: str) -> str | None:
    """The Mollie payment of a refund or chargeback, of which only the id is known: lists can begin at an id."""
    kind = {"re": "refunds", "chb": "chargebacks"}.get(reference.partition("_")[0])
    if kind is None:
        return None
    try:
        found, _ = page({"account": account}, f"{kind}?from={reference}&limit=1", kind)
    except exchange.OtherMode:
        raise
    except exchange.Missing:
        return None
    return next((str(each["paymentId"]) for each in found if each["id"] == reference), None)


@dataclass(frozen=True)
class Change:
    """What something in a list of Mollie has become, and the payment (`tr_..`) it belongs to."""

    id: str
    status: str
    payment: str
    made_at: float


def changes(account: str, kind: str, where: str | None) -> tuple[list[Change], str | None]:
    """A page of all `payments`, `refunds` or `chargebacks`, newest first, and where the next one is."""
    found, following = page({"account": account}, where or f"{kind}?limit=250", kind)
    with exchange.understood(exchange.NotDone):
        return [_change(each) for each in found], following


def _change(made: Mapping[str, Any]) -> Change:
    status = made.get("status") or ("reversed" if made.get("reversedAt") else "received")
    return Change(made["id"], status, made.get("paymentId") or made["id"], _epoch(made["createdAt"]))


def made_through(payment: Mapping[str, Any], reference: str) -> bool:
    """Whether a Mollie payment was made through the payment link of this payment of ours."""
    link = payment.get("provider_ref", "")
    if not link.startswith("pl_"):
        return False
    return any(each["id"] == reference for each in _every(payment, f"payment-links/{link}/payments", "payments"))


def capture(payment: Mapping[str, Any], asked: Fact) -> list[Fact]:
    """Take (part of) what is held, under the id of the request as the key."""
    body = {"amount": to_mollie(asked.amount, asked.currency), "metadata": {"capture_id": asked.object_id}}
    made = _send(payment, "capture", "POST", f"payments/{asked.of}/captures", body, asked.object_id)
    with exchange.understood():
        return _capture(made, asked.of)


def refund(payment: Mapping[str, Any], asked: Fact) -> list[Fact]:
    """Carry out a refund under its own id as the key."""
    body = {
        "amount": back_to_mollie(asked.amount, asked.currency),
        "description": f"Refund of order {payment['order_number']}",
        "metadata": {"refund_id": asked.object_id, "payment_id": payment["payment_id"]},
    }
    made = _send(payment, "refund", "POST", f"payments/{asked.of}/refunds", body, asked.object_id)
    with exchange.understood():
        return [_refund(made, asked.of)]


def not_before(asked: Fact, known: Iterable[Fact]) -> float:
    """When Mollie will take a refund: it refuses one that equals another of the same payment within the hour."""
    same = (asked.kind, asked.of, asked.amount)
    others = [fact for fact in known if (fact.kind, fact.of, fact.amount) == same and fact.key != asked.key]
    made = [fact for fact in others if fact.status != "failed" and ("asked_at" in fact.more or not fact.unanswered)]
    equal = [fact.more.get("asked_at", fact.at) for fact in made]
    return max(equal, default=-_EQUAL_S) + _EQUAL_S


def cancel(payment: Mapping[str, Any]) -> list[Fact]:
    """Let nobody pay this any more, and let go what is held. Refused when a bank is already busy with it.

    What was captured in part cannot be cancelled: there the rest of the hold is released. Mollie's payment does not say
    so afterwards, so that it took the request is what we know. A capture that comes all the same counts.
    """
    reference, now = payment["provider_ref"], int(clock.source())
    if reference.startswith("pl_"):
        path, key = f"payment-links/{reference}", f"{payment['payment_id']}.x"
        _send(payment, "cancel", "PATCH", path, {"archived": True}, key)
        return [ledger.attempt(reference, "canceled", now, payment["currency"])]
    if payment.get("captured"):
        path, key = f"payments/{reference}/release-authorization", f"{payment['payment_id']}.r"
        _send(payment, "cancel", "POST", path, {}, key)
        return [ledger.attempt(reference, "released", now, payment["currency"])]
    ended = _send(payment, "cancel", "DELETE", f"payments/{reference}", None, f"{payment['payment_id']}.c")
    with exchange.understood():
        return of_payment(ended)


# ------------------------------------------------------------------------------------- what Mollie says, as facts


def payment_id_of(made: Mapping[str, Any]) -> str | None:
    """Our payment id, from the metadata."""
    found = _ours(made).get("payment_id")
    return found if isinstance(found, str) else None


def of_payment(made: Mapping[str, Any]) -> list[Fact]:
    """A payment with what is embedded in it."""
    of, status = made["id"], made["status"]
    amount, currency = from_mollie(made["amount"])
    manual = made.get("captureMode") == "manual"
    embedded = made.get("_embedded", {})
    found = []
    if status == "paid" and not manual:
        found.append(ledger.capture(of, of, "succeeded", _epoch(made["paidAt"]), amount, currency))
    if status in _ENDED:
        at = _epoch(made.get(_ENDED[status]) or made["createdAt"])
        found.append(ledger.attempt(of, status, at, currency))
    elif status == "pending":
        started = _epoch(made["createdAt"])
        found.append(ledger.attempt(of, "pending", started, currency, amount, started + _ANSWERED_WITHIN_S))
    elif status == "authorized" or (manual and status == "paid"):
        # Pay-later methods are authorized in every capture mode, and are taken when the goods leave.
        held_at = _epoch(made.get("authorizedAt") or made["createdAt"])
        until = _epoch(made["captureBefore"]) if made.get("captureBefore") else held_at + _HELD_S
        found.append(ledger.attempt(of, "authorized", held_at, currency, amount, until))
        if until < clock.source() and made.get("captureBefore"):
            found.append(ledger.attempt(of, "released", until, currency))
        if not manual and (taken := from_mollie(made.get("amountCaptured") or _nothing(made))[0]):
            found.append(ledger.capture(of, of, "succeeded", held_at, taken, currency, last=False))
    found += [fact for each in embedded.get("captures", []) if manual for fact in _capture(each, of)]
    found += [_refund(each, of) for each in embedded.get("refunds", [])]
    found += [fact for each in embedded.get("chargebacks", []) for fact in _chargeback(each, of)]
    return found


def _capture(made: Mapping[str, Any], of: str) -> list[Fact]:
    """A capture, and what became of our request if it is ours."""
    (amount, currency), at = from_mollie(made["amount"]), _epoch(made["createdAt"])
    found = [ledger.capture(made["id"], of, made["status"], at, amount, currency, last=False)]
    if ours := _ours(made).get("capture_id"):
        became = "failed" if made["status"] == "failed" else "done"
        found.append(ledger.capture_request(ours, of, became, at, amount, currency))
    return found


def _refund(made: Mapping[str, Any], of: str) -> Fact:
    amount, currency = from_mollie(made["amount"])
    name = _ours(made).get("refund_id") or made["id"]
    status = _REFUNDS.get(made["status"], "pending")
    return ledger.refund(name, of, status, _epoch(made["createdAt"]), amount, currency, ref=made["id"])


def _chargeback(made: Mapping[str, Any], of: str) -> list[Fact]:
    """A chargeback, and what Mollie took for it beyond the amount (the settlement is negative)."""
    (amount, currency), at = from_mollie(made["amount"]), _epoch(made["createdAt"])
    status = "reinstated" if made.get("reversedAt") else "withdrawn"
    found = [ledger.chargeback(made["id"], of, status, at, amount, currency)]
    if settled := made.get("settlementAmount"):
        taken, in_currency = from_mollie(settled)
        if in_currency == currency and -taken > amount:
            found.append(ledger.fee(made["id"], of, at, -taken - amount, currency, chargeback=made["id"]))
    return found


def _nothing(made: Mapping[str, Any]) -> dict[str, str]:
    return {"currency": made["amount"]["currency"], "value": "0"}


def _ours(made: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = made.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _epoch(text: str) -> int:
    return int(clock.parse(text).timestamp())


# ------------------------------------------------------------------------------------- the wire


def _send(
    payment: Mapping[str, Any], operation: str, method: str, path: str, body: Mapping[str, Any] | None, key: str
) -> dict[str, Any]:
    headers = _headers(payment) | {"Content-Type": "application/json", "Idempotency-Key": key}
    content = json.dumps(body).encode() if body is not None else None
    refusal = functools.partial(refusals.mollie, operation)
    return exchange.send(method, f"{_base()}/v2/{path}", headers, content, refusal)


def _get(payment: Mapping[str, Any], path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
    asked = f"?{urlencode(query)}" if query else ""
    found = exchange.read(f"{_base()}/v2/{path}{asked}", _headers(payment))
    embedded = [each for kind in found.get("_embedded", {}).values() for each in kind]
    for each in (found, *embedded):
        if each.get("mode") not in (None, "live" if accounts.live() else "test"):
            raise exchange.OtherMode
    return found


def _every(payment: Mapping[str, Any], path: str, kind: str) -> Iterator[dict[str, Any]]:
    """A list to its end, newest first."""
    where: str | None = f"{path}?limit=250"
    while where:
        found, where = page(payment, where, kind)
        yield from found


def page(payment: Mapping[str, Any], where: str, kind: str) -> tuple[list[dict[str, Any]], str | None]:
    """One page of a list, and where Mollie says that the next one is.

    Only path and query of the link are used: our key goes to Mollie's own address and nowhere else.
    """
    answer = _get(payment, where)
    with exchange.understood(exchange.NotDone):
        following = (answer["_links"].get("next") or {}).get("href")
        found = list(answer["_embedded"][kind])
        if not following:
            return found, None
        link = urlsplit(following)
        return found, f"{link.path.partition('/v2/')[2]}?{link.query}"


def _headers(payment: Mapping[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {accounts.key('mollie', payment['account'], 'api_key')}"}


def _base() -> str:
    return os.environ["MOLLIE_API_URL"].rstrip("/")
