"""Payments and payment links of the stand-in Mollie."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from .mollie_account import Account, MollieError, amount, decimals, read_amount
from .mollie_money import captured, charged_back, refunded
from .mollie_money import view as view_money
from .pages import money
from .wire import Json, iso, words

#: method -> how long a payment stays open, in seconds
OPEN_S = {
    "ideal": 15 * 60,
    "bancontact": 60 * 60,
    "creditcard": 30 * 60,
    "paypal": 3 * 3600,
    "banktransfer": 12 * 86400,
    "pointofsale": 5 * 60,
    "giftcard": 15 * 60,
}
_EUR_ONLY = {"ideal", "bancontact", "banktransfer", "pointofsale", "giftcard"}
_HOLDS = {"creditcard"}
_HOLD_S = 7 * 86400
_CREATE = words(
    "amount applicationFee billingAddress cancelUrl captureDelay captureMode customerId description dueDate issuer"
    " lines locale metadata method profileId redirectUrl restrictPaymentMethodsToCountry sequenceType"
    " shippingAddress terminalId testmode webhookUrl"
)
_LINK = words(
    "allowedMethods amount applicationFee billingAddress description expiresAt lines minimumAmount profileId"
    " redirectUrl reusable sequenceType shippingAddress testmode webhookUrl"
)


def check_fields(body: Json, known: Set[str]) -> None:
    for name in body:
        if name not in known:
            raise MollieError(422, f'Non-existent body parameter "{name}" for this API call.', name)


def check_text(body: Json, name: str, most: int = 255) -> str:
    text = body.get(name)
    if not isinstance(text, str) or not text.strip():
        raise MollieError(422, f"The {name} is required", name)
    if len(text) > most:
        raise MollieError(422, f"The {name} may not be longer than {most} characters", name)
    return text


def check_url(body: Json, name: str) -> str | None:
    url = body.get(name)
    if url is None or url == "":
        return None
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise MollieError(422, f"The {name} is invalid. URLs must start with http:// or https://.", name)
    return url


def create(account: Account, body: Json, query: str) -> Json:
    """POST /v2/payments"""
    check_fields(body, _CREATE)
    description = check_text(body, "description")
    minor, currency = read_amount(body.get("amount"))
    method = _method(body.get("method"), currency)
    back = check_url(body, "redirectUrl")
    if back is None and method != "pointofsale":
        raise MollieError(422, "The redirect URL is required", "redirectUrl")
    if body.get("sequenceType", "oneoff") != "oneoff":
        raise MollieError(422, "Only oneoff payments are available on this stand-in", "sequenceType")
    terminal = None
    if method == "pointofsale":
        terminal = account.objects["terminal"].get(str(body.get("terminalId")))
        if terminal is None:
            raise MollieError(422, "The terminalId is invalid", "terminalId")
    hold = body.get("captureMode", "automatic")
    if hold not in ("automatic", "manual"):
        raise MollieError(422, "The capture mode is invalid", "captureMode")
    if hold == "manual" and method is not None and method not in _HOLDS:
        raise MollieError(422, f"The method {method} does not support captureMode manual", "captureMode")
    payment = draft(
        account,
        {
            "description": description,
            "_amount": minor,
            "_currency": currency,
            "method": method,
            "metadata": body.get("metadata"),
            "redirectUrl": back,
            "cancelUrl": check_url(body, "cancelUrl"),
            "webhookUrl": check_url(body, "webhookUrl"),
            "locale": body.get("locale"),
            "captureMode": "manual" if hold == "manual" else None,
            "terminalId": terminal["id"] if terminal else None,
        },
    )
    return view(account, payment, query)


def draft(account: Account, content: Json) -> Json:
    """A stored, open payment; it expires by itself."""
    lasts = OPEN_S.get(content["method"] or "", 15 * 60)
    payment = account.new(
        "payment",
        {
            **content,
            "status": "open",
            "expiresAt": iso(account.clock() + lasts),
            "children": {"refund": [], "capture": [], "chargeback": []},
        },
    )
    account.timers.at(account.clock() + lasts, "payment_expires", payment["id"])
    return payment


def _method(given: Any, currency: str) -> str | None:
    methods = given if isinstance(given, list) else [given] if given else []
    for one in methods:
        if not isinstance(one, str) or one not in OPEN_S:
            raise MollieError(422, "The payment method is invalid", "method")
        if one in _EUR_ONLY and currency != "EUR":
            raise MollieError(422, f"The currency {currency} is not supported by the method {one}", "amount.currency")
    return str(methods[0]) if len(methods) == 1 else None


def view(account: Account, payment: Json, query: str = "") -> Json:
    """The payment as the API shows it; ``embed`` and ``include=details.qrCode`` as asked in ``query``."""
    asked = {name: values[0].split(",") for name, values in parse_qs(query).items()}
    minor, currency = payment["_amount"], payment["_currency"]
    names = "resource id mode createdAt status description metadata method redirectUrl cancelUrl webhookUrl locale"
    shown: Json = {name: payment[name] for name in names.split()}
    shown |= {"amount": amount(minor, currency), "sequenceType": "oneoff", "profileId": account.profile_id}
    optional = "captureMode captureBefore terminalId paidAt authorizedAt canceledAt expiredAt failedAt statusReason"
    shown |= {name: payment[name] for name in optional.split() if payment.get(name)}
    status = payment["status"]
    if status in ("open", "pending", "authorized"):
        shown["isCancelable"] = cancelable(payment)
        if status != "authorized":
            shown["expiresAt"] = payment["expiresAt"]
    if status == "paid":
        received = captured(account, payment)
        shown["amountRefunded"] = amount(refunded(account, payment), currency)
        left = received - refunded(account, payment) - charged_back(account, payment)
        shown["amountRemaining"] = amount(max(left, 0), currency)
        shown["settlementAmount"] = amount(received, currency)
        if back := charged_back(account, payment):
            shown["amountChargedBack"] = amount(back, currency)
        shown["details"] = _details(payment)
    if payment.get("captureMode") and status in ("authorized", "paid"):
        shown["amountCaptured"] = amount(captured(account, payment), currency)
    shown["_links"] = _links(account, payment)
    if (
        "details.qrCode" in asked.get("include", [])
        and status == "open"
        and payment["method"] in ("ideal", "bancontact")
    ):
        source = f"{account.public_url}/qr/{payment['id']}.svg"
        shown["details"] = {"qrCode": {"height": 180, "width": 180, "src": source}}
    for kind in ("refund", "capture", "chargeback"):
        if f"{kind}s" in asked.get("embed", []):
            found = [view_money(account, one) for one in account.of_payment(kind, payment["id"])]
            shown.setdefault("_embedded", {})[f"{kind}s"] = found
    return shown


def _details(payment: Json) -> Json | None:
    if payment["method"] in ("ideal", "bancontact", "banktransfer"):
        return {"consumerName": "T. Test", "consumerAccount": "NL53INGB0654422370", "consumerBic": "INGBNL2A"}
    if payment["method"] in ("creditcard", "pointofsale"):
        return {"cardHolder": "T. TEST", "cardNumber": "6787", "cardLabel": "Mastercard", "cardCountryCode": "NL"}
    return None


def _links(account: Account, payment: Json) -> Json:
    where = f"payments/{payment['id']}"
    links = {"self": account.link(where), "dashboard": account.html(f"dashboard/{where}")}
    if payment["status"] == "open":
        if payment["redirectUrl"]:
            links["checkout"] = account.html(f"checkout/{payment['id']}")
        if payment["method"] == "pointofsale":
            links["changePaymentState"] = account.html(f"checkout/{payment['id']}")
    for kind, known in payment["children"].items():
        if known:
            links[f"{kind}s"] = account.link(f"{where}/{kind}s")
    return links


def cancelable(payment: Json) -> bool:
    """Bank redirects cannot be called back once they are open; transfers, terminals and holds can."""
    return payment["status"] == "authorized" or (
        payment["status"] == "open" and payment["method"] in ("banktransfer", "pointofsale")
    )


def cancel(account: Account, payment_id: str) -> Json:
    """DELETE /v2/payments/{id}"""
    payment = account.get("payment", payment_id)
    if not cancelable(payment):
        raise MollieError(422, "The payment cannot be cancelled")
    return move(account, payment, "canceled")


def release(account: Account, payment_id: str) -> None:
    """POST /v2/payments/{id}/release-authorization: what was not captured is given back to the shopper."""
    payment = account.get("payment", payment_id)
    if not payment.get("captureMode") or payment["status"] not in ("authorized", "paid"):
        raise MollieError(422, "The payment has no authorization to release")
    payment["_released"] = True
    if payment["status"] == "authorized":
        move(account, payment, "canceled")


def move(account: Account, payment: Json, status: str, reason: str | None = None) -> Json:
    """Bring a payment to a new status and tell the shop, except for ``pending``, of which Mollie does not tell."""
    if payment["status"] not in ("open", "pending", "authorized") or payment["status"] == status:
        raise MollieError(422, f"The payment is {payment['status']} already")
    if status == "paid" and payment.get("captureMode") and payment["status"] != "authorized":
        status = "authorized"
        payment["captureBefore"] = iso(account.clock() + _HOLD_S)
        account.timers.at(account.clock() + _HOLD_S, "hold_expires", payment["id"])
    payment["status"] = status
    payment[f"{status}At"] = iso(account.clock())
    if status not in ("canceled", "expired") and payment["method"] is None:
        payment["method"] = "ideal" if payment["_currency"] == "EUR" else "creditcard"
    if reason:
        payment["statusReason"] = {"code": reason, "message": f"The payment ended with {reason.replace('_', ' ')}"}
    if status != "pending":
        account.notify(payment)
    account.tell(f"payment.{status}", view(account, payment))
    if status == "paid" and (link := account.objects["payment-link"].get(payment.get("_link", ""))):
        link["paidAt"] = link["paidAt"] or iso(account.clock())
        account.tell("payment-link.paid", view_link(account, link))
    return payment


def create_link(account: Account, body: Json) -> Json:
    """POST /v2/payment-links. Every visitor of the page who pays makes a payment of the link."""
    check_fields(body, _LINK)
    given, until, allowed = body.get("amount"), body.get("expiresAt"), body.get("allowedMethods")
    minor, currency = read_amount(given) if given else (None, None)
    if until is not None and not _readable_time(until):
        raise MollieError(422, "The expiry date is invalid", "expiresAt")
    if allowed is not None and not isinstance(allowed, list):
        raise MollieError(422, "The allowed methods are invalid", "allowedMethods")
    for one in allowed or []:
        _method(one, currency or "EUR")
    link = account.new(
        "payment-link",
        {
            "description": check_text(body, "description"),
            "_amount": minor,
            "_currency": currency,
            "archived": False,
            "redirectUrl": check_url(body, "redirectUrl"),
            "webhookUrl": check_url(body, "webhookUrl"),
            "paidAt": None,
            "expiresAt": until,
            "reusable": bool(body.get("reusable", False)),
            "allowedMethods": allowed,
        },
    )
    return view_link(account, link)


def _readable_time(given: object) -> bool:
    try:
        return datetime.fromisoformat(str(given)).tzinfo is not None
    except ValueError:
        return False


def view_link(account: Account, link: Json) -> Json:
    shown = {name: value for name, value in link.items() if not name.startswith("_")}
    shown["amount"] = amount(link["_amount"], link["_currency"]) if link["_amount"] else None
    shown["profileId"] = account.profile_id
    shown["_links"] = {
        "self": account.link(f"payment-links/{link['id']}"),
        "paymentLink": account.html(f"link/{link['id']}"),
    }
    return shown


def link_open(account: Account, link: Json) -> bool:
    """Whether the link's page still takes a payment."""
    until = link["expiresAt"]
    over = until is not None and datetime.fromisoformat(until).timestamp() <= account.clock()
    return not over and not link["archived"] and (link["reusable"] or not link["paidAt"])


def start_from_link(account: Account, link: Json) -> Json:
    """The payment a visitor of a payment link makes."""
    if not link["_amount"]:
        raise MollieError(422, "A link without an amount cannot be paid on this stand-in", "amount")
    content = {name: link[name] for name in ("description", "_amount", "_currency", "redirectUrl", "webhookUrl")}
    allowed = link["allowedMethods"] or [None]
    content |= {"method": allowed[0], "metadata": None, "cancelUrl": None, "locale": None, "_link": link["id"]}
    return draft(account, content)


def readable(thing: Json) -> str:
    return money(thing["_amount"], thing["_currency"], decimals(thing["_currency"]))
