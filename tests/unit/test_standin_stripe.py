"""The stand-in Stripe keeps Stripe's rules: a client that passes here speaks the real protocol."""

from __future__ import annotations

import base64
import json

import pytest

from infra.local.providers.stripe import Stripe
from infra.local.providers.wire import random_ids
from tests.unit.standins import HOOK, Client, Clock, genuine, stripe

PAY = {"amount": 4999, "currency": "eur", "payment_method": "pm_card_visa", "confirm": "true"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Client:
    return stripe(clock)


def ideal(client: Client, **more: object) -> dict:
    wanted = {"amount": 2500, "currency": "eur", "payment_method_types[]": "ideal", "confirm": "true"}
    wanted |= {"payment_method_data[type]": "ideal", "return_url": "https://shop.example/back?order=7"}
    return client.ok("POST", "/v1/payment_intents", {**wanted, **more})


def held(client: Client, amount: int = 1000) -> dict:
    return client.ok("POST", "/v1/payment_intents", {**PAY, "amount": amount, "capture_method": "manual"})


# paying


def test_a_card_payment_is_captured_and_told_in_order(client: Client) -> None:
    # WHEN a card is charged in one request
    intent = client.ok("POST", "/v1/payment_intents", {**PAY, "metadata[payment_id]": "p1"}, key="k1")
    # THEN the money is received, the charge can be read, and the webhooks say so
    assert (intent["status"], intent["amount_received"], intent["metadata"]) == (
        "succeeded",
        4999,
        {"payment_id": "p1"},
    )
    charge = client.ok("GET", f"/v1/charges/{intent['latest_charge']}")
    assert (charge["amount_captured"], charge["paid"], charge["payment_intent"]) == (4999, True, intent["id"])
    events = client.webhooks()
    assert [one["type"] for one in events] == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
    last = events[-1]
    assert (last["object"], last["livemode"], last["request"]["idempotency_key"]) == ("event", False, "k1")
    assert last["data"]["object"]["amount_received"] == 4999
    assert last["id"].startswith("evt_")
    assert last["api_version"]


def test_an_event_shows_its_object_as_it_was_then(client: Client) -> None:
    # GIVEN a payment that was refunded before its webhooks were delivered
    intent = client.ok("POST", "/v1/payment_intents", PAY)
    client.ok("POST", "/v1/refunds", {"payment_intent": intent["id"]})
    # THEN the earlier event still shows the charge without the refund
    events = {one["type"]: one["data"]["object"] for one in client.webhooks()}
    assert events["charge.succeeded"]["amount_refunded"] == 0
    assert events["charge.refunded"]["amount_refunded"] == 4999
    listed = client.ok("GET", "/v1/events?type=charge.succeeded")["data"]
    assert [one["data"]["object"]["amount_refunded"] for one in listed] == [0]


@pytest.mark.parametrize("method", ["pm_card_chargeDeclined", "pm_card_visa_chargeDeclinedInsufficientFunds"])
def test_a_declined_card_is_a_402_and_can_be_tried_again(client: Client, method: str) -> None:
    # WHEN a card is declined
    status, reply = client.json("POST", "/v1/payment_intents", {**PAY, "payment_method": method})
    # THEN the error carries the payment intent, which waits for another card
    assert (status, reply["error"]["type"], reply["error"]["code"]) == (402, "card_error", "card_declined")
    intent = reply["error"]["payment_intent"]
    assert (intent["status"], intent["payment_method"]) == ("requires_payment_method", None)
    assert client.types() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    again = client.ok("POST", f"/v1/payment_intents/{intent['id']}/confirm", {"payment_method": "pm_card_visa"})
    assert again["status"] == "succeeded"


def test_ideal_goes_over_the_hosted_page_and_back(client: Client) -> None:
    # GIVEN an iDEAL payment
    intent = ideal(client, description="Order 7 & <more>")
    assert intent["status"] == "requires_action"
    page = intent["next_action"]["redirect_to_url"]["url"].removeprefix("https://stripe.test")
    # WHEN the shopper opens the page and pays
    status, headers, html = client.raw("GET", page)
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert b"EUR 25.00" in html
    assert b"Order 7 &amp; &lt;more&gt;" in html
    status, headers, _ = client.raw("POST", page, b"do=pay")
    # THEN the browser goes back to the shop and the payment succeeded
    assert status == 303
    assert headers["Location"].startswith(f"https://shop.example/back?order=7&payment_intent={intent['id']}&")
    assert headers["Location"].endswith("redirect_status=succeeded")
    assert client.types()[-2:] == ["charge.succeeded", "payment_intent.succeeded"]
    # AND a second press changes nothing
    client.raw("POST", page, b"do=fail")
    assert client.ok("GET", f"/v1/payment_intents/{intent['id']}")["status"] == "succeeded"


@pytest.mark.parametrize("button", ["fail", "cancel", "expire"])
def test_an_abandoned_ideal_payment_is_not_the_end_of_the_intent(client: Client, button: str) -> None:
    intent = ideal(client)
    _, headers, _ = client.raw("POST", f"/pay/{intent['id']}", f"do={button}".encode())
    assert headers["Location"].endswith("redirect_status=failed")
    assert client.ok("GET", f"/v1/payment_intents/{intent['id']}")["status"] == "requires_payment_method"
    assert client.types()[-1] == "payment_intent.payment_failed"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"amount": ""}, "amount"),
        ({"amount": "12.50"}, "amount"),
        ({"amount": 49}, "amount"),
        ({"amount": 100_000_000}, "amount"),
        ({"currency": "euro"}, "currency"),
        ({"colour": "red"}, "colour"),
        ({"payment_method": "pm_nobody"}, "payment_method"),
        ({"payment_method_types[]": "cheque"}, "payment_method_types"),
        ({"payment_method_types[]": "ideal", "currency": "gbp"}, "currency"),
        ({"payment_method_types[]": "ideal", "capture_method": "manual"}, "capture_method"),
    ],
)
def test_a_request_stripe_would_refuse_is_refused(client: Client, change: dict, param: str) -> None:
    status, reply = client.json("POST", "/v1/payment_intents", {**PAY, **change})
    assert (status, reply["error"]["type"], reply["error"]["param"]) == (400, "invalid_request_error", param)
    assert client.ok("GET", "/v1/payment_intents")["data"] == []
    assert client.webhooks() == []


# holding, capturing, cancelling


def test_a_hold_is_captured_in_part_and_the_rest_is_released(client: Client) -> None:
    intent = held(client)
    assert (intent["status"], intent["amount_capturable"], intent["amount_received"]) == ("requires_capture", 1000, 0)
    assert client.types()[-1] == "payment_intent.amount_capturable_updated"
    # WHEN 700 of 1000 are captured
    done = client.ok("POST", f"/v1/payment_intents/{intent['id']}/capture", {"amount_to_capture": 700})
    # THEN 700 were received, the rest shows as refunded on the charge, and only 700 can be refunded
    assert (done["status"], done["amount_received"], done["amount_capturable"]) == ("succeeded", 700, 0)
    assert client.types() == ["charge.captured", "charge.refunded", "payment_intent.succeeded"]
    status, _ = client.json("POST", "/v1/refunds", {"payment_intent": intent["id"], "amount": 701})
    assert status == 400
    assert client.ok("POST", "/v1/refunds", {"payment_intent": intent["id"]})["amount"] == 700
    books = client.ok("GET", "/_test/books")
    assert books["totals"]["EUR"]["captured"] == books["totals"]["EUR"]["refunded"] == 700


def test_more_than_was_held_is_never_captured(client: Client) -> None:
    intent = held(client)
    status, reply = client.json("POST", f"/v1/payment_intents/{intent['id']}/capture", {"amount_to_capture": 1001})
    assert (status, reply["error"]["code"]) == (400, "amount_too_large")


def test_a_hold_that_is_never_captured_expires(client: Client, clock: Clock) -> None:
    intent = held(client)
    client.webhooks()
    clock.later(7 * 86400 + 1)
    assert client.ok("GET", f"/v1/payment_intents/{intent['id']}")["status"] == "canceled"
    assert client.types() == ["charge.expired", "charge.refunded", "payment_intent.canceled"]


def test_what_is_paid_cannot_be_cancelled_and_what_is_cancelled_cannot_be_paid(client: Client) -> None:
    paid = client.ok("POST", "/v1/payment_intents", PAY)
    status, reply = client.json("POST", f"/v1/payment_intents/{paid['id']}/cancel")
    assert (status, reply["error"]["code"]) == (400, "payment_intent_unexpected_state")
    assert reply["error"]["payment_intent"]["status"] == "succeeded"
    dropped = ideal(client)
    client.ok("POST", f"/v1/payment_intents/{dropped['id']}/cancel", {"cancellation_reason": "abandoned"})
    assert client.types()[-1] == "payment_intent.canceled"
    client.raw("POST", f"/pay/{dropped['id']}", b"do=pay")
    assert client.ok("GET", f"/v1/payment_intents/{dropped['id']}")["amount_received"] == 0


# refunds and disputes


def test_refunds_never_exceed_what_was_captured(client: Client) -> None:
    intent = client.ok("POST", "/v1/payment_intents", PAY)
    refund = client.ok("POST", "/v1/refunds", {"payment_intent": intent["id"], "amount": 1999})
    assert (refund["status"], refund["charge"]) == ("succeeded", intent["latest_charge"])
    status, reply = client.json("POST", "/v1/refunds", {"payment_intent": intent["id"], "amount": 3001})
    assert (status, reply["error"]["param"]) == (400, "amount")
    client.ok("POST", "/v1/refunds", {"charge": intent["latest_charge"], "amount": 3000})
    status, reply = client.json("POST", "/v1/refunds", {"payment_intent": intent["id"], "amount": 1})
    assert (status, reply["error"]["code"]) == (400, "charge_already_refunded")
    assert [one["amount"] for one in client.ok("GET", f"/v1/refunds?payment_intent={intent['id']}")["data"]] == [
        3000,
        1999,
    ]


def test_an_ideal_refund_is_pending_first_and_a_failed_one_gives_the_money_back(client: Client, clock: Clock) -> None:
    intent = ideal(client)
    client.ok("POST", "/_test/pay", {"id": intent["id"]})
    refund = client.ok("POST", "/v1/refunds", {"payment_intent": intent["id"]})
    assert refund["status"] == "pending"
    client.webhooks()
    # WHEN time passes
    clock.later(5)
    # THEN it has succeeded
    assert client.types() == ["refund.updated", "charge.refund.updated"]
    # WHEN the bank sends it back afterwards
    client.ok("POST", "/_test/refunds/fail", {"id": refund["id"]})
    # THEN the money is ours again and can be refunded again
    assert client.types() == ["refund.failed", "refund.updated", "charge.refund.updated"]
    assert client.ok("GET", "/_test/books")["totals"]["EUR"]["refunded"] == 0
    assert client.ok("POST", "/v1/refunds", {"payment_intent": intent["id"]})["amount"] == 2500


def test_a_dispute_takes_the_money_and_a_won_one_returns_it(client: Client) -> None:
    intent = client.ok("POST", "/v1/payment_intents", PAY)
    client.webhooks()
    dispute = client.ok("POST", "/_test/disputes/open", {"id": intent["id"]})
    assert client.types() == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert client.ok("GET", "/_test/books")["totals"]["EUR"]["charged_back"] == 4999
    status, reply = client.json("POST", "/v1/refunds", {"payment_intent": intent["id"]})
    assert (status, reply["error"]["code"]) == (400, "charge_disputed")
    client.ok("POST", "/_test/disputes/close", {"id": dispute["id"], "won": True})
    assert client.types() == ["charge.dispute.closed", "charge.dispute.funds_reinstated"]
    assert client.ok("GET", "/_test/books")["totals"]["EUR"]["charged_back"] == 0
    assert {one["type"] for one in client.ok("GET", "/v1/balance_transactions")["data"]} == {"charge", "adjustment"}


# checkout sessions and terminals


def session(client: Client, **more: object) -> dict:
    line = "line_items[0]"
    wanted = {
        "mode": "payment",
        "success_url": "https://shop.example/ok?s={CHECKOUT_SESSION_ID}",
        f"{line}[quantity]": 2,
    }
    wanted |= {f"{line}[price_data][currency]": "eur", f"{line}[price_data][unit_amount]": 750}
    wanted |= {
        f"{line}[price_data][product_data][name]": "Wool socks",
        "payment_intent_data[metadata][payment_id]": "p9",
    }
    return client.ok("POST", "/v1/checkout/sessions", {**wanted, **more})


def test_a_checkout_session_is_paid_on_its_page(client: Client) -> None:
    made = session(client)
    assert (made["amount_total"], made["payment_status"], made["payment_intent"]) == (1500, "unpaid", None)
    page = made["url"].removeprefix("https://stripe.test")
    assert b"Wool socks" in client.raw("GET", page)[2]
    # WHEN the first attempt fails and the second pays
    client.raw("POST", page, b"do=fail")
    assert client.ok("GET", f"/v1/checkout/sessions/{made['id']}")["status"] == "open"
    _, headers, _ = client.raw("POST", page, b"do=pay")
    # THEN it is one payment intent with the metadata it was given
    assert headers["Location"] == f"https://shop.example/ok?s={made['id']}"
    done = client.ok("GET", f"/v1/checkout/sessions/{made['id']}?expand[]=payment_intent")
    assert (done["status"], done["payment_status"]) == ("complete", "paid")
    assert (done["payment_intent"]["amount_received"], done["payment_intent"]["metadata"]) == (
        1500,
        {"payment_id": "p9"},
    )
    assert client.types() == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_a_checkout_session_expires_by_itself_or_when_told(client: Client, clock: Clock) -> None:
    late, told = session(client), session(client)
    client.ok("POST", f"/v1/checkout/sessions/{told['id']}/expire")
    assert client.json("POST", f"/v1/checkout/sessions/{told['id']}/expire")[0] == 400
    clock.later(86401)
    assert client.ok("GET", f"/v1/checkout/sessions/{late['id']}")["status"] == "expired"
    assert client.types() == ["checkout.session.expired"] * 2


def test_a_terminal_takes_a_card_and_does_one_thing_at_a_time(client: Client) -> None:
    reader = client.ok("GET", "/v1/terminal/readers")["data"][0]["id"]
    wanted = {"amount": 1200, "currency": "eur", "payment_method_types[]": "card_present", "capture_method": "manual"}
    intent = client.ok("POST", "/v1/payment_intents", wanted)
    process = f"/v1/terminal/readers/{reader}/process_payment_intent"
    assert client.ok("POST", process, {"payment_intent": intent["id"]})["action"]["status"] == "in_progress"
    status, reply = client.json("POST", process, {"payment_intent": intent["id"]})
    assert (status, reply["error"]["code"]) == (400, "terminal_reader_busy")
    client.ok("POST", f"/v1/test_helpers/terminal/readers/{reader}/present_payment_method")
    assert client.ok("GET", f"/v1/payment_intents/{intent['id']}")["status"] == "requires_capture"
    assert client.types()[-1] == "terminal.reader.action_succeeded"


# keys, idempotency, lists


def test_keys_are_asked_for(client: Client) -> None:
    client.key = "sk_test_other"
    assert client.json("GET", "/v1/payment_intents")[0] == 401
    basic = base64.b64encode(b"sk_test_1:").decode()
    assert client.raw("GET", "/v1/payment_intents", headers={"Authorization": f"Basic {basic}"})[0] == 200


def test_a_browser_confirms_its_own_payment_only(client: Client) -> None:
    intent = client.ok("POST", "/v1/payment_intents", {"amount": 500, "currency": "eur"})
    client.key = "pk_test_1"
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    card = {"payment_method": "pm_card_visa"}
    assert client.json("POST", path, {**card, "client_secret": "guess"})[0] == 401
    assert client.ok("POST", path, {**card, "client_secret": intent["client_secret"]})["status"] == "succeeded"
    assert client.json("POST", "/v1/refunds", {"payment_intent": intent["id"]})[0] == 401


def test_the_same_key_pays_once(client: Client) -> None:
    first = client.raw("POST", "/v1/payment_intents", b"amount=500&currency=eur", {"Idempotency-Key": "k"})
    again = client.raw("POST", "/v1/payment_intents", b"amount=500&currency=eur", {"Idempotency-Key": "k"})
    assert first[2] == again[2]
    assert "Idempotent-Replayed" not in first[1]
    assert again[1]["Idempotent-Replayed"] == "true"
    assert len(client.ok("GET", "/v1/payment_intents")["data"]) == 1


@pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/refunds"])
def test_the_same_key_for_something_else_is_an_error(client: Client, path: str) -> None:
    client.ok("POST", "/v1/payment_intents", {"amount": 500, "currency": "eur"}, key="k")
    status, reply = client.json("POST", path, {"amount": 501, "currency": "eur"}, key="k")
    assert (status, reply["error"]["type"]) == (400, "idempotency_error")


def test_a_decline_is_replayed_but_a_typing_mistake_is_not(client: Client, clock: Clock) -> None:
    declined = {**PAY, "payment_method": "pm_card_chargeDeclined"}
    answers = [client.json("POST", "/v1/payment_intents", declined, key="k") for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 402
    assert client.json("POST", "/v1/payment_intents", {"amount": 500}, key="fixed")[0] == 400
    assert client.json("POST", "/v1/payment_intents", {"amount": 500, "currency": "eur"}, key="fixed")[0] == 200
    # AND after a day a key is forgotten
    clock.later(86401)
    assert client.json("POST", "/v1/payment_intents", declined, key="k")[1] != answers[0][1]


def test_lists_are_paged_newest_first(client: Client, clock: Clock) -> None:
    made = []
    for _ in range(5):
        made.append(client.ok("POST", "/v1/payment_intents", {"amount": 500, "currency": "eur"})["id"])
        clock.later(10)
    page = client.ok("GET", "/v1/payment_intents?limit=2")
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([made[4], made[3]], True)
    rest = client.ok("GET", f"/v1/payment_intents?limit=10&starting_after={made[3]}")
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([made[2], made[1], made[0]], False)
    before = client.ok("GET", f"/v1/payment_intents?limit=1&ending_before={made[2]}")
    assert ([one["id"] for one in before["data"]], before["has_more"]) == ([made[3]], True)
    recent = client.ok("GET", f"/v1/payment_intents?created[gte]={int(clock.now) - 25}")
    assert [one["id"] for one in recent["data"]] == [made[4], made[3]]
    assert client.json("GET", "/v1/payment_intents?limit=0")[0] == 400


def test_expanding_replaces_the_id(client: Client) -> None:
    intent = client.ok("POST", "/v1/payment_intents", {**PAY, "expand[]": "latest_charge"})
    assert intent["latest_charge"]["object"] == "charge"
    listed = client.ok("GET", "/v1/payment_intents?expand[]=data.latest_charge")
    assert listed["data"][0]["latest_charge"]["id"] == intent["latest_charge"]["id"]
    assert client.json("GET", f"/v1/payment_intents/{intent['id']}?expand[]=amount")[0] == 400


# webhooks


def test_every_secret_signs_and_a_retry_is_signed_anew(clock: Clock) -> None:
    client = stripe(clock, "whsec_new", "whsec_old")
    client.ok("POST", "/v1/payment_intents", {"amount": 500, "currency": "eur"})
    # GIVEN a shop that is down
    [first] = client.provider.due(clock.now)
    sent = first.headers["Stripe-Signature"]
    assert genuine(first.body, sent, "whsec_new", clock.now)
    assert genuine(first.body, sent, "whsec_old", clock.now)
    assert not genuine(first.body, sent, "whsec_guess", clock.now)
    client.provider.delivered(first, 503)
    # THEN nothing is tried before its time, and the retry carries a fresh time that verifies
    assert client.provider.due(clock.now + 59) == []
    clock.later(600)
    [second] = client.provider.due(clock.now)
    assert (second.attempt, second.body) == (2, first.body)
    assert not genuine(second.body, sent, "whsec_new", clock.now)
    assert genuine(second.body, second.headers["Stripe-Signature"], "whsec_new", clock.now)


@pytest.mark.parametrize("status", [0, 302, 401, 500])
def test_an_event_counts_as_delivered_only_after_a_2xx(client: Client, clock: Clock, status: int) -> None:
    client.ok("POST", "/v1/payment_intents", {"amount": 500, "currency": "eur"})
    client.webhooks(status)
    [missed] = client.ok("GET", "/v1/events?delivery_success=false")["data"]
    assert (missed["type"], missed["pending_webhooks"]) == ("payment_intent.created", 1)
    clock.later(61)
    client.webhooks(204)
    assert client.ok("GET", "/v1/events?delivery_success=false")["data"] == []
    assert client.ok("GET", f"/v1/events/{missed['id']}")["pending_webhooks"] == 0


def test_retries_end(client: Client, clock: Clock) -> None:
    client.ok("POST", "/v1/payment_intents", {"amount": 500, "currency": "eur"})
    attempts = 0
    while client.provider.next_due() is not None and attempts < 100:
        clock.now = max(clock.now, client.provider.next_due() or 0)
        attempts += len(client.webhooks(500))
    assert attempts == 12
    assert len(client.provider.outbox.given_up) == 1
    assert client.ok("GET", "/v1/events?delivery_success=false")["data"] != []


def test_events_are_listed_by_type(client: Client) -> None:
    client.ok("POST", "/v1/payment_intents", PAY)
    found = client.ok("GET", "/v1/events?types[]=charge.*&types[]=payment_intent.succeeded")["data"]
    assert [one["type"] for one in found] == ["payment_intent.succeeded", "charge.succeeded"]


def test_an_endpoint_gets_what_it_asked_for_signed_with_its_own_secret(clock: Clock) -> None:
    client = stripe(clock, hook=None)
    wanted = {"url": "https://other.example/w", "enabled_events[]": "payment_intent.succeeded"}
    made = client.ok("POST", "/v1/webhook_endpoints", wanted)
    client.ok("POST", "/v1/payment_intents", PAY)
    [delivery] = client.provider.due(clock.now)
    assert delivery.url == "https://other.example/w"
    assert genuine(delivery.body, delivery.headers["Stripe-Signature"], made["secret"], clock.now)
    listed = client.ok("GET", "/v1/webhook_endpoints")["data"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert "secret" not in listed[0]
    client.ok("DELETE", f"/v1/webhook_endpoints/{made['id']}")
    client.ok("POST", "/v1/payment_intents", PAY)
    assert len(client.provider.outbox) == 1


# state and doors


def test_everything_survives_a_restart(client: Client, clock: Clock) -> None:
    # GIVEN a payment with a pending refund, an undelivered webhook and a used key
    intent = ideal(client)
    client.ok("POST", "/_test/pay", {"id": intent["id"]})
    client.ok("POST", "/v1/refunds", {"payment_intent": intent["id"]}, key="k")
    # WHEN the state goes through JSON into a new one
    saved = json.loads(json.dumps(client.provider.dump()))
    fresh = Stripe("sk_test_1", ("whsec_1",), clock, random_ids(), webhook_url=HOOK)
    fresh.load(saved)
    again = Client(fresh, clock, "sk_test_1")
    # THEN it goes on where it was
    assert again.raw("POST", "/v1/refunds", f"payment_intent={intent['id']}".encode(), {"Idempotency-Key": "k"})[1][
        "Idempotent-Replayed"
    ]
    told = [one["type"] for one in again.webhooks()]
    assert told[-2:] == ["charge.refunded", "refund.created"]
    assert again.ok("GET", "/_test/books") == client.ok("GET", "/_test/books")
    clock.later(5)
    assert again.types() == ["refund.updated", "charge.refund.updated"]


def test_the_same_seed_is_the_same_run(clock: Clock) -> None:
    runs = []
    for _ in range(2):
        client = stripe(clock)
        client.ok("POST", "/v1/payment_intents", PAY)
        runs.append(client.webhooks())
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("door", "asked"),
    [("pay", {}), ("pay", {"id": "pi_nobody"}), ("refunds/fail", {"id": "re_nobody"}), ("nowhere", {"id": "x"})],
)
def test_a_door_refuses_what_it_does_not_know(client: Client, door: str, asked: dict) -> None:
    assert client.json("POST", f"/_test/{door}", asked)[0] in (400, 404)


def test_a_capture_leaves_its_metadata_on_the_intent_a_refused_one_none(client: Client) -> None:
    intent = held(client)
    status, _ = client.json(
        "POST", f"/v1/payment_intents/{intent['id']}/capture", {"amount_to_capture": 2000, "metadata[capture_id]": "no"}
    )
    assert status == 400
    taken = client.ok(
        "POST", f"/v1/payment_intents/{intent['id']}/capture", {"amount_to_capture": 400, "metadata[capture_id]": "c-1"}
    )
    assert (taken["amount_received"], taken["metadata"]["capture_id"]) == (400, "c-1")


def test_events_can_leave_out_what_the_api_still_says(client: Client) -> None:
    intent = held(client)
    client.ok("POST", f"/v1/payment_intents/{intent['id']}/capture")
    client.webhooks()
    client.ok("POST", "/_test/events/shape", {"refund": {"status": None, "payment_intent": None}})
    made = client.ok("POST", "/v1/refunds", {"payment_intent": intent["id"], "amount": 100})
    assert (made["status"], made["payment_intent"]) == ("succeeded", intent["id"])
    (shown,) = [event["data"]["object"] for event in client.webhooks() if event["type"] == "refund.created"]
    assert (shown["status"], shown["payment_intent"], shown["charge"]) == (None, None, made["charge"])
    client.ok("POST", "/_test/events/shape", {})
    client.ok("POST", "/v1/refunds", {"payment_intent": intent["id"], "amount": 100})
    assert all(event["data"]["object"].get("status") for event in client.webhooks())


def test_a_fault_can_say_anything(client: Client) -> None:
    answer = {"error": {"type": "invalid_request_error", "code": "lock_timeout"}}
    client.ok("POST", "/_test/faults", {"status": 409, "match": "POST /v1", "when": "after", "answer": answer})
    assert client.json("POST", "/v1/payment_intents", {"amount": 100, "currency": "eur"}) == (409, answer)
    assert len(client.ok("GET", "/v1/payment_intents")["data"]) == 1
    assert client.json("POST", "/_test/faults", {"answer": "text"})[0] == 400


def test_an_endpoint_can_listen_to_some_events_only(client: Client) -> None:
    client.ok("POST", "/_test/listen", {"url": HOOK, "events": ["payment_intent.amount_capturable_updated"]})
    held(client)
    assert client.types() == ["payment_intent.amount_capturable_updated"]
