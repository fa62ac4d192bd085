"""What `template.yaml` deploys, resolved and typed: routes, functions, tables, streams, rules, queues and clocks.

Tests, the local invoker, the benchmark and the documentation ask this module what the system looks like. `infra.sam`
reads the file; here parameters, conditions and intrinsic functions are resolved into the objects of `template_model`:

    template = load(parameters={"OidcIssuer": "https://issuer.test"})
    template.routes[0].method, template.routes[0].path, template.routes[0].function
    template.functions["BasketApi"].env["BASKET_TABLE"]
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from infra import sam
from infra.intrinsics import Resolver
from infra.template_model import (
    Api,
    Authorizer,
    Cors,
    Function,
    GatewayResponse,
    Index,
    Queue,
    QueueMapping,
    Route,
    Rule,
    Schedule,
    StreamMapping,
    Table,
    Template,
)


def load(
    path: Path = sam.TEMPLATE, parameters: Mapping[str, str] | None = None, name: Callable[[str], str] = str
) -> Template:
    """Read and resolve a template.

    `parameters` override the template's defaults (an unknown one is a `KeyError`); `name` gives the physical name of
    a table, queue or bus whose resource does not name itself (default: its logical id).
    """
    return _load(path, path.stat().st_mtime_ns, tuple(sorted((parameters or {}).items())), name)


@functools.lru_cache(maxsize=8)
def _load(path: Path, _changed: int, parameters: tuple[tuple[str, str], ...], name: Callable[[str], str]) -> Template:
    return _Reader(sam.load(path), dict(parameters), name).template()


class _Reader:
    """Walks the resolved resources once and sorts them into the model."""

    def __init__(self, document: dict[str, Any], parameters: dict[str, str], name: Callable[[str], str]) -> None:
        self.resolver = Resolver(document, parameters, name)
        self.shared_api = document.get("Globals", {}).get("Api", {})
        functions = sam.functions(document)  # with Globals merged in
        self.resources: dict[str, dict[str, Any]] = {
            key: {
                "Type": resource["Type"],
                "Properties": self.resolver.value(functions.get(key) or resource.get("Properties", {})),
            }
            for key, resource in document["Resources"].items()
            if "Condition" not in resource or self.resolver.condition(resource["Condition"])
        }
        self.by_arn = {
            self.resolver.attribute(key, attribute): key
            for key, resource in self.resources.items()
            for attribute in ("Arn", "StreamArn")
        }

    def of_type(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, resource in self.resources.items():
            if resource["Type"] == kind:
                yield key, resource["Properties"]

    def template(self) -> Template:
        functions = {key: _function(key, item) for key, item in self.of_type("AWS::Serverless::Function")}
        wiring = [part for function in functions.values() for part in self.events(function)]
        return Template(
            api=self.api(tuple(part for part in wiring if isinstance(part, Route))),
            functions=functions,
            tables={key: self.table(key, item) for key, item in self.of_type("AWS::DynamoDB::Table")},
            queues={key: self.queue(key, item) for key, item in self.of_type("AWS::SQS::Queue")},
            buses={key: self.resolver.name(key) for key, _ in self.of_type("AWS::Events::EventBus")},
            streams=tuple(part for part in wiring if isinstance(part, StreamMapping)),
            queue_mappings=tuple(part for part in wiring if isinstance(part, QueueMapping)),
            rules=tuple(self.rule(key, item) for key, item in self.of_type("AWS::Events::Rule")),
            schedules=tuple(part for part in wiring if isinstance(part, Schedule)),
            parameters=self.resolver.parameters,
            resources=self.resources,
        )

    def events(self, function: Function) -> Iterator[Route | StreamMapping | QueueMapping | Schedule]:
        for name, event in function.properties.get("Events", {}).items():
            item = event.get("Properties", {})
            match event["Type"]:
                case "Api":
                    yield Route(item["Method"].upper(), item["Path"], function.name, self.authorizer_of(item))
                case "DynamoDB":
                    yield self.stream(function, item)
                case "SQS":
                    yield QueueMapping(
                        self.by_arn[item["Queue"]],
                        function.name,
                        int(item.get("BatchSize", 10)),
                        "ReportBatchItemFailures" in item.get("FunctionResponseTypes", ()),
                        _filters(item),
                    )
                case "Schedule" | "ScheduleV2":
                    if item.get("Enabled", True) and item.get("State") != "DISABLED":
                        rate = seconds(item.get("Schedule") or item["ScheduleExpression"])
                        given = json.loads(item["Input"]) if "Input" in item else None
                        yield Schedule(f"{function.name}{name}", function.name, rate, given)
                case kind:
                    raise ValueError(f"{function.name}: event type {kind} is not understood")

    def stream(self, function: Function, item: dict[str, Any]) -> StreamMapping:
        failure = item.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        return StreamMapping(
            self.by_arn[item["Stream"]],
            function.name,
            _filters(item),
            int(item.get("BatchSize", 100)),
            int(item.get("MaximumRetryAttempts", -1)),
            bool(item.get("BisectBatchOnFunctionError", False)),
            "ReportBatchItemFailures" in item.get("FunctionResponseTypes", ()),
            self.by_arn[failure] if failure else None,
        )

    def authorizer_of(self, route: dict[str, Any]) -> str | None:
        _, api = next(self.of_type("AWS::Serverless::Api"))
        which = route.get("Auth", {}).get("Authorizer", api.get("Auth", {}).get("DefaultAuthorizer"))
        return None if which in (None, "NONE") else str(which)

    def api(self, routes: tuple[Route, ...]) -> Api:
        key, own = next(self.of_type("AWS::Serverless::Api"))
        item = self.resolver.value(self.shared_api) | own
        authorizers = {
            name: self.authorizer(name, spec) for name, spec in item.get("Auth", {}).get("Authorizers", {}).items()
        }
        responses = {kind: _gateway_response(kind, spec) for kind, spec in item.get("GatewayResponses", {}).items()}
        binary = tuple(kind.replace("~1", "/") for kind in item.get("BinaryMediaTypes", ()))
        return Api(key, item["StageName"], routes, authorizers, _cors(item.get("Cors")), responses, binary)

    def authorizer(self, name: str, item: dict[str, Any]) -> Authorizer:
        identity = item.get("Identity", {})
        return Authorizer(
            name,
            self.by_arn[item["FunctionArn"]],
            identity.get("Header", "Authorization"),
            int(identity.get("ReauthorizeEvery", 300)),
            identity.get("ValidationExpression"),
        )

    def table(self, key: str, item: dict[str, Any]) -> Table:
        ttl = item.get("TimeToLiveSpecification", {})
        return Table(
            key,
            self.resolver.name(key),
            self.resolver.attribute(key, "Arn"),
            *_keys(item["KeySchema"]),
            {spec["AttributeName"]: spec["AttributeType"] for spec in item["AttributeDefinitions"]},
            {spec["IndexName"]: _index(spec) for spec in item.get("GlobalSecondaryIndexes", ())},
            item.get("StreamSpecification", {}).get("StreamViewType"),
            ttl["AttributeName"] if ttl.get("Enabled") else None,
            item,
        )

    def queue(self, key: str, item: dict[str, Any]) -> Queue:
        redrive = item.get("RedrivePolicy")
        return Queue(
            key,
            self.resolver.name(key),
            self.resolver.attribute(key, "Arn"),
            str(self.resolver.ref(key)),
            int(item.get("VisibilityTimeout", 30)),
            self.by_arn[redrive["deadLetterTargetArn"]] if redrive else None,
            int(redrive["maxReceiveCount"]) if redrive else None,
        )

    def rule(self, key: str, item: dict[str, Any]) -> Rule:
        queues = tuple(self.by_arn[target["Arn"]] for target in item["Targets"])
        return Rule(key, str(item.get("EventBusName", "default")), item["EventPattern"], queues)


def seconds(expression: str) -> int:
    """`rate(5 minutes)` in seconds. A cron expression is not used by this template and is refused."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if not found:
        raise ValueError(f"only rate(...) schedules are understood, not {expression!r}")
    return int(found[1]) * {"minute": 60, "hour": 3600, "day": 86400}[found[2]]


def _function(key: str, item: dict[str, Any]) -> Function:
    variables = item.get("Environment", {}).get("Variables", {})
    env = {name: str(value) for name, value in variables.items()}
    return Function(key, item["Handler"], env, int(item.get("Timeout", 3)), int(item.get("MemorySize", 128)), item)


def _index(item: dict[str, Any]) -> Index:
    projection = item["Projection"]
    included = tuple(projection.get("NonKeyAttributes", ()))
    return Index(item["IndexName"], *_keys(item["KeySchema"]), projection["ProjectionType"], included)


def _filters(item: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(spec["Pattern"]) for spec in item.get("FilterCriteria", {}).get("Filters", ()))


def _keys(schema: list[dict[str, str]]) -> tuple[str, str | None]:
    keys = {part["KeyType"]: part["AttributeName"] for part in schema}
    return keys["HASH"], keys.get("RANGE")


def _gateway_response(kind: str, item: dict[str, Any]) -> GatewayResponse:
    headers = item.get("ResponseParameters", {}).get("Headers", {})
    plain = {name: str(value).strip("'") for name, value in headers.items()}
    status = int(item["StatusCode"]) if "StatusCode" in item else None
    return GatewayResponse(kind, status, plain, item.get("ResponseTemplates", {}))


def _cors(item: Any) -> Cors | None:
    if not item:
        return None
    if isinstance(item, str):
        item = {"AllowOrigin": item}

    def plain(name: str, default: str = "") -> str:
        return str(item.get(name, default)).strip("'")

    credentials = bool(item.get("AllowCredentials", False))
    return Cors(plain("AllowOrigin", "*"), plain("AllowHeaders"), plain("AllowMethods"), plain("MaxAge"), credentials)
