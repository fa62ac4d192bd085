"""The hosted checkout, payment link and QR pages of the stand-in Mollie."""

from __future__ import annotations

from urllib.parse import parse_qsl

from . import mollie_payments as payments
from .mollie_account import Account
from .pages import CHOICES, pay_page, result_page
from .qr import svg
from .wire import Json, Reply, Request, redirect, reply_html

#: button or test door -> the status it leads to
END = {"pay": "paid", "pending": "pending", "fail": "failed", "cancel": "canceled", "expire": "expired"}
_NAME = "Mollie (stand-in)"
_WORDS = {
    "paid": ("Paid", "Thank you, the payment is done. You can close this page."),
    "authorized": ("Reserved", "The amount is reserved. You can close this page."),
    "pending": ("In progress", "Your bank is still working on this payment."),
    "failed": ("Not paid", "The payment failed."),
    "canceled": ("Canceled", "The payment was canceled."),
    "expired": ("Expired", "This payment is no longer valid."),
}


def hosted_page(account: Account, request: Request) -> Reply | None:
    """``/checkout/{payment}``, ``/link/{payment link}`` and ``/qr/{payment}.svg``; None for any other path."""
    place, _, thing_id = request.path.strip("/").partition("/")
    if place == "qr":
        return _qr(account, thing_id.removesuffix(".svg"))
    if place not in ("checkout", "link"):
        return None
    link = account.objects["payment-link"].get(thing_id) if place == "link" else None
    thing = link or account.objects["payment"].get(thing_id)
    if thing is None:
        return reply_html(404, result_page(_NAME, "Not found", "There is no such payment."))
    if link and not payments.link_open(account, link):
        return reply_html(200, result_page(_NAME, "Closed", "This payment link was paid already or has expired."))
    if not link and thing["status"] not in ("open", "pending"):
        return _back(thing)
    if request.method != "POST":
        method = thing.get("method") or "the method of your choice"
        amount = payments.readable(thing) if thing["_amount"] else "an amount"
        return reply_html(200, pay_page(_NAME, amount, thing["description"], method))
    choice = dict(parse_qsl(request.body.decode("utf-8", "replace"))).get("do", "")
    if choice not in dict(CHOICES):
        return reply_html(400, result_page(_NAME, "Not understood", "Please use one of the buttons."))
    payment = payments.start_from_link(account, link) if link else thing
    payments.move(account, payment, END[choice], "insufficient_funds" if choice == "fail" else None)
    return _back(payment)


def _back(payment: Json) -> Reply:
    canceled = payment["cancelUrl"] if payment["status"] == "canceled" else None
    if target := canceled or payment["redirectUrl"]:
        return redirect(target)
    return reply_html(200, result_page(_NAME, *_WORDS[payment["status"]]))


def _qr(account: Account, payment_id: str) -> Reply:
    if payment_id not in account.objects["payment"]:
        return reply_html(404, result_page(_NAME, "Not found", "There is no such payment."))
    picture = svg(f"{account.public_url}/checkout/{payment_id}")
    return 200, {"Content-Type": "image/svg+xml"}, picture.encode()
