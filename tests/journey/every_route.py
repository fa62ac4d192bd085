"""All routes of the template, and what a request to each looks like that is right in form."""

from __future__ import annotations

import functools
import re
from typing import Any
from urllib.parse import urlencode

from infra import openapi, openapi_page
from infra.template import load

UNKNOWN = {"sku": "NOPE", "location_id": "nowhere", "account": "nobody"}
_NOBODY = "0190a1b2-0000-7000-8000-0000000000ff"

ROUTES = sorted((route.method.upper(), route.path) for route in load().routes)
PUBLIC = {(route.method.upper(), route.path) for route in load().routes if route.authorizer is None}
OURS = [route for route in ROUTES if not route[1].startswith("/webhooks/")]
"""Webhooks take whatever a provider sends, as bytes."""


def filled(path: str, value: str | None = None) -> str:
    """A path of the template with a value for each parameter: of what does not exist, or the given one."""
    return re.sub(r"{(\w+)}", lambda name: value or UNKNOWN.get(name[1], _NOBODY), path)


@functools.cache
def _document() -> dict[str, Any]:
    return openapi.document()


def declared_body(method: str, path: str) -> dict[str, Any] | None:
    """A body the contract allows here; None where it has none."""
    body = _document()["paths"][path][method.lower()].get("requestBody", {}).get("content", {}).get("application/json")
    return openapi_page.example(_document(), body["schema"]) if body else None


def body_is_required(method: str, path: str) -> bool:
    """Whether the operation cannot do without a body."""
    return bool(_document()["paths"][path][method.lower()].get("requestBody", {}).get("required"))


def declared_query(method: str, path: str) -> list[dict[str, Any]]:
    """The query members of an operation."""
    parameters = _document()["paths"][path][method.lower()].get("parameters", [])
    return [each for each in parameters if each["in"] == "query"]


def required_query(method: str, path: str) -> str:
    """`?name=value` for what an operation cannot do without; empty if it can do without all."""
    needed = {each["name"]: each["schema"] for each in declared_query(method, path) if each.get("required")}
    said = {name: openapi_page.example(_document(), schema, name) for name, schema in needed.items()}
    pairs = [(name, each) for name, value in said.items() for each in (value if isinstance(value, list) else [value])]
    return f"?{urlencode(pairs)}" if pairs else ""
