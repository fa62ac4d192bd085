"""Checkout Sessions of the stand-in Stripe, and its hosted pay pages for sessions and redirecting PaymentIntents."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from . import stripe_intents as intents
from .pages import CHOICES, money, pay_page, result_page
from .stripe_account import Account, StripeError, missing, no_such, whole
from .stripe_methods import check_amount, new_method
from .wire import Json, Reply, Request, redirect, reply_html, words

_CREATE = words(
    "mode line_items success_url cancel_url client_reference_id currency customer customer_email expand expires_at"
    " invoice_creation locale metadata payment_intent_data payment_method_types shipping_options submit_type ui_mode"
    " return_url billing_address_collection payment_method_options adaptive_pricing"
)
_WORDS = {
    "succeeded": ("Paid", "Thank you, the payment is done. You can close this page."),
    "requires_capture": ("Reserved", "The amount is reserved. You can close this page."),
    "canceled": ("Canceled", "This payment was canceled."),
    "complete": ("Paid", "Thank you, the payment is done. You can close this page."),
    "expired": ("Expired", "This page is no longer valid."),
    "open": ("Not paid", "Nothing was paid. You can go back and try again."),
    "requires_payment_method": ("Not paid", "Nothing was paid. You can go back and try again."),
}
_ZERO_DECIMAL = {
    "bif",
    "clp",
    "djf",
    "gnf",
    "jpy",
    "kmf",
    "krw",
    "mga",
    "pyg",
    "rwf",
    "vnd",
    "vuv",
    "xaf",
    "xof",
    "xpf",
}


def create(account: Account, params: Json) -> Json:
    """POST /v1/checkout/sessions with ``mode=payment``. The PaymentIntent is made when the shopper first pays."""
    for name in params:
        if name not in _CREATE:
            raise StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    if params.get("mode") != "payment":
        raise StripeError("Only mode=payment is available on this stand-in.", param="mode")
    if not params.get("success_url"):
        raise missing("success_url")
    lines = [_line(one, at) for at, one in enumerate(params.get("line_items") or [])]
    if not lines:
        raise missing("line_items")
    currencies = {one["currency"] for one in lines}
    if len(currencies) > 1:
        raise StripeError("All line items must have the same currency.", param="line_items")
    currency = currencies.pop()
    total = check_amount(sum(one["amount_total"] for one in lines), currency)
    now = account.now()
    expires = whole(params.get("expires_at", now + 86400), "expires_at")
    if not now + 1800 <= expires <= now + 86400:
        raise StripeError(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", param="expires_at"
        )
    session = account.new(
        "checkout.session",
        {
            "adaptive_pricing": {"enabled": (params.get("adaptive_pricing") or {}).get("enabled", "true") == "true"},
            "amount_subtotal": total,
            "amount_total": total,
            "cancel_url": params.get("cancel_url"),
            "client_reference_id": params.get("client_reference_id"),
            "currency": currency,
            "customer": params.get("customer"),
            "customer_details": None,
            "customer_email": params.get("customer_email"),
            "expires_at": expires,
            "metadata": params.get("metadata") or {},
            "mode": "payment",
            "payment_intent": None,
            "payment_method_types": params.get("payment_method_types")
            or ["card", *(["ideal"] if currency == "eur" else [])],
            "payment_status": "unpaid",
            "status": "open",
            "success_url": params["success_url"],
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "ui_mode": "hosted",
            "_lines": lines,
            "_intent": params.get("payment_intent_data") or {},
        },
    )
    session["url"] = f"{account.public_url}/c/pay/{session['id']}"
    account.timers.at(expires, "session_expires", session["id"])
    return session


def _line(given: Json, at: int) -> Json:
    price = given.get("price_data") or {}
    where = f"line_items[{at}]"
    for name in ("currency", "unit_amount"):
        if name not in price:
            raise missing(f"{where}[price_data][{name}]")
    quantity = whole(given.get("quantity", 1), f"{where}[quantity]")
    unit = whole(price["unit_amount"], f"{where}[price_data][unit_amount]")
    if quantity < 1 or unit < 0:
        raise StripeError("Invalid non-negative integer", code="parameter_invalid_integer", param=where)
    name = (price.get("product_data") or {}).get("name", "")
    if not name:
        raise missing(f"{where}[price_data][product_data][name]")
    return {
        "object": "item",
        "description": name,
        "quantity": quantity,
        "currency": str(price["currency"]).lower(),
        "amount_subtotal": unit * quantity,
        "amount_total": unit * quantity,
    }


def line_items(account: Account, session_id: str) -> Json:
    """GET /v1/checkout/sessions/{id}/line_items"""
    lines = account.get("checkout.session", session_id)["_lines"]
    url = f"/v1/checkout/sessions/{session_id}/line_items"
    return {"object": "list", "url": url, "has_more": False, "data": [dict(one) for one in lines]}


def expire(account: Account, session_id: str) -> Json:
    session = account.get("checkout.session", session_id, "session")
    if session["status"] != "open":
        raise StripeError(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.',
            executed=True,
        )
    session.update(status="expired", url=None)
    account.emit("checkout.session.expired", session)
    return session


def pay(account: Account, session: Json, method: str | None = None) -> Json:
    """The shopper pays on the hosted page."""
    intent = _intent(account, session)
    intents.settle(account, intent, method or session["payment_method_types"][0])
    held = intent["status"] == "requires_capture"
    session.update(status="complete", payment_status="unpaid" if held else "paid", url=None)
    session["customer_details"] = {"email": session["customer_email"], "name": None, "phone": None, "address": None}
    account.emit("checkout.session.completed", session)
    return session


def fail(account: Account, session: Json, reason: str = "generic_decline") -> Json:
    """An attempt on the hosted page is declined; the session stays open for another one."""
    intent = _intent(account, session)
    kind = session["payment_method_types"][0]
    intent["payment_method"] = new_method(account, {"type": kind})["id"]
    intents.fail(account, intent, reason)
    return session


def _intent(account: Account, session: Json) -> Json:
    if session["status"] != "open":
        raise StripeError(f"This session is {session['status']}.")
    if session["payment_intent"]:
        return account.get("payment_intent", session["payment_intent"])
    wanted = {"amount": session["amount_total"], "currency": session["currency"], **session["_intent"]}
    intent = intents.draft(account, {**wanted, "payment_method_types": session["payment_method_types"]})
    session["payment_intent"] = intent["id"]
    account.emit("payment_intent.created", intent)
    return intent


def hosted_page(account: Account, request: Request) -> Reply | None:
    """GET and POST of ``/pay/{payment intent}`` and ``/c/pay/{session}``; None for any other path."""
    *start, thing_id = request.path.strip("/").split("/")
    if start not in (["pay"], ["c", "pay"]):
        return None
    thing = account.objects["payment_intent" if start == ["pay"] else "checkout.session"].get(thing_id)
    if thing is None:
        return reply_html(404, result_page("Stripe (stand-in)", "Not found", "There is no such payment."))
    if request.method == "POST":
        choice = dict(parse_qsl(request.body.decode("utf-8", "replace"))).get("do", "")
        if choice not in dict(CHOICES):
            return reply_html(400, result_page("Stripe (stand-in)", "Not understood", "Please use one of the buttons."))
        if not payable(thing):
            return _after(thing)
        act(account, thing, choice)
        return _after(thing, choice)
    if not payable(thing):
        return _after(thing) if thing["object"] == "checkout.session" else _result(thing)
    amount = thing["amount_total"] if thing["object"] == "checkout.session" else thing["amount"]
    decimals = 0 if thing["currency"] in _ZERO_DECIMAL else 2
    about = ", ".join(one["description"] for one in thing.get("_lines", [])) or thing.get("description") or "Your order"
    method = account.objects["payment_method"].get(thing.get("payment_method") or "")
    kind = method["type"] if method else thing["payment_method_types"][0]
    return reply_html(200, pay_page("Stripe (stand-in)", money(amount, thing["currency"], decimals), about, kind))


def payable(thing: Json) -> bool:
    return thing["status"] in ("open", "requires_action", "requires_payment_method", "requires_confirmation")


def act(account: Account, thing: Json, choice: str, method: str | None = None, reason: str = "generic_decline") -> None:
    """Do to a PaymentIntent or session what a button of its hosted page does."""
    if not payable(thing) and thing["status"] != "processing":
        raise StripeError(f"{thing['id']} is {thing['status']}: nothing can be paid or given up any more.")
    if thing["object"] == "checkout.session":
        if choice == "pay":
            pay(account, thing, method)
        elif choice == "fail":
            fail(account, thing, reason)
        elif choice == "expire":
            expire(account, thing["id"])
        return  # cancel only leads back to the shop: the session stays open, as at Stripe
    if choice == "pay":
        chosen = method or (None if thing["payment_method"] else thing["payment_method_types"][0])
        intents.settle(account, thing, chosen)
    else:
        intents.fail(account, thing, reason if choice == "fail" else choice)


def _after(thing: Json, choice: str = "") -> Reply:
    if thing["object"] == "checkout.session":
        if choice == "cancel" and thing["cancel_url"]:
            return redirect(thing["cancel_url"])
        if thing["status"] == "complete":
            return redirect(thing["success_url"].replace("{CHECKOUT_SESSION_ID}", thing["id"]))
        return _result(thing)
    if not thing.get("_return_url"):
        return _result(thing)
    paid = thing["status"] in ("succeeded", "requires_capture")
    result = {
        "payment_intent": thing["id"],
        "payment_intent_client_secret": thing["client_secret"],
        "redirect_status": "succeeded" if paid else "failed",
    }
    parts = urlsplit(thing["_return_url"])
    query = urlencode([*parse_qsl(parts.query), *result.items()])
    return redirect(urlunsplit(parts._replace(query=query)))


def _result(thing: Json) -> Reply:
    title, text = _WORDS.get(thing["status"], (thing["status"], ""))
    return reply_html(200, result_page("Stripe (stand-in)", title, text))


def session_or_intent(account: Account, thing_id: str) -> Json:
    thing = account.objects["payment_intent"].get(thing_id) or account.objects["checkout.session"].get(thing_id)
    if thing is None:
        raise no_such("payment_intent or checkout session", thing_id)
    return thing
