"""I7: every version was published, and nothing was published that no item says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from commerce import events
from infra.doctor.findings import Patient, Violation


def check(patient: Patient, bus_log: Sequence[dict[str, Any]]) -> Iterator[Violation]:
    """The present items against the log of the bus (EventBridge events, oldest first)."""
    published = {event["detail"]["id"] for event in bus_log}
    newest: dict[str, int] = {}
    for table in patient.tables:
        for item in patient.tables[table]:
            said = events.envelope(item)
            if said is None:
                continue
            newest[said.subject] = int(item.get("version", 1))
            if said.id not in published and not patient.under_way(item):
                yield Violation("I7", said.id, f"{said.type} was never published")
    for event in bus_log:
        subject, _, version = event["detail"]["id"].rpartition("@")
        if subject in newest and int(version) > newest[subject]:
            yield Violation("I7", event["detail"]["id"], f"{event['detail-type']} was published, but no item says so")
        if event["detail"]["type"] != event["detail-type"] or event["detail"]["source"] != event["source"]:
            yield Violation("I7", event["detail"]["id"], "envelope and bus disagree about type or source")


def one_meaning_per_version(bus_log: Sequence[dict[str, Any]]) -> Iterator[Violation]:
    """I7: whatever is published twice is the same event."""
    seen: dict[str, dict[str, Any]] = {}
    for event in bus_log:
        first = seen.setdefault(event["detail"]["id"], event["detail"])
        if first["data"] != event["detail"]["data"] or first["type"] != event["detail"]["type"]:
            yield Violation("I7", event["detail"]["id"], "one version was published with two meanings")
