"""moto, made fit to be the store of a world.

One lock around its stubber: bare moto reads, checks and writes without any, so it oversells under threads; with the
lock every request is atomic, which is DynamoDB's contract. Transactions roll back to a copy of the items they touch
instead of copying whole tables. Queries do not sort whole tables first, and tell what they read before filters and
projections, for the bill.
"""

from __future__ import annotations

import copy
import functools
import os
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.dynamodb.models.table import Table

from infra.intrinsics import REGION

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # else boto3 talks to <account>.ddb..., which moto does not know
    "AWS_EC2_METADATA_DISABLED": "true",
}
LOCK = threading.RLock()
answer: Callable[[str, str, Any, Callable[[], Any]], Any] | None = None
"""Answers every request while a world is there: (service, operation, request, moto's own answer)."""
touched: list[tuple[str, Any, Any]] = []
"""The items of the running request, as (table, hash key, range key)."""
looked_at: list[dict[str, Any]] = []
"""The whole items the latest query or scan read, as DynamoDB JSON."""


@functools.lru_cache(maxsize=1)
def start() -> None:
    """Start moto for the rest of this process."""
    os.environ.update(ENVIRONMENT)
    mock_aws().start()
    stub, query, scan, sorted_items = BotocoreStubber.__call__, Table.query, Table.scan, Table.all_items

    def locked(self: BotocoreStubber, event_name: str, request: Any, **kwargs: Any) -> Any:
        if not self.enabled:
            return None
        with LOCK:
            real = functools.partial(stub, self, event_name, request, **kwargs)
            if answer is None:
                return real()
            _, service, operation = event_name.split(".")
            return answer(service, operation, request, real)

    def noted_query(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = query(self, *args, **kwargs)
        *first, projection, index, consistent, filtered = args  # the backend passes these by position
        cut = projection or filtered
        looked_at[:] = _images((query(self, *first, None, index, consistent, None, **kwargs) if cut else found)[0])
        return found

    def noted_scan(self: Any, *args: Any, **kwargs: Any) -> Any:
        Table.all_items = sorted_items  # a scan's pages need the order; a query sorts what it found by itself
        try:
            looked_at[:] = _images(self.all_items())
            return scan(self, *args, **kwargs)
        finally:
            Table.all_items = raw_items

    BotocoreStubber.__call__ = locked
    Table.query, Table.scan, Table.all_items, Table.__deepcopy__ = noted_query, noted_scan, raw_items, _light_copy


def raw_items(self: Any) -> list[Any]:
    """Every item of a table in the order of its first write."""
    return [item for bucket in self.items.values() for item in (bucket.values() if self.range_key_attr else [bucket])]


def _images(items: list[Any]) -> list[dict[str, Any]]:
    return [item.to_json()["Attributes"] for item in items]


def _light_copy(self: Any, memo: dict[int, Any]) -> Any:
    """A table for a transaction to roll back to: only the items it touches are copied, the rest is shared."""
    backup = Table.__new__(Table)
    backup.__dict__.update(self.__dict__)
    backup.items = defaultdict(dict, {h: dict(b) if isinstance(b, dict) else b for h, b in self.items.items()})
    for table, hash_key, range_key in touched:
        bucket = backup.items.get(hash_key) if table == self.name else None
        if bucket and range_key in bucket:
            bucket[range_key] = copy.deepcopy(bucket[range_key], memo)
    return backup
