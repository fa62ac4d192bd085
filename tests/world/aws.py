"""AWS for one world: moto behind one lock, every request seen on its way in and out.

moto holds no lock, so bare moto oversells under threads; one lock around its stubber makes every request atomic, which
is DynamoDB's contract. On the way this module adds what moto lacks: `ClientRequestToken`, units of every request, the
change records of streams (none for a write that changes nothing), and transactions that do not copy whole tables.
PutEvents never reaches moto: the world's own bus takes it.

Tables are created once per process; a fresh world only empties them.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
from botocore.awsrequest import AWSResponse
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table as MotoTable
from moto.ssm.models import ssm_backends

from infra.intrinsics import ACCOUNT, REGION
from infra.template_model import Table, Template

from . import units
from .calls import Call, Outside
from .keys import READS, Key, keys_of, target_of
from .units import Image

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # else boto3 talks to <account>.ddb..., which moto does not know
    "AWS_EC2_METADATA_DISABLED": "true",
}
LOCK = threading.RLock()
_active: Aws | None = None
_touched: list[tuple[str, Any, Any]] = []


@dataclass(frozen=True)
class Change:
    """One item changed from `old` to `new` (`None`: it was not there, or is not any more)."""

    table: Table
    key: Key
    old: Image | None
    new: Image | None


class Aws:
    """The services as one world sees them. `on_change` and `put_events` are given by the event pump."""

    def __init__(self, template: Template, outside: Outside, sleep: Callable[[float], None]) -> None:
        global _active
        start()
        create_tables(template)
        self.tables = {table.name: table for table in template.tables.values()}
        self.outside = outside
        self.on_change: Callable[[Change], None] = lambda change: None
        self.put_events: Callable[[list[dict[str, Any]]], dict[str, Any]] = lambda entries: {}
        self._tokens: dict[str, bytes] = {}
        for table in _backend().tables.values():
            table.items = defaultdict(dict)
        ssm_backends[ACCOUNT][REGION].reset()
        # Whatever botocore waits between attempts, here it takes the same time in every run.
        botocore.endpoint.time = SimpleNamespace(sleep=lambda seconds: sleep(0.05))  # type: ignore[assignment]
        _active = self

    def answer(self, service: str, operation: str, request: Any, real: Callable[[], AWSResponse]) -> AWSResponse:
        """One request of boto3: through the funnel, then to moto or to the bus."""
        params = json.loads(request.body) if request.body else {}
        call = Call("aws", service, operation, target_of(params), params, (service, operation) not in READS)
        call.attempt = str(request.headers.get("amz-sdk-invocation-id", ""))
        keys = keys_of(operation, params, self.tables) if service == "dynamodb" else []
        call.footprint = frozenset((key.table, key.text) for key in keys)
        if (service, operation) == ("eventbridge", "PutEvents"):
            perform = functools.partial(self._publish, request, params)
        elif service == "dynamodb":
            perform = functools.partial(self._dynamodb, call, keys, real)
        else:
            perform = real
        answer: AWSResponse = self.outside.pass_through(call, perform)
        call.status = answer.status_code
        return answer

    def _publish(self, request: Any, params: dict[str, Any]) -> AWSResponse:
        try:
            return reply(request, 200, self.put_events(params["Entries"]))
        except ValueError as error:
            return reply(request, 400, {"__type": "ValidationException", "message": str(error)})

    def _dynamodb(self, call: Call, keys: list[Key], real: Callable[[], AWSResponse]) -> AWSResponse:
        token = call.params.get("ClientRequestToken") if call.operation == "TransactWriteItems" else None
        body = json.dumps({**call.params, "ClientRequestToken": None}, sort_keys=True).encode()
        if token in self._tokens:
            if self._tokens[token] != body:
                return AWSResponse("", 400, {}, MockRawResponse(_error("IdempotentParameterMismatchException")))
            return AWSResponse("", 200, {}, MockRawResponse(b"{}"))
        before = {key: self.image(key) for key in keys}
        _touched[:] = [(key.table, key.hash, key.range) for key in keys]
        answer = real()
        done = answer.status_code == 200
        if token and done:
            self._tokens[token] = body
        self._count(call, before, done, answer)
        if call.writes and done:
            for key, old in before.items():
                new = self.image(key)
                if old != new:  # a write that changes nothing leaves no stream record
                    self.on_change(Change(self.tables[key.table], key, old, new))
        return answer

    def _count(self, call: Call, before: dict[Key, Image | None], done: bool, answer: AWSResponse) -> None:
        transactional = call.operation.startswith("Transact")
        consistent = bool(call.params.get("ConsistentRead", False))
        if call.writes:
            for key, old in before.items():
                if done:
                    call.write_units += units.write(
                        self.tables[key.table], old, self.image(key), transactional=transactional
                    )
                else:
                    call.write_units += units.refused(old, transactional=transactional)
        elif call.operation in ("Query", "Scan") and done:
            call.read_units = units.read_many(self._looked_at(call, answer), consistent=consistent)
        else:
            wanted = call.params.get("RequestItems", {})
            for key, old in before.items():
                strong = consistent or bool(wanted.get(key.table, {}).get("ConsistentRead", False))
                call.read_units += units.read_one(old, consistent=strong, transactional=transactional)

    def _looked_at(self, call: Call, answer: AWSResponse) -> list[Image]:
        """The whole items (or index entries) a query read: filters and projections come after the bill."""
        table = self.tables[call.params["TableName"]]
        images: list[Image] = json.loads(answer.content).get("Items", [])
        index = table.indexes.get(call.params.get("IndexName", ""))
        whole = [self.image(Key.of(table, image)) or image for image in images if table.hash_key in image]
        return [units.entry(table, index, image) or image for image in whole] if index else whole

    # ------------------------------------------------------------------------------- looking in, without a request

    def image(self, key: Key) -> Image | None:
        """The item under a key as DynamoDB JSON, read from moto's memory."""
        bucket = _backend().tables[key.table].items.get(key.hash)
        item = bucket.get(key.range) if bucket and key.range is not None else bucket
        return item.to_json()["Attributes"] if item else None

    def images(self, table: str) -> Iterable[Image]:
        """Every item of a table (logical id or name) as DynamoDB JSON."""
        for item in list(_backend().tables[table].all_items()):
            yield item.to_json()["Attributes"]

    def remove(self, key: Key) -> None:
        """Delete an item as the service itself does when its time to live is over."""
        old = self.image(key)
        _backend().tables[key.table].items[key.hash].pop(key.range, None)
        self.on_change(Change(self.tables[key.table], key, old, None))

    def secret(self, name: str, value: dict[str, Any]) -> None:
        """Store a JSON secret in the parameter store."""
        ssm_backends[ACCOUNT][REGION].put_parameter(
            name, "", json.dumps(value), "SecureString", "", "alias/aws/ssm", True, [], "text", "Standard", []
        )


def reply(request: Any, status: int, body: dict[str, Any]) -> AWSResponse:
    """An answer in the wire format of the JSON services."""
    headers = {"x-amzn-RequestId": "injected", "Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse(request.url, status, headers, MockRawResponse(json.dumps(body)))


def _error(code: str) -> bytes:
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code}).encode()


def _backend() -> Any:
    return dynamodb_backends[ACCOUNT][REGION]


@functools.lru_cache(maxsize=1)
def start() -> None:
    """Start moto for the rest of this process and put the hook and the lock in front of it."""
    os.environ.update(ENVIRONMENT)
    mock_aws().start()
    original = BotocoreStubber.__call__

    def stub(self: BotocoreStubber, event_name: str, request: Any, **kwargs: Any) -> Any:
        if not self.enabled:
            return None
        with LOCK:
            if _active is None:
                return original(self, event_name, request, **kwargs)
            _, service, operation = event_name.split(".")
            real = functools.partial(original, self, event_name, request, **kwargs)
            return _active.answer(service, operation, request, real)

    BotocoreStubber.__call__ = stub  # type: ignore[method-assign]
    MotoTable.__deepcopy__ = _light_copy


def _light_copy(self: Any, memo: dict[int, Any]) -> Any:
    """A table for a transaction to roll back to: only the items it touches are copied, the rest is shared."""
    backup = MotoTable.__new__(MotoTable)
    backup.__dict__.update(self.__dict__)
    backup.items = defaultdict(dict, {h: dict(b) if isinstance(b, dict) else b for h, b in self.items.items()})
    for table, hash_key, range_key in _touched:
        bucket = backup.items.get(hash_key) if table == self.name else None
        if bucket and range_key in bucket:
            bucket[range_key] = copy.deepcopy(bucket[range_key], memo)
    return backup


def create_tables(template: Template) -> None:
    """Create what is missing of the template's tables (streams are the pump's, not moto's)."""
    existing = _backend().tables
    for table in template.tables.values():
        if table.name not in existing:
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
