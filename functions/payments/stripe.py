"""Stripe over its v1 API: plain HTTPS and forms, no SDK.

Online payments are PaymentIntents, or hosted Checkout Sessions when a page to return to is given. Our payment id is in
the metadata of everything we make; that, and not what the shopper brings back, ties money to an order.
"""

import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from commerce import clock
from payments import accounts, excerpts, exchange, ledger, refusals
from payments.amounts import back_to_stripe, from_stripe, to_stripe
from payments.excerpts import STRIPE_VERSION, StripeEvent
from payments.ledger import Fact
from payments.opening import Opened, Order

METHODS = {"online", "link"}
_HELD_S = 7 * 86400
"""How long Stripe holds an amount online, unless the charge says otherwise (`capture_before`)."""
_ANSWERED_WITHIN_S = 14 * 86400
"""Debits of a bank account, the slowest of what Stripe calls `processing`, are known by then."""
_PAGE_LIVES_S = 3600
"""A hosted page may live 30 minutes to a day. It is closed earlier when the order may not be paid any more."""

_DISPUTES = {"won": "won", "lost": "lost", "warning_closed": "closed", "prevented": "closed"}
_FUNDS = {"charge.dispute.funds_withdrawn": "withdrawn", "charge.dispute.funds_reinstated": "reinstated"}
_ABOUT_MONEY = (
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.partially_funded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.succeeded",
    "charge.captured",
    "charge.expired",
    "charge.refunded",
    "charge.refund.updated",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "checkout.session.async_payment_succeeded",
    "checkout.session.expired",
)
"""The events that are looked for by the clock; a request may name twenty types."""
_COMPLETE = {
    "payment_intent": {"id", "status", "amount", "currency"},
    "refund": {"id", "status", "amount", "currency", "payment_intent"},
    "dispute": {"id", "status", "amount", "currency", "payment_intent"},
    "checkout.session": {"id", "status"},
}
"""What a snapshot of an object must say so that it can be taken at its word."""
_PATHS = {
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "checkout.session": "checkout/sessions",
    "payment_intent": "payment_intents",
}
_REFUNDS = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}


def needs_return_url(method: str) -> bool:
    """Whether the shopper has to be sent somewhere after paying."""
    return method == "link"


def start(payment: Mapping[str, Any], order: Order) -> Opened:
    """Make a PaymentIntent or a Checkout Session. A repeat under the same payment id gets the first answer."""
    units = to_stripe(payment["amount"], payment["currency"])
    ours = {"payment_id": payment["payment_id"], "order_id": payment["order_id"]}
    manual = {"capture_method": "manual"} if payment.get("capture") == "manual" else {}
    currency = payment["currency"].lower()
    if payment["method"] == "online" and not order.return_url:
        intent: dict[str, Any] = {"amount": units, "currency": currency, "metadata": ours, "description": order.number}
        intent |= {"automatic_payment_methods": {"enabled": "true"}} | manual
        return _opened(_post(payment, "start", "payment_intents", intent, payment["payment_id"]), payment)
    line = {"currency": currency, "unit_amount": units, "product_data": {"name": f"Order {order.number}"}}
    form: dict[str, Any] = {
        "mode": "payment",
        "adaptive_pricing": {"enabled": "false"},  # or Stripe lets shoppers pay in a currency of their choice
        "line_items": {"0": {"quantity": 1, "price_data": line}},
        "success_url": order.return_url,
        "cancel_url": order.return_url,
        "client_reference_id": payment["payment_id"],
        "expires_at": int(clock.parse(payment["created_at"]).timestamp()) + _PAGE_LIVES_S,
        "metadata": ours,
        "payment_intent_data": {"metadata": ours, "description": order.number} | manual,
    }
    if manual:
        form["payment_method_types"] = {"0": "card"}  # no other method can be held
    return _opened(_post(payment, "start", "checkout/sessions", form, payment["payment_id"]), payment)


def _opened(made: Mapping[str, Any], payment: Mapping[str, Any]) -> Opened:
    """What the shopper needs to pay."""
    with exchange.understood():
        if made["object"] == "payment_intent":
            return Opened(made["id"], client_secret=made["client_secret"])
        if payment["method"] == "link":
            return Opened(made["id"], link=made["url"])
        return Opened(made["id"], redirect_url=made["url"])


def client_secret(payment: Mapping[str, Any]) -> str | None:
    """The client secret of a PaymentIntent, asked for again because it is kept nowhere."""
    if not payment["provider_ref"].startswith("pi_"):
        return None
    with exchange.understood(exchange.NotDone):
        return str(_get(payment, f"payment_intents/{payment['provider_ref']}")["client_secret"])


def find(payment: Mapping[str, Any]) -> Opened | None:
    """What became of a start with an unknown outcome: look through what was made around that time."""
    made_at = int(clock.parse(payment["created_at"]).timestamp())
    window = {"gte": made_at - 120, "lte": made_at + 900}
    with exchange.understood(exchange.NotDone):
        for kind in ("payment_intents", "checkout/sessions"):
            for made in _every(payment, kind, {"created": window}):
                if (made.get("metadata") or {}).get("payment_id") == payment["payment_id"]:
                    return _opened(made, payment)
    return None


def fetch(payment: Mapping[str, Any]) -> list[Fact]:
    """What Stripe says now about the attempt, its refunds and disputes."""
    reference = payment["provider_ref"]
    now = int(clock.source())
    with exchange.understood(exchange.NotDone):
        if reference.startswith("cs_"):
            session = _get(payment, f"checkout/sessions/{reference}")
            if not session.get("payment_intent"):
                return of_session(session, now)
            reference = session["payment_intent"]
        found = of_intent(_get(payment, f"payment_intents/{reference}", {"expand": {"0": "latest_charge"}}), now)
        for refund in _every(payment, "refunds", {"payment_intent": reference}):
            found += of_refund(refund | {"payment_intent": reference})
        for dispute in _every(payment, "disputes", {"payment_intent": reference}):
            told = dispute | {"payment_intent": reference}
            found += of_dispute(told, dispute["created"], _moved(dispute)) + _fees(told)
        return found


def capture(payment: Mapping[str, Any], asked: Fact) -> list[Fact]:
    """Take (part of) what is held, under the id of the request as the key; Stripe lets the rest go."""
    form = {"amount_to_capture": to_stripe(asked.amount, asked.currency), "metadata": {"capture_id": asked.object_id}}
    intent = _post(payment, "capture", f"payment_intents/{asked.of}/capture", form, asked.object_id)
    with exchange.understood():
        named = (intent.get("metadata") or {}) | {"capture_id": asked.object_id}
        return of_intent(intent | {"metadata": named}, int(clock.source()))


def refund(payment: Mapping[str, Any], asked: Fact) -> list[Fact]:
    """Carry out a refund under its own id as the key."""
    form = {
        "payment_intent": asked.of,
        "amount": back_to_stripe(asked.amount, asked.currency),
        "metadata": {"refund_id": asked.object_id, "payment_id": payment["payment_id"]},
    }
    made = _post(payment, "refund", "refunds", form, asked.object_id)
    with exchange.understood():
        return of_refund(made | {"payment_intent": asked.of})


def not_before(asked: Fact, known: Iterable[Fact]) -> float:
    """Stripe takes a refund at any time."""
    return 0


def cancel(payment: Mapping[str, Any]) -> list[Fact]:
    """Let nobody pay this any more, and let go what is held. Refused when the money is on its way."""
    reference, now = payment["provider_ref"], int(clock.source())
    if reference.startswith("cs_"):
        with exchange.understood(exchange.NotDone):
            session = _get(payment, f"checkout/sessions/{reference}")
            closed = of_session(session, now)
        if session["status"] == "open":
            path = f"checkout/sessions/{reference}/expire"
            expired = _post(payment, "cancel", path, {}, f"{payment['payment_id']}.x")
            with exchange.understood():
                return of_session(expired, now)
        if not session.get("payment_intent"):
            return closed  # already, and nobody paid
        reference = session["payment_intent"]
    ended = _post(payment, "cancel", f"payment_intents/{reference}/cancel", {}, f"{payment['payment_id']}.c")
    with exchange.understood():
        return of_intent(ended, now)


def events_since(account: str, since: int, after: str | None) -> tuple[list[StripeEvent], str | None]:
    """A page of the events about money, newest first, as they would have been posted, and where the next one begins."""
    query: dict[str, Any] = {"limit": 100, "created": {"gte": since}, "types": dict(enumerate(_ABOUT_MONEY))}
    page = _get({"account": account}, "events", query | ({"starting_after": after} if after else {}))
    with exchange.understood(exchange.NotDone):
        found = [excerpts.of_stripe(event) for event in page["data"]]
        return found, page["data"][-1]["id"] if page.get("has_more") and page["data"] else None


# ------------------------------------------------------------------------------------- what Stripe says, as facts


def of_event(item: Mapping[str, Any], reference: str | None = None) -> tuple[list[Fact], bool]:
    """The facts a stored event states, and whether they are all there is to it. If not, Stripe has to be asked.

    `reference` is the PaymentIntent it belongs to, if that was found out.
    """
    belongs = {"payment_intent": reference} if reference and reference.startswith("pi_") else {}
    thing, at = belongs | item["object"], item["created"]
    kind = thing["object"]
    if not _COMPLETE.get(kind, {"nothing we know"}) <= set(thing):
        return [], False
    match kind:
        case "payment_intent":
            return of_intent(thing, at), True
        case "refund":
            return of_refund(thing | {"created": at}), True
        case "dispute":  # its fees are not in the excerpt
            return of_dispute(thing, at, _FUNDS.get(item["type"])), False
    facts = of_session(thing | {"currency": ""}, at)
    return facts, bool(facts)


def named(item: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Our payment that a stored event is about, and Stripe's name of it, if anything in the event leads to them.

    Refunds and disputes made in Stripe's dashboard, and charges, lead there by what they belong to.
    """
    account, thing = {"account": item["account"]}, item["object"]
    seen: set[str] = set()
    while True:
        kind, intent = thing["object"], thing.get("payment_intent")
        reference = intent or (thing.get("id") if kind in ("payment_intent", "checkout.session") else None)
        if ours := (thing.get("metadata") or {}).get("payment_id"):
            return ours, reference
        if kind == "payment_intent" and "metadata" in thing:
            return None, None  # nothing of ours is on it
        where = f"payment_intents/{intent}" if intent else None
        if where is None and thing.get("charge"):
            where = f"charges/{thing['charge']}"
        elif where is None and kind in _PATHS and thing.get("id"):
            where = f"{_PATHS[kind]}/{thing['id']}"
        if where is None or where in seen:
            return None, None
        seen.add(where)
        thing = _get(account, where)


def of_intent(intent: Mapping[str, Any], at: int) -> list[Fact]:
    """A PaymentIntent: what was received counts, never what was asked for."""
    of, status = intent["id"], intent["status"]
    received, currency = from_stripe(intent.get("amount_received", 0), intent["currency"])
    capturable, _ = from_stripe(intent.get("amount_capturable", 0), intent["currency"])
    found = []
    if received:
        found.append(ledger.capture(of, of, "succeeded", at, received, currency, last=status == "succeeded"))
        if ours := (intent.get("metadata") or {}).get("capture_id"):
            found.append(ledger.capture_request(ours, of, "done", at, received, currency))
    if status == "requires_capture":
        held = capturable + received
        found.append(ledger.attempt(of, "authorized", at, currency, held, _capture_before(intent, at)))
    elif status == "processing":
        asked, _ = from_stripe(intent["amount"], intent["currency"])
        answered_by = intent.get("created", at) + _ANSWERED_WITHIN_S
        found.append(ledger.attempt(of, "pending", at, currency, asked, answered_by))
    elif status == "canceled":
        found.append(ledger.attempt(of, "canceled", at, currency))
    elif status == "requires_payment_method" and intent.get("last_payment_error"):
        found.append(ledger.attempt(of, "failed", at, currency))
    return found


def _capture_before(intent: Mapping[str, Any], at: int) -> int:
    """Until when a hold can be taken: its charge says it, if it was asked for; else what Stripe holds by default."""
    charge = intent.get("latest_charge")
    details = charge.get("payment_method_details") or {} if isinstance(charge, Mapping) else {}
    said = (details.get(details.get("type")) or {}).get("capture_before")
    return int(said or intent.get("created", at) + _HELD_S)


def of_session(session: Mapping[str, Any], at: int) -> list[Fact]:
    """A Checkout Session says only that its page is closed; what was paid, its PaymentIntent says."""
    if session["status"] != "expired":
        return []
    return [ledger.attempt(session["id"], "expired", at, session.get("currency", "").upper())]


def of_refund(made: Mapping[str, Any]) -> list[Fact]:
    """A refund, under our id if we asked for it."""
    amount, currency = from_stripe(made["amount"], made["currency"])
    name = (made.get("metadata") or {}).get("refund_id") or made["id"]
    status = _REFUNDS.get(made.get("status") or "", "pending")  # the status may be null while Stripe is at it
    of = made.get("payment_intent") or ""
    return [ledger.refund(name, of, status, made["created"], amount, currency, ref=made["id"])]


def of_dispute(made: Mapping[str, Any], at: int, moved: str | None) -> list[Fact]:
    """A dispute. `moved` says how its money moved, if that is what is told: the status does not say it."""
    amount, currency = from_stripe(made["amount"], made["currency"])
    status = moved or _DISPUTES.get(made["status"], "opened")
    return [ledger.chargeback(made["id"], made.get("payment_intent") or "", status, at, amount, currency)]


def _moved(dispute: Mapping[str, Any]) -> str | None:
    """How a dispute's money moved so far, from its balance transactions; None if its status says more."""
    moves = dispute.get("balance_transactions") or []
    total = sum(each["amount"] for each in moves)
    if dispute["status"] == "won":
        return "reinstated" if moves and total >= 0 else None
    return "withdrawn" if total < 0 and dispute["status"] not in _DISPUTES else None


def _fees(dispute: Mapping[str, Any]) -> list[Fact]:
    """What Stripe charged for a dispute (and gave back of that), by the movements of its money."""
    found = []
    for each in dispute.get("balance_transactions") or []:
        if each.get("fee"):
            amount, currency = from_stripe(each["fee"], each["currency"])
            of = dispute["payment_intent"]
            found.append(ledger.fee(each["id"], of, each["created"], amount, currency, chargeback=dispute["id"]))
    return found


# ------------------------------------------------------------------------------------- the wire


def _post(payment: Mapping[str, Any], operation: str, path: str, form: Mapping[str, Any], key: str) -> dict[str, Any]:
    headers = _headers(payment) | {"Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": key}
    body, refusal = urlencode(list(_flat(form))).encode(), functools.partial(refusals.stripe, operation)
    return exchange.send("POST", f"{_base()}/v1/{path}", headers, body, refusal)


def _get(payment: Mapping[str, Any], path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
    asked = f"?{urlencode(list(_flat(query)))}" if query else ""
    found = exchange.read(f"{_base()}/v1/{path}{asked}", _headers(payment))
    for each in (found, *found.get("data", [])):
        if each.get("livemode", accounts.live()) != accounts.live():
            raise exchange.OtherMode
    return found


def _every(payment: Mapping[str, Any], path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    start: dict[str, Any] = {}
    while True:
        page = _get(payment, path, {"limit": 100, **query, **start})
        yield from page["data"]
        if not page.get("has_more"):
            return
        start = {"starting_after": page["data"][-1]["id"]}


def _headers(payment: Mapping[str, Any]) -> dict[str, str]:
    secret_key = accounts.key("stripe", payment["account"], "secret_key")
    return {"Authorization": f"Bearer {secret_key}", "Stripe-Version": STRIPE_VERSION}


def _base() -> str:
    return os.environ["STRIPE_API_URL"].rstrip("/")


def _flat(form: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    """`{"metadata": {"a": 1}}` as Stripe's `metadata[a]=1`."""
    for name, value in form.items():
        path = f"{within}[{name}]" if within else name
        if isinstance(value, Mapping):
            yield from _flat(value, path)
        else:
            yield path, value
