"""What providers post: who may, what is kept, and that duplicates, disorder and lies all end in the same books."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.journey.payments_shop import PAGE, Till, open_till, stripe_header
from tests.world import World
from tests.world.calls import Call
from tests.world.world import PARAMETERS

STRIPE, MOLLIE = "/webhooks/stripe/default", "/webhooks/mollie/default"


TWO_ACCOUNTS = json.dumps(
    {"accounts": {name: {"livemode": False} for name in ("stripe/default", "stripe/other", "mollie/default")}}
)


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def event(kind: str = "payment_intent.succeeded", **thing: Any) -> dict[str, Any]:
    intent = {"object": "payment_intent", "id": "pi_x", "status": "succeeded", "amount": 5000, "currency": "eur"}
    intent |= {"amount_received": 5000, "amount_capturable": 0, "metadata": {}} | thing
    return {"id": "evt_x", "object": "event", "type": kind, "created": 1, "livemode": False, "data": {"object": intent}}


def post(
    till: Till, content: Any, header: str | None = None, path: str = STRIPE, name: str = "Stripe-Signature"
) -> Any:
    """Post what Stripe would, signed as it would unless a header is given."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    if header is None:
        header = stripe_header(body, till.world.clock.now)
    return till.world.call("POST", path, body=body, headers={name: header} if header else {})


def bare(till: Till, **changes: Any) -> dict[str, Any]:
    """The webhook function alone, with an event as a gateway could write it."""
    body = json.dumps(event()).encode()
    made = {"resource": "/webhooks/stripe/{account}", "pathParameters": {"account": "default"}, "body": body.decode()}
    made |= {"headers": {"Stripe-Signature": stripe_header(body, till.world.clock.now)}, "isBase64Encoded": False}
    answer: dict[str, Any] = till.world.invoke("payments.webhook", made | changes)
    return answer


# ------------------------------------------------------------------------------------------------- who may


def test_a_signed_event_is_stored_and_answered(till: Till) -> None:
    assert post(till, event()).status == 200
    assert [item["pk"] for item in till.inbox()] == ["EVT#stripe#default#evt_x"]


@pytest.mark.parametrize("header", ["", "t=1,v1=00", "nonsense"])
def test_a_forgery_is_not(till: Till, header: str) -> None:
    answer = post(till, event(), header)
    assert (answer.status, answer.json["type"]) == (401, "/problems/bad-signature")
    assert not till.inbox()


@pytest.mark.parametrize("account", ["nobody", "..%2Ftokens", "default%2F..%2F..%2Ftokens", "a" * 300])
def test_an_unknown_account_is_answered_like_a_forgery(till: Till, account: str) -> None:
    answer = post(till, event(), path=f"/webhooks/stripe/{account}")
    assert answer.status in (401, 404)
    assert not till.inbox()
    assert not [call for call in till.world.calls if call.service == "ssm" and "tokens" in call.target]


@pytest.mark.parametrize("late", [-301, 301])
def test_a_replay_is_not_accepted(till: Till, late: int) -> None:
    body = json.dumps(event()).encode()
    assert post(till, body, stripe_header(body, till.world.clock.now + late)).status == 401
    assert not till.inbox()


def test_an_event_of_the_other_mode_is_not_accepted(till: Till) -> None:
    answer = post(till, event() | {"livemode": True})
    assert (answer.status, answer.json["type"]) == (401, "/problems/wrong-mode")
    assert not till.inbox()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"id": 1}'])
def test_what_is_signed_but_no_event_is_a_bad_request(till: Till, body: bytes) -> None:
    answer = post(till, body)
    assert (answer.status, answer.json["type"]) == (400, "/problems/malformed-webhook")
    assert not till.inbox()


def test_a_body_has_bounds(till: Till) -> None:
    assert post(till, b" " * (256 * 1024 + 1)).status == 413


def test_a_body_may_come_base64_encoded(till: Till) -> None:
    body = json.dumps(event()).encode()
    answer = bare(till, body=base64.b64encode(body).decode(), isBase64Encoded=True)
    assert answer["statusCode"] == 200
    assert bare(till, body="%%%", isBase64Encoded=True)["statusCode"] == 401


@pytest.mark.parametrize("way", ["headers", "multiValueHeaders"])
@pytest.mark.parametrize("name", ["Stripe-Signature", "stripe-signature", "STRIPE-SIGNATURE"])
def test_the_header_may_come_in_any_case_and_either_way(till: Till, way: str, name: str) -> None:
    value = stripe_header(json.dumps(event()).encode(), till.world.clock.now)
    headers: dict[str, Any] = {"headers": None, "multiValueHeaders": None}
    headers[way] = {name: value if way == "headers" else ["t=1,v1=00", value]}
    assert bare(till, **headers)["statusCode"] == 200


def test_a_secret_can_be_rotated_without_losing_an_event(till: Till) -> None:
    assert post(till, event()).status == 200
    secret = {"secret_key": "sk_test_world", "webhook_secrets": ["whsec_new", "whsec_world"], "livemode": False}
    till.world.aws.secret("/mandje/stripe/default", secret)
    till.world.clock.tick(31)
    body = json.dumps(event() | {"id": "evt_y"}).encode()
    assert post(till, body, stripe_header(body, till.world.clock.now, "whsec_new")).status == 200
    assert len(till.inbox()) == 2


def test_a_flood_of_forgeries_is_no_flood_of_reads(till: Till) -> None:
    for _ in range(20):
        post(till, event(), "t=1,v1=00")
    assert len([call for call in till.world.calls if call.service == "ssm"]) == 1


def test_an_account_without_a_secret_accepts_nothing(till: Till) -> None:
    till.world.aws.secret("/mandje/stripe/default", {"secret_key": "sk_test_x", "livemode": False})
    body = json.dumps(event()).encode()
    assert post(till, body, stripe_header(body, till.world.clock.now, "")).status == 401


def test_when_the_table_fails_the_provider_has_to_come_again(till: Till) -> None:
    def broken(call: Call, perform: Any) -> Any:
        if call.operation == "PutItem":
            from botocore.exceptions import ConnectTimeoutError

            raise ConnectTimeoutError(endpoint_url="x")
        return perform()

    till.world.outside.director = broken
    assert post(till, event()).status == 503
    till.world.outside.director = None
    assert post(till, event()).status == 200


# ------------------------------------------------------------------------------------------------- what is kept


def test_nothing_personal_reaches_the_table_the_logs_or_the_bus(till: Till) -> None:
    canary = "anna.canary@example.com"
    thing = {"receipt_email": canary, "shipping": {"name": canary}, "metadata": {"payment_id": "p", "who": canary}}
    made = event(**thing, last_payment_error={"code": "x", "message": canary}, client_secret="pi_x_secret_canary")
    assert post(till, made).status == 200
    till.paid("mollie")  # Mollie tells the payer's name and IBAN
    seen = json.dumps([till.world.items("PaymentsTable"), till.world.events(), [line.text for line in till.world.logs]])
    assert not [word for word in (canary, "pi_x_secret_canary", "NL53INGB0654422370", "T. Test") if word in seen]


def test_what_names_nothing_of_ours_is_kept_and_counted(till: Till) -> None:
    """Types nobody has thought of: stored, told apart in the log by type, and no more."""
    bodies: list[dict[str, Any]] = [
        event("customer.created", object="customer", id="cus_1", email="x@example.com"),
        {"object": "v2.core.event", "type": "v1.billing.meter.no_meter_found"},
        {"object": "event", "type": "payout.paid", "data": {"object": {"id": "po_1", "object": "payout"}}},
        {"object": "event", "type": "of.nothing", "data": {}},
    ]
    for number, body in enumerate(bodies):
        assert post(till, body | {"id": f"evt_{number}", "livemode": False}).status == 200
    till.world.settle()
    assert len(till.inbox()) == 4
    assert not [item for item in till.inbox() if "due" in item]
    told = [json.loads(line.text) for line in till.world.logs if '"posting"' in line.text]
    assert [(each["ended"], each["type"]) for each in told] == [("foreign", body["type"]) for body in bodies]
    assert "x@example.com" not in json.dumps(till.inbox())


def test_the_same_event_three_times_at_once_settles_once(till: Till) -> None:
    till.world.providers["stripe"].door("webhooks", copies=3)
    payment_id = till.paid()
    assert till.ledger() == [("capture", 5000)]
    assert till.told() == ["payment.captured"]
    assert till.payment(payment_id)["captured"] == 5000


# ------------------------------------------------------------------------------------------------- Mollie


def form(till: Till, text: str, path: str) -> Any:
    """The classic webhook: an id, unsigned."""
    named = {"Content-Type": "application/x-www-form-urlencoded"}
    return till.world.call("POST", path, body=text, headers=named)


def address(till: Till, payment_id: str) -> str:
    """Where Mollie was told to report a payment of ours (or the payments of a link)."""
    reference = till.payment(payment_id)["provider_ref"]
    known = till.world.providers["mollie"].standin.account.objects
    made = known["payment-link" if reference.startswith("pl_") else "payment"][reference]
    return str(urlsplit(made["webhookUrl"]).path)


def sealed(body: bytes, *secrets: str) -> str:
    return ",".join("sha256=" + hmac.new(one.encode(), body, hashlib.sha256).hexdigest() for one in secrets)


def test_mollie_s_word_alone_changes_nothing(till: Till) -> None:
    """Anybody can post an id: what counts is what Mollie answers when asked."""
    answer = till.start(provider="mollie", return_url=PAGE)
    payment_id = answer.json["payment_id"]
    reference = till.payment(payment_id)["provider_ref"]
    assert form(till, f"id={reference}&status=paid&amount=5000", address(till, payment_id)).status == 200
    till.world.settle()
    assert till.payment(answer.json["payment_id"])["status"] == "open"
    assert not till.told()


@pytest.mark.parametrize("text", ["id=tr_doesnotexist", "id=ord_1234", "id=tr_"])
def test_an_unknown_id_is_answered_like_a_known_one(till: Till, text: str) -> None:
    payment_id = till.start(provider="mollie", return_url=PAGE).json["payment_id"]
    assert form(till, text, address(till, payment_id)).status == 200
    till.world.settle()
    assert not [item for item in till.world.items("PaymentsTable") if "due" in item and item["pk"].startswith("EVT#")]


@pytest.mark.parametrize("text", ["", "nothing", "\x00\x01"])
def test_a_form_without_an_id_is_a_bad_request(till: Till, text: str) -> None:
    payment_id = till.start(provider="mollie", return_url=PAGE).json["payment_id"]
    assert form(till, text, address(till, payment_id)).status == 400


def test_every_delivery_of_the_same_id_asks_mollie_again(till: Till) -> None:
    payment_id = till.paid("mollie")
    reference = till.payment(payment_id)["provider_ref"]
    asked = f"/v2/payments/{reference}"

    def fetched() -> int:
        return len([call for call in till.world.calls if (call.operation, call.target) == ("GET", asked)])

    before = fetched()
    for _ in range(3):
        assert form(till, f"id={reference}", address(till, payment_id)).status == 200
    till.world.settle()
    assert fetched() == before + 3
    assert till.ledger() == [("capture", 5000)], "and finds nothing new"


def test_mollie_s_signed_events_are_the_second_way_in(till: Till) -> None:
    till.world.providers["mollie"].door("webhooks", drop=-1)
    payment_id = till.paid("mollie")
    entity = till.payment(payment_id)["provider_ref"]
    body = json.dumps({"resource": "event", "id": "event_1", "type": "payment.paid", "entityId": entity}).encode()
    name = "X-Mollie-Signature"
    assert post(till, body, sealed(body, "wrong"), MOLLIE, name).status == 401
    assert post(till, body, "", MOLLIE, name).status == 401, "unsigned: only the form may be"
    assert post(till, b"id=" + entity.encode(), "sha256=00", MOLLIE, name).status == 401
    assert not till.inbox()
    assert post(till, body, sealed(body, "old", "world"), MOLLIE, name).status == 200
    till.world.settle()
    assert till.payment(payment_id)["status"] == "captured"


def test_a_link_s_money_cannot_be_pinned_on_another_payment(till: Till) -> None:
    # GIVEN a cheap link that was paid, and a dear one that was not
    links = {"provider": "mollie", "method": "link"}
    cheap = till.paid(**links, amount={"amount": 100, "currency": "EUR"})
    dear = till.start(**links, amount={"amount": 4900, "currency": "EUR"}).json["payment_id"]
    (paid,) = till.world.providers["mollie"].standin.account.objects["payment"]
    # WHEN somebody says that the money was for the dear one
    answer = form(till, f"id={paid}", address(till, dear))
    till.world.settle()
    # THEN Mollie's own list says otherwise
    assert answer.status == 200
    assert till.payment(dear)["captured"] == 0
    assert till.payment(cheap)["captured"] == 100
    assert till.ledger() == [("capture", 100)]


# ------------------------------------------------------------------------------------------------- disorder


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_disorder_duplicates_and_delay_end_in_the_provider_s_books(provider: str, seed: int) -> None:
    """GIVEN three payments that are paid, refunded, disputed and won back, while webhooks come as they like."""
    world = World(seed)
    till = open_till(world)
    world.deliver(copies=2, shuffled=True, delay=20)
    bank = world.providers[provider]
    bank.door("webhooks", order="shuffled", delay_s=30)
    rng = random.Random(seed)
    started = [
        till.start(provider=provider, return_url=PAGE, amount={"amount": amount, "currency": "EUR"}).json["payment_id"]
        for amount in (1000, 1500, 2500)
    ]
    for payment_id in started:
        bank.door("pay", id=till.payment(payment_id)["provider_ref"])
    world.clock.tick(rng.uniform(0, 20))
    if seed % 2:
        world.settle()
    charged = [each["id"] for each in bank.books()["payments"]]
    bank.door("disputes/close", id=bank.door("disputes/open", id=charged[0])["id"], won=bool(seed % 3))
    world.settle()
    for amount in (300, 400):
        till.refund(started[1], amount)
    world.advance(900, tick=300)
    # THEN both books say the same, and every meaning was told once
    theirs = bank.books()["totals"]["EUR"]
    ours = [till.payment(payment_id) for payment_id in started]
    for name in ("captured", "refunded", "charged_back"):
        assert sum(payment.get(name, 0) for payment in ours) == theirs[name], name
    assert sum(amount for _, amount in till.ledger()) == 5000 - theirs["refunded"] - theirs["charged_back"]
    said = [each for each in world.events() if each["type"].startswith("payment.") and not each["data"].get("again")]
    told = {(each["type"], each["id"]) for each in said}
    assert sum(kind == "payment.captured" for kind, _ in told) == 3
    assert sum(kind == "payment.chargeback_opened" for kind, _ in told) == 1
    till.count()
    assert not [item for item in world.items("PaymentsTable") if "due" in item]


def test_a_refund_in_the_dashboard_and_a_second_one_are_both_known(till: Till) -> None:
    payment_id = till.paid()
    reference = till.payment(payment_id)["provider_ref"]
    for amount in (700, 700):
        dashboard(till, f"payment_intent={reference}&amount={amount}")
    till.world.settle()
    assert till.payment(payment_id)["refunded"] == 1400
    assert set(till.told()) == {"payment.captured", "payment.refunded"}
    assert till.refund(payment_id, 3601).status == 409


def dashboard(till: Till, text: str) -> dict[str, Any]:
    """Somebody refunds at Stripe itself: no metadata of ours."""
    headers = {"authorization": "Bearer sk_test_world"}
    stripe = till.world.providers["stripe"]
    status, _, body = stripe.handle("POST", "/v1/refunds", headers, text.encode())
    assert status == 200, body
    made: dict[str, Any] = json.loads(body)
    return made


def test_a_refund_in_mollie_s_dashboard(till: Till) -> None:
    payment_id = till.paid("mollie")
    reference = till.payment(payment_id)["provider_ref"]
    asked = {"amount": {"currency": "EUR", "value": "7.00"}, "description": "by hand"}
    headers = {"authorization": "Bearer test_world"}
    path = f"/v2/payments/{reference}/refunds"
    assert till.world.providers["mollie"].handle("POST", path, headers, json.dumps(asked).encode())[0] == 201
    till.world.advance(20, tick=5)
    assert till.payment(payment_id)["refunded"] == 700


@pytest.mark.parametrize(("won", "left", "outcome"), [(True, 5000, "won"), (False, 0, "lost")])
def test_a_chargeback_is_told_and_booked(till: Till, won: bool, left: int, outcome: str) -> None:
    payment_id = till.paid()
    stripe = till.world.providers["stripe"]
    dispute = stripe.door("disputes/open", id=till.payment(payment_id)["provider_ref"])
    till.world.settle()
    assert till.payment(payment_id)["charged_back"] == 5000
    assert till.payment(payment_id)["status"] == "captured", "the order is not changed in silence"
    assert till.refund(payment_id, 1).status == 409
    stripe.door("disputes/close", id=dispute["id"], won=won)
    till.world.settle()
    assert sum(amount for _, amount in till.ledger()) == left
    assert till.told() == ["payment.captured", "payment.chargeback_opened", "payment.chargeback_closed"]
    assert till.world.events("payment.chargeback_closed")[0]["data"]["outcome"] == outcome


def test_several_changes_at_once_are_told_one_by_one(till: Till) -> None:
    """Mollie is asked once and tells of the payment, a refund and a chargeback together."""
    till.world.providers["mollie"].door("webhooks", drop=-1)
    payment_id = till.paid("mollie")
    reference = till.payment(payment_id)["provider_ref"]
    asked = {"amount": {"currency": "EUR", "value": "7.00"}, "description": "by hand"}
    mollie, headers = till.world.providers["mollie"], {"authorization": "Bearer test_world"}
    _, _, body = mollie.handle("POST", f"/v2/payments/{reference}/refunds", headers, json.dumps(asked).encode())
    mollie.door("refunds/settle", id=json.loads(body)["id"])
    mollie.door("disputes/open", id=reference, amount=1000)
    form(till, f"id={reference}", address(till, payment_id))
    till.world.settle()
    assert till.told() == ["payment.captured", "payment.refunded", "payment.chargeback_opened"]
    assert len({each["id"] for each in till.world.events() if each["type"].startswith("payment.")}) == 3
    assert sorted(till.ledger()) == [("capture", 5000), ("chargeback", -1000), ("refund", -700)]
    assert "untold" not in till.payment(payment_id)


def test_what_waits_to_be_told_survives_a_crash(till: Till) -> None:
    till.world.providers["mollie"].door("webhooks", drop=-1)
    payment_id = till.paid("mollie")
    reference = till.payment(payment_id)["provider_ref"]
    till.world.providers["mollie"].door("disputes/open", id=reference, amount=1000)
    form(till, f"id={reference}", address(till, payment_id))
    struck = []

    def die(call: Call, perform: Any) -> Any:
        """The worker dies between the first version and the second, for good."""
        from tests.world.calls import Crash

        if call.function == "PaymentsWorker" and call.operation == "UpdateItem":
            struck.append(call)
            raise Crash("power cut")
        return perform()

    till.world.outside.director = die
    till.world.pump.paused.add("StreamFailures")
    till.world.settle()
    till.world.outside.director = None
    assert struck
    till.world.advance(300, tick=60)
    assert till.told() == ["payment.captured", "payment.chargeback_opened"]


# ------------------------------------------------------------------------------------------------- lies and gaps


@pytest.mark.parametrize(
    ("reported", "events", "captured"),
    [
        ({"amount_received": 3000}, ["payment.captured"], 3000),
        ({"amount_received": 6000}, ["payment.captured", "payment.amount_mismatch"], 6000),
        ({"currency": "usd"}, ["payment.amount_mismatch"], 0),
        ({"currency": "xyz"}, ["payment.amount_mismatch"], 0),
    ],
)
def test_another_amount_than_asked_for(till: Till, reported: dict[str, Any], events: list[str], captured: int) -> None:
    """A cheap payment never pays a dear order: only what was received counts, in the order's currency."""
    payment_id = till.start().json["payment_id"]
    intent = {"id": till.payment(payment_id)["provider_ref"], "metadata": {"payment_id": payment_id}} | reported
    assert post(till, event(**intent)).status == 200
    till.world.settle()
    assert till.payment(payment_id)["captured"] == captured
    assert till.told() == events


def test_an_event_before_its_payment_waits_for_it(till: Till) -> None:
    # GIVEN an event that names a payment nobody knows yet
    assert post(till, event(metadata={"payment_id": "later"})).status == 200
    till.world.settle()
    (orphan,) = till.inbox()
    assert (orphan["why"], "due" in orphan) == ("orphan", True)
    # WHEN the payment turns up
    payment = till.payment(till.start().json["payment_id"])
    later(till, payment | {"pk": "P#later", "payment_id": "later", "provider_ref": "pi_x"})
    till.world.advance(61)
    # THEN the event is worked off
    assert till.payment("later")["status"] == "captured"
    assert "due" not in till.inbox()[0]


def later(till: Till, item: dict[str, Any], **condition: Any) -> None:
    """An item turns up in the table."""
    from commerce import writes

    with till.world.runtime.function_environment(till.world.template.functions["PaymentsApi"]):
        writes.commit(writes.put("PAYMENTS", item, **condition))


def test_an_orphan_is_given_up_in_the_end_and_kept(till: Till) -> None:
    assert post(till, event(metadata={"payment_id": "never"})).status == 200
    till.world.settle()
    later(till, till.inbox()[0] | {"tried": 74}, when="")  # after three days of trying
    till.world.advance(61)
    assert "due" in till.inbox()[0]
    till.world.advance(3601)
    (orphan,) = till.inbox()
    assert orphan["why"] == "given up"
    assert "due" not in orphan


def test_somebody_else_s_payment_at_the_same_account_is_none_of_ours(till: Till) -> None:
    assert post(till, event()).status == 200
    till.world.settle()
    assert "due" not in till.inbox()[0]
    assert not till.told()


def test_an_event_of_one_account_does_not_touch_payments_of_another() -> None:
    till = open_till(World(parameters=PARAMETERS | {"PaymentAccounts": TWO_ACCOUNTS}))
    payment_id = till.start().json["payment_id"]
    other = {"secret_key": "sk_test_o", "webhook_secrets": ["whsec_world"], "livemode": False}
    till.world.aws.secret("/mandje/stripe/other", other)
    made = event(metadata={"payment_id": payment_id})
    assert post(till, made, path="/webhooks/stripe/other").status == 200
    till.world.settle()
    assert till.payment(payment_id)["captured"] == 0


def test_one_webhook_that_cannot_be_worked_off_holds_up_no_other(till: Till) -> None:
    # GIVEN Mollie being down, and a Stripe event behind a Mollie one
    world = till.world
    mollie_payment = till.start(provider="mollie", return_url=PAGE, amount={"amount": 1000, "currency": "EUR"})
    world.providers["mollie"].door("pay", id=till.payment(mollie_payment.json["payment_id"])["provider_ref"])
    mollie = world.outsiders.pop("api.mollie.com")
    stripe_payment = till.paid()
    assert till.payment(stripe_payment)["status"] == "captured"
    assert till.payment(mollie_payment.json["payment_id"])["status"] == "open"
    # WHEN it is back
    world.outsiders["api.mollie.com"] = mollie
    world.advance(61)
    # THEN nothing was lost
    assert till.payment(mollie_payment.json["payment_id"])["status"] == "captured"
    assert not [item for item in till.inbox() if "due" in item]


def test_a_batch_is_given_back_from_the_first_record_that_cannot_even_be_put_off(till: Till) -> None:
    payment_id = till.start().json["payment_id"]
    made = event(metadata={"payment_id": payment_id}, id=till.payment(payment_id)["provider_ref"])
    till.world.pump.paused.add("PaymentsTable->PaymentsWorker")
    records = []
    for number in range(3):
        post(till, made | {"id": f"evt_{number}"})
        image = next(iter(till.world.aws.images("PaymentsTable")))
        image = next(
            each for each in till.world.aws.images("PaymentsTable") if each["pk"]["S"].endswith(f"evt_{number}")
        )
        records.append({"eventName": "INSERT", "dynamodb": {"NewImage": image, "SequenceNumber": str(number)}})

    def broken(call: Call, perform: Any) -> Any:
        if call.service == "dynamodb" and broken_now:
            from botocore.exceptions import ConnectTimeoutError

            raise ConnectTimeoutError(endpoint_url="x")
        if call.operation == "TransactWriteItems":
            broken_now.append(True)
        return perform()

    broken_now: list[bool] = []
    till.world.outside.director = broken
    answer = till.world.invoke("payments.worker", {"Records": records})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    till.world.outside.director = None
    assert till.world.invoke("payments.worker", {"Records": records}) == {"batchItemFailures": []}
    assert till.ledger() == [("capture", 5000)]


def test_old_news_never_reopens_what_is_over(till: Till) -> None:
    payment_id = till.paid()
    assert till.refund(payment_id, 5000).status == 201
    till.world.settle()
    before = [till.payment(payment_id), till.ledger(), till.told()]
    for item in till.inbox():
        till.world.providers["stripe"].door("events/resend", id=item["pk"].split("#")[-1])
    repeated = event(id=till.payment(payment_id)["provider_ref"], metadata={"payment_id": payment_id})
    assert post(till, repeated).status == 200
    till.world.settle()
    assert [till.payment(payment_id), till.ledger(), till.told()] == before
    assert before[0]["status"] == "refunded"


def test_a_look_that_ends_does_not_take_away_one_that_was_put_off_meanwhile(till: Till) -> None:
    """The clock works an item off while something new is posted about it and cannot be worked off."""
    from payments import mailbox

    with till.world.runtime.function_environment(till.world.template.functions["PaymentsSweep"]):
        mailbox.mollie("default", "tr_1", None)
        (item,) = till.inbox()
        mailbox.put_off(item, "NotDone")
        (item,) = till.inbox()
        mailbox.put_off(item, "NotDone")
        mailbox.finished(item, "done")
        assert till.inbox()[0]["why"] == "NotDone"
        (item,) = till.inbox()
        mailbox.finished(item, "done")
    assert "due" not in till.inbox()[0]
