"""SQS as an event source: messages that are invisible while handled, come back when they failed, and end in a dead
letter queue after too many receives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infra.intrinsics import REGION
from infra.template_model import Queue, QueueMapping

from .clock import Clock
from .matching import matches_any
from .runtime import InvocationFailed


@dataclass
class Message:
    """One message. `visible_at` is virtual time; `receives` counts deliveries."""

    id: str
    body: str
    sent_at: float
    visible_at: float
    receives: int = 0
    copies: int = 0
    """How many more times it is delivered although it succeeded (duplicate delivery)."""


@dataclass
class LiveQueue:
    """A queue with its messages. Messages that ran out of receives are handed to `bury`."""

    spec: Queue
    mapping: QueueMapping | None
    clock: Clock
    messages: list[Message] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The logical id, as the pump names this source."""
        return self.spec.logical_id

    def visible(self) -> list[Message]:
        """What a receive could get now."""
        return [message for message in self.messages if message.visible_at <= self.clock.now]

    def next_at(self) -> float | None:
        """When something becomes visible that is not now; `None` if nothing waits or nobody consumes."""
        waiting = [message.visible_at for message in self.messages if message.visible_at > self.clock.now]
        return min(waiting, default=None) if self.mapping else None

    def deliver(self, batch: list[Message], invoke: Callable[[str, dict[str, Any]], Any]) -> list[Message]:
        """Hand a batch to the mapped function. Returns the messages that failed; the others are gone.

        A function that raises fails the whole batch. With `ReportBatchItemFailures` an answer with an unknown
        identifier or of another shape fails the whole batch too, as Lambda does.
        """
        assert self.mapping is not None
        for message in batch:
            message.receives += 1
            message.visible_at = self.clock.now + self.spec.visibility
        wanted = [message for message in batch if matches_any(self.mapping.filters, _as_filtered(message))]
        failed: set[str] = set()
        if wanted:
            try:
                answer = invoke(self.mapping.function, {"Records": [self._record(message) for message in wanted]})
                if self.mapping.partial_failures:
                    failed = failed_items(answer, {message.id for message in wanted})
            except InvocationFailed:
                failed = {message.id for message in wanted}
        for message in batch:
            if message.id in failed:
                continue
            if message.copies:
                message.copies -= 1
                message.visible_at = self.clock.now
            else:
                self.messages.remove(message)
        return [message for message in batch if message.id in failed]

    def spent(self) -> list[Message]:
        """Take out the messages that were received too often."""
        if self.spec.max_receives is None:
            return []
        out = [message for message in self.visible() if message.receives >= self.spec.max_receives]
        self.messages = [message for message in self.messages if message not in out]
        return out

    def _record(self, message: Message) -> dict[str, Any]:
        return {
            "messageId": message.id,
            "receiptHandle": f"{message.id}#{message.receives}",
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": str(message.receives),
                "SentTimestamp": str(int(message.sent_at * 1000)),
                "SenderId": "events",
                "ApproximateFirstReceiveTimestamp": str(int(self.clock.now * 1000)),
            },
            "messageAttributes": {},
            "md5OfBody": hashlib.md5(message.body.encode()).hexdigest(),
            "eventSource": "aws:sqs",
            "eventSourceARN": self.spec.arn,
            "awsRegion": REGION,
        }


def _as_filtered(message: Message) -> dict[str, Any]:
    try:
        return {"body": json.loads(message.body)}
    except ValueError:
        return {"body": message.body}


def failed_items(answer: Any, known: set[str]) -> set[str]:
    """The identifiers a partial batch response names. Nothing means success; nonsense means all of them."""
    try:
        named = {failure["itemIdentifier"] for failure in (answer or {}).get("batchItemFailures") or ()}
    except (AttributeError, KeyError, TypeError):
        return set(known)
    return named if named <= known else set(known)
