"""What producers really publish against schemas, rules and consumers."""

from __future__ import annotations

import json
from typing import Any

from commerce import events
from infra import sam
from infra.template import load
from tests.world import World
from tests.world.doctor_hook import violations
from tests.world.matching import matches

# Told by providers in ways this day does not bring about; the payments journeys do.
ELSEWHERE = {
    "payment.pending", "payment.authorized", "payment.refund_failed", "payment.amount_mismatch",
    "payment.chargeback_opened", "payment.chargeback_closed", "order.refund_due",
}  # fmt: skip


# Named by the contract, published by nobody yet: `payment.captured` tells of a late payment, and checkout decides.
NOT_YET = {"payment.received_late"}


def test_the_day_breaks_nothing(day: World) -> None:
    assert violations(day) == []


def test_nearly_every_event_type_really_happens(day: World) -> None:
    assert {event["type"] for event in day.events()} >= set(events.TYPES) - ELSEWHERE - NOT_YET


def test_every_published_event_keeps_its_schema(day: World) -> None:
    for event in day.events():
        schema = json.loads((sam.ROOT / f"events/schemas/{event['type']}.json").read_text())
        assert event["dataschema"] == f"/events/schemas/{event['type']}.json"
        parsed = events.TYPES[event["type"]].model_validate(event["data"])
        assert parsed.model_dump(exclude_none=True) == event["data"], "says more than its model"
        assert set(schema["required"]) <= set(event["data"])


def test_nothing_personal_is_on_the_bus(day: World) -> None:
    said = json.dumps(day.events())
    for secret in ("Ann", "Bob", "a0@x.nl", "Dam 1", "1012 JS"):
        assert secret not in said


def test_every_rule_asks_for_events_that_exist_and_happen(day: World) -> None:
    published = [each.event for each in day.pump.bus.log]
    for rule in load().rules:
        wanted = set(rule.pattern["detail-type"])
        assert wanted <= set(events.TYPES), rule.name
        seen = {event["detail-type"] for event in published if matches(rule.pattern, event)}
        assert seen >= wanted - ELSEWHERE, rule.name


def test_every_consumer_can_read_whatever_its_rule_lets_through(day: World) -> None:
    """Each matching event once more, alone, to the real consumer: it must succeed, and change nothing any more."""
    template = load()
    consumers = {mapping.queue: mapping.function for mapping in template.queue_mappings}
    before = {name: sorted(map(str, day.items(name))) for name in template.tables}
    for rule in template.rules:
        for published in [each.event for each in day.pump.bus.log]:
            if matches(rule.pattern, published):
                for queue in rule.queues:
                    assert day.invoke(consumers[queue], _batch(published)) == {"batchItemFailures": []}, published
    day.settle()
    assert {name: sorted(map(str, day.items(name))) for name in template.tables} == before


def _batch(event: dict[str, Any]) -> dict[str, Any]:
    record = {
        "messageId": "1", "receiptHandle": "1", "body": json.dumps(event), "attributes": {}, "messageAttributes": {},
        "md5OfBody": "", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:1:q", "awsRegion": "eu-west-1",
    }  # fmt: skip
    return {"Records": [record]}
