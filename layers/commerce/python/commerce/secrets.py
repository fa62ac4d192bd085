"""Secrets live in SSM parameters under `SECRETS_PATH` and are read at most every five minutes.

When the parameter store does not answer, a secret that was read before is used for up to a day: a store that is
throttled must not lock everybody out. It is asked again every half minute, and each failure is logged. Only its word
that there is no such secret counts at once.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from commerce import aws, clock, log

_KEPT_S = 300.0
_MISSING_KEPT_S = 5.0
_AGAIN_S = 30.0
"""Between two attempts to renew one secret: a flood of forgeries, or a store that is down, is no flood of reads."""
_STALE_S = 24 * 3600.0
_MOST_MISSING = 100
NOT_READ = (ClientError, BotoCoreError, ValueError, RuntimeError)
"""What `required` raises: the store does not answer, the secret is no JSON, or there is none."""


@dataclass(frozen=True)
class _Kept:
    """A secret (None: there is none), when it was read, and when the store was last asked for it."""

    value: dict[str, Any] | None
    read_at: float
    asked_at: float

    def fresh(self, now: float) -> bool:
        return now - self.read_at < (_MISSING_KEPT_S if self.value is None else _KEPT_S)

    def usable(self, now: float) -> bool:
        """Whether it stands in while the store does not answer."""
        return self.value is not None and now - self.read_at < _STALE_S


_cache: dict[str, _Kept] = {}


def read(name: str) -> dict[str, Any] | None:
    """The JSON secret `name` (`tokens`, `stripe/<account>`, ...), or None if there is none.

    A missing secret is remembered for a shorter time, so that a new account works within seconds. Raises the AWS error
    when the store does not answer and the secret was not read within the last day.
    """
    kept, now = _cache.get(name), clock.source()
    if kept and (kept.fresh(now) or (kept.usable(now) and now - kept.asked_at < _AGAIN_S)):
        return kept.value
    return _renew(name, kept, now)


def renewed(name: str) -> dict[str, Any] | None:
    """As `read`, but from the store, unless it was asked in the last half minute.

    For a signature that no known secret explains: the secret may just have been rotated.
    """
    kept, now = _cache.get(name), clock.source()
    if kept and now - kept.asked_at < _AGAIN_S:
        return kept.value
    return _renew(name, kept, now)


def required(name: str) -> dict[str, Any]:
    """As `read`, but a missing secret is a fault of the installation: it fails closed."""
    value = read(name)
    if value is None:
        raise RuntimeError(f"the secret {name} is not configured")
    return value


def forget() -> None:
    """Drop the cache. For tests."""
    _cache.clear()


def _renew(name: str, kept: _Kept | None, now: float) -> dict[str, Any] | None:
    try:
        value = _ask(name)
    except (ClientError, BotoCoreError, ValueError) as error:  # ValueError: somebody stored what is no JSON
        if kept is None or not kept.usable(now):
            raise
        log.failure("secret not renewed", error, secret=name, age_s=int(now - kept.read_at))
        _cache[name] = _Kept(kept.value, kept.read_at, now)
        return kept.value
    _keep(name, _Kept(value, now, now))
    return value


def _ask(name: str) -> dict[str, Any] | None:
    path = f"{os.environ.get('SECRETS_PATH', '/mandje')}/{name}"
    try:
        answer = aws.client("ssm").get_parameter(Name=path, WithDecryption=True)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"ParameterNotFound", "ValidationException"}:
            return None
        raise
    value: dict[str, Any] = json.loads(answer["Parameter"]["Value"])
    return value


def _keep(name: str, kept: _Kept) -> None:
    """Remember an answer; of names that do not exist only so many, the newest."""
    _cache.pop(name, None)
    _cache[name] = kept
    missing = [each for each, one in _cache.items() if one.value is None]
    for each in missing[:-_MOST_MISSING]:
        del _cache[each]
