"""People of a fault journey: they use the API only, and read its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.world import Response, World
from tests.world.world import CUSTOMER

ADDRESS = {"line1": "Kalverstraat 1", "postal_code": "1012 NX", "city": "Amsterdam"}
CONTACT = {"name": "Noor de Vries", "email": "noor@example.nl"}
DELIVERY = {"kind": "delivery", "address": ADDRESS}
PAGE = "https://shop.test/thanks"


@dataclass
class Shopper:
    """A signed-in customer (or a guest) with one basket. Keys are fixed, so a repeat is the same request."""

    world: World
    token: str
    basket_id: str

    @classmethod
    def guest(cls, world: World, channel: str = "web") -> Shopper:
        """Somebody opens the web shop."""
        made = done(world.call("POST", "/baskets", json={"channel": channel}))
        return cls(world, made["token"], made["basket"]["basket_id"])

    @classmethod
    def customer(cls, world: World) -> Shopper:
        """A customer opens the app."""
        token = world.token("customer", sub=CUSTOMER)
        return cls(world, token, done(world.call("GET", "/me/basket", token))["basket_id"])

    def add(self, sku: str, quantity: int = 1, key: str = "") -> Response:
        """Put something into the basket."""
        asked = {"sku": sku, "quantity": quantity}
        return self.world.call(
            "POST", f"/baskets/{self.basket_id}/lines", self.token, json=asked, key=key or f"add-{sku}-{quantity}"
        )

    def lines(self) -> dict[str, int]:
        """What the basket holds, by SKU."""
        basket = done(self.world.call("GET", f"/baskets/{self.basket_id}", self.token))
        return {line["sku"]: line["quantity"] for line in basket["lines"]}

    def checkout(self, key: str = "place") -> Response:
        """Order what is in the basket, delivered."""
        asked = {"basket_id": self.basket_id, "contact": CONTACT, "fulfilment": DELIVERY}
        return self.world.call("POST", "/checkouts", self.token, json=asked, key=key)

    def pay(self, order_id: str, provider: str = "stripe", key: str = "pay", **asked: Any) -> dict[str, Any]:
        """Start a payment."""
        body = {"provider": provider, "method": "online"} | asked
        if provider == "mollie":
            body["return_url"] = PAGE
        started: dict[str, Any] = done(
            self.world.call("POST", f"/orders/{order_id}/payments", self.token, json=body, key=key)
        )
        return started

    def order(self, order_id: str) -> dict[str, Any]:
        """The order as the shopper sees it."""
        seen: dict[str, Any] = done(self.world.call("GET", f"/orders/{order_id}", self.token))
        return seen


def ordered(world: World, stock: int = 5) -> tuple[Shopper, str]:
    """GIVEN: a customer who has just ordered two shirts and a mug; nothing of this is disturbed."""
    with world.calm():
        world.seed_products({"TEE": 1995, "MUG": 1250}, stock=stock)
        shopper = Shopper.customer(world)
        done(shopper.add("TEE", 2))
        done(shopper.add("MUG"))
        order_id = done(shopper.checkout())["order_id"]
        world.settle()
    return shopper, order_id


def paid(world: World, provider: str = "stripe", stock: int = 5) -> tuple[Shopper, str, str]:
    """GIVEN: that order is paid. Shopper, order id, payment id."""
    shopper, order_id = ordered(world, stock)
    with world.calm():
        payment_id = shopper.pay(order_id, provider)["payment_id"]
        shopper_pays(world, provider, payment_id)
        world.settle()
        world.advance(60)
        for _ in range(15):  # an event may have been lost: then the clock brings it
            if shopper.order(order_id)["state"] == "paid":
                break
            world.advance(60)
    assert shopper.order(order_id)["state"] == "paid"
    return shopper, order_id, payment_id


def shopper_pays(world: World, provider: str, payment_id: str) -> None:
    """The shopper finishes on the provider's page."""
    (payment,) = [item for item in world.items("PaymentsTable") if (item["pk"], item["sk"]) == (f"P#{payment_id}", "-")]
    world.providers[provider].door("pay", id=payment["provider_ref"])


def level(world: World, sku: str, location_id: str = "nl-warehouse") -> tuple[int, int, int]:
    """Stock of a SKU at a location: on hand, reserved, available."""
    (found,) = [i for i in world.items("StockTable") if (i["pk"], i["sk"]) == (f"SKU#{sku}", f"LOC#{location_id}")]
    return found["on_hand"], found["reserved"], found["available"]


def done(response: Response) -> Any:
    """The body of a request that must have succeeded."""
    assert response.status < 300, response
    return response.json
