"""Event patterns: EventBridge rules and event source filters, decided by moto's matcher."""

from __future__ import annotations

from typing import Any

from moto.events.models import EventPattern


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether an event (or a stream record, or a queue message) matches a pattern."""
    return bool(EventPattern("", pattern).matches_event(event))


def matches_any(patterns: tuple[dict[str, Any], ...], event: dict[str, Any]) -> bool:
    """Filters of an event source: one match is enough, no filters let everything through."""
    return not patterns or any(matches(pattern, event) for pattern in patterns)
