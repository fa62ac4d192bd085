"""Reading everything there is, read-only: the tables of the local platform or of a stack on AWS.

The only Scan in this repository: an operator's tool, never on a request path.
"""

from __future__ import annotations

import json
from typing import Any

import boto3
import urllib3

from commerce.items import from_item
from infra.client import emulator, running_platform
from infra.doctor.findings import Item
from infra.local import laptop

Tables = dict[str, list[Item]]
TABLES = (
    "BasketTable", "CatalogTable", "OrdersTable", "PaymentsTable", "ProfilesTable", "ProfileKeysTable", "StockTable",
)  # fmt: skip


def at_platform() -> tuple[Tables, dict[str, Any], list[str] | None]:
    """Tables, providers' books and function logs of the platform that runs here."""
    platform = running_platform()
    client = emulator(platform, "dynamodb")
    books = {
        name: json.loads(urllib3.request("GET", f"{provider['url']}/_test/books", timeout=10).data)
        for name, provider in platform["providers"].items()
    }
    lines = (laptop.LOGS / "cloud.log").read_text(errors="replace").splitlines()
    return {name: _scan(client, platform["tables"][name]) for name in TABLES}, books, lines


def at_stack(stack: str) -> tuple[Tables, None, None]:
    """Tables of a stack on AWS, by its outputs. Needs dynamodb:Scan and cloudformation:DescribeStacks."""
    described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]}
    client = boto3.client("dynamodb")
    return {name: _scan(client, outputs[name]) for name in TABLES}, None, None


def _scan(client: Any, table: str) -> list[Item]:
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for raw in page["Items"] if (item := from_item(raw)) is not None]
