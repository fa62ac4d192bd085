"""The clock's door: move on whatever is due, each item on its own, so that one bad item stops nobody else."""

from collections.abc import Callable
from typing import Any

from commerce import due, events, ids, log

_BATCH = 50


def sweep(table: str, move_on: Callable[[dict[str, Any]], Any]) -> dict[str, int]:
    """Call `move_on(key)` for every due key of a table (`{"pk", "sk", ...}`). Returns how many moved and failed.

    A failed item stays due and is tried again in a minute; `doctor` and an alarm tell when it stays overdue.
    """
    events.Cause.correlation_id, events.Cause.causation_id = ids.new(), ""
    moved = failed = 0
    for key in due.find(table, limit=_BATCH):
        try:
            move_on(key)
            moved += 1
        except Exception as error:  # the next item must still get its turn
            failed += 1
            log.failure("sweep failed", error, table=table)
    log.outcome("sweep", table=table, moved=moved, failed=failed)
    return {"moved": moved, "failed": failed}
