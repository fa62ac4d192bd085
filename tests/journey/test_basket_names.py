"""A log's name belongs to one log: whoever uses it again is told, and no add is lost with a 200."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.journey.test_basket import AT, Guest, claim, lines, log, op, ordered, problem, products, stored
from tests.world.world import World


@pytest.fixture
def shop(world: World) -> World:
    products(world, TEE=1995, MUG=1250, SOCKS=895)
    return world


def removed_by_its_log(shop: World, guest: Guest) -> None:
    assert guest.log("app", op(2, "remove", "TEE")).status == 200


def removed_by_a_simple_client(shop: World, guest: Guest) -> None:
    assert shop.call("DELETE", f"{guest.path}/lines/TEE", guest.token).status == 200


def set_by_a_simple_client(shop: World, guest: Guest) -> None:
    assert shop.call("PUT", f"{guest.path}/lines/TEE", guest.token, json={"quantity": 5}).status == 200


def set_by_its_log(shop: World, guest: Guest) -> None:
    assert guest.log("app", op(2, "set", "TEE", quantity=5)).status == 200


def saved_for_later(shop: World, guest: Guest) -> None:
    assert guest.log("app", op(2, "save_for_later", "TEE")).status == 200


def checked_out(shop: World, guest: Guest) -> None:
    ordered(shop, guest.id)


def claimed(shop: World, guest: Guest) -> None:
    assert claim(shop, guest, shop.token("customer")).status == 200


def claimed_and_given_back(shop: World, guest: Guest) -> None:
    merge = claim(shop, guest, shop.token("customer")).json["merge"]["merge_id"]
    assert shop.call("DELETE", f"/me/basket/claims/{merge}", shop.token("customer")).status == 200


def many_operations_later(shop: World, guest: Guest) -> None:
    for start in range(2, 102, 25):
        ops = [
            op(seq, "add" if seq % 2 else "remove", "MUG", **({"quantity": 1} if seq % 2 else {}))
            for seq in range(start, start + 25)
        ]
        assert guest.log("app", *ops).status == 200


def one_by_one(shop: World, guest: Guest) -> None:
    for seq in range(2, 72):
        assert guest.log("app", op(seq, "add", "MUG", quantity=1)).status == 200


def forty_devices_later(shop: World, guest: Guest) -> None:
    removed_by_a_simple_client(shop, guest)
    for device in range(40):
        assert guest.log(f"phone-{device}", op(1, "add", "MUG", quantity=1)).status == 200
    assert "~app" not in stored(shop, guest.id)["seen"]


def many_operations_at_the_old_address(shop: World, guest: Guest) -> None:
    claimed(shop, guest)
    many_operations_later(shop, guest)


def many_operations_between_claim_and_undo(shop: World, guest: Guest) -> None:
    many_operations_later(shop, guest)
    merge = claim(shop, guest, shop.token("customer")).json["merge"]["merge_id"]
    for seq in range(102, 152):
        assert guest.log("app", op(seq, "add", "SOCKS", quantity=1)).status == 200
    assert shop.call("DELETE", f"/me/basket/claims/{merge}", shop.token("customer")).status == 200


HISTORIES = [
    removed_by_its_log, removed_by_a_simple_client, set_by_a_simple_client, set_by_its_log, saved_for_later,
    checked_out, claimed, claimed_and_given_back, many_operations_later, one_by_one, forty_devices_later,
    many_operations_at_the_old_address, many_operations_between_claim_and_undo,
]  # fmt: skip


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_a_place_in_a_log_is_taken_for_ever(shop: World, history: Callable[[World, Guest], None]) -> None:
    # GIVEN an add of a device, and whatever happened to its line since
    guest = Guest(shop)
    first = op(1, "add", "TEE", quantity=2)
    assert guest.log("app", first).status == 200
    history(shop, guest)
    before = stored(shop, guest.id)["version"]
    for other in (
        op(1, "add", "TEE", quantity=3),
        op(1, "add", "MUG", quantity=2),
        op(1, "add", "TEE", quantity=2, at="2026-11-21T09:30:00.001Z"),
        op(1, "remove", "TEE"),
        op(1, "set", "TEE", quantity=2),
    ):
        # WHEN another log of the same name says something else at its place
        refused = guest.log("app", other)
        # THEN it is told so, and nothing changed
        assert problem(refused) == (409, "sequence-conflict"), other
        assert refused.json["seq"] == 1
        assert stored(shop, guest.id)["version"] == before
    # AND the log itself may repeat what it said, as often as it likes
    again = guest.log("app", first)
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_a_conflict_says_where_it_begins_and_how_far_the_log_is(
    shop: World, history: Callable[[World, Guest], None]
) -> None:
    guest = Guest(shop)
    guest.log("app", op(1, "add", "TEE", quantity=2))
    history(shop, guest)
    applied = guest.log("app", op(1, "add", "TEE", quantity=2)).json["applied_seq"]
    # GIVEN the next operation of the one log
    guest.log("app", op(applied + 1, "remove", "TEE"))
    # WHEN the other, which is as far, adds something there
    refused = guest.log("app", op(applied + 1, "add", "SOCKS", quantity=3))
    # THEN
    assert problem(refused) == (409, "sequence-conflict")
    assert (refused.json["seq"], refused.json["applied_seq"]) == (applied + 1, applied + 1)


def test_a_batch_with_one_operation_of_another_log_is_refused_as_a_whole(shop: World) -> None:
    guest = Guest(shop)
    guest.log("app", op(1, "add", "TEE", quantity=1), op(2, "remove", "TEE"))
    refused = guest.log(
        "app", op(1, "add", "TEE", quantity=1), op(2, "add", "MUG", quantity=3), op(3, "add", "SOCKS", quantity=1)
    )
    assert (problem(refused), refused.json["seq"]) == ((409, "sequence-conflict"), 2)
    assert lines(guest.basket) == {}


def test_the_same_moment_in_another_time_zone_is_the_same_operation(shop: World) -> None:
    guest = Guest(shop)
    guest.log("app", op(1, "add", "TEE", quantity=1, at="2026-11-21T09:30:00Z"))
    again = guest.log("app", op(1, "add", "TEE", quantity=1, at="2026-11-21T10:30:00.000+01:00"))
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")


def test_a_log_costs_one_request_and_one_unit_an_add(world: World) -> None:
    """Up to seven lines of a till, whose adds say who and where; every 32nd moves what is known of the log."""
    skus = [f"JEANS-BLUE-{size}" for size in range(28, 36)]
    products(world, **dict.fromkeys(skus, 8995))
    guest, till = Guest(world), world.token("device", sub="till-ams-1", location_id="ams-kalverstraat")
    costs = []
    for seq in range(1, 68):
        if seq == 9:
            ordered(world, guest.id)
        kind = {"op": "add", "quantity": 1} if seq <= 8 else {"op": "add", "quantity": 1, "sku": "JEANS-BLUE-28"}
        before = len(world.calls)
        body = {"device_id": "till-ams-1", "operations": [{"seq": seq, "sku": skus[(seq - 1) % 8], "at": AT} | kind]}
        assert world.call("POST", f"{guest.path}/operations", till, json=body).status == 200
        writes = [call for call in world.calls[before:] if call.operation in ("UpdateItem", "TransactWriteItems")]
        costs.append((len(writes), sum(call.write_units for call in writes)))
        if seq > 8:
            world.call("DELETE", f"{guest.path}/lines/JEANS-BLUE-28", till)
    assert costs[:7] == [(1, 1.0)] * 7
    assert sum(number for number, _ in costs) <= 67 + 4
    assert log(world, guest.id, till, "till-ams-1", op(1, "add", skus[0], quantity=1)).status == 200
