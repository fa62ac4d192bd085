"""Whether a webhook is from who it says. Pure, standard library only.

Every check looks at all secrets and all signatures, in constant time, over the bytes as they arrived.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence

WINDOW_S = 300
"""How far a signed time may be from ours, in both directions: an old one may be a replay, a future one a forgery."""

_TIME = re.compile("[0-9]{1,12}")


def stripe(raw: bytes, headers: Iterable[str], secrets: Sequence[str], now: float) -> bool:
    """Whether one of the `Stripe-Signature` headers (`t=..,v1=..[,v1=..]`) fits the body, a secret and the time.

    Repeated headers may arrive joined by a comma: each `t` starts a signature of its own.
    """
    good = False
    for signed_at, signatures in _groups(headers):
        payload = signed_at.encode(errors="replace") + b"." + raw
        fresh = _TIME.fullmatch(signed_at) is not None and abs(now - int(signed_at)) <= WINDOW_S
        good |= _any(signatures, secrets, payload) and fresh
    return good


def mollie(raw: bytes, headers: Iterable[str], secrets: Sequence[str]) -> bool:
    """Whether one of the `X-Mollie-Signature` headers (`sha256=<hex>`, comma-joined while a secret rotates) fits.

    There is no signed time: a replay is only recognised by what it says.
    """
    signatures = [part.strip() for header in headers for part in header.split(",")]
    return _any([one[7:] for one in signatures if one.startswith("sha256=")], secrets, raw)


def _groups(headers: Iterable[str]) -> list[tuple[str, list[str]]]:
    groups: list[tuple[str, list[str]]] = []
    for header in headers:
        for part in header.split(","):
            name, _, value = part.strip().partition("=")
            if name == "t":
                groups.append((value, []))
            elif name == "v1" and groups:
                groups[-1][1].append(value)
    return groups


def _any(signatures: Sequence[str], secrets: Sequence[str], payload: bytes) -> bool:
    good = False
    for secret in filter(None, secrets):  # an empty secret would verify what anybody can sign
        expected = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest().encode()
        for signature in signatures:
            good |= hmac.compare_digest(expected, signature.encode(errors="replace"))
    return good
