"""PaymentIntents and charges of the stand-in Stripe."""

from __future__ import annotations

from typing import Any

from .stripe_account import Account, StripeError, flag, missing, whole
from .stripe_methods import DECLINES, REDIRECTS, allowed_types, check_amount, new_method, resolve_method
from .stripe_money import book
from .wire import Json, words

CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action", "processing")
_CREATE = words(
    "amount automatic_payment_methods capture_method confirm confirmation_method currency customer description"
    " error_on_requires_action expand mandate_data metadata off_session payment_method payment_method_data"
    " payment_method_options payment_method_types receipt_email return_url setup_future_usage shipping"
    " statement_descriptor statement_descriptor_suffix transfer_group use_stripe_sdk"
)


def create(account: Account, params: Json) -> Json:
    """POST /v1/payment_intents"""
    for name in params:
        if name not in _CREATE:
            raise StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    intent = draft(account, params)
    account.emit("payment_intent.created", intent)
    if flag(params.get("confirm")):
        return confirm(account, intent["id"], params)
    return intent


def draft(account: Account, params: Json) -> Json:
    """A checked, stored PaymentIntent of which nobody has been told yet."""
    currency = str(params.get("currency") or "").lower()
    if "amount" not in params:
        raise missing("amount")
    if not currency:
        raise missing("currency")
    if len(currency) != 3 or not currency.isalpha():
        raise StripeError(f"Invalid currency: {currency}.", param="currency")
    amount = check_amount(whole(params["amount"], "amount"), currency)
    manual = params.get("capture_method") == "manual"
    types = allowed_types(params, currency, manual)
    automatic = "payment_method_types" not in params
    given = params.get("payment_method")
    if given:
        given = resolve_method(account, given)["id"]
    intent = account.new(
        "payment_intent",
        {
            "amount": amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": {"allow_redirects": "always", "enabled": True} if automatic else None,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": params.get("capture_method", "automatic_async"),
            "confirmation_method": params.get("confirmation_method", "automatic"),
            "currency": currency,
            "customer": params.get("customer"),
            "description": params.get("description"),
            "last_payment_error": None,
            "latest_charge": None,
            "metadata": params.get("metadata") or {},
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": given,
            "payment_method_options": params.get("payment_method_options") or {},
            "payment_method_types": types,
            "processing": None,
            "receipt_email": params.get("receipt_email"),
            "review": None,
            "setup_future_usage": params.get("setup_future_usage"),
            "shipping": params.get("shipping"),
            "source": None,
            "statement_descriptor": params.get("statement_descriptor"),
            "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
            "status": "requires_confirmation" if given else "requires_payment_method",
            "transfer_data": None,
            "transfer_group": params.get("transfer_group"),
        },
    )
    intent["client_secret"] = f"{intent['id']}_secret_{account.ids()}"
    return intent


def unexpected(intent: Json, message: str) -> StripeError:
    return StripeError(message, code="payment_intent_unexpected_state", executed=True, payment_intent=_shown(intent))


def _shown(intent: Json) -> Json:
    return {name: value for name, value in intent.items() if not name.startswith("_")}


def confirm(account: Account, intent_id: str, params: Json) -> Json:
    """POST /v1/payment_intents/{id}/confirm"""
    intent = account.get("payment_intent", intent_id, "intent")
    if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        raise unexpected(
            intent,
            f"You cannot confirm this PaymentIntent because it has already {_ended(intent)}.",
        )
    if name := params.get("payment_method"):
        intent["payment_method"] = resolve_method(account, name)["id"]
    elif data := params.get("payment_method_data"):
        intent["payment_method"] = new_method(account, data)["id"]
    if not intent["payment_method"]:
        raise StripeError(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
            payment_intent=_shown(intent),
        )
    method = account.get("payment_method", intent["payment_method"])
    if method["type"] not in intent["payment_method_types"]:
        raise StripeError(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent.",
            code="payment_intent_incompatible_payment_method",
            param="payment_method",
        )
    if method["type"] in REDIRECTS or method["_behaves"] in (
        "pm_card_authenticationRequired",
        "pm_card_threeDSecure2Required",
    ):
        return _ask_redirect(account, intent, params)
    if decline := DECLINES.get(method["_behaves"]):
        fail(account, intent, decline)
        error = intent["last_payment_error"]
        raise StripeError(
            error["message"],
            status=402,
            type_="card_error",
            code="card_declined",
            executed=True,
            decline_code=decline,
            charge=intent["latest_charge"],
            payment_intent=_shown(intent),
        )
    return settle(account, intent)


def _ended(intent: Json) -> str:
    return "succeeded after being previously confirmed" if intent["status"] == "succeeded" else str(intent["status"])


def _ask_redirect(account: Account, intent: Json, params: Json) -> Json:
    back = params.get("return_url") or intent.get("_return_url")
    if not back:
        raise StripeError(
            "You must provide a `return_url` when confirming using a payment method that redirects.",
            code="parameter_missing",
            param="return_url",
        )
    intent["_return_url"] = back
    intent["status"] = "requires_action"
    intent["next_action"] = {
        "type": "redirect_to_url",
        "redirect_to_url": {"url": f"{account.public_url}/pay/{intent['id']}", "return_url": back},
    }
    account.emit("payment_intent.requires_action", intent)
    return intent


def settle(account: Account, intent: Json, pay_as: str | None = None) -> Json:
    """The shopper's bank said yes: charge now, or hold the amount when capture is manual."""
    if pay_as:
        intent["payment_method"] = (
            resolve_method(account, pay_as) if pay_as.startswith("pm_") else new_method(account, {"type": pay_as})
        )["id"]
    method = account.get("payment_method", intent["payment_method"])
    manual = intent["capture_method"] == "manual"
    charge = _charge(account, intent, method, {"status": "succeeded", "paid": True, "captured": not manual})
    intent.update(next_action=None, last_payment_error=None, latest_charge=charge["id"])
    if manual:
        held_s = 2 * 86400 if method["type"] == "card_present" else 7 * 86400
        details = charge["payment_method_details"].setdefault(method["type"], {})
        details["capture_before"] = account.now() + held_s
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
        account.timers.at(account.clock() + held_s, "hold_expires", intent["id"])
        account.emit("charge.succeeded", charge)
        account.emit("payment_intent.amount_capturable_updated", intent)
        return intent
    charge.update(
        amount_captured=intent["amount"], balance_transaction=book(account, "charge", charge, intent["amount"])
    )
    intent.update(status="succeeded", amount_received=intent["amount"])
    account.emit("charge.succeeded", charge)
    account.emit("payment_intent.succeeded", intent)
    if method["_behaves"] == "pm_card_createDispute":
        account.timers.at(account.clock() + 1, "dispute", charge["id"])
    return intent


def process(account: Account, intent_id: str) -> Json:
    """The shopper paid by a debit of a bank account: it succeeds or fails in some days."""
    intent = account.get("payment_intent", intent_id, "intent")
    if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        raise unexpected(intent, f"This PaymentIntent is {intent['status']}.")
    intent.update(status="processing", next_action=None, last_payment_error=None)
    account.emit("payment_intent.processing", intent)
    return intent


def fail(account: Account, intent: Json, reason: str) -> Json:
    """The attempt failed; the PaymentIntent waits for another payment method, as at Stripe."""
    method = account.objects["payment_method"].get(intent["payment_method"] or "")
    message = {"insufficient_funds": "Your card has insufficient funds."}.get(reason, "Your card was declined.")
    error: Json = {"type": "card_error", "code": "card_declined", "decline_code": reason, "message": message}
    if method is not None and method["type"] in REDIRECTS:
        error = {
            "type": "invalid_request_error",
            "code": "payment_intent_payment_attempt_failed",
            "message": "The payment failed: the customer did not complete it.",
        }
    elif method is not None:
        attempt = {"status": "failed", "paid": False, "captured": False}
        attempt |= {"failure_code": "card_declined", "failure_message": message}
        charge = _charge(account, intent, method, attempt)
        intent["latest_charge"] = error["charge"] = charge["id"]
        account.emit("charge.failed", charge)
    error["payment_method"] = account.public(method) if method else None
    intent.update(status="requires_payment_method", next_action=None, payment_method=None, last_payment_error=error)
    account.emit("payment_intent.payment_failed", intent)
    return intent


def _charge(account: Account, intent: Json, method: Json, outcome: Json) -> Json:
    return account.new(
        "charge",
        {
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "balance_transaction": None,
            "billing_details": method["billing_details"],
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_code": None,
            "failure_message": None,
            "metadata": dict(intent["metadata"]),
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {"type": method["type"], method["type"]: dict(method.get(method["type"]) or {})},
            "receipt_url": None,
            "refunded": False,
            **outcome,
        },
    )


def capture(account: Account, intent_id: str, params: Json) -> Json:
    """POST /v1/payment_intents/{id}/capture. What is not captured is released: it shows as refunded on the charge.

    Its metadata goes to the PaymentIntent; a capture that is refused leaves none.
    """
    intent = account.get("payment_intent", intent_id, "intent")
    if intent["status"] != "requires_capture":
        raise unexpected(
            intent,
            "This PaymentIntent could not be captured because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be captured: "
            "requires_capture.",
        )
    amount = whole(params.get("amount_to_capture", intent["amount_capturable"]), "amount_to_capture")
    if amount < 1:
        raise StripeError("Invalid amount.", code="parameter_invalid_integer", param="amount_to_capture")
    if amount > intent["amount_capturable"]:
        raise StripeError(
            f"The amount_to_capture ({amount}) is greater than amount_capturable ({intent['amount_capturable']}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    charge = account.get("charge", intent["latest_charge"])
    released = charge["amount"] - amount
    merge_metadata(intent, params.get("metadata"))
    charge.update(captured=True, amount_captured=amount, amount_refunded=released)
    charge["balance_transaction"] = book(account, "charge", charge, amount)
    intent.update(status="succeeded", amount_received=amount, amount_capturable=0)
    account.emit("charge.captured", charge)
    if released:
        account.emit("charge.refunded", charge, {"amount_refunded": 0})
    account.emit("payment_intent.succeeded", intent)
    return intent


def cancel(account: Account, intent_id: str, params: Json) -> Json:
    """POST /v1/payment_intents/{id}/cancel. A hold is released: the charge shows it as refunded."""
    intent = account.get("payment_intent", intent_id, "intent")
    if intent["status"] not in CANCELABLE:
        raise unexpected(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. "
            f"Only a PaymentIntent with one of the following statuses may be canceled: {', '.join(CANCELABLE)}.",
        )
    if intent["status"] == "requires_capture":
        charge = account.get("charge", intent["latest_charge"])
        charge.update(refunded=True, amount_refunded=charge["amount"])
        account.emit("charge.refunded", charge, {"amount_refunded": 0, "refunded": False})
    intent.update(
        status="canceled",
        canceled_at=account.now(),
        amount_capturable=0,
        next_action=None,
        cancellation_reason=params.get("cancellation_reason"),
    )
    account.emit("payment_intent.canceled", intent)
    return intent


def update(account: Account, intent_id: str, params: Json) -> Json:
    """POST /v1/payment_intents/{id}: metadata (merged, an empty value removes), description, amount before payment."""
    intent = account.get("payment_intent", intent_id, "intent")
    if "amount" in params:
        if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
            raise unexpected(intent, f"The amount cannot be changed when the status is {intent['status']}.")
        intent["amount"] = check_amount(whole(params["amount"], "amount"), intent["currency"])
    merge_metadata(intent, params.get("metadata"))
    for name in ("description", "receipt_email", "customer"):
        if name in params:
            intent[name] = params[name] or None
    return intent


def merge_metadata(thing: Json, changes: Any) -> None:
    for key, value in (changes or {}).items():
        thing["metadata"].pop(key, None)
        if value != "":
            thing["metadata"][key] = value
