"""The address a Mollie payment reports to: it names our payment, and only we can have made it.

Mollie's classic webhook is an unsigned id, and anybody can post one. So the address carries a token, our payment id
under an HMAC of the stack's token key. A forgery costs that one HMAC: no request to Mollie, no write.
"""

import re

from commerce import tokens

_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,400}")


def of(webhooks: str, account: str, payment_id: str) -> str:
    """The address of one payment; `webhooks` is the base address of our webhooks."""
    token = tokens.sign(_purpose(account), {"payment_id": payment_id})
    return f"{webhooks}/webhooks/mollie/{account}/{token}"


def payment_of(account: str, token: str) -> str | None:
    """The payment that a token of an address names; None if we never made it for this account."""
    made = tokens.read(_purpose(account), token) if _TOKEN.fullmatch(token) else None
    return None if made is None else str(made["payment_id"])


def _purpose(account: str) -> str:
    return f"webhook mollie/{account}"
