"""order.placed: count the sale, once per order, and close the order."""

import json
from typing import Any

import toyshop
from toyshop import put_new, update, write


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An inbox marker in the same transaction makes duplicates harmless."""
    failed = []
    for record in event["Records"]:
        order = json.loads(record["body"])["detail"]["order"]
        inbox = put_new(f"IN#{order}", seen="yes")
        sell = update("STOCK", "SET sold = sold + :one", "attribute_exists(pk)", one=1)
        close = update(
            f"ORDER#{order}", "SET sold_as = :sold REMOVE due, due_shard", "attribute_exists(pk)", sold="sold"
        )
        try:
            match toyshop.MISTAKE:
                case "ack_too_early":
                    if write(inbox):
                        write(sell, close)
                case "no_inbox":
                    write(sell, close)
                case "poison":
                    raise ValueError("cannot read this")
                case _:
                    write(inbox, sell, close)
        except Exception:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
