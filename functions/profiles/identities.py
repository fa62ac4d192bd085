"""What people are found by, in one spelling each. Pure; errors never repeat what was sent."""

import re
import unicodedata
import uuid
from collections.abc import Callable
from typing import Literal

from commerce import ids

Kind = Literal["email", "phone", "loyalty_card", "account", "device", "receipt"]

CALLING_CODES = {
    "AT": "43", "BE": "32", "CH": "41", "CZ": "420", "DE": "49", "DK": "45", "ES": "34", "FI": "358", "FR": "33",
    "GB": "44", "IE": "353", "IT": "39", "LU": "352", "NL": "31", "NO": "47", "PL": "48", "PT": "351", "SE": "46",
}  # fmt: skip
"""Where a number written with one leading zero belongs, by country of the market."""


def normal(kind: Kind, value: str, country: str = "NL") -> str:
    """The one spelling of an identity: what is stored, indexed, compared. Raises ValueError for an impossible one."""
    if kind == "phone":
        return _phone(value, country)
    return _SPELLINGS[kind](value)


def _email(value: str) -> str:
    """Lower case, NFC, and the domain as DNS knows it, so that `café.nl` and `xn--caf-dma.nl` are one."""
    name, at, domain = unicodedata.normalize("NFC", value.strip()).lower().rpartition("@")
    if not at or not 1 <= len(name) <= 64 or "@" in name or re.search(r"\s", name):
        raise ValueError("not an e-mail address")
    try:
        ascii_domain = domain.encode("idna").decode()
    except UnicodeError:
        raise ValueError("not an e-mail address") from None
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    if len(ascii_domain) > 253 or not re.fullmatch(rf"{label}(\.{label})+", ascii_domain):
        raise ValueError("not an e-mail address")
    return f"{name}@{ascii_domain}"


def _phone(value: str, country: str) -> str:
    """`+31612345678`, from `06-12345678`, `0031 6 12345678` or `+31 (0)6 1234 5678`."""
    plain = value.strip().replace("(0)", "")
    if not re.fullmatch(r"\+?[0-9 ()./-]+", plain):
        raise ValueError("not a phone number")
    digits = re.sub(r"[^0-9]", "", plain)
    if digits.startswith("00"):
        digits = digits[2:]
    elif digits.startswith("0") and not plain.startswith("+"):
        digits = CALLING_CODES.get(country, "") + digits[1:]
    if not 7 <= len(digits) <= 15 or digits.startswith("0"):
        raise ValueError("not a phone number")
    return f"+{digits}"


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
    "email": _email,
    "loyalty_card": _loyalty_card,
    "account": _account,
    "device": _device,
    "receipt": _receipt,
}
