"""API Gateway in this process: chalice's local gateway with the template's routes, made to behave like a REST API.

Added to `chalice.local`: the whole proxy event (`proxy_event`), the template's authorizer (`authorizer`), its gateway
responses and CORS, 502 for handlers that fail or answer nonsense, 413 for bodies over 10 MB.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from chalice import Chalice, CORSConfig
from chalice.app import ChaliceAuthorizer
from chalice.config import Config
from chalice.local import LocalGateway

from infra.template_model import Api

from .authorizer import Refused, TemplateAuthorizer, as_text
from .clock import Clock
from .proxy_event import Headers, ProxyEvents, TemplateRouteMatcher, matches_media_type
from .runtime import InvocationFailed

MAX_BODY = 10 * 1024 * 1024
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
Invoke = Callable[[str, dict[str, Any]], Any]
Witness = Callable[[str, str, "Answer"], None]
"""Looks at every answer of a route: (method, route, answer)."""

# API Gateway's own answers before the template changes them: status, and the message member it has by default.
_OWN_ANSWERS: dict[str, tuple[int, dict[str, str | None]]] = {
    "UNAUTHORIZED": (401, {"message": "Unauthorized"}),
    "ACCESS_DENIED": (403, {"Message": "User is not authorized to access this resource"}),
    "MISSING_AUTHENTICATION_TOKEN": (403, {"message": "Missing Authentication Token"}),
    "REQUEST_TOO_LARGE": (413, {"message": "Request Too Long"}),
    "AUTHORIZER_FAILURE": (500, {"message": None}),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, {"message": None}),
    "BAD_GATEWAY": (502, {"message": "Internal server error"}),
}


@dataclass(frozen=True)
class Answer:
    """What leaves the gateway; header names in the case the function gave them, repeats in order."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class TemplateApp(Chalice):
    """A chalice app with the template's routes and no views: a call hands the event to the routed function."""

    def __init__(self, api: Api, invoke: Invoke) -> None:
        super().__init__("template", configure_logs=False)
        self.api.binary_types[:] = list(api.binary_types)
        self._invoke = invoke
        self._functions = {(route.path, route.method): route.function for route in api.routes}
        cors = CORSConfig(api.cors.origin) if api.cors else None
        authorizers = {name: ChaliceAuthorizer(name, lambda event, context: None) for name in api.authorizers}
        for route in api.routes:
            methods = METHODS if route.method == "ANY" else (route.method,)
            for method in methods:
                view = self.route(
                    route.path,
                    methods=[method],
                    cors=cors if method != "OPTIONS" else None,
                    authorizer=authorizers[route.authorizer] if route.authorizer else None,
                    name=f"{route.function} {method} {route.path}",
                )
                view(lambda **parameters: None)
                self._functions[route.path, method] = route.function

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        """Invoke the function behind the event's route."""
        return self._invoke(self._functions[event["resource"], event["httpMethod"]], event)


class Gateway(LocalGateway):
    """One REST API. `invoke(function, event)` runs a function and raises `InvocationFailed` if it fails."""

    def __init__(self, api: Api, invoke: Invoke, clock: Clock, ids: Random, witness: Witness | None = None) -> None:
        app = TemplateApp(api, invoke)
        super().__init__(app, Config())
        self._api = api
        self._matcher = TemplateRouteMatcher(list(app.routes))
        self.event_converter = ProxyEvents(self._matcher, api.stage, list(api.binary_types), clock, ids)
        self._authorizer = TemplateAuthorizer(app, api, invoke, clock)
        self._witness = witness

    def request(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> Answer:
        """Serve one request; `path` is percent-encoded and may carry a query."""
        answer = self._answer(method, path, headers, body)
        if self._witness and self._serves(method, path):
            self._witness(method, self._matcher.match_route(path).route, answer)
        return answer

    def _answer(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
        sent = Headers(headers)
        try:
            if len(body) > MAX_BODY:
                raise Refused("REQUEST_TOO_LARGE")
            if not self._serves(method, path):
                raise Refused("MISSING_AUTHENTICATION_TOKEN")
            return self._checked(self.handle_request(method, path, sent, body or None), sent)
        except Refused as refused:
            return self._own_answer(refused.kind, sent)
        except InvocationFailed:
            return self._own_answer("BAD_GATEWAY", sent)

    def _serves(self, method: str, path: str) -> bool:
        try:
            methods = self._app_object.routes[self._matcher.match_route(path).route]
        except ValueError:
            return False
        return method in methods or (method == "OPTIONS" and self._api.cors is not None)

    def _autogen_options_headers(self, lambda_event: dict[str, Any]) -> dict[str, str]:
        """The preflight answer: the template's CORS, not chalice's."""
        cors = self._api.cors
        assert cors is not None, "a preflight is only served when the template has Cors"
        methods = cors.methods or ",".join(sorted({*self._app_object.routes[lambda_event["resource"]], "OPTIONS"}))
        headers = {
            "Access-Control-Allow-Origin": cors.origin,
            "Access-Control-Allow-Headers": cors.headers,
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Max-Age": cors.max_age,
            "Access-Control-Allow-Credentials": "true" if cors.credentials else "",
        }
        return {name: value for name, value in headers.items() if value}

    def _checked(self, response: Any, sent: Headers) -> Answer:
        """The function's answer as it goes out; a malformed one is a 502."""
        if not _is_proxy_response(response):
            return self._own_answer("BAD_GATEWAY", sent)
        repeated = response.get("multiValueHeaders") or {}
        single = {name: value for name, value in (response.get("headers") or {}).items() if name not in repeated}
        headers = [(name, as_text(value)) for name, value in single.items()]
        headers += [(name, as_text(value)) for name, values in repeated.items() for value in values]
        body = (response.get("body") or "").encode()
        if response.get("isBase64Encoded") and matches_media_type(self._api.binary_types, sent.first("accept") or ""):
            body = base64.b64decode(body)
        if body and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "application/json"))
        return Answer(int(response["statusCode"]), headers, body)

    def _own_answer(self, kind: str, sent: Headers) -> Answer:
        """An answer the gateway gives by itself, as the template's GatewayResponses dress it."""
        status, members = _OWN_ANSWERS[kind]
        given = self._api.responses.get(kind) or self._api.responses.get(f"DEFAULT_{status // 100}XX")
        if given is None:
            return Answer(status, [("Content-Type", "application/json")], json.dumps(members).encode())
        wanted = sent.first("accept") or ""
        content_type = wanted if wanted in given.templates else "application/json"
        text = given.templates.get(content_type, json.dumps(members))
        (message,) = members.values()
        for variable, value in (
            ("$context.error.messageString", json.dumps(message)),
            ("$context.error.message", str(message)),
            ("$context.error.responseType", kind),
            ("$context.requestId", "local"),
        ):
            text = text.replace(variable, value)
        dressed = {"Content-Type": content_type} | given.headers
        return Answer(given.status or status, list(dressed.items()), text.encode())


def _is_proxy_response(response: Any) -> bool:
    return (
        isinstance(response, dict)
        and set(response) <= {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
        and str(response.get("statusCode", "")).isdigit()
        and isinstance(response.get("body"), str | None)
    )
