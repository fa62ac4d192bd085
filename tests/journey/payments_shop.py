"""An order to pay, without the shop around it: what the payments journeys start from and look at."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from tests.world import World

ORDER = "7K2M9QXD4TZ0"
CUSTOMER = "0190a1b2-0000-7000-8000-000000000001"
PAGE = "https://shop.test/thanks"


@dataclass
class Till:
    """One open order of 50.00 EUR, its customer, and staff."""

    world: World
    order_id: str = ORDER
    keys: int = 0

    @property
    def customer(self) -> str:
        return self.world.token("customer", sub=CUSTOMER)

    @property
    def staff(self) -> str:
        return self.world.token("staff")

    def start(self, token: str | None = None, key: str | None = None, **asked: Any) -> Any:
        """`POST /orders/{id}/payments`; Stripe online unless asked otherwise."""
        body = {"provider": "stripe", "method": "online"} | asked
        path = f"/orders/{self.order_id}/payments"
        return self.world.call("POST", path, token or self.customer, json=body, key=key or self.key())

    def refund(self, payment_id: str, amount: int, key: str | None = None, currency: str = "EUR") -> Any:
        """`POST /payments/{id}/refunds` by staff."""
        body = {"amount": {"amount": amount, "currency": currency}, "reason": "returned"}
        return self.world.call("POST", f"/payments/{payment_id}/refunds", self.staff, json=body, key=key or self.key())

    def pay_out(self, payment_id: str, token: str | None = None, **body: Any) -> Any:
        """`PUT .../paid-out` of the payment's only cash refund, by staff unless somebody else does it."""
        (refund,) = [key.removeprefix("refund#") for key in self.facts(payment_id) if key.startswith("refund#")]
        path = f"/payments/{payment_id}/refunds/{refund}/paid-out"
        return self.world.call("PUT", path, token or self.staff, json=body)

    def capture(self, payment_id: str, amount: int | None, key: str | None = None) -> Any:
        """`POST /payments/{id}/captures` by staff; all of it without an amount."""
        body = {} if amount is None else {"amount": {"amount": amount, "currency": "EUR"}}
        return self.world.call("POST", f"/payments/{payment_id}/captures", self.staff, json=body, key=key or self.key())

    def key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"

    def paid(self, provider: str = "stripe", **asked: Any) -> str:
        """A payment that was made and reported; returns its id."""
        if provider == "mollie":
            asked = {"return_url": PAGE} | asked
        answer = self.start(provider=provider, **asked)
        assert answer.status == 201, answer
        self.world.providers[provider].door("pay", id=self.payment(answer.json["payment_id"])["provider_ref"])
        self.world.settle()
        return str(answer.json["payment_id"])

    # looking

    def payment(self, payment_id: str) -> dict[str, Any]:
        return self.one(f"P#{payment_id}", "-")

    def one(self, pk: str, sk: str) -> dict[str, Any]:
        (found,) = [item for item in self.world.items("PaymentsTable") if (item["pk"], item["sk"]) == (pk, sk)]
        return found

    def facts(self, payment_id: str) -> dict[str, str]:
        """Status by `kind#object`."""
        items = [item for item in self.world.items("PaymentsTable") if item["pk"] == f"P#{payment_id}"]
        return {item["sk"].removeprefix("FACT#"): item["status"] for item in items if item["sk"] != "-"}

    def ledger(self) -> list[tuple[str, int]]:
        """Kind and amount of every ledger entry of the order, oldest first; what providers charge for is in `fees`."""
        return [(kind, amount) for kind, amount in self._entries() if not kind.startswith("fee")]

    def fees(self) -> list[tuple[str, int]]:
        """What providers charged for disputes (`fee`) and gave back (`fee_reversed`)."""
        return [(kind, amount) for kind, amount in self._entries() if kind.startswith("fee")]

    def _entries(self) -> list[tuple[str, int]]:
        items = [item for item in self.world.items("PaymentsTable") if item["pk"] == f"LEDGER#{self.order_id}"]
        return [(item["kind"], item["amount"]) for item in sorted(items, key=lambda item: item["sk"])]

    def inbox(self) -> list[dict[str, Any]]:
        return [item for item in self.world.items("PaymentsTable") if item["pk"].startswith("EVT#")]

    def told(self) -> list[str]:
        """Types of the payment events on the bus, in order; without those told again, as no order counts them here."""
        said = [event for event in self.world.events() if event["type"].startswith("payment.")]
        return [event["type"] for event in said if not event["data"].get("again")]

    def close(self, order_id: str | None = None) -> None:
        """Checkout closes the payable: nothing may be collected any more."""
        from commerce import payables, writes

        with self._as_checkout():
            writes.commit(payables.closed(order_id or self.order_id))

    def count(self) -> None:
        """Checkout counts every payment as it is now; the sweep then has nothing left to wait for."""
        from commerce import payables, writes

        payments = [
            each for each in self.world.items("PaymentsTable") if each["pk"].startswith("P#") and each["sk"] == "-"
        ]
        with self._as_checkout():
            for each in payments:
                figures = {each["payment_id"]: payables.figures(each)}
                writes.commit(payables.changed(each["order_id"], counted=figures))
        self.world.advance(7 * 3600)

    def open(self, order_id: str, total: int = 5000, currency: str = "EUR", owner: str = "") -> None:
        """Checkout opens a payable."""
        from commerce import clock, ids, payables, writes

        order = {"order_id": order_id, "order_number": ids.order_number(order_id), "total": total}
        order |= {
            "currency": currency,
            "owner": owner or f"customer:{CUSTOMER}",
            "customer_id": CUSTOMER,
            "pay_by": clock.after(900),
            "market": "nl",
        }
        with self._as_checkout():
            writes.commit(payables.opened(order))

    def order_event(self, kind: str, event_id: str, refunds: list[dict[str, Any]] | None = None, **more: Any) -> None:
        """Checkout says that an order ended, or that money must go back; delivered with the next `settle`.

        A refund is all the order asks for of that payment, unless its total is given.
        """
        refunds = [{"total": each["amount"]} | each for each in refunds or []]
        data = {"order_id": self.order_id, "order_number": "7K2M-9QXD-4TZ0", "market": "nl", "channel": "web"}
        data |= {"currency": "EUR", "total": 5000, "lines": [], "refunds": refunds, "reason": "late"} | more
        detail = {"id": event_id, "source": "mandje.checkout", "type": kind, "subject": f"order/{self.order_id}"}
        detail |= {"time": "2026-11-21T10:00:00.000Z", "dataschema": "x", "data": data, "specversion": "1.0"}
        entry = {"Source": "mandje.checkout", "DetailType": kind, "Detail": json.dumps(detail)}
        (bus,) = self.world.template.buses.values()
        self.world.aws.put_events([entry | {"EventBusName": bus}])

    def _as_checkout(self) -> Any:
        world = self.world
        return world.runtime.function_environment(world.template.functions["CheckoutApi"])


def open_till(world: World, total: int = 5000, currency: str = "EUR") -> Till:
    """A world with one open order of 50.00 EUR; there is no such order in checkout, so nobody else listens."""
    till = Till(world)
    world.pump.paused |= {"CheckoutEvents", "ProfilesEvents", "StockEvents"}
    world.pump.paused |= {clock.name for clock in world.template.schedules if clock.function != "PaymentsSweep"}
    till.open(ORDER, total, currency)
    return till


def stripe_header(body: bytes, at: float, secret: str = "whsec_world") -> str:
    """What Stripe would sign `body` with at that time."""
    signed = hmac.new(secret.encode(), f"{int(at)}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={int(at)},v1={signed}"
