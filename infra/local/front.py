"""The short address: http://127.0.0.1:8787/... -> the API on the local cloud, behaving as API Gateway does.

ministack's own address for an API is long, answers a browser's preflight without its headers, and tells a caller why a
function crashed. This proxy gives the API an address one can type, adds what API Gateway adds (CORS, forwarding
headers, its size and time limits) and passes everything else through byte by byte.

It also keeps order: of a thousand simultaneous requests a few run and the others wait, because every request that runs
at the same time costs a process of the function and one of its authorizer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

from infra import sam

HEALTH = "/_local/health"
LARGEST_BODY = 10 * 1024 * 1024  # API Gateway's limit, in bytes
LONGEST_CALL = 29.0  # API Gateway's integration timeout, in seconds
# Measured best on two cores; more only makes more processes, because the local cloud itself is one Python process.
IN_FLIGHT = min(16, max(8, 4 * (os.cpu_count() or 2)))

_ON_EVERY_ANSWER = {"Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}  # the others: preflights only
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


@dataclass(frozen=True)
class Wording:
    """A gateway response of the template: its status (None: as it is), headers, and body with `$context.requestId`."""

    status: int | None
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Rules:
    """What the template says the gateway itself answers."""

    cors: dict[str, str] = field(default_factory=dict)
    """Headers of a preflight, e.g. `Access-Control-Allow-Origin: *`."""
    answers: dict[str, Wording] = field(default_factory=dict)
    """Gateway responses that the template words itself, by kind."""

    @classmethod
    def of(cls, template: Mapping[str, Any], parameters: Mapping[str, str]) -> Rules:
        """Read them from the one REST API of the template."""
        values = {name: str(each.get("Default", "")) for name, each in template.get("Parameters", {}).items()}
        values |= parameters
        shared = template.get("Globals", {}).get("Api", {})
        (api,) = sam.of_type(dict(template), "AWS::Serverless::Api").values()
        api = {**shared, **api}
        names = {
            "AllowOrigin": "Access-Control-Allow-Origin",
            "AllowHeaders": "Access-Control-Allow-Headers",
            "AllowMethods": "Access-Control-Allow-Methods",
            "ExposeHeaders": "Access-Control-Expose-Headers",
            "MaxAge": "Access-Control-Max-Age",
        }
        cors = api.get("Cors", {})
        if not isinstance(cors, dict) or "Fn::Sub" in cors:
            cors = {"AllowOrigin": cors}
        answers = {
            kind: Wording(
                int(response["StatusCode"]) if "StatusCode" in response else None,
                {name: _text(text, values) for name, text in response["ResponseParameters"]["Headers"].items()},
                str(response["ResponseTemplates"]["application/json"]),
            )
            for kind, response in api.get("GatewayResponses", {}).items()
        }
        return cls({names[key]: _text(cors[key], values) for key in names if key in cors}, answers)

    def own(self, kind: str, status: int, message: str) -> web.Response:
        """What the gateway says when it answers itself: the template's words or API Gateway's."""
        request_id = str(uuid.uuid4())
        wording = self.answers.get(kind) or self.answers.get("DEFAULT_4XX" if status < 500 else "DEFAULT_5XX")
        plain = Wording(None, {"Content-Type": "application/json"}, json.dumps({"message": message}))
        said = wording or plain
        return web.Response(
            status=said.status or status,
            body=said.body.replace("$context.requestId", request_id).encode(),
            headers={**said.headers, "x-amzn-requestid": request_id},
        )


def _text(value: Any, parameters: Mapping[str, str]) -> str:
    """A CORS property: `"'*'"` or a `!Sub` over parameters, without the quotes API Gateway wants around it."""
    if isinstance(value, dict):
        value = re.sub(r"\$\{(\w+)}", lambda found: parameters.get(found[1], found[0]), value.get("Fn::Sub", ""))
    return str(value).strip("'")


class Front:
    """One proxy in front of one API stage."""

    def __init__(self, upstream: str, rules: Rules, in_flight: int = IN_FLIGHT) -> None:
        self.upstream = upstream.rstrip("/")
        self.rules = rules
        self.limit = in_flight
        self.waiting = 0
        self._slots = asyncio.Semaphore(in_flight)
        self._session: ClientSession | None = None

    def app(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=LARGEST_BODY, handler_args={"auto_decompress": False})
        app.router.add_get(HEALTH, self.health)
        app.router.add_route("*", "/{path:.*}", self.handle)
        app.cleanup_ctx.append(self._connect)
        return app

    async def _connect(self, app: web.Application) -> Any:
        # Upstream keeps idle connections for 75 s; giving up earlier means never writing into a closing one.
        connector = TCPConnector(limit=self.limit, keepalive_timeout=60, enable_cleanup_closed=False)
        async with ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            timeout=ClientTimeout(total=LONGEST_CALL, connect=2),
        ) as self._session:
            yield

    async def health(self, request: web.Request) -> web.Response:
        """Is the way to the API open, and how busy is it?"""
        assert self._session
        try:
            async with self._session.request("OPTIONS", URL(f"{self.upstream}/", encoded=True)) as answer:
                reachable = answer.status < 500
        except (ClientError, TimeoutError):
            reachable = False
        busy = {"limit": self.limit, "waiting": self.waiting}
        return web.json_response({"ok": reachable, **busy}, status=200 if reachable else 503)

    async def handle(self, request: web.Request) -> web.Response:
        """One request, one answer; always with CORS headers, never an exception."""
        try:
            response = await self._forward(request)
        except web.HTTPRequestEntityTooLarge:
            response = self.rules.own("REQUEST_TOO_LARGE", 413, "Request Too Long")
        except TimeoutError:
            response = self.rules.own("INTEGRATION_TIMEOUT", 504, "Endpoint request timed out")
        except ClientError as error:
            print(f"front: {request.method} {request.rel_url.raw_path}: {error!r}", file=sys.stderr, flush=True)
            response = self.rules.own("INTEGRATION_FAILURE", 504, "The local cloud does not answer; is it up?")
        for name, value in self.rules.cors.items():
            if request.method == "OPTIONS" or name in _ON_EVERY_ANSWER:
                response.headers.setdefault(name, value)
        return response

    async def _forward(self, request: web.Request) -> web.Response:
        assert self._session
        body = await request.read()
        headers = CIMultiDict(
            (name, _whole(value))
            for name, value in request.headers.items()
            if name.lower() not in _dropped(request.headers)
        )
        forwarded = [*request.headers.getall("X-Forwarded-For", []), request.remote or "127.0.0.1"]
        headers["X-Forwarded-For"] = _whole(", ".join(forwarded))
        headers["X-Forwarded-Proto"] = request.scheme
        headers["X-Forwarded-Port"] = str(request.url.port)
        self.waiting += 1
        async with self._slots:
            self.waiting -= 1
            # The path and query go on as they came: decoding and encoding again would change what was signed or meant.
            url = URL(f"{self.upstream}{request.raw_path}", encoded=True)
            async with self._session.request(
                request.method, url, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                payload = await answer.read()
        if message := _gateways_own(answer.content_type, payload):
            if answer.status == 502:
                print(f"front: {request.method} {request.path}: {payload.decode()}", file=sys.stderr, flush=True)
            return self.rules.own(_kind(answer.status, message), answer.status, message)
        kept: CIMultiDict[str] = CIMultiDict(
            (name, value)
            for name, value in answer.headers.items()
            if name.lower() not in _dropped(answer.headers) and name.lower() not in ("content-length", "date", "server")
        )
        return web.Response(status=answer.status, headers=kept, body=payload)


def _dropped(headers: Mapping[str, str]) -> set[str]:
    """Names that belong to one connection and must not travel on."""
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    return _HOP_BY_HOP | named | {"host", "content-length"}


def _whole(value: str) -> str:
    """A header value without loss: each byte that is not ASCII goes on as the character of its number.

    aiohttp reads bytes that are not UTF-8 as half surrogate pairs and leaves them out when it writes; two
    Idempotency-Keys that differ in one of them would become one.
    """
    return value if value.isascii() else value.encode(errors="surrogateescape").decode("latin-1")


def _gateways_own(content_type: str, payload: bytes) -> str | None:
    """What the local cloud says by itself: no token, no such route, a function that raised or ran out of time.

    Our functions answer problem documents, so `{"message": ...}` alone is never theirs.
    """
    if content_type != "application/json" or len(payload) > 10_000:
        return None
    try:
        answer = json.loads(payload)
    except ValueError:
        return None
    own = isinstance(answer, dict) and {key.lower() for key in answer} == {"message"}
    return str(next(iter(answer.values()))) if own else None


def _kind(status: int, message: str) -> str:
    """The gateway response that API Gateway would use."""
    if status == 401:
        return "UNAUTHORIZED"
    if status in (403, 404):
        denied = "authorized" in message.lower() and "token" not in message.lower()
        return "ACCESS_DENIED" if denied else "MISSING_AUTHENTICATION_TOKEN"
    known = {413: "REQUEST_TOO_LARGE", 429: "THROTTLED", 500: "AUTHORIZER_FAILURE", 504: "INTEGRATION_TIMEOUT"}
    return known.get(status, "DEFAULT_4XX" if status < 500 else "DEFAULT_5XX")


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="The short address of the API on the local cloud.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, help="address of the API's stage on the local cloud")
    parser.add_argument("--template", type=Path, default=sam.TEMPLATE)
    parser.add_argument("--parameters", type=json.loads, default={}, help="parameters of the deployment, as JSON")
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT, help="requests that run at the same time")
    args = parser.parse_args()
    rules = Rules.of(sam.load(args.template), args.parameters)

    async def make() -> web.Application:
        return Front(args.upstream, rules, args.in_flight).app()

    web.run_app(make(), host="127.0.0.1", port=args.port, backlog=4096, access_log=None, print=lambda *_: None)


if __name__ == "__main__":
    main()
