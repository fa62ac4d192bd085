"""A day on which nearly everything happens that the bus knows of: the producers' real events."""

from __future__ import annotations

import uuid
from typing import Any

from tests.world import World

ADDRESS = {"line1": "Dam 1", "postal_code": "1012 JS", "city": "Amsterdam"}


def live_through(world: World) -> None:
    """Sell, merge, cancel, expire, refund, oversell, fall silent, erase."""
    world.seed_products({"TEE": 1995, "MUG": 1250}, stock=20)
    a_week = 7 * 86400
    staff, customer = world.token("staff", lifetime_s=a_week), world.token("customer", lifetime_s=a_week)
    _price_change(world, staff)
    _claim_and_undo(world, customer)
    paid = _paid_order(world, customer)
    _ok(world.call("POST", f"/orders/{paid}/cancel", customer, key="cancel-paid"))
    world.settle()
    unpaid = _guest_order(world, "cancelled")
    _ok(world.call("POST", f"/orders/{unpaid}/cancel", staff, key="cancel-unpaid"))
    _guest_order(world, "expired")
    _guest(world, "MUG")
    world.settle()
    world.advance(20 * 60, tick=300)
    world.advance(26 * 3600)
    world.advance(60)
    _cash_order(world, staff)
    _oversell(world)
    _people(world, staff)
    world.settle()


def _price_change(world: World, staff: str) -> None:
    body = {"name": "Mug", "prices": [{"amount": 1350, "currency": "EUR"}]}
    _ok(world.call("PUT", "/products/MUG", staff, json=body))


def _claim_and_undo(world: World, customer: str) -> None:
    _, token = _guest(world, "TEE")
    claim = _ok(world.call("POST", "/me/basket/claims", customer, json={"basket_token": token}, key="claim"))
    _ok(world.call("DELETE", f"/me/basket/claims/{claim['merge']['merge_id']}", customer))


def _paid_order(world: World, customer: str) -> str:
    basket = _ok(world.call("GET", "/me/basket", customer))["basket_id"]
    _ok(world.call("POST", f"/baskets/{basket}/lines", customer, json={"sku": "TEE", "quantity": 2}, key="add"))
    body = {"basket_id": basket, "contact": {"name": "Ann"}, "fulfilment": {"kind": "delivery", "address": ADDRESS}}
    order = _ok(world.call("POST", "/checkouts", customer, json=body, key="order"))["order_id"]
    asked = {"provider": "stripe", "method": "online"}
    _ok(world.call("POST", f"/orders/{order}/payments", customer, json=asked, key="failing"))
    stripe = world.providers["stripe"]
    intent = stripe.books()["payments"][-1]["id"]
    stripe.door("fail", id=intent)
    world.settle()
    stripe.door("pay", id=intent)
    world.settle()
    assert _ok(world.call("GET", f"/orders/{order}", customer))["state"] == "paid"
    return str(order)


def _cash_order(world: World, staff: str) -> None:
    order = _guest_order(world, "cash")
    _ok(world.call("POST", f"/orders/{order}/payments", staff, json={"provider": "cash", "method": "cash"}, key="cash"))
    world.settle()
    _ok(world.call("POST", f"/orders/{order}/fulfilments", staff, key="handed-over"))


def _oversell(world: World) -> None:
    till = world.token("device", location_id="ams-kalverstraat")
    sale = {"location_id": "ams-kalverstraat", "sku": "TEE", "kind": "sale", "quantity": 3, "reference": "receipt 1"}
    _ok(world.call("POST", "/stock/movements", till, json=sale, key="sale"))


def _people(world: World, staff: str) -> None:
    made = [
        _ok(
            world.call(
                "POST", "/profiles", staff, key=f"p{place}",
                json={
                    "given_name": "Ann",
                    "identities": [{"kind": "email", "value": f"a{place}@x.nl", "verified": True}],
                },
            )
        )["profile_id"]
        for place in range(2)
    ]  # fmt: skip
    merge = {"survivor_id": made[0], "absorbed_id": made[1], "reason": "same card"}
    merge_id = _ok(world.call("POST", "/profiles/merges", staff, json=merge, key="merge"))["merge_id"]
    _ok(world.call("DELETE", f"/profiles/merges/{merge_id}", staff))
    _ok(world.call("DELETE", f"/profiles/{made[1]}", staff))


def _guest_order(world: World, key: str) -> str:
    basket, token = _guest(world, "TEE")
    body = {"basket_id": basket, "contact": {"name": "Bob"}, "fulfilment": {"kind": "delivery", "address": ADDRESS}}
    return str(_ok(world.call("POST", "/checkouts", token, json=body, key=key))["order_id"])


def _guest(world: World, sku: str) -> tuple[str, str]:
    made = _ok(world.call("POST", "/baskets", json={"channel": "web"}))
    basket, token = made["basket"]["basket_id"], made["token"]
    _ok(world.call("POST", f"/baskets/{basket}/lines", token, json={"sku": sku, "quantity": 1}, key=str(uuid.uuid4())))
    return basket, token


def _ok(answer: Any) -> Any:
    assert 200 <= answer.status < 300, answer
    return answer.json
