"""What people are found by, in one spelling each. Pure; errors never repeat what was sent."""

import re
import uuid
from collections.abc import Callable
from typing import Literal

from commerce import emails, ids, phones
from commerce.text import tidy

Kind = Literal["email", "phone", "loyalty_card", "account", "device", "receipt"]


def normal(kind: Kind, value: str, country: str = "NL") -> str:
    """The one spelling of an identity: what is stored, indexed, compared. Raises ValueError for an impossible one.

    `country`: of a phone number that is written without one.
    """
    value = tidy(value)
    return phones.spelled(value, country) if kind == "phone" else _SPELLINGS[kind](value)


def _loyalty_card(value: str) -> str:
    card = re.sub(r"[\s-]", "", value).upper()
    if not re.fullmatch(r"[A-Z0-9]{4,40}", card):
        raise ValueError("not a card number")
    return card


def _account(value: str) -> str:
    """A customer id, as the authorizer gives it: a UUID."""
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValueError("not a customer id") from None


def _device(value: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{4,200}", value):
        raise ValueError("not a device id")
    return value


def _receipt(value: str) -> str:
    """An order number in any spelling people use, or the number of another till's receipt."""
    receipt = ids.read_order_id(value) or re.sub(r"[\s-]", "", value).upper()
    if not re.fullmatch(r"[A-Z0-9._/]{4,60}", receipt):
        raise ValueError("not a receipt number")
    return receipt


_SPELLINGS: dict[str, Callable[[str], str]] = {
    "email": emails.spelled,
    "loyalty_card": _loyalty_card,
    "account": _account,
    "device": _device,
    "receipt": _receipt,
}
