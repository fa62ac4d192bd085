"""Virtual time. Nothing in a world waits: sleeping moves the clock."""

from __future__ import annotations

from datetime import UTC, datetime

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC).timestamp()


class Clock:
    """Epoch seconds that move only when told to."""

    def __init__(self, start: float = START) -> None:
        self.now = start

    def time(self) -> float:
        """The present, for `commerce.clock.source`."""
        return self.now

    def tick(self, seconds: float) -> None:
        """Let time pass without anything else happening (also: what sleeping does here)."""
        self.now += seconds

    def iso(self) -> str:
        """The present as `2026-11-21T10:00:00Z`."""
        return datetime.fromtimestamp(self.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
