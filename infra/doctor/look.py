"""Reading everything there is, read-only: the tables of the local platform or of a stack on AWS.

The only Scan in this repository: an operator's tool, never on a request path.
"""

from __future__ import annotations

import json
from typing import Any

import boto3
import urllib3

from commerce.items import from_item
from infra.client import emulator, outputs_of, running_platform
from infra.doctor.findings import Item
from infra.doctor.verdicts import Sight
from infra.local import laptop

TABLES = (
    "BasketTable", "CatalogTable", "OrdersTable", "PaymentsTable", "ProfilesTable", "ProfileKeysTable", "StockTable",
)  # fmt: skip


def at_platform() -> Sight:
    """Tables, providers' books and function logs of the platform that runs here."""
    platform = running_platform()
    client = emulator(platform, "dynamodb")
    books: dict[str, Any] = {}
    blind: dict[str, str] = {}
    # Books first: the ledger follows them, and what changes there meanwhile is seen to be under way.
    for name, provider in platform["providers"].items():
        try:
            answer = urllib3.request("GET", f"{provider['url']}/_test/books", timeout=10, retries=False)
            books[name] = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError):
            blind[f"books of {name}"] = "the stand-in does not answer"
    log = laptop.LOGS / "cloud.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else None
    tables = {name: _scan(client, platform["tables"][name]) for name in TABLES}
    return Sight(tables, books, logs=lines, blind=blind)


def at_stack(stack: str) -> Sight:
    """Tables of a stack on AWS, by its outputs. Needs dynamodb:Scan and cloudformation:DescribeStacks."""
    outputs = outputs_of(stack)
    client = boto3.client("dynamodb")
    blind = {
        "books": "the providers' books are not read from here",
        "logs": "the functions' logs are not read from here",
    }
    return Sight({name: _scan(client, outputs[name]) for name in TABLES}, blind=blind)


def _scan(client: Any, table: str) -> list[Item]:
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for raw in page["Items"] if (item := from_item(raw)) is not None]
