"""Operations of shoppers who buy: placing, paying, and everything that follows by itself."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from infra.bench.counting import RELAY, Count
from infra.bench.operation import Operation, Target, placing
from infra.bench.stage import ANNA, ELSE, LARGEST_BASKET, Shopper, Stage, sku

PROVIDERS = ("stripe", "mollie")


def place(lines: int) -> Count:
    """A customer orders what is in the basket. Somebody else ordered one line before, so everything is warm."""
    stage = Stage(lines, everywhere=False)
    stage.place(stage.customer(ELSE, 1), stage.staff if lines > LARGEST_BASKET else None)
    shopper = stage.customer(ANNA, lines)
    with stage.meter.counted() as count:
        stage.place(shopper, stage.staff if lines > LARGEST_BASKET else None)
    return count


@dataclass(frozen=True)
class Purchase:
    """A three-line order of a customer, from the first add to the last event, and what each part of it used."""

    shopping: Count
    """Three adds and one look at the basket."""
    placing: Count
    starting: Count
    """An online payment is started."""
    telling: Count
    """What was published of that so far, and what consumers did about it."""
    posting: Count
    """The provider posts its webhooks."""
    settling: Count
    """Everything after that, until nothing moves any more."""

    @property
    def parts(self) -> dict[str, Count]:
        """The parts by name, as a person would tell them. Consumers' work is told apart from the relay's."""
        later = self.telling + self.settling
        return {
            "three adds, one look": self.shopping,
            "place the order": self.placing,
            "start the payment": self.starting,
            "webhooks in": self.posting,
            "webhook worked off": self.settling.of("PaymentsWorker"),
            "order paid": self.settling.of("CheckoutOnEvent"),
            "stock sold": self.settling.of("StockOnEvent"),
            "history": later.of("ProfilesOnEvent"),
            "relay": later.of(RELAY),
        }

    @property
    def whole(self) -> Count:
        """All of it."""
        return self.shopping + self.placing + self.starting + self.telling + self.posting + self.settling

    @property
    def until_paid(self) -> Count:
        """What it takes until the order is paid: without the sale of the stock and the history that follow."""
        return self.shopping + self.placing + self.starting + self.posting + self.settling.of(*_PAYING)


_PAYING = ("PaymentsWorker", "CheckoutOnEvent")


@functools.cache
def purchase(provider: str) -> Purchase:
    """The whole order, once to warm up and once counted."""
    stage = Stage(3)
    _purchase(stage, stage.customer(ELSE), provider)
    return _purchase(stage, stage.customer(ANNA), provider)


def _purchase(stage: Stage, shopper: Shopper, provider: str) -> Purchase:
    counted, world = stage.meter.counted, stage.world
    with counted() as shopping:
        for number in range(3):
            stage.add(shopper, sku(number))
        stage.call("GET", f"/baskets/{shopper.basket_id}", shopper.token)
    with counted() as placed:
        order = stage.place(shopper)
    with counted() as started:
        payment = stage.pay(order, shopper.token, provider)
    with counted() as told:
        world.settle()
    stage.shopper_pays(payment, provider)
    with counted() as posted, stage.held_back("PaymentsTable->PaymentsWorker", f"PaymentsTable->{RELAY}"):
        world.settle()
    with counted() as settled:
        world.settle()
    paid = stage.call("GET", f"/orders/{order['order_id']}", shopper.token).json
    if paid["state"] != "paid":
        raise AssertionError(f"the order did not get paid: {paid}")
    return Purchase(shopping, placed, started, told, posted, settled)


def duplicate(provider: str) -> Count:
    """A webhook that was worked off is posted once more."""
    stage = Stage(3)
    shopper = stage.customer(ANNA, 3)
    payment = stage.pay(stage.place(shopper), shopper.token, provider)
    stage.shopper_pays(payment, provider)
    stage.world.settle()
    for posted in list(stage.meter.events["PaymentsWebhook"]):
        with stage.meter.counted() as count:
            stage.world.invoke("payments.webhook", posted)
        if count.requests:
            return count
    raise AssertionError(f"no webhook of {provider} was stored")


def relayed() -> Count:
    """One add to a basket becomes one event on the bus."""
    stage = Stage(3)
    shopper = stage.guest()
    stage.world.settle()
    stage.add(shopper, sku(1))
    with stage.meter.counted() as count:
        stage.world.settle()
    return count.of(RELAY)


def swept() -> Count:
    """A clock fires and nothing is due."""
    stage = Stage(1)
    for _ in range(2):
        with stage.meter.counted() as count:
            stage.world.invoke("checkout.sweep", {})
    return count


_READS = "the marker and one stock level a line are read in the same requests as basket and prices"
_SIZE = "the order item outgrows 1 KB at three lines"
_SIZES = "order and basket items are larger than 1 KB"
_KEYS = "180 keys do not fit one batch read"

_PLACED = [
    (1, placing(1), _READS),
    (3, placing(3), f"{_SIZE}; {_READS}"),
    (10, placing(10), f"{_SIZES}; {_READS}"),
    (90, placing(90), f"{_KEYS}; {_SIZES}; {_READS}"),
    (592, Target(), ""),  # in chunks of 90 levels: no single transaction can hold it
]


def _part(provider: str, part: str, *functions: str) -> Callable[[], Count]:
    def count() -> Count:
        whole: Count = getattr(purchase(provider), part)
        return whole.of(*functions) if functions else whole

    return count


def _of(provider: str) -> list[Operation]:
    name, once = provider.title(), Target(requests=1, write_units=1, read_units=0)
    worked_off = Target(requests=2, write_units=8, read_units=1)
    return [
        Operation("Payments", f"{name}: start online", _part(provider, "starting")),
        Operation("Payments", f"{name}: webhooks of a payment in", _part(provider, "posting", "PaymentsWebhook"), once),
        Operation("Payments", f"{name}: webhook again", functools.partial(duplicate, provider), once),
        Operation("Payments", f"{name}: webhook worked off", _part(provider, "settling", "PaymentsWorker"), worked_off),
    ]


OPERATIONS = [
    *(
        Operation("Checkout", f"place, {n} line{'s' * (n > 1)}", functools.partial(place, n), target, why)
        for n, target, why in _PLACED
    ),
    *(operation for provider in PROVIDERS for operation in _of(provider)),
    Operation("After payment", "order paid, 3 lines", _part("stripe", "settling", "CheckoutOnEvent")),
    Operation("After payment", "stock sold, 3 lines", _part("stripe", "settling", "StockOnEvent")),
    Operation("After payment", "history, 3 entries", _part("stripe", "whole", "ProfilesOnEvent")),
    Operation("After payment", "relay, one event", relayed, Target(requests=0)),
    Operation(
        "Whole", "3 lines, basket to paid", _part("stripe", "until_paid"), Target(write_units=40),
        "becoming paid closes what may be collected and keeps there what the order counts of the payment, in one "
        "transaction (6, was 3); the order is written once more (3) when stock has acknowledged it",
    ),
    Operation(
        "Whole", "... and stock sold, history", _part("stripe", "whole"), Target(write_units=40),
        "selling writes a level and a movement for each line, twice as transactions are",
    ),
    Operation("Idle", "a sweep that finds nothing", swept),
]  # fmt: skip
