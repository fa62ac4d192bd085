"""Mollie over its v2 API: plain HTTPS and JSON, no SDK.

A payment's webhook says only that something changed, so everything here starts from what Mollie answers when asked.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from commerce import clock
from payments import accounts, addresses, exchange, ledger
from payments.amounts import from_mollie, to_mollie
from payments.ledger import Fact
from payments.opening import Opened, Order

METHODS = {"online", "link", "qr"}
_EMBED = {"embed": "refunds,chargebacks,captures"}
_REFUNDS = {"refunded": "succeeded", "failed": "failed", "canceled": "failed"}
_ENDED = {"failed": "failedAt", "canceled": "canceledAt", "expired": "expiredAt"}
_PAGES = 4
"""How many pages of 250 payments are looked through for one whose start had an unknown outcome."""


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
        return opened(_send(payment, "POST", "payment-links", body, payment["payment_id"]), "link")
    body["metadata"] = {"payment_id": payment["payment_id"], "order_id": payment["order_id"]}
    if payment.get("capture") == "manual":
        body["captureMode"] = "manual"
    path = "payments"
    if payment["method"] == "qr":
        body["method"], path = "ideal", "payments?include=details.qrCode"
    return opened(_send(payment, "POST", path, body, payment["payment_id"]), payment["method"])


def opened(made: Mapping[str, Any], method: str) -> Opened:
    """What the shopper needs to pay."""
    links = made["_links"]
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
    for made in _newest(payment, "payments", "payments"):
        if _epoch(made["createdAt"]) < since:
            break
        if _ours(made).get("payment_id") == payment["payment_id"]:
            return opened(made, payment["method"])
    return None


def fetch(payment: Mapping[str, Any]) -> list[Fact]:
    """What Mollie says now about the payment (or the payments of a link), its refunds, captures and chargebacks."""
    if payment["provider_ref"].startswith("pl_"):
        made = _newest(payment, f"payment-links/{payment['provider_ref']}/payments", "payments")
        return [fact for each in made for fact in of_payment(_get(payment, f"payments/{each['id']}", _EMBED))]
    return of_payment(_get(payment, f"payments/{payment['provider_ref']}", _EMBED))


def reported(account: str, reference: str) -> dict[str, Any] | None:
    """The payment a webhook is about; None if this account has no such payment (a forgery, or another account's)."""
    try:
        return _get({"account": account}, f"payments/{reference}", _EMBED)
    except exchange.Refused as no:
        if no.status in (404, 410):
            return None
        raise


def made_through(payment: Mapping[str, Any], reference: str) -> bool:
    """Whether a Mollie payment was made through the payment link of this payment of ours."""
    link = payment.get("provider_ref", "")
    if not link.startswith("pl_"):
        return False
    return any(each["id"] == reference for each in _newest(payment, f"payment-links/{link}/payments", "payments"))


def capture(payment: Mapping[str, Any], amount: int, key: str) -> list[Fact]:
    """Take (part of) what is held."""
    body = {"amount": to_mollie(amount, payment["currency"]), "metadata": {"capture_id": key}}
    made = _send(payment, "POST", f"payments/{payment['provider_ref']}/captures", body, key)
    return [_capture(made, payment["provider_ref"])]


def refund(payment: Mapping[str, Any], asked: Fact) -> list[Fact]:
    """Carry out a refund under its own id as the key.

    Mollie refuses a second refund of the same amount within the hour (409): that is not done, and tried again later.
    """
    body = {
        "amount": to_mollie(asked.amount, asked.currency),
        "description": f"Refund of order {payment['order_number']}",
        "metadata": {"refund_id": asked.object_id, "payment_id": payment["payment_id"]},
    }
    try:
        return [_refund(_send(payment, "POST", f"payments/{asked.of}/refunds", body, asked.object_id), asked.of)]
    except exchange.Refused as no:
        if no.status == 409:
            raise exchange.NotDone("an equal refund was made within the hour") from no
        raise


def refunds(payment: Mapping[str, Any], of: str) -> list[Fact]:
    """All refunds Mollie knows of one of our payments, dashboard ones included."""
    return [_refund(each, of) for each in _newest(payment, f"payments/{of}/refunds", "refunds")]


def cancel(payment: Mapping[str, Any]) -> list[Fact]:
    """Let nobody pay this any more, and let go what is held. Refused when a bank is already busy with it."""
    reference = payment["provider_ref"]
    if reference.startswith("pl_"):
        _send(payment, "PATCH", f"payment-links/{reference}", {"archived": True}, f"{payment['payment_id']}.x")
        return [ledger.attempt(reference, "canceled", int(clock.source()), payment["currency"])]
    return of_payment(_send(payment, "DELETE", f"payments/{reference}", None, f"{payment['payment_id']}.c"))


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
        found.append(ledger.attempt(of, "pending", _epoch(made["createdAt"]), currency))
    elif manual and status in ("authorized", "paid"):
        held_at = _epoch(made.get("authorizedAt") or made["createdAt"])
        found.append(ledger.attempt(of, "authorized", held_at, currency, amount))
        if (until := made.get("captureBefore")) and _epoch(until) < clock.source():
            found.append(ledger.attempt(of, "released", _epoch(until), currency))
    found += [_capture(each, of) for each in embedded.get("captures", []) if manual]
    found += [_refund(each, of) for each in embedded.get("refunds", [])]
    found += [_chargeback(each, of) for each in embedded.get("chargebacks", [])]
    return found


def _capture(made: Mapping[str, Any], of: str) -> Fact:
    amount, currency = from_mollie(made["amount"])
    return ledger.capture(made["id"], of, made["status"], _epoch(made["createdAt"]), amount, currency, last=False)


def _refund(made: Mapping[str, Any], of: str) -> Fact:
    amount, currency = from_mollie(made["amount"])
    name = _ours(made).get("refund_id") or made["id"]
    status = _REFUNDS.get(made["status"], "pending")
    return ledger.refund(name, of, status, _epoch(made["createdAt"]), amount, currency, ref=made["id"])


def _chargeback(made: Mapping[str, Any], of: str) -> Fact:
    amount, currency = from_mollie(made["amount"])
    status = "reinstated" if made.get("reversedAt") else "withdrawn"
    return ledger.chargeback(made["id"], of, status, _epoch(made["createdAt"]), amount, currency)


def _ours(made: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = made.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _epoch(text: str) -> int:
    return int(clock.parse(text).timestamp())


# ------------------------------------------------------------------------------------- the wire


def _send(
    payment: Mapping[str, Any], method: str, path: str, body: Mapping[str, Any] | None, key: str
) -> dict[str, Any]:
    headers = _headers(payment) | {"Content-Type": "application/json", "Idempotency-Key": key}
    content = json.dumps(body).encode() if body is not None else None
    return exchange.call(method, f"{_base()}/v2/{path}", headers, content)


def _get(payment: Mapping[str, Any], path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
    asked = f"?{urlencode(query)}" if query else ""
    found = exchange.call("GET", f"{_base()}/v2/{path}{asked}", _headers(payment))
    embedded = [each for kind in found.get("_embedded", {}).values() for each in kind]
    for each in (found, *embedded):
        if each.get("mode") not in (None, "live" if accounts.live() else "test"):
            raise exchange.OtherMode
    return found


def _newest(payment: Mapping[str, Any], path: str, kind: str) -> Iterator[dict[str, Any]]:
    """A list, newest first, at most `_PAGES` pages of it."""
    query: dict[str, Any] = {"limit": 250}
    for _ in range(_PAGES):
        page = _get(payment, path, query)
        yield from page["_embedded"][kind]
        if not page["_links"].get("next"):
            return
        query["from"] = page["_embedded"][kind][-1]["id"]


def _headers(payment: Mapping[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {accounts.key('mollie', payment['account'], 'api_key')}"}


def _base() -> str:
    return os.environ["MOLLIE_API_URL"].rstrip("/")
