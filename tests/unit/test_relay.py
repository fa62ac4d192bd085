"""The relay publishes each version that means something, in order, and gives back exactly what did not get out."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import EndpointConnectionError

from commerce import aws
from commerce.items import to_item
from relay import on_stream


class Bus:
    """Stands for the EventBridge client; `fails` says which entries (by place over all requests) are refused."""

    def __init__(self):
        self.requests, self.fails, self.dead = [], set(), False

    def put_events(self, Entries):  # noqa: N803 - as boto3 names it
        if self.dead:
            raise EndpointConnectionError(endpoint_url="https://events")
        first = sum(len(request) for request in self.requests)
        self.requests.append(Entries)
        return {"Entries": [self._result(first + place) for place in range(len(Entries))]}

    def _result(self, place):
        return {"ErrorCode": "InternalFailure"} if place in self.fails else {"EventId": str(place)}

    @property
    def details(self):
        return [json.loads(entry["Detail"]) for request in self.requests for entry in request]


@pytest.fixture
def bus(monkeypatch):
    monkeypatch.setenv("BUS_NAME", "mandje-test")
    bus = Bus()
    monkeypatch.setattr(aws, "_clients", {"events": bus})
    return bus


def level(sku="TEE", version=2, **members):
    item = {"pk": f"SKU#{sku}", "sk": "LOC#w", "sku": sku, "location_id": "w", "version": version}
    item |= {"on_hand": 5, "reserved": 1, "safety": 0, "available": 4}
    return item | {"event": {"type": "stock.level_changed", "time": "2026-11-21T10:00:00.000Z"}} | members


def record(sequence, new=None, old=None):
    change = {"SequenceNumber": str(sequence)}
    change |= {"NewImage": to_item(new)} if new else {}
    change |= {"OldImage": to_item(old)} if old else {}
    return {"eventID": f"e{sequence}", "eventSource": "aws:dynamodb", "dynamodb": change}


def relay(*records):
    return on_stream.handler({"Records": list(records)}, None)["batchItemFailures"]


def test_a_new_version_becomes_its_event(bus):
    # WHEN
    failures = relay(record(1, level(version=3), level(version=2)))
    # THEN
    assert failures == []
    entry = bus.requests[0][0]
    assert (entry["EventBusName"], entry["Source"], entry["DetailType"]) == (
        "mandje-test", "mandje.stock", "stock.level_changed",
    )  # fmt: skip
    detail = bus.details[0]
    assert (detail["id"], detail["subject"], detail["specversion"]) == ("stock/TEE/w@3", "stock/TEE/w", "1.0")
    assert detail["data"] == {
        "sku": "TEE", "location_id": "w", "on_hand": 5, "reserved": 1, "safety": 0, "available": 4,
    }  # fmt: skip


def test_what_is_no_new_version_is_not_told_again(bus):
    no_event = {key: value for key, value in level(version=4).items() if key != "event"}
    relay(
        record(1, level() | {"ttl": 1}, level()),  # touched, same version
        record(2, None, level()),  # deleted
        record(3, no_event, level(version=3)),  # a version that means nothing to others
        record(4, {"pk": "REQ#x", "sk": "-", "ttl": 5}),  # no version at all
    )
    assert bus.requests == []


def test_an_append_only_fact_without_version_is_told_once(bus):
    movement = {"pk": "SKU#TEE", "sk": "MOVE#1", "sku": "TEE", "location_id": "w", "movement_id": "1", "kind": "sale"}
    movement |= {"quantity": -1, "event": {"type": "stock.moved", "time": "2026-11-21T10:00:00.000Z"}}
    relay(record(1, movement))
    assert [detail["id"] for detail in bus.details] == ["movement/1@1"]


def test_events_go_out_ten_at_a_time_in_order(bus):
    assert relay(*[record(n, level(f"S{n}")) for n in range(23)]) == []
    assert [len(request) for request in bus.requests] == [10, 10, 3]
    assert [detail["data"]["sku"] for detail in bus.details] == [f"S{n}" for n in range(23)]


@pytest.mark.parametrize("refused", [0, 9, 10, 14, 22])
def test_a_refused_entry_gives_the_batch_back_from_there(bus, refused):
    # GIVEN an entry the bus does not take
    bus.fails = {refused}
    # WHEN
    failures = relay(*[record(n, level(f"S{n}")) for n in range(23)])
    # THEN later groups are not even tried: they come again anyway
    assert failures == [{"itemIdentifier": str(refused)}]
    assert len(bus.requests) == refused // 10 + 1


def test_a_dead_bus_gives_everything_back(bus):
    bus.dead = True
    assert relay(record(7, level()), record(8, level("MUG"))) == [{"itemIdentifier": "7"}]


def test_a_record_that_is_no_event_is_given_back_after_those_before_it_went_out(bus):
    broken = level("BAD", event={"type": "no.such_event", "time": "2026-11-21T10:00:00.000Z"})
    failures = relay(record(1, level("A")), record(2, broken), record(3, level("B")))
    assert failures == [{"itemIdentifier": "2"}]
    assert [detail["data"]["sku"] for detail in bus.details] == ["A"]


def test_a_promise_the_item_does_not_keep_is_given_back(bus):
    incomplete = {key: value for key, value in level().items() if key != "available"}
    assert relay(record(1, incomplete)) == [{"itemIdentifier": "1"}]


def order(lines, name="TEE"):
    item = {
        "pk": "O#X",
        "sk": "-",
        "order_id": "X",
        "order_number": "X",
        "market": "nl",
        "channel": "web",
        "version": 1,
    }
    item |= {"currency": "EUR", "total": 1, "pay_by": "2026-11-21T10:15:00.000Z"}
    item |= {"lines": [{"sku": f"{name}-{n}", "quantity": 1, "location_id": "w", "name": "x"} for n in range(lines)]}
    return item | {"event": {"type": "order.placed", "time": "2026-11-21T10:00:00.000Z"}}


def test_big_events_share_a_request_only_as_far_as_it_goes(bus):
    # GIVEN three events of about 400 KB
    records = [record(n, order(7000)) for n in range(3)]
    # WHEN
    assert relay(*records) == []
    # THEN no request is over the bus's megabyte
    assert [len(request) for request in bus.requests] == [2, 1]
    assert all(sum(len(e["Detail"]) for e in request) < 1_048_576 for request in bus.requests)


def test_an_event_the_bus_can_never_take_goes_to_the_failure_destination(bus):
    failures = relay(record(1, level()), record(2, order(7000, name="N" * 120)))
    assert failures == [{"itemIdentifier": "2"}]
    assert len(bus.details) == 1


def test_packed_members_of_an_item_do_not_disturb(bus):
    image = record(1, order(1))
    image["dynamodb"]["NewImage"]["packed_dots"] = {"B": "eJyrBgAAdQD1"}
    assert relay(image) == []
    assert bus.details[0]["type"] == "order.placed"


def test_nothing_of_an_item_gets_out_that_its_event_does_not_name(bus):
    relay(record(1, order(1) | {"contact": {"name": "Noor", "email": "noor@example.nl"}, "customer_id": "c-1"}))
    assert "Noor" not in json.dumps(bus.requests)
    assert bus.details[0]["data"]["customer_id"] == "c-1"
    assert bus.details[0]["data"]["lines"] == [{"sku": "TEE-0", "quantity": 1, "location_id": "w"}]
