"""The clock's door: tells, once per silence, that a filled basket was left alone."""

from typing import Any

from basket import table
from commerce import sweeper


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Look at every basket whose moment came."""
    return sweeper.sweep("BASKET", lambda key: table.look_after(key["pk"], key["sk"]))
