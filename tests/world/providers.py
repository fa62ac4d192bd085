"""The stand-in payment providers as a world uses them: answering the product's requests, and posting webhooks."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import urlsplit

from infra.local.providers.mollie import Mollie
from infra.local.providers.outbox import Delivery
from infra.local.providers.stripe import Stripe
from infra.local.providers.wire import random_ids

from .clock import Clock

ACCOUNT = "default"
SECRETS: dict[str, dict[str, Any]] = {
    "tokens": {"current": "k1", "keys": {"k1": "5b" * 32}},
    "profiles": {"index_key": "1d" * 32, "master_key": "a7" * 32},
    f"stripe/{ACCOUNT}": {"secret_key": "sk_test_world", "webhook_secrets": ["whsec_world"], "livemode": False},
    f"mollie/{ACCOUNT}": {"api_key": "test_world", "webhook_secrets": ["world"], "livemode": False},
}
# A provider waits minutes to days before it posts a failed webhook again. Here it is soon, within a stock hold's time.
BACKOFF = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
Post = Callable[[str, dict[str, str], bytes], int]
"""Posts a webhook to the API: (path, headers, body) -> status."""


class Provider:
    """One provider. Its test doors (`pay`, `fail`, `refunds/settle`, ...) are listed in its module's docstring."""

    def __init__(self, name: str, standin: Stripe | Mollie, clock: Clock, post: Post) -> None:
        self.name, self.standin, self._clock, self._post = name, standin, clock, post
        standin.outbox.backoff = BACKOFF
        self._taken: list[Delivery] = []

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Answer a request of the product."""
        split = urlsplit(path)
        return self.standin.handle(method, split.path, split.query, headers, body)

    def door(self, door: str, **asked: Any) -> Any:
        """Use a test door as a shopper, a bank or a tester would: `door("pay", id="pi_...")`. Raises if it refuses."""
        status, _, body = self.standin.handle("POST", f"/_test/{door}", "", {}, json.dumps(asked).encode())
        if status != 200:
            raise AssertionError(f"{self.name} {door} {asked}: {status} {body.decode()}")
        return json.loads(body)

    def books(self) -> Any:
        """What the provider says it captured, refunded and charged back, per payment and in total."""
        return json.loads(self.standin.handle("GET", "/_test/books", "", {}, b"")[2])

    def tick(self) -> None:
        """Let happen what is due by itself: refunds settle, pages expire."""
        self.standin.tick()

    def next_at(self) -> float | None:
        """When the next webhook is due."""
        return self._clock.now if self._taken else self.standin.outbox.next_due()

    def deliver_one(self, pick: Callable[[int], int]) -> None:
        """Post one due webhook and tell the provider how it was answered."""
        self._taken += self.standin.due(self._clock.now)
        if not self._taken:
            return
        delivery = self._taken.pop(pick(len(self._taken)))
        status = self._post(urlsplit(delivery.url).path, delivery.headers, delivery.body)
        self.standin.delivered(delivery, status)


def both(clock: Clock, random: Random, post: Post, public_url: str) -> dict[str, Provider]:
    """Stripe and Mollie with the accounts of `SECRETS`."""
    ids = random_ids(random)
    stripe_account, mollie_account = SECRETS[f"stripe/{ACCOUNT}"], SECRETS[f"mollie/{ACCOUNT}"]
    stripe = Stripe(
        stripe_account["secret_key"],
        stripe_account["webhook_secrets"],
        clock.time,
        ids,
        webhook_url=f"{public_url}/webhooks/stripe/{ACCOUNT}",
    )
    mollie = Mollie(mollie_account["api_key"], clock.time, ids)
    return {
        "stripe": Provider("stripe", stripe, clock, post),
        "mollie": Provider("mollie", mollie, clock, post),
    }
