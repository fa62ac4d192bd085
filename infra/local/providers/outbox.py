"""Webhook deliveries waiting to be made, with the retries and the misbehaviour of real providers.

The outbox never sends. The caller takes what is ``due(now)``, makes the request, and reports the HTTP status back with
``report``. Until then a delivery counts as in flight and is not handed out again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .wire import Ids, Json

Order = Literal["fifo", "lifo", "shuffled"]
Seal = Callable[["Delivery", float], Mapping[str, str]]


@dataclass(eq=False)
class Delivery:
    """One webhook request to make.

    ``id`` names this delivery, ``about`` what it tells (an event or payment id), ``attempt`` counts from 1.
    ``headers`` are complete once the outbox hands the delivery out: a signature is made per attempt.
    """

    id: str
    url: str
    body: bytes
    about: str
    due_at: float
    endpoint: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    attempt: int = 1
    in_flight: bool = False


class Outbox:
    """The queue of deliveries.

    Args:
        ids: source of delivery ids, also what "shuffled" and the delays draw their luck from.
        seal: gives the headers of one attempt (Stripe signs here with a fresh ``t``).
        backoff: seconds to wait after the 1st, 2nd, ... failed attempt; after the last one the delivery is given up.
    """

    def __init__(self, ids: Ids, seal: Seal, backoff: Sequence[float]) -> None:
        self._ids = ids
        self._seal = seal
        self.backoff = tuple(backoff)
        self.pending: dict[str, Delivery] = {}
        self.given_up: list[Delivery] = []
        self.delivered = 0
        self.paused = False
        self.order: Order = "fifo"
        self.copies = 1
        self.delay_s = 0.0
        self.drop = 0

    def __len__(self) -> int:
        return len(self.pending)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(list(self.pending.values()))

    def put(self, url: str, body: bytes, about: str, now: float, endpoint: str = "") -> None:
        """Queue ``body`` for ``url``; made twice, late or lost if the test doors asked for that."""
        if self.drop:
            self.drop -= 1 if self.drop > 0 else 0
            return
        for _ in range(self.copies):
            made = Delivery(self._ids(), url, body, about, now, endpoint)
            made.due_at += self.delay_s * _luck(made)
            self.pending[made.id] = made

    def due(self, now: float) -> list[Delivery]:
        """The deliveries to make now, sealed and marked as in flight. Empty while paused."""
        if self.paused:
            return []
        ready = [one for one in self.pending.values() if one.due_at <= now and not one.in_flight]
        if self.order == "fifo":
            ready.sort(key=lambda one: one.due_at)
        elif self.order == "lifo":
            ready.reverse()
        else:
            ready.sort(key=_luck)
        for one in ready:
            one.in_flight = True
            one.headers = dict(self._seal(one, now))
        return ready

    def report(self, delivery: Delivery, status: int, now: float) -> Literal["delivered", "retrying", "given_up"]:
        """Tell how an attempt ended: ``status`` is the HTTP status, 0 for no answer. Only 2xx counts as delivered."""
        if delivery.id not in self.pending:
            return "given_up"
        if 200 <= status < 300:
            del self.pending[delivery.id]
            self.delivered += 1
            return "delivered"
        if delivery.attempt > len(self.backoff):
            del self.pending[delivery.id]
            self.given_up.append(delivery)
            return "given_up"
        delivery.due_at = now + self.backoff[delivery.attempt - 1]
        delivery.attempt += 1
        delivery.in_flight = False
        return "retrying"

    def next_due(self) -> float | None:
        """When the next delivery becomes due; None while paused, empty or all in flight."""
        if self.paused:
            return None
        return min((one.due_at for one in self.pending.values() if not one.in_flight), default=None)

    def hurry(self, now: float) -> None:
        """Make everything that waits due now, and give what was given up one more attempt."""
        for one in self.given_up:
            one.in_flight = False
            self.pending[one.id] = one
        self.given_up.clear()
        for one in self.pending.values():
            one.due_at = min(one.due_at, now)

    def dump(self) -> Json:
        def plain(one: Delivery) -> Json:
            return {**vars(one), "body": one.body.decode(), "in_flight": False}

        return {
            "pending": [plain(one) for one in self],
            "given_up": [plain(one) for one in self.given_up],
            "delivered": self.delivered,
        }

    def load(self, state: Json) -> None:
        def restored(saved: Json) -> Delivery:
            return Delivery(**{**saved, "body": saved["body"].encode()})

        self.pending = {saved["id"]: restored(saved) for saved in state["pending"]}
        self.given_up = [restored(saved) for saved in state["given_up"]]
        self.delivered = state["delivered"]


def _luck(delivery: Delivery) -> float:
    """A number in [0, 1) that depends on the delivery's id only."""
    return int.from_bytes(hashlib.sha256(delivery.id.encode()).digest()[:6]) / 2**48
