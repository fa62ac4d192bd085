"""POST /orders: take one unit of stock and place an order, once per Idempotency-Key."""

import json
import os
from typing import Any

import toyshop
from commerce import aws
from toyshop import key, publish, put_new, read, update, write


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """201 once the order exists, 409 when there is no stock left."""
    order = event["headers"]["Idempotency-Key"]
    take = update("STOCK", "SET available = available - :one", "available >= :one", one=1)
    place = put_new(f"ORDER#{order}", state="placed", due_shard="0", due="now")
    outbox = put_new(f"OUT#{order}", order=order)
    if read(f"ORDER#{order}") is None:
        match toyshop.MISTAKE:
            case "read_then_write":
                available = int((read("STOCK") or {})["available"]["N"])
                if available < 1:
                    return {"statusCode": 409, "body": json.dumps({"title": "sold out"})}
                stock = key("STOCK") | {"available": {"N": str(available - 1)}, "sold": {"N": "0"}}
                aws.client("dynamodb").put_item(TableName=os.environ["TOY_TABLE"], Item=stock)
                write(place, outbox)
            case "publish_separately":
                if write(take, place):
                    publish(order)
            case "two_transactions":
                write(take)
                write(place, outbox)
            case _:
                write(take, place, outbox)
        if read(f"ORDER#{order}") is None:
            return {"statusCode": 409, "body": json.dumps({"title": "sold out"})}
    print(f"order {order} is placed")
    return {"statusCode": 201, "body": json.dumps({"order": order})}
