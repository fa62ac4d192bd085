"""A device acts for its own location: every route a till can call, with what belongs to its store, to another, to none.

The table of docs/decisions/scopes-and-locations.md, acted out. `HERE` and `THERE` are two stores with a till each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.template import load
from tests.journey.checkout_shop import DELIVERY, Shop
from tests.world import Response, World

HERE, THERE, HUB = "ams-kalverstraat", "utr-oudegracht", "nl-warehouse"
SCOPES = (
    "catalog:write stock:write locations:write basket:serve orders:read orders:write payments:read payments:write "
    "payments:refund payments:account profiles:read profiles:write"
)
"""All a till could be given."""

# Routes of a person, a basket or the catalogue: they belong to no location, so scopes alone decide.
NOBODYS_PLACE = {
    "/products/{sku}", "/products/batch", "/profiles", "/profiles/{profile_id}", "/profiles/{profile_id}/identities",
    "/profiles/{profile_id}/timeline", "/profiles/{profile_id}/export", "/profiles/merges",
    "/profiles/merges/{merge_id}", "/customers/{customer_id}/basket",
}  # fmt: skip


class Stores:
    """Orders of each store, off the web for each store, and one to be delivered from the warehouse."""

    def __init__(self, world: World) -> None:
        self.world, self.shop, self._keys = world, Shop(world), 0
        for place in (HERE, THERE, HUB):
            self.shop.stock("TEE", 50, place)
        self.shop.product("TEE")
        self.tills = {place: self.till(place) for place in (HERE, THERE)}
        self.nowhere = world.token("device", sub="till-lost", scopes=SCOPES)

    def till(self, place: str, scopes: str = SCOPES) -> str:
        return self.world.token("device", sub=f"till-{place}", scopes=scopes, location_id=place)

    def call(self, method: str, path: str, token: str, body: Any = None) -> Response:
        self._keys += 1
        return self.world.call(method, path, token, json=body, key=f"key-{self._keys}")

    def order(self, fulfilment: dict[str, Any], token: str | None = None) -> str:
        self._keys += 1
        shopper = self.shop.basket({"TEE": 1})
        placed = self.shop.place(shopper, key=f"key-{self._keys}", token=token, fulfilment=fulfilment)
        assert placed.status == 201, placed
        self.token = shopper.token
        return str(placed.json["order_id"])

    def pickup(self, place: str, token: str | None = None) -> str:
        return self.order({"kind": "pickup", "location_id": place}, token)

    def paid(self, order_id: str, token: str) -> str:
        asked = {"provider": "cash", "method": "cash"}
        started = self.call("POST", f"/orders/{order_id}/payments", token, asked)
        assert started.status == 201, started
        self.world.settle()
        return str(started.json["payment_id"])

    def paid_online(self, order_id: str) -> str:
        started = self.call(
            "POST", f"/orders/{order_id}/payments", self.token, {"provider": "stripe", "method": "online"}
        )
        assert started.status == 201, started
        payment_id = str(started.json["payment_id"])
        item = next(i for i in self.world.items("PaymentsTable") if (i["pk"], i["sk"]) == (f"P#{payment_id}", "-"))
        self.world.providers["stripe"].door("pay", id=item["provider_ref"])
        self.world.settle()
        return payment_id

    def refund(self, payment_id: str, token: str) -> Response:
        body = {"amount": {"amount": 100, "currency": "EUR"}, "reason": "returned"}
        return self.call("POST", f"/payments/{payment_id}/refunds", token, body)


@pytest.fixture
def stores(world: World) -> Iterator[Stores]:
    made = Stores(world)
    yield made
    from tests.world.doctor_hook import slips

    assert slips(world) == []


def forbidden(answer: Response, detail: str = "This belongs to another location than yours.") -> None:
    assert answer.status == 403, answer
    assert (answer.json["type"], answer.json["detail"]) == ("/problems/forbidden", detail)


# ---------------------------------------------------------------------------------------------------------- orders


def test_another_stores_pickup_order_is_not_read_handed_over_or_cancelled(stores: Stores) -> None:
    # GIVEN a paid order somebody placed off the web, to be picked up there
    order = stores.pickup(THERE)
    stores.paid_online(order)
    for stranger in (stores.tills[HERE], stores.nowhere):
        for method, path in (("GET", ""), ("POST", "/fulfilments"), ("POST", "/cancel")):
            forbidden(stores.call(method, f"/orders/{order}{path}", stranger))
    # THEN the till of that store does all of it
    till = stores.tills[THERE]
    assert stores.call("GET", f"/orders/{order}", till).status == 200
    assert stores.call("POST", f"/orders/{order}/fulfilments", till).json["state"] == "fulfilled"


def test_a_repeat_of_what_somebody_else_did_is_refused_too(stores: Stores) -> None:
    """Under the same Idempotency-Key as well: keys are one caller's own."""
    order = stores.pickup(THERE)
    stores.paid(order, stores.tills[THERE])
    done = stores.world.call("POST", f"/orders/{order}/fulfilments", stores.tills[THERE], key="hand-over")
    assert done.status == 200
    forbidden(stores.world.call("POST", f"/orders/{order}/fulfilments", stores.tills[HERE], key="hand-over"))


def test_a_till_cancels_what_is_its_own_only(stores: Stores) -> None:
    mine, theirs, webs = stores.pickup(HERE), stores.pickup(THERE), stores.order(DELIVERY)
    assert stores.call("POST", f"/orders/{mine}/cancel", stores.tills[HERE]).json["state"] == "cancelled"
    forbidden(stores.call("POST", f"/orders/{theirs}/cancel", stores.tills[HERE]))
    forbidden(stores.call("POST", f"/orders/{webs}/cancel", stores.tills[HERE]))
    # Staff are bound by nothing but their scopes.
    assert stores.call("POST", f"/orders/{webs}/cancel", stores.world.token("staff")).json["state"] == "cancelled"


def test_goods_that_leave_by_carrier_are_sent_where_they_are(stores: Stores) -> None:
    order = stores.order(DELIVERY)
    stores.paid_online(order)
    assert stores.call("GET", f"/orders/{order}", stores.tills[HERE]).status == 200  # any till tells its shopper
    forbidden(stores.call("POST", f"/orders/{order}/fulfilments", stores.tills[HERE]))
    assert stores.call("POST", f"/orders/{order}/fulfilments", stores.till(HUB)).status == 200


def test_a_till_sells_for_pickup_elsewhere_and_the_order_is_both_stores(stores: Stores) -> None:
    order = stores.pickup(THERE, stores.tills[HERE])
    assert stores.shop.order(order)["sold_at"] == HERE
    for place in (HERE, THERE):
        assert stores.call("GET", f"/orders/{order}", stores.tills[place]).status == 200
    payment = stores.paid(order, stores.tills[HERE])
    # AND is handed over there only, the cash goes back where it was paid
    forbidden(stores.call("POST", f"/orders/{order}/fulfilments", stores.tills[HERE]))
    forbidden(stores.refund(payment, stores.tills[THERE]))
    assert stores.refund(payment, stores.tills[HERE]).status == 201
    # AND a third store has no business with it
    forbidden(stores.call("GET", f"/orders/{order}", stores.till("rtm-lijnbaan")))


def test_carry_out_is_from_ones_own_shelf(stores: Stores) -> None:
    shopper = stores.shop.basket({"TEE": 1})
    there = {"kind": "carry_out", "location_id": THERE}
    for token in (stores.tills[HERE], stores.nowhere):
        assert stores.shop.place(shopper, token=token, fulfilment=there).status == 422
    mine = stores.order({"kind": "carry_out"}, stores.tills[HERE])
    assert "sold_at" not in stores.shop.order(mine)


# -------------------------------------------------------------------------------------------------------- payments


def test_another_stores_order_is_not_paid_or_looked_at(stores: Stores) -> None:
    order = stores.pickup(THERE)
    payment = stores.paid_online(order)
    other = stores.pickup(THERE)
    for stranger in (stores.tills[HERE], stores.nowhere):
        forbidden(stores.call("POST", f"/orders/{other}/payments", stranger, {"provider": "cash", "method": "cash"}))
        forbidden(stores.call("GET", f"/orders/{order}/payments", stranger))
        forbidden(stores.call("GET", f"/payments/{payment}", stranger))
    assert stores.call("GET", f"/orders/{order}/payments", stores.tills[THERE]).status == 200
    assert stores.call("GET", f"/payments/{payment}", stores.tills[THERE]).status == 200


def test_money_goes_back_from_the_store_it_belongs_to(stores: Stores) -> None:
    """Cash of a till, a web payment for a store's pickup, and a web payment that belongs to no store."""
    cash = stores.paid(stores.pickup(THERE), stores.tills[THERE])
    web_pickup = stores.paid_online(stores.pickup(THERE))
    web = stores.paid_online(stores.order(DELIVERY))
    for payment in (cash, web_pickup, web):
        for stranger in (stores.tills[HERE], stores.nowhere):
            forbidden(stores.refund(payment, stranger))
    assert stores.refund(cash, stores.tills[THERE]).status == 201
    assert stores.refund(web_pickup, stores.tills[THERE]).status == 201
    # AND a web payment of no store is customer service's
    forbidden(stores.refund(web, stores.tills[THERE]))
    assert stores.refund(web, stores.world.token("staff")).status == 201


def test_a_cash_refund_is_paid_out_where_the_money_is(stores: Stores) -> None:
    payment = stores.paid(stores.pickup(THERE), stores.tills[THERE])
    refund = stores.refund(payment, stores.tills[THERE]).json["refund_id"]
    path = f"/payments/{payment}/refunds/{refund}/paid-out"
    for stranger in (stores.tills[HERE], stores.nowhere):
        assert stores.call("PUT", path, stranger).status == 403
    assert stores.call("PUT", path, stores.tills[THERE]).json["status"] == "succeeded"


def test_refunds_have_a_scope_of_their_own(stores: Stores) -> None:
    payment = stores.paid(stores.pickup(HERE), stores.tills[HERE])
    wide = SCOPES.replace("payments:refund ", "")
    forbidden(stores.refund(payment, stores.till(HERE, wide)), "This needs the scope payments:refund.")
    clerk = stores.world.token("staff", scopes="payments:write payments:read orders:write")
    forbidden(stores.refund(payment, clerk), "This needs the scope payments:refund.")
    assert stores.refund(payment, stores.till(HERE, "payments:refund")).status == 201


def test_money_that_is_held_is_taken_where_it_belongs(stores: Stores) -> None:
    order = stores.pickup(THERE)
    asked = {"provider": "stripe", "method": "online", "capture": "manual"}
    started = stores.call("POST", f"/orders/{order}/payments", stores.token, asked).json
    item = next(
        i for i in stores.world.items("PaymentsTable") if i["pk"] == f"P#{started['payment_id']}" and i["sk"] == "-"
    )
    stores.world.providers["stripe"].door("pay", id=item["provider_ref"])
    stores.world.settle()
    path = f"/payments/{started['payment_id']}/captures"
    forbidden(stores.call("POST", path, stores.tills[HERE], {}))
    assert stores.call("POST", path, stores.tills[THERE], {}).status == 201


def test_a_web_order_can_be_paid_at_any_till_and_that_payment_is_the_tills(stores: Stores) -> None:
    payment = stores.paid(stores.order(DELIVERY), stores.tills[HERE])
    forbidden(stores.call("GET", f"/payments/{payment}", stores.tills[THERE]))
    forbidden(stores.refund(payment, stores.tills[THERE]))
    assert stores.refund(payment, stores.tills[HERE]).status == 201


def test_lists_show_a_till_its_own_store_only(stores: Stores) -> None:
    # GIVEN a paid order of the other store whose money went back before the goods left
    order = stores.pickup(THERE)
    payment = stores.paid(order, stores.tills[THERE])
    refund = stores.refund(payment, stores.tills[THERE]).json["refund_id"]
    stores.call("PUT", f"/payments/{payment}/refunds/{refund}/paid-out", stores.tills[THERE])
    stores.world.settle()

    def at_risk(token: str) -> list[str]:
        return [each["order_id"] for each in stores.call("GET", "/orders/at-risk", token).json["items"]]

    # THEN
    assert at_risk(stores.tills[THERE]) == [order] == at_risk(stores.world.token("staff"))
    assert at_risk(stores.tills[HERE]) == [] == at_risk(stores.nowhere)


def test_a_refund_that_failed_is_listed_for_its_own_store_only(stores: Stores) -> None:
    # GIVEN money of the other store that has to go back again, because its refund failed
    payment = stores.paid_online(stores.pickup(THERE))
    assert stores.refund(payment, stores.tills[THERE]).status == 201
    stores.world.settle()
    (refund,) = stores.world.providers["stripe"].standin.account.objects["refund"]
    stores.world.providers["stripe"].door("refunds/fail", id=refund)
    stores.world.settle()

    def owed(token: str) -> list[str]:
        items = stores.call("GET", "/refunds?state=failed", token).json["items"]
        return [each["payment_id"] for each in items]

    # THEN
    assert owed(stores.tills[THERE]) == [payment] == owed(stores.world.token("staff"))
    assert owed(stores.tills[HERE]) == [] == owed(stores.nowhere)


# ----------------------------------------------------------------------------------------------------------- stock


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/stock/movements", {"location_id": HERE, "sku": "TEE", "kind": "sale", "quantity": 1}),
        ("POST", "/stock/movements", {"location_id": HERE, "sku": "TEE", "kind": "adjustment", "quantity": -1}),
        (
            "POST",
            "/stock/movements",
            {"location_id": HERE, "sku": "TEE", "kind": "transfer", "quantity": 1, "to_location_id": THERE},
        ),
        ("GET", f"/stock/TEE/movements?location={HERE}", None),
        ("PUT", "/stock/TEE/safety", {"location_id": HERE, "safety_stock": 1}),
        ("PUT", "/stock/TEE/shards", {"location_id": HERE, "shards": 2}),
        ("POST", "/stock/counts", {"location_id": HERE, "reference": "c", "lines": [{"sku": "TEE", "quantity": 50}]}),
        ("PUT", f"/locations/{HERE}", {"name": "Kalverstraat", "kind": "store"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_stock_is_moved_and_described_where_the_device_stands(
    stores: Stores, method: str, path: str, body: Any
) -> None:
    for stranger in (stores.tills[THERE], stores.nowhere):
        forbidden(stores.call(method, path, stranger, body))
    assert stores.call(method, path, stores.tills[HERE], body).status in (200, 201, 202)


def test_a_count_of_another_store_is_not_there(stores: Stores) -> None:
    body = {"location_id": HERE, "reference": "c", "lines": [{"sku": "TEE", "quantity": 50}]}
    count = stores.call("POST", "/stock/counts", stores.tills[HERE], body).json["count_id"]
    assert stores.call("GET", f"/stock/counts/{count}", stores.tills[THERE]).status == 404
    assert stores.call("GET", f"/stock/counts/{count}", stores.tills[HERE]).status == 200


# ----------------------------------------------------------------------------------------------------------- people


def test_a_till_neither_erases_nor_exports_anybody(stores: Stores) -> None:
    person = stores.call("POST", "/profiles", stores.tills[HERE], {"given_name": "Ann"}).json["profile_id"]
    erase = stores.call("DELETE", f"/profiles/{person}", stores.tills[HERE])
    forbidden(erase, "This needs the scope profiles:erase.")
    export = stores.call("GET", f"/profiles/{person}/export", stores.tills[HERE])
    forbidden(export, "This needs the scope profiles:export.")
    assert stores.call("GET", f"/profiles/{person}", stores.tills[HERE]).status == 200


# ------------------------------------------------------------------------------------------------------------ staff


def test_staff_are_bound_to_their_location_only_if_their_token_says_so(stores: Stores) -> None:
    order = stores.pickup(THERE)
    free = stores.world.token("staff", location_id=HERE)
    bound = stores.world.token("staff", scopes=f"{SCOPES} location:own", location_id=HERE)
    lost = stores.world.token("staff", scopes=f"{SCOPES} location:own")
    for token in (bound, lost):
        forbidden(stores.call("GET", f"/orders/{order}", token))
        forbidden(stores.call("POST", f"/orders/{order}/cancel", token))
    assert stores.call("POST", f"/orders/{order}/cancel", free).status == 200


def test_every_route_with_a_token_is_in_the_table() -> None:
    """A new private route says here whether it belongs to a location; most of this file is what that means."""
    tested = {
        "/orders/{order_id}", "/orders/{order_id}/fulfilments", "/orders/{order_id}/cancel", "/checkouts",
        "/orders/{order_id}/payments", "/payments/{payment_id}", "/payments/{payment_id}/captures",
        "/payments/{payment_id}/refunds", "/payments/{payment_id}/refunds/{refund_id}/paid-out",
        "/orders/at-risk", "/refunds", "/stock/movements", "/stock/{sku}/movements", "/stock/{sku}/safety",
        "/stock/{sku}/shards", "/stock/counts", "/stock/counts/{count_id}", "/locations/{location_id}",
    }  # fmt: skip
    private = {route.path for route in load().routes if route.authorizer is not None}
    others = {path for path in private if path.startswith(("/me", "/baskets/"))}
    assert private - others == tested | NOBODYS_PLACE
