"""The outbox: each new OUT# item is published and then deleted."""

import os
from typing import Any

import toyshop
from commerce import aws
from toyshop import key, publish


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Publish first, delete after; a failure stops the batch there."""
    for record in event["Records"]:
        order = record["dynamodb"]["NewImage"]["order"]["S"]
        number = record["dynamodb"]["SequenceNumber"]
        try:
            if toyshop.MISTAKE == "delete_before_publish":
                if "Item" not in _read(order):
                    continue
                _delete(order)
                publish(order)
            else:
                publish(order)
                _delete(order)
        except Exception:
            if toyshop.MISTAKE == "swallow_failures":
                continue
            return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def _read(order: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.client("dynamodb").get_item(TableName=os.environ["TOY_TABLE"], Key=key(f"OUT#{order}"))
    return found


def _delete(order: str) -> None:
    aws.client("dynamodb").delete_item(TableName=os.environ["TOY_TABLE"], Key=key(f"OUT#{order}"))
