"""The audit: who did what to which object, one entry for each sensitive thing, and none for what shoppers do."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from infra import audit
from infra.say import Sorry
from tests.journey.test_own_location import HERE, SCOPES, Stores
from tests.world import World

TABLES = ("CatalogTable", "OrdersTable", "PaymentsTable", "ProfilesTable")


def entries(world: World) -> list[dict[str, Any]]:
    """All audit entries, oldest first."""
    found = [item for name in TABLES for item in world.items(name) if item["pk"].startswith("AUDIT#")]
    return sorted(found, key=lambda item: item["sk"])


def said(world: World) -> list[tuple[str, str, str]]:
    """By, action and object of every entry, oldest first."""
    return [(each["by"], each["action"], each["about"]) for each in entries(world)]


@pytest.fixture
def stores(world: World) -> Stores:
    return Stores(world)


def test_what_a_till_does_to_an_order_and_its_money(stores: Stores, world: World) -> None:
    order = stores.pickup(HERE)
    payment = stores.paid(order, stores.tills[HERE])
    handed_over = world.call("POST", f"/orders/{order}/fulfilments", stores.tills[HERE], key="hand-over")
    assert handed_over.status == 200
    # AND the same request again
    assert world.call("POST", f"/orders/{order}/fulfilments", stores.tills[HERE], key="hand-over").status == 200
    refund = stores.refund(payment, stores.tills[HERE]).json["refund_id"]
    for _ in range(2):
        paid_out = f"/payments/{payment}/refunds/{refund}/paid-out"
        assert stores.call("PUT", paid_out, stores.tills[HERE]).status == 200
    other = stores.pickup(HERE)
    assert stores.call("POST", f"/orders/{other}/cancel", stores.tills[HERE]).status == 200
    # THEN each is there once, and names who, what, which, where, when and in which request
    till = f"device:till-{HERE}"
    assert said(world) == [
        (till, "order.fulfilled", f"order/{order}"),
        (till, "payment.refunded", f"payment/{payment}"),
        (till, "payment.paid-out", f"payment/{payment}"),
        (till, "order.cancelled", f"order/{other}"),
    ]
    first = entries(world)[0]
    assert first["location_id"] == HERE
    assert first["at"].startswith("2026-11-21T")
    assert first["correlation_id"] == handed_over.headers.get("x-correlation-id", first["correlation_id"])
    assert set(first) == {"pk", "sk", "action", "about", "by", "location_id", "at", "correlation_id"}


def test_what_staff_do_to_people(stores: Stores, world: World) -> None:
    staff = world.token("staff", sub="anna-of-service")
    people = [stores.call("POST", "/profiles", staff, {"given_name": f"Ann{n}"}).json["profile_id"] for n in range(2)]
    merge = {"survivor_id": people[0], "absorbed_id": people[1], "reason": "same card"}
    merge_id = stores.call("POST", "/profiles/merges", staff, merge).json["merge_id"]
    for _ in range(2):
        assert stores.call("DELETE", f"/profiles/merges/{merge_id}", staff).status == 200
    assert stores.call("GET", f"/profiles/{people[0]}/export", staff).status == 200
    for _ in range(2):
        assert stores.call("DELETE", f"/profiles/{people[1]}", staff).status == 200
    by = "staff:anna-of-service"
    assert said(world) == [
        (by, "profile.merged", f"profile/{people[0]}"),
        (by, "profile.unmerged", f"merge/{merge_id}"),
        (by, "profile.exported", f"profile/{people[0]}"),
        (by, "profile.erased", f"profile/{people[1]}"),
    ]
    assert entries(world)[0]["other"] == f"profile/{people[1]}"
    assert "Ann0" not in str(entries(world))


def test_who_changed_a_price(world: World) -> None:
    pim = world.token("staff", sub="pim")
    product = {"name": "Tee", "prices": [{"amount": 1995, "currency": "EUR"}]}

    def put(**changes: Any) -> None:
        assert world.call("PUT", "/products/TEE", pim, json=product | changes).status == 200

    put()
    put(name="T-shirt")
    assert said(world) == []
    cheap = [{"amount": 1, "currency": "EUR"}]
    put(prices=cheap)
    put(prices=cheap)
    batch = {"products": [product | {"sku": "TEE"}]}
    assert world.call("POST", "/products/batch", pim, json=batch).status == 200
    assert said(world) == [("staff:pim", "price.changed", "product/TEE")] * 2


def test_capture_by_hand_and_an_account_that_was_named(stores: Stores, world: World) -> None:
    order = stores.pickup(HERE)
    asked = {"provider": "stripe", "method": "online", "capture": "manual", "account": "default"}
    till = stores.tills[HERE]
    payment = stores.call("POST", f"/orders/{order}/payments", till, asked).json["payment_id"]
    item = next(i for i in world.items("PaymentsTable") if (i["pk"], i["sk"]) == (f"P#{payment}", "-"))
    world.providers["stripe"].door("pay", id=item["provider_ref"])
    world.settle()
    for _ in range(2):
        assert world.call("POST", f"/payments/{payment}/captures", till, json={}, key="take").status == 201
    assert [action for _, action, _ in said(world)] == ["payment.account-named", "payment.captured"]


def test_goods_that_moved_say_themselves_who_moved_them(stores: Stores, world: World) -> None:
    """A movement is put once and never changed, so it is its own entry."""
    moved = {"location_id": HERE, "sku": "TEE", "kind": "adjustment", "quantity": -2}
    assert stores.call("POST", "/stock/movements", stores.tills[HERE], moved).status == 201
    (movement,) = [item for item in world.items("StockTable") if item["sk"].startswith("MOVE#")]
    assert (movement["by"], movement["location_id"]) == (f"device:till-{HERE}", HERE)
    (shown,) = stores.call("GET", f"/stock/TEE/movements?location={HERE}", stores.tills[HERE]).json["items"]
    assert shown["by"] == f"device:till-{HERE}"


def test_what_shoppers_do_with_what_is_theirs_makes_no_entry(stores: Stores, world: World) -> None:
    order = stores.pickup(HERE)
    assert stores.call("POST", f"/orders/{order}/cancel", stores.token).status == 200
    customer = world.token("customer")
    me = world.call("GET", "/me", customer).json["profile_id"]
    assert world.call("GET", f"/profiles/{me}/export", customer).status == 200
    assert world.call("DELETE", f"/profiles/{me}", customer).status == 200
    assert entries(world) == []


def test_what_was_refused_makes_no_entry(stores: Stores, world: World) -> None:
    order = stores.pickup(HERE)
    assert stores.call("POST", f"/orders/{order}/fulfilments", stores.tills[HERE]).status == 409
    payment = stores.paid(order, stores.tills[HERE])
    too_much = {"amount": {"amount": 99_999, "currency": "EUR"}, "reason": "r"}
    assert stores.call("POST", f"/payments/{payment}/refunds", stores.tills[HERE], too_much).status == 409
    assert stores.call("POST", f"/orders/{order}/cancel", stores.till(HERE, "orders:read")).status == 403
    assert entries(world) == []


def test_the_command_lists_what_was_done_to_an_object(
    stores: Stores, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN an order that was handed over, and goods that were counted out
    order = stores.pickup(HERE)
    stores.paid(order, stores.tills[HERE])
    assert stores.call("POST", f"/orders/{order}/fulfilments", stores.tills[HERE]).status == 200
    moved = {"location_id": HERE, "sku": "TEE", "kind": "adjustment", "quantity": -2, "reference": "broken"}
    assert stores.call("POST", "/stock/movements", stores.tills[HERE], moved).status == 201
    monkeypatch.setattr(audit, "_here", lambda table: (Tables(world), table))

    def listed(about: str) -> list[dict[str, Any]]:
        assert audit.run(argparse.Namespace(object=about, stack=None, json=True)) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    # THEN an operator finds them, however the number is typed
    for typed in (order, order.lower(), f"{order[:4]}-{order[4:8]}-{order[8:]}"):
        (entry,) = listed(f"order/{typed}")
        assert (entry["action"], entry["by"]) == ("order.fulfilled", f"device:till-{HERE}")
    (sale, movement) = listed("stock/TEE")
    assert (sale["action"], sale["order_id"]) == ("stock.sale", order)
    assert (movement["action"], movement["quantity"], movement["by"]) == ("stock.adjustment", -2, f"device:till-{HERE}")
    assert listed("profile/nobody") == []
    audit.run(argparse.Namespace(object=f"order/{order}", stack=None, json=False))
    assert "order.fulfilled" in capsys.readouterr().out
    with pytest.raises(Sorry):
        audit.run(argparse.Namespace(object="basket/1", stack=None, json=False))


class Tables:
    """A client of the world's tables for an operator, whom no policy of a function binds."""

    def __init__(self, world: World) -> None:
        self.world = world

    def get_paginator(self, operation: str) -> Tables:
        assert operation == "query"
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        values = {name: value["S"] for name, value in asked["ExpressionAttributeValues"].items()}
        images = self.world.aws.images(self.world.template.tables[asked["TableName"]].name)
        found = [
            image
            for image in images
            if image["pk"]["S"] == values[":pk"] and image["sk"]["S"].startswith(values.get(":prefix", ""))
        ]
        return [{"Items": sorted(found, key=lambda image: image["sk"]["S"])}]


@pytest.mark.parametrize(
    ("function", "table"),
    [("CheckoutApi", "ORDERS"), ("ProfilesSweep", "PROFILES"), ("PaymentsApi", "PAYMENTS"), ("CatalogApi", "CATALOG")],
)
def test_no_function_can_change_or_remove_an_entry(world: World, function: str, table: str) -> None:
    from botocore.exceptions import ClientError

    from commerce import writes
    from tests.world.calls import Invocation, current

    key = ("AUDIT#order/X", "1")
    running = current.set(Invocation(function, "r"))
    try:
        with world.runtime.function_environment(world.template.functions[function]):
            for write in (
                writes.update(table, key, set="#b = :b", names={"#b": "by"}, values={":b": "nobody"}),
                writes.delete(table, key, when=""),
            ):
                with pytest.raises(ClientError, match="AccessDenied"):
                    writes.commit(write)
    finally:
        current.reset(running)


def test_the_log_names_who_did_it(stores: Stores, world: World) -> None:
    """One line an invocation, with the actor of everybody who serves; shoppers are not named."""
    order = stores.pickup(HERE)
    stores.call("GET", f"/orders/{order}", stores.till(HERE, SCOPES))
    lines = [line.text for line in world.logs if '"GET /orders/{order_id}"' in line.text]
    assert f'"by":"till-{HERE}"' in lines[-1].replace('": "', '":"')
    stores.call("GET", f"/orders/{order}", stores.token)
    lines = [line.text for line in world.logs if '"GET /orders/{order_id}"' in line.text]
    assert '"by"' not in lines[-1]
