"""Money that moves after a charge: refunds, disputes, balance transactions, and the books of it all."""

from __future__ import annotations

from typing import Any

from .stripe_account import Account, StripeError, missing, whole
from .wire import Json

_REASONS = ("duplicate", "fraudulent", "requested_by_customer")
_COUNTS = ("pending", "requires_action", "succeeded")


def book(account: Account, kind: str, source: Json, amount: int) -> str:
    """A balance transaction of ``amount`` minor units (negative: out), returned as its id. Charges cost a fee."""
    method = (source.get("payment_method_details") or {}).get("type")
    fee = 0
    if kind == "charge":
        fee = 29 if method == "ideal" else 25 + amount * 15 // 1000
    if kind == "adjustment" and amount < 0:
        fee = 2000
    entry = account.new(
        "balance_transaction",
        {
            "amount": amount,
            "available_on": account.now() + 3 * 86400,
            "balance_type": "payments",
            "currency": source["currency"],
            "description": None,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [{"amount": fee, "currency": source["currency"], "type": "stripe_fee"}] if fee else [],
            "net": amount - fee,
            "reporting_category": {"adjustment": "dispute", "refund_failure": "refund_failure"}.get(kind, kind),
            "source": source["id"],
            "status": "pending",
            "type": kind,
        },
    )
    return str(entry["id"])


def refunds_of(account: Account, charge: Json) -> list[Json]:
    return [one for one in account.objects["refund"].values() if one["charge"] == charge["id"]]


def refundable(account: Account, charge: Json) -> int:
    """Captured and not yet (being) refunded, in minor units."""
    taken = sum(one["amount"] for one in refunds_of(account, charge) if one["status"] in _COUNTS)
    return int(charge["amount_captured"] - taken)


def create_refund(account: Account, params: Json) -> Json:
    """POST /v1/refunds. iDEAL and ``pm_card_pendingRefund`` refunds are pending first, cards succeed at once."""
    for name in params:
        if name not in ("payment_intent", "charge", "amount", "reason", "metadata", "expand", "instructions_email"):
            raise StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    charge = _charge_to_refund(account, params)
    if "reason" in params and params["reason"] not in _REASONS:
        raise StripeError(f"Invalid reason: must be one of {', '.join(_REASONS)}", param="reason")
    if charge["disputed"]:
        raise StripeError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
            executed=True,
        )
    left = refundable(account, charge)
    if left == 0:
        raise StripeError(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", executed=True
        )
    amount = whole(params.get("amount", left), "amount")
    if amount < 1:
        raise StripeError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        raise StripeError(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            param="amount",
            executed=True,
        )
    method = account.get("payment_method", charge["payment_method"])
    waits = method["type"] != "card" or method["_behaves"] == "pm_card_pendingRefund"
    refund = account.new(
        "refund",
        {
            "amount": amount,
            "balance_transaction": None,
            "charge": charge["id"],
            "currency": charge["currency"],
            "destination_details": {"type": method["type"]},
            "metadata": params.get("metadata") or {},
            "payment_intent": charge["payment_intent"],
            "reason": params.get("reason"),
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "pending" if waits else "succeeded",
            "transfer_reversal": None,
        },
    )
    del refund["livemode"]  # refunds have none
    refund["balance_transaction"] = book(account, "refund", refund, -amount)
    before = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    _recount(account, charge)
    account.emit("charge.refunded", charge, before)
    account.emit("refund.created", refund)
    if waits:
        account.timers.at(account.clock() + account.refund_delay_s, "refund_settles", refund["id"])
    if method["_behaves"] == "pm_card_refundFail":
        account.timers.at(account.clock() + account.refund_delay_s, "refund_fails", refund["id"])
    return refund


def _charge_to_refund(account: Account, params: Json) -> Json:
    if name := params.get("charge"):
        charge = account.get("charge", name, "charge")
    elif name := params.get("payment_intent"):
        intent = account.get("payment_intent", name, "payment_intent")
        charge = account.objects["charge"].get(intent["latest_charge"] or "", {"captured": False})
    else:
        raise missing("payment_intent")
    if not charge["captured"]:
        raise StripeError(
            f"This PaymentIntent ({name}) does not have a successful charge to refund.",
            param="payment_intent",
            executed=True,
        )
    return charge


def _recount(account: Account, charge: Json) -> None:
    left = refundable(account, charge)
    charge["amount_refunded"] = charge["amount"] - left
    charge["refunded"] = left == 0


def settle_refund(account: Account, refund_id: str) -> Json:
    """A pending refund reaches the shopper."""
    refund = account.get("refund", refund_id)
    if refund["status"] == "pending":
        refund["status"] = "succeeded"
        account.emit("refund.updated", refund, {"status": "pending"})
        account.emit("charge.refund.updated", refund, {"status": "pending"})
    return refund


def fail_refund(account: Account, refund_id: str, reason: str = "lost_or_stolen_card") -> Json:
    """The shopper's bank sent the refund back, even after it had succeeded: the amount is ours again."""
    refund = account.get("refund", refund_id)
    if refund["status"] in ("failed", "canceled"):
        return refund
    before = {"status": refund["status"]}
    refund.update(status="failed", failure_reason=reason)
    refund["failure_balance_transaction"] = book(account, "refund_failure", refund, refund["amount"])
    _recount(account, account.get("charge", refund["charge"]))
    account.emit("refund.failed", refund, before)
    account.emit("refund.updated", refund, before)
    account.emit("charge.refund.updated", refund, before)
    return refund


def open_dispute(account: Account, charge_id: str, amount: int | None = None, reason: str = "fraudulent") -> Json:
    """The shopper disputes a charge: the money and a fee are taken at once."""
    charge = account.get("charge", charge_id)
    if not charge["captured"] or charge["disputed"]:
        raise StripeError(f"Charge {charge_id} cannot be disputed.")
    charge["disputed"] = True
    dispute = account.new(
        "dispute",
        {
            "amount": charge["amount_captured"] if amount is None else amount,
            "balance_transactions": [],
            "charge": charge_id,
            "currency": charge["currency"],
            "evidence": {},
            "evidence_details": {"due_by": account.now() + 7 * 86400, "has_evidence": False, "submission_count": 0},
            "is_charge_refundable": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "status": "needs_response",
        },
    )
    account.emit("charge.dispute.created", dispute)
    _move(account, dispute, -dispute["amount"])
    account.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close_dispute(account: Account, dispute_id: str, won: bool) -> Json:
    dispute = account.get("dispute", dispute_id, "dispute")
    if dispute["status"] in ("won", "lost"):
        raise StripeError(f"This dispute is already closed ({dispute['status']}).", param="dispute", executed=True)
    before = {"status": dispute["status"]}
    dispute["status"] = "won" if won else "lost"
    account.emit("charge.dispute.closed", dispute, before)
    if won:
        _move(account, dispute, dispute["amount"])
        account.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def _move(account: Account, dispute: Json, amount: int) -> None:
    entry = account.get("balance_transaction", book(account, "adjustment", dispute, amount))
    dispute["balance_transactions"].append(account.public(entry))


def books(account: Account) -> Json:
    """What Stripe says happened, per payment and in total: the other side of the ledger check."""
    payments = []
    totals: dict[str, dict[str, int]] = {}
    by_intent = {kind: _by_intent(account, kind) for kind in ("charge", "refund", "dispute")}
    for intent in account.objects["payment_intent"].values():
        charges, refunds, disputes = (found.get(intent["id"], []) for found in by_intent.values())
        sums = {
            "captured": sum(one["amount_captured"] for one in charges),
            "refunded": sum(one["amount"] for one in refunds if one["status"] == "succeeded"),
            "refund_pending": sum(one["amount"] for one in refunds if one["status"] == "pending"),
            "charged_back": sum(one["amount"] for one in disputes if one["status"] != "won"),
            "authorized": intent["amount_capturable"],
        }
        total = totals.setdefault(intent["currency"].upper(), dict.fromkeys(sums, 0))
        for name, value in sums.items():
            total[name] += value
        shown: dict[str, Any] = {name: intent[name] for name in ("id", "status", "amount", "metadata")}
        payments.append({**shown, "currency": intent["currency"].upper(), **sums})
    return {"payments": payments, "totals": totals}


def _by_intent(account: Account, kind: str) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for one in account.objects[kind].values():
        found.setdefault(one["payment_intent"], []).append(one)
    return found
