"""EventBridge: PutEvents, the rules that match, and the log of everything that was published."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from infra.intrinsics import ACCOUNT, REGION
from infra.template_model import Template

from .clock import Clock
from .matching import matches

MAX_ENTRIES = 10
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Published:
    """One event as the bus took it: the bus name and the EventBridge event."""

    bus: str
    event: dict[str, Any]


class Bus:
    """All buses of the template. `send(queue, body)` delivers to a rule's target."""

    def __init__(self, template: Template, clock: Clock, random: Random, send: Callable[[str, str], None]) -> None:
        self._rules, self._names = template.rules, set(template.buses.values()) | {"default"}
        self._clock, self._random, self._send = clock, random, send
        self.log: list[Published] = []

    def put_events(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        """What PutEvents answers. Entries that are malformed or name no bus are refused one by one."""
        if not 0 < len(entries) <= MAX_ENTRIES:
            raise ValueError(f"PutEvents takes 1 to {MAX_ENTRIES} entries, not {len(entries)}")
        if sum(len(json.dumps(entry).encode()) for entry in entries) > MAX_BYTES:
            raise ValueError("PutEvents: total size of the entries in the request is over the limit")
        answers = [self._put(entry) for entry in entries]
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}

    def _put(self, entry: dict[str, Any]) -> dict[str, str]:
        name = entry.get("EventBusName", "default").rsplit("/", 1)[-1]
        try:
            detail = json.loads(entry.get("Detail", ""))
        except ValueError:
            detail = None
        if name not in self._names:
            return {"ErrorCode": "ResourceNotFoundException", "ErrorMessage": f"Event bus {name} does not exist."}
        if not entry.get("Source") or not entry.get("DetailType") or not isinstance(detail, dict):
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": "Source, DetailType and a JSON Detail are needed."}
        event = {
            "version": "0",
            "id": str(UUID(int=self._random.getrandbits(128), version=4)),
            "detail-type": entry["DetailType"],
            "source": entry["Source"],
            "account": ACCOUNT,
            "time": self._clock.iso(),
            "region": REGION,
            "resources": entry.get("Resources", []),
            "detail": detail,
        }
        self.log.append(Published(name, event))
        self.route(name, event)
        return {"EventId": str(event["id"])}

    def route(self, bus: str, event: dict[str, Any]) -> None:
        """Send an event to the queues of every rule it matches."""
        for rule in self._rules:
            if rule.bus == bus and matches(rule.pattern, event):
                for queue in rule.queues:
                    self._send(queue, json.dumps(event))
