"""A price receipt promises what it shows: these lines, these quantities, this long. And what is sold is asked today."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journey.checkout_shop import Shop
from tests.journey.test_basket import Guest, problem
from tests.world.world import Response, World

TWELVE = ("BGN", "CHF", "CZK", "DKK", "EUR", "GBP", "HUF", "NOK", "PLN", "RON", "SEK", "USD")


class Buyer:
    """A guest, products that the PIM reprices, and the way to the order."""

    def __init__(self, world: World, market: str = "nl", **prices: int) -> None:
        self.world, self.shop = world, Shop(world)
        self.currency = {"nl": "EUR", "uk": "GBP", "dk": "DKK", "bg": "BGN", "ch": "CHF", "cz": "CZK"}[market]
        for sku, amount in prices.items():
            self.price(sku, amount)
            self.shop.stock(sku, 99)
        self.guest = Guest(world, market=market)

    def price(self, sku: str, amount: int | None, currencies: tuple[str, ...] = ()) -> None:
        """The PIM says what it costs now; None: it is not sold here any more."""
        said = currencies or (self.currency,)
        prices = (
            [{"amount": amount, "currency": each} for each in said]
            if amount
            else [{"amount": 1, "currency": "USD" if self.currency != "USD" else "EUR"}]
        )
        body = {"name": sku, "prices": prices}
        assert self.world.call("PUT", f"/products/{sku}", self.world.token("staff"), json=body).status == 200
        self.world.clock.tick(1)

    def place(self, receipt: dict[str, Any] | None, key: str = "place") -> Response:
        body: dict[str, Any] = {
            "basket_id": self.guest.id,
            "contact": {"name": "Noor"},
            "fulfilment": {"kind": "delivery"},
        }
        body |= {"price_receipt": receipt} if receipt else {}
        return self.world.call("POST", "/checkouts", self.guest.token, json=body, key=key)

    def pays(self, receipt: dict[str, Any] | None, key: str = "place") -> int:
        placed = self.place(receipt, key)
        assert placed.status == 201, placed
        amount: int = placed.json["totals"]["total"]["amount"]
        return amount


def warm_caches_end(world: World) -> None:
    world.clock.tick(31)


@pytest.mark.parametrize(("later", "total"), [(5000, 2000), (400, 800), (1000, 2000)])
def test_the_lower_total_of_then_and_now_is_charged(world: World, later: int, total: int) -> None:
    buyer = Buyer(world, TEE=1000)
    shown = buyer.guest.add("TEE", 2).json["price_receipt"]
    world.clock.tick(60)
    buyer.price("TEE", later)
    assert buyer.pays(shown) == total


def test_the_lower_total_is_one_of_the_two_that_were_never_mixed(world: World) -> None:
    # GIVEN one price that rose by 300 and one that fell by 100
    buyer = Buyer(world, TEE=1000, MUG=1000)
    buyer.guest.add("TEE")
    shown = buyer.guest.add("MUG").json["price_receipt"]
    world.clock.tick(60)
    buyer.price("TEE", 1300)
    buyer.price("MUG", 900)
    assert buyer.pays(shown) == 2000


def test_a_receipt_of_an_empty_basket_opens_nothing(world: World) -> None:
    buyer = Buyer(world, TEE=1000)
    empty = buyer.guest.basket["price_receipt"]
    buyer.price("TEE", 5000)
    warm_caches_end(world)
    buyer.guest.add("TEE", 9)
    assert buyer.pays(empty) == 45_000


@pytest.mark.parametrize("change", ["more", "fewer", "another line", "a line less", "another line instead"])
def test_a_receipt_of_other_lines_or_quantities_promises_nothing(world: World, change: str) -> None:
    buyer = Buyer(world, TEE=1000, MUG=100)
    buyer.guest.add("MUG", 1)
    shown = buyer.guest.add("TEE", 3).json["price_receipt"]
    world.clock.tick(60)
    buyer.price("TEE", 5000)
    put, tee, mug = "PUT", f"{buyer.guest.path}/lines/TEE", f"{buyer.guest.path}/lines/MUG"
    match change:
        case "more":
            world.call(put, tee, buyer.guest.token, json={"quantity": 4})
            want = 20_100
        case "fewer":
            world.call(put, tee, buyer.guest.token, json={"quantity": 2})
            want = 10_100
        case "another line":
            buyer.price("SOCKS", 10)
            buyer.shop.stock("SOCKS", 9)
            buyer.guest.add("SOCKS", 1)
            want = 15_110
        case "a line less":
            world.call("DELETE", mug, buyer.guest.token)
            want = 15_000
        case _:
            world.call("DELETE", mug, buyer.guest.token)
            buyer.price("SOCKS", 100)
            buyer.shop.stock("SOCKS", 9)
            buyer.guest.add("SOCKS", 1)
            want = 15_100
    assert buyer.pays(shown) == want


def test_lines_that_were_taken_out_and_put_back_are_what_was_shown(world: World) -> None:
    buyer = Buyer(world, TEE=1000)
    shown = buyer.guest.add("TEE", 2).json["price_receipt"]
    world.call("DELETE", f"{buyer.guest.path}/lines/TEE", buyer.guest.token)
    buyer.guest.add("TEE", 1)
    buyer.guest.add("TEE", 1)
    world.clock.tick(60)
    buyer.price("TEE", 5000)
    assert buyer.pays(shown) == 2000


def test_what_is_recalled_is_not_sold_for_yesterdays_price(world: World) -> None:
    buyer = Buyer(world, TEE=1000, MUG=100)
    buyer.guest.add("MUG")
    shown = buyer.guest.add("TEE").json["price_receipt"]
    buyer.price("TEE", None)
    refused = buyer.place(shown)
    assert problem(refused) == (409, "not-sold")
    assert refused.json["skus"] == ["TEE"]


def test_a_price_from_a_cache_that_was_behind_is_still_what_was_shown(world: World) -> None:
    # GIVEN a price that rose a moment ago, and a basket that still shows the old one
    buyer = Buyer(world, TEE=1000)
    buyer.guest.add("TEE", 1)
    buyer.price("TEE", 5000)
    shown = buyer.guest.basket
    assert shown["totals"]["total"]["amount"] == 1000
    # WHEN
    assert buyer.pays(shown["price_receipt"]) == 1000


@pytest.mark.parametrize(("later", "status"), [(1001, 409), (1000, 201), (999, 201)])
def test_an_expired_receipt_refuses_only_what_is_dearer(world: World, later: int, status: int) -> None:
    buyer = Buyer(world, TEE=1000)
    shown = buyer.guest.add("TEE", 2).json["price_receipt"]
    world.clock.tick(901)
    buyer.price("TEE", later)
    answer = buyer.place(shown)
    assert answer.status == status
    if status == 409:
        assert problem(answer) == (409, "price-changed")
        assert answer.json["total"] == {"amount": 2002, "currency": "EUR"}
    else:
        assert answer.json["totals"]["total"]["amount"] == 2 * later


def test_an_expired_receipt_of_other_quantities_is_no_obstacle(world: World) -> None:
    buyer = Buyer(world, TEE=1000)
    shown = buyer.guest.add("TEE", 2).json["price_receipt"]
    world.clock.tick(901)
    buyer.price("TEE", 5000)
    buyer.guest.add("TEE", 1)
    assert buyer.pays(shown) == 15_000


@pytest.mark.parametrize("market", ["bg", "ch", "cz", "dk", "nl", "uk"])
def test_every_currency_keeps_its_own_past(world: World, monkeypatch: pytest.MonkeyPatch, market: str) -> None:
    # GIVEN a product that is sold in twelve currencies, all of which are repriced again and again
    currencies = {"bg": "BGN", "ch": "CHF", "cz": "CZK", "dk": "DKK"}
    more = {
        each: {"currency": currency, "country": each.upper(), "languages": ["en"], "taxes": {"standard": 20}}
        for each, currency in currencies.items()
    }
    markets(world, monkeypatch, more)
    buyer = Buyer(world, market, TEE=1000)
    buyer.price("TEE", 1000, TWELVE)
    warm_caches_end(world)
    shown = buyer.guest.add("TEE", 2).json["price_receipt"]
    world.clock.tick(1)
    for amount in range(1100, 1900, 100):
        buyer.price("TEE", amount, TWELVE)
    # THEN the receipt is kept in each of them
    assert buyer.pays(shown) == 2000


def test_what_nobody_can_tell_any_more_is_never_silently_dearer(world: World) -> None:
    # GIVEN more prices since than the catalog keeps
    buyer = Buyer(world, TEE=1000)
    shown = buyer.guest.add("TEE", 1).json["price_receipt"]
    world.clock.tick(1)
    for amount in range(1101, 1126):
        buyer.price("TEE", amount)
    refused = buyer.place(shown)
    assert problem(refused) == (409, "price-changed")
    assert refused.json["total"]["amount"] == 1125
    # AND what is cheaper now is no reason to refuse
    buyer.price("TEE", 900)
    assert buyer.pays(shown) == 900


def test_a_receipt_in_an_earlier_format_is_an_expired_one(world: World) -> None:
    from commerce import clock, tokens

    buyer = Buyer(world, TEE=1000)
    buyer.guest.add("TEE", 1)
    with buyer.shop.inside():
        identity = f"{clock.iso()}~{tokens.digest([['TEE', 1000]])[:16]}"
        until = clock.after(900)
        signature = tokens.sign("price", {"basket": buyer.guest.id, "id": identity, "until": until})
        unknown = tokens.sign("price", {"basket": buyer.guest.id, "id": "r9~x~y", "until": until})
    early = {"id": identity, "expires_at": until, "signature": signature}
    buyer.price("TEE", 1100)
    assert problem(buyer.place(early)) == (409, "price-changed")
    assert problem(buyer.place({"id": "r9~x~y", "expires_at": until, "signature": unknown})) == (409, "price-changed")
    buyer.price("TEE", 1000)
    assert buyer.pays(early) == 1000


@pytest.mark.parametrize("member", ["id", "expires_at", "signature", "total"])
def test_a_changed_receipt_is_refused(world: World, member: str) -> None:
    buyer = Buyer(world, TEE=1000)
    shown = buyer.guest.add("TEE", 1).json["price_receipt"]
    changed = {
        "id": shown | {"id": shown["id"].replace("r2~2026", "r2~2025")},
        "expires_at": shown | {"expires_at": "2027-01-01T00:00:00.000Z"},
        "signature": shown | {"signature": shown["signature"][:-4] + "AAAA"},
        "total": shown | {"id": shown["id"].rpartition("~")[0] + "~1"},
    }[member]
    assert problem(buyer.place(changed)) == (422, "validation")
    assert buyer.pays(shown) == 1000


def markets(world: World, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]) -> None:
    """Markets as an operator configures them, for every function of this world."""
    import json

    for function in world.template.functions.values():
        monkeypatch.setitem(function.env, "MARKETS", json.dumps(more))
