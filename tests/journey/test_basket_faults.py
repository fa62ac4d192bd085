"""The basket's journeys, struck at their outside calls: the client tries again, and everything counts once.

`make test` takes a fixed part of all faults; `pytest tests/journey/test_basket_faults.py --explore all` every one.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.world.explore import explore
from tests.world.world import CUSTOMER, Response, World

AT = "2026-11-21T09:30:00Z"
PROFILE = "0190a1b2-0000-7000-8000-0000000000f1"
PART = (0, 6)


def done(answer: Response) -> Any:
    assert answer.status in (200, 201), answer
    return answer.json


def lines(basket: dict[str, Any], which: str = "lines") -> dict[str, int]:
    return {line["sku"]: line["quantity"] for line in basket[which]}


def begin(world: World) -> tuple[str, str]:
    """A shop and a guest's basket."""
    with world.calm():
        batch = [
            {"sku": sku, "name": sku, "prices": [{"amount": 100, "currency": "EUR"}]} for sku in ("TEE", "MUG", "CAP")
        ]
        done(world.call("POST", "/products/batch", world.token("staff"), json={"products": batch}))
        made = done(world.call("POST", "/baskets", json={"channel": "web"}))
        world.settle()
    return made["basket"]["basket_id"], made["token"]


def add(world: World, basket: str, token: str, sku: str, quantity: int, key: str) -> Any:
    body = {"sku": sku, "quantity": quantity}
    return done(world.call("POST", f"/baskets/{basket}/lines", token, json=body, key=key))


def log(world: World, basket: str, token: str, *operations: dict[str, Any]) -> Any:
    body = {"device_id": "app", "operations": [{"at": AT} | each for each in operations]}
    return done(world.call("POST", f"/baskets/{basket}/operations", token, json=body))


def offline_and_back(world: World) -> None:
    """A device's log and simple edits, interleaved."""
    basket, token = begin(world)
    log(world, basket, token, {"seq": 1, "op": "add", "sku": "TEE", "quantity": 2})
    add(world, basket, token, "TEE", 3, "k1")
    remove = {"seq": 2, "op": "set", "sku": "TEE", "quantity": 1, "seen": ["app|1"]}
    log(world, basket, token, remove, {"seq": 3, "op": "add", "sku": "MUG", "quantity": 4})
    done(world.call("PUT", f"/baskets/{basket}/lines/CAP", token, json={"quantity": 2}))
    log(world, basket, token, {"seq": 4, "op": "save_for_later", "sku": "MUG"})
    done(world.call("DELETE", f"/baskets/{basket}/lines/CAP", token))
    shown = done(world.call("GET", f"/baskets/{basket}", token))
    assert (lines(shown), lines(shown, "saved_for_later")) == ({"TEE": 4}, {"MUG": 4})


def sign_in_and_undo(world: World) -> None:
    """A guest signs in, an old tab goes on, the claim is undone."""
    basket, token = begin(world)
    customer = world.token("customer")
    with world.calm():
        add(world, basket, token, "TEE", 2, "k1")
        log(world, basket, token, {"seq": 1, "op": "add", "sku": "CAP", "quantity": 1})
    claim = done(world.call("POST", "/me/basket/claims", customer, json={"basket_token": token}, key="claim"))
    assert lines(claim["basket"]) == {"TEE": 2, "CAP": 1}
    add(world, basket, token, "MUG", 1, "k2")
    log(world, basket, token, {"seq": 2, "op": "add", "sku": "CAP", "quantity": 3})
    done(world.call("DELETE", f"/me/basket/claims/{claim['merge']['merge_id']}", customer))
    assert lines(done(world.call("GET", "/me/basket", customer))) == {"MUG": 1, "CAP": 3}
    assert lines(done(world.call("GET", f"/baskets/{basket}", token))) == {"TEE": 2, "CAP": 1}


def a_profile_gets_an_account_and_is_erased(world: World) -> None:
    """What the till collected for a profile comes to its customer; then nothing is left of either."""
    begin(world)
    till, customer = world.token("device"), world.token("customer")
    with world.calm():
        walk_in = done(world.call("GET", "/me/basket", world.token("customer", sub=PROFILE)))["basket_id"]
        add(world, walk_in, till, "TEE", 2, "t")
    hear(world, "profile.identified", identity_id="i", kind="account", customer_id=CUSTOMER)
    assert lines(done(world.call("GET", "/me/basket", customer))) == {"TEE": 2}
    hear(world, "profile.erased")
    world.settle()
    assert not [item for item in world.items("BasketTable") if item.get("owner") == CUSTOMER]


def hear(world: World, event: str, **data: Any) -> None:
    """The bus tells; what failed comes again."""
    from commerce import events

    model = events.TYPES[event].model_validate({"profile_id": PROFILE} | data)
    subject = model.subject_of(model.model_dump())
    detail = {
        "specversion": "1.0", "id": f"{subject}@1", "source": "mandje.profiles", "type": event, "subject": subject,
        "time": AT, "dataschema": "-", "data": model.model_dump(exclude_none=True),
    }  # fmt: skip
    entry = {"Source": "mandje.profiles", "DetailType": event, "Detail": json.dumps(detail)}
    bus = next(iter(world.template.buses.values()))
    world.pump.bus.put_events([entry | {"EventBusName": bus}])
    world.settle()


def silence(world: World) -> None:
    """A filled basket is left alone: told once."""
    basket, token = begin(world)
    with world.calm():
        add(world, basket, token, "TEE", 2, "k1")
        world.settle()
    world.advance(3700)
    world.advance(60)
    assert len({event["id"] for event in world.events("basket.abandoned")}) == 1


@pytest.mark.parametrize(
    "journey", [offline_and_back, sign_in_and_undo, a_profile_gets_an_account_and_is_erased, silence]
)
def test_no_fault_breaks_the_promise(journey: Any, request: pytest.FixtureRequest) -> None:
    whole = request.config.getoption("--explore", "part") != "part"
    found = explore(journey, slice=None if whole else PART)
    assert not found.failures, found
