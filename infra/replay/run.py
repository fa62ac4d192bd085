"""Selling a day: every invoice goes the whole way over HTTPS, from the person to the paid order.

All steps of an invoice carry idempotency keys made from the run and the invoice, and what is finished is written to
a journal, so a replay that was killed anywhere goes on where it stopped and nothing is sold twice.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from infra.client import Api, Unexpected, confirm_stripe
from infra.replay.transactions import MAX_QUANTITY, Day, Sale, card_of

MARKET = "uk"
WAREHOUSE = "uk-warehouse"
_BATCH = 25
_PAID_WITHIN_S = 90.0
_STRIPE_TAKES = range(30, 100_000_000)
"""Pence. Stripe takes no smaller and no larger payment; such an invoice is paid in cash."""
_SPARE = 10
"""Units of each article in opening stock beyond what the day sells."""

T = TypeVar("T")
Tick = Callable[[int], object]


@dataclass(frozen=True)
class Sold:
    """One finished invoice."""

    invoice: str
    order_id: str
    order_number: str
    total: int
    """Pence, as the order says."""


class Journal:
    """What this run has finished: one JSON line per fact, flushed before it counts."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self.facts: dict[str, Any] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    fact = json.loads(line)
                except ValueError:  # the line a kill cut short
                    continue
                self.facts[fact["what"]] = fact["is"]
        self._file = path.open("a")

    def keep(self, what: str, value: Any) -> None:
        """Remember a fact."""
        with self._lock:
            self.facts[what] = value
            # A line feed first ends whatever line a kill may have cut short.
            self._file.write("\n" + json.dumps({"what": what, "is": value}) + "\n")
            self._file.flush()


class Replay:
    """One file against one running platform."""

    def __init__(self, platform: dict[str, Any], run: str, journal: Journal, parallel: int) -> None:
        self.staff = Api(platform["api_url"], platform["tokens"]["staff"])
        self.stripe = platform["providers"]["stripe"]["url"]
        self.run, self.journal, self.parallel = run, journal, parallel

    # -------------------------------------------------------------------------------------------- before the day

    def prepare(self, day: Day, tick: Tick) -> None:
        """The warehouse, the catalogue and the opening stock of the file."""
        location = {
            "name": "UK warehouse",
            "kind": "warehouse",
            "latitude": 52.63,
            "longitude": -1.13,
            "markets": [MARKET],
        }
        self.staff.put(f"/locations/{WAREHOUSE}", location)
        skus = sorted(day.prices)
        for batch in _batches(skus, 100):
            products = [
                {"sku": sku, "name": day.names[sku], "prices": [{"amount": day.prices[sku], "currency": "GBP"}]}
                for sku in batch
            ]
            self.staff.post("/products/batch", {"products": products})
            tick(len(batch))
        if "opening" not in self.journal.facts:
            self.journal.keep("opening", self.available(skus))
        received = self.received(day)
        self._each(skus, lambda sku: self._receive(sku, received[sku]), tick)

    def received(self, day: Day) -> dict[str, int]:
        """Units received before the day, by SKU: what it sells and a few more."""
        return {sku: sold + _SPARE for sku, sold in day.sold.items()}

    def _receive(self, sku: str, quantity: int) -> None:
        """In as many movements as it takes: one has a bound."""
        for part, start in enumerate(range(0, quantity, MAX_QUANTITY)):
            movement = {
                "location_id": WAREHOUSE,
                "sku": sku,
                "kind": "receipt",
                "quantity": min(MAX_QUANTITY, quantity - start),
                "reference": self.run,
            }
            key = f"{self.run}:receipt:{sku}{f':{part}' if part else ''}"
            self.staff.post("/stock/movements", movement, key=key)

    def available(self, skus: list[str]) -> dict[str, int]:
        """Units available in the warehouse, by SKU."""
        found: dict[str, int] = {}

        def ask(batch: list[str]) -> None:
            query = "&".join(f"sku={sku}" for sku in batch)
            for item in self.staff.get(f"/stock?{query}&location={WAREHOUSE}")["items"]:
                here = [level["available"] for level in item["locations"] if level["location_id"] == WAREHOUSE]
                found[item["sku"]] = sum(here)

        self._each(list(_batches(skus, 50)), ask, lambda done: None)
        return {sku: found.get(sku, 0) for sku in skus}

    # --------------------------------------------------------------------------------------------------- the day

    def sell(self, sales: list[Sale], tick: Tick) -> tuple[list[Sold], list[tuple[str, str]]]:
        """Every sale, in the file's order per person (they have one basket), people in parallel."""
        people: dict[str, list[Sale]] = defaultdict(list)
        for sale in sales:
            people[sale.customer or f"anonymous {sale.invoice}"].append(sale)
        done: list[Sold] = []
        failed: list[tuple[str, str]] = []

        def serve(person: list[Sale]) -> None:
            for sale in person:
                try:
                    done.append(self._once(sale))
                except (Unexpected, TimeoutError, LookupError) as error:
                    failed.append((sale.invoice, str(error)))
                tick(1)

        self._each(sorted(people.values(), key=lambda p: -sum(s.rows for s in p)), serve, lambda count: None)
        return done, failed

    def _once(self, sale: Sale) -> Sold:
        if known := self.journal.facts.get(f"sold {sale.invoice}"):
            return Sold(**known)
        key = f"{self.run}:{sale.invoice}"
        basket_id = self._basket(sale, key)
        self._fill(basket_id, sale)
        order = self.staff.post("/checkouts", self._checkout(basket_id, sale), key=f"{key}:order")
        total = order["totals"]["total"]["amount"]
        online = {"provider": "stripe", "method": "online"}
        asked = online if total in _STRIPE_TAKES else {"provider": "cash", "method": "cash"}
        payment = self.staff.post(f"/orders/{order['order_id']}/payments", asked, key=f"{key}:payment")
        if asked is online and self._state(order["order_id"]) != "paid":
            try:
                confirm_stripe(self.stripe, payment["client_secret"])
            except Unexpected as error:
                # Confirmed before we were killed: the webhook is on its way.
                if "payment_intent_unexpected_state" not in str(error):
                    raise
        self._until_paid(order["order_id"])
        sold = Sold(sale.invoice, order["order_id"], order["order_number"], total)
        self.journal.keep(f"sold {sale.invoice}", sold.__dict__)
        return sold

    def _basket(self, sale: Sale, key: str) -> str:
        """The person's one basket, or a new one for somebody unknown (kept in the journal over a restart)."""
        if sale.customer:
            profile = self._person(sale.customer, key)
            basket_id: str = self.staff.put(f"/customers/{profile}/basket?market={MARKET}", {})["basket_id"]
            return basket_id
        if known := self.journal.facts.get(f"basket {sale.invoice}"):
            return str(known)
        made = self.staff.post("/baskets", {"channel": "web", "market": MARKET})["basket"]["basket_id"]
        self.journal.keep(f"basket {sale.invoice}", made)
        return str(made)

    def _person(self, customer: str, key: str) -> str:
        card = card_of(customer)
        found = self.staff.get(f"/profiles?identity=loyalty_card:{card}")["items"]
        if found:
            return str(found[0]["profile_id"])
        identity = {"kind": "loyalty_card", "value": card, "verified": True}
        try:
            made = self.staff.post("/profiles", {"identities": [identity]}, key=f"{key}:person")
        except Unexpected as error:
            if error.status != 409:
                raise
            made = self.staff.get(f"/profiles?identity=loyalty_card:{card}")["items"][0]
        return str(made["profile_id"])

    def _fill(self, basket_id: str, sale: Sale) -> None:
        """The lines as a device's log: repeats are recognised by their sequence numbers."""
        device = f"replay-{self.run[:8]}-{sale.invoice}"
        lines = list(sale.quantities.items())
        for start in range(0, len(lines), _BATCH):
            operations = [
                {"seq": start + place, "op": "add", "sku": sku, "quantity": quantity, "at": "2026-11-21T10:00:00Z"}
                for place, (sku, quantity) in enumerate(lines[start : start + _BATCH], start=1)
            ]
            self.staff.post(f"/baskets/{basket_id}/operations", {"device_id": device, "operations": operations})

    def _checkout(self, basket_id: str, sale: Sale) -> dict[str, Any]:
        name = f"Customer {sale.customer}" if sale.customer else "Anonymous shopper"
        address = {"street": "1 High Street", "postal_code": "LE1 1AA", "city": "Leicester", "country": "GB"}
        return {
            "basket_id": basket_id,
            "contact": {"name": name},
            "fulfilment": {"kind": "delivery", "address": address},
        }

    def _state(self, order_id: str) -> str:
        return str(self.staff.get(f"/orders/{order_id}")["state"])

    def _until_paid(self, order_id: str) -> None:
        give_up, pause = time.monotonic() + _PAID_WITHIN_S, 0.1
        while self._state(order_id) != "paid":
            if time.monotonic() > give_up:
                raise TimeoutError(f"order {order_id} was not paid within {_PAID_WITHIN_S:.0f} s")
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def captured(self, sold: list[Sold]) -> dict[str, int]:
        """What the ledger captured, by order id, pence."""
        found: dict[str, int] = {}

        def ask(one: Sold) -> None:
            payments = self.staff.get(f"/orders/{one.order_id}/payments")["items"]
            found[one.order_id] = sum(p["captured"]["amount"] - p["refunded"]["amount"] for p in payments)

        self._each(sold, ask, lambda done: None)
        return found

    def _each(self, things: list[T], work: Callable[[T], Any], tick: Tick) -> None:
        with ThreadPoolExecutor(self.parallel) as pool:
            futures = [pool.submit(work, thing) for thing in things]
            try:
                for future in as_completed(futures):
                    future.result()
                    tick(1)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _batches(things: list[str], size: int) -> Iterator[list[str]]:
    return (things[start : start + size] for start in range(0, len(things), size))
