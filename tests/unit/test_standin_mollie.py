"""The stand-in Mollie keeps Mollie's rules: a client that passes here speaks the real protocol."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from infra.local.providers.mollie import Mollie
from infra.local.providers.wire import random_ids
from tests.unit.standins import HOOK, Client, Clock, mollie

BODY = {
    "description": "Order 7",
    "amount": {"currency": "EUR", "value": "24.95"},
    "redirectUrl": "https://shop.example/back",
    "webhookUrl": HOOK,
    "method": "ideal",
    "metadata": {"payment_id": "p1"},
}
HOLD = {**BODY, "method": "creditcard", "captureMode": "manual"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Client:
    return mollie(clock)


def paid(client: Client, **more: object) -> dict:
    payment = client.ok("POST", "/v2/payments", {**BODY, **more})
    done = client.ok("POST", "/_test/pay", {"id": payment["id"]})
    client.webhooks()
    return done


def refund(value: str) -> dict:
    return {"amount": {"currency": "EUR", "value": value}, "description": "Returned"}


# paying


def test_a_payment_is_open_until_the_shopper_paid_and_only_then_told(client: Client) -> None:
    # GIVEN a payment
    payment = client.ok("POST", "/v2/payments", BODY)
    assert (payment["status"], payment["amount"]) == ("open", {"currency": "EUR", "value": "24.95"})
    assert payment["metadata"] == {"payment_id": "p1"}
    assert client.webhooks() == []
    # WHEN the shopper opens the checkout page and pays
    page = payment["_links"]["checkout"]["href"].removeprefix("https://mollie.test")
    assert b"EUR 24.95" in client.raw("GET", page)[2]
    status, headers, _ = client.raw("POST", page, b"do=pay")
    # THEN the browser goes back, and the shop is told the id and nothing else
    assert (status, headers["Location"]) == (303, "https://shop.example/back")
    [delivery] = client.provider.due(client.clock.now)
    assert (delivery.url, delivery.body) == (HOOK, f"id={payment['id']}".encode())
    assert delivery.headers["Content-Type"] == "application/x-www-form-urlencoded"
    done = client.ok("GET", f"/v2/payments/{payment['id']}")
    assert (done["status"], done["amountRemaining"]["value"]) == ("paid", "24.95")
    assert "checkout" not in done["_links"]


@pytest.mark.parametrize(
    ("door", "status"), [("pay", "paid"), ("fail", "failed"), ("cancel", "canceled"), ("expire", "expired")]
)
def test_every_end_is_told_and_final(client: Client, door: str, status: str) -> None:
    payment = client.ok("POST", "/v2/payments", BODY)
    assert client.ok("POST", f"/_test/{door}", {"id": payment["id"]})["status"] == status
    assert client.webhooks() == [payment["id"]]
    assert client.json("POST", "/_test/pay", {"id": payment["id"]})[0] == 422
    assert client.webhooks() == []


def test_pending_is_not_told(client: Client) -> None:
    payment = client.ok("POST", "/v2/payments", BODY)
    assert client.ok("POST", "/_test/pending", {"id": payment["id"]})["status"] == "pending"
    assert client.webhooks() == []
    client.ok("POST", "/_test/pay", {"id": payment["id"]})
    assert client.webhooks() == [payment["id"]]


def test_an_unpaid_payment_expires_by_itself(client: Client, clock: Clock) -> None:
    payment = client.ok("POST", "/v2/payments", BODY)
    clock.later(15 * 60 + 1)
    assert client.webhooks() == [payment["id"]]
    assert client.ok("GET", f"/v2/payments/{payment['id']}")["status"] == "expired"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": None}, "amount"),
        ({"amount": {"currency": "EUR", "value": 24.95}}, "amount.value"),
        ({"amount": {"currency": "EUR", "value": "24.9"}}, "amount.value"),
        ({"amount": {"currency": "EUR", "value": "24.950"}}, "amount.value"),
        ({"amount": {"currency": "EUR", "value": "-1.00"}}, "amount.value"),
        ({"amount": {"currency": "EUR", "value": "0.00"}}, "amount.value"),
        ({"amount": {"currency": "JPY", "value": "500.00"}, "method": "creditcard"}, "amount.value"),
        ({"amount": {"currency": "XXX", "value": "1.00"}}, "amount.currency"),
        ({"amount": {"currency": "GBP", "value": "1.00"}}, "amount.currency"),
        ({"description": ""}, "description"),
        ({"redirectUrl": None}, "redirectUrl"),
        ({"webhookUrl": "shop.example"}, "webhookUrl"),
        ({"method": "cheque"}, "method"),
        ({"captureMode": "manual"}, "captureMode"),
        ({"method": "pointofsale", "terminalId": "term_x"}, "terminalId"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_request_mollie_would_refuse_is_refused(client: Client, change: dict, field: str) -> None:
    status, reply = client.json("POST", "/v2/payments", {**BODY, **change})
    assert (status, reply["status"], reply["title"], reply["field"]) == (422, 422, "Unprocessable Entity", field)
    assert reply["_links"]["documentation"]["href"]
    assert client.ok("GET", "/v2/payments")["count"] == 0


def test_yen_have_no_decimals(client: Client) -> None:
    amount = {"currency": "JPY", "value": "500"}
    payment = client.ok("POST", "/v2/payments", {**BODY, "method": "creditcard", "amount": amount})
    assert payment["amount"] == amount
    assert client.ok("GET", "/_test/books")["payments"][0]["amount"] == 500


def test_unknown_things_and_keys(client: Client) -> None:
    assert client.json("GET", "/v2/payments/tr_nobody")[0] == 404
    assert client.json("PATCH", "/v2/payments")[0] == 405
    assert client.raw("POST", "/v2/payments", b"{broken")[0] == 400
    client.key = "live_1"
    status, reply = client.json("GET", "/v2/payments")
    assert (status, reply["title"]) == (401, "Unauthorized Request")


def test_cancelling_depends_on_the_method(client: Client) -> None:
    bank = client.ok("POST", "/v2/payments", BODY)
    assert bank["isCancelable"] is False
    assert client.json("DELETE", f"/v2/payments/{bank['id']}")[0] == 422
    transfer = client.ok("POST", "/v2/payments", {**BODY, "method": "banktransfer"})
    assert client.ok("DELETE", f"/v2/payments/{transfer['id']}")["status"] == "canceled"
    assert client.webhooks() == [transfer["id"]]


def test_a_qr_code_comes_when_asked_for(client: Client) -> None:
    assert "details" not in client.ok("POST", "/v2/payments", BODY)
    payment = client.ok("POST", "/v2/payments?include=details.qrCode", BODY)
    source = payment["details"]["qrCode"]["src"]
    status, headers, picture = client.raw("GET", source.removeprefix("https://mollie.test"))
    assert (status, headers["Content-Type"]) == (200, "image/svg+xml")
    assert picture.startswith(b"<svg")


# refunds


def test_a_refund_is_told_when_it_is_processed_and_when_it_arrived(client: Client, clock: Clock) -> None:
    payment = paid(client)
    made = client.ok("POST", f"/v2/payments/{payment['id']}/refunds", refund("5.00"))
    assert (made["status"], made["settlementAmount"]["value"]) == ("pending", "-5.00")
    assert client.webhooks() == []
    states = []
    for _ in range(2):
        clock.later(3)
        assert client.webhooks() == [payment["id"]]
        states.append(client.ok("GET", f"/v2/payments/{payment['id']}/refunds/{made['id']}")["status"])
    assert states == ["processing", "refunded"]
    shown = client.ok("GET", f"/v2/payments/{payment['id']}?embed=refunds")
    assert (shown["amountRefunded"]["value"], shown["amountRemaining"]["value"]) == ("5.00", "19.95")
    assert [one["id"] for one in shown["_embedded"]["refunds"]] == [made["id"]]


def test_refunds_never_exceed_what_was_paid(client: Client) -> None:
    payment = paid(client)
    path = f"/v2/payments/{payment['id']}/refunds"
    client.ok("POST", path, refund("20.00"))
    status, reply = client.json("POST", path, refund("4.96"))
    assert (status, reply["field"]) == (422, "amount.value")
    client.ok("POST", path, refund("4.95"))
    assert client.json("POST", path, refund("0.01"))[0] == 422
    unpaid = client.ok("POST", "/v2/payments", BODY)
    assert client.json("POST", f"/v2/payments/{unpaid['id']}/refunds", refund("1.00"))[0] == 422


def test_the_same_amount_again_within_the_hour_is_taken_for_a_mistake(client: Client, clock: Clock) -> None:
    payment = paid(client)
    path = f"/v2/payments/{payment['id']}/refunds"
    client.ok("POST", path, refund("5.00"), key="a")
    status, reply = client.json("POST", path, refund("5.00"), key="b")
    assert (status, reply["detail"]) == (409, "A duplicate refund has been detected")
    clock.later(3601)
    assert client.json("POST", path, refund("5.00"), key="c")[0] == 201


@pytest.mark.parametrize("missing", ["amount", "description"])
def test_a_refund_needs_its_fields(client: Client, missing: str) -> None:
    body = {name: value for name, value in refund("1.00").items() if name != missing}
    status, reply = client.json("POST", f"/v2/payments/{paid(client)['id']}/refunds", body)
    assert (status, reply["field"]) == (422, missing)


def test_a_refund_can_be_cancelled_before_and_can_fail_after(client: Client) -> None:
    payment = paid(client)
    path = f"/v2/payments/{payment['id']}/refunds"
    one = client.ok("POST", path, refund("24.95"))
    assert client.json("DELETE", f"{path}/{one['id']}")[0] == 204
    two = client.ok("POST", path, refund("24.95"))
    client.ok("POST", "/_test/refunds/settle", {"id": two["id"]})
    assert client.json("DELETE", f"{path}/{two['id']}")[0] == 422
    client.webhooks()
    assert client.ok("POST", "/_test/refunds/fail", {"id": two["id"]})["status"] == "failed"
    assert client.webhooks() == [payment["id"]]
    assert client.ok("GET", "/_test/books")["totals"]["EUR"]["refunded"] == 0


# holds, chargebacks, links, terminals


def test_a_hold_is_captured_in_parts(client: Client, clock: Clock) -> None:
    payment = client.ok("POST", "/v2/payments", HOLD)
    held = client.ok("POST", "/_test/pay", {"id": payment["id"]})
    assert (held["status"], held["amountCaptured"]["value"]) == ("authorized", "0.00")
    assert held["captureBefore"]
    path = f"/v2/payments/{payment['id']}/captures"
    client.ok("POST", path, {"amount": {"currency": "EUR", "value": "20.00"}})
    assert client.json("POST", path, {"amount": {"currency": "EUR", "value": "4.96"}})[0] == 422
    clock.later(3)
    client.webhooks()
    shown = client.ok("GET", f"/v2/payments/{payment['id']}?embed=captures")
    assert (shown["status"], shown["amountCaptured"]["value"], shown["amountRemaining"]["value"]) == (
        "paid",
        "20.00",
        "20.00",
    )
    assert shown["_embedded"]["captures"][0]["status"] == "succeeded"
    # WHEN the rest is released
    assert client.json("POST", f"/v2/payments/{payment['id']}/release-authorization")[0] == 202
    assert client.json("POST", path, {})[0] == 422
    assert client.ok("GET", "/_test/books")["totals"]["EUR"]["captured"] == 2000


def test_a_hold_is_released_whole_or_expires(client: Client, clock: Clock) -> None:
    released, left = (client.ok("POST", "/v2/payments", HOLD)["id"] for _ in range(2))
    for one in (released, left):
        client.ok("POST", "/_test/pay", {"id": one})
    client.webhooks()
    client.json("POST", f"/v2/payments/{released}/release-authorization")
    clock.later(7 * 86400 + 1)
    assert client.webhooks() == [released, left]
    assert client.ok("GET", f"/v2/payments/{released}")["status"] == "canceled"
    assert client.ok("GET", f"/v2/payments/{left}")["status"] == "expired"


def test_a_chargeback_takes_the_money_and_can_be_reversed(client: Client) -> None:
    payment = paid(client)
    back = client.ok("POST", "/_test/disputes/open", {"id": payment["id"]})
    assert client.webhooks() == [payment["id"]]
    shown = client.ok("GET", f"/v2/payments/{payment['id']}?embed=chargebacks")
    assert (shown["status"], shown["amountChargedBack"]["value"]) == ("paid", "24.95")
    assert shown["_embedded"]["chargebacks"][0]["reversedAt"] is None
    assert client.json("POST", f"/v2/payments/{payment['id']}/refunds", refund("1.00"))[0] == 422
    client.ok("POST", "/_test/disputes/close", {"id": back["id"], "won": True})
    assert client.webhooks() == [payment["id"]]
    assert client.ok("GET", f"/v2/payments/{payment['id']}/chargebacks/{back['id']}")["reversedAt"]


def test_a_payment_link_makes_a_payment_when_it_is_used(client: Client) -> None:
    wanted = {name: BODY[name] for name in ("description", "amount", "redirectUrl", "webhookUrl")}
    link = client.ok("POST", "/v2/payment-links", wanted)
    page = link["_links"]["paymentLink"]["href"].removeprefix("https://mollie.test")
    assert client.raw("GET", page)[0] == 200
    assert client.ok("GET", f"/v2/payment-links/{link['id']}/payments")["count"] == 0
    client.raw("POST", page, b"do=fail")
    client.raw("POST", page, b"do=pay")
    made = client.ok("GET", f"/v2/payment-links/{link['id']}/payments")["_embedded"]["payments"]
    assert [one["status"] for one in made] == ["paid", "failed"]
    assert client.webhooks() == [made[1]["id"], made[0]["id"]]
    assert client.ok("GET", f"/v2/payment-links/{link['id']}")["paidAt"]
    # AND a paid link takes no second payment
    client.raw("POST", page, b"do=pay")
    assert client.ok("GET", f"/v2/payment-links/{link['id']}/payments")["count"] == 2


def test_a_terminal_payment_has_no_checkout_page_for_the_shopper(client: Client) -> None:
    [terminal] = client.ok("GET", "/v2/terminals")["_embedded"]["terminals"]
    wanted = {**BODY, "method": "pointofsale", "terminalId": terminal["id"]}
    del wanted["redirectUrl"]
    payment = client.ok("POST", "/v2/payments", wanted)
    assert "checkout" not in payment["_links"]
    page = payment["_links"]["changePaymentState"]["href"].removeprefix("https://mollie.test")
    status, _, html = client.raw("POST", page, b"do=pay")
    assert status == 200
    assert b"Paid" in html
    assert client.webhooks() == [payment["id"]]


# keys, lists, retries, state


def test_the_same_key_answers_as_the_first_time_and_a_refusal_is_not_kept(client: Client) -> None:
    first, again = (client.ok("POST", "/v2/payments", BODY, key="k") for _ in range(2))
    assert first == again
    assert client.json("POST", "/v2/payments", {**BODY, "description": ""}, key="fixed")[0] == 422
    assert client.json("POST", "/v2/payments", BODY, key="fixed")[0] == 201
    assert client.ok("GET", "/v2/payments")["count"] == 2


def test_lists_are_paged_newest_first(client: Client) -> None:
    made = [client.ok("POST", "/v2/payments", BODY)["id"] for _ in range(3)]
    page = client.ok("GET", "/v2/payments?limit=2")
    assert [one["id"] for one in page["_embedded"]["payments"]] == [made[2], made[1]]
    following = page["_links"]["next"]["href"].removeprefix("https://mollie.test")
    rest = client.ok("GET", following)
    assert [one["id"] for one in rest["_embedded"]["payments"]] == [made[0]]
    assert rest["_links"]["next"] is None
    assert client.json("GET", "/v2/payments?limit=251")[0] == 400


def test_a_webhook_is_tried_ten_times_over_about_a_day(client: Client, clock: Clock) -> None:
    payment = client.ok("POST", "/v2/payments", BODY)
    client.ok("POST", "/_test/pay", {"id": payment["id"]})
    began, attempts = clock.now, 0
    while (due := client.provider.outbox.next_due()) is not None:
        clock.now = max(clock.now, due)
        attempts += len(client.webhooks(500))
    assert attempts == 10
    assert 25 * 3600 < clock.now - began < 27 * 3600


def test_everything_survives_a_restart(client: Client, clock: Clock) -> None:
    payment = paid(client)
    client.ok("POST", f"/v2/payments/{payment['id']}/refunds", refund("5.00"), key="k")
    saved = json.loads(json.dumps(client.provider.dump()))
    fresh = Mollie("test_1", clock, random_ids())
    fresh.load(saved)
    again = Client(fresh, clock, "test_1")
    assert again.ok("GET", "/_test/books") == client.ok("GET", "/_test/books")
    again.ok("POST", f"/v2/payments/{payment['id']}/refunds", refund("5.00"), key="k")
    clock.later(3)
    assert again.webhooks() == [payment["id"]]
    assert again.ok("GET", "/v2/refunds")["count"] == 1


def signed(client: Client) -> list[dict]:
    """The signed events that are delivered now."""
    told = []
    for delivery in client.provider.due(client.clock.now):
        client.provider.delivered(delivery, 200)
        if "X-Mollie-Signature" in delivery.headers:
            seal = hmac.new(b"whs", delivery.body, hashlib.sha256).hexdigest()
            assert delivery.headers["X-Mollie-Signature"] == f"sha256={seal}"
            told.append(json.loads(delivery.body))
    return told


@pytest.mark.parametrize("simple", [False, True])
def test_a_subscriber_is_told_by_signed_events(client: Client, clock: Clock, simple: bool) -> None:
    client.ok("POST", "/_test/subscribe", {"url": HOOK, "secret": "whs", "simple": simple})
    payment = client.ok("POST", "/v2/payments", BODY)
    client.ok("POST", "/_test/pay", {"id": payment["id"]})
    made = client.ok("POST", f"/v2/payments/{payment['id']}/refunds", refund("1.00"))
    client.ok("POST", "/_test/refunds/settle", {"id": made["id"]})
    back = client.ok("POST", "/_test/disputes/open", {"id": payment["id"], "amount": 200, "fee": 50})
    client.ok("POST", "/_test/disputes/close", {"id": back["id"], "won": True})
    events = signed(client)
    types = ["payment.paid", "refund.processing", "refund.refunded", "chargeback.received", "chargeback.reversed"]
    assert [event["type"] for event in events] == types
    assert [event["entityId"] for event in events] == [payment["id"], *[made["id"]] * 2, *[back["id"]] * 2]
    assert events[1]["_links"]["entity"]["href"].endswith(f"/v2/payments/{payment['id']}/refunds/{made['id']}")
    assert ["_embedded" in event for event in events] == [not simple] * 5
    if not simple:
        assert events[3]["_embedded"]["entity"]["settlementAmount"]["value"] == "-2.50"
    client.ok("POST", "/_test/subscribe", {"url": None})
    paid(client)
    assert not signed(client)


def test_a_subscriber_hears_what_it_asked_for(client: Client) -> None:
    client.ok("POST", "/_test/subscribe", {"url": HOOK, "secret": "whs", "events": ["payment-link.paid", "refund.*"]})
    link = client.ok("POST", "/v2/payment-links", {"description": "x", "amount": {"currency": "EUR", "value": "9.00"}})
    client.ok("POST", "/_test/pay", {"id": link["id"]})
    (event,) = signed(client)
    assert (event["type"], event["entityId"]) == ("payment-link.paid", link["id"])


def test_chargebacks_are_listed_across_payments_and_lists_link_to_their_next_page(client: Client) -> None:
    ids = []
    for _ in range(3):
        payment = paid(client)
        ids.append(client.ok("POST", "/_test/disputes/open", {"id": payment["id"]})["id"])
    first = client.ok("GET", "/v2/chargebacks?limit=2")
    assert [one["id"] for one in first["_embedded"]["chargebacks"]] == ids[:0:-1]
    following = first["_links"]["next"]["href"].partition("/v2/")[2]
    second = client.ok("GET", f"/v2/{following}")
    assert [one["id"] for one in second["_embedded"]["chargebacks"]] == ids[:1]
    assert second["_links"]["next"] is None


def test_a_fault_can_say_anything(client: Client) -> None:
    answer = {"status": 422, "field": "amount"}
    client.ok("POST", "/_test/faults", {"status": 422, "match": "POST /v2/payments", "when": "after", "answer": answer})
    body = {"description": "x", "redirectUrl": HOOK, "amount": {"currency": "EUR", "value": "9.00"}}
    assert client.json("POST", "/v2/payments", body) == (422, answer)
    assert client.ok("GET", "/v2/payments")["count"] == 1
