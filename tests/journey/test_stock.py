"""Stock over HTTPS and from the bus: what shoppers, tills, staff and orders do to it."""

from __future__ import annotations

from itertools import permutations

import pytest

from stock import counting, orders
from tests.journey.checkout_shop import Shop
from tests.journey.stock_shop import (
    AMS,
    HUB,
    all_figures,
    articles,
    cancelled,
    figures,
    history,
    hold,
    levels,
    move,
    paid,
    wrong,
)
from tests.world import World

HERE = "52.37,4.90"


@pytest.fixture
def shop(world: World) -> World:
    """Ten tees in the warehouse."""
    world.seed_products({"TEE": 1995, "MUG": 1250}, stock={"TEE": 10, "MUG": 3})
    return world


# --------------------------------------------------------------------------------------------------- availability


def test_a_shopper_sees_what_is_near_and_open(shop: World) -> None:
    # GIVEN a store in Amsterdam that is open on Saturdays, and its stock
    week = {"sat": [["10:00", "18:00"]]}
    place = {"name": "Amsterdam", "kind": "store", "latitude": 52.3702, "longitude": 4.8924, "opening_hours": week}
    assert shop.call("PUT", f"/locations/{AMS}", shop.token("staff"), json=place).status == 200
    move(shop, "receipt", 4, key="in", at=AMS)
    # WHEN somebody nearby asks on a Saturday at 11:00
    answer = shop.call("GET", f"/stock/TEE?near={HERE}")
    # THEN
    assert answer.status == 200
    assert answer.json["total"] == 14
    near, far = answer.json["locations"]
    assert (near["location_id"], near["available"], near["distance_km"], near["open_now"]) == (AMS, 4, 0.5, True)
    assert near["open_today"] == [["10:00", "18:00"]]
    assert (far["location_id"], far["available"], far["fulfilments"]) == (HUB, 10, ["delivery"])
    # AND for pickup only the store counts
    assert shop.call("GET", "/stock/TEE?fulfilment=pickup").json["total"] == 4


def test_many_skus_in_one_call(shop: World) -> None:
    answer = shop.call("GET", "/stock?sku=TEE&sku=MUG&sku=TEE&sku=NONE")
    assert [(item["sku"], item["total"]) for item in answer.json["items"]] == [("TEE", 10), ("MUG", 3), ("NONE", 0)]
    at_one = shop.call("GET", f"/stock?sku=TEE&sku=MUG&location={HUB}")
    assert [item["total"] for item in at_one.json["items"]] == [10, 3]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/stock/NONE", 404),
        ("/stock/bad%20sku", 422),
        ("/stock/TEE?near=amsterdam", 422),
        ("/stock/TEE?near=95,4", 422),
        ("/stock/TEE?near=52.1,4.1,3", 422),
        ("/stock/TEE?location=nowhere", 422),
        ("/stock/TEE?fulfilment=teleport", 422),
        ("/stock", 422),
        ("/stock?sku=", 422),
        ("/stock?" + "&".join(f"sku=S{number}" for number in range(51)), 422),
        ("/locations/nowhere", 404),
        ("/locations/%00", 422),
    ],
)
def test_impossible_questions_are_answered_as_such(shop: World, path: str, status: int) -> None:
    answer = shop.call("GET", path)
    assert answer.status == status
    assert answer.headers["content-type"].startswith("application/problem+json")


# ------------------------------------------------------------------------------------------------------ movements


def test_each_kind_of_movement_does_what_it_says(shop: World) -> None:
    move(shop, "receipt", 5, key="1", reference="PO 2026-17")
    move(shop, "adjustment", -2, key="2")
    move(shop, "transfer", 4, key="3", to_location_id=AMS)
    counted = move(shop, "count", 7, key="4")
    move(shop, "sale", 1, key="5")
    assert figures(shop) == (6, 0, 6)
    assert figures(shop, at=AMS) == (4, 0, 4)
    # the count says what it found and how far the books were off
    assert (counted.json["counted"], counted.json["quantity"], counted.json["on_hand"]) == (7, -2, 7)
    assert counted.json["level"] == {"location_id": HUB, "on_hand": 7, "reserved": 0, "safety": 0, "available": 7}
    assert wrong(shop) == []


def test_movements_are_told_to_everybody(shop: World) -> None:
    move(shop, "transfer", 4, key="1", to_location_id=AMS)
    shop.settle()
    told = shop.events("stock.moved")[-1]
    assert told["data"]["quantity"] == -4
    assert told["data"]["to_location_id"] == AMS
    assert "by" not in told["data"]
    changed = [event["subject"] for event in shop.events("stock.level_changed")[-2:]]
    assert sorted(changed) == [f"stock/TEE/{AMS}", f"stock/TEE/{HUB}"]


def test_nothing_promised_can_be_adjusted_or_sent_away(shop: World) -> None:
    hold(shop, 8, "ORDER1")
    for kind, quantity, more in (("adjustment", -3, {}), ("transfer", 3, {"to_location_id": AMS})):
        answer = move(shop, kind, quantity, key=kind, **more)
        assert answer.status == 409
        assert answer.json["type"] == "/problems/not-enough-stock"
        assert (answer.json["requested"], answer.json["available"]) == (3, 2)
    assert figures(shop) == (10, 8, 2)
    assert len(history(shop)) == 1


def test_a_till_sale_is_a_fact_and_names_the_orders_at_risk(shop: World) -> None:
    # GIVEN ten tees, all promised to three orders, the last one a moment ago
    for number, quantity in enumerate((4, 3, 3)):
        hold(shop, quantity, f"ORDER{number}")
        shop.advance(5)
    # WHEN the till has sold four of them
    answer = move(shop, "sale", 4, key="till")
    shop.settle()
    # THEN it is booked, and the two newest orders are at risk
    assert answer.status == 201
    assert answer.json["level"]["available"] == -4
    (told,) = shop.events("stock.oversold")
    assert (told["data"]["missing"], told["data"]["orders"]) == (4, ["ORDER2", "ORDER1"])
    # AND shoppers see zero, not less
    assert shop.call("GET", "/stock/TEE").json["total"] == 0


def test_a_sale_of_something_unknown_is_a_fact_all_the_same(shop: World) -> None:
    assert move(shop, "sale", 1, key="1", sku="NEW-IN").status == 201
    assert move(shop, "receipt", 1, key="2", sku="NEW-IN").status == 422
    assert figures(shop, "NEW-IN") == (-1, 0, -1)


def test_a_repeated_request_books_once_and_answers_the_same(shop: World) -> None:
    first = move(shop, "sale", 2, key="receipt-17")
    again = move(shop, "sale", 2, key="receipt-17")
    other = move(shop, "sale", 3, key="receipt-17")
    assert (first.status, again.status, other.status) == (201, 201, 422)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json == first.json
    assert figures(shop) == (8, 0, 8)


def test_a_repeat_is_recognised_although_the_goods_are_gone_now(shop: World) -> None:
    # GIVEN a transfer of everything, whose answer was lost
    first = move(shop, "transfer", 10, key="all", to_location_id=AMS)
    # WHEN it is sent again THEN it is the first answer, not a shortage
    again = move(shop, "transfer", 10, key="all", to_location_id=AMS)
    assert (again.status, again.json) == (201, first.json)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "receipt", "quantity": 0}, 422),
        ({"kind": "receipt", "quantity": -1}, 422),
        ({"kind": "receipt", "quantity": 100_000}, 422),
        ({"kind": "receipt", "quantity": True}, 422),
        ({"kind": "receipt", "quantity": 1.5}, 422),
        ({"kind": "receipt", "quantity": "1"}, 422),
        ({"kind": "adjustment", "quantity": 0}, 422),
        ({"kind": "count", "quantity": -1}, 422),
        ({"kind": "transfer", "quantity": 1}, 422),
        ({"kind": "transfer", "quantity": 1, "to_location_id": HUB}, 422),
        ({"kind": "transfer", "quantity": 1, "to_location_id": "nowhere"}, 422),
        ({"kind": "sale", "quantity": 1, "location_id": "nowhere"}, 422),
        ({"kind": "receipt", "quantity": 1, "sku": "NONE"}, 422),
        ({"kind": "receipt", "quantity": 1, "sku": "a b"}, 422),
        ({"kind": "receipt", "quantity": 1, "reference": "anna@example.com"}, 422),
        ({"kind": "receipt", "quantity": 1, "surprise": 1}, 422),
        ({"kind": "theft", "quantity": 1}, 422),
        ({"quantity": 1}, 422),
    ],
)
def test_bad_movements_change_nothing(shop: World, body: dict, status: int) -> None:
    before = shop.items("StockTable")
    answer = shop.call("POST", "/stock/movements", shop.token("staff"), key="bad",
                       json={"location_id": HUB, "sku": "TEE"} | body)  # fmt: skip
    assert answer.status == status
    assert answer.json["errors"]
    assert shop.items("StockTable") == before


def test_a_body_that_is_no_json_object_changes_nothing(shop: World) -> None:
    for body in ("", "{", "[]", "null", '"x"', '{"quantity": NaN}', "[" * 200):
        answer = shop.call("POST", "/stock/movements", shop.token("staff"), body=body, key="bad")
        assert answer.status == 422, body
    too_large = shop.call("POST", "/stock/movements", shop.token("staff"), body=" " * 70_000 + "{}", key="bad")
    assert too_large.status == 413


def test_who_may_move_what(shop: World) -> None:
    sale = {"location_id": HUB, "sku": "TEE", "kind": "sale", "quantity": 1}

    def status(token: str | None, **more: object) -> int:
        return shop.call("POST", "/stock/movements", token, json=sale | more, key=f"who-{len(shop.calls)}").status

    assert status(None) == 401
    assert status(shop.token("customer")) == 403
    assert status(shop.token("staff", scopes="orders:read")) == 403
    assert status(shop.token("device")) == 403  # stands nowhere
    assert status(shop.token("device", location_id=AMS)) == 403  # stands elsewhere
    assert status(shop.token("device", location_id=HUB)) == 201
    assert shop.call("POST", "/stock/movements", shop.token("staff"), json=sale).status == 400  # no key
    assert shop.call("PUT", f"/locations/{AMS}", shop.token("device", location_id=AMS), json={}).status in (403, 422)


# -------------------------------------------------------------------------------------------------------- history


def test_history_comes_in_pages_newest_first(shop: World) -> None:
    for number in range(5):
        move(shop, "receipt", number + 1, key=f"in-{number}")
    staff = shop.token("staff")
    seen, cursor = [], ""
    while cursor is not None:
        page = shop.call("GET", f"/stock/TEE/movements?limit=2{cursor and '&cursor=' + cursor}", staff).json
        seen += [item["quantity"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [5, 4, 3, 2, 1, 10]


def test_history_of_one_place_has_what_left_it_and_what_came(shop: World) -> None:
    move(shop, "transfer", 4, key="1", to_location_id=AMS)
    move(shop, "sale", 1, key="2", at=AMS)
    move(shop, "receipt", 1, key="3")
    page = shop.call("GET", f"/stock/TEE/movements?location={AMS}", shop.token("staff")).json
    assert [(item["kind"], item["location_id"]) for item in page["items"]] == [("sale", AMS), ("transfer", HUB)]
    assert page["next_cursor"] is None
    # AND a till sees its own place only
    till = shop.token("device", location_id=AMS)
    assert shop.call("GET", "/stock/TEE/movements", till).json["items"] == page["items"]
    assert shop.call("GET", f"/stock/TEE/movements?location={HUB}", till).status == 403
    assert shop.call("GET", "/stock/TEE/movements").status == 401


def test_a_cursor_is_good_for_its_own_list_only(shop: World) -> None:
    move(shop, "receipt", 1, key="1")
    staff = shop.token("staff")
    cursor = shop.call("GET", "/stock/TEE/movements?limit=1", staff).json["next_cursor"]
    assert shop.call("GET", f"/stock/MUG/movements?limit=1&cursor={cursor}", staff).status == 422
    assert shop.call("GET", f"/stock/TEE/movements?limit=1&cursor={cursor}x", staff).status == 422
    assert shop.call("GET", "/stock/TEE/movements?limit=0", staff).status == 422


# --------------------------------------------------------------------------------------------------------- orders


def test_a_paid_order_sells_what_it_holds_once(shop: World) -> None:
    line = hold(shop, 3, "ORDER1")
    shop.deliver(copies=1)
    paid(shop, "ORDER1", [line])
    shop.settle()
    assert figures(shop) == (7, 0, 7)
    (sale,) = (item for item in history(shop) if item.get("order_id"))
    assert (sale["kind"], sale["quantity"], sale["order_id"]) == ("sale", -3, "ORDER1")
    assert not any(name.startswith("h:") for name in levels(shop)[0])
    assert wrong(shop) == []


@pytest.mark.parametrize("order", sorted(set(permutations("PPCC"))))
def test_paid_and_cancelled_come_right_in_any_order_and_number(shop: World, order: tuple[str, ...]) -> None:
    # GIVEN an order that holds three, was paid and then cancelled
    line = hold(shop, 3, "ORDER1")
    # WHEN its events arrive in any order, each twice
    for event in order:
        (paid if event == "P" else cancelled)(shop, "ORDER1", [line])
        shop.settle()
    # THEN everything is back, exactly
    assert figures(shop) == (10, 0, 10)
    assert wrong(shop) == []
    assert not shop.pump.dead_letters()


def test_an_order_cancelled_before_payment_released_its_stock_by_itself(shop: World) -> None:
    line = hold(shop, 3, "ORDER1")
    cancelled(shop, "ORDER1", [line], was_paid=False)
    shop.settle()
    assert figures(shop) == (10, 3, 7)


def test_a_big_order_is_settled_in_portions_each_once(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an order of three portions
    monkeypatch.setattr(orders, "LEVELS_AT_ONCE", 4)
    skus = [f"BIG-{number:03d}" for number in range(10)]
    articles(shop, skus, 1)
    lines = [hold(shop, 1, "ORDER1", sku=sku) for sku in skus]
    # WHEN it is paid, cancelled, and both are told again
    for tell in (paid, cancelled, paid, cancelled):
        tell(shop, "ORDER1", lines)
        shop.settle()
    # THEN nothing is sold and nothing is held
    found = all_figures(shop)
    assert {found[sku] for sku in skus} == {(1, 0, 1)}
    assert wrong(shop) == []


# ------------------------------------------------------------------------------------------------- locations, safety


def test_a_location_keeps_what_it_was_told(shop: World) -> None:
    place = {
        "name": "Amsterdam", "kind": "store", "latitude": 52.3702, "longitude": 4.8924, "safety_stock": 2,
        "channels": ["web", "app"], "fulfilments": ["delivery", "pickup"], "markets": ["nl"],
        "opening_hours": {"mon": [["11:00", "18:00"]], "exceptions": [{"date": "2026-12-25", "reason": "Kerst"}]},
    }  # fmt: skip
    stored = shop.call("PUT", f"/locations/{AMS}", shop.token("staff"), json=place)
    assert stored.status == 200
    shown = shop.call("GET", f"/locations/{AMS}").json
    assert {name: shown[name] for name in place if name != "opening_hours"} == {
        name: value for name, value in place.items() if name != "opening_hours"
    }
    assert shown["opening_hours"]["mon"] == [["11:00", "18:00"]]
    assert shown["opening_hours"]["timezone"] == "Europe/Amsterdam"
    assert shown["open_now"] is False
    assert {each["location_id"] for each in shop.call("GET", "/locations").json["items"]} == {AMS, HUB}


def test_another_safety_stock_reaches_every_level_but_those_with_their_own(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN one SKU with a safety stock of its own, and more without than one step looks at
    monkeypatch.setattr("stock.table.locations._PAGE", 12)
    skus = [f"MANY-{number:03d}" for number in range(30)]
    articles(shop, skus, 5)
    staff = shop.token("staff")
    own = shop.call("PUT", "/stock/TEE/safety", staff, json={"location_id": HUB, "safety_stock": 4})
    assert own.json == {"location_id": HUB, "on_hand": 10, "reserved": 0, "safety": 4, "available": 6}
    # WHEN the location keeps two back from now on
    place = {"name": "Hub", "kind": "warehouse", "safety_stock": 2}
    assert shop.call("PUT", f"/locations/{HUB}", staff, json=place).status == 200
    shop.settle()
    # THEN every level does, by the difference
    found = all_figures(shop)
    assert {found[sku] for sku in skus} == {(5, 0, 3)}
    assert found["TEE"] == (10, 0, 6)
    # AND a new level starts that way
    move(shop, "receipt", 3, key="new", sku="MUG", at=HUB)
    assert figures(shop, "MUG") == (6, 0, 4)
    # AND the SKU with its own number takes the usual one when told so
    assert shop.call("PUT", "/stock/TEE/safety", staff, json={"location_id": HUB, "safety_stock": None}).status == 200
    assert figures(shop) == (10, 0, 8)
    shop.advance(180, tick=60)
    job = next(item for item in shop.items("StockTable") if item["pk"] == f"JOB#SAFETY#{HUB}")
    assert job["state"] == "done"
    assert "due" not in job
    assert wrong(shop) == []


def test_a_level_made_while_the_safety_stock_changes_has_the_new_one(shop: World) -> None:
    # GIVEN this function has the location in its memory with no safety stock
    assert move(shop, "receipt", 1, key="warm").status == 201
    from commerce import locations

    remembered = dict(locations._cache)
    place = {"name": "Hub", "kind": "warehouse", "safety_stock": 2}
    shop.call("PUT", f"/locations/{HUB}", shop.token("staff"), json=place)
    locations._cache.update(remembered)
    # WHEN a new level is made
    move(shop, "sale", 1, key="new", sku="NEW-IN")
    # THEN
    assert levels(shop, "NEW-IN")[0]["safety"] == 2


# --------------------------------------------------------------------------------------------------- split levels


def test_a_hot_level_is_split_and_joined_while_it_sells(shop: World) -> None:
    staff = shop.token("staff")
    early = hold(shop, 2, "EARLY")
    # WHEN it is split
    split = shop.call("PUT", "/stock/TEE/shards", staff, json={"location_id": HUB, "shards": 4})
    # THEN nothing is lost, and what was held stays held where it was
    assert split.json == {"location_id": HUB, "on_hand": 10, "reserved": 2, "safety": 0, "available": 8, "shards": 4}
    assert [level["available"] for level in levels(shop)] == [0, 2, 2, 2, 2]
    assert shop.call("GET", "/stock/TEE").json["total"] == 8
    assert shop.call("GET", f"/stock?sku=TEE&location={HUB}").json["items"][0]["total"] == 8
    # AND it goes on: takes, sales at the till, goods coming in
    late = hold(shop, 2, "LATE", shard="1")
    assert move(shop, "sale", 3, key="till").status == 201
    assert move(shop, "receipt", 4, key="in").status == 201
    assert figures(shop) == (11, 4, 7)
    # WHEN it is joined THEN what is free comes back at once
    joined = shop.call("PUT", "/stock/TEE/shards", staff, json={"location_id": HUB, "shards": 1})
    assert joined.json["available"] == 7
    assert levels(shop)[0]["available"] == 7
    # AND the part that still holds something is read until it is settled
    paid(shop, "LATE", [late])
    shop.settle()
    assert shop.call("GET", f"/stock?sku=TEE&location={HUB}").json["items"][0]["total"] == 7
    paid(shop, "EARLY", [early])
    shop.advance(300, tick=60)
    assert figures(shop) == (7, 0, 7)
    assert "shards" not in levels(shop)[0]
    # AND goods of the order come back to where they can be seen
    cancelled(shop, "LATE", [late])
    shop.settle()
    assert shop.call("GET", f"/stock?sku=TEE&location={HUB}").json["items"][0]["total"] == 9
    assert wrong(shop) == []


def test_a_released_hold_on_a_joined_part_finds_its_way_back(shop: World) -> None:
    from commerce import holds, writes

    staff = shop.token("staff")
    shop.call("PUT", "/stock/TEE/shards", staff, json={"location_id": HUB, "shards": 2})
    hold(shop, 3, "ORDER1", shard="0")
    shop.call("PUT", "/stock/TEE/shards", staff, json={"location_id": HUB, "shards": 1})
    shop.advance(60)
    with shop.runtime.function_environment(shop.template.functions["CheckoutApi"]):
        writes.commit(holds.release([holds.Hold("TEE", HUB, 3, "0")], "ORDER1"))
    shop.advance(240, tick=60)
    assert [(level["available"], "shards" in level) for level in levels(shop)] == [(10, False), (0, False), (0, False)]


def test_a_split_level_counts_as_one(shop: World) -> None:
    shop.call("PUT", "/stock/TEE/shards", shop.token("staff"), json={"location_id": HUB, "shards": 3})
    found = move(shop, "count", 7, key="count")
    assert (found.json["quantity"], found.json["level"]["available"]) == (-3, 7)
    assert move(shop, "adjustment", -8, key="too-much").status == 409
    assert move(shop, "transfer", 6, key="away", to_location_id=AMS).status == 201
    assert figures(shop) == (1, 0, 1)
    assert wrong(shop) == []


def test_only_levels_that_exist_can_be_split(shop: World) -> None:
    staff = shop.token("staff")
    assert shop.call("PUT", "/stock/MUG/shards", staff, json={"location_id": AMS, "shards": 4}).status == 404
    assert shop.call("PUT", "/stock/TEE/shards", staff, json={"location_id": HUB, "shards": 17}).status == 422
    assert shop.call("PUT", "/stock/TEE/shards", staff, json={"location_id": HUB, "shards": 1}).json["shards"] == 1


# --------------------------------------------------------------------------------------------------------- counts


def test_ten_thousand_tags_in_one_call(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN 48 articles with five each, worked off in portions of 20
    monkeypatch.setattr(counting, "PART", 20)
    skus = [f"RFID-{number:03d}" for number in range(48)]
    articles(shop, skus, 5)
    # WHEN a reader found 11 of each, and each tag 18 times, and one article nobody knows
    lines = [{"sku": sku, "tags": [f"{sku}.{tag}" for tag in range(11)] * 18} for sku in skus]
    lines += [{"sku": "NOBODY", "quantity": 1}]
    body = {"location_id": HUB, "reference": "RFID 2026-47", "lines": lines}
    started = shop.call("POST", "/stock/counts", shop.token("staff"), json=body, key="count")
    assert started.status == 202
    assert (started.json["state"], started.json["total"], started.json["done"]) == ("running", 49, 0)
    shop.settle()
    # THEN each tag counted once
    done = shop.call("GET", f"/stock/counts/{started.json['count_id']}", shop.token("staff")).json
    assert done["failed"] == [{"sku": "NOBODY", "reason": "unknown-sku"}]
    assert (done["state"], done["done"], done["changed"]) == ("done", 49, 48)
    assert (done["surplus"], done["missing"]) == (6 * 48, 0)
    found = all_figures(shop)
    assert {found[sku] for sku in skus} == {(11, 0, 11)}
    # AND a repeat of the call counts nothing again
    again = shop.call("POST", "/stock/counts", shop.token("staff"), json=body, key="count")
    assert (again.status, again.headers["idempotent-replayed"], again.json) == (202, "true", started.json)
    shop.settle()
    assert wrong(shop) == []


def test_a_count_that_found_less_than_was_promised_names_the_orders(shop: World) -> None:
    hold(shop, 9, "ORDER1")
    body = {"location_id": HUB, "lines": [{"sku": "TEE", "quantity": 5}, {"sku": "MUG", "quantity": 3}]}
    started = shop.call("POST", "/stock/counts", shop.token("staff"), json=body, key="count").json
    shop.settle()
    done = shop.call("GET", f"/stock/counts/{started['count_id']}", shop.token("staff")).json
    assert (done["changed"], done["missing"]) == (1, 5)
    (told,) = shop.events("stock.oversold")
    assert (told["data"]["missing"], told["data"]["orders"]) == (4, ["ORDER1"])
    # AND an article that was found as the books have it, is in the history too
    assert history(shop, "MUG")[-1]["counted"] == 3


def test_a_count_whose_worker_was_lost_is_finished_by_the_sweep(shop: World) -> None:
    shop.pump.paused.add("StockTable->StockWorker")
    body = {"location_id": HUB, "lines": [{"sku": "TEE", "quantity": 5}]}
    started = shop.call("POST", "/stock/counts", shop.token("staff"), json=body, key="count").json
    shop.advance(240, tick=60)
    done = shop.call("GET", f"/stock/counts/{started['count_id']}", shop.token("staff")).json
    assert done["state"] == "done"
    assert figures(shop) == (5, 0, 5)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [{"sku": "TEE"}],
        [{"sku": "TEE", "tags": ["a"]}, {"sku": "MUG", "tags": ["a"]}],
        [{"sku": "TEE", "tags": [f"t{number}" for number in range(5_001)]}] * 2,
        [{"sku": "TEE", "tags": ["not a tag"]}],
        [{"sku": "TEE", "quantity": -1}],
    ],
)
def test_bad_counts_change_nothing(shop: World, lines: list) -> None:
    before = shop.items("StockTable")
    body = {"location_id": HUB, "lines": lines}
    answer = shop.call("POST", "/stock/counts", shop.token("staff"), key="bad", json=body)
    assert answer.status == 422
    assert shop.items("StockTable") == before


def test_a_device_counts_where_it_stands_and_sees_no_other_count(shop: World) -> None:
    body = {"location_id": HUB, "lines": [{"sku": "TEE", "quantity": 5}]}
    elsewhere, here = shop.token("device", location_id=AMS), shop.token("device", location_id=HUB)
    assert shop.call("POST", "/stock/counts", elsewhere, json=body, key="count").status == 403
    started = shop.call("POST", "/stock/counts", here, json=body, key="count").json
    assert shop.call("GET", f"/stock/counts/{started['count_id']}", elsewhere).status == 404
    assert shop.call("GET", f"/stock/counts/{started['count_id']}", here).status == 200
    assert shop.call("GET", "/stock/counts/none", here).status == 404


# ----------------------------------------------------------------------------------------------------------- cost


def cost(world: World, act: object) -> tuple[int, float, float]:
    """Requests, write units and read units of DynamoDB for one act, with warm caches."""
    start = len(world.calls)
    act()  # type: ignore[operator]
    calls = [call for call in world.calls[start:] if call.service == "dynamodb" and call.target != "CatalogTable"]
    return len(calls), sum(call.write_units for call in calls), sum(call.read_units for call in calls)


def test_what_operations_cost(shop: World) -> None:
    for place in ("a", "b", "c", "d", "e"):
        shop.call("PUT", f"/locations/{place}", shop.token("staff"), json={"name": place, "kind": "store"})
        move(shop, "receipt", 5, key=place, at=place)
    shop.call("GET", "/stock/TEE")
    assert cost(shop, lambda: shop.call("GET", "/stock/TEE")) == (1, 0, 0.5)
    assert cost(shop, lambda: move(shop, "receipt", 1, key="warm")) == (2, 6, 1)
    assert cost(shop, lambda: move(shop, "transfer", 1, key="there", to_location_id="a")) == (2, 8, 2)
    lines = [hold(shop, 1, "ORDER1"), hold(shop, 1, "ORDER1", sku="MUG")]
    shop.settle()
    paid(shop, "ORDER1", lines)
    start = len(shop.calls)
    shop.settle()
    sold = [call for call in shop.calls[start:] if call.function == "StockOnEvent"]
    assert [(call.operation, call.write_units) for call in sold] == [("TransactWriteItems", 8.0)]


# ------------------------------------------------------------------------------------------- together with checkout


def test_a_till_sale_names_the_order_that_was_just_placed_on_the_web(world: World) -> None:
    # GIVEN the last two tees in the store, ordered for pickup
    shop = Shop(world)
    shop.product("TEE")
    shop.stock("TEE", 2, AMS)
    pickup = {"kind": "pickup", "location_id": AMS}
    first = shop.place(shop.basket({"TEE": 1}), key="first", fulfilment=pickup).json
    world.advance(5)
    second = shop.place(shop.basket({"TEE": 1}), key="second", fulfilment=pickup).json
    # WHEN the till sells one of them all the same
    move(world, "sale", 1, key="till", at=AMS)
    world.settle()
    # THEN the newest order is at risk
    (told,) = world.events("stock.oversold")
    assert (told["data"]["missing"], told["data"]["orders"]) == (1, [second["order_id"]])
    # AND once that one is gone, nothing is missing any more
    shop.cancel(second["order_id"], world.token("staff"))
    assert figures(world, at=AMS) == (1, 1, 0)
    assert [name for name in levels(world, at=AMS)[0] if name.startswith("h:")] == [f"h:{first['order_id']}"]


def test_orders_are_taken_from_the_parts_of_a_hot_level_and_sold_there(world: World) -> None:
    # GIVEN a hot level in four parts
    shop = Shop(world)
    shop.sells(TEE=8)
    world.call("PUT", "/stock/TEE/shards", world.token("staff"), json={"location_id": HUB, "shards": 4})
    # WHEN six pieces are ordered, one after the other, and one more than there is
    placed = [shop.place(shop.basket({"TEE": 1}), key=f"order-{number}") for number in range(6)]
    too_many = shop.place(shop.basket({"TEE": 3}), key="too-many")
    # THEN parts add up, and nothing is sold twice
    assert [answer.status for answer in placed] == [201] * 6
    assert (too_many.status, too_many.json["shortages"][0]["available"]) == (409, 2)
    assert figures(world) == (8, 6, 2)
    assert max(level["reserved"] for level in levels(world)) == 2
    # AND an order for what is left comes from two parts at once if it must
    assert shop.place(shop.basket({"TEE": 2}), key="rest").status == 201
    assert figures(world) == (8, 8, 0)
    # AND a paid one leaves its part
    order = placed[0].json
    shop.captured(order["order_id"], 1000)
    world.settle()
    assert figures(world) == (7, 7, 0)
