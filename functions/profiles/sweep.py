"""Door: the clock. An erasure that did not finish goes on."""

from typing import Any

from commerce import sweeper
from profiles import erasure, table


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Resume what is due; how many moved and failed."""
    return sweeper.sweep(table.TABLE, lambda key: erasure.resume(key["pk"].removeprefix("ERASURE#")))
