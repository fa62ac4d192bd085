"""What covers the rest of an order closes every other attempt at once: nobody pays twice on a page left open."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.shopper import ordered
from tests.journey.payments_shop import PAGE, Till, open_till
from tests.world import World
from tests.world.doctor_hook import violations

CASH = {"provider": "cash", "method": "cash"}
PAGES: dict[str, dict[str, Any]] = {
    "intent": {},
    "page": {"return_url": PAGE},
    "link": {"method": "link", "return_url": PAGE},
    "mollie link": {"provider": "mollie", "method": "link"},
}
CLOSED = {"intent": "canceled", "page": "expired", "link": "expired", "mollie link": "archived"}


@pytest.fixture
def till(world: World) -> Till:
    return open_till(world)


def at_provider(till: Till, payment_id: str) -> str:
    """What became of an attempt at its provider."""
    payment = till.payment(payment_id)
    objects = till.world.providers[payment["provider"]].standin.account.objects
    (made,) = [known[payment["provider_ref"]] for known in objects.values() if payment["provider_ref"] in known]
    return "archived" if made.get("archived") else str(made.get("status", "open"))


@pytest.mark.parametrize("instead", [CASH, {}, {"return_url": PAGE}, {"provider": "mollie", "method": "link"}])
@pytest.mark.parametrize("page", PAGES)
def test_the_other_attempts_are_closed_in_the_same_request(till: Till, page: str, instead: dict[str, Any]) -> None:
    first = till.start(**PAGES[page]).json["payment_id"]
    assert at_provider(till, first) != CLOSED[page]
    answer = till.start(till.staff, **instead)
    assert answer.status == 201
    # No event was delivered and no clock came round yet.
    assert at_provider(till, first) == CLOSED[page]
    assert till.payment(first)["status"] in ("canceled", "expired")
    if page != "mollie link":  # the door of the stand-in pays a link that its page would not
        with pytest.raises(AssertionError):
            till.world.providers["stripe"].door("pay", id=till.payment(first)["provider_ref"])


def test_all_of_several_are_closed(till: Till) -> None:
    part = {"amount": 1000, "currency": "EUR"}
    started = [till.start(amount=part, **more).json["payment_id"] for more in PAGES.values()]
    assert till.start(till.staff, **CASH, amount={"amount": 5000, "currency": "EUR"}).status == 201
    assert [at_provider(till, each) for each in started] == list(CLOSED.values())


def test_what_still_fits_beside_it_stays_open(till: Till) -> None:
    page = till.start(amount={"amount": 3000, "currency": "EUR"}, return_url=PAGE).json["payment_id"]
    assert till.start(till.staff, **CASH, amount={"amount": 2000, "currency": "EUR"}).status == 201
    assert at_provider(till, page) == "open"
    assert "superseded" not in till.payment(page)


@pytest.mark.parametrize("fault", ["unreachable", "before", "after"])
@pytest.mark.parametrize("page", PAGES)
def test_what_cannot_be_closed_now_is_closed_by_the_clock(till: Till, page: str, fault: str) -> None:
    first = till.start(**PAGES[page]).json["payment_id"]
    name = till.payment(first)["provider"]
    host = f"api.{name}.com"
    outsider = till.world.outsiders[host]
    if fault == "unreachable":
        del till.world.outsiders[host]
    else:
        till.world.providers[name].door("faults", when=fault, status=0)
    assert till.start(till.staff, **CASH).status == 201
    assert till.payment(first)["due"], "an unfinished state, not a hope"
    till.world.outsiders[host] = outsider
    till.world.advance(61)
    assert at_provider(till, first) == CLOSED[page]
    till.world.advance(600, tick=60)
    assert till.payment(first)["status"] in ("canceled", "expired")


def test_nobody_waits_long_for_a_provider_that_hangs(till: Till) -> None:
    from commerce import web

    for more in PAGES.values():
        till.start(amount={"amount": 1000, "currency": "EUR"}, **more)
    waited: list[float] = []

    def hangs(method: str, url: str, headers: Any, body: Any, timeout: float) -> Any:
        waited.append(timeout)
        till.world.clock.tick(timeout)
        raise web.UnknownOutcome("nothing came")

    real, web.transport = web.transport, hangs
    answer = till.start(till.staff, **CASH, amount={"amount": 5000, "currency": "EUR"})
    web.transport = real
    assert answer.status == 201
    assert sum(waited) < 10
    till.world.advance(600, tick=60)
    assert not [item for item in till.world.items("PaymentsTable") if item.get("superseded") and "due" in item]


def test_a_page_of_mollie_that_cannot_be_cancelled_is_looked_at_until_it_ends(till: Till) -> None:
    """Mollie cancels no bank redirect that is open (`isCancelable`): it ends by itself, soon, and is watched."""
    page = till.start(provider="mollie", return_url=PAGE).json["payment_id"]
    assert till.start(till.staff, **CASH).status == 201
    tried = [call for call in till.world.calls if call.operation == "DELETE"]
    assert len(tried) == 1, "it was tried at once"
    assert till.payment(page)["due"]
    till.world.advance(7200, tick=300)
    assert till.payment(page)["status"] == "expired"


def test_a_page_that_is_paid_all_the_same_gives_its_money_back(world: World) -> None:
    """The shopper was at his bank when the till took cash."""
    shopper, order_id = ordered(world)
    page = shopper.pay(order_id, "mollie")["payment_id"]
    till = Till(world, order_id)
    asked = {"provider": "cash", "method": "cash"}
    assert world.call("POST", f"/orders/{order_id}/payments", world.token("staff"), json=asked, key="c").status == 201
    world.providers["mollie"].door("pay", id=till.payment(page)["provider_ref"])
    world.settle()
    world.advance(120, tick=10)
    assert shopper.order(order_id)["state"] == "paid"
    assert till.payment(page)["status"] == "refunded"
    assert not violations(world)


def test_what_replaced_a_page_is_closed_when_the_page_was_paid_all_the_same(world: World) -> None:
    shopper, order_id = ordered(world)
    page = shopper.pay(order_id, "mollie", key="one")["payment_id"]
    other = shopper.pay(order_id, "stripe", key="two")["payment_id"]
    till = Till(world, order_id)
    world.providers["mollie"].door("pay", id=till.payment(page)["provider_ref"])
    world.settle()
    world.advance(125, tick=60)
    assert shopper.order(order_id)["state"] == "paid"
    assert at_provider(till, other) == "canceled"
    assert not violations(world)
