"""Starting a payment: what a shopper gets to pay with, what is refused, and what a lost answer leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.providers.stripe_endpoints import WORTH_SENDING
from tests.faults.shopper import ordered
from tests.journey.payments_shop import CUSTOMER, ORDER, PAGE, Till, open_till
from tests.world import World
from tests.world.doctor_hook import violations
from tests.world.world import PUBLIC_URL


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def made(till: Till, provider: str, kind: str) -> list[dict[str, Any]]:
    """What the provider has of a kind."""
    return list(till.world.providers[provider].standin.account.objects[kind].values())


# ------------------------------------------------------------------------------------------------- paid


def test_a_stripe_payment_is_captured_once_its_webhook_was_worked_off(till: Till) -> None:
    # GIVEN a payment that was started
    world = till.world
    answer = till.start()
    assert answer.status == 201, answer
    payment_id = answer.json["payment_id"]
    assert answer.json["client_secret"].startswith("pi_")
    assert answer.json["amount"] == {"amount": 5000, "currency": "EUR"}
    # WHEN the shopper pays
    world.providers["stripe"].door("pay", id=till.payment(payment_id)["provider_ref"])
    world.settle()
    # THEN the books say so, and so does the bus
    assert till.payment(payment_id)["status"] == "captured"
    assert till.ledger() == [("capture", 5000)]
    assert till.told() == ["payment.captured"]
    assert world.events("payment.captured")[0]["data"]["captured"] == 5000
    assert "due" in till.payment(payment_id), "until its order has counted it"
    assert not world.failures


def test_the_hosted_page_of_stripe(till: Till) -> None:
    answer = till.start(return_url=PAGE)
    assert "/c/pay/cs_" in answer.json["redirect_url"]
    till.world.providers["stripe"].door("pay", id=till.payment(answer.json["payment_id"])["provider_ref"])
    till.world.settle()
    assert till.payment(answer.json["payment_id"])["status"] == "captured"


@pytest.mark.parametrize("method", ["online", "qr", "link"])
def test_a_mollie_payment_is_captured_after_it_was_fetched(till: Till, method: str) -> None:
    answer = till.start(provider="mollie", method=method, return_url=PAGE)
    assert answer.status == 201, answer
    shown = {"online": "redirect_url", "qr": "qr", "link": "link"}[method]
    assert answer.json[shown].startswith("https://mollie.test/")
    till.world.providers["mollie"].door("pay", id=till.payment(answer.json["payment_id"])["provider_ref"])
    till.world.settle()
    assert till.payment(answer.json["payment_id"])["status"] == "captured"
    assert till.ledger() == [("capture", 5000)]
    assert till.told() == ["payment.captured"]
    assert not till.world.failures


def test_a_link_of_stripe_can_be_sent_to_somebody(till: Till) -> None:
    answer = till.start(till.staff, method="link", return_url=PAGE)
    assert "/c/pay/cs_" in answer.json["link"]


def test_cash_is_captured_at_once_by_staff(till: Till) -> None:
    answer = till.start(till.staff, provider="cash", method="cash", key="drawer")
    till.world.settle()
    assert (answer.status, answer.json["status"]) == (201, "captured")
    assert till.ledger() == [("capture", 5000)]
    assert till.told() == ["payment.captured"]
    again = till.start(till.staff, provider="cash", method="cash", key="drawer")
    assert (again.json, again.headers["idempotent-replayed"]) == (answer.json, "true")
    assert till.ledger() == [("capture", 5000)]


def test_several_tenders_make_up_one_order(till: Till) -> None:
    first = till.start(till.staff, provider="cash", method="cash", amount={"amount": 2000, "currency": "EUR"})
    second = till.start()
    assert (first.json["amount"]["amount"], second.json["amount"]["amount"]) == (2000, 3000)
    third = till.start(till.staff, provider="cash", method="cash", amount={"amount": 3001, "currency": "EUR"})
    assert third.status == 409
    assert third.json["type"] == "/problems/amount-not-open"
    assert third.json["open"] == {"amount": 3000, "currency": "EUR"}


def test_a_payment_that_stops_half_way_can_be_tried_again_on_the_same_page(till: Till) -> None:
    """A declined card is no end: the same PaymentIntent is paid with another one."""
    answer = till.start()
    reference = till.payment(answer.json["payment_id"])["provider_ref"]
    till.world.providers["stripe"].door("fail", id=reference, reason="insufficient_funds")
    till.world.settle()
    assert till.payment(answer.json["payment_id"])["status"] == "failed"
    till.world.providers["stripe"].door("pay", id=reference, payment_method="pm_card_visa")
    till.world.settle()
    assert till.payment(answer.json["payment_id"])["status"] == "captured"
    assert till.told() == ["payment.failed", "payment.captured"]


@pytest.mark.parametrize(
    ("provider", "door", "status"),
    [
        ("mollie", "fail", "failed"),
        ("mollie", "cancel", "canceled"),
        ("mollie", "expire", "expired"),
        ("stripe", "expire", "expired"),
        ("stripe", "fail", "failed"),
    ],
)
def test_an_attempt_that_ends_is_told_and_the_order_can_be_paid_otherwise(
    till: Till, provider: str, door: str, status: str
) -> None:
    payment_id = till.start(provider=provider, return_url=PAGE).json["payment_id"]
    till.world.providers[provider].door(door, id=till.payment(payment_id)["provider_ref"])
    till.world.settle()
    assert till.payment(payment_id)["status"] == status
    assert [event["data"]["status"] for event in till.world.events("payment.failed")] == [status]
    assert till.start().json["amount"]["amount"] == 5000


# ------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("asked", "status", "problem"),
    [
        ({"provider": "paypal"}, 422, "validation"),
        ({"method": "barter"}, 422, "validation"),
        ({"method": "terminal"}, 422, "method-not-supported"),
        ({"method": "gift_card"}, 422, "method-not-supported"),
        ({"method": "qr"}, 422, "method-not-supported"),
        ({"method": "cash"}, 403, "forbidden"),
        ({"provider": "cash"}, 422, "method-not-supported"),
        ({"provider": "mollie"}, 422, "validation"),
        ({"method": "link"}, 422, "validation"),
        ({"account": "nobody"}, 403, "forbidden"),
        ({"account": "default"}, 403, "forbidden"),
        ({"account": "../tokens"}, 422, "validation"),
        ({"amount": {"amount": 0, "currency": "EUR"}}, 422, "validation"),
        ({"amount": {"amount": -1, "currency": "EUR"}}, 422, "validation"),
        ({"amount": {"amount": 1.5, "currency": "EUR"}}, 422, "validation"),
        ({"amount": {"amount": 100, "currency": "USD"}}, 422, "validation"),
        ({"amount": {"amount": 100, "currency": "XXX"}}, 422, "validation"),
        ({"amount": {"amount": 5001, "currency": "EUR"}}, 409, "amount-not-open"),
        ({"return_url": "javascript:alert(1)"}, 422, "validation"),
        ({"return_url": "https://shop.test/\r\nX: y"}, 422, "validation"),
        ({"return_url": "//shop.test"}, 422, "validation"),
        ({"card_number": "4242424242424242"}, 422, "validation"),
    ],
)
def test_what_cannot_be_started(till: Till, asked: dict[str, Any], status: int, problem: str) -> None:
    before = till.world.items("PaymentsTable")
    answer = till.start(**asked)
    assert (answer.status, answer.json["type"]) == (status, f"/problems/{problem}"), answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert till.world.items("PaymentsTable") == before
    assert "4242424242424242" not in answer.body.decode()
    assert not [call for call in till.world.calls if call.kind == "http" and "stripe" in call.service]


def test_only_the_owner_and_staff_with_the_scope_may_pay(till: Till) -> None:
    world = till.world
    stranger = world.token("customer", sub="0190a1b2-0000-7000-8000-000000000002")
    assert till.start(stranger).status == 404
    assert till.start(world.token("staff", scopes="orders:read")).status == 403
    assert (
        world.call("POST", f"/orders/{ORDER}/payments", json={"provider": "stripe", "method": "online"}).status == 401
    )
    assert Till(world, order_id="NOSUCHORDER0").start(till.customer).status == 404
    assert Till(world, order_id="%23%23").start(till.customer).status in (404, 422)
    assert till.start(world.token("device")).status == 201


def test_an_order_that_ended_takes_no_payments(till: Till) -> None:
    till.close()
    answer = till.start()
    assert (answer.status, answer.json["type"]) == (409, "/problems/order-not-payable")


def test_the_idempotency_key(till: Till) -> None:
    world, path = till.world, f"/orders/{ORDER}/payments"
    body = {"provider": "stripe", "method": "online"}
    assert world.call("POST", path, till.customer, json=body).json["type"] == "/problems/idempotency-key-missing"
    first, again = till.start(key="one"), till.start(key="one")
    assert again.json == first.json
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = till.start(key="one", amount={"amount": 100, "currency": "EUR"})
    assert (other.status, other.json["type"]) == (422, "/problems/idempotency-key-reused")
    assert len(made(till, "stripe", "payment_intent")) == 1


def test_a_repeat_answers_as_the_first_time_even_after_it_was_paid(till: Till) -> None:
    first = till.start(provider="mollie", return_url=PAGE, key="one")
    till.world.providers["mollie"].door("pay", id=till.payment(first.json["payment_id"])["provider_ref"])
    till.world.settle()
    assert till.start(provider="mollie", return_url=PAGE, key="one").json == first.json


def test_what_the_provider_refuses_is_told_with_its_code(till: Till) -> None:
    small = {"amount": {"amount": 10, "currency": "EUR"}}
    answer = till.start(key="one", **small)
    assert (answer.status, answer.json["type"]) == (422, "/problems/payment-refused")
    assert answer.json["code"] == "amount_too_small"
    assert till.start(key="one", **small).json["code"] == "amount_too_small"
    till.world.settle()
    assert till.told() == ["payment.failed"]
    assert till.start().status == 201, "and the order can still be paid"


def test_a_currency_the_provider_cannot_take(world: World) -> None:
    till = open_till(world, total=5124, currency="KWD")
    answer = till.start()
    assert (answer.status, answer.json["code"]) == (422, "amount_not_payable")


def test_an_icelandic_order_is_not_charged_a_hundredth(world: World) -> None:
    till = open_till(world, total=5000, currency="ISK")
    assert till.start().status == 201
    assert made(till, "stripe", "payment_intent")[0]["amount"] == 500000


# ------------------------------------------------------------------------------------------------- no answer


def test_an_unreachable_provider_leaves_nothing_charged_and_a_retry_goes_on(till: Till) -> None:
    world = till.world
    stripe = world.outsiders.pop("api.stripe.com")
    answer = till.start(key="one")
    assert (answer.status, answer.json["type"]) == (503, "/problems/provider-unavailable")
    assert answer.headers["retry-after"]
    world.outsiders["api.stripe.com"] = stripe
    again = till.start(key="one")
    assert again.status == 201
    assert again.json["payment_id"] == answer.json["payment_id"]
    assert len(made(till, "stripe", "payment_intent")) == 1


@pytest.mark.parametrize("status", [0, 500])
@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_a_lost_answer_is_never_sent_again_under_another_key(till: Till, provider: str, status: int) -> None:
    # GIVEN a provider that does it, but does not say so
    asked = {"provider": provider, "return_url": PAGE, "key": "one"}
    till.world.providers[provider].door("faults", when="after", status=status)
    answer = till.start(**asked)
    assert answer.status == 503
    assert till.payment(answer.json["payment_id"])["status"] == "unknown"
    # WHEN the shopper tries again
    again = till.start(**asked)
    # THEN it is the same payment
    assert again.status == 201, again
    assert again.json["payment_id"] == answer.json["payment_id"]
    assert len(made(till, provider, "checkout.session" if provider == "stripe" else "payment")) == 1
    assert till.payment(answer.json["payment_id"])["status"] == "open"


@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_the_sweep_finds_what_became_of_a_lost_answer(till: Till, provider: str) -> None:
    till.world.providers[provider].door("faults", when="after", status=0)
    answer = till.start(provider=provider, return_url=PAGE)
    till.world.advance(120, tick=60)
    payment = till.payment(answer.json["payment_id"])
    assert payment["status"] == "open"
    assert payment["provider_ref"]


def test_a_start_that_never_arrived_is_given_up(till: Till) -> None:
    stripe = till.world.outsiders.pop("api.stripe.com")
    answer = till.start(key="one")
    till.world.outsiders["api.stripe.com"] = stripe
    till.world.advance(1500, tick=300)
    assert till.payment(answer.json["payment_id"])["status"] == "failed"
    assert "due" not in till.payment(answer.json["payment_id"])
    assert till.told() == ["payment.failed"]
    late = till.start(key="one")
    assert (late.status, late.json["code"]) == (422, "not_started")


def test_a_start_that_was_given_up_too_early_is_open_after_all(till: Till) -> None:
    """The provider takes so long that the sweep gives the start up; then it answers."""
    world = till.world
    provider = world.providers["mollie"]

    def slow(method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        if method == "POST":
            world.outsiders["api.mollie.com"] = provider.handle
            world.advance(660)
        return provider.handle(method, path, headers, body)

    world.outsiders["api.mollie.com"] = slow
    answer = till.start(provider="mollie", method="link")
    assert answer.status == 201
    payment = till.payment(answer.json["payment_id"])
    assert (payment["status"], "due" in payment, "refusal" in payment) == ("open", True, False)


def test_our_own_bad_key_is_not_the_shopper_s_fault(till: Till) -> None:
    till.world.aws.secret("/mandje/stripe/default", {"secret_key": "sk_test_wrong", "webhook_secrets": []})
    answer = till.start()
    assert answer.status == 503
    assert "sk_test_wrong" not in "".join(line.text for line in till.world.logs)


def test_a_webhook_may_be_quicker_than_the_answer(till: Till) -> None:
    # GIVEN a provider whose webhook is worked off before our request has its answer
    world = till.world
    provider = world.providers["stripe"]

    def quick(method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        answer = provider.handle(method, path, headers, body)
        if method == "POST" and path == "/v1/payment_intents":
            provider.door("pay", id=made(till, "stripe", "payment_intent")[0]["id"])
            world.settle()
        return answer

    world.outsiders["api.stripe.com"] = quick
    answer = till.start(key="one")
    world.settle()
    assert answer.status == 201
    payment = till.payment(answer.json["payment_id"])
    assert payment["status"] == "captured"
    assert payment["provider_ref"].startswith("pi_")
    assert till.told() == ["payment.captured"]
    assert till.start(key="one").json == answer.json


# ------------------------------------------------------------------------------------------------- another attempt


def test_another_attempt_takes_the_place_of_an_abandoned_one(till: Till) -> None:
    # GIVEN a shopper who went away from the page and chose another way to pay
    first, second = till.start(), till.start(return_url=PAGE)
    assert second.status == 201
    assert second.json["amount"] == first.json["amount"]
    # WHEN the clock comes round
    till.world.advance(61)
    # THEN the first one can be paid no more
    assert made(till, "stripe", "payment_intent")[0]["status"] == "canceled"
    assert till.payment(first.json["payment_id"])["status"] == "canceled"
    assert till.payment(second.json["payment_id"])["status"] == "open"


def test_what_may_not_be_paid_any_more_is_closed_at_the_provider(till: Till) -> None:
    started = [till.start(amount={"amount": 1000, "currency": "EUR"}, **more) for more in STARTS]
    till.close()
    till.world.advance(7200, tick=300)
    states = {till.payment(each.json["payment_id"])["status"] for each in started}
    assert states == {"canceled", "expired"}
    assert not [item for item in till.world.items("PaymentsTable") if "due" in item]
    assert all(link["archived"] for link in made(till, "mollie", "payment-link"))
    assert {each["status"] for each in made(till, "stripe", "checkout.session")} == {"expired"}
    assert set(till.told()) == {"payment.failed"}


STARTS: list[dict[str, Any]] = [
    {},
    {"return_url": PAGE},
    {"provider": "mollie", "return_url": PAGE},
    {"provider": "mollie", "method": "link"},
]


@pytest.mark.parametrize("kind", ["order.expired", "order.cancelled"])
def test_when_an_order_ends_its_open_payments_are_closed_within_a_minute(till: Till, kind: str) -> None:
    held = till.start(capture="manual", amount={"amount": 1000, "currency": "EUR"}).json["payment_id"]
    till.world.providers["stripe"].door("pay", id=till.payment(held)["provider_ref"])
    opened = till.start(return_url=PAGE).json["payment_id"]
    till.world.settle()
    till.close()
    till.order_event(kind, "order/x@3")
    till.world.settle()
    till.world.advance(61)
    assert (till.payment(held)["status"], till.payment(opened)["status"]) == ("canceled", "expired")
    assert not [item for item in till.world.items("PaymentsTable") if "due" in item]


def test_money_that_comes_all_the_same_is_recorded(till: Till) -> None:
    """The order ended while the shopper was paying: the fact counts, and checkout decides about it."""
    answer = till.start(provider="mollie", return_url=PAGE)
    till.close()
    till.world.providers["mollie"].door("pay", id=till.payment(answer.json["payment_id"])["provider_ref"])
    till.world.settle()
    assert till.told() == ["payment.captured"]


def test_a_webhook_that_never_comes_is_not_needed(till: Till) -> None:
    for name in ("stripe", "mollie"):
        till.world.providers[name].door("webhooks", drop=-1)
    started = [till.start(amount={"amount": 1000, "currency": "EUR"}, **more) for more in STARTS]
    for each in started:
        payment = till.payment(each.json["payment_id"])
        till.world.providers[payment["provider"]].door("pay", id=payment["provider_ref"])
    till.world.advance(1200, tick=300)
    assert {till.payment(each.json["payment_id"])["status"] for each in started} == {"captured"}
    assert sum(amount for _, amount in till.ledger()) == 4000


def test_an_order_that_is_paid_twice_gives_one_back(world: World) -> None:
    """Two pages were open, both were paid: the order is paid once, and the second payment goes back whole."""
    shopper, order_id = ordered(world)
    for key in ("one", "other"):
        payment_id = shopper.pay(order_id, "mollie", key=key)["payment_id"]
        (made,) = [
            each for each in world.items("PaymentsTable") if (each["pk"], each["sk"]) == (f"P#{payment_id}", "-")
        ]
        world.providers["mollie"].door("pay", id=made["provider_ref"])
    world.settle()
    world.advance(60, tick=10)
    payments = [item for item in world.items("PaymentsTable") if item["pk"].startswith("P#") and item["sk"] == "-"]
    assert sorted(payment["status"] for payment in payments) == ["captured", "refunded"]
    assert shopper.order(order_id)["state"] == "paid"
    assert not violations(world)


# ------------------------------------------------------------------------------------------------- held


def test_an_amount_is_held_and_taken(till: Till) -> None:
    answer = till.start(capture="manual")
    payment_id = answer.json["payment_id"]
    till.world.providers["stripe"].door("pay", id=till.payment(payment_id)["provider_ref"])
    till.world.settle()
    assert till.payment(payment_id)["authorized"] == 5000
    taken = till.capture(payment_id, 3000, key="c")
    assert (taken.status, taken.json["captured"]["amount"]) == (201, 3000), taken
    till.world.settle()
    assert till.told() == ["payment.authorized", "payment.captured"]
    assert till.payment(payment_id)["captured"] == 3000, "a part is not the whole"
    assert till.payment(payment_id)["authorized"] == 0, "and Stripe lets the rest go"
    again = till.capture(payment_id, 3000, key="c")
    assert (again.json, again.headers["idempotent-replayed"]) == (taken.json, "true")
    assert till.capture(payment_id, None).status == 409
    assert till.ledger() == [("capture", 3000)]


def test_mollie_takes_a_hold_in_parts(till: Till) -> None:
    payment_id = till.start(provider="mollie", return_url=PAGE, capture="manual").json["payment_id"]
    till.world.providers["mollie"].door("pay", id=till.payment(payment_id)["provider_ref"])
    till.world.settle()
    assert till.payment(payment_id)["status"] == "authorized"
    assert till.capture(payment_id, 3000).status == 201
    till.world.advance(61)
    assert till.payment(payment_id)["authorized"] == 2000
    assert till.capture(payment_id, 2001).json["authorized"] == {"amount": 2000, "currency": "EUR"}
    assert till.capture(payment_id, None).status == 201
    till.world.advance(61)
    assert (till.payment(payment_id)["captured"], till.payment(payment_id)["authorized"]) == (5000, 0)
    assert till.ledger() == [("capture", 3000), ("capture", 2000)]


def test_a_hold_is_let_go_when_the_order_ends(till: Till) -> None:
    payment_id = till.start(capture="manual").json["payment_id"]
    till.world.providers["stripe"].door("pay", id=till.payment(payment_id)["provider_ref"])
    till.world.settle()
    till.close()
    till.world.advance(7200, tick=300)
    assert made(till, "stripe", "payment_intent")[0]["status"] == "canceled"
    assert till.payment(payment_id)["authorized"] == 0


def test_a_capture_without_an_answer_happens_once(till: Till) -> None:
    payment_id = till.start(capture="manual").json["payment_id"]
    till.world.providers["stripe"].door("pay", id=till.payment(payment_id)["provider_ref"])
    till.world.settle()
    till.world.providers["stripe"].door("faults", when="after", status=0, match="/capture")
    assert till.capture(payment_id, 3000, key="c").status == 503
    till.world.advance(120, tick=60)
    assert till.payment(payment_id)["captured"] == 3000, "the provider says so, even if nobody asks again"
    assert till.capture(payment_id, 3000, key="c").status == 201
    assert till.ledger() == [("capture", 3000)]


# ------------------------------------------------------------------------------------------------- read


def test_owner_and_staff_read_payments(till: Till) -> None:
    world = till.world
    payment_id = till.paid()
    seen = world.call("GET", f"/payments/{payment_id}", till.customer).json
    assert seen["captured"] == {"amount": 5000, "currency": "EUR"}
    assert (seen["refunds"], seen["chargebacks"]) == ([], [])
    assert world.call("GET", f"/payments/{payment_id}", till.staff).json == seen
    stranger = world.token("customer", sub="0190a1b2-0000-7000-8000-000000000002")
    assert world.call("GET", f"/payments/{payment_id}", stranger).status == 404
    assert world.call("GET", "/payments/no-such-payment", till.customer).status == 404
    assert world.call("GET", f"/payments/{payment_id}", world.token("staff", scopes="orders:read")).status == 403


def test_the_payments_of_an_order_come_in_pages(till: Till) -> None:
    world, path = till.world, f"/orders/{ORDER}/payments"
    ids = {till.start(amount={"amount": 1000, "currency": "EUR"}).json["payment_id"] for _ in range(3)}
    first = world.call("GET", f"{path}?limit=2", till.customer).json
    second = world.call("GET", f"{path}?limit=2&cursor={first['next_cursor']}", till.customer).json
    assert {each["payment_id"] for page in (first, second) for each in page["items"]} == ids
    assert second["next_cursor"] is None
    assert world.call("GET", f"{path}?limit=2&cursor=forged", till.customer).status == 422
    assert world.call("GET", f"{path}?cursor={first['next_cursor']}", till.staff).status == 422
    assert world.call("GET", f"{path}?limit=0", till.customer).status == 422
    assert world.call("GET", path, world.token("customer", sub=CUSTOMER[:-1] + "2")).status == 404
    assert world.call("GET", path, world.token("staff", scopes="")).status == 403


# ------------------------------------------------------------------------------------------------- cost


def test_what_it_costs(till: Till) -> None:
    """Requests, write units and read units of the table, as the data page promises them."""
    world = till.world
    world.providers["stripe"].door("listen", url=f"{PUBLIC_URL}/webhooks/stripe/default", events=WORTH_SENDING)
    answer = till.start()
    assert cost(till, "PaymentsApi") == (3, 8, 1)
    world.providers["stripe"].door("pay", id=till.payment(answer.json["payment_id"])["provider_ref"])
    world.settle()
    assert cost(till, "PaymentsWebhook") == (1, 1, 0)
    requests, written, read = cost(till, "PaymentsWorker")
    assert (requests, read) == (2, 1)
    assert written <= 8
    world.providers["stripe"].door("events/resend", id=till.inbox()[0]["pk"].split("#")[-1])
    world.settle()
    assert cost(till, "PaymentsWebhook") == (2, 2, 0), "a duplicate costs one unit more"
    assert cost(till, "PaymentsWorker") == (requests, written, read), "and no work"


def cost(till: Till, function: str) -> tuple[int, float, float]:
    calls = [call for call in till.world.calls if call.function == function and call.service == "dynamodb"]
    return len(calls), sum(call.write_units for call in calls), sum(call.read_units for call in calls)
