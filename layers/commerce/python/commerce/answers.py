"""What leaves a door: problem documents, and the headers every answer has."""

import json
import os
from http import HTTPStatus
from typing import Any

from commerce.problems import Problem

PROBLEM = "application/problem+json"
NO_STORE = "no-store"
_EXPOSED = "Idempotent-Replayed,Retry-After"

AGES = {"products": 60, "locations": 60, "stock": 5, "openapi.json": 300, "docs": 300}
"""For how many seconds anybody may keep what a public route answered, by the first part of its path.

A price is shown by warm functions for half a minute anyway and checkout charges by a fresh one; how much is left in a
store changes with each sale.
"""


def of_problem(problem: Problem, instance: str | None = None) -> dict[str, Any]:
    """The problem document as a proxy answer."""
    headers = {"Content-Type": [PROBLEM]}
    if problem.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry-After"] = ["1"]
    body = json.dumps(problem.as_map(instance=instance), ensure_ascii=False)
    return {"statusCode": problem.status, "multiValueHeaders": headers, "body": body, "isBase64Encoded": False}


def finished(event: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with who may read it (browsers) and who may keep it (caches)."""
    added = {"Cache-Control": [_kept(event, answer)]}
    # API Gateway answers preflights itself, but what passes through it must say itself who may read it.
    if origin := os.environ.get("CORS_ORIGIN"):
        added |= {"Access-Control-Allow-Origin": [origin], "Access-Control-Expose-Headers": [_EXPOSED]}
    return answer | {"multiValueHeaders": (answer.get("multiValueHeaders") or {}) | added}


def _kept(event: dict[str, Any], answer: dict[str, Any]) -> str:
    """Nothing personal, no token and no refusal is kept by anybody; what everybody may read has an age.

    A route is public when no authorizer ran before it; a private one cannot have succeeded then.
    """
    public = not (event.get("requestContext") or {}).get("authorizer")
    age = AGES.get((event.get("resource") or "/").split("/")[1])
    read = event.get("httpMethod") == "GET" and answer["statusCode"] == HTTPStatus.OK
    return f"public, max-age={age}" if public and read and age else NO_STORE
