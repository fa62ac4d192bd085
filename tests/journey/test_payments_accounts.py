"""Which account takes a payment: configuration decides, nobody learns which there are, and modes never mix."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.journey.payments_shop import CUSTOMER, ORDER, PAGE, Till, open_till, stripe_header
from tests.world import World
from tests.world.world import PARAMETERS

LISTED = ("stripe/default", "stripe/uk", "stripe/kiosk", "stripe/store", "mollie/default", "mollie/store")
CONFIGURED = {
    "accounts": {name: {"livemode": False} for name in LISTED},
    "markets": {"uk": {"stripe": "uk"}},
    "channels": {"kiosk": {"stripe": "kiosk"}},
    "locations": {"ams-kalverstraat": {"stripe": "store", "mollie": "store"}},
}


def open_with(configured: dict[str, Any] | None = None, **parameters: str) -> Till:
    """A till of a stack with these accounts; each has a secret, so only the configuration decides."""
    parameters |= {"PaymentAccounts": json.dumps(configured)} if configured else {}
    world = World(parameters=PARAMETERS | parameters)
    for name in (*LISTED, "stripe/sandbox"):
        key = "secret_key" if name.startswith("stripe") else "api_key"
        value = "sk_test_world" if name.startswith("stripe") else "test_world"
        secret = {key: value, "webhook_secrets": ["whsec_world"], "livemode": False}
        world.aws.secret(f"/mandje/{name}", secret)
    return open_till(world)


def looked_up(till: Till) -> list[str]:
    """The secrets of providers that were asked for."""
    return [call.target for call in till.world.calls if call.service == "ssm" and "tokens" not in call.target]


# ------------------------------------------------------------------------------------------------- who names one


@pytest.mark.parametrize("provider", ["stripe", "mollie", "cash"])
@pytest.mark.parametrize("account", ["default", "sandbox", "nobody"])
@pytest.mark.parametrize("who", ["customer", "guest", "device", "staff without the scope"])
def test_nobody_picks_an_account_or_learns_which_there_are(who: str, account: str, provider: str) -> None:
    till = open_with()
    world = till.world
    token = {
        "customer": lambda: till.customer,
        "guest": lambda: world.call("POST", "/baskets", json={"channel": "web"}).json["token"],
        "device": lambda: world.token("device", location_id="ams-kalverstraat"),
        "staff without the scope": lambda: world.token("staff", scopes="payments:write payments:read"),
    }[who]()
    method = "cash" if provider == "cash" else "online"
    answer = till.start(token, provider=provider, method=method, account=account, return_url=PAGE)
    assert (answer.status, answer.json["type"]) == (403, "/problems/forbidden")
    assert answer.json["detail"] == "This needs the scope payments:account."
    assert not looked_up(till)


def test_staff_with_the_scope_name_one() -> None:
    till = open_with(CONFIGURED)
    named = till.start(till.staff, account="uk")
    assert named.status == 201
    assert till.payment(named.json["payment_id"])["account"] == "uk"
    for unknown in ("sandbox", "nobody"):
        answer = till.start(till.staff, account=unknown)
        assert (answer.status, answer.json["errors"][0]["loc"]) == (422, ["body", "account"])
    assert "/mandje/stripe/sandbox" not in looked_up(till), "its secret is there, but it is not configured"


# ------------------------------------------------------------------------------------------------- who decides


@pytest.mark.parametrize(
    ("market", "channel", "location_id", "account"),
    [
        ("nl", "web", None, "default"),
        ("uk", "web", None, "uk"),
        ("uk", "kiosk", None, "kiosk"),
        ("uk", "kiosk", "ams-kalverstraat", "store"),
        ("nl", "web", "elsewhere", "default"),
        ("de", "app", None, "default"),
    ],
)
def test_market_channel_and_location_decide(market: str, channel: str, location_id: str | None, account: str) -> None:
    till = open_with(CONFIGURED)
    place(till, market=market, channel=channel, location_id=location_id)
    answer = till.start()
    assert answer.status == 201, answer
    assert till.payment(answer.json["payment_id"])["account"] == account


def place(till: Till, **order: Any) -> None:
    """The order was placed like this."""
    from commerce import writes

    item = till.one(f"DUE#{ORDER}", "-") | order
    with till.world.runtime.function_environment(till.world.template.functions["CheckoutApi"]):
        writes.commit(writes.put("PAYMENTS", item, when=""))


def test_a_till_uses_the_account_of_its_location() -> None:
    till = open_with(CONFIGURED)
    device = till.world.token("device", location_id="ams-kalverstraat")
    answer = till.start(device, provider="mollie", return_url=PAGE)
    assert till.payment(answer.json["payment_id"])["account"] == "store"


def test_an_order_says_its_channel_to_payments(world: World) -> None:
    from tests.faults.shopper import ordered

    _, order_id = ordered(world)
    (payable,) = [item for item in world.items("PaymentsTable") if item["pk"] == f"DUE#{order_id}"]
    assert (payable["market"], payable["channel"]) == ("nl", "web")


# ------------------------------------------------------------------------------------------------- modes


def test_an_account_of_the_other_mode_is_none_of_this_stack() -> None:
    """The sandbox next to the live account: nothing is started there, nothing is heard from there."""
    accounts = {"stripe/default": {"livemode": True}, "stripe/sandbox": {"livemode": False}}
    till = open_with({"accounts": accounts}, PaymentMode="live")
    assert till.start(till.staff, account="sandbox").status == 422
    made = {"id": "evt_x", "object": "event", "type": "payment_intent.succeeded", "livemode": False, "created": 1}
    body = json.dumps(made).encode()
    header = stripe_header(body, till.world.clock.now)
    path = "/webhooks/stripe/sandbox"
    assert till.world.call("POST", path, body=body, headers={"Stripe-Signature": header}).status == 401
    assert not looked_up(till)
    assert "payment account of the other mode" in "".join(line.text for line in till.world.logs)


@pytest.mark.parametrize("secret", [{"secret_key": "sk_test_x", "livemode": True}, {"secret_key": "x"}])
@pytest.mark.parametrize("livemode", [True, None])
def test_a_key_of_the_other_mode_takes_no_payment(secret: dict[str, Any], livemode: bool | None) -> None:
    """Somebody put a test key into a live stack: what it says or what it looks like gives it away."""
    till = open_with(PaymentMode="live")
    said = {} if livemode is None else {"livemode": livemode}
    if secret == {"secret_key": "x"}:
        said = {"livemode": False}
    till.world.aws.secret("/mandje/stripe/default", {"webhook_secrets": ["whsec_world"]} | secret | said)
    answer = till.start()
    assert (answer.status, answer.json["type"]) == (422, "/problems/method-not-supported")
    assert not [call for call in till.world.calls if call.kind == "http" and "stripe" in call.service]


def otherwise(till: Till, host: str, change: Any) -> None:
    """From now on the provider's answers are changed on their way here."""
    real = till.world.outsiders[host]

    def changed(method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        status, answered, content = real(method, path, headers, body)
        return status, answered, json.dumps(change(json.loads(content))).encode()

    till.world.outsiders[host] = changed


def test_a_mollie_payment_of_the_other_mode_is_not_booked(world: World) -> None:
    till = open_till(world)
    otherwise(till, "api.mollie.com", lambda content: content | {"mode": "live"})
    payment_id = till.paid("mollie")
    assert till.payment(payment_id)["captured"] == 0
    (item,) = till.inbox()
    assert (item["why"], "due" in item) == ("other-mode", False), "kept and counted, and not tried for ever"
    assert "webhook of the other mode" in "".join(line.text for line in world.logs)
    world.advance(1200, tick=300)
    assert till.payment(payment_id)["captured"] == 0, "nor when the sweep asks"
    assert not till.ledger()
    assert "payment cannot be asked about" in "".join(line.text for line in world.logs)


def test_a_stripe_payment_of_the_other_mode_is_not_booked_by_asking(world: World) -> None:
    till = open_till(world)
    world.providers["stripe"].door("webhooks", drop=-1)
    otherwise(till, "api.stripe.com", lambda content: content | {"livemode": True})
    payment_id = till.paid()
    world.advance(1200, tick=300)
    assert till.payment(payment_id)["captured"] == 0
    assert not till.ledger()


def test_the_owner_may_still_pay_without_naming_anything(world: World) -> None:
    till = open_till(world)
    assert till.start(world.token("customer", sub=CUSTOMER)).status == 201
