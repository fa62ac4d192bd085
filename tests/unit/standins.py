"""A clock, and clients that speak to the stand-in providers in-process the way an HTTP client would."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from typing import Any
from urllib.parse import parse_qs, urlencode

from infra.local.providers.mollie import Mollie
from infra.local.providers.stripe import Stripe
from infra.local.providers.wire import random_ids

START = 1_770_000_000.0
HOOK = "https://shop.example/hook"


class Clock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += seconds


class Client:
    """Requests to one stand-in, and the webhooks it makes."""

    def __init__(self, provider: Stripe | Mollie, clock: Clock, key: str) -> None:
        self.provider = provider
        self.clock = clock
        self.key = key

    def raw(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        path, _, query = path.partition("?")
        auth = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        return self.provider.handle(method, path, query, auth, body)

    def json(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        """``body`` is a form for Stripe and JSON for Mollie and the test doors; ``key`` the Idempotency-Key."""
        form = isinstance(self.provider, Stripe) and not path.startswith("/_test/")
        content = b"" if body is None else (urlencode(body) if form else json.dumps(body)).encode()
        status, _, reply = self.raw(method, path, content, {"Idempotency-Key": key} if key else {})
        return status, json.loads(reply) if reply else None

    def ok(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        status, content = self.json(method, path, body, key)
        assert 200 <= status < 300, content
        return content

    def webhooks(self, status: int = 200) -> list[Any]:
        """What is delivered now: Stripe's events, Mollie's ids; each answered with ``status``."""
        told = []
        for delivery in self.provider.due(self.clock.now):
            self.provider.delivered(delivery, status)
            if isinstance(self.provider, Stripe):
                told.append(json.loads(delivery.body))
            else:
                told.append(parse_qs(delivery.body.decode())["id"][0])
        return told

    def types(self) -> list[str]:
        return [event["type"] for event in self.webhooks()]


def stripe(clock: Clock, *secrets: str, hook: str | None = HOOK) -> Client:
    made = Stripe("sk_test_1", secrets or ("whsec_1",), clock, random_ids(random.Random(7)), webhook_url=hook)
    return Client(made, clock, "sk_test_1")


def mollie(clock: Clock) -> Client:
    return Client(Mollie("test_1", clock, random_ids(random.Random(7))), clock, "test_1")


def genuine(body: bytes, header: str, secret: str, now: float) -> bool:
    """Stripe's documented check, written apart from the code that signs: five minutes, any ``v1``."""
    fields = [part.split("=", 1) for part in header.split(",")]
    moment = next(value for name, value in fields if name == "t")
    expected = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return abs(now - int(moment)) <= 300 and any(name == "v1" and value == expected for name, value in fields)
