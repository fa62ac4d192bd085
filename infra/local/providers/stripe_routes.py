"""Which function answers which request of the stand-in Stripe."""

from __future__ import annotations

from collections.abc import Callable

from . import stripe_checkout as checkout
from . import stripe_endpoints as endpoints
from . import stripe_intents as intents
from . import stripe_money as money
from . import stripe_terminal as terminal
from .stripe_account import Account
from .stripe_methods import new_method
from .wire import Json

ID = r"([A-Za-z0-9_]+)"
Call = Callable[..., Json]


def _reads(kind: str, param: str = "id") -> Call:
    return lambda account, thing_id, params: account.get(kind, thing_id, param)


def _lists(kind: str, url: str, *filters: str) -> Call:
    def call(account: Account, params: Json) -> Json:
        wanted = {name: params[name] for name in filters if name in params}
        return account.page(kind, url, params, lambda one: all(one.get(k) == v for k, v in wanted.items()))

    return call


ROUTES: list[tuple[str, str, Call]] = [
    ("POST", "/v1/payment_intents", intents.create),
    ("GET", "/v1/payment_intents", _lists("payment_intent", "/v1/payment_intents", "customer")),
    ("GET", f"/v1/payment_intents/{ID}", _reads("payment_intent", "intent")),
    ("POST", f"/v1/payment_intents/{ID}", intents.update),
    ("POST", f"/v1/payment_intents/{ID}/confirm", intents.confirm),
    ("POST", f"/v1/payment_intents/{ID}/capture", intents.capture),
    ("POST", f"/v1/payment_intents/{ID}/cancel", intents.cancel),
    ("GET", "/v1/charges", _lists("charge", "/v1/charges", "payment_intent", "customer")),
    ("GET", f"/v1/charges/{ID}", _reads("charge")),
    ("POST", "/v1/refunds", money.create_refund),
    ("GET", "/v1/refunds", _lists("refund", "/v1/refunds", "payment_intent", "charge")),
    ("GET", f"/v1/refunds/{ID}", _reads("refund")),
    ("GET", "/v1/disputes", _lists("dispute", "/v1/disputes", "payment_intent", "charge")),
    ("GET", f"/v1/disputes/{ID}", _reads("dispute")),
    ("POST", f"/v1/disputes/{ID}/close", lambda account, name, params: money.close_dispute(account, name, won=False)),
    ("POST", "/v1/payment_methods", new_method),
    ("GET", f"/v1/payment_methods/{ID}", _reads("payment_method")),
    ("POST", "/v1/checkout/sessions", checkout.create),
    ("GET", "/v1/checkout/sessions", _lists("checkout.session", "/v1/checkout/sessions", "payment_intent", "status")),
    ("GET", f"/v1/checkout/sessions/{ID}", _reads("checkout.session")),
    (
        "GET",
        f"/v1/checkout/sessions/{ID}/line_items",
        lambda account, name, params: checkout.line_items(account, name),
    ),
    ("POST", f"/v1/checkout/sessions/{ID}/expire", lambda account, name, params: checkout.expire(account, name)),
    ("GET", "/v1/events", endpoints.events),
    ("GET", f"/v1/events/{ID}", _reads("event")),
    ("POST", "/v1/webhook_endpoints", endpoints.create),
    ("GET", "/v1/webhook_endpoints", _lists("webhook_endpoint", "/v1/webhook_endpoints")),
    ("GET", f"/v1/webhook_endpoints/{ID}", _reads("webhook_endpoint")),
    ("DELETE", f"/v1/webhook_endpoints/{ID}", endpoints.delete),
    ("POST", "/v1/terminal/readers", terminal.register),
    ("GET", "/v1/terminal/readers", _lists("terminal.reader", "/v1/terminal/readers", "location", "status")),
    ("GET", f"/v1/terminal/readers/{ID}", _reads("terminal.reader")),
    ("POST", f"/v1/terminal/readers/{ID}/process_payment_intent", terminal.process),
    (
        "POST",
        f"/v1/terminal/readers/{ID}/cancel_action",
        lambda account, name, params: terminal.cancel_action(account, name),
    ),
    ("POST", f"/v1/test_helpers/terminal/readers/{ID}/present_payment_method", terminal.present),
    ("GET", "/v1/balance_transactions", _lists("balance_transaction", "/v1/balance_transactions", "type", "source")),
    ("GET", f"/v1/balance_transactions/{ID}", _reads("balance_transaction")),
]
