"""A shop for checkout's tests: products, levels, baskets and payments put straight into the tables, as many as a test
needs, and the few questions those tests ask again and again."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.world import Response, World
from tests.world.calls import Call, current

WAREHOUSE, STORE, OTHER_STORE = "nl-warehouse", "ams-kalverstraat", "utr-oudegracht"
ADDRESS = {"line1": "Kalverstraat 1", "postal_code": "1012 NX", "city": "Amsterdam"}
CONTACT = {"name": "Noor de Vries", "email": "noor@example.nl"}
DELIVERY = {"kind": "delivery", "address": ADDRESS}
_PLACES = {
    WAREHOUSE: ("warehouse", "51.5606", "5.0919"),
    STORE: ("store", "52.3702", "4.8924"),
    OTHER_STORE: ("store", "52.0907", "5.1214"),
}


@dataclass(frozen=True)
class Shopper:
    """A basket and the token of whoever it belongs to."""

    basket_id: str
    token: str
    customer_id: str | None = None


class Shop:
    """One warehouse, two stores, and whatever else a test stocks."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._numbers = itertools.count(1)
        for place, (kind, latitude, longitude) in _PLACES.items():
            self.location(place, kind=kind, latitude=latitude, longitude=longitude)

    # ------------------------------------------------------------------------------------------------- the scene

    def location(self, location_id: str, **members: Any) -> None:
        """A store or warehouse."""
        item = {"pk": "LOCATIONS", "sk": f"LOC#{location_id}", "location_id": location_id, "name": location_id.title()}
        self.put("STOCK", item | {"safety_stock": 0, "version": 1} | members)

    def product(self, sku: str, price: int = 1000, **members: Any) -> None:
        """A product with one price in euro cents."""
        self.put("CATALOG", self.product_item(sku, price, **members))

    def product_item(self, sku: str, price: int = 1000, **members: Any) -> dict[str, Any]:
        """The item of a product."""
        prices = {"EUR": {"amount": price, "since": "2026-01-01T00:00:00.000Z"}}
        item = {"pk": f"SKU#{sku}", "sk": "-", "sku": sku, "name": sku.title(), "prices": prices, "was": []}
        return item | {"tax_class": "standard", "version": 1} | members

    def stock(
        self, sku: str, quantity: int, location_id: str = WAREHOUSE, shard: str | None = None, **also: Any
    ) -> None:
        """What is on hand of a SKU somewhere."""
        from commerce import holds

        self.put("STOCK", holds.new_level(sku, location_id, quantity, shard=shard) | also)

    def sells(self, **stock: int) -> None:
        """Products of 10.00 with that much stock in the warehouse."""
        for sku, quantity in stock.items():
            self.product(sku)
            self.stock(sku, quantity)

    def basket(self, lines: Mapping[str, int], customer_id: str | None = None, **members: Any) -> Shopper:
        """A basket with these quantities by SKU, one add each; a guest's unless it has a customer."""
        from commerce import baskets, tokens

        basket_id = str(uuid.UUID(int=next(self._numbers)))
        dots = {
            f"dot{place:05d}": [sku, quantity, 1795000000000 + place]
            for place, (sku, quantity) in enumerate(lines.items())
        }
        item: dict[str, Any] = {"pk": baskets.key(basket_id)[0], "sk": "-", "basket_id": basket_id, "state": "open"}
        item |= {"channel": "web", "market": "nl", "version": 7, "seen": {}, "recent": {}, "dots": dots}
        item |= {"units": sum(lines.values()), "owner": customer_id, "customer_id": customer_id, "ttl": 1999999999}
        self.put("BASKET", item | members)
        with self.inside():
            guest = tokens.sign("basket", {"basket_id": basket_id})
        token = self.world.token("customer", sub=customer_id) if customer_id else guest
        return Shopper(basket_id, token, customer_id)

    def put(self, table: str, item: dict[str, Any]) -> None:
        """Any item, over what is there."""
        from commerce import writes

        with self.inside():
            writes.commit(writes.put(table, item, when=""))

    def put_many(self, table: str, items: list[dict[str, Any]]) -> None:
        """Many items, 25 a request."""
        from commerce import aws
        from commerce.items import to_item

        with self.inside():
            for start in range(0, len(items), 25):
                writes = [{"PutRequest": {"Item": to_item(item)}} for item in items[start : start + 25]]
                aws.client("dynamodb").batch_write_item(RequestItems={aws.table(table): writes})

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The environment of the checkout functions, to use the product's own code; no invocation is charged for it."""
        running = current.set(None)
        with self.world.runtime.function_environment(self.world.template.functions["CheckoutApi"]):
            try:
                yield
            finally:
                current.reset(running)

    # ------------------------------------------------------------------------------------------------- acting

    def place(self, shopper: Shopper, key: str = "place-1", token: str | None = None, **body: Any) -> Response:
        """POST /checkouts, delivered unless said otherwise."""
        asked = {"basket_id": shopper.basket_id, "contact": CONTACT, "fulfilment": DELIVERY} | body
        return self.world.call("POST", "/checkouts", token or shopper.token, json=asked, key=key)

    def placed(self, lines: Mapping[str, int], **body: Any) -> tuple[Shopper, dict[str, Any]]:
        """A shopper with an order just placed."""
        shopper = self.basket(lines)
        answer = self.place(shopper, **body)
        assert answer.status == 201, answer
        return shopper, answer.json

    def cancel(self, order_id: str, token: str, key: str = "cancel-1") -> Response:
        """POST /orders/{id}/cancel."""
        return self.world.call("POST", f"/orders/{order_id}/cancel", token, key=key)

    def captured(
        self, order_id: str, amount: int, payment_id: str = "pay-1", type: str = "payment.captured", **told: Any
    ) -> Any:
        """Deliver a payment's event to checkout; the partial batch response."""
        return self.world.invoke("checkout.on_event", payment_event(order_id, amount, payment_id, type, **told))

    # ------------------------------------------------------------------------------------------------- looking

    def order(self, order_id: str) -> dict[str, Any]:
        """The order item."""
        return next(item for item in self.orders() if item["order_id"] == order_id)

    def orders(self) -> list[dict[str, Any]]:
        """All order items."""
        return [item for item in self.world.items("OrdersTable") if item["pk"].startswith("O#") and item["sk"] == "-"]

    def level(self, sku: str, location_id: str = WAREHOUSE, shard: str | None = None) -> tuple[int, int, int]:
        """(on hand, reserved, available)."""
        sk = f"LOC#{location_id}" + (f"#{shard}" if shard else "")
        item = next(i for i in self.world.items("StockTable") if (i["pk"], i["sk"]) == (f"SKU#{sku}", sk))
        return item["on_hand"], item["reserved"], item["available"]

    def lines(self, shopper: Shopper) -> dict[str, int]:
        """What is in the basket now."""
        from commerce import baskets

        item = next(i for i in self.world.items("BasketTable") if i["pk"] == f"B#{shopper.basket_id}")
        return baskets.quantities(item["dots"])

    def payable(self, order_id: str) -> dict[str, Any]:
        """What may be collected."""
        return next(i for i in self.world.items("PaymentsTable") if i["pk"] == f"DUE#{order_id}" and i["sk"] == "-")

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """Everything in the tables checkout writes to, to see that nothing changed."""
        tables = ("OrdersTable", "StockTable", "BasketTable", "PaymentsTable")
        return {name: sorted(self.world.items(name), key=lambda item: (item["pk"], item["sk"])) for name in tables}

    def calls_of(self, function: str = "CheckoutApi") -> list[Call]:
        """The outside calls a function made so far."""
        return [call for call in self.world.calls if call.function == function]


def payment_event(
    order_id: str, amount: int, payment_id: str, type: str, currency: str = "EUR", **told: Any
) -> dict[str, Any]:
    """The SQS batch that brings one payment event: `amount` captured (or held, or on its way), and totals as `told`.

    Later versions tell more: the version is the sum of what is told, unless given.
    """
    import json

    of = {"payment.authorized": "authorized", "payment.pending": "pending"}.get(type, "captured")
    data = {"payment_id": payment_id, "order_id": order_id, "provider": "stripe", "method": "online"}
    data |= {"currency": currency, "amount": amount, "captured": 0, "refunded": 0, of: amount} | told
    version = data.pop("version", sum(each for each in told.values() if isinstance(each, int)) + amount)
    subject = f"payment/{payment_id}"
    detail = {"specversion": "1.0", "id": f"{subject}@{version}", "source": "mandje.payments", "type": type}
    detail |= {"subject": subject}
    detail |= {"time": "2026-11-21T10:05:00.000Z", "dataschema": f"/events/schemas/{type}.json", "data": data}
    body = {"source": "mandje.payments", "detail-type": type, "detail": detail}
    return {"Records": [{"messageId": "m-1", "eventSource": "aws:sqs", "body": json.dumps(body)}]}
