"""The line of a till: how its log is sent, in the standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Protocol

Answer = tuple[int, dict[str, Any]]


class Send(Protocol):
    """Post a body to a path of the API, with an Idempotency-Key if one is given; returns status and JSON.

    Raises `Offline` when there was no answer.
    """

    def __call__(self, path: str, body: dict[str, Any], key: str | None = None, /) -> Answer: ...


class Offline(Exception):
    """No answer: the request may or may not have been carried out. Sending it again is safe."""


def over_http(api_url: str, token: str, timeout: float = 10.0) -> Send:
    """Send over HTTPS with a bearer token."""

    def send(path: str, body: dict[str, Any], key: str | None = None, /) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        request = urllib.request.Request(api_url + path, data=json.dumps(body).encode(), headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            try:
                return error.code, json.loads(error.read())
            except ValueError:
                return error.code, {}
        except (OSError, ValueError) as error:
            raise Offline(str(error)) from error

    return send
