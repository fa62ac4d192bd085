"""The inside of a Stripe test account: objects, events, webhook endpoints, errors, lists and expansion."""

from __future__ import annotations

import hashlib
import hmac
import json
import operator
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

from .outbox import Delivery, Outbox
from .wire import Clock, Ids, Json, Timers, words

API_VERSION = "2026-10-28.endive"

#: kind of object -> prefix of its ids. The order is that of ``/_test/objects``.
PREFIXES = {
    "payment_intent": "pi",
    "charge": "ch",
    "refund": "re",
    "dispute": "du",
    "checkout.session": "cs_test",
    "payment_method": "pm",
    "balance_transaction": "txn",
    "terminal.reader": "tmr",
    "webhook_endpoint": "we",
    "event": "evt",
}

# "for up to three days with an exponential back off"; Stripe publishes no table, so this one is ours
BACKOFF = (60, 300, 1800, 7200, 18000, 36000, 36000, 36000, 36000, 36000, 36000)


class StripeError(Exception):
    """An API error. ``executed`` tells whether Stripe would store it under the Idempotency-Key and replay it."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type_: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        executed: bool = False,
        **extra: object,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.executed = executed
        error: Json = {"message": message, "type": type_, "code": code, "param": param, **extra}
        if code:
            error["doc_url"] = f"https://docs.stripe.com/error-codes#{code.replace('_', '-')}"
        self.error = {name: value for name, value in error.items() if value is not None}


def missing(param: str) -> StripeError:
    return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def no_such(kind: str, object_id: str, param: str = "id") -> StripeError:
    return StripeError(f"No such {kind}: '{object_id}'", status=404, code="resource_missing", param=param)


class Account:
    """Everything one test account knows. All of it is plain JSON data, so that it can be saved and restored."""

    def __init__(self, clock: Clock, ids: Ids, public_url: str, secrets: Sequence[str]) -> None:
        self.clock = clock
        self.ids = ids
        self.public_url = public_url.rstrip("/")
        self.configured_secrets = list(secrets)
        self.objects: dict[str, dict[str, Json]] = {kind: {} for kind in PREFIXES}
        self.secrets: dict[str, list[str]] = {}
        self.undelivered: dict[str, list[str]] = {}
        self.timers = Timers()
        self.outbox = Outbox(ids, self._sign, BACKOFF)
        self.cause: Json = {"id": None, "idempotency_key": None}
        self.refund_delay_s = 2.0
        self.shapes: Json = {}

    def now(self) -> int:
        return int(self.clock())

    def new(self, kind: str, content: Json) -> Json:
        """Store a new object of ``kind`` with id, created and livemode filled in."""
        made: Json = {"id": f"{PREFIXES[kind]}_{self.ids()}", "object": kind, "created": self.now(), "livemode": False}
        made.update(content)
        self.objects[kind][made["id"]] = made
        return made

    def get(self, kind: str, object_id: str, param: str = "id") -> Json:
        try:
            return self.objects[kind][object_id]
        except KeyError:
            raise no_such(kind.replace(".", " "), object_id, param) from None

    def find(self, object_id: str) -> Json | None:
        """The object with this id, of whatever kind."""
        return next((known[object_id] for known in self.objects.values() if object_id in known), None)

    # events and webhooks

    def emit(self, event_type: str, thing: Json, previous: Json | None = None) -> None:
        """Record an event about ``thing`` as it is now and queue it for every endpoint that wants it."""
        wanting = [
            one
            for one in self.objects["webhook_endpoint"].values()
            if one["status"] == "enabled" and {"*", event_type} & set(one["enabled_events"])
        ]
        # what an older API version, or a moment of haste at Stripe, leaves out of the objects in its events
        data: Json = {"object": self.public(thing) | self.shapes.get(thing["object"], {})}
        if previous:
            data["previous_attributes"] = previous
        event = self.new(
            "event",
            {
                "api_version": API_VERSION,
                "data": data,
                "pending_webhooks": len(wanting),
                "request": dict(self.cause),
                "type": event_type,
            },
        )
        self.undelivered[event["id"]] = [one["id"] for one in wanting]
        for endpoint in wanting:
            self.post(event, endpoint)

    def post(self, event: Json, endpoint: Json) -> None:
        shown = {**event, "api_version": endpoint["api_version"] or API_VERSION}
        body = json.dumps(shown, indent=2).encode()
        self.outbox.put(endpoint["url"], body, event["id"], self.clock(), endpoint["id"])

    def delivered(self, delivery: Delivery, status: int) -> None:
        """Book the result of a delivery, as ``pending_webhooks`` and ``delivery_success`` show it."""
        if self.outbox.report(delivery, status, self.clock()) == "delivered":
            waiting = self.undelivered.get(delivery.about, [])
            if delivery.endpoint in waiting:
                waiting.remove(delivery.endpoint)
                self.objects["event"][delivery.about]["pending_webhooks"] = len(waiting)

    def _sign(self, delivery: Delivery, now: float) -> Json:
        t = int(now)
        signed = f"{t}.".encode() + delivery.body
        parts = [f"t={t}"]
        for secret in self.secrets.get(delivery.endpoint, self.configured_secrets):
            parts.append(f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}")
        return {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": ",".join(parts),
        }

    # reading

    def public(self, thing: Json) -> Json:
        """A copy as the API shows it: what starts with an underscore stays inside."""
        return deepcopy({name: value for name, value in thing.items() if not name.startswith("_")})

    def expanded(self, thing: Json, paths: Iterable[str]) -> Json:
        """``thing`` with the ids at ``expand[]`` paths replaced by the objects (``data.latest_charge`` for lists)."""
        shown = thing if thing.get("object") == "list" else self.public(thing)
        for path in paths:
            self._expand(shown, path.split("."), path)
        return shown

    def _expand(self, node: Any, path: list[str], whole: str) -> None:
        if isinstance(node, list):
            for one in node:
                self._expand(one, path, whole)
            return
        if not isinstance(node, dict) or path[0] not in node:
            raise StripeError(f"This property cannot be expanded ({whole}).", param="expand")
        if isinstance(node[path[0]], str):
            target = self.find(node[path[0]])
            if target is None:
                raise StripeError(f"This property cannot be expanded ({whole}).", param="expand")
            node[path[0]] = self.public(target)
        elif not isinstance(node[path[0]], dict | list | None):
            raise StripeError(f"This property cannot be expanded ({whole}).", param="expand")
        if path[1:] and node[path[0]] is not None:
            self._expand(node[path[0]], path[1:], whole)

    def page(self, kind: str, url: str, params: Json, keep: Callable[[Json], bool] = lambda one: True) -> Json:
        """A list reply, newest first, by ``limit``, ``starting_after``, ``ending_before`` and ``created``."""
        limit = whole(params.get("limit", "10"), "limit")
        if not 1 <= limit <= 100:
            raise StripeError("Invalid limit: must be between 1 and 100", param="limit")
        in_time = _created(params)
        found = [one for one in reversed(self.objects[kind].values()) if keep(one) and in_time(one)]
        at = [one["id"] for one in found]
        more = False
        if after := params.get("starting_after"):
            if after not in at:
                raise no_such(kind, after, "starting_after")
            found = found[at.index(after) + 1 :]
        if before := params.get("ending_before"):
            if before not in at:
                raise no_such(kind, before, "ending_before")
            earlier = found[: at.index(before)]
            more = len(earlier) > limit
            found = earlier[-limit:]
        more = more or len(found) > limit
        return {"object": "list", "url": url, "has_more": more, "data": [self.public(one) for one in found[:limit]]}


_COMPARES = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}
_OBJECTS = words(
    "adaptive_pricing automatic_payment_methods bancontact billing_details card card_present ideal invoice_creation"
    " mandate_data metadata payment_intent_data payment_method_data payment_method_options price_data"
    " product_data shipping"
)
_LISTS = words("enabled_events expand line_items payment_method_types shipping_options types")


def check_shapes(params: Json) -> None:
    """Refuse a text where Stripe wants an object or a list, and the other way round."""
    for name, value in params.items():
        if name in _OBJECTS and not isinstance(value, dict):
            raise StripeError("Invalid object", param=name)
        if name in _LISTS and not isinstance(value, list):
            raise StripeError("Invalid array", param=name)
        if name not in _OBJECTS | _LISTS | {"created"} and not isinstance(value, str):
            raise StripeError(f"Invalid string: {value}", param=name)
        if name == "metadata" and not all(isinstance(one, str) for one in value.values()):
            raise StripeError("Metadata values must be strings", param=name)
        if name in ("payment_intent_data", "payment_method_data", "price_data"):
            check_shapes(value)
        if name == "line_items":
            for one in value:
                if not isinstance(one, dict):
                    raise StripeError("Invalid object", param=name)
                check_shapes(one)
        elif isinstance(value, list) and not all(isinstance(one, str) for one in value):
            raise StripeError("Invalid string", param=name)


def whole(value: object, param: str) -> int:
    """A form value as an integer, the way Stripe refuses others."""
    try:
        return int(str(value))
    except ValueError:
        raise StripeError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=param) from None


def flag(value: object) -> bool:
    return value in ("true", True)


def _created(params: Json) -> Callable[[Json], bool]:
    """The ``created`` filter of a list: a moment, or any of gt, gte, lt, lte."""
    created = params.get("created", {})
    if isinstance(created, str):
        moment = whole(created, "created")
        return lambda one: bool(one["created"] == moment)
    if not isinstance(created, dict) or not set(created) <= set(_COMPARES):
        raise StripeError("Invalid object", param="created")
    bounds = [(_COMPARES[name], whole(value, f"created[{name}]")) for name, value in created.items()]
    return lambda one: all(compares(one["created"], bound) for compares, bound in bounds)
