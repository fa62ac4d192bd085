"""A shopper's day, told against the running platform: what each person does, and what the bus carries meanwhile.

A guest fills a basket on the web, signs in on the app, looks for a store nearby; the till opens the same basket and
adds a line; she pays by iDEAL; the order is paid, the stock sold, and her history knows it.
"""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Callable
from typing import Any

import urllib3

from infra.client import Api, running_platform
from infra.local.tap import Tap, tapped
from infra.say import bold, dim, green

_HERE = "52.3676,4.9041"  # Amsterdam, near the Amstel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `mandje demo`."""
    parser.add_argument("--slow", action="store_true", help="pause between the scenes, for an audience")


def run(args: argparse.Namespace) -> int:
    """Tell the story; 0 if it ends well."""
    platform = running_platform()
    with tapped(platform, f"demo-{uuid.uuid4().hex[:8]}") as tap:
        return Story(platform, tap, pause_s=2.0 if args.slow else 0.0).tell()


class Story:
    """One shopper, four channels, one basket."""

    def __init__(self, platform: dict[str, Any], tap: Tap, pause_s: float) -> None:
        self.url, self.tokens = platform["api_url"], platform["tokens"]
        self.till_store = "ams-kalverstraat"
        self.tap, self.pause_s = tap, pause_s
        self.seen: set[str] = set()

    def tell(self) -> int:
        """All scenes in order."""
        began = time.monotonic()
        guest_basket, guest = self._guest_fills_a_basket()
        app = Api(self.url, self.tokens["customer"])
        basket = self._signs_in(app, guest_basket, guest)
        self._looks_nearby(app)
        basket = self._till_adds(app, basket)
        order, before = self._orders(app, basket)
        self._pays_by_ideal(app, order)
        good = self._all_is_well(app, order, before)
        print(f"\n{green('done') if good else bold('this went wrong')} in {time.monotonic() - began:.1f} s")
        return 0 if good else 1

    def _guest_fills_a_basket(self) -> tuple[str, str]:
        self._scene("On the web, nobody in particular fills a basket")
        made = Api(self.url).post("/baskets", {"channel": "web"})
        basket_id, token = made["basket"]["basket_id"], made["token"]
        guest = Api(self.url, token)
        guest.post(f"/baskets/{basket_id}/lines", {"sku": "TEE-NAVY-M", "quantity": 2})
        self._show(guest.post(f"/baskets/{basket_id}/lines", {"sku": "SNEAKER-WHITE-42", "quantity": 1}))
        return basket_id, token

    def _signs_in(self, app: Api, basket_id: str, token: str) -> dict[str, Any]:
        self._scene("On the app she signs in, and the basket follows her")
        claim = app.post("/me/basket/claims", {"basket_token": token})
        merge = claim["merge"]
        self._tell(f"lines that came along: {len(merge['lines_added'])} (merge {merge['merge_id'][:8]})")
        self._show(claim["basket"])
        basket: dict[str, Any] = claim["basket"]
        return basket

    def _looks_nearby(self, app: Api) -> None:
        self._scene("She looks where the sneakers are on the shelf near her")
        for level in app.get(f"/stock/SNEAKER-WHITE-42?near={_HERE}")["locations"][:3]:
            self._tell(f"{level['name']:28} {level['available']:3} available, {level.get('distance_km', 0):.1f} km")
        self._bus()

    def _till_adds(self, app: Api, basket: dict[str, Any]) -> dict[str, Any]:
        self._scene("In the store the till opens the same basket and adds a mug")
        me = app.get("/me")["profile_id"]
        till = Api(self.url, self.tokens["device"])
        same = till.get(f"/customers/{me}/basket")
        added = till.post(f"/baskets/{same['basket_id']}/lines", {"sku": "MUG-MANDJE", "quantity": 1})
        self._show(added)
        result: dict[str, Any] = added
        return result

    def _orders(self, app: Api, basket: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        self._scene("She orders; stock, order, basket and payable change in one transaction")
        before = {line["sku"]: self._total(app, line["sku"]) for line in basket["lines"]}
        order: dict[str, Any] = app.post("/checkouts", {
            "basket_id": basket["basket_id"],
            "contact": {"name": "Lotte de Vries", "email": "lotte@example.com"},
            "fulfilment": {"kind": "pickup", "location_id": self.till_store},
        })  # fmt: skip
        number, total = bold(order["order_number"]), _euro(order["totals"]["total"])
        self._tell(f"order {number}: {total}, pay before {order['pay_by']}")
        self._bus()
        return order, before

    def _pays_by_ideal(self, app: Api, order: dict[str, Any]) -> None:
        self._scene("She pays by iDEAL at Mollie; the webhook tells us, not the browser")
        asked = {"provider": "mollie", "method": "online", "return_url": "https://shop.example/thanks"}
        payment = app.post(f"/orders/{order['order_id']}/payments", asked)
        self._tell(f"pay page {payment['redirect_url']}")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = urllib3.request("POST", payment["redirect_url"], body="do=pay", headers=form, redirect=False)
        self._tell(f"her bank sends her back ({answer.status})")
        paid = self._wait(lambda: app.get(f"/orders/{order['order_id']}")["state"] == "paid")
        self._tell("the order is paid" if paid else "the order is NOT paid")

    def _all_is_well(self, app: Api, order: dict[str, Any], before: dict[str, int]) -> bool:
        self._scene("What everybody knows now")
        sold = self._wait(lambda: bool(app.get("/me")) and self._timeline(app) >= {"order.paid"})
        state = app.get(f"/orders/{order['order_id']}")["state"]
        for line in order["lines"]:
            left = self._total(app, line["sku"])
            self._tell(f"{line['sku']:18} {before[line['sku']]} available, {line['quantity']} sold, {left} left")
        left_over = app.get("/me/basket")["lines"]
        self._tell(f"basket: {len(left_over)} lines; history: {', '.join(sorted(self._timeline(app)))}")
        self._bus()
        sums = all(self._total(app, line["sku"]) == before[line["sku"]] - line["quantity"] for line in order["lines"])
        return state == "paid" and sold and sums

    # ------------------------------------------------------------------------------------------------ telling

    def _timeline(self, app: Api) -> set[str]:
        return {entry["type"] for entry in app.get(f"/profiles/{app.get('/me')['profile_id']}/timeline")["items"]}

    def _total(self, app: Api, sku: str) -> int:
        return int(app.get(f"/stock/{sku}")["total"])

    def _wait(self, come: Callable[[], bool], most_s: float = 20.0) -> bool:
        give_up = time.monotonic() + most_s
        while not come():
            if time.monotonic() > give_up:
                return False
            time.sleep(0.2)
        return True

    def _scene(self, what: str) -> None:
        time.sleep(self.pause_s)
        print(f"\n{bold(what)}")

    def _tell(self, what: str) -> None:
        print(f"  {what}")

    def _show(self, basket: dict[str, Any]) -> None:
        for line in basket["lines"]:
            via = dim(f"added via {line['added_via']}")
            self._tell(f"{line['quantity']} x {line['name']:24} {_euro(line['line_total']):>10}  {via}")
        self._tell(f"{'total':28} {_euro(basket['totals']['total']):>10}")
        self._bus()

    def _bus(self) -> None:
        for event in self.tap.drain(wait_s=1):
            if event["id"] not in self.seen:
                self.seen.add(event["id"])
                print(dim(f"{'':40} bus: {event['type']:22} {event['id']}"))


def _euro(money: dict[str, Any]) -> str:
    return f"€ {money['amount'] // 100}.{money['amount'] % 100:02d}"
