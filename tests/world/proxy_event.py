"""The version 1 proxy event a REST API hands to a function, and the route it was matched to.

`chalice.local` misses most of the event, matches no `{proxy+}`, leaks parameters between candidate routes and does not
decode them; its converter and matcher are replaced here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from chalice.local import LambdaEventConverter, MatchResult, RouteMatcher

from infra.intrinsics import ACCOUNT

from .clock import Clock

API_ID = "local"


class Headers(dict[str, str]):
    """Header name to its last value, case kept as sent; `every` has the repeated ones, lookups ignore case."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        self.every: dict[str, list[str]] = {}
        for name, value in pairs:
            known = next((other for other in self.every if other.lower() == name.lower()), name)
            self.every.setdefault(known, []).append(value)
            self[known] = value

    def first(self, name: str) -> str | None:
        """A header's first value, whatever its case."""
        return next((values[0] for known, values in self.every.items() if known.lower() == name.lower()), None)


class TemplateRouteMatcher(RouteMatcher):
    """Matches as API Gateway: segment by segment, a literal before a parameter before a greedy parameter."""

    def __init__(self, route_urls: list[str]) -> None:
        super().__init__(sorted(route_urls, key=_specificity))

    def match_route(self, url: str) -> MatchResult:
        """The route of a URL with its decoded parameters; `ValueError` if there is none."""
        split = urlsplit(url)
        parts = (split.path.rstrip("/") or "/").split("/")
        for route in self.route_urls:
            captured = _capture(route.split("/"), parts)
            if captured is not None:
                return MatchResult(route, captured, parse_qs(split.query, keep_blank_values=True))
        raise ValueError(f"no route for {url}")


def _specificity(route: str) -> list[int]:
    return [2 if part.endswith("+}") else 1 if part.startswith("{") else 0 for part in route.split("/")]


def _capture(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    captured = {}
    for position, segment in enumerate(pattern):
        if segment.endswith("+}") and len(parts) > position:
            return captured | {segment[1:-2]: unquote("/".join(parts[position:]))}
        if position >= len(parts) or (not segment.startswith("{") and unquote(parts[position]) != segment):
            return None
        if segment.startswith("{"):
            if not parts[position]:
                return None
            captured[segment[1:-1]] = unquote(parts[position])
    return captured if len(parts) == len(pattern) else None


class ProxyEvents(LambdaEventConverter):
    """Builds the event. Text bodies arrive as text, bodies of a binary media type as base64."""

    def __init__(self, matcher: RouteMatcher, stage: str, binary_types: list[str], clock: Clock, ids: Any) -> None:
        super().__init__(matcher, binary_types)
        self._stage, self._clock, self._ids = stage, clock, ids

    def _is_binary(self, headers: dict[str, Any]) -> bool:
        return matches_media_type(self._binary_types, Headers(headers.items()).first("content-type") or "")

    def create_lambda_event(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> dict[str, Any]:
        """The complete event for a request; `ValueError` if no route matches."""
        event: dict[str, Any] = super().create_lambda_event(method, path, headers, body)
        every = headers.every if isinstance(headers, Headers) else {name: [value] for name, value in headers.items()}
        query = event["multiValueQueryStringParameters"]
        resource, plain_path = event["requestContext"]["resourcePath"], urlsplit(path).path
        event |= {
            "resource": resource,
            "path": plain_path,
            "httpMethod": method,
            "headers": dict(headers),
            "multiValueHeaders": every,
            "queryStringParameters": {name: values[-1] for name, values in query.items()} if query else None,
            "pathParameters": event["pathParameters"] or None,
            "stageVariables": None,
            "isBase64Encoded": event.get("isBase64Encoded", False),
        }
        if isinstance(event["body"], bytes):
            event["body"] = event["body"].decode("utf-8", "replace")  # what API Gateway does to undeclared binary
        event["requestContext"] = self._request_context(method, resource, plain_path, Headers(headers.items()))
        return event

    def _request_context(self, method: str, resource: str, path: str, headers: Headers) -> dict[str, Any]:
        now = datetime.fromtimestamp(self._clock.now, UTC)
        return {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "domainName": "api.mandje.test",
            "domainPrefix": "api",
            "stage": self._stage,
            "path": f"/{self._stage}{path}",
            "resourcePath": resource,
            "resourceId": "local",
            "httpMethod": method,
            "protocol": "HTTP/1.1",
            "requestId": str(UUID(int=self._ids.getrandbits(128), version=4)),
            "extendedRequestId": "local",
            "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "requestTimeEpoch": int(self._clock.now * 1000),
            "identity": {
                **dict.fromkeys(
                    ("accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType")
                ),
                **dict.fromkeys(("cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn")),
                "sourceIp": self.LOCAL_SOURCE_IP,
                "userAgent": headers.first("user-agent"),
            },
        }


def matches_media_type(patterns: Iterable[str], content_type: str) -> bool:
    """Whether a content type is one of the API's binary media types (`image/*`, `*/*`)."""
    plain = content_type.split(";")[0].strip().lower()
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), plain) for pattern in patterns) and bool(plain)
