"""Time, in one place: UTC only, replaceable by tests, never compared for correctness."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

source: Callable[[], float] = time.time
"""Seconds since the epoch. Tests put a virtual clock here."""

pause: Callable[[float], None] = time.sleep
"""Waits between retries. Tests advance the virtual clock instead."""


def now() -> datetime:
    """The present moment, UTC."""
    return datetime.fromtimestamp(source(), UTC)


def iso(at: datetime | None = None) -> str:
    """`2026-11-21T10:00:00.000Z`: fixed width, so that strings sort like the times they name."""
    at = at or now()
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def after(seconds: float) -> str:
    """The moment `seconds` from now, as `iso` writes it."""
    return iso(now() + timedelta(seconds=seconds))


def epoch_after(seconds: float) -> int:
    """Epoch seconds `seconds` from now: the form DynamoDB's TTL wants."""
    return int(source() + seconds)


def parse(text: str) -> datetime:
    """Read an ISO-8601 time with a zone. Raises ValueError without one: a naive time means nothing here."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"time without a zone: {text}")
    return at.astimezone(UTC)
