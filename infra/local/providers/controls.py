"""The test doors that both providers have: webhook misbehaviour and faults in the provider's answers.

==================================  =====================================================================
``GET  /_test/webhooks``            waiting and given-up deliveries, and the settings below
``POST /_test/webhooks``            settings, any of ``{"paused": bool, "copies": n, "order": "fifo|lifo|shuffled",
                                    "delay_s": seconds, "drop": n}`` (``drop`` loses the next n, -1 all)
``POST /_test/webhooks/flush``      retries now instead of after their backoff, given-up ones too
``POST /_test/webhooks/clear``      forgets every waiting delivery
``POST /_test/faults``              ``{"when": "before|after", "status": 500, "count": 1, "match": "POST /v1"}``:
                                    answer the next ``count`` matching requests with ``status``, without doing them
                                    (``before``) or having done them (``after``). Status 0 breaks the connection;
                                    ``"answer": {..}`` is the whole answer then, ``{"error": {"code": ..}}`` at Stripe
                                    or ``{"field": ..}`` at Mollie for instance
``DELETE /_test/faults``            no more faults
==================================  =====================================================================
"""

from __future__ import annotations

from .outbox import Outbox
from .wire import Clock, Json, Reply, Request, read_json, reply_json

_SETTINGS: dict[str, type | tuple[type, ...]] = {
    "paused": bool,
    "copies": int,
    "order": str,
    "delay_s": (int, float),
    "drop": int,
}


class Controls:
    """Answers the shared test doors and decides which API request is to fail."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._faults: list[Json] = []

    def handle(self, request: Request) -> Reply | None:
        """The reply of a shared test door; None when the path is not one of them."""
        door = (request.method, request.path)
        if door == ("GET", "/_test/webhooks"):
            return reply_json(200, self._settings())
        if door == ("POST", "/_test/webhooks"):
            return self._change(read_json(request.body))
        if door == ("POST", "/_test/webhooks/flush"):
            self._outbox.hurry(self._clock())
            return reply_json(200, self._settings())
        if door == ("POST", "/_test/webhooks/clear"):
            self._outbox.pending.clear()
            return reply_json(200, self._settings())
        if door == ("POST", "/_test/faults"):
            fault = {"when": "before", "status": 500, "count": 1, "match": "", **read_json(request.body)}
            if fault["when"] not in ("before", "after"):
                return reply_json(400, {"error": "when must be before or after"})
            if not isinstance(fault.get("answer", {}), dict):
                return reply_json(400, {"error": "answer must be an object"})
            self._faults.append(fault)
            return reply_json(200, {"faults": self._faults})
        if door == ("DELETE", "/_test/faults"):
            self._faults.clear()
            return reply_json(200, {"faults": []})
        return None

    def take_fault(self, request: Request) -> Json | None:
        """The fault that hits this request, counted down."""
        for fault in self._faults:
            if fault["match"] in f"{request.method} {request.path}":
                fault["count"] -= 1
                if fault["count"] <= 0:
                    self._faults.remove(fault)
                return fault
        return None

    def _change(self, wanted: Json) -> Reply:
        for name, value in wanted.items():
            if name not in _SETTINGS or not isinstance(value, _SETTINGS[name]):
                return reply_json(400, {"error": f"unknown setting or wrong type: {name}"})
            if name == "order" and value not in ("fifo", "lifo", "shuffled"):
                return reply_json(400, {"error": "order must be fifo, lifo or shuffled"})
        for name, value in wanted.items():
            setattr(self._outbox, name, value)
        return reply_json(200, self._settings())

    def _settings(self) -> Json:
        def brief(one: object) -> Json:
            return {k: v for k, v in vars(one).items() if k in ("id", "url", "about", "due_at", "attempt", "in_flight")}

        box = self._outbox
        return {
            **{name: getattr(box, name) for name in _SETTINGS},
            "delivered": box.delivered,
            "waiting": [brief(one) for one in box],
            "given_up": [brief(one) for one in box.given_up],
        }
