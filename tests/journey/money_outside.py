"""The world outside the shop, as the money machine moves and reads it: shoppers, banks, dashboards, and what breaks.

Everything here goes through the stand-ins' own API and test doors; their objects are the books the shop is held
against.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from infra.local.providers import mollie_payments
from tests.journey.money_spec import Figures, Refund
from tests.world import World
from tests.world.providers import SECRETS, Provider

ONLINE = ("stripe", "mollie")
AT_THE_PAGE = ("pay", "pending", "fail", "cancel", "expire")
_GONE = {"succeeded": "gone", "refunded": "gone", "failed": "failed", "canceled": "failed"}


class Outside:
    """Providers, the people at their pages and dashboards, and the wires between them and the shop."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lost_posts = dict.fromkeys(ONLINE, 0)
        self.lost_events: set[str] = set()
        self._cut_into_the_wires()

    # ------------------------------------------------------------------------------------------- shoppers and banks

    def does(self, provider: str, door: str, **asked: Any) -> bool:
        """Use a test door; False if the provider says that this cannot be done (any more)."""
        if door in AT_THE_PAGE and not self.payable(provider, asked["id"]):
            return False
        try:
            self.world.providers[provider].door(door, **asked)
        except AssertionError:
            return False
        return True

    def payable(self, provider: str, ref: str) -> bool:
        """Whether a shopper who still has the page open could pay there now."""
        objects = self._standin(provider).account.objects
        self._standin(provider).tick()
        if provider == "mollie" and ref in objects["payment-link"]:
            return mollie_payments.link_open(self._standin(provider).account, objects["payment-link"][ref])
        if provider == "mollie":
            return objects["payment"][ref]["status"] in ("open", "pending")
        thing = objects["payment_intent"].get(ref) or objects["checkout.session"][ref]
        return thing["status"] in ("open", "requires_action", "requires_payment_method", "requires_confirmation")

    def dashboard_refund(self, provider: str, ref: str, amount: int) -> bool:
        """Somebody gives money back in the provider's dashboard: the shop hears of it by webhook only."""
        if provider == "stripe":
            body = urlencode({"payment_intent": ref, "amount": amount}).encode()
            headers = {"Authorization": f"Bearer {SECRETS['stripe/default']['secret_key']}"}
            status = self._standin("stripe").handle("POST", "/v1/refunds", "", headers, body)[0]
        else:
            value = {"currency": "EUR", "value": f"{amount // 100}.{amount % 100:02d}"}
            body = json.dumps({"amount": value, "description": "goodwill"}).encode()
            headers = {"Authorization": f"Bearer {SECRETS['mollie/default']['api_key']}"}
            status = self._standin("mollie").handle("POST", f"/v2/payments/{ref}/refunds", "", headers, body)[0]
        return status < 300

    # ------------------------------------------------------------------------------------------- their books

    def figures(self, provider: str) -> dict[str, Figures]:
        """What the provider says of its payments, by the id of ours they were made for ("" for nobody's)."""
        books = {each["id"]: each for each in self.world.providers[provider].books()["payments"]}
        found: dict[str, Figures] = defaultdict(Figures)
        for ours, refs in self.refs(provider).items():
            for ref in refs:
                found[ours].captured += books[ref]["captured"]
                found[ours].charged_back += books[ref]["charged_back"]
                found[ours].refunds += self._refunds(provider, ref)
        return found

    def refs(self, provider: str) -> dict[str, list[str]]:
        """The provider's payments, by the id of ours they were made for."""
        objects: dict[str, Any] = self._standin(provider).account.objects
        found: dict[str, list[str]] = defaultdict(list)
        links = {item.get("provider_ref"): item["payment_id"] for item in self.ours()} if provider == "mollie" else {}
        for ref, thing in objects["payment_intent" if provider == "stripe" else "payment"].items():
            ours = (thing.get("metadata") or {}).get("payment_id") or links.get(thing.get("_link"))
            found[ours or ""].append(ref)
        return found

    def _refunds(self, provider: str, ref: str) -> list[Refund]:
        parent, amount = ("payment_intent", "amount") if provider == "stripe" else ("paymentId", "_amount")
        return [
            Refund(
                (each.get("metadata") or {}).get("refund_id", ""), each[amount],
                _GONE.get(each["status"], "going"), each["id"],
            )
            for each in self._standin(provider).account.objects["refund"].values()
            if each[parent] == ref
        ]  # fmt: skip

    def disputes(self, provider: str) -> list[str]:
        """Disputes that are not decided yet."""
        objects = self._standin(provider).account.objects
        if provider == "stripe":
            return [name for name, each in objects["dispute"].items() if each["status"] not in ("won", "lost")]
        return [name for name, each in objects["chargeback"].items() if not each["reversedAt"]]

    # ------------------------------------------------------------------------------------------- what breaks

    def breaks(self, provider: str, when: str, status: int, match: str, answer: Any = None) -> None:
        """The next call that fits is answered like this, undone (`before`) or done (`after`)."""
        body = {} if answer is None else {"answer": answer}
        self.world.providers[provider].door("faults", when=when, status=status, match=match, **body)

    def webhooks(self, provider: str, **how: Any) -> None:
        """Webhooks come like this from now on (see `infra.local.providers.controls`)."""
        self.world.providers[provider].door("webhooks", **how)

    def no_more(self) -> None:
        """Nothing breaks any more."""
        self.lost_events.clear()
        for name in ONLINE:
            self._standin(name).handle("DELETE", "/_test/faults", "", {}, b"")
            self.webhooks(name, copies=1, order="fifo", delay_s=0, drop=0)
            self.lost_posts[name] = 0
        self.world.deliver()

    def _cut_into_the_wires(self) -> None:
        """Webhooks and bus events can get lost on the way."""
        for provider in self.world.providers.values():
            provider._post = self._post(provider)
        route = self.world.pump.bus.route

        def losing(bus: str, event: dict[str, Any]) -> None:
            if event["detail-type"] in self.lost_events:
                self.lost_events.discard(event["detail-type"])
            else:
                route(bus, event)

        self.world.pump.bus.route = losing  # type: ignore[method-assign]

    def _post(self, provider: Provider) -> Callable[[str, dict[str, str], bytes], int]:
        post = provider._post

        def losing(path: str, headers: dict[str, str], body: bytes) -> int:
            if self.lost_posts[provider.name]:
                self.lost_posts[provider.name] -= 1
                return 0
            return post(path, headers, body)

        return losing

    def _standin(self, provider: str) -> Any:
        return self.world.providers[provider].standin

    def ours(self) -> list[dict[str, Any]]:
        """The shop's payments."""
        return [item for item in self.world.items("PaymentsTable") if item["pk"][:2] == "P#" and item["sk"] == "-"]
