"""Small signed texts: guest basket tokens, page cursors, price receipts.

HMAC-SHA256 with rotating keys. The purpose is part of what is signed, so a cursor can never pass for a token.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from commerce import clock, problems, secrets


def sign(purpose: str, payload: dict[str, Any]) -> str:
    """`<kid>.<payload>.<signature>`, URL-safe."""
    keys = secrets.required("tokens")
    kid = keys["current"]
    body = _b64(json.dumps(payload, separators=(",", ":"), sort_keys=True).encode())
    return f"{kid}.{body}.{_mac(keys['keys'][kid], purpose, body)}"


def read(purpose: str, token: str) -> dict[str, Any] | None:
    """The payload, or None if the token is not ours, was changed, is for something else or has expired (`exp`)."""
    kid, _, rest = token.partition(".")
    body, _, mac = rest.partition(".")
    key = secrets.required("tokens")["keys"].get(kid)
    if key is None or not hmac.compare_digest(_mac(key, purpose, body).encode(), mac.encode()):
        return None
    payload: dict[str, Any] = json.loads(_unb64(body))
    expired = "exp" in payload and payload["exp"] < clock.source()
    return None if expired else payload


def mark(purpose: str, text: str) -> str:
    """`<kid>.<16 characters>` to recognise a text by without keeping it, for as long as that signing key is kept."""
    keys = secrets.required("tokens")
    kid = keys["current"]
    return f"{kid}.{_mac(keys['keys'][kid], 'mark.' + purpose, text)[:16]}"


def is_marked(purpose: str, text: str, marked: str) -> bool:
    """Whether `marked` is the mark of this text, under whichever key it was made."""
    kid, _, mac = marked.partition(".")
    key = secrets.required("tokens")["keys"].get(kid)
    if key is None:
        return False
    return hmac.compare_digest(_mac(key, "mark." + purpose, text)[:16].encode(), mac.encode())


def cursor(scope: str, start: dict[str, Any] | None) -> str | None:
    """Where the next page starts, for one list of one principal (`scope`); None at the end."""
    return None if start is None else sign("cursor", {"scope": scope, "start": start})


def read_cursor(scope: str, text: str | None) -> dict[str, Any] | None:
    """The start of the page. Raises 422 for a cursor that is not ours or belongs to another list."""
    if text is None:
        return None
    payload = read("cursor", text)
    if payload is None or payload["scope"] != scope:
        raise problems.invalid(["query", "cursor"], "This cursor does not belong to this list.")
    start: dict[str, Any] = payload["start"]
    return start


def digest(value: Any) -> str:
    """A stable hash of JSON-like data: the body hash of idempotency markers."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _mac(key: str, purpose: str, body: str) -> str:
    return _b64(hmac.new(bytes.fromhex(key), f"{purpose}.{body}".encode(), hashlib.sha256).digest()[:24])


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
