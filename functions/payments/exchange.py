"""One request to a provider, and the three ways it can end badly.

The difference decides what may be done next: what was refused can be told, what was not done can be done again, and
what has an unknown outcome must be asked about, or sent again under the same key, never under a new one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from commerce import web

_NOT_DONE = {401, 403, 429}
"""Our key or our rate: the provider did nothing, and it is not the caller's fault."""


@dataclass
class Refused(Exception):
    """The provider said no. `code` is its short reason, never its whole answer."""

    code: str
    status: int = 400

    def __str__(self) -> str:
        return f"refused: {self.code}"


class OtherMode(Refused):
    """What the provider showed is play money in a stack that takes real money, or the other way round: not ours."""

    def __init__(self) -> None:
        super().__init__("other_mode")


class NotDone(Exception):
    """Nothing happened there: try again later."""


class Unknown(Exception):
    """It may have happened."""


def call(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None = None, timeout: float = 8.0
) -> dict[str, Any]:
    """Send one request and read its JSON. Raises Refused (4xx), NotDone or Unknown; a read that fails is NotDone."""
    try:
        answer = web.send(method, url, headers, body, timeout)
    except web.Unreachable as error:
        raise NotDone(str(error)) from error
    except web.UnknownOutcome as error:
        raise _doubt(method, "no answer") from error
    content = _read(answer.body)
    if answer.status < 300:
        if content is None:
            raise _doubt(method, "unreadable answer")
        return content
    if answer.status in _NOT_DONE:
        raise NotDone(f"status {answer.status}")
    if answer.status >= 500 or (answer.status == 409 and _in_use(content)):
        raise _doubt(method, f"status {answer.status}")
    raise Refused(_code(content), answer.status)


def _doubt(method: str, why: str) -> Exception:
    return NotDone(why) if method == "GET" else Unknown(why)


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body or b"{}")
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _in_use(content: dict[str, Any] | None) -> bool:
    """Stripe is still carrying out an earlier request under the same key."""
    error = (content or {}).get("error")
    return isinstance(error, dict) and error.get("type") in ("idempotency_error", "idempotency_key_in_use")


def _code(content: dict[str, Any] | None) -> str:
    """`card_declined`, `amount_too_small`, ... (Stripe), or the field that was wrong (Mollie)."""
    content = content or {}
    error = content.get("error")
    if isinstance(error, dict):
        return str(error.get("decline_code") or error.get("code") or error.get("type") or "refused")[:64]
    return str(content.get("field") or content.get("title") or "refused")[:64]
