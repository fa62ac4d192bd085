"""The shop every operation is measured in: six locations and as many products as asked for, in the in-process world.

One product and its stock are made through the API; the others are copies of those items under other SKUs of the same
length, put straight into the tables, so that a hundred thousand of them take seconds and have the product's own shape.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.dynamo_type import Item as MotoItem

from infra.bench.counting import Meter
from infra.intrinsics import ACCOUNT, REGION
from infra.local import retailer
from infra.local.providers.stripe_endpoints import WORTH_SENDING
from tests.world import Response, World
from tests.world.world import PUBLIC_URL

CONTACT = {"name": "Noor de Vries", "email": "noor@example.nl"}
ADDRESS = {"line1": "Kalverstraat 1", "postal_code": "1012 NX", "city": "Amsterdam"}
DELIVERY = {"kind": "delivery", "address": ADDRESS}
ANNA, ELSE = "0190a1b2-0000-7000-8000-000000000001", "0190a1b2-0000-7000-8000-000000000009"
"""The customer who is counted, and somebody else who warms everything up before."""
LARGEST_BASKET = 200
"""Lines of a shopper's basket. Staff fill and order larger ones."""
_FIRST = 0


def sku(number: int) -> str:
    """`SKU-00000042`: twelve characters, as long as the demo retailer's are on average."""
    return f"SKU-{number:08d}"


@dataclass(frozen=True)
class Shopper:
    """A basket and the token of whoever may use it."""

    basket_id: str
    token: str


class Stage:
    """A shop with `products` products, each in stock at all six locations (or only in the warehouse)."""

    def __init__(self, products: int = 10, *, everywhere: bool = True, seed: int = 0) -> None:
        self.world = World(seed)
        self.meter = Meter(self.world)
        self._keys = itertools.count(1)
        self.staff = self.world.token("staff")
        webhooks = f"{PUBLIC_URL}/webhooks/stripe/default"
        self.world.providers["stripe"].door("listen", url=webhooks, events=WORTH_SENDING)
        with self.world.calm():
            for location, place in retailer.locations().items():
                self.call("PUT", f"/locations/{location}", self.staff, json=place)
            self._products(products, everywhere)
            self.world.settle()

    # ------------------------------------------------------------------------------------------------- the scene

    def _products(self, count: int, everywhere: bool) -> None:
        """The first through the API; the rest are its copies."""
        body = {
            "sku": sku(_FIRST),
            "name": "Straight jeans, blue, 32",
            "prices": [{"amount": 8995, "currency": "EUR"}],
            "attributes": {"colour": "blue", "style": "JEANS-BLUE", "variant": "32"},
        }
        self.call("POST", "/products/batch", self.staff, json={"products": [body]}, key=self.key())
        for location in retailer.LOCATIONS if everywhere else [retailer.WAREHOUSE]:
            movement = {"location_id": location, "sku": sku(_FIRST), "kind": "receipt", "quantity": 500}
            self.call("POST", "/stock/movements", self.staff, json=movement, key=self.key())
        for table in ("CatalogTable", "StockTable"):
            name = self.world.template.tables[table].name
            models = [
                text
                for image in self.world.aws.images(name)
                if (text := json.dumps(image)).count(sku(_FIRST)) and "MOVE#" not in text and "REQ#" not in text
            ]
            copies = (text.replace(sku(_FIRST), sku(number)) for number in range(1, count) for text in models)
            load(name, map(json.loads, copies))

    def guest(self, lines: int = 0, first: int = 0) -> Shopper:
        """A guest with a basket of `lines` lines: the first made through the API, the others its copies."""
        made = self.call("POST", "/baskets", json={"channel": "web"}).json
        shopper = Shopper(made["basket"]["basket_id"], made["token"])
        if lines:
            self.add(shopper, sku(first))
            self._fill(shopper, lines, first)
        return shopper

    def customer(self, customer_id: str, lines: int = 0, first: int = 0, by: str | None = None) -> Shopper:
        """A signed-in customer with a floating basket, filled as a guest's. `by`: the token of whoever fills it."""
        token = self.world.token("customer", sub=customer_id)
        with self.world.runtime.function_environment(self.world.template.functions["BasketApi"]):
            from basket import owners  # the first add would make it, and is not what is counted

            owners.open_for(customer_id, "web", "nl", "web", themselves=True)
        shopper = Shopper(self.call("GET", "/me/basket", token).json["basket_id"], token)
        if lines:
            self.add(shopper, sku(first), by)
            self._fill(shopper, lines, first)
        return shopper

    def person(self, email: str) -> str:
        """A profile with a name and an e-mail address; its id."""
        identity = {"kind": "email", "value": email, "verified": True}
        body = {"given_name": "Anna", "family_name": "de Vries", "identities": [identity]}
        made: str = self.call("POST", "/profiles", self.staff, json=body).json["profile_id"]
        return made

    def forget_prices(self) -> None:
        """As in a function that never saw these products."""
        from commerce import pricing

        pricing.forget()

    def _fill(self, shopper: Shopper, lines: int, first: int) -> None:
        from commerce import baskets
        from commerce.items import from_attribute, to_attribute

        table = self.world.template.tables["BasketTable"].name
        wanted = baskets.key(shopper.basket_id)[0]
        image = next(each for each in self.world.aws.images(table) if each["pk"]["S"] == wanted)
        ((_, made),) = image["dots"]["M"].items()
        dot = baskets.Dot.of(from_attribute(made))
        for number in range(1, lines):
            # A moment of its own: a number's size depends on its last digits.
            copy = replace(dot, sku=sku(first + number), at=dot.at - 1 - 1013 * number)
            image["dots"]["M"][baskets.short_digest(shopper.basket_id, copy.sku)] = to_attribute(copy.packed())
        image["units"] = {"N": str(lines)}
        load(table, [image])

    # ------------------------------------------------------------------------------------------------- acting

    def call(self, method: str, path: str, token: str | None = None, **asked: Any) -> Response:
        """A request that must succeed."""
        answer = self.world.call(method, path, token, **asked)
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer!r}")
        return answer

    def key(self) -> str:
        """An Idempotency-Key as clients make them: a UUID's length."""
        return f"018f2f6e-7c3a-7000-8000-{next(self._keys):012d}"

    def add(self, shopper: Shopper, which: str, token: str | None = None) -> Response:
        """One more piece into a basket."""
        path = f"/baskets/{shopper.basket_id}/lines"
        return self.call("POST", path, token or shopper.token, json={"sku": which, "quantity": 1}, key=self.key())

    def place(self, shopper: Shopper, token: str | None = None) -> dict[str, Any]:
        """Order what is in a basket, delivered at home; the order."""
        asked = {"basket_id": shopper.basket_id, "contact": CONTACT, "fulfilment": DELIVERY}
        answer = self.call("POST", "/checkouts", token or shopper.token, json=asked, key=self.key())
        placed: dict[str, Any] = answer.json
        return placed

    def pay(self, order: dict[str, Any], token: str, provider: str) -> dict[str, Any]:
        """Start an online payment of an order; the payment."""
        body = {"provider": provider, "method": "online", "return_url": "https://shop.example/thanks"}
        path = f"/orders/{order['order_id']}/payments"
        started: dict[str, Any] = self.call("POST", path, token, json=body, key=self.key()).json
        return started

    def shopper_pays(self, payment: dict[str, Any], provider: str) -> None:
        """The shopper pays on the provider's page; its webhooks are under way then."""
        key = (f"P#{payment['payment_id']}", "-")
        item = next(item for item in self.world.items("PaymentsTable") if (item["pk"], item["sk"]) == key)
        self.world.providers[provider].door("pay", id=item["provider_ref"])

    @contextmanager
    def held_back(self, *sources: str) -> Iterator[None]:
        """Sources that deliver nothing meanwhile (`CheckoutEvents`, `PaymentsTable->PaymentsWorker`)."""
        paused = self.world.pump.paused
        fresh = set(sources) - paused
        paused |= fresh
        try:
            yield
        finally:
            paused -= fresh


def load(table: str, images: Iterable[dict[str, Any]]) -> None:
    """Put items (DynamoDB JSON) into a table behind every counter's back: no request, no stream record."""
    items = dynamodb_backends[ACCOUNT][REGION].tables[table].items
    shared: dict[str, DynamoType] = {}
    for image in images:
        hash_key, range_key = DynamoType(image["pk"]), _shared(shared, image["sk"])
        item = MotoItem(hash_key, range_key, {})
        for name, value in image.items():
            own = name in ("pk", "sku", "dots")
            # moto's own map measures the whole item again at every attribute; these are known to be small.
            dict.__setitem__(item.attrs, name, DynamoType(value) if own else _shared(shared, value))
        items[hash_key][range_key] = item


def _shared(known: dict[str, DynamoType], value: dict[str, Any]) -> DynamoType:
    """One object for all equal values: a million copies then fit into memory. Nobody changes them in place."""
    text = str(value)
    if text not in known:
        known[text] = DynamoType(value)
    return known[text]
