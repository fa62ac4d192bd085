"""Which problems an operation answers: those its route names, and those that follow from what kind of route it is.

The second kind is never typed at a route: whoever has no token is 401 on every route that needs one, the gateway says
429 on any, a body can be too large or of another type wherever there is one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic.json_schema import models_json_schema

from commerce.problem_types import PROBLEMS, STATUS

MEDIA_TYPE = "application/problem+json"
_REF = "#/components/schemas/"


@dataclass(frozen=True)
class Kind:
    """What kind of route it is."""

    path: str
    public: bool
    resolver: bool
    """Served by `commerce.door`."""
    key: str = ""
    """Whether an Idempotency-Key is `required`, `optional`, or nothing (empty)."""


def slugs(named: Iterable[str], kind: Kind) -> set[str]:
    """All problems of an operation."""
    found = {*named, "too-many-requests", "body-too-large"}
    if not kind.public:
        found |= {"unauthorized", "forbidden"}
    if kind.resolver:
        found |= {"validation", "unsupported-media-type", "busy"}
        found |= {"not-found"} if "{" in kind.path else set()
    if kind.key:
        found |= {"idempotency-key-invalid", "idempotency-key-reused"}
        found |= {"idempotency-key-missing"} if kind.key == "required" else set()
    return found


def unknown(named: Iterable[str]) -> list[str]:
    """Those that nobody declared."""
    return sorted(set(named) - set(PROBLEMS))


def responses(found: Collection[str]) -> dict[str, Any]:
    """The OpenAPI `responses` for these problems, one per status."""
    by_status: dict[int, list[str]] = {}
    for slug in sorted(set(found) & set(PROBLEMS)):
        by_status.setdefault(STATUS[slug], []).append(slug)
    return {str(status): _response(status, some) for status, some in sorted(by_status.items())}


def schemas() -> dict[str, Any]:
    """The models of all problems, by name."""
    _, whole = models_json_schema([(model, "validation") for model in PROBLEMS.values()], ref_template=_REF + "{model}")
    return {name: _plain(schema) for name, schema in whole["$defs"].items()}


def _response(status: int, some: list[str]) -> dict[str, Any]:
    return {
        "description": "\n".join(f"`{slug}`: {PROBLEMS[slug].__doc__}" for slug in some),
        "content": {MEDIA_TYPE: {"schema": _one_of(some)}},
    } | ({"headers": {"Retry-After": _RETRY_AFTER}} if status in _LATER else {})


_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_RETRY_AFTER = {"description": "seconds until it is worth to ask again", "schema": {"type": "integer", "minimum": 0}}


def _one_of(some: list[str]) -> dict[str, Any]:
    refs = {f"/problems/{slug}": _REF + PROBLEMS[slug].__name__ for slug in some}
    if len(refs) == 1:
        return {"$ref": next(iter(refs.values()))}
    choices = [{"$ref": ref} for ref in refs.values()]
    return {"oneOf": choices, "discriminator": {"propertyName": "type", "mapping": refs}}


def _plain(schema: Any) -> Any:
    """Open for members that come later, and without the defaults of members that may be left out."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _plain(each) for key, each in schema.items() if key not in ("default", "additionalProperties")}
