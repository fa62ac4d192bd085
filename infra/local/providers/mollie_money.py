"""Refunds, captures and chargebacks of the stand-in Mollie, and its books."""

from __future__ import annotations

from typing import Any

from .mollie_account import Account, MollieError, amount, documentation, read_amount
from .wire import Json, iso

_REFUND = ("amount", "description", "metadata", "reverseRouting", "routingReversals", "testmode", "externalReference")
#: Mollie refuses "the same amount on the same payment within the hour"
DUPLICATE_S = 3600
_GONE = ("failed", "canceled")


def captured(account: Account, payment: Json) -> int:
    """Minor units really received: everything once paid, or what was captured of a hold."""
    if payment.get("captureMode"):
        done = account.of_payment("capture", payment["id"])
        return sum(one["_amount"] for one in done if one["status"] == "succeeded")
    return int(payment["_amount"]) if payment["status"] == "paid" else 0


def refunded(account: Account, payment: Json) -> int:
    """Minor units refunded or on their way back."""
    return sum(one["_amount"] for one in account.of_payment("refund", payment["id"]) if one["status"] not in _GONE)


def charged_back(account: Account, payment: Json) -> int:
    return sum(one["_amount"] for one in account.of_payment("chargeback", payment["id"]) if not one["reversedAt"])


def create_refund(account: Account, payment_id: str, body: Json) -> Json:
    """POST /v2/payments/{id}/refunds"""
    payment = account.get("payment", payment_id)
    for name in body:
        if name not in _REFUND:
            raise MollieError(422, f'Non-existent body parameter "{name}" for this API call.', name)
    minor, currency = read_amount(body.get("amount"))
    if not isinstance(body.get("description"), str) or not body["description"]:
        raise MollieError(422, "The description is required", "description")
    if currency != payment["_currency"]:
        raise MollieError(422, "The currency does not match the payment's currency", "amount.currency")
    left = captured(account, payment) - refunded(account, payment) - charged_back(account, payment)
    if minor > left:
        raise MollieError(422, "The specified amount cannot be refunded", "amount.value")
    recent = account.clock() - DUPLICATE_S
    for one in account.of_payment("refund", payment_id):
        if one["_amount"] == minor and one["_at"] > recent and one["status"] not in _GONE:
            raise MollieError(409, "A duplicate refund has been detected")
    refund = account.child(
        "refund",
        payment,
        {
            "_amount": minor,
            "_currency": currency,
            "_at": account.clock(),
            "description": body["description"],
            "metadata": body.get("metadata"),
            "status": "pending",
        },
    )
    account.timers.at(account.clock() + account.refund_delay_s, "refund_processes", refund["id"])
    return view(account, refund)


def move_refund(account: Account, refund_id: str, status: str) -> Json:
    """Bring a refund on: ``processing``, ``refunded``, or ``failed`` (also after it was refunded)."""
    refund = account.get("refund", refund_id)
    allowed = {"pending": ("processing", "refunded", "failed"), "processing": ("refunded", "failed")}
    allowed["refunded"] = ("failed",)
    if status not in allowed.get(refund["status"], ()):
        return refund
    refund["status"] = status
    if status == "processing":
        account.timers.at(account.clock() + account.refund_delay_s, "refund_arrives", refund_id)
    account.notify(account.get("payment", refund["paymentId"]))
    account.tell(f"refund.{status}", view(account, refund))
    return refund


def cancel_refund(account: Account, payment_id: str, refund_id: str) -> None:
    """DELETE /v2/payments/{id}/refunds/{id}, while it is not being processed. Mollie does not tell of it."""
    refund = child(account, "refund", payment_id, refund_id)
    if refund["status"] not in ("queued", "pending"):
        raise MollieError(422, "The refund cannot be canceled any more")
    refund["status"] = "canceled"


def child(account: Account, kind: str, payment_id: str, object_id: str) -> Json:
    """One refund, capture or chargeback of one payment; another payment's is not found."""
    account.get("payment", payment_id)
    found = account.get(kind, object_id)
    if found["paymentId"] != payment_id:
        raise MollieError(404, f"No {kind} exists with token {object_id}.")
    return found


def create_capture(account: Account, payment_id: str, body: Json) -> Json:
    """POST /v2/payments/{id}/captures: part of a hold, or the rest of it when no amount is given."""
    payment = account.get("payment", payment_id)
    if not payment.get("captureMode") or payment["status"] not in ("authorized", "paid") or payment.get("_released"):
        raise MollieError(422, "The payment has no authorization to capture")
    begun = account.of_payment("capture", payment_id)
    left = payment["_amount"] - sum(one["_amount"] for one in begun if one["status"] != "failed")
    minor, currency = read_amount(body["amount"]) if body.get("amount") else (left, payment["_currency"])
    if currency != payment["_currency"]:
        raise MollieError(422, "The currency does not match the payment's currency", "amount.currency")
    if minor > left or minor == 0:
        raise MollieError(422, "The amount is higher than the maximum", "amount")
    capture = account.child(
        "capture",
        payment,
        {
            "_amount": minor,
            "_currency": currency,
            "description": body.get("description"),
            "metadata": body.get("metadata"),
            "status": "pending",
        },
    )
    account.timers.at(account.clock() + account.refund_delay_s, "capture_succeeds", capture["id"])
    return view(account, capture)


def finish_capture(account: Account, capture_id: str) -> Json:
    """A pending capture succeeds; the first one makes the payment paid."""
    capture = account.get("capture", capture_id)
    payment = account.get("payment", capture["paymentId"])
    if capture["status"] != "pending":
        return capture
    if payment["status"] not in ("authorized", "paid"):
        capture["status"] = "failed"
        return capture
    capture["status"] = "succeeded"
    if payment["status"] == "authorized":
        payment.update(status="paid", paidAt=iso(account.clock()))
    account.notify(payment)
    account.tell("capture.succeeded", view(account, capture))
    return capture


def open_chargeback(
    account: Account, payment_id: str, minor: int | None = None, reason: str = "", fee: int = 0
) -> Json:
    """The shopper's bank takes the money back; `fee` is what is settled beyond the amount."""
    payment = account.get("payment", payment_id)
    left = captured(account, payment) - charged_back(account, payment)
    wanted = left if minor is None else minor
    if not 0 < wanted <= left:
        raise MollieError(422, "There is nothing to charge back")
    chargeback = account.child(
        "chargeback",
        payment,
        {
            "_amount": wanted,
            "_currency": payment["_currency"],
            "_fee": fee,
            "reason": {"code": "AC01", "description": reason or "Account identifier incorrect"},
            "reversedAt": None,
        },
    )
    account.notify(payment)
    account.tell("chargeback.received", view(account, chargeback))
    return chargeback


def close_chargeback(account: Account, chargeback_id: str, won: bool) -> Json:
    """Won: the chargeback is reversed and the shop told. Lost: nothing changes, as at Mollie."""
    chargeback = account.get("chargeback", chargeback_id)
    if won and not chargeback["reversedAt"]:
        chargeback["reversedAt"] = iso(account.clock())
        account.notify(account.get("payment", chargeback["paymentId"]))
        account.tell("chargeback.reversed", view(account, chargeback))
    return chargeback


def view(account: Account, one: Json) -> Json:
    """A refund, capture or chargeback as the API shows it."""
    kind, payment_id = one["resource"], one["paymentId"]
    shown = {name: value for name, value in one.items() if not name.startswith("_")}
    if kind == "chargeback":
        del shown["mode"]
    shown["amount"] = amount(one["_amount"], one["_currency"])
    settled = one["_amount"] if kind == "capture" else -one["_amount"] - one.get("_fee", 0)
    shown["settlementAmount"] = amount(settled, one["_currency"])
    shown["_links"] = {
        "self": account.link(f"payments/{payment_id}/{kind}s/{one['id']}"),
        "payment": account.link(f"payments/{payment_id}"),
        "documentation": documentation(f"get-{kind}"),
    }
    return shown


def books(account: Account) -> Json:
    """What Mollie says happened, in minor units, per payment and in total: the other side of the ledger check."""
    payments = []
    totals: dict[str, dict[str, int]] = {}
    for payment in account.objects["payment"].values():
        refunds = account.of_payment("refund", payment["id"])
        sums = {
            "captured": captured(account, payment),
            "refunded": sum(one["_amount"] for one in refunds if one["status"] == "refunded"),
            "refund_pending": sum(one["_amount"] for one in refunds if one["status"] in ("pending", "processing")),
            "charged_back": charged_back(account, payment),
            "authorized": 0,
        }
        if payment["status"] == "authorized":
            sums["authorized"] = payment["_amount"]
        total = totals.setdefault(payment["_currency"], dict.fromkeys(sums, 0))
        for name, value in sums.items():
            total[name] += value
        shown: dict[str, Any] = {name: payment[name] for name in ("id", "status", "metadata")}
        payments.append({**shown, "amount": payment["_amount"], "currency": payment["_currency"], **sums})
    return {"payments": payments, "totals": totals}
