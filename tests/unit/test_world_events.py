"""The event pump moves records and messages as Lambda's event sources do."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.world import World
from tests.world.pump import Stuck
from tests.world.selftest import stock, toy_world

Event = dict[str, Any]


@pytest.fixture
def toy() -> World:
    return toy_world()


def put(world: World, pk: str, **attributes: str) -> None:
    from commerce import aws

    item = {"pk": {"S": pk}, "sk": {"S": "-"}} | {name: {"S": value} for name, value in attributes.items()}
    aws.client("dynamodb").put_item(TableName="ToyTable", Item=item)


def orders(event: Event) -> list[str]:
    return [record["dynamodb"]["NewImage"]["order"]["S"] for record in event["Records"]]


def numbers(event: Event) -> list[str]:
    return [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]


# ---------------------------------------------------------------------------------------------------- streams


def test_a_stream_delivers_what_matches_the_filter_in_batches(toy: World) -> None:
    # GIVEN a mapping with BatchSize 10 that filters inserts of OUT# items
    seen: list[list[str]] = []
    toy.runtime.stand_ins["ToyOnStream"] = lambda event, context: seen.append(orders(event))
    for number in range(12):
        put(toy, f"OUT#{number}", order=str(number))
    put(toy, "OUT#0", order="changed")  # a MODIFY
    put(toy, "ORDER#1", order="1")
    toy.settle()
    assert seen == [[str(number) for number in range(10)], ["10", "11"]]


def test_a_write_that_changes_nothing_leaves_no_record(toy: World) -> None:
    put(toy, "OUT#1", order="1")
    toy.settle()
    before = toy.pump._sequence
    put(toy, "STOCK", left="1")
    put(toy, "STOCK", left="1")
    assert toy.pump._sequence == before + 1


def test_a_cancelled_transaction_leaves_no_record_and_no_trace(toy: World) -> None:
    from commerce import aws

    stock(toy, 1)
    before = toy.items("ToyTable")
    take = {"TableName": "ToyTable", "Key": {"pk": {"S": "STOCK"}, "sk": {"S": "-"}}}
    take |= {"UpdateExpression": "SET available = :n", "ExpressionAttributeValues": {":n": {"N": "0"}}}
    never = {"TableName": "ToyTable", "Item": {"pk": {"S": "STOCK2"}, "sk": {"S": "-"}}}
    never |= {"ConditionExpression": "attribute_exists(pk)"}
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        aws.client("dynamodb").transact_write_items(TransactItems=[{"Update": take}, {"Put": never}])
    assert toy.items("ToyTable") == before


def test_the_lowest_failed_record_is_where_the_stream_goes_on(toy: World) -> None:
    attempts: list[list[str]] = []

    def fail_second_once(event: Event, context: Any) -> Event:
        attempts.append(orders(event))
        return {"batchItemFailures": [{"itemIdentifier": numbers(event)[1]}] if len(attempts) == 1 else []}

    toy.runtime.stand_ins["ToyOnStream"] = fail_second_once
    for number in "123":
        put(toy, f"OUT#{number}", order=number)
    toy.settle()
    # 3 had not failed, yet it is delivered again after 2, and bisecting takes them one by one
    assert attempts == [["1", "2", "3"], ["2"], ["3"]]


def test_a_poisoned_record_ends_in_the_failure_destination_and_the_rest_arrives(toy: World) -> None:
    # GIVEN BisectBatchOnFunctionError and MaximumRetryAttempts 5
    handled: list[str] = []
    tries = Counter[str]()

    def choke_on_two(event: Event, context: Any) -> None:
        tries.update(orders(event))
        if "2" in orders(event):
            raise ValueError("cannot read 2")
        handled.extend(orders(event))

    toy.runtime.stand_ins["ToyOnStream"] = choke_on_two
    for number in "1234":
        put(toy, f"OUT#{number}", order=number)
    toy.settle()
    assert handled == ["1", "3", "4"]
    assert tries["2"] > 5
    (note,) = toy.pump.dead_letters()["StreamFailures"]
    assert json.loads(note)["DDBStreamBatchInfo"]["batchSize"] == 1


def test_shuffled_delivery_keeps_the_order_of_each_item(toy: World) -> None:
    seen: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    toy.deliver(shuffled=True)

    def note(event: Event, context: Any) -> None:
        for record in event["Records"]:
            seen[record["dynamodb"]["Keys"]["pk"]["S"].removeprefix("OUT#")].append(
                record["dynamodb"]["NewImage"]["n"]["S"]
            )

    toy.runtime.stand_ins["ToyOnStream"] = note
    from commerce import aws

    for number in "123":
        for name in "abc":
            put(toy, f"OUT#{name}", n=number)
            aws.client("dynamodb").delete_item(TableName="ToyTable", Key={"pk": {"S": f"OUT#{name}"}, "sk": {"S": "-"}})
    toy.settle()
    assert set(map(tuple, seen.values())) == {("1", "2", "3")}


# ---------------------------------------------------------------------------------------------------- bus and queues


def publish(world: World, order: str, kind: str = "order.placed") -> Any:
    entry = {"EventBusName": "toy-mandje", "Source": "toy.shop", "DetailType": kind}
    return world.pump.bus.put_events([entry | {"Detail": json.dumps({"order": order})}])


def test_only_events_that_match_a_rule_reach_its_queue(toy: World) -> None:
    bodies: list[Event] = []
    toy.runtime.stand_ins["ToyOnEvent"] = lambda event, context: bodies.extend(
        json.loads(record["body"]) for record in event["Records"]
    )
    publish(toy, "1")
    publish(toy, "2", kind="order.paid")
    toy.settle()
    assert [(body["detail-type"], body["source"], body["detail"]) for body in bodies] == [
        ("order.placed", "toy.shop", {"order": "1"})
    ]
    assert [event["detail-type"] for event in (each.event for each in toy.pump.bus.log)] == [
        "order.placed",
        "order.paid",
    ]


def test_the_bus_refuses_entries_one_by_one(toy: World) -> None:
    good = {"EventBusName": "toy-mandje", "Source": "toy.shop", "DetailType": "order.placed", "Detail": "{}"}
    answer = toy.pump.bus.put_events([good, good | {"Detail": "no json"}, good | {"EventBusName": "other"}])
    assert answer["FailedEntryCount"] == 2
    assert ["ErrorCode" in entry for entry in answer["Entries"]] == [False, True, True]


def test_failed_messages_alone_come_back_after_the_visibility_timeout_and_then_die(toy: World) -> None:
    # GIVEN VisibilityTimeout 60 and maxReceiveCount 3
    received: list[tuple[float, str]] = []

    def fail_two(event: Event, context: Any) -> Event:
        named = {record["messageId"]: json.loads(record["body"])["detail"]["order"] for record in event["Records"]}
        received.extend((round(toy.clock.now - started), order) for order in named.values())
        return {"batchItemFailures": [{"itemIdentifier": each} for each, order in named.items() if order == "2"]}

    toy.runtime.stand_ins["ToyOnEvent"] = fail_two
    started = toy.clock.now
    publish(toy, "1")
    publish(toy, "2")
    toy.settle()
    assert received == [(0, "1"), (0, "2"), (60, "2"), (120, "2")]
    assert [json.loads(body)["detail"] for body in toy.pump.dead_letters()["ToyEventsDlq"]] == [{"order": "2"}]


@pytest.mark.parametrize(
    "answer", [{"batchItemFailures": [{"itemIdentifier": "unknown"}]}, {"batchItemFailures": [{}]}, "odd"]
)
def test_an_answer_that_makes_no_sense_fails_the_whole_batch(toy: World, answer: Any) -> None:
    toy.runtime.stand_ins["ToyOnEvent"] = lambda event, context: answer
    publish(toy, "1")
    publish(toy, "2")
    toy.settle()
    assert len(toy.pump.dead_letters()["ToyEventsDlq"]) == 2


def test_duplicates_happen_although_the_first_delivery_succeeded(toy: World) -> None:
    seen = Counter[str]()
    toy.runtime.stand_ins["ToyOnEvent"] = lambda event, context: seen.update(
        json.loads(record["body"])["detail"]["order"] for record in event["Records"]
    )
    toy.deliver(copies=1)
    publish(toy, "1")
    publish(toy, "2")
    toy.settle()
    assert seen == {"1": 2, "2": 2}


def test_disorder_and_delay_come_from_the_seed(toy: World) -> None:
    def run(seed: int) -> list[str]:
        world, seen = toy_world(seed), []
        world.deliver(shuffled=True, delay=30)
        world.runtime.stand_ins["ToyOnEvent"] = lambda event, context: seen.extend(
            json.loads(record["body"])["detail"]["order"] for record in event["Records"]
        )
        for order in "12345":
            publish(world, order)
        world.settle()
        return seen

    assert run(1) == run(1)
    assert sorted(run(1)) == list("12345")
    assert len({tuple(run(seed)) for seed in range(5)}) > 1


def test_a_paused_source_waits(toy: World) -> None:
    seen: list[Event] = []
    toy.runtime.stand_ins["ToyOnEvent"] = lambda event, context: seen.append(event)
    toy.pump.paused.add("ToyEvents")
    publish(toy, "1")
    toy.settle()
    assert not seen
    toy.pump.paused.clear()
    toy.settle()
    assert len(seen) == 1


def test_functions_that_feed_each_other_for_ever_are_stuck(toy: World) -> None:
    toy.runtime.stand_ins["ToyOnEvent"] = lambda event, context: publish(toy, "again")
    publish(toy, "1")
    with pytest.raises(Stuck, match="ToyEvents"):
        toy.settle()


# ---------------------------------------------------------------------------------------------------- time


def test_clocks_fire_when_time_passes_and_only_then(toy: World) -> None:
    fired: list[float] = []
    started = toy.clock.now
    toy.runtime.stand_ins["ToySweep"] = lambda event, context: fired.append(round(toy.clock.now - started))
    toy.settle()
    toy.advance(59)
    assert fired == []
    toy.advance(3600)  # a clock that is late fires once
    toy.advance(180, tick=60)
    assert fired == [3659, 3719, 3779, 3839]


def test_an_expired_item_is_removed_by_the_service_only_when_told(toy: World) -> None:
    from commerce import aws

    item = {"pk": {"S": "ORDER#1"}, "sk": {"S": "-"}, "ttl": {"N": str(int(toy.clock.now) + 10)}}
    aws.client("dynamodb").put_item(TableName="ToyTable", Item=item)
    toy.advance(3600)
    assert len(toy.items("ToyTable")) == 1  # still readable, as on AWS
    toy.purge_expired()
    assert toy.items("ToyTable") == []
    (shard,) = toy.pump.shards.values()
    assert shard.entries[-1].record["eventName"] == "REMOVE"
    assert shard.entries[-1].record["userIdentity"]["principalId"] == "dynamodb.amazonaws.com"


# ---------------------------------------------------------------------------------------------------- what moto lacks


def test_a_request_token_makes_a_repeated_transaction_harmless(toy: World) -> None:
    from commerce import aws

    stock(toy, 5)
    take = {"TableName": "ToyTable", "Key": {"pk": {"S": "STOCK"}, "sk": {"S": "-"}}}
    take |= {"UpdateExpression": "SET available = available - :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
    for _ in range(2):
        aws.client("dynamodb").transact_write_items(TransactItems=[{"Update": take}], ClientRequestToken="once")
    assert toy.items("ToyTable")[0]["available"] == 4
    take["ExpressionAttributeValues"] = {":n": {"N": "2"}}
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        aws.client("dynamodb").transact_write_items(TransactItems=[{"Update": take}], ClientRequestToken="once")


def test_a_process_that_died_has_forgotten_what_it_kept_in_memory(toy: World) -> None:
    import toyshop

    toy.call("POST", "/orders", key="1")
    toyshop.remembered["1"] = "in memory"
    from tests.world.memory import cold_start

    cold_start()
    assert toyshop.remembered == {}
