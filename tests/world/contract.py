"""The witness: every answer of the API in any test is one that the contract names for this operation.

A status nobody documented, a problem that is not listed at its route, a member that is not declared: each fails the
test in which it happens, and says what to write where.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from pydantic import ValidationError

from commerce.problem_types import PROBLEMS
from infra import openapi, sam

from .gateway import Answer

_FAILURES = (500, 502, 504)
"""What the gateway says when a function broke: never promised, and judged by each test itself."""


class NotInTheContract(AssertionError):
    """An answer that the contract does not name."""


@functools.cache
def _operations() -> dict[tuple[str, str], tuple[set[str], openapi.Operation, dict[str, Any]]]:
    """By method and path: the slugs it may answer, who describes it, and its published form."""
    return {
        (route.method.upper(), route.path): (
            operation.slugs(public=route.public),
            operation,
            operation.finished(public=route.public),
        )
        for route, operation in openapi.operations(sam.TEMPLATE)
    }


def witness(method: str, route: str, answer: Answer) -> None:
    """Raise `NotInTheContract` unless this is one of the documented answers of that route."""
    if method == "OPTIONS" or answer.status in _FAILURES:
        return
    slugs, operation, published = _operations()[method, route]
    wrong = _status(answer, operation, published) if answer.status < 400 else _problem(answer, slugs, operation)
    if wrong:
        raise NotInTheContract(f"{method} {route} answered {answer.status}, {wrong}")


def _status(answer: Answer, operation: openapi.Operation, published: dict[str, Any]) -> str | None:
    if str(answer.status) in published["responses"]:
        return None
    return f"which is not its documented success. Set `status_code={answer.status}` at {operation.source}."


def _problem(answer: Answer, slugs: set[str], operation: openapi.Operation) -> str | None:
    try:
        said = json.loads(answer.body)
        slug = said["type"].removeprefix("/problems/")
    except (ValueError, TypeError, KeyError, AttributeError):
        return f"without a problem document: {answer.body[:200]!r}"
    model = PROBLEMS.get(slug)
    if model is None:
        return (
            f"{slug!r}, which nobody declares. Write in layers/commerce/python/commerce/problem_types.py:\n"
            f'  _problem({answer.status}, "{slug}", "When this happens."{_members(said)})\n'
            f'and name it at its route, {operation.source}: @door.raises("{slug}")'
        )
    if slug not in slugs:
        return f"{slug!r}, which its route does not name. Add it to @door.raises(...) at {operation.source}."
    try:
        model.model_validate(said)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return (
            f"{slug!r} with other members than declared ({found}).\n"
            f"Mend its line in layers/commerce/python/commerce/problem_types.py. Answered: {said}"
        )
    if model.model_fields["status"].json_schema_extra != {"const": answer.status} or said["status"] != answer.status:
        return f"{slug!r}, whose status is declared to be another in layers/commerce/python/commerce/problem_types.py."
    return None


def _members(said: dict[str, Any]) -> str:
    own = {name: value for name, value in said.items() if name not in ("type", "title", "status", "detail", "instance")}
    return "".join(f", {name}={type(value).__name__}" for name, value in own.items())
