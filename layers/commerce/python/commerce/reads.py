"""Reading items: one, many in one request, or a page of a partition. There is no Scan here on purpose."""

from collections.abc import Iterable, Iterator
from typing import Any

from commerce import aws, clock, ids, problems
from commerce.items import from_item, to_attribute, to_item

Key = tuple[str, str]
_BATCH = 100


def get(table: str, key: Key, *, consistent: bool = True) -> dict[str, Any] | None:
    """One item, strongly consistent unless told otherwise."""
    answer = aws.client("dynamodb").get_item(
        TableName=aws.table(table), Key=to_item({"pk": key[0], "sk": key[1]}), ConsistentRead=consistent
    )
    return from_item(answer.get("Item"))


def get_many(wanted: dict[str, Iterable[Key]], *, consistent: bool = True) -> dict[str, dict[Key, dict[str, Any]]]:
    """Items of several tables: `{table: {key: item}}`, missing ones left out. One request per 100 keys.

    Not a snapshot: what must be true together is checked by the write's conditions.
    """
    todo = [(table, key) for table, keys in wanted.items() for key in dict.fromkeys(keys)]
    found: dict[str, dict[Key, dict[str, Any]]] = {table: {} for table in wanted}
    physical = {aws.table(table): table for table in wanted}
    attempts = 0
    while todo:
        batch, todo = todo[:_BATCH], todo[_BATCH:]
        request: dict[str, Any] = {}
        for table, (pk, sk) in batch:
            entry = request.setdefault(aws.table(table), {"Keys": [], "ConsistentRead": consistent})
            entry["Keys"].append(to_item({"pk": pk, "sk": sk}))
        answer = aws.client("dynamodb").batch_get_item(RequestItems=request)
        for name, items in answer["Responses"].items():
            for raw in items:
                item = from_item(raw) or {}
                found[physical[name]][item["pk"], item["sk"]] = item
        left = [
            (physical[name], (key["pk"]["S"], key["sk"]["S"]))
            for name, entry in answer.get("UnprocessedKeys", {}).items()
            for key in entry["Keys"]
        ]
        if left:
            attempts += 1
            if attempts > 5:
                raise problems.busy()
            clock.pause(0.05 * 2**attempts * ids.random_bytes(1)[0] / 255)
        todo = left + todo
    return found


def page(
    table: str,
    hash_value: str,
    *,
    prefix: str = "",
    index: str | None = None,
    hash_name: str = "pk",
    range_name: str = "sk",
    newest_first: bool = False,
    limit: int = 50,
    start: dict[str, Any] | None = None,
    consistent: bool | None = None,
    only: str = "",
    values: dict[str, Any] | None = None,
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """A page of one partition: the items and where the next page starts (None at the end).

    Strongly consistent on the table, eventually on an index (DynamoDB offers no other). `only` is a filter with its
    `values`: `limit` counts what is read and paid for, not what is left.
    """
    request: dict[str, Any] = {
        "TableName": aws.table(table),
        "KeyConditionExpression": "#h = :h" + (" AND begins_with(#r, :r)" if prefix else ""),
        "ExpressionAttributeNames": {"#h": hash_name} | ({"#r": range_name} if prefix else {}),
        "ExpressionAttributeValues": {":h": to_attribute(hash_value)}
        | ({":r": to_attribute(prefix)} if prefix else {}),
        "ScanIndexForward": not newest_first,
        "Limit": limit,
    }
    if index:
        request["IndexName"] = index
    else:
        request["ConsistentRead"] = True if consistent is None else consistent
    if only:
        request["FilterExpression"] = only
        request["ExpressionAttributeValues"] |= {name: to_attribute(value) for name, value in (values or {}).items()}
    if start:
        request["ExclusiveStartKey"] = to_item(start)
    answer = aws.client("dynamodb").query(**request)
    return [from_item(item) or {} for item in answer["Items"]], from_item(answer.get("LastEvaluatedKey"))


def every(table: str, hash_value: str, *, prefix: str = "", consistent: bool = True) -> Iterator[dict[str, Any]]:
    """All items of one partition, page after page."""
    start: dict[str, Any] | None = None
    while True:
        items, start = page(table, hash_value, prefix=prefix, start=start, limit=500, consistent=consistent)
        yield from items
        if start is None:
            return
