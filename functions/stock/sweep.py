"""Door: jobs that wait for their time, and those whose worker was lost."""

from typing import Any

from commerce import sweeper
from stock import working


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """The clock, every minute."""
    return sweeper.sweep("STOCK", lambda key: working.step(key["pk"]))
