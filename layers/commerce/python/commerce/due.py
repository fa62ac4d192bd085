"""Nothing can be stuck: every unfinished item is in a sparse index under the moment it must be looked at."""

import zlib
from collections.abc import Iterator
from typing import Any

from commerce import aws, clock
from commerce.items import from_item, to_attribute

SHARDS = 16
"""Spread, because a throttled index would throttle its table."""


def fields(key: str, at: str) -> dict[str, str]:
    """The two attributes that put an item into the index until `at` (ISO time)."""
    return {"due_shard": f"{zlib.crc32(key.encode()) % SHARDS:x}", "due": at}


SET = "due_shard = :due_shard, due = :due"
REMOVE = "due_shard, due"


def values(key: str, at: str) -> dict[str, str]:
    """The expression values that go with `SET`."""
    return {f":{name}": value for name, value in fields(key, at).items()}


def find(table: str, *, limit: int = 200) -> Iterator[dict[str, Any]]:
    """Keys of what is due by now, oldest first within a shard. A hint only: the write's condition decides."""
    until = clock.iso()
    for shard in range(SHARDS):
        start: dict[str, Any] = {}
        left = limit
        while left > 0:
            answer = aws.client("dynamodb").query(
                TableName=aws.table(table),
                IndexName="due",
                KeyConditionExpression="due_shard = :shard AND due <= :until",
                ExpressionAttributeValues={":shard": to_attribute(f"{shard:x}"), ":until": to_attribute(until)},
                Limit=left,
                **start,
            )
            for raw in answer["Items"]:
                yield from_item(raw) or {}
            left -= len(answer["Items"])
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
