"""Operations of shoppers who look and choose: catalog, basket, stock, profiles."""

from __future__ import annotations

import functools
from collections.abc import Callable

from infra.bench.counting import Count
from infra.bench.operation import Operation, Target
from infra.bench.stage import ANNA, ELSE, LARGEST_BASKET, Stage, sku


def add(lines: int, *, warm: bool = True, at_till: bool = False) -> Count:
    """The add that makes a customer's basket `lines` long; staff fill those that are too long for a shopper.

    `at_till`: every line was added by a till to this basket of the web, so each remembers till and store.
    """
    stage = Stage(lines, everywhere=False)
    till = stage.world.token("device", sub="till-ams-1", location_id="ams-kalverstraat")
    adder = till if at_till else stage.staff if lines > LARGEST_BASKET else None
    shopper = stage.customer(ANNA, lines - 1, by=adder)
    stage.add(stage.customer(ELSE), sku(lines - 1))
    stage.call("GET", f"/baskets/{shopper.basket_id}", shopper.token)
    if not warm:
        stage.forget_prices()
    with stage.meter.counted() as count:
        stage.add(shopper, sku(lines - 1), adder)
    return count


def read_basket(lines: int, *, warm: bool) -> Count:
    """Reading a basket with all prices in the cache, or none."""
    stage = Stage(lines)
    shopper = stage.guest(lines)
    stage.call("GET", f"/baskets/{shopper.basket_id}", shopper.token)
    if not warm:
        stage.forget_prices()
    with stage.meter.counted() as count:
        stage.call("GET", f"/baskets/{shopper.basket_id}", shopper.token)
    return count


def claim() -> Count:
    """A customer with a basket of 3 lines signs in and takes a guest's 3 other lines in."""
    stage = Stage(6)
    for person in (ELSE, ANNA):
        customer = stage.customer(person, 3)
        guest = stage.guest(3, first=3)
        with stage.meter.counted() as count:
            body = {"basket_token": guest.token}
            stage.call("POST", "/me/basket/claims", customer.token, json=body, key=stage.key())
    return count


def twice(act: Callable[[Stage], None], products: int = 10) -> Callable[[], Count]:
    """Count an operation that can be repeated as it is: once to warm up, once for the bill."""

    def count() -> Count:
        stage = Stage(products)
        act(stage)
        with stage.meter.counted() as count:
            act(stage)
        return count

    return count


def find_person() -> Count:
    """A till looks a person up by e-mail."""
    stage = Stage(1)
    stage.person("anna@example.com")
    for _ in range(2):
        with stage.meter.counted() as count:
            stage.call("GET", "/profiles?identity=email:anna%40example.com", stage.staff)
    return count


def merge_people() -> Count:
    """Two profiles with an e-mail address each become one person."""
    stage = Stage(1)
    for _ in range(2):
        survivor, absorbed = (stage.person(f"anna-{stage.key()}@example.com") for _ in range(2))
        body = {"survivor_id": survivor, "absorbed_id": absorbed, "reason": "same card"}
        with stage.meter.counted() as count:
            stage.call("POST", "/profiles/merges", stage.staff, json=body, key=stage.key())
    return count


OPERATIONS = [
    Operation(
        "Catalog", "product", twice(lambda stage: _get(stage, f"/products/{sku(3)}")),
        Target(requests=1, write_units=0, read_units=0.5),
    ),
    Operation(
        "Catalog", "page of 20 products", twice(lambda stage: _get(stage, "/products?limit=20"), 60),
        Target(requests=2, write_units=0),
    ),
    *(
        Operation(
            "Basket", f"add the {lines:,}{'st' if lines == 1 else 'th'} line", functools.partial(add, lines),
            Target(requests=1, write_units=units, read_units=0),
        )
        for lines, units in ((1, 1), (15, 1), (40, 2), (200, None), (2000, None))
    ),
    Operation(
        "Basket", "add the 15th line, all at a till", functools.partial(add, 15, at_till=True),
        Target(requests=1, write_units=1, read_units=0),
        "a line from elsewhere remembers who added it, where and by which channel: seven of them fit 1 KB",
    ),
    Operation(
        "Basket", "add the 15th line, no price cached", functools.partial(add, 15, warm=False), Target(write_units=1)
    ),
    Operation(
        "Basket", "read, 15 lines, prices cached", functools.partial(read_basket, 15, warm=True),
        Target(requests=1, write_units=0, read_units=1),
    ),
    Operation(
        "Basket", "read, 15 lines, no price cached", functools.partial(read_basket, 15, warm=False),
        Target(requests=2, write_units=0, read_units=1 + 15 / 2),
    ),
    Operation("Basket", "claim: 3 lines into 3", claim),
    Operation(
        "Stock", "one SKU at 6 locations", twice(lambda stage: _get(stage, f"/stock/{sku(3)}")),
        Target(requests=1, write_units=0, read_units=1),
    ),
    Operation("Profiles", "find by e-mail", find_person),
    Operation("Profiles", "merge two", merge_people),
]  # fmt: skip


def _get(stage: Stage, path: str) -> None:
    stage.call("GET", path)
