"""An engine as the tests see it: tables shaped as in the template, and what their streams would tell."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra import sam
from infra.template import load
from tests.world.world import PARAMETERS

NAMES = ("moto", "local-cloud", "dynoxide")
_SHAPE = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "StreamSpecification")
_USED = {"BASKET": "BasketTable", "STOCK": "StockTable"}
Told = list[tuple[str, str]]
"""What a stream told: (INSERT, MODIFY or REMOVE; partition key)."""


@dataclass(frozen=True)
class Engine:
    """`tables` are the names to use, by the kernel's names (`STOCK`); `told` reads a table's whole stream."""

    name: str
    client: Any
    tables: dict[str, str]
    told: Callable[[str], Told]

    @property
    def stock(self) -> str:
        """The stock table's name."""
        return self.tables["STOCK"]

    @property
    def basket(self) -> str:
        """The basket table's name."""
        return self.tables["BASKET"]


def fresh(prefix: str = "K") -> str:
    """A key nobody else uses: tests share their tables."""
    return f"{prefix}#{uuid.uuid4().hex[:12]}"


def create_tables(client: Any) -> dict[str, str]:
    """New tables with the template's keys and indexes, under names of their own."""
    template = load(sam.TEMPLATE, PARAMETERS)
    suffix = uuid.uuid4().hex[:8]
    made = {}
    for name, logical_id in _USED.items():
        shape = {key: value for key, value in template.tables[logical_id].properties.items() if key in _SHAPE}
        made[name] = f"Engines{logical_id}-{suffix}"
        stream = {**shape.pop("StreamSpecification"), "StreamEnabled": True}
        client.create_table(TableName=made[name], BillingMode="PAY_PER_REQUEST", StreamSpecification=stream, **shape)
    for table in made.values():
        _wait_until_active(client, table)
    return made


def _wait_until_active(client: Any, table: str) -> None:
    give_up = time.monotonic() + 10
    while client.describe_table(TableName=table)["Table"]["TableStatus"] != "ACTIVE":
        assert time.monotonic() < give_up, f"{table} does not become active"
        time.sleep(0.05)


def read_stream(client: Any, streams: Any, table: str) -> Told:
    """Everything a table's stream holds."""
    arn = client.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    told = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        where = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = streams.get_shard_iterator(**where)["ShardIterator"]
        while iterator:
            page = streams.get_records(ShardIterator=iterator)
            told += [(record["eventName"], record["dynamodb"]["Keys"]["pk"]["S"]) for record in page["Records"]]
            iterator = page.get("NextShardIterator") if page["Records"] else None
    return told
