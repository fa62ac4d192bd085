"""Stripe over its v1 API: plain HTTPS and forms, no SDK.

Online payments are PaymentIntents, or hosted Checkout Sessions when a page to return to is given. Our payment id is in
the metadata of everything we make; that, and not what the shopper brings back, ties money to an order.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from commerce import clock
from payments import accounts, exchange, ledger
from payments.amounts import from_stripe, to_stripe
from payments.excerpts import STRIPE_VERSION
from payments.ledger import Fact
from payments.opening import Opened, Order

METHODS = {"online", "link"}
_PAGE_LIVES_S = 3600
"""A hosted page may live 30 minutes to a day. It is closed earlier when the order may not be paid any more."""

_DISPUTES = {"won": "won", "lost": "lost", "warning_closed": "closed", "prevented": "closed"}
_FUNDS = {"charge.dispute.funds_withdrawn": "withdrawn", "charge.dispute.funds_reinstated": "reinstated"}
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
        return opened(_post(payment, "payment_intents", intent, payment["payment_id"]), payment["method"])
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
    return opened(_post(payment, "checkout/sessions", form, payment["payment_id"]), payment["method"])


def opened(made: Mapping[str, Any], method: str) -> Opened:
    """What the shopper needs to pay."""
    if made["object"] == "payment_intent":
        return Opened(made["id"], client_secret=made["client_secret"])
    if method == "link":
        return Opened(made["id"], link=made["url"])
    return Opened(made["id"], redirect_url=made["url"])


def client_secret(payment: Mapping[str, Any]) -> str | None:
    """The client secret of a PaymentIntent, asked for again because it is kept nowhere."""
    if not payment["provider_ref"].startswith("pi_"):
        return None
    return str(_get(payment, f"payment_intents/{payment['provider_ref']}")["client_secret"])


def find(payment: Mapping[str, Any]) -> Opened | None:
    """What became of a start with an unknown outcome: look through what was made around that time."""
    made_at = int(clock.parse(payment["created_at"]).timestamp())
    window = {"gte": made_at - 120, "lte": made_at + 900}
    for kind in ("payment_intents", "checkout/sessions"):
        for made in _every(payment, kind, {"created": window}):
            if made.get("metadata", {}).get("payment_id") == payment["payment_id"]:
                return opened(made, payment["method"])
    return None


def fetch(payment: Mapping[str, Any]) -> list[Fact]:
    """What Stripe says now about the attempt, its refunds and disputes."""
    reference = payment["provider_ref"]
    now = int(clock.source())
    if reference.startswith("cs_"):
        session = _get(payment, f"checkout/sessions/{reference}")
        if not session.get("payment_intent"):
            return of_session(session, now)
        reference = session["payment_intent"]
    intent = _get(payment, f"payment_intents/{reference}")
    found = of_intent(intent, now)
    for refund in _every(payment, "refunds", {"payment_intent": reference}):
        found += of_refund(refund)
    for dispute in _every(payment, "disputes", {"payment_intent": reference}):
        found += of_dispute(dispute, dispute["created"], _moved(dispute))
    return found


def capture(payment: Mapping[str, Any], amount: int, key: str) -> list[Fact]:
    """Take (part of) what is held; Stripe lets the rest go."""
    form = {"amount_to_capture": to_stripe(amount, payment["currency"])}
    intent = _post(payment, f"payment_intents/{_intent_of(payment)}/capture", form, key)
    return of_intent(intent, int(clock.source()))


def refund(payment: Mapping[str, Any], asked: Fact) -> list[Fact]:
    """Carry out a refund under its own id as the key."""
    form = {
        "payment_intent": asked.of,
        "amount": to_stripe(asked.amount, asked.currency),
        "metadata": {"refund_id": asked.object_id, "payment_id": payment["payment_id"]},
    }
    return of_refund(_post(payment, "refunds", form, asked.object_id))


def refunds(payment: Mapping[str, Any], of: str) -> list[Fact]:
    """All refunds Stripe knows of one of our payments, dashboard ones included."""
    return [fact for made in _every(payment, "refunds", {"payment_intent": of}) for fact in of_refund(made)]


def cancel(payment: Mapping[str, Any]) -> list[Fact]:
    """Let nobody pay this any more, and let go what is held. Refused when the money is on its way."""
    reference, now = payment["provider_ref"], int(clock.source())
    if reference.startswith("cs_"):
        session = _get(payment, f"checkout/sessions/{reference}")
        if session["status"] == "open":
            closed = _post(payment, f"checkout/sessions/{reference}/expire", {}, f"{payment['payment_id']}.x")
            return of_session(closed, now)
        reference = session["payment_intent"]
    return of_intent(_post(payment, f"payment_intents/{reference}/cancel", {}, f"{payment['payment_id']}.c"), now)


def _intent_of(payment: Mapping[str, Any]) -> str:
    reference = str(payment["provider_ref"])
    if reference.startswith("cs_"):
        return str(_get(payment, f"checkout/sessions/{reference}")["payment_intent"])
    return reference


# ------------------------------------------------------------------------------------- what Stripe says, as facts


def of_event(item: Mapping[str, Any]) -> tuple[str | None, list[Fact]]:
    """Our payment id, if the stored event names it, and the facts it states."""
    thing, at, kind = item["object"], item["created"], item["type"]
    payment_id = thing.get("metadata", {}).get("payment_id")
    match kind.split(".")[0]:
        case "payment_intent":
            return payment_id, of_intent(thing, at)
        case "refund":
            return payment_id, of_refund(thing | {"created": at})
        case "checkout":
            return payment_id, of_session(thing | {"currency": ""}, at)
    return payment_id, of_dispute(thing, at, _FUNDS.get(kind))


def payment_id_of(item: Mapping[str, Any]) -> str | None:
    """Our payment id of an event about a refund or dispute that somebody made in Stripe's dashboard."""
    intent = item["object"].get("payment_intent")
    if not intent:
        return None
    made = _get({"account": item["account"]}, f"payment_intents/{intent}")
    found: str | None = made.get("metadata", {}).get("payment_id")
    return found


def of_intent(intent: Mapping[str, Any], at: int) -> list[Fact]:
    """A PaymentIntent: what was received counts, never what was asked for."""
    of, status = intent["id"], intent["status"]
    received, currency = from_stripe(intent.get("amount_received", 0), intent["currency"])
    capturable, _ = from_stripe(intent.get("amount_capturable", 0), intent["currency"])
    found = []
    if received:
        found.append(ledger.capture(of, of, "succeeded", at, received, currency, last=status == "succeeded"))
    if status == "requires_capture":
        found.append(ledger.attempt(of, "authorized", at, currency, capturable + received))
    elif status == "processing":
        found.append(ledger.attempt(of, "pending", at, currency))
    elif status == "canceled":
        found.append(ledger.attempt(of, "canceled", at, currency))
    elif status == "requires_payment_method" and intent.get("last_payment_error"):
        found.append(ledger.attempt(of, "failed", at, currency))
    return found


def of_session(session: Mapping[str, Any], at: int) -> list[Fact]:
    """A Checkout Session says only that its page is closed; what was paid, its PaymentIntent says."""
    if session["status"] != "expired":
        return []
    return [ledger.attempt(session["id"], "expired", at, session.get("currency", "").upper())]


def of_refund(made: Mapping[str, Any]) -> list[Fact]:
    """A refund, under our id if we asked for it."""
    amount, currency = from_stripe(made["amount"], made["currency"])
    name = made.get("metadata", {}).get("refund_id") or made["id"]
    status = _REFUNDS.get(made["status"], "pending")
    of = made.get("payment_intent") or ""
    return [ledger.refund(name, of, status, made["created"], amount, currency, ref=made["id"])]


def of_dispute(made: Mapping[str, Any], at: int, moved: str | None) -> list[Fact]:
    """A dispute. `moved` says how its money moved, if that is what is told: the status does not say it."""
    amount, currency = from_stripe(made["amount"], made["currency"])
    status = moved or _DISPUTES.get(made["status"], "opened")
    return [ledger.chargeback(made["id"], made.get("payment_intent") or "", status, at, amount, currency)]


def _moved(dispute: Mapping[str, Any]) -> str | None:
    """How a dispute's money moved so far, from its balance transactions; None if its status says more."""
    total = sum(each["amount"] for each in dispute["balance_transactions"])
    if dispute["status"] == "won":
        return "reinstated" if dispute["balance_transactions"] and total >= 0 else None
    return "withdrawn" if total < 0 and dispute["status"] not in _DISPUTES else None


# ------------------------------------------------------------------------------------- the wire


def _post(payment: Mapping[str, Any], path: str, form: Mapping[str, Any], key: str) -> dict[str, Any]:
    headers = _headers(payment) | {"Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": key}
    return exchange.call("POST", f"{_base()}/v1/{path}", headers, urlencode(list(_flat(form))).encode())


def _get(payment: Mapping[str, Any], path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
    asked = f"?{urlencode(list(_flat(query)))}" if query else ""
    found = exchange.call("GET", f"{_base()}/v1/{path}{asked}", _headers(payment))
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
