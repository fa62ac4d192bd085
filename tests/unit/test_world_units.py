"""Request units by DynamoDB's published rules, counted where moto reports nothing."""

from __future__ import annotations

import pytest

from tests.world import World, units
from tests.world.selftest import stock, toy_world


@pytest.mark.parametrize(
    ("image", "size"),
    [
        ({"pk": {"S": "abc"}}, 5),
        ({"naïve": {"S": "é"}}, 8),  # UTF-8 bytes, names included
        ({"n": {"N": "1"}}, 3),
        ({"n": {"N": "1234"}}, 4),  # a byte per two digits and one more
        ({"n": {"N": "-1200"}}, 4),  # trailing zeros are free, a sign is not
        ({"b": {"BOOL": True}}, 2),
        ({"b": {"NULL": True}}, 2),
        ({"m": {"M": {"a": {"S": "xy"}}}}, 1 + 3 + 1 + 1 + 2),
        ({"l": {"L": [{"S": "xy"}, {"N": "5"}]}}, 1 + 3 + 1 + 2 + 1 + 2),
    ],
)
def test_item_sizes(image: units.Image, size: int) -> None:
    assert units.size(image) == size


@pytest.fixture
def toy() -> World:
    return toy_world()


def item(kilobytes: float, **more: units.Image) -> units.Image:
    return {"pk": {"S": "P"}, "sk": {"S": "-"}, "filler": {"S": "x" * int(kilobytes * 1024 - 20)}} | more


DUE = {"due_shard": {"S": "0"}, "due": {"S": "2026"}}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, item(0.5), 1),
        (None, item(1.5), 2),
        (item(3.5), item(0.5), 4),  # the larger of before and after
        (item(0.5), None, 1),
        (None, item(0.5, **DUE), 2),  # and one index entry
        (item(0.5, **DUE), item(0.6, **DUE), 1),  # an index of keys does not see other attributes
        (item(0.5, **DUE), item(0.5, due_shard={"S": "0"}, due={"S": "2027"}), 3),  # a moved entry: delete and put
        (item(0.5, **DUE), item(0.5), 2),
    ],
)
def test_write_units_with_the_index(
    toy: World, old: units.Image | None, new: units.Image | None, expected: int
) -> None:
    table = toy.template.tables["ToyTable"]
    assert units.write(table, old, new, transactional=False) == expected
    base = 2 if max(units.size(old), units.size(new)) <= 1024 else 4 if units.size(new) > 1024 and old is None else 8
    assert units.write(table, old, new, transactional=True) == expected + base / 2


def test_reads_are_rounded_after_adding_and_halved_when_eventual() -> None:
    assert units.read_one(None, consistent=True) == 1
    assert units.read_one(item(5), consistent=True) == 2
    assert units.read_one(item(5), consistent=False) == 1
    assert units.read_one(item(5), consistent=True, transactional=True) == 4
    assert units.read_many([item(1)] * 6, consistent=True) == 2


def test_every_call_of_a_journey_carries_its_units(toy: World) -> None:
    stock(toy, 1)
    toy.call("POST", "/orders", key="1")
    look, place, look_again = toy.calls
    assert (look.read_units, look.write_units) == (1, 0)
    # stock, order and outbox transactionally, and the order's entry in the index
    assert (place.name, place.write_units) == ("dynamodb.TransactWriteItems ToyTable", 2 * 3 + 1)
    assert look_again.read_units == 1
    toy.call("POST", "/orders", key="2")
    assert toy.calls[-2].write_units == 6  # a cancelled transaction is paid for


def test_a_query_is_billed_for_what_it_read_not_for_what_it_returned(toy: World) -> None:
    from commerce import aws

    for number in range(3):
        aws.client("dynamodb").put_item(TableName="ToyTable", Item={**item(4), "sk": {"S": str(number)}})

    def ask(event: object, context: object) -> None:
        aws.client("dynamodb").query(
            TableName="ToyTable",
            KeyConditionExpression="pk = :p",
            ProjectionExpression="sk",
            ConsistentRead=True,
            ExpressionAttributeValues={":p": {"S": "P"}},
        )

    toy.runtime.stand_ins["ToySweep"] = ask
    toy.invoke("toyshop.sweep", {})
    assert toy.calls[-1].read_units == 3
