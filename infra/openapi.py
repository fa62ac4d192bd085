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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import openapi_doors, openapi_problems, sam
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
        "list. A body is one JSON object, sent as `application/json`. What an operation does not declare is refused "
        "in the body and in the query (422); so is a member that is said twice. Bodies have at most 64 KB, imports "
        "1 MB. `Cache-Control` says for how long anybody may keep an answer: never, but for public reads."
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
        "Staff and devices act within the scopes of their token, a device for its own location only."
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
    schemas: dict[str, Any] = {}
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
        problems += [f"{route} raises {slug!r}, which nobody declares" for slug in operation.undeclared()]
        paths.setdefault(route.path, {})[route.method] = operation.finished(public=route.public)
    schemas = openapi_problems.schemas() | schemas
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


def operations(template: Path = sam.TEMPLATE) -> list[tuple[Route, Operation]]:
    """Each route of the template with the operation behind it, where there is one."""
    described, _ = _described(template)
    routes = _routes(template)
    return [(each, described[each.method, each.path]) for each in routes if (each.method, each.path) in described]


# ----------------------------------------------------------------------------------------------------- the template


class Route:
    """One route of the template, and the name of its event."""

    def __init__(self, function: dict[str, Any], event: str, properties: dict[str, Any], public: bool) -> None:
        self.handler = str(function["Handler"]).removesuffix(".handler")
        self.method, self.path, self.public = properties["Method"].lower(), properties["Path"], public
        self.operation_id = event[0].lower() + event[1:]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


def _routes(template: Path) -> Iterator[Route]:
    source = sam.load(template)
    public = {(each.method.lower(), each.path): each.authorizer is None for each in load(template).routes}
    for function in sam.functions(source).values():
        for name, event in function.get("Events", {}).items():
            if event["Type"] == "Api":
                properties = event["Properties"]
                yield Route(function, name, properties, public[properties["Method"].lower(), properties["Path"]])


def _tags(routes: list[Route]) -> list[dict[str, str]]:
    """A tag per room, in the template's order, described by the room's own first line."""
    rooms = dict.fromkeys(route.handler.split(".")[0] for route in routes)
    loaded = {room: sys.modules[room] for room in rooms if room in sys.modules}
    return [{"name": room, "description": (module.__doc__ or "").strip()} for room, module in loaded.items()]


# ---------------------------------------------------------------------------------------------------- the functions


@dataclass(frozen=True)
class Operation:
    """One operation as its function describes it, and the models it uses."""

    body: dict[str, Any]
    schemas: dict[str, Any]
    path: str
    source: str
    """File and function, for people who have to change something there."""
    raises: tuple[str, ...] = ()
    resolver: bool = False
    key: str = ""

    def slugs(self, *, public: bool) -> set[str]:
        """All problems it answers."""
        return openapi_problems.slugs(self.raises, openapi_problems.Kind(self.path, public, self.resolver, self.key))

    def undeclared(self) -> list[str]:
        """Problems it names that nobody declares."""
        return openapi_problems.unknown(self.raises)

    def finished(self, *, public: bool) -> dict[str, Any]:
        """As it is published: security as the template has it, successes of its own, and all its problems."""
        whole: dict[str, Any] = json.loads(json.dumps(self.body))
        whole["security"] = [] if public else [{"bearer": []}]
        for media in whole.get("requestBody", {}).get("content", {}).values():
            media["schema"] = _not_null(media["schema"])
        successes = {status: said for status, said in whole["responses"].items() if status.startswith("2")}
        whole["responses"] = dict(sorted((successes | openapi_problems.responses(self.slugs(public=public))).items()))
        return whole


def _described(template: Path) -> tuple[dict[tuple[str, str], Operation], list[str]]:
    """What the functions behind the template's routes describe, and what is wrong with it."""
    found: dict[tuple[str, str], Operation] = {}
    problems: list[str] = []
    for handler in dict.fromkeys(route.handler for route in _routes(template)):
        try:
            module = importlib.import_module(handler)
        except ModuleNotFoundError as error:
            problems.append(f"{handler} cannot be loaded: {error}")
            continue
        operations = _of_resolver(module.app) if hasattr(module, "app") else _by_hand(handler)
        # Pydantic tells models of one name apart by longer names; in and out alike, that is one model too many.
        names = {name for operation in operations for name in operation[1].schemas}
        ambiguous = {name.split("__")[-1].split("-")[0] for name in names if "__" in name or "-" in name}
        problems += [f"{handler} has two models {name}" for name in sorted(ambiguous)]
        for method, operation in operations:
            if (method, operation.path) in found:
                problems.append(f"{method.upper()} {operation.path} is described twice")
            found[method, operation.path] = operation
    return found, problems


def _by_hand(handler: str) -> list[tuple[str, Operation]]:
    """Operations of a door without a resolver."""
    schemas, source = openapi_doors.SCHEMAS, f"infra/openapi_doors.py (for {handler})"
    return [
        (method, Operation(body, _used(body, schemas), path, source, openapi_doors.RAISES.get(handler, ())))
        for path, operations in openapi_doors.OPERATIONS.get(handler, {}).items()
        for method, body in operations.items()
    ]


def _of_resolver(app: Any) -> list[tuple[str, Operation]]:
    """Operations of a Powertools resolver, by method."""
    routes = {(route.method.lower(), route.openapi_path): route for route in app._static_routes + app._dynamic_routes}
    for route in routes.values():
        route.description = route.description or _prose(route.func)
    whole = json.loads(app.get_openapi_json_schema(title=_INFO["title"], version=VERSION))
    schemas = whole.get("components", {}).get("schemas", {})
    found = []
    for (method, path), route in routes.items():
        body = whole["paths"][path][method]
        answers = body["responses"]
        success = str(route.status_code)
        answers[success]["description"] = _SUCCESS[route.status_code]
        if key := _key_of(route.func):
            parameter = _KEY | {"required": key == "required"}
            body["parameters"] = [*body.get("parameters", []), parameter]
            answers[success]["headers"] = {"Idempotent-Replayed": _REPLAYED}
        raises = getattr(route.func, "raises", ())
        success_only = body | {"responses": {success: answers[success]}}
        used = _used(success_only, schemas)
        found.append((method, Operation(success_only, used, path, _source(route.func), raises, True, key)))
    return found


def _key_of(function: Any) -> str:
    """Whether it needs an Idempotency-Key (`required`), looks first whether one was sent (`optional`), or neither."""
    source = inspect.getsource(function)
    if "door.idempotent(" not in source:
        return ""
    return "optional" if "door.header(" in source else "required"


def _source(function: Any) -> str:
    """`functions/checkout/api.py, place_order`."""
    file = Path(inspect.getsourcefile(function) or "")
    where = file.relative_to(sam.ROOT) if file.is_relative_to(sam.ROOT) else file
    return f"{where}, {function.__name__}"


def _prose(function: Any) -> str | None:
    """A docstring as Markdown: its paragraphs, without the line breaks of the source."""
    plain = inspect.getdoc(function)
    return re.sub(r"(?<!\n)\n(?!\n)", " ", plain) if plain else None


# ------------------------------------------------------------------------------------------------------- finishing


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a body that may be left out: nothing is not `null`."""
    choices = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    return choices[0] if len(choices) == 1 else schema


def _in_order(operations: dict[str, Any]) -> dict[str, Any]:
    return {method: operations[method] for method in _METHODS if method in operations}


def _used(part: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    return {name: schemas[name] for name in _referenced(part, schemas)}


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
    """Whole numbers as such (`100`, not `100.0`), nothing that says nothing, and maps closed for other names."""
    if isinstance(value, dict):
        told = {key: _tidy(each) for key, each in value.items() if each is not None or key in ("default", "const")}
        return ({"additionalProperties": False} if "patternProperties" in told else {}) | told
    if isinstance(value, list):
        return [_tidy(member) for member in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
