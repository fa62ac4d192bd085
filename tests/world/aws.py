"""AWS for one world: moto behind one lock, every request seen on its way in and out.

What moto lacks is added on the way: `ClientRequestToken`, the units of every request, and the changes streams are made
of (none for a write that changes nothing). PutEvents never reaches moto: the world's own bus takes it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from infra.intrinsics import ACCOUNT, REGION
from infra.template_model import Schedule, Template

from . import iam, moto_adapted, units
from .calls import Call, Outside, current
from .keys import READS, Key, keys_of, target_of
from .store import Change, Store
from .units import Image

NOTHING_FOUND = {"Items": [], "Count": 0, "ScannedCount": 0}
_PUT_BEFORE: set[tuple[str, str, str]] = set()


class Aws:
    """The services as one world sees them. `on_change` and `put_events` are given by the event pump."""

    def __init__(self, template: Template, outside: Outside, sleep: Callable[[float], None]) -> None:
        moto_adapted.start()
        self.store = Store(template)
        self.tables, self.images = self.store.tables, self.store.images
        self.outside = outside
        self.functions = template.functions
        self.denied: list[str] = []
        """Requests the template's policies did not allow."""
        self.on_change: Callable[[Change], None] = lambda change: None
        self.put_events: Callable[[list[dict[str, Any]]], dict[str, Any]] = lambda entries: {}
        self._tokens: dict[str, bytes] = {}
        self._secrets: dict[str, str] = {}
        # Whatever botocore waits between attempts, here it takes the same time in every run.
        botocore.endpoint.time = SimpleNamespace(sleep=lambda seconds: sleep(0.05))  # type: ignore[assignment]
        moto_adapted.answer = self.answer

    def answer(self, service: str, operation: str, request: Any, real: Callable[[], AWSResponse]) -> AWSResponse:
        """One request of boto3: through the funnel, then to moto or to the bus."""
        params = json.loads(request.body) if request.body else {}
        call = Call("aws", service, operation, target_of(params), params, (service, operation) not in READS)
        call.attempt = str(request.headers.get("amz-sdk-invocation-id", ""))
        keys = keys_of(operation, params, self.tables) if service == "dynamodb" else []
        whole_table = [(params["TableName"], "*")] if operation in ("Query", "Scan") else []
        call.footprint = frozenset([(key.table, key.text) for key in keys] + whole_table)
        if (service, operation) == ("eventbridge", "PutEvents"):
            perform = functools.partial(self._publish, params)
        elif (service, operation) == ("ssm", "GetParameter"):
            perform = functools.partial(self._parameter, params)
        elif service == "dynamodb":
            perform = functools.partial(self._dynamodb, call, keys, real)
        else:
            perform = real
        if missing := self._missing(call):
            perform = functools.partial(reply, 400, {"__type": "AccessDeniedException", "message": missing})
        answer: AWSResponse = self.outside.pass_through(call, perform)
        call.status = answer.status_code
        return answer

    def _missing(self, call: Call) -> str | None:
        """The permission the running function lacks for a request, if any."""
        invocation = current.get()
        if invocation is None:
            return None
        for need in iam.needs(call, self.tables):
            if iam.refused(self.functions[invocation.function], need):
                self.denied.append(
                    f"template.yaml does not allow {invocation.function} {need.action} on {need.resource}"
                )
                return self.denied[-1]
        return None

    def _publish(self, params: dict[str, Any]) -> AWSResponse:
        try:
            return reply(200, self.put_events(params["Entries"]))
        except ValueError as error:
            return reply(400, {"__type": "ValidationException", "message": str(error)})

    def _dynamodb(self, call: Call, keys: list[Key], real: Callable[[], AWSResponse]) -> AWSResponse:
        token = call.params.get("ClientRequestToken") if call.operation == "TransactWriteItems" else None
        body = json.dumps({**call.params, "ClientRequestToken": None}, sort_keys=True).encode()
        if token in self._tokens:
            if self._tokens[token] != body:
                return reply(400, {"__type": "IdempotentParameterMismatchException", "message": "other parameters"})
            return reply(200, {})
        before = {key: self.store.image(key) for key in keys}
        moto_adapted.touched[:] = [(key.table, key.hash, key.range) for key in keys]
        answer = reply(200, NOTHING_FOUND) if self._asks_nothing(call) else real()
        done = answer.status_code == 200
        if token and done:
            self._tokens[token] = body
        self._count(call, before, done, answer)
        if call.writes and done:
            changes = [Change(self.tables[key.table], key, old, self.store.image(key)) for key, old in before.items()]
            changes = [change for change in changes if change.old != change.new]  # no change, no stream record
            self.store.note(changes)
            for change in changes:
                self.on_change(change)
        return answer

    def _count(self, call: Call, before: dict[Key, Image | None], done: bool, answer: AWSResponse) -> None:
        transactional = call.operation.startswith("Transact")
        consistent = bool(call.params.get("ConsistentRead", False))
        if call.writes:
            for key, old in before.items():
                if done:
                    call.write_units += units.write(
                        self.tables[key.table], old, self.store.image(key), transactional=transactional
                    )
                else:
                    call.write_units += units.refused(old, transactional=transactional)
        elif call.operation in ("Query", "Scan") and done:
            call.read_units = units.read_many(self._looked_at(call), consistent=consistent)
        else:
            wanted = call.params.get("RequestItems", {})
            for key, old in before.items():
                strong = consistent or bool(wanted.get(key.table, {}).get("ConsistentRead", False))
                call.read_units += units.read_one(old, consistent=strong, transactional=transactional)

    def _asks_nothing(self, call: Call) -> bool:
        """A sweeper asks sixteen shards of an index, mostly empty: such a question is put to moto only once."""
        if call.operation != "Query" or "IndexName" not in call.params:
            return False
        table = self.tables[call.params["TableName"]]
        index = table.indexes[call.params["IndexName"]]
        question = table.name, index.name, call.params["KeyConditionExpression"]
        asked = re.match(r"\s*(#?\w+)\s*=\s*(:\w+)", question[2])
        name = call.params.get("ExpressionAttributeNames", {}).get(asked[1], asked[1]) if asked else ""
        if not asked or name != index.hash_key or question not in _PUT_BEFORE:
            _PUT_BEFORE.add(question)
            return False
        moto_adapted.looked_at[:] = []
        return not self.store.index_has(table, index, call.params["ExpressionAttributeValues"][asked[2]])

    def _looked_at(self, call: Call) -> list[Image]:
        """The items (or index entries) a query or scan read: filters and projections come after the bill."""
        table = self.tables[call.params["TableName"]]
        index = table.indexes.get(call.params.get("IndexName", ""))
        return [(index and units.entry(table, index, image)) or image for image in moto_adapted.looked_at]

    def nothing_due(self, schedule: Schedule) -> bool:
        """Whether a clock's function would find nothing: every index its policies let it query is empty."""
        allowed = iam.resources(self.functions[schedule.function], "dynamodb:Query")
        indexes = [(table, index) for table in self.tables.values() for index in table.indexes.values()]
        mine = [(table, index) for table, index in indexes if f"{table.arn}/index/{index.name}" in allowed]
        return bool(mine) and not any(self.store.index_has(table, index) for table, index in mine)

    def secret(self, name: str, value: dict[str, Any]) -> None:
        """Store a JSON secret in the parameter store."""
        self._secrets[name] = json.dumps(value)

    def _parameter(self, params: dict[str, Any]) -> AWSResponse:
        """moto's parameter store would bring all of EC2 with it: a second of import for one dictionary."""
        name = params["Name"]
        if name not in self._secrets:
            return reply(400, {"__type": "ParameterNotFound", "message": ""})
        arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}"
        found = {"Name": name, "ARN": arn, "Type": "SecureString", "Version": 1, "Value": self._secrets[name]}
        return reply(200, {"Parameter": found})


def reply(status: int, body: dict[str, Any]) -> AWSResponse:
    """An answer in the wire format of the JSON services (errors: `__type` and `message`)."""
    headers = {"x-amzn-RequestId": "world", "Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse("https://aws.test", status, headers, MockRawResponse(json.dumps(body)))
