"""Money that came in another currency, or as another amount: held, counted apart, told, and given back as it came."""

from __future__ import annotations

import pytest

from tests.faults.shopper import ordered
from tests.journey.payments_shop import PAGE, Till, open_till
from tests.world import World
from tests.world.doctor_hook import violations

AMOUNTS = {"USD": 5432, "JPY": 5000, "THB": 5432, "BHD": 54320}


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def paid_in(till: Till, provider: str, currency: str, payment_id: str | None = None, method: str = "online") -> str:
    """A payment of the order that the provider took in another currency; returns its id."""
    if payment_id is None:
        payment_id = str(till.start(provider=provider, method=method, return_url=PAGE).json["payment_id"])
    reference = till.payment(payment_id)["provider_ref"]
    objects = till.world.providers[provider].standin.account.objects
    if provider == "mollie":
        made = objects["payment-link" if reference.startswith("pl_") else "payment"][reference]
        made |= {"_amount": AMOUNTS[currency], "_currency": currency}
    else:
        made = objects["checkout.session"][reference]
        made |= {"amount_total": AMOUNTS[currency], "currency": currency.lower(), "payment_method_types": ["card"]}
    till.world.providers[provider].door("pay", id=reference)
    till.world.settle()
    return payment_id


def at_provider(till: Till, provider: str) -> dict[str, dict[str, int]]:
    """What the provider says it captured and gave back, by currency."""
    totals: dict[str, dict[str, int]] = till.world.providers[provider].books()["totals"]
    return {code: {name: sums[name] for name in ("captured", "refunded")} for code, sums in totals.items()}


def alarms(till: Till) -> list[str]:
    return [line.text for line in till.world.logs if "another amount or currency" in line.text]


@pytest.mark.parametrize(
    ("provider", "currency"),
    [("stripe", "USD"), ("stripe", "JPY"), ("stripe", "BHD"), ("mollie", "USD"), ("mollie", "JPY"), ("mollie", "THB")],
)
def test_it_is_held_counted_apart_and_told(till: Till, provider: str, currency: str) -> None:
    payment_id = paid_in(till, provider, currency)
    shown = till.world.call("GET", f"/payments/{payment_id}", till.staff).json
    assert shown["status"] == "foreign"
    assert shown["captured"] == {"amount": 0, "currency": "EUR"}
    (held,) = shown["foreign"]
    amount = held["amount"]
    assert amount > 0
    assert (held["currency"], held["captured"]) == (currency, {"amount": amount, "currency": currency})
    assert till.told() == ["payment.amount_mismatch"]
    (told,) = till.world.events("payment.amount_mismatch")
    assert (told["data"]["reported_amount"], told["data"]["reported_currency"]) == (amount, currency)
    assert len(alarms(till)) == 1
    assert '"level":"ERROR"' in alarms(till)[0]
    assert till.ledger() == [("capture", amount)]
    # The order is still to be paid, in its own currency and whole.
    assert till.start().json["amount"] == {"amount": 5000, "currency": "EUR"}


@pytest.mark.parametrize("provider", ["stripe", "mollie"])
def test_staff_give_it_back_as_it_came(till: Till, provider: str) -> None:
    payment_id = paid_in(till, provider, "USD")
    wrong = till.refund(payment_id, 100)
    assert (wrong.status, wrong.json["type"]) == (409, "/problems/refund-exceeds-captured"), "there are no euros here"
    assert wrong.json["refundable"] == {"amount": 0, "currency": "EUR"}
    assert till.refund(payment_id, 100, currency="GBP").status == 422
    too_much = till.refund(payment_id, 5433, currency="USD")
    assert (too_much.status, too_much.json["refundable"]) == (409, {"amount": 5432, "currency": "USD"})
    assert till.refund(payment_id, 2000, currency="USD").status == 201
    whole = till.refund(payment_id, 3432, currency="USD", key="rest")
    assert (whole.status, whole.json["amount"]) == (201, {"amount": 3432, "currency": "USD"})
    assert till.refund(payment_id, 1, currency="USD").status == 409
    till.world.advance(20, tick=5)
    assert at_provider(till, provider)["USD"] == {"captured": 5432, "refunded": 5432}
    shown = till.world.call("GET", f"/payments/{payment_id}", till.staff).json
    assert (shown["status"], shown["foreign"][0]["amount"]) == ("refunded", 0)
    assert shown["foreign"][0]["refunded"] == {"amount": 5432, "currency": "USD"}
    assert sum(amount for _, amount in till.ledger()) == 0
    assert till.refund(payment_id, 3432, currency="USD", key="rest").json == whole.json | {"status": "succeeded"}


@pytest.mark.parametrize(
    ("provider", "method", "currency"),
    [
        ("stripe", "online", "USD"),
        ("stripe", "online", "JPY"),
        ("stripe", "online", "BHD"),
        ("mollie", "online", "THB"),
        ("mollie", "link", "USD"),
    ],
)
def test_it_goes_back_by_itself_when_the_order_ended(world: World, provider: str, method: str, currency: str) -> None:
    shopper, order_id = ordered(world)
    till = Till(world, order_id)
    asked = {"method": method, "return_url": PAGE}
    payment_id = shopper.pay(order_id, provider, **asked)["payment_id"]
    paid_in(till, provider, currency, payment_id, method)
    assert shopper.order(order_id)["state"] == "placed"
    world.advance(300, tick=60)
    assert at_provider(till, provider)[currency]["refunded"] == 0, "held, as long as somebody may decide about it"
    world.advance(1200, tick=60)
    world.advance(60, tick=5)
    assert shopper.order(order_id)["state"] == "expired"
    sums = at_provider(till, provider)[currency]
    assert sums["refunded"] == sums["captured"] > 0
    assert till.payment(payment_id)["status"] == "refunded"
    assert "due" not in till.payment(payment_id)
    assert not violations(world)


def test_it_goes_back_once_whatever_is_lost(world: World) -> None:
    shopper, order_id = ordered(world)
    till = Till(world, order_id)
    payment_id = shopper.pay(order_id, "stripe", return_url=PAGE)["payment_id"]
    paid_in(till, "stripe", "USD", payment_id)
    world.providers["stripe"].door("webhooks", drop=-1)
    world.providers["stripe"].door("faults", when="after", status=0, match="refunds")
    world.advance(3000, tick=60)
    assert at_provider(till, "stripe")["USD"] == {"captured": 5432, "refunded": 5432}
    assert len(world.providers["stripe"].standin.account.objects["refund"]) == 1
    assert till.payment(payment_id)["foreign"]["USD"]["refund_pending"] == 0


def test_an_order_that_is_paid_otherwise_gives_it_back_too(world: World) -> None:
    shopper, order_id = ordered(world)
    till = Till(world, order_id)
    payment_id = shopper.pay(order_id, "mollie", return_url=PAGE)["payment_id"]
    paid_in(till, "mollie", "USD", payment_id)
    pay_cash(world, order_id)
    assert shopper.order(order_id)["state"] == "paid"
    till.close(order_id)  # as checkout does when nothing may be collected any more
    world.advance(7 * 3600, tick=600)
    world.advance(60, tick=5)
    assert at_provider(till, "mollie")["USD"] == {"captured": 5432, "refunded": 5432}


def pay_cash(world: World, order_id: str) -> None:
    asked = {"provider": "cash", "method": "cash"}
    assert world.call("POST", f"/orders/{order_id}/payments", world.token("staff"), json=asked, key="c").status == 201
    world.settle()


@pytest.mark.parametrize("difference", [-1000, 1000])
def test_another_amount_counts_and_what_is_over_goes_back(world: World, difference: int) -> None:
    """Too little is a part payment that goes back when the order expires; too much pays, and the rest goes back."""
    shopper, order_id = ordered(world)
    till = Till(world, order_id)
    total = 2 * 1995 + 1250
    payment_id = shopper.pay(order_id, "stripe", return_url=PAGE)["payment_id"]
    reference = till.payment(payment_id)["provider_ref"]
    made = world.providers["stripe"].standin.account.objects["checkout.session"][reference]
    made["amount_total"] = total + difference
    world.providers["stripe"].door("pay", id=reference)
    world.settle()
    world.advance(1800, tick=60)
    state, kept = ("paid", total) if difference > 0 else ("expired", 0)
    assert shopper.order(order_id)["state"] == state
    sums = at_provider(till, "stripe")["EUR"]
    assert sums["captured"] - sums["refunded"] == kept
    assert bool(alarms(till)) == (difference > 0)
    assert any("less came than was asked for" in line.text for line in world.logs) == (difference < 0)
    assert not violations(world)
