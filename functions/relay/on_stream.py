"""The stream door: publish the event each new item version means.

A batch holds records of one table in order. Entries go to the bus ten at a time; at the first one that fails the
batch is given back from there, so nothing after it overtakes it for good and nothing before it is sent again.
Delivery is at least once: the envelope's id (`subject@version`) makes a repeat visible.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from commerce import aws, events, log
from commerce.items import from_attribute

MAX_ENTRIES = 10
"""Entries EventBridge takes in one request."""
MAX_BYTES = 1_000_000
"""Bytes EventBridge takes in one request: just below its 1 MB, as it counts source and type too."""


@dataclass(frozen=True)
class _Outgoing:
    sequence: str
    entry: dict[str, str]
    size: int


class TooLarge(Exception):
    """The bus cannot take this event, however often it is tried: it belongs to the failure destination."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Publish a batch of stream records; returns the partial batch response."""
    records = event["Records"]
    outgoing, failed = _entries(records)
    published = 0
    for group in _groups(outgoing):
        taken = _publish(group)
        published += taken
        if taken < len(group):
            failed = group[taken].sequence
            break
    log.outcome("relay", records=len(records), published=published, given_back=failed)
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}


def _entries(records: list[dict[str, Any]]) -> tuple[list[_Outgoing], str | None]:
    """What to publish, and the record it ends at because that one cannot become an event."""
    outgoing: list[_Outgoing] = []
    for record in records:
        try:
            entry = _entry(record["dynamodb"])
        except Exception as error:
            log.failure("no event can be made of a record", error, event_id=record.get("eventID"))
            return outgoing, record["dynamodb"]["SequenceNumber"]
        if entry:
            outgoing.append(entry)
    return outgoing, None


def _entry(change: dict[str, Any]) -> _Outgoing | None:
    """The bus entry of one change; None if it is no new version or this version means no event."""
    new, old = change.get("NewImage"), change.get("OldImage")
    if not new or "event" not in new or (old and new.get("version") == old.get("version")):
        return None
    told = events.envelope({name: from_attribute(value) for name, value in new.items() if "B" not in value})
    if told is None:
        return None
    entry = {
        "EventBusName": os.environ["BUS_NAME"],
        "Source": told.source,
        "DetailType": told.type,
        "Detail": json.dumps(told.model_dump(exclude_none=True), separators=(",", ":"), ensure_ascii=False),
    }
    size = sum(len(entry[part].encode()) for part in ("Source", "DetailType", "Detail"))
    if size > MAX_BYTES:
        raise TooLarge(told.id)
    return _Outgoing(change["SequenceNumber"], entry, size)


def _groups(outgoing: list[_Outgoing]) -> Iterator[list[_Outgoing]]:
    """As much as one request takes, in order."""
    group: list[_Outgoing] = []
    for each in outgoing:
        if group and (len(group) == MAX_ENTRIES or sum(one.size for one in group) + each.size > MAX_BYTES):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _publish(group: list[_Outgoing]) -> int:
    """How many of the group, from its start, are on the bus without a gap."""
    try:
        answer = aws.client("events").put_events(Entries=[each.entry for each in group])
    except (ClientError, BotoCoreError) as error:
        log.failure("the bus took nothing", error)
        return 0
    for place, result in enumerate(answer["Entries"]):
        if result.get("ErrorCode"):
            return place
    return len(group)
