"""What each provider documents as its refusal of an operation. Pure.

The only answers that end a request without having done it. Not here on purpose: 401 and 403 (our key), 404 (what we
made ourselves is there), 408, 409, 425, 429, 5xx, and every 400 or 422 whose reason is not listed.
Source: docs.stripe.com/error-codes and the errors of the endpoints; docs.mollie.com/overview/handling-errors (422 names
the `field` that was refused).
"""

from collections.abc import Mapping
from typing import Any

_AMOUNT = {"amount_too_large", "amount_too_small"}
_STRIPE = {
    "start": _AMOUNT
    | {
        "country_unsupported",
        "currency_not_supported",
        "payment_intent_authentication_failure",
        "payment_intent_incompatible_payment_method",
        "payment_intent_payment_attempt_failed",
        "payment_method_currency_mismatch",
        "payment_method_not_available",
        "payment_method_unactivated",
    },
    "capture": _AMOUNT
    | {
        "capture_charge_authorization_expired",
        "capture_unauthorized_payment",
        "charge_already_captured",
        "charge_already_refunded",
        "charge_expired_for_capture",
        "payment_intent_unexpected_state",
    },
    "refund": _AMOUNT
    | {
        "balance_insufficient",
        "charge_already_refunded",
        "charge_disputed",
        "charge_not_refundable",
        "insufficient_funds",
        "refund_disputed_payment",
    },
    "cancel": {"payment_intent_unexpected_state"},
}
_STRIPE_AMOUNTS = {"capture": "amount_to_capture", "refund": "amount"}
"""A wrong amount is refused by its parameter: these errors have no code."""

_MOLLIE_AMOUNT = {"amount", "amount.value", "amount.currency"}
_MOLLIE = {
    "start": _MOLLIE_AMOUNT | {"method", "captureMode", "terminalId", "locale"},
    "capture": _MOLLIE_AMOUNT,
    "refund": _MOLLIE_AMOUNT,
    "cancel": set[str](),
}


def stripe(operation: str, status: int, answer: Mapping[str, Any]) -> str | None:
    """Stripe's reason for refusing an operation (`start`, `capture`, `refund`, `cancel`); None if it did not."""
    error = answer.get("error")
    if status not in (400, 402) or not isinstance(error, Mapping):
        return None
    code, kind = error.get("code"), error.get("type")
    if status == 402:
        declined = operation == "start" and kind == "card_error"
        return str(error.get("decline_code") or code or kind) if declined else None
    if code in _STRIPE[operation]:
        return str(code)
    wrong_amount = kind == "invalid_request_error" and error.get("param") == _STRIPE_AMOUNTS.get(operation, "-")
    return "amount_too_large" if wrong_amount and code is None else None


def mollie(operation: str, status: int, answer: Mapping[str, Any]) -> str | None:
    """The field Mollie refused an operation for; None if it did not."""
    field = answer.get("field")
    return str(field) if status == 422 and field in _MOLLIE[operation] else None
