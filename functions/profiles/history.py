"""The store of what happened: `T#<customer_id>` / `<time>#<event id>`, append-only, each entry an id-only fact.

Entries belong to the customer the event names, whether or not there is a profile yet. Which profile shows them follows
from the accounts a profile has, so merging and unmerging never touch an entry. An event's own key is what makes its
repeat harmless.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

from commerce import aws, inbox, reads, writes
from commerce.items import from_item, to_attribute

TABLE = "PROFILES"


def append(customer_id: str, at: str, event_id: str, entry: dict[str, Any]) -> None:
    """Keep one entry. Raises `inbox.AlreadyHandled` if it is kept already."""
    item = {"pk": f"T#{customer_id}", "sk": f"{at}#{event_id}", "customer_id": customer_id, "at": at} | entry
    try:
        writes.commit(writes.put(TABLE, item, refused=lambda old: inbox.AlreadyHandled(event_id)))
    except writes.Refused as refused:
        raise inbox.AlreadyHandled(event_id) from refused


def newest(customer_ids: Iterable[str], before: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """The newest entries of several customers, and where the next page starts (None at the end).

    One query per customer; a person has one, seldom two or three.
    """
    pages = [_page(customer_id, before, limit + 1) for customer_id in sorted(customer_ids)]
    entries = list(heapq.merge(*pages, key=lambda entry: str(entry["sk"]), reverse=True))[: limit + 1]
    return entries[:limit], entries[limit - 1]["sk"] if len(entries) > limit else None


def forget(customer_id: str, until: str) -> None:
    """Delete a customer's entries up to a moment (ISO time)."""
    for entry in reads.every(TABLE, f"T#{customer_id}"):
        if entry["at"] <= until:
            writes.commit(writes.delete(TABLE, (entry["pk"], entry["sk"]), when=""))


def _page(customer_id: str, before: str | None, limit: int) -> list[dict[str, Any]]:
    condition, values = "pk = :pk", {":pk": to_attribute(f"T#{customer_id}")}
    if before is not None:
        condition, values = f"{condition} AND sk < :before", values | {":before": to_attribute(before)}
    answer = aws.client("dynamodb").query(
        TableName=aws.table(TABLE),
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        ScanIndexForward=False,
        Limit=limit,
        ConsistentRead=True,
    )
    return [from_item(item) or {} for item in answer["Items"]]
