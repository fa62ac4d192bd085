"""The world under test: the whole deployed system in one thread, on a virtual clock, from one seed."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ClassVar
from urllib.parse import urlsplit

from infra import sam
from infra.template import load

from . import identity, providers
from .aws import Aws
from .calls import Call, Outside
from .clock import Clock
from .gateway import Gateway, Witness
from .memory import cold_start
from .pump import Delivery, Pump
from .runtime import InvocationFailed, LogLine, Runtime

PUBLIC_URL = "https://api.mandje.test"
PARAMETERS = {"OidcIssuer": identity.ISSUER, "OidcAudience": identity.AUDIENCE, "PublicUrl": PUBLIC_URL}
CUSTOMER = "0193a4c0-5f00-7000-8000-000000000001"
HttpAnswer = tuple[int, dict[str, str], bytes]
Outsider = Callable[[str, str, dict[str, str], bytes], HttpAnswer]
"""Answers requests to one host: (method, path with query, headers, body) -> (status, headers, body)."""


@dataclass(frozen=True)
class Response:
    """What a client of the API sees. `headers` has the last value of each name, in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; `None` if it is empty."""
        return jsonlib.loads(self.body) if self.body else None

    def __repr__(self) -> str:
        return f"<{self.status} {self.body[:400].decode('utf-8', 'replace')}>"


class World:
    """Everything the template deploys, and the shoppers, providers and clocks around it."""

    witness: ClassVar[Witness | None] = None
    """Looks at every answer of the shop's own API; the tests put the contract here (`contract`)."""

    def __init__(self, seed: int = 0, template: Path = sam.TEMPLATE, parameters: dict[str, str] | None = None) -> None:
        self.random = Random(seed)
        self.clock = Clock()
        given = PARAMETERS if parameters is None else parameters
        self.template = load(template, given)
        self.outside = Outside(self.clock.tick)
        self.runtime = Runtime(self.template, self.clock, self.random)
        self.aws = Aws(self.template, self.outside, self.clock.tick)
        self.pump = Pump(self.template, self.runtime.invoke, self.clock, self.random)
        self.aws.on_change, self.aws.put_events = self.pump.on_change, self.pump.bus.put_events
        witness = World.witness if template == sam.TEMPLATE else None
        self.gateway = Gateway(self.template.api, self.runtime.invoke, self.clock, self.random, witness)
        self.providers = providers.both(self.clock, self.random, self._webhook, PUBLIC_URL)
        self.pump.webhooks = list(self.providers.values())
        self.outsiders: dict[str, Outsider] = {
            urlsplit(identity.ISSUER).netloc: _issuer,
            "api.stripe.com": self.providers["stripe"].handle,
            "api.mollie.com": self.providers["mollie"].handle,
        }
        self.client: Callable[[Callable[[], Response]], Response] = lambda send: send()
        """How a client sends: fault exploration puts one here that tries again."""
        cold_start()
        self._plug_in()
        for name, secret in providers.SECRETS.items():
            self.aws.secret(f"/mandje/{name}", secret)

    def _plug_in(self) -> None:
        """Replace the kernel's ports: time, waiting, randomness, outgoing HTTP."""
        from commerce import clock, ids, web

        clock.source, clock.pause = self.clock.time, self.clock.tick
        ids.random_bytes = self.random.randbytes
        web.transport = self._transport

    # ------------------------------------------------------------------------------------------------- acting

    def call(
        self,
        method: str,
        path: str,
        token: str | None = None,
        json: Any = None,
        body: bytes | str | None = None,
        headers: dict[str, str] | Iterable[tuple[str, str]] | None = None,
        key: str | None = None,
    ) -> Response:
        """One HTTPS request to the API. `key` is the Idempotency-Key, `token` the bearer token."""
        pairs = list(headers.items() if isinstance(headers, dict) else headers or ())
        if token is not None:
            pairs.append(("Authorization", f"Bearer {token}"))
        if key is not None:
            pairs.append(("Idempotency-Key", key))
        if json is not None:
            body = jsonlib.dumps(json)
        content = body.encode() if isinstance(body, str) else body or b""
        if content and not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("Content-Type", "application/json"))
        return self.client(lambda: self._request(method, path, pairs, content))

    def _request(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Response:
        answer = self.gateway.request(method, path, headers, body)
        return Response(answer.status, {name.lower(): value for name, value in answer.headers}, answer.body)

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Run one function directly, by `basket.sweep` or its logical id. Raises `InvocationFailed`."""
        return self.runtime.invoke(self.template.function_of(function).name, event)

    def settle(self) -> None:
        """Deliver events until nothing moves any more."""
        self.pump.settle()

    def advance(self, seconds: float, tick: float | None = None) -> None:
        """Let time pass: the template's clocks fire (once, or every `tick` seconds), then settle."""
        self.pump.advance(seconds, tick)

    def purge_expired(self) -> None:
        """Delete what is past its `ttl`: DynamoDB does so within about two days, never at a known moment."""
        for table in self.template.tables.values():
            for change in self.aws.store.expire(table, self.clock.now):
                self.pump.on_change(change)

    def deliver(self, copies: int = 0, shuffled: bool = False, delay: float = 0.0) -> None:
        """Make event delivery rougher from now on; see `pump.Delivery`."""
        self.pump.mode = Delivery(copies, shuffled, delay)
        for provider in self.providers.values():
            provider.standin.outbox.copies = 1 + copies

    def token(
        self,
        kind: str,
        sub: str | None = None,
        scopes: str | None = None,
        location_id: str | None = None,
        lifetime_s: int = 8 * 3600,
    ) -> str:
        """A signed token of a customer, staff or a device. Scopes default to all that kind can have."""
        granted = identity.SCOPES[kind] if scopes is None else scopes
        sub = sub or {"customer": CUSTOMER, "staff": "staff-1", "device": "till-1"}[kind]
        return identity.issuer().mint(sub, kind, granted.split(), location_id, lifetime_s=lifetime_s)

    def seed_products(
        self, products: Mapping[str, int] | None = None, stock: Mapping[str, int] | int = 10, safety: int = 0
    ) -> None:
        """A small shop: two locations, products (SKU to cents) and their stock at the warehouse; see `seeds.shop`."""
        from .seeds import shop

        with self.calm():
            shop(self, products, stock, safety)

    @contextmanager
    def calm(self) -> Iterator[None]:
        """Set the scene: nothing in here is disturbed by fault exploration or interleaving."""
        before, self.outside.calm = self.outside.calm, True
        try:
            yield
        finally:
            self.outside.calm = before

    def _webhook(self, path: str, headers: dict[str, str], body: bytes) -> int:
        return self.gateway.request("POST", path, list(headers.items()), body).status

    # ------------------------------------------------------------------------------------------------- looking

    def items(self, table: str) -> list[dict[str, Any]]:
        """All items of a table (`BasketTable`) as plain values."""
        from commerce.items import from_item

        name = self.template.tables[table].name
        return [plain for image in self.aws.images(name) if (plain := from_item(image)) is not None]

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Published CloudEvents (the `detail`), in order; of one type if given."""
        published = [each.event for each in self.pump.bus.log]
        return [event["detail"] for event in published if kind in (None, event["detail-type"])]

    @property
    def logs(self) -> list[LogLine]:
        """Every line any function wrote to stdout or stderr."""
        return self.runtime.logs

    @property
    def calls(self) -> list[Call]:
        """Every outside call any function made, with what it cost."""
        return self.outside.journal

    @property
    def failures(self) -> list[InvocationFailed]:
        """Every invocation that failed, crashes included."""
        return self.runtime.failures

    def _transport(self, method: str, url: str, headers: Any, body: bytes | None, timeout: float) -> Any:
        """The kernel's way out: to a stand-in by host, through the funnel."""
        from commerce import web

        split = urlsplit(url)
        outsider = self.outsiders.get(split.netloc)
        if outsider is None:
            raise web.Unreachable(f"no such host in this world: {split.netloc}")
        path = split.path + (f"?{split.query}" if split.query else "")

        def perform() -> Any:
            status, answered, content = outsider(method, path, dict(headers), body or b"")
            if status == 0:
                raise web.UnknownOutcome(f"{method} {url}: the connection broke")
            return web.Response(status, {name.lower(): value for name, value in answered.items()}, content)

        call = Call("http", split.netloc, method, split.path, body, writes=method != "GET")
        call.footprint = frozenset({(split.netloc, "*")})
        answer = self.outside.pass_through(call, perform)
        call.status = answer.status
        return answer


def _issuer(method: str, path: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
    split = urlsplit(path)
    return identity.issuer().handle(method, split.path, split.query, headers, body)
