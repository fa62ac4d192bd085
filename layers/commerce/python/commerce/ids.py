"""Identifiers: UUIDv7 for things, short numbers with a check digit for what people read aloud."""

import os
import uuid
from collections.abc import Callable

from commerce import clock

random_bytes: Callable[[int], bytes] = os.urandom
"""Where randomness comes from. Tests put a seeded source here."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NUMBER_DIGITS = 11
_ACCOUNTS = uuid.UUID("6f1d1f6e-3b55-5d0c-9a4e-6d616e646a65")


def new() -> str:
    """A UUIDv7 (RFC 9562): sorts by creation time, unguessable in its last 74 bits."""
    return uuid7(int(clock.source() * 1000), random_bytes(10))


def uuid7(millis: int, noise: bytes) -> str:
    """The UUIDv7 of a moment (epoch milliseconds) and ten bytes: random, or of a digest to get the same id again."""
    bits = int.from_bytes(noise, "big")
    value = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | (bits >> 62 & 0xFFF) << 64
    value |= 0b10 << 62 | bits & (1 << 62) - 1
    return str(uuid.UUID(int=value))


def new_order_id() -> str:
    """Twelve Crockford base-32 characters, 55 random bits and a check character.

    The order id is the order number without its dashes: being the key, it is unique by the very put that places
    the order, and it still cannot be guessed. See docs/decisions.
    """
    value = int.from_bytes(random_bytes(7), "big") & (1 << 55) - 1
    digits = "".join(_CROCKFORD[value >> 5 * place & 31] for place in reversed(range(_NUMBER_DIGITS)))
    return digits + _check_character(digits)


def order_number(order_id: str) -> str:
    """How people read an order id: `7K2M-9QXD-4TZ0`."""
    return "-".join(order_id[start : start + 4] for start in range(0, len(order_id), 4))


def read_order_id(text: str) -> str | None:
    """The order id a person typed or said: dashes, blanks and case do not matter, I/L read as 1, O as 0.

    None if it cannot be an order number; the check character catches every single wrong character and
    every swap of two neighbours.
    """
    plain = text.upper().replace("-", "").replace(" ", "").translate(str.maketrans("ILO", "110"))
    if len(plain) != _NUMBER_DIGITS + 1 or any(character not in _CROCKFORD for character in plain):
        return None
    return plain if _check_character(plain[:-1]) == plain[-1] else None


def _check_character(digits: str) -> str:
    """ISO 7064 style: a polynomial over GF(32), so one error or one swap of neighbours always shows."""
    check = 0
    for digit in digits:
        check = _times_two(check) ^ _times_two(_CROCKFORD.index(digit))
    return _CROCKFORD[_times_two(check)]


def _times_two(element: int) -> int:
    """Multiply by x in GF(32) with the primitive polynomial x^5 + x^2 + 1."""
    element <<= 1
    return (element ^ 0b100101) if element & 32 else element


def customer_id(issuer: str, subject: str) -> str:
    """The customer id of an account: its subject if that is a UUID, else a UUID of issuer and subject."""
    try:
        return str(uuid.UUID(subject))
    except ValueError:
        return str(uuid.uuid5(_ACCOUNTS, f"{issuer} {subject}"))
