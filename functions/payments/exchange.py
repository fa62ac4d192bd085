"""One request to a provider, and how it ended: done, refused, or nobody knows.

Refused is only what the provider documents as a refusal of the business, by a list of its own (`refusals`). Everything
else that is no success leaves open what the provider did: a conflict, a timeout, a rate, a key of ours that it does not
take, an answer that cannot be read. What has an unknown outcome is asked about, or sent again under the same key as
long as the provider remembers that key. It is never concluded, and never sent under a new key.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from commerce import web

Refusal = Callable[[int, Mapping[str, Any]], str | None]
"""Status and answer -> the short reason of a documented refusal, or None if the outcome is not known."""


_WAIT_S: ContextVar[float] = ContextVar("wait", default=8.0)
"""How long an answer is waited for."""


@dataclass
class Refused(Exception):
    """The provider said no. `code` is its short reason, never its whole answer."""

    code: str

    def __str__(self) -> str:
        return f"refused: {self.code}"


class NotDone(Exception):
    """The request never left, or it was a question without an answer: nothing happened there."""


class Unknown(Exception):
    """It may have happened."""


class Missing(Exception):
    """There is nothing under the address that was read (or not for this key)."""


class OtherMode(Missing):
    """What the provider showed is play money in a stack that takes real money, or the other way round: not ours."""


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Within this, an answer is waited for only so long."""
    token = _WAIT_S.set(seconds)
    try:
        yield
    finally:
        _WAIT_S.reset(token)


def read(url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Ask, which changes nothing there. Raises Missing or NotDone."""
    try:
        answer = web.send("GET", url, headers, None, _WAIT_S.get())
    except (web.Unreachable, web.UnknownOutcome) as error:
        raise NotDone(str(error)) from error
    if answer.status in (404, 410):
        raise Missing(f"status {answer.status}")
    content = _content(answer.body)
    if answer.status >= 300 or content is None:
        raise NotDone(f"status {answer.status}")
    return content


def send(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    refusal: Refusal,
) -> dict[str, Any]:
    """Have something done. Raises Refused, Unknown, or NotDone if the request never left."""
    try:
        answer = web.send(method, url, headers, body, _WAIT_S.get())
    except web.Unreachable as error:
        raise NotDone(str(error)) from error
    except web.UnknownOutcome as error:
        raise Unknown("no answer") from error
    content = _content(answer.body)
    if answer.status < 300 and content is not None:
        return content
    code = refusal(answer.status, content or {})
    if code:
        raise Refused(code[:64])
    raise Unknown(f"status {answer.status}")


@contextmanager
def understood(error: type[Exception] = Unknown) -> Iterator[None]:
    """Around reading an answer: one that does not say what it should leaves open what was done."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as wrong:
        raise error("an answer that says something else") from wrong


def _content(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body or b"{}")
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
