"""The token issuer fails, hangs and rotates its keys while the shop is open: what callers of the API notice."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.world import World, identity

HOST = urlsplit(identity.ISSUER).netloc


class Trouble:
    """The issuer, which stops answering when told to."""

    def __init__(self, world: World) -> None:
        self.world, self.well, self.up, self.called = world, world.outsiders[HOST], True, 0
        world.outsiders[HOST] = self

    def __call__(self, *request: Any) -> Any:
        self.called += 1
        return self.well(*request) if self.up else (0, {}, b"")


def test_signed_in_shoppers_shop_on_while_the_issuer_is_down(world: World) -> None:
    # GIVEN the function knows the issuer's keys, and the issuer goes down
    tokens = [world.token("customer", sub=f"customer-{number}") for number in range(40)]
    assert world.call("GET", "/me/basket", tokens[0]).status == 200
    issuer = Trouble(world)
    issuer.up = False
    # WHEN a quarter of an hour later twenty others come, whom the gateway has not seen
    world.clock.tick(900)
    for token in tokens[1:21]:
        assert world.call("GET", "/me/basket", token).status == 200
    # THEN the issuer was called once for all of them
    assert issuer.called == 1
    # AND after an hour without a word of it nobody signed in gets in, but guests do
    world.clock.tick(3600)
    for token in tokens[21:]:
        refused = world.call("GET", "/me/basket", token)
        assert (refused.status, refused.json["type"]) == (500, "/problems/unavailable")
    assert issuer.called == 2
    guest = world.call("POST", "/baskets", json={"channel": "web"}).json
    assert world.call("GET", f"/baskets/{guest['basket']['basket_id']}", guest["token"]).status == 200


@pytest.mark.parametrize("kind", ["customer", "staff", "device"])
def test_a_function_that_never_heard_of_the_issuer_asks_once_and_lets_nobody_in(world: World, kind: str) -> None:
    issuer = Trouble(world)
    issuer.up = False
    for number in range(20):
        token = world.token(kind, sub=f"0190a1b2-0000-7000-8000-0000000001{number:02}", location_id="nl-warehouse")
        assert world.call("GET", "/me/basket", token).status == 500
    assert issuer.called == 1
    # AND lets them in as soon as the issuer is back
    issuer.up = True
    world.clock.tick(3)
    assert world.call("GET", "/me/orders", token).status != 500
