"""What an amount looks like at each provider. Explicit tables, no defaults: an unknown currency is refused.

Inside the house an amount is an integer of ISO 4217 minor units. Stripe counts some currencies differently, and Mollie
wants a decimal text with exactly the currency's decimals.
Source: docs.stripe.com/currencies (zero-decimal, three-decimal, special cases), docs.mollie.com (multicurrency).
"""

from decimal import Decimal

from commerce.money import EXPONENTS

_ISO = EXPONENTS | {
    "AED": 2, "ARS": 2, "BHD": 3, "BIF": 0, "BRL": 2, "CLP": 0, "DJF": 0, "GNF": 0, "HKD": 2, "ILS": 2, "INR": 2,
    "IQD": 3, "JOD": 3, "KMF": 0, "KRW": 0, "MGA": 2, "MXN": 2, "MYR": 2, "NZD": 2, "OMR": 3, "PHP": 2, "PYG": 0,
    "RUB": 2, "RWF": 0, "SGD": 2, "THB": 2, "TND": 3, "TRY": 2, "TWD": 2, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0,
    "XOF": 0, "XPF": 0, "ZAR": 2,
}  # fmt: skip
"""ISO 4217 decimals of every currency either provider may name."""

_STRIPE_ZERO = {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
_STRIPE_THREE = {"BHD", "JOD", "KWD", "OMR", "TND"}
_STRIPE_TWO = set(_ISO) - _STRIPE_ZERO - _STRIPE_THREE - {"IQD"}
"""Includes ISK and UGX: no decimals in ISO, yet Stripe wants them times 100."""

STRIPE = dict.fromkeys(_STRIPE_ZERO, 0) | dict.fromkeys(_STRIPE_TWO, 2) | dict.fromkeys(_STRIPE_THREE, 3)
"""Decimals of Stripe's unit, by currency."""

MOLLIE = {
    code: _ISO[code]
    for code in (
        "AED", "AUD", "BGN", "BRL", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "ISK", "JPY", "MXN",
        "MYR", "NOK", "NZD", "PHP", "PLN", "RON", "RUB", "SEK", "SGD", "THB", "TWD", "USD", "ZAR",
    )
}  # fmt: skip
"""Decimals of Mollie's texts, by currency."""


class NotPayable(ValueError):
    """This provider cannot take this amount in this currency."""


def to_stripe(amount: int, currency: str) -> int:
    """ISO minor units as Stripe's unit. Raises NotPayable for a currency or an amount Stripe cannot charge."""
    if currency not in STRIPE:
        raise NotPayable(f"Stripe does not take {currency}")
    if STRIPE[currency] == 3 and amount % 10:
        raise NotPayable(f"Stripe takes {currency} in steps of 10 minor units")
    shift = STRIPE[currency] - _ISO[currency]
    if shift < 0 and amount % 10**-shift:
        raise NotPayable(f"Stripe takes {currency} in whole units only")
    return int(amount * 10**shift if shift >= 0 else amount // 10**-shift)


def from_stripe(units: int, currency: str) -> tuple[int, str]:
    """What Stripe reports, as ISO minor units and an upper-case currency.

    A report is never refused: money that arrived in a currency we do not know is recorded as Stripe counts it.
    """
    code = currency.upper()
    shift = STRIPE.get(code, 2) - _ISO.get(code, 2)
    return (units // 10**shift if shift >= 0 else units * 10**-shift), code


def back_to_stripe(amount: int, currency: str) -> int:
    """What `from_stripe` read, as Stripe counts it: money goes back as it came, whatever its currency."""
    if currency in STRIPE:
        return to_stripe(amount, currency)
    shift = STRIPE.get(currency, 2) - _ISO.get(currency, 2)
    return int(amount * 10**shift if shift >= 0 else amount // 10**-shift)


def back_to_mollie(amount: int, currency: str) -> dict[str, str]:
    """What `from_mollie` read, as Mollie writes it."""
    return {"currency": currency, "value": f"{Decimal(amount).scaleb(-MOLLIE.get(currency, 2)):f}"}


def why_not_back(provider: str, amount: int, currency: str) -> str | None:
    """Why a provider cannot give back this amount; None if it can."""
    try:
        if provider == "stripe":
            back_to_stripe(amount, currency)
    except NotPayable as no:
        return str(no)
    return None


def to_mollie(amount: int, currency: str) -> dict[str, str]:
    """ISO minor units as Mollie's `{"currency": "EUR", "value": "10.00"}`. Raises NotPayable for other currencies."""
    if currency not in MOLLIE:
        raise NotPayable(f"Mollie does not take {currency}")
    return {"currency": currency, "value": f"{Decimal(amount).scaleb(-MOLLIE[currency]):f}"}


def from_mollie(given: dict[str, str]) -> tuple[int, str]:
    """Mollie's amount as ISO minor units and currency. Raises ValueError for a text that is no such amount."""
    code = str(given["currency"])
    minor = Decimal(str(given["value"])).scaleb(MOLLIE.get(code, 2))
    if minor != minor.to_integral_value():
        raise ValueError(f"{given['value']} has more decimals than {code}")
    return int(minor), code
