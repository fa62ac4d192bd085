"""Secrets live in SSM parameters under `SECRETS_PATH` and are read at most every five minutes."""

import json
import os
from typing import Any

from botocore.exceptions import ClientError

from commerce import aws, clock

_KEPT_S = 300.0
_RENEWED_AFTER_S = 30.0
_cache: dict[str, tuple[float, dict[str, Any] | None]] = {}


def read(name: str) -> dict[str, Any] | None:
    """The JSON secret `name` (`tokens`, `stripe/<account>`, ...), or None if there is none.

    A missing secret is remembered for a shorter time, so that a new account works within seconds.
    """
    now = clock.source()
    kept = _cache.get(name)
    if kept and now - kept[0] < (_KEPT_S if kept[1] is not None else 5.0):
        return kept[1]
    path = f"{os.environ.get('SECRETS_PATH', '/mandje')}/{name}"
    try:
        answer = aws.client("ssm").get_parameter(Name=path, WithDecryption=True)
        value: dict[str, Any] | None = json.loads(answer["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"ParameterNotFound", "ValidationException"}:
            raise
        value = None
    _cache[name] = (now, value)
    return value


def renewed(name: str) -> dict[str, Any] | None:
    """As `read`, but from the store, unless it was read there in the last half minute.

    For a signature that no known secret explains: the secret may just have been rotated. The pause keeps a flood of
    forgeries from becoming a flood of reads.
    """
    kept = _cache.get(name)
    if kept and clock.source() - kept[0] >= _RENEWED_AFTER_S:
        del _cache[name]
    return read(name)


def required(name: str) -> dict[str, Any]:
    """As `read`, but a missing secret is a fault of the installation: it fails closed."""
    value = read(name)
    if value is None:
        raise RuntimeError(f"the secret {name} is not configured")
    return value


def forget() -> None:
    """Drop the cache (tests, and a signature that no known secret explains)."""
    _cache.clear()
