"""The journeys that are struck everywhere: short, each one promise of the shop, written once.

A journey runs hundreds of times with something going wrong at a different call each time, so it asserts only what was
promised whatever happens: final states, not the way there. What is not the point of a journey happens in `calm`.
"""

from __future__ import annotations

from tests.faults.shopper import Shopper, done, level, ordered, paid, shopper_pays
from tests.world import World

HOLD_SECONDS = 900


def fill_basket(world: World) -> None:
    """Every accepted add survives, whatever was repeated."""
    with world.calm():
        world.seed_products({"TEE": 1995, "MUG": 1250, "SOCKS": 895})
    guest = Shopper.guest(world)
    done(guest.add("TEE", 2))
    done(guest.add("MUG"))
    line = f"/baskets/{guest.basket_id}/lines"
    done(world.call("PUT", f"{line}/TEE", guest.token, json={"quantity": 3}))
    done(guest.add("SOCKS"))
    done(world.call("DELETE", f"{line}/MUG", guest.token))
    world.settle()
    assert guest.lines() == {"TEE": 3, "SOCKS": 1}


def sign_in(world: World) -> None:
    """The guest's basket follows into the account, once."""
    with world.calm():
        world.seed_products({"TEE": 1995, "MUG": 1250})
        guest = Shopper.guest(world)
        done(guest.add("TEE", 2))
        customer = Shopper.customer(world)
        done(customer.add("MUG"))
        world.settle()
    done(world.call("POST", "/me/basket/claims", customer.token, json={"basket_token": guest.token}, key="claim"))
    world.settle()
    assert customer.lines() == {"TEE": 2, "MUG": 1}


def place_order(world: World) -> None:
    """A placed order holds its stock, and the basket is empty of it."""
    with world.calm():
        world.seed_products({"TEE": 1995, "MUG": 1250}, stock=5)
        shopper = Shopper.customer(world)
        done(shopper.add("TEE", 2))
        done(shopper.add("MUG"))
        world.settle()
    order = done(shopper.checkout())
    world.settle()
    assert (order["state"], shopper.lines()) == ("placed", {})
    assert (level(world, "TEE"), level(world, "MUG")) == ((5, 2, 3), (5, 1, 4))


def pay_by_ideal(world: World) -> None:
    """Paid on Stripe's page: the order is paid and its goods are sold."""
    _pay_online(world, "stripe")


def pay_by_mollie(world: World) -> None:
    """Paid on Mollie's page, told by a bare id that we have to look up."""
    _pay_online(world, "mollie")


def _pay_online(world: World, provider: str) -> None:
    shopper, order_id = ordered(world)
    payment_id = shopper.pay(order_id, provider)["payment_id"]
    shopper_pays(world, provider, payment_id)
    world.settle()
    world.advance(60)
    world.advance(300)
    assert shopper.order(order_id)["state"] == "paid"
    assert (level(world, "TEE"), level(world, "MUG")) == ((3, 0, 3), (4, 0, 4))


def pay_cash(world: World) -> None:
    """Cash at the till is captured at once."""
    _, order_id = ordered(world)
    till = world.token("device", location_id="ams-kalverstraat")
    body = {"provider": "cash", "method": "cash"}
    done(world.call("POST", f"/orders/{order_id}/payments", till, json=body, key="cash"))
    world.settle()
    order = done(world.call("GET", f"/orders/{order_id}", till))
    assert order["state"] == "paid"
    assert level(world, "TEE") == (3, 0, 3)


def leave_unpaid(world: World) -> None:
    """An unpaid order expires: stock and lines come back, exactly once."""
    shopper, order_id = ordered(world)
    world.advance(HOLD_SECONDS + 60)
    world.advance(120)
    assert shopper.order(order_id)["state"] == "expired"
    assert shopper.lines() == {"TEE": 2, "MUG": 1}
    assert (level(world, "TEE"), level(world, "MUG")) == ((5, 0, 5), (5, 0, 5))


def pay_late(world: World) -> None:
    """Told of the payment after the order expired, while the goods are still there: the order is paid after all."""
    shopper, order_id = _paid_but_untold(world)
    world.pump.paused.clear()
    world.settle()
    for _ in range(2):
        world.advance(300)
    assert shopper.order(order_id)["state"] == "paid"
    assert level(world, "TEE") == (3, 0, 3)


def pay_too_late(world: World) -> None:
    """Told of the payment after the order expired and the goods are gone: exactly what was captured goes back."""
    shopper, order_id = _paid_but_untold(world)
    with world.calm():
        other = Shopper.guest(world)
        done(other.add("TEE", 5))
        done(other.checkout(key="other"))
        world.settle()
    world.pump.paused.clear()
    world.settle()
    for _ in range(2):
        world.advance(300)
    assert shopper.order(order_id)["state"] == "expired"
    (payment,) = world.providers["stripe"].books()["payments"]
    assert payment["captured"] == payment["refunded"] == 2 * 1995 + 1250


def _paid_but_untold(world: World) -> tuple[Shopper, str]:
    """GIVEN: the shopper paid, but no webhook came and nobody looked, until the order had expired."""
    shopper, order_id = ordered(world)
    with world.calm():
        payment_id = shopper.pay(order_id)["payment_id"]
        world.settle()
        world.pump.paused |= {"stripe", "PaymentsSweepClock"}
        shopper_pays(world, "stripe", payment_id)
        world.advance(HOLD_SECONDS + 60)
        assert shopper.order(order_id)["state"] == "expired"
    return shopper, order_id


def cancel_paid_order(world: World) -> None:
    """A cancelled paid order gives back goods and money."""
    shopper, order_id, _ = paid(world)
    done(world.call("POST", f"/orders/{order_id}/cancel", shopper.token, key="cancel"))
    world.settle()
    for _ in range(4):
        world.advance(300)
    assert shopper.order(order_id)["state"] == "cancelled"
    assert level(world, "TEE") == (5, 0, 5)
    (payment,) = world.providers["stripe"].books()["payments"]
    assert payment["captured"] == payment["refunded"]


def refund_part(world: World) -> None:
    """Staff refunds one mug: once, whatever is repeated."""
    _, _, payment_id = paid(world)
    body = {"amount": {"amount": 1250, "currency": "EUR"}, "reason": "broken mug"}
    done(world.call("POST", f"/payments/{payment_id}/refunds", world.token("staff"), json=body, key="refund"))
    world.settle()
    for _ in range(3):
        world.advance(300)
    (payment,) = world.providers["stripe"].books()["payments"]
    assert payment["refunded"] == 1250
    seen = done(world.call("GET", f"/payments/{payment_id}", world.token("staff")))
    assert (seen["refunded"]["amount"], seen["refund_pending"]["amount"]) == (1250, 0)


def move_stock(world: World) -> None:
    """Movements count once: a receipt, a transfer and a till's sale."""
    with world.calm():
        world.seed_products({"TEE": 1995}, stock=5)
    staff = world.token("staff")

    def move(kind: str, quantity: int, key: str, **more: object) -> None:
        asked = {"location_id": "nl-warehouse", "sku": "TEE", "kind": kind, "quantity": quantity, "reference": key}
        done(world.call("POST", "/stock/movements", staff, json=asked | more, key=key))

    move("receipt", 10, "receipt")
    move("transfer", 4, "transfer", to_location_id="ams-kalverstraat")
    move("sale", 2, "sale", location_id="ams-kalverstraat")
    world.settle()
    assert level(world, "TEE") == (11, 0, 11)
    assert level(world, "TEE", "ams-kalverstraat") == (2, 0, 2)


def merge_people(world: World) -> None:
    """Two profiles become one person and two again."""
    staff = world.token("staff")
    with world.calm():
        ids = []
        for name, email in (("Anna", "anna@example.com"), ("A.", "a.devries@example.com")):
            identity = {"kind": "email", "value": email, "verified": True}
            body = {"given_name": name, "identities": [identity]}
            ids.append(done(world.call("POST", "/profiles", staff, json=body))["profile_id"])
        world.settle()
    asked = {"survivor_id": ids[0], "absorbed_id": ids[1], "reason": "same card"}
    merge_id = done(world.call("POST", "/profiles/merges", staff, json=asked, key="merge"))["merge_id"]
    world.settle()
    assert sorted(done(world.call("GET", f"/profiles/{ids[1]}", staff))["profile_ids"]) == sorted(ids)
    undone = world.call("DELETE", f"/profiles/merges/{merge_id}", staff)
    assert undone.status in (200, 204, 404), undone  # 404: an earlier try did it and its answer was lost
    world.settle()
    for each in ids:
        assert done(world.call("GET", f"/profiles/{each}", staff))["profile_ids"] == [each]


ALL = (
    fill_basket,
    sign_in,
    place_order,
    pay_by_ideal,
    pay_by_mollie,
    pay_cash,
    leave_unpaid,
    pay_late,
    pay_too_late,
    cancel_paid_order,
    refund_part,
    move_stock,
    merge_people,
)
