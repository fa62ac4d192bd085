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
class Rules:
    """What the template says the gateway itself answers."""

    cors: dict[str, str] = field(default_factory=dict)
    """Headers of a preflight, e.g. `Access-Control-Allow-Origin: *`."""
    answers: dict[str, str] = field(default_factory=dict)
    """Gateway response -> JSON body with `$context.requestId` in it, for the ones the template words itself."""

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
            kind: str(text)
            for kind, response in api.get("GatewayResponses", {}).items()
            if (text := response.get("ResponseTemplates", {}).get("application/json"))
        }
        return cls({names[key]: _text(cors[key], values) for key in names if key in cors}, answers)

    def body(self, kind: str, message: str, request_id: str) -> str:
        """What the gateway says when it answers itself: the template's words or API Gateway's."""
        for each in (kind, "DEFAULT_4XX" if kind == "REQUEST_TOO_LARGE" else "DEFAULT_5XX"):
            if each in self.answers:
                return self.answers[each].replace("$context.requestId", request_id)
        return json.dumps({"message": message})


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
            response = self._own("REQUEST_TOO_LARGE", 413, "Request Too Long")
        except TimeoutError:
            response = self._own("INTEGRATION_TIMEOUT", 504, "Endpoint request timed out")
        except ClientError as error:
            print(f"front: {request.method} {request.rel_url.raw_path}: {error!r}", file=sys.stderr, flush=True)
            response = self._own("INTEGRATION_FAILURE", 502, "The local cloud does not answer; is it up?")
        for name, value in self.rules.cors.items():
            if request.method == "OPTIONS" or name in _ON_EVERY_ANSWER:
                response.headers.setdefault(name, value)
        return response

    async def _forward(self, request: web.Request) -> web.Response:
        assert self._session
        body = await request.read()
        headers = CIMultiDict(
            (name, value) for name, value in request.headers.items() if name.lower() not in _dropped(request.headers)
        )
        forwarded = [*request.headers.getall("X-Forwarded-For", []), request.remote or "127.0.0.1"]
        headers["X-Forwarded-For"] = ", ".join(forwarded)
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
        if answer.status == 502 and answer.content_type == "application/json" and _is_crash(payload):
            print(f"front: {request.method} {request.path}: {payload.decode()}", file=sys.stderr, flush=True)
            return self._own("DEFAULT_5XX", 502, "Internal server error")
        kept: CIMultiDict[str] = CIMultiDict(
            (name, value)
            for name, value in answer.headers.items()
            if name.lower() not in _dropped(answer.headers) and name.lower() not in ("content-length", "date", "server")
        )
        return web.Response(status=answer.status, headers=kept, body=payload)

    def _own(self, kind: str, status: int, message: str) -> web.Response:
        request_id = str(uuid.uuid4())
        return web.Response(
            status=status,
            body=self.rules.body(kind, message, request_id).encode(),
            headers={"Content-Type": "application/json", "x-amzn-requestid": request_id},
        )


def _dropped(headers: Mapping[str, str]) -> set[str]:
    """Names that belong to one connection and must not travel on."""
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    return _HOP_BY_HOP | named | {"host", "content-length"}


def _is_crash(payload: bytes) -> bool:
    """ministack's words for a function that raised, died or ran out of time."""
    try:
        answer = json.loads(payload)
    except ValueError:
        return False
    return isinstance(answer, dict) and set(answer) == {"message"}


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
