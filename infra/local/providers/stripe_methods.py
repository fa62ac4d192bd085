"""What can be paid with at the stand-in Stripe: payment methods, their test behaviour, amounts and currencies."""

from __future__ import annotations

from .stripe_account import Account, StripeError
from .wire import Json

#: test payment method -> what it does. Everything else named ``pm_card_*`` pays.
DECLINES = {
    "pm_card_chargeDeclined": "generic_decline",
    "pm_card_visa_chargeDeclined": "generic_decline",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_visa_chargeDeclinedLostCard": "lost_card",
    "pm_card_chargeDeclinedExpiredCard": "expired_card",
}
REDIRECTS = {"ideal", "bancontact"}
TYPES = {"card", "ideal", "bancontact", "card_present"}
MINIMUM = {"eur": 50, "usd": 50, "gbp": 30, "chf": 50, "sek": 300, "nok": 300, "dkk": 250, "pln": 200, "jpy": 50}
MAXIMUM = 99_999_999


def check_amount(amount: int, currency: str) -> int:
    """``amount`` in Stripe's minor units, within Stripe's bounds for the currency."""
    if amount < 1:
        raise StripeError(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if amount < MINIMUM.get(currency, 1):
        raise StripeError(
            f"Amount must be at least {MINIMUM[currency]} {currency} in minor units",
            code="amount_too_small",
            param="amount",
        )
    if amount > MAXIMUM:
        raise StripeError("Amount must be no more than 999,999.99", code="amount_too_large", param="amount")
    return amount


def allowed_types(params: Json, currency: str, manual: bool) -> list[str]:
    """The payment method types of a new PaymentIntent; those that cannot do the currency or a hold are refused."""
    given = params.get("payment_method_types")
    if given is None:
        return ["card"] + (["ideal", "bancontact"] if currency == "eur" and not manual else [])
    types = list(given) if isinstance(given, list) else [given]
    for one in types:
        if one not in TYPES:
            raise StripeError(
                f"The payment method type provided: {one} is invalid.",
                code="payment_method_unactivated",
                param="payment_method_types",
            )
        if one in REDIRECTS and currency != "eur":
            raise StripeError(
                f"The currency provided ({currency}) is invalid for one or more payment methods on this PaymentIntent.",
                param="currency",
            )
        if one in REDIRECTS and manual:
            raise StripeError(
                f"The payment method `{one}` does not support `capture_method=manual`.", param="capture_method"
            )
    return types


def resolve_method(account: Account, name: str) -> Json:
    """The payment method ``name``. A test one such as ``pm_card_visa`` becomes an object of its own, as at Stripe."""
    if name in account.objects["payment_method"]:
        return account.objects["payment_method"][name]
    if name.startswith("pm_card_"):
        card = {
            "brand": "visa",
            "last4": "4242",
            "exp_month": 12,
            "exp_year": 2034,
            "country": "NL",
            "funding": "credit",
        }
        return new_method(account, {"type": "card", "card": card}, behaves=name)
    raise StripeError(f"No such PaymentMethod: '{name}'", code="resource_missing", param="payment_method")


def new_method(account: Account, params: Json, behaves: str = "") -> Json:
    """POST /v1/payment_methods. Card numbers are refused: hosted pages and terminals are for those."""
    kind = params.get("type")
    if kind not in TYPES:
        raise StripeError("Invalid payment method type", param="type")
    details = dict(params.get(kind) or {})
    if "number" in details:
        raise StripeError("Sending credit card numbers directly to the Stripe API is generally unsafe.", status=402)
    if token := details.pop("token", None):
        behaves = str(token).replace("tok_", "pm_card_", 1)
    return account.new(
        "payment_method",
        {
            "billing_details": {"address": None, "email": None, "name": None, "phone": None},
            "customer": None,
            "metadata": params.get("metadata") or {},
            "type": kind,
            kind: details,
            "_behaves": behaves,
        },
    )
