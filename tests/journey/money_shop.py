"""People of the money machine: shoppers and a till over HTTP, each request remembered so that it can be sent again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.journey import money_spec as spec
from tests.journey.money_outside import ONLINE, Outside
from tests.journey.money_spec import Figures, Order, Paper, Refund, Shown, Tender, Wish
from tests.world import Response, World
from tests.world.identity import SCOPES

STORE = "ams-kalverstraat"
PAGE = "https://shop.test/thanks"
ADDRESS = {"line1": "Kalverstraat 1", "postal_code": "1012 NX", "city": "Amsterdam"}
CONTACT = {"name": "Noor de Vries", "email": "noor@example.nl"}
PRICES = {"TEE": 2000, "MUG": 1250, "LAST": 3000}
"""There is one piece of LAST: paid too late, it is gone."""
SAID_ONCE = (
    "payment_id",
    "order_id",
    "refund_id",
    "capture_id",
    "amount",
    "redirect_url",
    "link",
    "qr",
    "client_secret",
)
"""Members of an answer that a repeat must not change; what became of it since may differ."""
CLOCKS = ("CheckoutSweep", "PaymentsSweep")
"""The clocks money depends on. The others stand still until the end: each run of theirs costs a story a tenth."""
PAYMENTS = SCOPES["staff"] + " payments:refund"


@dataclass
class Sent:
    """A request that was made, and what it was first answered for good."""

    method: str
    path: str
    who: Callable[[], str]
    body: Any
    key: str
    heard: Callable[[Response], None]
    first: Response | None = None

    @property
    def answered(self) -> bool:
        return self.first is not None


class Shop:
    """The shop as its people use it, with the paper they keep."""

    def __init__(self) -> None:
        self.world = world = World()
        world.pump.idle = world.aws.nothing_due
        world.seed_products(PRICES, stock={"TEE": 40, "MUG": 40, "LAST": 1})
        world.pump.paused |= {each.name for each in world.template.schedules if each.function not in CLOCKS}
        self.outside = Outside(world)
        self.paper = Paper()
        self.sent: list[Sent] = []
        self._count = 0

    # ------------------------------------------------------------------------------------------------- who asks

    def staff(self) -> str:
        """A clerk in the office. Tokens live for a shift, so each request brings a fresh one."""
        return self.world.token("staff", scopes=PAYMENTS, location_id=STORE)

    def till(self) -> str:
        """The till of the store."""
        return self.world.token("device", scopes=SCOPES["device"] + " payments:refund", location_id=STORE)

    def name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"

    def ask(
        self, path: str, who: Callable[[], str], body: Any, heard: Callable[[Response], None], method: str = "POST"
    ) -> Sent:
        """Make a request under a key of its own. `heard` takes its first answer that is one."""
        sent = Sent(method, path, who, body, self.name("key"), heard)
        self.sent.append(sent)
        self.send(sent)
        return sent

    def send(self, sent: Sent) -> Response:
        """Make a request, or make it again: once it was done, the answer stays."""
        answer = self.world.call(sent.method, sent.path, sent.who(), json=sent.body, key=sent.key)
        if sent.first is not None and sent.first.status < 300:
            again = (answer.status, *(_member(answer, name) for name in SAID_ONCE))
            first = (sent.first.status, *(_member(sent.first, name) for name in SAID_ONCE))
            unknown = answer.status == 503 and "client_secret" in (sent.first.json or {})  # asked for at the provider
            assert again == first or unknown, f"{sent.method} {sent.path} was answered {first}, and then {again}"
        elif answer.status != 503 and not _still_running(answer):
            assert answer.status < 500, answer
            sent.first = answer
            sent.heard(answer)
        return answer

    # ------------------------------------------------------------------------------------------------- orders

    def place(self, sku: str, quantity: int, till: bool) -> Order | None:
        """Somebody orders on the web, or at the till to be delivered. None if it is sold out."""
        opened = self.world.call("POST", "/baskets", json={"channel": "web"}).json
        basket_id, token = opened["basket"]["basket_id"], opened["token"]
        line = {"sku": sku, "quantity": quantity}
        added = self.world.call("POST", f"/baskets/{basket_id}/lines", token, json=line, key=self.name("add"))
        assert added.status == 200, added
        body = {"basket_id": basket_id, "contact": CONTACT, "fulfilment": {"kind": "delivery", "address": ADDRESS}}
        placed: list[Order] = []

        def heard(answer: Response) -> None:
            if answer.status == 201:
                placed.append(Order(answer.json["order_id"], answer.json["totals"]["total"]["amount"], till, token))
                self.paper.orders[placed[0].order_id] = placed[0]
            else:
                assert answer.json["type"] == "/problems/out-of-stock", answer

        self.ask("/checkouts", self.till if till else lambda: token, body, heard)
        return placed[0] if placed else None

    def cancel(self, order: Order, by_staff: bool) -> None:
        """The shopper, or a clerk, cancels an order."""

        def heard(answer: Response) -> None:
            order.ended = order.ended or answer.status == 200

        self.ask(f"/orders/{order.order_id}/cancel", self._caller(order, by_staff), None, heard)

    def fulfil(self, order: Order) -> None:
        """The goods are handed over, if the order keeps what it should."""

        def heard(answer: Response) -> None:
            if answer.status != 200 or order.fulfilled:
                return
            order.fulfilled = True
            figures, tenders = self.figures(), self.paper.tenders_of(order.order_id)
            keeps = spec.keeping(figures[each.payment_id] for each in tenders)
            late = any(each.stirred for each in tenders)
            assert keeps >= order.total or late, f"{order} is handed over, and keeps {keeps}"

        self.ask(f"/orders/{order.order_id}/fulfilments", self.staff, None, heard)

    def order(self, order: Order) -> dict[str, Any]:
        """The order as staff sees it."""
        found: dict[str, Any] = self.world.call("GET", f"/orders/{order.order_id}", self.staff()).json
        return found

    def _caller(self, order: Order, by_staff: bool) -> Callable[[], str]:
        if by_staff:
            return self.staff
        return self.till if order.till else lambda: order.token

    # ------------------------------------------------------------------------------------------------- payments

    def start(self, order: Order, provider: str, method: str, page: bool, manual: bool, amount: int | None) -> None:
        """Begin to pay an order: all of it, or `amount`."""
        body: dict[str, Any] = {"provider": provider, "method": method}
        body |= {"return_url": PAGE} if page else {}
        body |= {"capture": "manual"} if manual else {}
        body |= {"amount": _money(amount)} if amount else {}

        def heard(answer: Response) -> None:
            assert answer.status in (201, 409, 422), answer
            if answer.status == 201:
                said = answer.json
                tender = Tender(said["payment_id"], order.order_id, provider, method, said["amount"]["amount"], manual)
                tender.given = tender.amount if provider == "cash" else 0
                self.paper.tenders[tender.payment_id] = tender

        who = self.till if provider == "cash" or order.till else lambda: order.token
        self.ask(f"/orders/{order.order_id}/payments", who, body, heard)

    def pay(self, tender: Tender, by: str = "") -> bool:
        """The shopper pays on the provider's page, if it still can be paid."""
        asked = {"id": self.ref(tender)} | ({"payment_method": by} if by and tender.provider == "stripe" else {})
        if not self.outside.does(tender.provider, "pay", **asked):
            return False
        tender.given += tender.amount
        return True

    def capture(self, tender: Tender, amount: int | None) -> None:
        """A clerk takes (part of) what is held."""
        open_wish = [amount or tender.amount]
        tender.maybe += open_wish[0]

        def heard(answer: Response) -> None:
            assert answer.status in (201, 409, 422), answer
            if answer.status == 201 and answer.json["status"] in ("pending", "requested"):
                return
            tender.maybe -= open_wish[0]
            open_wish[0] = 0
            if answer.status == 201:
                tender.captures.append(answer.json["amount"]["amount"])

        body = {"amount": _money(amount)} if amount else {}
        self.ask(f"/payments/{tender.payment_id}/captures", self.staff, body, heard)

    def refund(self, tender: Tender, amount: int) -> None:
        """A clerk gives (part of) a payment back."""
        wish = Wish(self.name("person"), tender.payment_id, amount)
        self.paper.wishes.append(wish)

        def heard(answer: Response) -> None:
            assert answer.status in (201, 409, 422), answer
            wish.answer = "made" if answer.status == 201 else "refused"

        body = {"amount": _money(amount), "reason": wish.reason}
        self.ask(f"/payments/{tender.payment_id}/refunds", self.staff, body, heard)

    def pay_out(self, tender: Tender, refund_id: str, amount: int) -> None:
        """The cashier hands a cash refund over and says so."""

        def heard(answer: Response) -> None:
            if answer.status == 200:
                tender.paid_out[refund_id] = amount

        path = f"/payments/{tender.payment_id}/refunds/{refund_id}/paid-out"
        self.ask(path, self.till, {}, heard, method="PUT")

    def cash_to_pay_out(self) -> list[tuple[Tender, str, int]]:
        """Cash refunds that the till shows as not handed over yet."""
        return [
            (tender, refund["refund_id"], refund["amount"]["amount"])
            for tender in self.paper.tenders.values()
            if tender.provider == "cash"
            for refund in self.shown(tender)["refunds"]
            if refund["status"] not in ("succeeded", "failed")
        ]

    # ------------------------------------------------------------------------------------------------- looking

    def shown(self, tender: Tender) -> dict[str, Any]:
        """The payment as staff sees it."""
        answer = self.world.call("GET", f"/payments/{tender.payment_id}", self.staff())
        assert answer.status == 200, answer
        found: dict[str, Any] = answer.json
        return found

    def owed(self) -> dict[str, int]:
        """What the shop says has to go back and is not on its way, by payment."""
        answer = self.world.call("GET", "/refunds?state=owed&limit=100", self.staff())
        assert answer.status == 200, answer
        return {each["payment_id"]: each["amount"]["amount"] for each in answer.json["items"]}

    def ref(self, tender: Tender) -> str:
        """What the provider calls the payment (or its page, or link)."""
        return str(next(i["provider_ref"] for i in self.outside.ours() if i["payment_id"] == tender.payment_id))

    def refs(self, tender: Tender) -> list[str]:
        """The payments the provider made for it."""
        return self.outside.refs(tender.provider).get(tender.payment_id, [])

    def figures(self) -> dict[str, Figures]:
        """Every payment as it is where the money is: at its provider, or in the drawer."""
        books = {provider: self.outside.figures(provider) for provider in ONLINE}
        return {name: _drawer(each) if each.provider == "cash" else books[each.provider][name]
                for name, each in self.paper.tenders.items()}  # fmt: skip

    def look(self) -> list[str]:
        """What is wrong whatever is under way; and what each order has to keep by now is written down."""
        figures, wrong = self.figures(), []
        states = {item["order_id"]: item["state"] for item in self.world.items("OrdersTable") if "order_number" in item}
        for order in self.paper.orders.values():
            tenders = self.paper.tenders_of(order.order_id)
            of_order = [figures[each.payment_id] for each in tenders]
            made, unheard = self._wished(tenders, "made"), self._wished(tenders, "")
            sure = made + sum(each.live for one in of_order for each in one.refunds if not each.name)
            sure -= sum(self._repaired(each, figures[each.payment_id]) for each in tenders)
            maybe = made + unheard + sum(each.by_dashboard for each in tenders)
            over = states.get(order.order_id) in ("expired", "cancelled")
            came = sum(each.captured for each in of_order)
            order.note(came, sure, maybe, spec.keeping(of_order), over)
        for name, each in figures.items():
            wrong += [f"{self.paper.tenders[name]}: {what}" for what in spec.never(each)]
        return wrong

    def _repaired(self, tender: Tender, figures: Figures) -> int:
        """What of failed refunds a person may have made up by asking for another one."""
        failed = sum(each.amount - each.live for each in figures.refunds)
        later = [wish.amount for wish in self.paper.wishes if wish.payment_id == tender.payment_id][1:]
        return min(failed, sum(later))

    def _wished(self, tenders: list[Tender], answer: str) -> int:
        ids = {each.payment_id for each in tenders}
        return sum(wish.amount for wish in self.paper.wishes if wish.payment_id in ids and wish.answer == answer)


def _drawer(tender: Tender) -> Figures:
    gone = [Refund(name, amount, "gone") for name, amount in tender.paid_out.items()]
    return Figures(captured=tender.given, refunds=gone)


def refunds_shown(view: dict[str, Any]) -> Shown:
    """What the shop says of a payment's refunds."""
    return {
        "reason": {each["refund_id"]: each.get("reason", "") for each in view["refunds"]},
        "status": {each["refund_id"]: each["status"] for each in view["refunds"]},
    }


def _money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def _member(answer: Response, name: str) -> Any:
    return (answer.json or {}).get(name)


def _still_running(answer: Response) -> bool:
    """The request is being worked on: asking again in a moment helps."""
    return answer.status == 409 and answer.json["type"] in ("/problems/in-progress", "/problems/request-in-progress")
