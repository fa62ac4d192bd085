"""What both stand-in providers need to read requests and write replies: forms, JSON, times, ids, timers."""

from __future__ import annotations

import base64
import heapq
import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

Reply = tuple[int, dict[str, str], bytes]
Json = dict[str, Any]
Clock = Callable[[], float]
Ids = Callable[[], str]

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Request:
    """One HTTP request. ``headers`` have lower-case names; ``query`` is the raw query string."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Request:
        return cls(method.upper(), path, query or "", {k.lower(): v for k, v in headers.items()}, body or b"")


def random_ids(source: random.Random | None = None) -> Ids:
    """An id source: 24 letters and digits a call. Pass a seeded ``random.Random`` to get the same run again."""
    rng = source or random.SystemRandom()
    return lambda: "".join(rng.choices(_ALPHABET, k=24))


def reply_json(status: int, content: object, content_type: str = "application/json") -> Reply:
    return status, {"Content-Type": content_type}, json.dumps(content, indent=2).encode()


def reply_html(status: int, html: str) -> Reply:
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
    return status, headers, html.encode()


def redirect(location: str) -> Reply:
    """303: the browser follows with a GET, whatever the form's method was."""
    return 303, {"Location": location, "Content-Type": "text/plain"}, b""


def read_json(body: bytes) -> Json:
    """The JSON object in ``body``; ``{}`` for no body. Raises ValueError for anything else."""
    content = json.loads(body or b"{}")
    if not isinstance(content, dict):
        raise ValueError("a JSON object is expected")
    return content


def read_form(text: str) -> Json:
    """``a[b]=1&c[]=2&d[0][e]=3`` as ``{"a": {"b": "1"}, "c": ["2"], "d": [{"e": "3"}]}``. Leaves stay strings."""
    root: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name) or [name]
        node, key = root, head
        for part in rest:
            child = node.setdefault(key, {})
            if not isinstance(child, dict):
                raise ValueError(f"Invalid parameter: {name}")
            node, key = child, part if part else str(len(child))
        node[key] = value
    return {key: _as_list(key, value) for key, value in root.items()}


def _as_list(name: str, node: Any) -> Any:
    # metadata is a map whatever its keys look like; elsewhere keys 0, 1, 2 mean a list
    if not isinstance(node, dict) or name == "metadata":
        return node
    if node and all(key.isdigit() for key in node):
        return [_as_list(key, node[key]) for key in sorted(node, key=int)]
    return {key: _as_list(key, value) for key, value in node.items()}


def words(text: str) -> frozenset[str]:
    """The words of ``text`` as a set: readable for long lists of field names."""
    return frozenset(text.split())


def bearer_key(headers: Mapping[str, str]) -> str | None:
    """The API key of ``Authorization: Bearer key`` or ``Basic base64(key:)``."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().split(":")[0]
        except ValueError:
            return None
    return None


def iso(seconds: float) -> str:
    """Epoch seconds as Mollie writes times: ``2026-03-01T12:00:00+00:00``."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


class Timers:
    """What happens by itself later: a heap of ``(due, action, object id)``, plain data so that it can be saved."""

    def __init__(self) -> None:
        self.heap: list[tuple[float, str, str]] = []

    def at(self, due: float, action: str, object_id: str) -> None:
        heapq.heappush(self.heap, (due, action, object_id))

    def pop_due(self, now: float) -> tuple[str, str] | None:
        """The earliest due ``(action, object id)``, taken off the heap; None when nothing is due."""
        if not self.heap or self.heap[0][0] > now:
            return None
        _, action, object_id = heapq.heappop(self.heap)
        return action, object_id

    def next_due(self) -> float | None:
        return self.heap[0][0] if self.heap else None
