"""A function can do in the world what the template's policies allow, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.world import World
from tests.world.doctor_hook import left_over
from tests.world.selftest import stock, toy_world


@pytest.fixture
def toy() -> World:
    return toy_world()


def as_authorizer(world: World, operation: str, **request: Any) -> Any:
    """Make a DynamoDB request as the toy authorizer, which may only read, and no orders."""
    from commerce import aws

    world.runtime.stand_ins["ToyAuthorizer"] = lambda event, context: getattr(aws.client("dynamodb"), operation)(
        **request
    )
    try:
        return world.invoke("ToyAuthorizer", {})
    except Exception as failure:
        raise getattr(failure, "error", failure) from None


def key(pk: str) -> dict[str, Any]:
    return {"TableName": "ToyTable", "Key": {"pk": {"S": pk}, "sk": {"S": "-"}}}


def test_what_is_allowed_works(toy: World) -> None:
    stock(toy, 3)
    assert as_authorizer(toy, "get_item", **key("STOCK"))["Item"]["available"] == {"N": "3"}
    assert not toy.aws.denied


@pytest.mark.parametrize(
    ("operation", "request_", "missing"),
    [
        ("delete_item", key("STOCK"), "dynamodb:DeleteItem on arn:aws:dynamodb:eu-west-1:123456789012:table/ToyTable"),
        ("get_item", key("ORDER#1"), "dynamodb:GetItem"),  # an explicit Deny by leading key
        ("transact_write_items", {"TransactItems": [{"Delete": key("STOCK")}]}, "dynamodb:DeleteItem"),
        (
            "query",
            {
                "TableName": "ToyTable",
                "IndexName": "due",
                "KeyConditionExpression": "due_shard = :zero",
                "ExpressionAttributeValues": {":zero": {"S": "0"}},
            },
            "table/ToyTable/index/due",
        ),
    ],
)
def test_what_is_not_allowed_is_refused_and_reported(
    toy: World, operation: str, request_: dict[str, Any], missing: str
) -> None:
    stock(toy, 3)
    with pytest.raises(ClientError, match="AccessDenied"):
        as_authorizer(toy, operation, **request_)
    assert missing in toy.aws.denied[0]
    assert "does not allow ToyAuthorizer" in left_over(toy)[0]
    assert toy.items("ToyTable")[0]["available"] == 3


def test_a_test_itself_may_do_anything(toy: World) -> None:
    from commerce import aws

    stock(toy, 3)
    aws.client("dynamodb").delete_item(**key("STOCK"))
    assert not toy.aws.denied
