"""A toy shop: one table, one order route, an outbox, a consumer, a sweeper. `MISTAKE` plants a design mistake."""

import os
from typing import Any

from botocore.exceptions import ClientError

from commerce import aws

MISTAKE = ""
remembered: dict[str, str] = {}
"""Module memory, as a cache would be: gone when the process dies."""


def write(*actions: dict[str, Any]) -> bool:
    """One transaction. False if a condition failed; contention is raised, so that the source delivers again."""
    try:
        aws.client("dynamodb").transact_write_items(TransactItems=list(actions))
    except ClientError as error:
        reasons = {reason["Code"] for reason in error.response.get("CancellationReasons", [])}
        if "ConditionalCheckFailed" in reasons or (MISTAKE == "conflict_as_condition" and reasons):
            return False
        raise
    return True


def read(pk: str) -> dict[str, Any] | None:
    """An item by its key, strongly consistent."""
    answer = aws.client("dynamodb").get_item(TableName=os.environ["TOY_TABLE"], Key=key(pk), ConsistentRead=True)
    found: dict[str, Any] | None = answer.get("Item")
    return found


def key(pk: str) -> dict[str, Any]:
    """All toy items share one sort key."""
    return {"pk": {"S": pk}, "sk": {"S": "-"}}


def put_new(pk: str, **attributes: str) -> dict[str, Any]:
    """Put an item if its key is free."""
    item = key(pk) | {name: {"S": value} for name, value in attributes.items()}
    return {
        "Put": {"TableName": os.environ["TOY_TABLE"], "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
    }


def update(pk: str, expression: str, condition: str, **values: str | int) -> dict[str, Any]:
    """Change an item under a condition; values are given without their colon."""
    given = {f":{n}": {"N": str(v)} if isinstance(v, int) else {"S": v} for n, v in values.items()}
    change: dict[str, Any] = {"TableName": os.environ["TOY_TABLE"], "Key": key(pk), "UpdateExpression": expression}
    return {"Update": change | {"ConditionExpression": condition, "ExpressionAttributeValues": given}}


def publish(order: str) -> None:
    """Tell the bus about an order. Raises if the bus refused the entry."""
    entry = {"EventBusName": os.environ["BUS_NAME"], "Source": "toy.shop", "DetailType": "order.placed"}
    entry["Detail"] = f'{{"order": "{order}"}}'
    answer = aws.client("events").put_events(Entries=[entry])
    if answer["FailedEntryCount"] and MISTAKE != "ignore_failed_entries":
        raise RuntimeError(answer["Entries"])
