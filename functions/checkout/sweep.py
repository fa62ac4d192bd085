"""The clock's door: orders that are due move on."""

from typing import Any

from checkout import endings
from commerce import sweeper


def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """Move on every order that is due."""
    return sweeper.sweep("ORDERS", lambda key: endings.move_on(key["pk"].removeprefix("O#")))
