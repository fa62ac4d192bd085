"""What is in DynamoDB: moto's memory, read and set without a request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from infra.intrinsics import ACCOUNT, REGION
from infra.template_model import Index, Table, Template

from .keys import Key
from .units import Image


@dataclass(frozen=True)
class Change:
    """One item changed from `old` to `new` (`None`: it was not there, or is not any more)."""

    table: Table
    key: Key
    old: Image | None
    new: Image | None
    by_service: bool = False


class Store:
    """The template's tables. Created once per process; a fresh world only empties them."""

    def __init__(self, template: Template) -> None:
        self.tables = {table.name: table for table in template.tables.values()}
        self._latest: dict[str, list[Change]] = {}
        for table in self.tables.values():
            if table.name not in _backend().tables:
                _create(table)
            _backend().tables[table.name].items = defaultdict(dict)

    def image(self, key: Key) -> Image | None:
        """The item under a key as DynamoDB JSON."""
        bucket = _backend().tables[key.table].items.get(key.hash)
        item = bucket.get(key.range) if bucket and key.range is not None else bucket
        return item.to_json()["Attributes"] if item else None

    def images(self, table: str) -> Iterable[Image]:
        """Every item of a table as DynamoDB JSON."""
        return [item.to_json()["Attributes"] for item in _backend().tables[table].all_items()]

    def put(self, key: Key, image: Image | None) -> None:
        """Set an item, or remove it (`None`)."""
        bucket = _backend().tables[key.table].items[key.hash]
        if image is None:
            bucket.pop(key.range, None)
        else:
            bucket[key.range] = Item(key.hash, key.range, image)

    def index_has(self, table: Table, index: Index, value: Image | None = None) -> bool:
        """Whether an index has any entry (under one hash key value, if given)."""
        items = _backend().tables[table.name].all_items()
        found = (item.attrs[index.hash_key] for item in items if index.hash_key in item.attrs)
        return any(value is None or each == DynamoType(value) for each in found)

    def note(self, changes: list[Change]) -> None:
        """Remember the changes of one write, for `rewound`."""
        for change in changes:
            self._latest[change.table.name] = [each for each in changes if each.table is change.table]

    def written(self, table: str) -> bool:
        """Whether anything was written to a table in this world."""
        return table in self._latest

    @contextmanager
    def rewound(self, tables: Iterable[str]) -> Iterator[None]:
        """Tables as an eventually consistent read may still see them: without their latest write."""
        changes = [change for table in tables for change in self._latest.get(table, [])]
        for change in changes:
            self.put(change.key, change.old)
        try:
            yield
        finally:
            for change in changes:
                self.put(change.key, change.new)

    def expire(self, table: Table, now: float) -> list[Change]:
        """Delete what is past its time to live, as the service does some time within two days."""
        changes = []
        for image in self.images(table.name) if table.ttl else []:
            if float(image.get(table.ttl or "", {}).get("N", "inf")) < now:
                changes.append(Change(table, Key.of(table, image), image, None, by_service=True))
                self.put(changes[-1].key, None)
        return changes


def _backend() -> Any:
    return dynamodb_backends[ACCOUNT][REGION]


def _create(table: Table) -> None:
    """A table of moto's (its stream is the pump's, not moto's)."""
    _backend().create_table(
        table.name,
        schema=table.properties["KeySchema"],
        throughput=None,
        attr=table.properties["AttributeDefinitions"],
        global_indexes=table.properties.get("GlobalSecondaryIndexes"),
        indexes=None,
        streams=None,
        billing_mode="PAY_PER_REQUEST",
        sse_specification=None,
        tags=[],
        deletion_protection_enabled=False,
        warm_throughput=None,
    )
