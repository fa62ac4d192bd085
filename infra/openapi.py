"""One OpenAPI 3.1 document over all functions: operations from the resolvers, routes and security from the template.

Nothing is written by hand that the code already says. What the code does not say (doors without a resolver) is in
`infra.openapi_doors`. Whatever does not fit together is an error, all of them told at once: a route nobody documents,
an operation nobody routes to, two models of one name.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra import openapi_doors, sam
from infra.say import Sorry
from infra.template import load

VERSION = "1.0.0"
"""Of the published contract. Minor: something was added; major: something that worked no longer does."""

_INFO = {
    "title": "Mandje",
    "version": VERSION,
    "summary": "Serverless unified commerce: one basket, one stock, one ledger, one profile, over every channel.",
    "description": (
        "Money is `{amount, currency}` in integer minor units, times are UTC ISO 8601. Every error is an RFC 9457 "
        "`application/problem+json` document with a stable `type`. A foreign id is 404, a missing scope 403, no or a "
        "bad token 401. Where `Idempotency-Key` is required, the same key and body give the first answer again, with "
        "`Idempotent-Replayed: true`. Lists page with `limit` and `cursor`; a cursor is opaque and belongs to its "
        "list. Unknown members are refused. Bodies have at most 64 KB, imports 1 MB."
    ),
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
_SERVERS = [
    {"url": ".", "description": "where this document is served"},
    {"url": "http://127.0.0.1:8787", "description": "`make up` on a laptop"},
]
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": (
        "A guest's basket token (from `POST /baskets`), or an OIDC access token of a customer, staff or a device. "
        "Staff and devices act within the scopes of their token."
    ),
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 visible ASCII characters; kept for a day",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}
_REPLAYED = {
    "description": "`true` when this request had been carried out before",
    "schema": {"type": "string", "const": "true"},
}
_VALIDATION_PROBLEM = {
    "title": "ValidationProblem",
    "description": "A problem that says where the request is wrong.",
    "allOf": [{"$ref": "#/components/schemas/ProblemView"}],
    "type": "object",
    "properties": {
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["loc", "msg", "type"],
                "properties": {
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "msg": {"type": "string"},
                    "type": {"type": "string"},
                },
            },
        }
    },
}
_PROBLEM = "application/problem+json"
_SUCCESS = {200: "Done", 201: "Made", 202: "Accepted", 204: "Done, nothing to say"}
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


def document(template: Path = sam.TEMPLATE) -> dict[str, Any]:
    """The whole document, always the same for the same code. Raises `Sorry` with everything that does not fit."""
    whole, problems = assembled(template)
    if problems:
        raise Sorry("the API's description does not fit together:\n  " + "\n  ".join(dict.fromkeys(problems)))
    return whole


def assembled(template: Path) -> tuple[dict[str, Any], list[str]]:
    """The document as far as it can be made, and what is wrong."""
    described, problems = _described(template)
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"ValidationProblem": _VALIDATION_PROBLEM}
    routes = list(_routes(template))
    for route in routes:
        operation = described.pop((route.method, route.path), None)
        if operation is None:
            problems.append(f"{route} is in the template, but {route.handler} does not describe it")
            continue
        if operation.body["operationId"] != route.operation_id:
            problems.append(f"{route} is called {operation.body['operationId']}, not {route.operation_id} as its event")
        for name, schema in operation.schemas.items():
            if schemas.setdefault(name, schema) != schema:
                problems.append(f"the model {name} of {route.handler} is another one elsewhere")
        paths.setdefault(route.path, {})[route.method] = _secured(operation.body, public=route.public)
    problems += [f"{method.upper()} {path} is described, but not in the template" for method, path in described]
    whole = {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": _SERVERS,
        "tags": _tags(routes),
        "security": [{"bearer": []}],
        "paths": {path: _in_order(paths[path]) for path in sorted(paths)},
        "components": {
            "schemas": {name: schemas[name] for name in sorted(_referenced(paths, schemas))},
            "securitySchemes": {"bearer": _BEARER},
        },
    }
    return _tidy(whole), problems


def as_text(whole: dict[str, Any]) -> str:
    """The document as it is committed and served."""
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


# ----------------------------------------------------------------------------------------------------- the template


class _Route:
    """One route of the template, and the name of its event."""

    def __init__(self, function: dict[str, Any], event: str, properties: dict[str, Any], public: bool) -> None:
        self.handler = str(function["Handler"]).removesuffix(".handler")
        self.method, self.path, self.public = properties["Method"].lower(), properties["Path"], public
        self.operation_id = event[0].lower() + event[1:]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


def _routes(template: Path) -> Iterator[_Route]:
    source = sam.load(template)
    public = {(each.method.lower(), each.path): each.authorizer is None for each in load(template).routes}
    for function in sam.functions(source).values():
        for name, event in function.get("Events", {}).items():
            if event["Type"] == "Api":
                properties = event["Properties"]
                yield _Route(function, name, properties, public[properties["Method"].lower(), properties["Path"]])


def _tags(routes: list[_Route]) -> list[dict[str, str]]:
    """A tag per room, in the template's order, described by the room's own first line."""
    rooms = dict.fromkeys(route.handler.split(".")[0] for route in routes)
    loaded = {room: sys.modules[room] for room in rooms if room in sys.modules}
    return [{"name": room, "description": (module.__doc__ or "").strip()} for room, module in loaded.items()]


# ---------------------------------------------------------------------------------------------------- the functions


class _Operation:
    """One operation and the models it uses."""

    def __init__(self, body: dict[str, Any], schemas: dict[str, Any]) -> None:
        self.body, self.schemas = body, schemas


def _described(template: Path) -> tuple[dict[tuple[str, str], _Operation], list[str]]:
    """What the functions behind the template's routes describe, and what is wrong with it."""
    found: dict[tuple[str, str], _Operation] = {}
    problems: list[str] = []
    for handler in dict.fromkeys(route.handler for route in _routes(template)):
        try:
            module = importlib.import_module(handler)
        except ModuleNotFoundError as error:
            problems.append(f"{handler} cannot be loaded: {error}")
            continue
        if hasattr(module, "app"):
            paths, schemas = _of_resolver(module.app)
            # Pydantic tells models of one name apart by longer names; in and out alike, that is one model too many.
            ambiguous = {name.split("__")[-1].split("-")[0] for name in schemas if "__" in name or "-" in name}
            problems += [f"{handler} has two models {name}" for name in sorted(ambiguous)]
        else:
            paths, schemas = openapi_doors.OPERATIONS.get(handler, {}), openapi_doors.SCHEMAS
        for path, operations in paths.items():
            for method, body in operations.items():
                if (method, path) in found:
                    problems.append(f"{method.upper()} {path} is described twice")
                found[method, path] = _Operation(body, {name: schemas[name] for name in _referenced(body, schemas)})
    return found, problems


def _of_resolver(app: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Paths and models of a Powertools resolver.

    Powertools describes either its own success response or ours, never both: the success is added to ours first.
    """
    keys: dict[tuple[str, str], str] = {}
    for route in app._static_routes + app._dynamic_routes:
        responses = route.responses or {}
        if not any(200 <= status < 300 for status in responses):
            responses = {route.status_code: {"description": _SUCCESS[route.status_code]}} | responses
        route.responses = responses
        route.description = route.description or _prose(route.func)
        source = inspect.getsource(route.func)
        if "door.idempotent(" in source:
            keys[route.method.lower(), route.openapi_path] = "optional" if "door.header(" in source else "required"
    schema = json.loads(app.get_openapi_json_schema(title=_INFO["title"], version=VERSION))
    for (method, path), need in keys.items():
        operation = schema["paths"][path][method]
        parameter = _KEY | {"required": need == "required"}
        operation["parameters"] = [*operation.get("parameters", []), parameter]
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                response["headers"] = {"Idempotent-Replayed": _REPLAYED}
    return schema["paths"], schema.get("components", {}).get("schemas", {})


def _prose(function: Any) -> str | None:
    """A docstring as Markdown: its paragraphs, without the line breaks of the source."""
    plain = inspect.getdoc(function)
    return re.sub(r"(?<!\n)\n(?!\n)", " ", plain) if plain else None


# ------------------------------------------------------------------------------------------------------- finishing


def _secured(operation: dict[str, Any], *, public: bool) -> dict[str, Any]:
    """Security as the template has it, and the validation problem where Powertools put a plain one."""
    finished: dict[str, Any] = json.loads(json.dumps(operation))
    if public:
        finished["security"] = []
    else:
        finished["security"] = [{"bearer": []}]
        finished["responses"].setdefault("401", openapi_doors.problem("No token, or one that is not good"))
    invalid = finished["responses"].get("422")
    if invalid:
        invalid["content"] = {_PROBLEM: {"schema": {"$ref": "#/components/schemas/ValidationProblem"}}}
    finished["responses"] = dict(sorted(finished["responses"].items()))
    return finished


def _in_order(operations: dict[str, Any]) -> dict[str, Any]:
    return {method: operations[method] for method in _METHODS if method in operations}


def _referenced(part: Any, schemas: dict[str, Any]) -> set[str]:
    """Names of the models that a part of the document uses, directly or through others."""
    names: set[str] = set()
    todo = [part]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            name = str(here.get("$ref", "")).removeprefix("#/components/schemas/")
            if name in schemas and name not in names:
                names.add(name)
                todo.append(schemas[name])
            todo.extend(here.values())
        elif isinstance(here, list):
            todo.extend(here)
    return names


def _tidy(value: Any) -> Any:
    """Whole numbers as such (`100`, not `100.0`), and nothing that says nothing."""
    if isinstance(value, dict):
        return {key: _tidy(each) for key, each in value.items() if each is not None or key in ("default", "const")}
    if isinstance(value, list):
        return [_tidy(member) for member in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
