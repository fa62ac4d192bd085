"""The idempotency marker: part of the business transaction, so a repeat can never act twice.

Key: `REQ#<principal>#<route>#<key>` in the table of the service that acts. It keeps a hash of the request and
what was answered, for a day.
"""

import re
from dataclasses import dataclass, replace
from typing import Any

from commerce import audit, clock, problems, tokens, writes
from commerce.principal import Principal

KEPT_S = 24 * 3600
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True)
class Request:
    """One request that must act once: who, which route, which key, and a hash of everything it asks for.

    `entry` goes into the audit when the request is carried out.
    """

    principal: str
    route: str
    key: str
    body_hash: str
    entry: audit.Entry | None = None

    @property
    def pk(self) -> str:
        return f"REQ#{self.principal}#{self.route}#{self.key}"

    def audited(self, entry: audit.Entry | None) -> "Request":
        """This request, with the entry that is to be kept of it."""
        return replace(self, entry=entry)

    def same(self, marker: dict[str, Any]) -> dict[str, Any]:
        """The marker of an earlier run, if it was the same request. Raises 422 for another request under this key."""
        if marker["body_hash"] != self.body_hash:
            raise reused()
        return marker


def reused() -> problems.Problem:
    """422: a key names one request, and this is another one."""
    return problems.Problem(
        422,
        "idempotency-key-reused",
        "Idempotency-Key was used for another request",
        "Use a new Idempotency-Key for a new request.",
    )


class AlreadyDone(Exception):
    """This request was carried out before. `marker` says what was answered."""

    def __init__(self, marker: dict[str, Any]) -> None:
        super().__init__("already done")
        self.marker = marker


def request(principal: Principal, route: str, key: str | None, asked: Any) -> Request:
    """The identity of a request. Raises 400 without a usable Idempotency-Key."""
    if key is None:
        raise problems.Problem(400, "idempotency-key-missing", "Idempotency-Key is required",
                               "Send an Idempotency-Key header: 1 to 255 visible ASCII characters.")  # fmt: skip
    if not _KEY.fullmatch(key):
        raise problems.Problem(400, "idempotency-key-invalid", "Idempotency-Key is not usable",
                               "An Idempotency-Key is 1 to 255 visible ASCII characters.")  # fmt: skip
    return Request(principal.key, route, key, tokens.digest(asked))


def done(table: str, request: Request, **answer: Any) -> list[writes.Write]:
    """The fragments that mark the request as carried out: what it takes to answer it again, and its audit entry."""
    marker = {"pk": request.pk, "sk": "-", "body_hash": request.body_hash, "ttl": clock.epoch_after(KEPT_S)} | answer
    marked = writes.put(table, marker, refused=lambda old: AlreadyDone(old or {}))
    return [marked, *audit.kept(table, request.entry)]
