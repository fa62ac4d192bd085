"""DynamoDB streams as an event source: ordered per item, a failing batch blocks its shard until it succeeds, is split,
or runs out of retries and leaves a note in the failure destination."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infra.intrinsics import REGION
from infra.template_model import StreamMapping, Table

from . import units
from .clock import Clock
from .matching import matches_any
from .queues import failed_items
from .runtime import InvocationFailed
from .store import Change

RECORD_LIFE = 86_400
RETRY_AFTER = 1.0
SHARDS = 4


def record(change: Change, number: int, clock: Clock) -> dict[str, Any]:
    """The stream record of a change, with the images the table's view type keeps."""
    table, present = change.table, change.new or change.old or {}
    view = table.stream or ""
    images: dict[str, Any] = {}
    if change.new is not None and view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        images["NewImage"] = _as_json(change.new)
    if change.old is not None and view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
        images["OldImage"] = _as_json(change.old)
    key_names = [table.hash_key, *([table.range_key] if table.range_key else [])]
    service = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}
    return {
        **(service if change.by_service else {}),
        "eventID": f"{number:032x}",
        "eventName": "INSERT" if change.old is None else "REMOVE" if change.new is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {
            "ApproximateCreationDateTime": clock.now,
            "Keys": {name: present[name] for name in key_names},
            **images,
            "SequenceNumber": f"{number:021d}",
            "SizeBytes": units.size(change.new) + units.size(change.old),
            "StreamViewType": view,
        },
        "eventSourceARN": f"{table.arn}/stream/2026-01-01T00:00:00.000",
    }


def _as_json(value: Any) -> Any:
    """An image as a function receives it: binary values as base64 text."""
    if isinstance(value, dict):
        return {key: _as_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_as_json(member) for member in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


@dataclass
class Entry:
    """A record waiting in a shard."""

    record: dict[str, Any]
    written_at: float

    @property
    def number(self) -> str:
        """The sequence number, which partial batch responses name."""
        return str(self.record["dynamodb"]["SequenceNumber"])


@dataclass
class Shard:
    """One ordered part of a stream as one mapping reads it. `limit` is how many records a bisected retry may take."""

    name: str
    table: Table
    mapping: StreamMapping
    clock: Clock
    entries: list[Entry] = field(default_factory=list)
    attempts: int = 0
    limit: int = 0
    ready_at: float = 0.0
    copies: int = 0

    def deliver(
        self, size: int, invoke: Callable[[str, dict[str, Any]], Any], give_up: Callable[[list[Entry]], None]
    ) -> bool:
        """Hand over up to `size` records from the front. True if the shard moved on."""
        batch = self.entries[: min(size, self.mapping.batch_size, self.limit or size)]
        done = self._handled(batch, invoke)
        if done:
            if self.copies:  # duplicate delivery: the same batch once more although it succeeded
                self.copies -= 1
                return True
            self._advance(done)
        if done == len(batch):
            return True
        # The rest failed: again later, in halves if the mapping bisects, until the retries or the record's life end.
        self.attempts += 1
        rest = self.entries[: len(batch) - done]
        expired = rest[0].written_at + RECORD_LIFE < self.clock.now
        if self.mapping.bisect and len(rest) > 1:
            self.limit, self.attempts = max(1, len(rest) // 2), 0
        elif expired or 0 <= self.mapping.retries < self.attempts:
            give_up(rest)
            self._advance(len(rest))
            return True
        self.ready_at = self.clock.now + RETRY_AFTER
        return False

    def _handled(self, batch: list[Entry], invoke: Callable[[str, dict[str, Any]], Any]) -> int:
        """How many records from the front of the batch are done with."""
        wanted = [entry for entry in batch if matches_any(self.mapping.filters, entry.record)]
        if not wanted:
            return len(batch)
        try:
            answer = invoke(self.mapping.function, {"Records": [entry.record for entry in wanted]})
        except InvocationFailed:
            return 0
        if not self.mapping.partial_failures:
            return len(batch)
        failed = failed_items(answer, {entry.number for entry in wanted})
        # Lambda resumes at the lowest failed sequence number: later successes are delivered again.
        return next((place for place, entry in enumerate(batch) if entry.number in failed), len(batch))

    def _advance(self, count: int) -> None:
        del self.entries[:count]
        self.attempts = self.limit = 0


def shard_of(entry: dict[str, Any]) -> int:
    """Records of one partition key always share a shard."""
    keys = entry["dynamodb"]["Keys"]
    return zlib.crc32(repr(next(iter(keys.values()))).encode()) % SHARDS
