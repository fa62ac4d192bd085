"""What `template.yaml` says, as plain typed objects (read by `infra.template`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Function:
    """One Lambda function. `timeout` is in seconds, `memory` in MB; `properties` is the resolved SAM resource."""

    name: str
    handler: str
    env: dict[str, str]
    timeout: int
    memory: int
    properties: dict[str, Any] = field(repr=False)

    @property
    def service(self) -> str:
        """The room the function lives in: `basket` for `basket.api.handler`."""
        return self.handler.split(".")[0]


@dataclass(frozen=True)
class Route:
    """One method on one path of the REST API. `authorizer` is `None` on a public route."""

    method: str
    path: str
    function: str
    authorizer: str | None


@dataclass(frozen=True)
class Authorizer:
    """A Lambda TOKEN authorizer. `ttl` is how many seconds its answer may be cached (0: never)."""

    name: str
    function: str
    header: str
    ttl: int
    validation: str | None


@dataclass(frozen=True)
class Cors:
    """What the preflight answers, already without the inner quotes of the template."""

    origin: str
    headers: str
    methods: str
    max_age: str
    credentials: bool


@dataclass(frozen=True)
class GatewayResponse:
    """An answer API Gateway gives by itself, for example `DEFAULT_4XX` or `UNAUTHORIZED`."""

    kind: str
    status: int | None
    headers: dict[str, str]
    templates: dict[str, str]


@dataclass(frozen=True)
class Api:
    """The REST API: its stage, routes, authorizers, CORS and the answers it gives by itself."""

    name: str
    stage: str
    routes: tuple[Route, ...]
    authorizers: dict[str, Authorizer]
    cors: Cors | None
    responses: dict[str, GatewayResponse]
    binary_types: tuple[str, ...]


@dataclass(frozen=True)
class Index:
    """A global secondary index; `projection` is ALL, KEYS_ONLY or INCLUDE (then `included` names the attributes)."""

    name: str
    hash_key: str
    range_key: str | None
    projection: str
    included: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A DynamoDB table. `name` is the given (physical) name, `stream` the view type or `None`."""

    logical_id: str
    name: str
    arn: str
    hash_key: str
    range_key: str | None
    attributes: dict[str, str]
    indexes: dict[str, Index]
    stream: str | None
    ttl: str | None
    properties: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Queue:
    """An SQS queue; `visibility` in seconds. After `max_receives` failed receives a message moves to `dead_letters`."""

    logical_id: str
    name: str
    arn: str
    url: str
    visibility: int
    dead_letters: str | None
    max_receives: int | None


@dataclass(frozen=True)
class StreamMapping:
    """A table's stream feeding a function. `retries` -1 means until the record expires (24 hours)."""

    table: str
    function: str
    filters: tuple[dict[str, Any], ...]
    batch_size: int
    retries: int
    bisect: bool
    partial_failures: bool
    failure_queue: str | None


@dataclass(frozen=True)
class QueueMapping:
    """A queue feeding a function; `partial_failures`: the function answers with the messages that failed."""

    queue: str
    function: str
    batch_size: int
    partial_failures: bool
    filters: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Rule:
    """An event bus rule: what matches `pattern` on `bus` is sent to every queue in `queues`."""

    name: str
    bus: str
    pattern: dict[str, Any]
    queues: tuple[str, ...]


@dataclass(frozen=True)
class Schedule:
    """A clock that invokes a function every `seconds` with `input`."""

    name: str
    function: str
    seconds: int
    input: dict[str, Any] | None


@dataclass(frozen=True)
class Template:
    """Everything the template deploys, keyed by logical id. `buses` maps logical id to bus name."""

    api: Api
    functions: dict[str, Function]
    tables: dict[str, Table]
    queues: dict[str, Queue]
    buses: dict[str, str]
    streams: tuple[StreamMapping, ...]
    queue_mappings: tuple[QueueMapping, ...]
    rules: tuple[Rule, ...]
    schedules: tuple[Schedule, ...]
    parameters: dict[str, Any]
    resources: dict[str, dict[str, Any]] = field(repr=False)

    @property
    def routes(self) -> tuple[Route, ...]:
        """All routes of the API."""
        return self.api.routes

    def function_of(self, handler: str) -> Function:
        """The function behind `basket.api`, `basket.api.handler` or the logical id; `KeyError` names the known ones."""
        for function in self.functions.values():
            if handler in (function.name, function.handler, function.handler.removesuffix(".handler")):
                return function
        known = ", ".join(sorted(f.handler.removesuffix(".handler") for f in self.functions.values()))
        raise KeyError(f"no function {handler!r} in the template; there are: {known}")
