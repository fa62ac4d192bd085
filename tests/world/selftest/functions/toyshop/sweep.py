"""The clock: count the orders that are still open."""

import os
from typing import Any

from commerce import aws


def handler(event: dict[str, Any], context: Any) -> int:
    """How many orders are due."""
    answer = aws.client("dynamodb").query(
        TableName=os.environ["TOY_TABLE"],
        IndexName="due",
        KeyConditionExpression="due_shard = :zero",
        ExpressionAttributeValues={":zero": {"S": "0"}},
    )
    return len(answer["Items"])
