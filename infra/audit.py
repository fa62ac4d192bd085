"""Who did what to one object, read-only: `mandje audit order/7K2M9QXD4TZ0`.

Objects are `order/…`, `payment/…`, `profile/…`, `merge/…`, `product/…`; and `stock/<sku>`, whose movements are their
own entries. Needs dynamodb:Query, on AWS also cloudformation:DescribeStacks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import boto3

from commerce.audit import PREFIX
from commerce.items import from_item
from infra.client import emulator, outputs_of, running_platform
from infra.say import Sorry

TABLES = {
    "order": "OrdersTable",
    "payment": "PaymentsTable",
    "profile": "ProfilesTable",
    "merge": "ProfilesTable",
    "product": "CatalogTable",
    "stock": "StockTable",
}
"""Where the entries about each kind of object are kept."""

Entry = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `mandje audit`."""
    parser.add_argument(
        "object", help="such as order/7K2M9QXD4TZ0, payment/<id>, profile/<id>, merge/<id>, product/<sku>, stock/<sku>"
    )
    parser.add_argument("--stack", metavar="NAME", help="ask a stack on AWS instead of the local platform")
    parser.add_argument("--json", action="store_true", help="one JSON object for each entry, a line each")


def run(args: argparse.Namespace) -> int:
    """List the entries, oldest first."""
    kind, _, name = args.object.partition("/")
    if kind not in TABLES or not name:
        raise Sorry(f"'{args.object}' is no object; say one of {', '.join(f'{kind}/<id>' for kind in TABLES)}.")
    if kind == "order":
        name = name.upper().replace("-", "")
    client, table = _on_aws(args.stack, TABLES[kind]) if args.stack else _here(TABLES[kind])
    found = list(entries(client, table, kind, name))
    for entry in found:
        if args.json:
            print(json.dumps(entry))
        else:
            rest = ", ".join(
                f"{key} {value}" for key, value in entry.items() if key not in ("at", "by", "action", "about")
            )
            print(f"  {entry.get('at', ''):24}  {entry.get('by', ''):40}  {entry['action']:22} {rest}")
    if not found and not args.json:
        print(f"  Nobody did anything to {kind}/{name} that is kept here.")
    return 0


def entries(client: Any, table: str, kind: str, name: str) -> Iterator[Entry]:
    """What is kept about one object, oldest first."""
    pk, prefix = (f"SKU#{name}", "MOVE#") if kind == "stock" else (f"{PREFIX}{kind}/{name}", "")
    asked: dict[str, Any] = {"TableName": table, "KeyConditionExpression": "pk = :pk", "ConsistentRead": True}
    asked["ExpressionAttributeValues"] = {":pk": {"S": pk}}
    if prefix:
        asked["KeyConditionExpression"] += " AND begins_with(sk, :prefix)"
        asked["ExpressionAttributeValues"][":prefix"] = {"S": prefix}
    for page in client.get_paginator("query").paginate(**asked):
        for raw in page["Items"]:
            item = from_item(raw) or {}
            yield _of_movement(item) if kind == "stock" else {k: v for k, v in item.items() if k not in ("pk", "sk")}


def _of_movement(item: dict[str, Any]) -> Entry:
    """A stock movement as an entry."""
    said = {
        "at": item.get("at"),
        "by": item.get("by"),
        "action": f"stock.{item['kind']}",
        "about": f"stock/{item['sku']}",
    }
    said |= {name: item.get(name) for name in ("location_id", "to_location_id", "quantity", "reference", "order_id")}
    said |= {"correlation_id": (item.get("event") or {}).get("correlation")}
    return {name: value for name, value in said.items() if value is not None}


def _here(table: str) -> tuple[Any, str]:
    platform = running_platform()
    return emulator(platform, "dynamodb"), platform["tables"][table]


def _on_aws(stack: str, table: str) -> tuple[Any, str]:
    return boto3.client("dynamodb"), outputs_of(stack)[table]
