"""Stand-in Mollie: the v2 API, hosted checkout, payment links, classic webhooks, and test doors. Pure: see ``Mollie``.

API: payments (create, get, list, cancel, release-authorization), refunds, captures, chargebacks, payment-links,
terminals. Webhooks are a form with ``id=tr_..``, sent when a payment becomes paid, authorized, expired, failed or
canceled, when a refund becomes processing, refunded or failed, and on chargebacks; never on open or pending.
Next-generation webhooks (signed events) are sent besides to whoever subscribed by the test door.

Test doors (no key needed; JSON in and out), next to those of ``controls``:

==================================  =====================================================================
``GET  /_test/books``               captured, refunded, refund_pending, charged_back, authorized: per payment, in total
``GET  /_test/objects[?kind=..]``   every object, by kind; amounts as ``_amount`` in minor units
``POST /_test/pay``                 ``{"id": "tr_.. | pl_.."}``: the shopper pays
``POST /_test/pending``             ``{"id": "tr_.."}``: the bank needs time (no webhook)
``POST /_test/fail``                ``{"id", "reason"?: "insufficient_funds"}``
``POST /_test/cancel``              ``{"id"}``: the shopper gives up on the page
``POST /_test/expire``              ``{"id"}``: the page is left until it expires
``POST /_test/refunds/settle``      ``{"id": "re_.."}``: a refund arrives now
``POST /_test/refunds/fail``        ``{"id": "re_.."}``: a refund fails, also one that had arrived
``POST /_test/disputes/open``       ``{"id": "tr_..", "amount"?: minor units, "reason"?, "fee"?}``: a chargeback
``POST /_test/disputes/close``      ``{"id": "chb_..", "won": bool}``: won reverses it
``POST /_test/subscribe``           ``{"url", "secret", "events"?: ["*" | "refund.*" | ..], "simple"?: bool}``: signed
                                    events go there; ``simple`` ones only link to their object. A null url ends it
==================================  =====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from . import mollie_money as money
from . import mollie_payments as payments
from .controls import Controls
from .mollie_account import Account, MollieError
from .mollie_pages import END, hosted_page
from .outbox import Delivery
from .wire import Clock, Ids, Json, Reply, Request, bearer_key, read_json, reply_json

_ID = r"([A-Za-z0-9_]+)"
_KEY_LIFE_S = 3600
_HAL = "application/hal+json"
#: timer -> the statuses in which it still means something
_EXPIRES = {"payment_expires": ("open", "pending"), "hold_expires": ("authorized",)}
Call = Callable[..., tuple[int, Json | None]]


def _create(kind: Callable[..., Json]) -> Call:
    return lambda account, *ids, body, query: (201, kind(account, *ids, body))


def _list_payments(account: Account, *, body: Json, query: str) -> tuple[int, Json]:
    found = list(account.objects["payment"].values())
    return 200, account.page("payment", "payments", query, found, lambda one: payments.view(account, one))


def _list_of(kind: str) -> Call:
    def call(account: Account, payment_id: str, *, body: Json, query: str) -> tuple[int, Json]:
        account.get("payment", payment_id)
        found = account.of_payment(kind, payment_id)
        path = f"payments/{payment_id}/{kind}s"
        return 200, account.page(kind, path, query, found, lambda one: money.view(account, one))

    return call


def _read(kind: str) -> Call:
    return lambda account, payment_id, name, body, query: (
        200,
        money.view(account, money.child(account, kind, payment_id, name)),
    )


def _list_all(kind: str) -> Call:
    def call(account: Account, *, body: Json, query: str) -> tuple[int, Json]:
        found = list(account.objects[kind].values())
        return 200, account.page(kind, f"{kind}s", query, found, lambda one: money.view(account, one))

    return call


def _cancel_payment(account: Account, payment_id: str, *, body: Json, query: str) -> tuple[int, Json]:
    return 200, payments.view(account, payments.cancel(account, payment_id))


def _cancel_refund(account: Account, payment_id: str, refund_id: str, *, body: Json, query: str) -> tuple[int, None]:
    money.cancel_refund(account, payment_id, refund_id)
    return 204, None


def _release(account: Account, payment_id: str, *, body: Json, query: str) -> tuple[int, Json]:
    payments.release(account, payment_id)
    return 202, {}


def _list_links(account: Account, *, body: Json, query: str) -> tuple[int, Json]:
    found = list(account.objects["payment-link"].values())
    return 200, account.page(
        "payment-link", "payment-links", query, found, lambda one: payments.view_link(account, one)
    )


def _read_link(account: Account, link_id: str, *, body: Json, query: str) -> tuple[int, Json]:
    return 200, payments.view_link(account, account.get("payment-link", link_id))


def _archive_link(account: Account, link_id: str, *, body: Json, query: str) -> tuple[int, Json]:
    link = account.get("payment-link", link_id)
    payments.check_fields(body, {"archived", "description"})
    link.update(body)
    return 200, payments.view_link(account, link)


def _link_payments(account: Account, link_id: str, *, body: Json, query: str) -> tuple[int, Json]:
    account.get("payment-link", link_id)
    found = [one for one in account.objects["payment"].values() if one.get("_link") == link_id]
    path = f"payment-links/{link_id}/payments"
    return 200, account.page("payment", path, query, found, lambda one: payments.view(account, one))


def _list_terminals(account: Account, *, body: Json, query: str) -> tuple[int, Json]:
    found = list(account.objects["terminal"].values())
    return 200, account.page("terminal", "terminals", query, found, lambda one: _terminal(account, one))


def _terminal(account: Account, terminal: Json) -> Json:
    return {**terminal, "_links": {"self": account.link(f"terminals/{terminal['id']}")}}


_ROUTES: list[tuple[str, str, Call]] = [
    ("POST", "/payments", lambda account, body, query: (201, payments.create(account, body, query))),
    ("GET", "/payments", _list_payments),
    (
        "GET",
        f"/payments/{_ID}",
        lambda account, name, body, query: (200, payments.view(account, account.get("payment", name), query)),
    ),
    ("DELETE", f"/payments/{_ID}", _cancel_payment),
    ("POST", f"/payments/{_ID}/release-authorization", _release),
    ("POST", f"/payments/{_ID}/refunds", _create(money.create_refund)),
    ("GET", f"/payments/{_ID}/refunds", _list_of("refund")),
    ("GET", f"/payments/{_ID}/refunds/{_ID}", _read("refund")),
    ("DELETE", f"/payments/{_ID}/refunds/{_ID}", _cancel_refund),
    ("GET", "/refunds", _list_all("refund")),
    ("GET", "/chargebacks", _list_all("chargeback")),
    ("POST", f"/payments/{_ID}/captures", _create(money.create_capture)),
    ("GET", f"/payments/{_ID}/captures", _list_of("capture")),
    ("GET", f"/payments/{_ID}/captures/{_ID}", _read("capture")),
    ("GET", f"/payments/{_ID}/chargebacks", _list_of("chargeback")),
    ("GET", f"/payments/{_ID}/chargebacks/{_ID}", _read("chargeback")),
    ("POST", "/payment-links", _create(payments.create_link)),
    ("GET", "/payment-links", _list_links),
    ("GET", f"/payment-links/{_ID}", _read_link),
    ("PATCH", f"/payment-links/{_ID}", _archive_link),
    ("GET", f"/payment-links/{_ID}/payments", _link_payments),
    ("GET", "/terminals", _list_terminals),
    (
        "GET",
        f"/terminals/{_ID}",
        lambda account, name, body, query: (200, _terminal(account, account.get("terminal", name))),
    ),
]


class Mollie:
    """A Mollie test profile without sockets, threads or a clock of its own.

    Args:
        api_key: ``test_..``, sent as Bearer.
        clock: epoch seconds.
        ids: a fresh token of letters and digits a call (``wire.random_ids``); the only source of randomness.
        public_url: how a browser reaches this stand-in, for checkout pages and ``_links``.

    Drive it with ``handle``; make what ``due`` returns and report each with ``delivered``. Callers in several
    threads take turns: there are no locks inside.
    """

    def __init__(self, api_key: str, clock: Clock, ids: Ids, *, public_url: str = "https://mollie.test") -> None:
        self.account = Account(clock, ids, public_url)
        self.outbox = self.account.outbox
        self.controls = Controls(self.outbox, clock)
        self._api_key = api_key
        self._answers: dict[str, Json] = {}
        till = {"description": "Till 1", "status": "active", "brand": "PAX", "model": "A920", "currency": "EUR"}
        self.account.new("terminal", {"serialNumber": "1234567890", **till, "profileId": self.account.profile_id})

    def handle(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one HTTP request with ``(status, headers, body)``. Status 0 means: break the connection."""
        self.tick()
        request = Request.of(method, path, query, headers, body)
        if path.startswith("/_test/"):
            return self._test_door(request)
        if not path.startswith("/v2/"):
            page = hosted_page(self.account, request)
            return page or _refuse(MollieError(404, f"No page {path}"))
        fault = self.controls.take_fault(request)
        if fault and fault["when"] == "before":
            return _fault(fault)
        answer = self._answer(request)
        return _fault(fault) if fault else answer

    # webhooks and time

    def tick(self) -> None:
        """Let happen what is due by itself: payments expire, refunds and captures move on."""
        while happening := self.account.timers.pop_due(self.account.clock()):
            action, thing_id = happening
            if action in _EXPIRES:
                payment = self.account.get("payment", thing_id)
                if payment["status"] in _EXPIRES[action]:
                    payments.move(self.account, payment, "expired")
            elif action == "refund_processes":
                money.move_refund(self.account, thing_id, "processing")
            elif action == "refund_arrives":
                money.move_refund(self.account, thing_id, "refunded")
            elif action == "capture_succeeds":
                money.finish_capture(self.account, thing_id)

    def due(self, now: float) -> list[Delivery]:
        """Webhook deliveries to make now; report each with ``delivered``."""
        self.tick()
        return self.outbox.due(now)

    def delivered(self, delivery: Delivery, status: int) -> None:
        """How a delivery ended: the HTTP status, or 0 when there was no answer."""
        self.outbox.report(delivery, status, self.account.clock())

    def next_due(self) -> float | None:
        """When something happens next by itself, for a virtual clock; None if never."""
        times = [self.account.timers.next_due(), self.outbox.next_due()]
        return min((one for one in times if one is not None), default=None)

    # state

    def dump(self) -> Json:
        """Everything as JSON data, for ``load``."""
        now = self.account.clock()
        return {
            "objects": self.account.objects,
            "timers": self.account.timers.heap,
            "outbox": self.outbox.dump(),
            "answers": {key: stored for key, stored in self._answers.items() if stored["until"] > now},
        }

    def load(self, state: Json) -> None:
        self.account.objects = state["objects"]
        self.account.timers.heap = [tuple(one) for one in state["timers"]]
        self.outbox.load(state["outbox"])
        self._answers = state["answers"]

    # requests

    def _answer(self, request: Request) -> Reply:
        if bearer_key(request.headers) != self._api_key:
            return _refuse(MollieError(401, "Missing authentication, or failed to authenticate"))
        key = request.headers.get("idempotency-key") if request.method != "GET" else None
        # Mollie does not compare bodies: a key that was seen answers as it did the first time
        scope = f"{request.method} {request.path} {key}"
        stored = self._answers.get(scope) if key else None
        if stored and stored["until"] > self.account.clock():
            return _reply(stored["status"], stored["content"])
        try:
            status, content = self._call(request)
        except MollieError as refused:
            return _refuse(refused)
        if key:
            until = self.account.clock() + _KEY_LIFE_S
            self._answers[scope] = {"status": status, "content": content, "until": until}
        return _reply(status, content)

    def _call(self, request: Request) -> tuple[int, Json | None]:
        path = request.path.removeprefix("/v2")
        known = False
        for method, pattern, call in _ROUTES:
            found = re.fullmatch(pattern, path)
            known = known or bool(found)
            if found and method == request.method:
                try:
                    body = read_json(request.body)
                except ValueError:
                    raise MollieError(400, "The request body is not valid JSON") from None
                return call(self.account, *found.groups(), body=body, query=request.query)
        raise MollieError(405 if known else 404, f"The API call {request.method} {request.path} does not exist")

    def _test_door(self, request: Request) -> Reply:
        try:
            shared = self.controls.handle(request)
            if shared:
                return shared
            if (request.method, request.path) == ("GET", "/_test/books"):
                return reply_json(200, money.books(self.account))
            if (request.method, request.path) == ("GET", "/_test/objects"):
                wanted = parse_qs(request.query).get("kind", list(self.account.objects))
                return reply_json(200, {kind: list(self.account.objects[kind].values()) for kind in wanted})
            return reply_json(200, self._do(request.path.removeprefix("/_test/"), read_json(request.body)))
        except MollieError as refused:
            return _refuse(refused)
        except (ValueError, KeyError, TypeError) as wrong:
            return reply_json(400, {"error": f"{type(wrong).__name__}: {wrong}"})

    def _do(self, door: str, asked: Json) -> Json:
        account = self.account
        if door in END:
            payment = account.objects["payment"].get(asked["id"])
            if payment is None and door == "pay" and asked["id"] in account.objects["payment-link"]:
                payment = payments.start_from_link(account, account.get("payment-link", asked["id"]))
            payment = payment or account.get("payment", asked["id"])
            reason: Any = asked.get("reason", "insufficient_funds") if door == "fail" else None
            return payments.view(account, payments.move(account, payment, END[door], reason))
        if door == "refunds/settle":
            money.move_refund(account, asked["id"], "processing")
            return money.view(account, money.move_refund(account, asked["id"], "refunded"))
        if door == "refunds/fail":
            return money.view(account, money.move_refund(account, asked["id"], "failed"))
        if door == "disputes/open":
            wanted, why = asked.get("amount"), asked.get("reason", "")
            back = money.open_chargeback(account, asked["id"], wanted, why, asked.get("fee", 0))
            return money.view(account, back)
        if door == "disputes/close":
            return money.view(account, money.close_chargeback(account, asked["id"], asked["won"]))
        if door == "subscribe":
            account.subscription = {"events": ["*"], "simple": False, **asked} if asked["url"] else {}
            return account.subscription
        raise MollieError(404, f"no test door /_test/{door}")


def _reply(status: int, content: Json | None) -> Reply:
    return (204, {}, b"") if content is None else reply_json(status, content, _HAL)


def _fault(fault: Json) -> Reply:
    if "answer" in fault:
        return _reply(fault["status"], fault["answer"])
    return _refuse(MollieError(fault["status"], "An injected fault."))


def _refuse(refused: MollieError) -> Reply:
    return reply_json(refused.status, refused.content, _HAL)
