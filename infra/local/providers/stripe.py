"""Stand-in Stripe: the v1 API, hosted pay pages, signed webhooks, and test doors. Pure: see ``Stripe``.

API: payment_intents (create, retrieve, update, confirm, capture, cancel, list), charges, refunds, disputes,
payment_methods, checkout sessions, events, webhook_endpoints, terminal readers with their test helper,
balance_transactions.

Every PaymentIntent has a hosted page at ``/pay/pi_..``: iDEAL redirects there, and it stands in for a card form.

Test doors (no key needed; JSON in and out), next to those of ``controls``:

==================================  =====================================================================
``GET  /_test/books``               captured, refunded, refund_pending, charged_back, authorized: per payment, in total
``GET  /_test/objects[?kind=..]``   every object, by kind
``POST /_test/pay``                 ``{"id": "pi_.. | cs_..", "payment_method"?: "ideal | pm_.."}``: the shopper pays
``POST /_test/fail``                ``{"id", "reason"?: "insufficient_funds"}``: the attempt is declined
``POST /_test/process``             ``{"id": "pi_.."}``: paid by a debit: the bank answers days later
``POST /_test/cancel``              ``{"id"}``: the shopper gives up on the page
``POST /_test/expire``              ``{"id"}``: the page is left until it expires
``POST /_test/refunds/settle``      ``{"id": "re_.."}``: a pending refund succeeds now
``POST /_test/refunds/fail``        ``{"id": "re_..", "reason"?}``: a refund fails, also one that had succeeded
``POST /_test/disputes/open``       ``{"id": "pi_.. | ch_..", "amount"?, "reason"?}``
``POST /_test/disputes/close``      ``{"id": "du_..", "won": bool}``
``POST /_test/events/resend``       ``{"id": "evt_.."}``: deliver an event once more
``POST /_test/events/shape``        ``{"refund": {"status": null, "payment_intent": null}}``: events show objects
                                    of that kind like this; ``{}`` ends it. What the API answers is not changed
``POST /_test/listen``              ``{"url": "..", "events"?: ["*"]}``: where webhooks go, signed with the configured
                                    secrets
==================================  =====================================================================
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from . import stripe_checkout as checkout
from . import stripe_endpoints as endpoints
from . import stripe_intents as intents
from . import stripe_money as money
from . import stripe_terminal as terminal
from .controls import Controls
from .outbox import Delivery
from .pages import CHOICES
from .stripe_account import API_VERSION, Account, StripeError, check_shapes
from .stripe_routes import ID, ROUTES
from .wire import Clock, Ids, Json, Reply, Request, bearer_key, read_form, read_json, reply_json

_KEY_LIFE_S = 86400


class Stripe:
    """A Stripe test account without sockets, threads or a clock of its own.

    Args:
        secret_key: ``sk_test_..``; Bearer or Basic. Without it, whoever shows the client secret of a PaymentIntent
            may read and confirm that one, as a browser does with the (public) publishable key.
        webhook_secrets: ``whsec_..``; a delivery to ``webhook_url`` carries one ``v1`` signature for each.
        clock: epoch seconds.
        ids: a fresh token of letters and digits a call (``wire.random_ids``); the only source of randomness.
        webhook_url: where events go. More endpoints can be made through ``POST /v1/webhook_endpoints``.
        public_url: how a browser reaches this stand-in, for hosted pages.

    Drive it with ``handle``; make what ``due`` returns and report each with ``delivered``. Callers in several
    threads take turns: there are no locks inside.
    """

    def __init__(
        self,
        secret_key: str,
        webhook_secrets: Sequence[str],
        clock: Clock,
        ids: Ids,
        *,
        webhook_url: str | None = None,
        public_url: str = "https://stripe.test",
    ) -> None:
        self.account = Account(clock, ids, public_url, webhook_secrets)
        self.outbox = self.account.outbox
        self.controls = Controls(self.outbox, clock)
        self._secret_key = secret_key
        self._answers: dict[str, Json] = {}
        terminal.register(self.account, {"registration_code": "simulated-wpe", "label": "Till 1"})
        if webhook_url:
            self.listen(webhook_url)

    def listen(self, url: str) -> None:
        """Send every event to ``url``, signed with the configured secrets."""
        endpoints.listen(self.account, url)

    def handle(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one HTTP request with ``(status, headers, body)``. Status 0 means: break the connection."""
        self.tick()
        request = Request.of(method, path, query, headers, body)
        if path.startswith("/_test/"):
            return self._test_door(request)
        if not path.startswith("/v1/"):
            self.account.cause = {"id": None, "idempotency_key": None}
            page = checkout.hosted_page(self.account, request)
            return page or reply_json(404, {"error": {"type": "invalid_request_error", "message": f"No page {path}"}})
        fault = self.controls.take_fault(request)
        if fault and fault["when"] == "before":
            return self._fault(fault)
        answer = self._answer(request)
        return self._fault(fault) if fault else answer

    def _fault(self, fault: Json) -> Reply:
        if "answer" in fault:
            return self._reply(fault["status"], fault["answer"], "req_fault")
        return self._error(StripeError("An injected fault.", status=fault["status"], type_="api_error"))

    # webhooks and time

    def tick(self) -> None:
        """Let happen what is due by itself: refunds settle, sessions and holds expire."""
        while happening := self.account.timers.pop_due(self.account.clock()):
            action, thing_id = happening
            self.account.cause = {"id": None, "idempotency_key": None}
            endpoints.happen(self.account, action, thing_id)

    def due(self, now: float) -> list[Delivery]:
        """Webhook deliveries to make now; report each with ``delivered``."""
        self.tick()
        return self.outbox.due(now)

    def delivered(self, delivery: Delivery, status: int) -> None:
        """How a delivery ended: the HTTP status, or 0 when there was no answer."""
        self.account.delivered(delivery, status)

    def next_due(self) -> float | None:
        """When something happens next by itself, for a virtual clock; None if never."""
        times = [self.account.timers.next_due(), self.outbox.next_due()]
        return min((one for one in times if one is not None), default=None)

    # state

    def dump(self) -> Json:
        """Everything as JSON data, for ``load``."""
        account = self.account
        return {
            "objects": account.objects,
            "secrets": account.secrets,
            "undelivered": account.undelivered,
            "timers": account.timers.heap,
            "outbox": self.outbox.dump(),
            "answers": {key: stored for key, stored in self._answers.items() if stored["until"] > account.clock()},
        }

    def load(self, state: Json) -> None:
        account = self.account
        account.objects = state["objects"]
        account.secrets = state["secrets"]
        account.undelivered = state["undelivered"]
        account.timers.heap = [tuple(one) for one in state["timers"]]
        self.outbox.load(state["outbox"])
        self._answers = state["answers"]

    # requests

    def _answer(self, request: Request) -> Reply:
        request_id = f"req_{self.account.ids()[:14]}"
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        self.account.cause = {"id": request_id, "idempotency_key": key}
        try:
            params = read_form(request.body.decode() if request.method == "POST" else request.query)
            check_shapes(params)
            self._authorise(request, params)
            if key and (stored := self._replay(key, request)):
                return stored
        except StripeError as refused:
            return self._error(refused, request_id)
        except ValueError as broken:
            return self._error(StripeError(str(broken)), request_id)
        executed = True
        try:
            status, content = 200, self._call(request, params)
        except StripeError as refused:
            status, content, executed = refused.status, {"error": refused.error}, refused.executed
        if key and executed:
            self._answers[key] = {
                "status": status,
                "content": content,
                "params": _fingerprint(request),
                "path": request.path,
                "request_id": request_id,
                "until": self.account.clock() + _KEY_LIFE_S,
            }
        return self._reply(status, content, request_id, key)

    def _call(self, request: Request, params: Json) -> Json:
        expand = params.get("expand", [])
        for method, pattern, call in ROUTES:
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                result = call(self.account, *found.groups(), params)
                return self.account.expanded(result, expand if isinstance(expand, list) else [expand])
        raise StripeError(f"Unrecognized request URL ({request.method}: {request.path}).", status=404)

    def _authorise(self, request: Request, params: Json) -> None:
        key = bearer_key(request.headers)
        if key == self._secret_key:
            return
        browser = re.fullmatch(f"/v1/payment_intents/{ID}(/confirm)?", request.path)
        if browser and "client_secret" in params and not (key or "").startswith("sk_"):
            intent = self.account.get("payment_intent", browser[1], "intent")
            if params.pop("client_secret", None) == intent["client_secret"]:
                return
            raise StripeError("The client_secret provided does not match.", status=401)
        if not key:
            raise StripeError("You did not provide an API key.", status=401)
        raise StripeError(f"Invalid API Key provided: {key[:8]}***", status=401)

    def _replay(self, key: str, request: Request) -> Reply | None:
        if len(key) > 255:
            raise StripeError("Idempotency keys can be at most 255 characters.", type_="idempotency_error")
        stored = self._answers.get(key)
        if stored is None or stored["until"] <= self.account.clock():
            return None
        if stored["path"] != request.path:
            raise StripeError(
                f"Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{request.path}' vs '{stored['path']}'). Try using a key other than '{key}' if you meant to "
                "execute a different request.",
                type_="idempotency_error",
            )
        if stored["params"] != _fingerprint(request):
            raise StripeError(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                type_="idempotency_error",
            )
        status, headers, body = self._reply(stored["status"], stored["content"], f"req_{self.account.ids()[:14]}", key)
        return status, {**headers, "Idempotent-Replayed": "true", "Original-Request": stored["request_id"]}, body

    def _reply(self, status: int, content: Json, request_id: str, key: str | None = None) -> Reply:
        status, headers, body = reply_json(status, content)
        headers |= {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        if key:
            headers |= {"Idempotency-Key": key, "Original-Request": request_id}
        return status, headers, body

    def _error(self, refused: StripeError, request_id: str = "req_fault") -> Reply:
        return self._reply(refused.status, {"error": refused.error}, request_id)

    def _test_door(self, request: Request) -> Reply:
        self.account.cause = {"id": None, "idempotency_key": None}
        try:
            shared = self.controls.handle(request)
            if shared:
                return shared
            if request.method == "GET":
                return self._show(request)
            return reply_json(200, self._do(request.path.removeprefix("/_test/"), read_json(request.body)))
        except StripeError as refused:
            return reply_json(refused.status, {"error": refused.error})
        except (ValueError, KeyError, TypeError) as wrong:
            return reply_json(400, {"error": {"message": f"{type(wrong).__name__}: {wrong}"}})

    def _show(self, request: Request) -> Reply:
        if request.path == "/_test/books":
            return reply_json(200, money.books(self.account))
        if request.path == "/_test/objects":
            wanted = parse_qs(request.query).get("kind", list(self.account.objects))
            shown = {kind: list(self.account.objects[kind].values()) for kind in wanted}
            return reply_json(200, {kind: [self.account.public(one) for one in all_] for kind, all_ in shown.items()})
        return reply_json(404, {"error": {"message": f"no test door {request.path}"}})

    def _do(self, door: str, asked: Json) -> Json:
        account = self.account
        if door in dict(CHOICES):
            thing = checkout.session_or_intent(account, asked["id"])
            reason: Any = asked.get("reason", "generic_decline")
            checkout.act(account, thing, door, asked.get("payment_method"), reason)
            return account.public(thing)
        if door == "process":
            return account.public(intents.process(account, asked["id"]))
        if door == "refunds/settle":
            return account.public(money.settle_refund(account, asked["id"]))
        if door == "refunds/fail":
            return account.public(money.fail_refund(account, asked["id"], asked.get("reason", "lost_or_stolen_card")))
        if door == "disputes/open":
            charge = asked["id"]
            if charge.startswith("pi_"):
                charge = account.get("payment_intent", charge)["latest_charge"] or ""
            return account.public(
                money.open_dispute(account, charge, asked.get("amount"), asked.get("reason", "fraudulent"))
            )
        if door == "disputes/close":
            return account.public(money.close_dispute(account, asked["id"], asked["won"]))
        if door == "events/resend":
            return endpoints.resend(account, asked["id"])
        if door == "events/shape":
            account.shapes = asked
            return asked
        if door == "listen":
            return account.public(endpoints.listen(account, asked["url"], asked.get("events")))
        raise StripeError(f"no test door /_test/{door}", status=404)


def _fingerprint(request: Request) -> str:
    return hashlib.sha256(request.body).hexdigest()
