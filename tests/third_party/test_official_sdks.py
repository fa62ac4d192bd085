"""The official SDKs of Stripe and Mollie work against the stand-ins over HTTP, webhooks included.

They are not development dependencies (36 and 25 MB): ``pip install stripe mollie-api-py`` to run this tier.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_sdk"
pytestmark = pytest.mark.third_party


@pytest.fixture(scope="module")
def hook() -> Iterator[tuple[str, Queue]]:
    """A shop that keeps its webhooks."""
    seen: Queue = Queue()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.put((body, self.headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", seen
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def urls(hook: tuple[str, Queue], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The stand-ins in a process of their own."""
    ports = ["--stripe-port", "0", "--mollie-port", "0", "--issuer-port", "0"]
    keys = ["--stripe-key", "sk_test_sdk", "--mollie-key", "test_sdk", "--stripe-webhook-secret", SECRET]
    more = ["--state", str(tmp_path_factory.mktemp("providers")), "--stripe-webhook", hook[0], "--refund-delay", "0.05"]
    command = [sys.executable, "-m", "infra.local.providers.server", *ports, *keys, *more]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.communicate(timeout=5)


@pytest.fixture
def stripe(urls: dict[str, str]) -> Any:
    sdk = pytest.importorskip("stripe", reason="the official Stripe SDK is not installed (pip install stripe)")
    sdk.api_key, sdk.api_base, sdk.max_network_retries = "sk_test_sdk", urls["stripe"], 0
    return sdk


@pytest.fixture
def mollie(urls: dict[str, str]) -> Any:
    reason = "the official Mollie SDK is not installed (pip install mollie-api-py)"
    sdk = pytest.importorskip("mollie", reason=reason)
    models = pytest.importorskip("mollie.models", reason=reason)
    return sdk.ClientSDK(server_url=urls["mollie"], security=models.Security(api_key="test_sdk"))


def events(stripe: Any, seen: Queue, last: str) -> list[str]:
    """The types of the webhooks up to ``last``, each accepted by the SDK's own verification."""
    types: list[str] = []
    while last not in types:
        body, headers = seen.get(timeout=5)
        types.append(stripe.Webhook.construct_event(body, headers["Stripe-Signature"], SECRET).type)
    return types


def test_stripe_payment_refund_and_webhooks(stripe: Any, hook: tuple[str, Queue]) -> None:
    # WHEN the SDK creates, confirms and refunds a payment
    intent = stripe.PaymentIntent.create(
        amount=4999, currency="eur", automatic_payment_methods={"enabled": True}, metadata={"order": "7"}
    )
    done = stripe.PaymentIntent.confirm(intent.id, payment_method="pm_card_visa", expand=["latest_charge"])
    refund = stripe.Refund.create(payment_intent=intent.id, amount=999)
    # THEN it understands every answer
    assert (done.status, done.amount_received, done.latest_charge.amount_captured) == ("succeeded", 4999, 4999)
    assert (refund.status, refund.amount) == ("succeeded", 999)
    assert stripe.Charge.retrieve(done.latest_charge.id).amount_refunded == 999
    assert [one.id for one in stripe.Refund.list(payment_intent=intent.id).auto_paging_iter()] == [refund.id]
    # AND accepts the webhooks
    types = events(stripe, hook[1], "refund.created")
    assert {"payment_intent.created", "payment_intent.succeeded", "charge.succeeded", "charge.refunded"} <= set(types)
    assert {one.type for one in stripe.Event.list(limit=100).auto_paging_iter()} >= set(types)


def test_stripe_errors_become_the_sdks_errors(stripe: Any) -> None:
    with pytest.raises(stripe.CardError) as declined:
        stripe.PaymentIntent.create(amount=500, currency="eur", payment_method="pm_card_chargeDeclined", confirm=True)
    assert declined.value.code == "card_declined"
    with pytest.raises(stripe.InvalidRequestError):
        stripe.PaymentIntent.create(amount=1, currency="eur")
    stripe.PaymentIntent.create(amount=500, currency="eur", idempotency_key="k")
    with pytest.raises(stripe.IdempotencyError):
        stripe.PaymentIntent.create(amount=501, currency="eur", idempotency_key="k")
    with pytest.raises(stripe.AuthenticationError):
        stripe.PaymentIntent.list(api_key="sk_test_wrong")


def test_stripe_holds_sessions_and_terminals(stripe: Any) -> None:
    held = stripe.PaymentIntent.create(
        amount=2000,
        currency="eur",
        payment_method="pm_card_visa",
        capture_method="manual",
        confirm=True,
        payment_method_types=["card"],
    )
    assert stripe.PaymentIntent.capture(held.id, amount_to_capture=1500).amount_received == 1500
    line = {"price_data": {"currency": "eur", "unit_amount": 750, "product_data": {"name": "Socks"}}, "quantity": 2}
    session = stripe.checkout.Session.create(mode="payment", success_url="https://shop.example", line_items=[line])
    assert (session.amount_total, session.status) == (1500, "open")
    assert stripe.checkout.Session.expire(session.id).status == "expired"
    reader = stripe.terminal.Reader.list().data[0]
    tap = stripe.PaymentIntent.create(amount=700, currency="eur", payment_method_types=["card_present"])
    stripe.terminal.Reader.process_payment_intent(reader.id, payment_intent=tap.id)
    shown = stripe.terminal.Reader.TestHelpers.present_payment_method(reader.id)
    assert shown.action.status == "succeeded"
    assert stripe.PaymentIntent.retrieve(tap.id).status == "succeeded"
    endpoint = stripe.WebhookEndpoint.create(url="https://shop.example/w", enabled_events=["charge.failed"])
    assert endpoint.secret.startswith("whsec_")
    stripe.WebhookEndpoint.delete(endpoint.id)


def test_mollie_payment_capture_and_refund(mollie: Any, urls: dict[str, str]) -> None:
    import urllib.request

    def door(name: str, asked: dict) -> None:
        request = urllib.request.Request(f"{urls['mollie']}/_test/{name}", json.dumps(asked).encode())
        urllib.request.urlopen(request, timeout=5).close()

    # WHEN the SDK creates a payment, the shopper pays, and it is refunded
    wanted = {
        "description": "Order 7",
        "amount": {"currency": "EUR", "value": "24.95"},
        "redirect_url": "https://shop.example/back",
        "method": "creditcard",
        "capture_mode": "manual",
    }
    payment = mollie.payments.create(idempotency_key="3f1c0e1f-0001", payment_request=wanted)
    assert payment.status == "open"
    door("pay", {"id": payment.id})
    held = mollie.payments.get(payment_id=payment.id)
    assert held.status == "authorized"
    capture = mollie.captures.create(
        payment_id=payment.id, entity_capture={"amount": {"currency": "EUR", "value": "20.00"}}
    )
    assert capture.status == "pending"
    paid = held
    for _ in range(200):
        paid = mollie.payments.get(payment_id=payment.id)
        if paid.status == "paid":
            break
    refund = mollie.refunds.create(
        payment_id=payment.id,
        refund_request={"description": "Returned", "amount": {"currency": "EUR", "value": "5.00"}},
    )
    # THEN it understands every answer
    assert (paid.status, paid.amount_captured.value, refund.status) == ("paid", "20.00", "pending")
    shown = mollie.payments.get(payment_id=payment.id, embed="refunds,captures,chargebacks")
    assert (shown.amount_refunded.value, shown.amount_remaining.value) == ("5.00", "15.00")
    assert mollie.refunds.list(payment_id=payment.id).result.embedded.refunds[0].id == refund.id
    assert mollie.payments.list().result.embedded.payments[0].id == payment.id
    link = mollie.payment_links.create(
        request_body={"description": "Order 8", "amount": {"currency": "EUR", "value": "1.00"}}
    )
    assert link.links.payment_link.href.startswith(urls["mollie"])


def test_mollie_errors_become_the_sdks_errors(mollie: Any) -> None:
    from mollie import models

    with pytest.raises(models.ErrorResponse) as refused:
        mollie.payments.get(payment_id="tr_5B8cwPMGnU6qLbRvo7qEZo")
    assert refused.value.data.status == 404
    assert "No payment exists" in refused.value.data.detail
    wanted = {"description": "x", "amount": {"currency": "EUR", "value": "1.0"}, "redirect_url": "https://shop.example"}
    with pytest.raises(models.ErrorResponse) as refused:
        mollie.payments.create(payment_request=wanted)
    assert (refused.value.data.status, refused.value.data.field) == (422, "amount.value")
