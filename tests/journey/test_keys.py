"""A key is one request: the same again is a repeat, anything else under it is 422, on every route that takes a key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import World

OTHER = "0190a1b2-0000-7000-8000-0000000000aa"


class Shop:
    """A shop in which each of these requests can be carried out."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.seed_products({"TEE": 1995, "MUG": 900}, stock=50)
        self.staff, self.customer = world.token("staff"), world.token("customer")
        self.guest = world.call("POST", "/baskets", json={"channel": "web"}).json
        self.basket = world.call("GET", "/me/basket", self.customer).json["basket_id"]
        self.people = [world.call("POST", "/profiles", self.staff, json={}).json["profile_id"] for _ in range(3)]

    def order(self, *, paid: bool = False) -> tuple[str, str]:
        """An order, and its payment in cash."""
        call, key = self.world.call, str(self.world.random.random())
        path = f"/baskets/{self.basket}/lines"
        assert call("POST", path, self.customer, json={"sku": "TEE", "quantity": 2}, key=f"l{key}").status == 200
        order = call("POST", "/checkouts", self.customer, json=self.checkout(), key=f"o{key}").json["order_id"]
        if not paid:
            return order, ""
        payment = call("POST", f"/orders/{order}/payments", self.staff, json=_CASH, key=f"p{key}").json["payment_id"]
        self.world.settle()
        return order, payment

    def checkout(self) -> dict[str, Any]:
        return {"basket_id": self.basket, "contact": {"name": "Ann"}, "fulfilment": {"kind": "delivery"}}


_CASH = {"provider": "cash", "method": "cash"}
_MOVE = {"location_id": "nl-warehouse", "sku": "TEE", "kind": "receipt", "quantity": 1, "reference": "r"}
_COUNT = {"location_id": "nl-warehouse", "lines": [{"sku": "TEE", "quantity": 1}]}


def add_line(shop: Shop) -> tuple[str, str, Any, list[Any]]:
    body = {"sku": "TEE", "quantity": 1, "channel": "web"}
    others = [body | {"quantity": 2}, body | {"sku": "MUG"}, body | {"channel": "app"}]
    return shop.customer, f"/baskets/{shop.basket}/lines", body, others


def place_order(shop: Shop) -> tuple[str, str, Any, list[Any]]:
    line = {"sku": "TEE", "quantity": 1}
    shop.world.call("POST", f"/baskets/{shop.basket}/lines", shop.customer, json=line, key="for-the-order")
    others = [shop.checkout() | {"contact": {"name": "Bob"}}, shop.checkout() | {"basket_version": 1}]
    return shop.customer, "/checkouts", shop.checkout(), others


def claim_basket(shop: Shop) -> tuple[str, str, Any, list[Any]]:
    other = shop.world.call("POST", "/baskets", json={"channel": "web"}).json["token"]
    return shop.customer, "/me/basket/claims", {"basket_token": shop.guest["token"]}, [{"basket_token": other}]


def cancel_order(shop: Shop) -> tuple[str, str, Any, list[Any]]:
    return shop.customer, f"/orders/{shop.order()[0]}/cancel", None, [{"lines": []}, {"reason": "x"}]


def fulfil_order(shop: Shop) -> tuple[str, str, Any, list[Any]]:
    return shop.staff, f"/orders/{shop.order(paid=True)[0]}/fulfilments", None, [{"lines": []}]


def start_payment(shop: Shop) -> tuple[str, str, Any, list[Any]]:
    part = _CASH | {"amount": {"amount": 100, "currency": "EUR"}}
    return shop.staff, f"/orders/{shop.order()[0]}/payments", part, [_CASH, part | {"capture": "manual"}]


def refund_payment(shop: Shop) -> tuple[str, str, Any, list[Any]]:
    body = {"amount": {"amount": 100, "currency": "EUR"}, "reason": "r"}
    others = [body | {"reason": "other"}, body | {"amount": {"amount": 99, "currency": "EUR"}}]
    return shop.staff, f"/payments/{shop.order(paid=True)[1]}/refunds", body, others


def create_profile(shop: Shop) -> tuple[str, str, Any, list[Any]]:
    return shop.staff, "/profiles", {"given_name": "Ann"}, [{"given_name": "Bob"}, {}]


def merge_profiles(shop: Shop) -> tuple[str, str, Any, list[Any]]:
    body = {"survivor_id": shop.people[0], "absorbed_id": shop.people[1], "reason": "r"}
    return shop.staff, "/profiles/merges", body, [body | {"absorbed_id": shop.people[2]}, body | {"reason": "other"}]


def post_movement(shop: Shop) -> tuple[str, str, Any, list[Any]]:
    return shop.staff, "/stock/movements", _MOVE, [_MOVE | {"quantity": 2}, _MOVE | {"reference": "other"}]


def create_count(shop: Shop) -> tuple[str, str, Any, list[Any]]:
    return shop.staff, "/stock/counts", _COUNT, [_COUNT | {"lines": [{"sku": "TEE", "quantity": 2}]}]


KEYED = [
    add_line, place_order, claim_basket, cancel_order, fulfil_order, start_payment, refund_payment, create_profile,
    merge_profiles, post_movement, create_count,
]  # fmt: skip


@pytest.mark.parametrize("request_", KEYED, ids=lambda each: each.__name__)
def test_another_body_or_query_under_a_used_key_is_422(world: World, request_: Any) -> None:
    # GIVEN a request that was carried out
    token, path, body, others = request_(Shop(world))
    first = world.call("POST", path, token, json=body, key="the-key")
    assert first.status in (200, 201, 202), first
    world.settle()
    # WHEN it comes again THEN it is a repeat
    again = world.call("POST", path, token, json=body, key="the-key")
    assert (again.status, again.headers.get("idempotent-replayed")) == (first.status, "true"), again
    # WHEN something else comes under its key THEN it is refused, whatever is else about it, and nothing changes
    before = _state(world)
    for other in others:
        refused = world.call("POST", path, token, json=other, key="the-key")
        assert refused.status == 422, (other, refused)
    assert world.call("POST", f"{path}?nobody=1", token, json=body, key="the-key").status == 422
    assert _state(world) == before


def _state(world: World) -> list[str]:
    """Everything anybody can see (parts of a count that never was are not; they go by themselves)."""
    items = [each for name in world.template.tables for each in world.items(name)]
    return sorted(str(each) for each in items if not str(each.get("sk")).startswith("PART#"))
