"""Checkout from the outside: placing, showing, cancelling, paying and expiring, with rough edges and big orders."""

from __future__ import annotations

import pytest

from tests.journey.checkout_shop import (
    ADDRESS,
    CONTACT,
    DELIVERY,
    OTHER_STORE,
    STORE,
    WAREHOUSE,
    Shop,
    Shopper,
    payment_event,
)  # fmt: skip

ANNA = "0190a1b2-0000-7000-8000-000000000001"
BEN = "0190a1b2-0000-7000-8000-000000000002"
PICKUP = {"kind": "pickup", "location_id": STORE}


@pytest.fixture
def shop(world):
    return Shop(world)


def refused(shop, answer, status, slug, before):
    """A problem of that kind, and nothing changed."""
    assert (answer.status, answer.json["type"]) == (status, f"/problems/{slug}"), answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert shop.snapshot() == before
    return answer.json


# ----------------------------------------------------------------------------------------------------------- placing


def test_an_order_takes_stock_empties_the_basket_and_opens_the_payable_at_once(shop, world):
    # GIVEN a basket with two lines, one of them saved for later
    shop.sells(TEE=5, MUG=3)
    shopper = shop.basket({"TEE": 2, "MUG": 1})
    # WHEN
    answer = shop.place(shopper)
    # THEN
    order = answer.json
    assert answer.status == 201
    assert order["state"] == "placed"
    assert order["order_number"].replace("-", "") == order["order_id"]
    assert {line["sku"]: line["quantity"] for line in order["lines"]} == {"TEE": 2, "MUG": 1}
    assert order["totals"]["total"] == {"amount": 3000, "currency": "EUR"}
    assert order["totals"]["tax"]["amount"] == sum(line["tax"]["amount"] for line in order["lines"])
    assert shop.level("TEE") == (5, 2, 3)
    assert shop.level("MUG") == (3, 1, 2)
    assert shop.lines(shopper) == {}
    payable = shop.payable(order["order_id"])
    assert (payable["state"], payable["amount"], payable["until"]) == ("open", 3000, order["pay_by"])
    world.settle()
    placed = world.events("order.placed")
    assert [event["id"] for event in placed] == [f"order/{order['order_id']}@1"]
    assert "Noor" not in str(world.events())


def test_placing_is_three_requests_when_warm(shop):
    # GIVEN
    shop.sells(TEE=5)
    shop.place(shop.basket({"TEE": 1}))
    before = len(shop.calls_of())
    # WHEN
    shop.place(shop.basket({"TEE": 1}), key="again")
    # THEN
    names = [call.name.split()[0] for call in shop.calls_of()[before:]]
    assert names == ["dynamodb.BatchGetItem", "dynamodb.BatchGetItem", "dynamodb.TransactWriteItems"]


@pytest.mark.parametrize(("lines", "extra"), [(1, 0), (3, 0), (10, 2)])
def test_placing_costs_two_units_an_item_and_one_an_index_entry(shop, lines, extra):
    # GIVEN
    skus = {f"TEE-{n}": 1 for n in range(lines)}
    for sku in skus:
        shop.product(sku)
        shop.stock(sku, 5)
    # WHEN
    shop.place(shop.basket(skus))
    # THEN `extra` is what the order takes beyond its first kilobyte
    assert shop.calls_of()[-1].write_units == 2 * (lines + 4) + 1 + extra


def test_the_same_request_again_gets_the_same_answer_byte_for_byte_whatever_happened_since(shop, world):
    # GIVEN
    shop.sells(TEE=5)
    shopper = shop.basket({"TEE": 2})
    first = shop.place(shopper)
    shop.captured(first.json["order_id"], 500, type="payment.authorized")
    shop.captured(first.json["order_id"], 2000)
    # WHEN
    again = shop.place(shopper)
    # THEN
    assert again.body == first.body
    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert "idempotent-replayed" not in first.headers
    assert len(shop.orders()) == 1
    assert shop.level("TEE") == (5, 2, 3)


def test_a_key_is_good_for_one_request_only(shop):
    shop.sells(TEE=5)
    shopper = shop.basket({"TEE": 2})
    shop.place(shopper)
    before = shop.snapshot()
    refused(shop, shop.place(shopper, fulfilment=DELIVERY | {"address": ADDRESS | {"city": "Utrecht"}}), 422,
            "idempotency-key-reused", before)  # fmt: skip


def test_two_tabs_order_one_basket_once(shop):
    shop.sells(TEE=5)
    shopper = shop.basket({"TEE": 2})
    assert shop.place(shopper, key="tab-1").status == 201
    before = shop.snapshot()
    refused(shop, shop.place(shopper, key="tab-2"), 409, "basket-empty", before)


def test_what_is_saved_for_later_stays(shop):
    # GIVEN
    shop.sells(TEE=5, MUG=5)
    dots = {"a": ["TEE", 1, 1795000000000], "b": ["MUG", 1, 1795000000001, "", {"s": True}]}
    shopper = shop.basket({}, dots=dots, units=1)
    # WHEN
    order = shop.place(shopper).json
    # THEN
    assert [line["sku"] for line in order["lines"]] == ["TEE"]
    assert shop.lines(shopper) == {"MUG": 1}


def test_adds_of_one_sku_are_one_line_and_one_take(shop):
    shop.sells(TEE=3)
    dots = {"a": ["TEE", 1, 1795000000000], "till|1": ["TEE", 2, 1795000000001]}
    order = shop.place(shop.basket({}, dots=dots, units=3)).json
    assert [(line["sku"], line["quantity"]) for line in order["lines"]] == [("TEE", 3)]
    assert shop.level("TEE") == (3, 3, 0)


def test_a_basket_of_another_version_than_was_seen_is_not_ordered(shop):
    shop.sells(TEE=3)
    shopper = shop.basket({"TEE": 1})
    before = shop.snapshot()
    assert refused(shop, shop.place(shopper, basket_version=6), 409, "basket-changed", before)["version"] == 7
    assert shop.place(shopper, basket_version=7).status == 201


def test_a_merged_basket_points_on_only_for_who_may_see_where(shop, world):
    # GIVEN a guest's basket that was taken into Anna's
    shop.sells(TEE=3)
    anna = shop.basket({"TEE": 1}, customer_id=ANNA)
    guest = shop.basket({}, state="merged", merged_to=anna.basket_id)
    before = shop.snapshot()
    # THEN
    assert "merged_to" not in refused(shop, shop.place(guest), 409, "basket-changed", before)
    till = shop.place(guest, token=world.token("device", location_id=STORE))
    assert refused(shop, till, 409, "basket-changed", before)["merged_to"] == anna.basket_id


def test_nobody_orders_from_a_foreign_basket(shop, world):
    # GIVEN
    shop.sells(TEE=3)
    anna, guest = shop.basket({"TEE": 1}, customer_id=ANNA), shop.basket({"TEE": 1})
    before = shop.snapshot()
    # THEN
    refused(shop, shop.place(anna, token=guest.token), 404, "not-found", before)
    refused(shop, shop.place(anna, token=world.token("customer", sub=BEN)), 404, "not-found", before)
    refused(shop, shop.place(guest, token=anna.token), 404, "not-found", before)
    refused(shop, shop.place(guest, token=world.token("staff", scopes="orders:read")), 403, "forbidden", before)
    unknown = shop.place(guest, basket_id="0190a1b2-0000-7000-8000-00000000dead", token=world.token("staff"))
    refused(shop, unknown, 404, "not-found", before)


def test_a_till_orders_for_a_shopper_and_the_order_is_the_shoppers(shop, world):
    # GIVEN
    shop.sells(TEE=3)
    shop.stock("TEE", 4, STORE)
    anna = shop.basket({"TEE": 2}, customer_id=ANNA)
    till = world.token("device", sub="till-ams-1", location_id=STORE)
    # WHEN
    order = shop.place(anna, token=till, fulfilment={"kind": "carry_out"}, contact=None)
    # THEN
    assert order.status == 201, order
    kept = shop.order(order.json["order_id"])
    assert (kept["placed_by"], kept["customer_id"], kept["location_id"]) == ("device:till-ams-1", ANNA, STORE)
    assert shop.payable(order.json["order_id"])["owner"] == f"customer:{ANNA}"
    assert shop.level("TEE", STORE) == (4, 2, 2)
    assert world.call("GET", f"/orders/{order.json['order_id']}", anna.token).status == 200


def test_a_till_hands_over_only_what_is_in_its_own_store(shop, world):
    shop.sells(TEE=3)
    shop.stock("TEE", 4, OTHER_STORE)
    shopper = shop.basket({"TEE": 2})
    before = shop.snapshot()
    till = world.token("device", location_id=STORE)
    answer = shop.place(shopper, token=till, fulfilment={"kind": "carry_out", "location_id": OTHER_STORE})
    refused(shop, answer, 422, "validation", before)


# ------------------------------------------------------------------------------------------------------------ prices


def receipt(shop, shopper, lines):
    """A price receipt as the basket shows it."""
    from commerce import markets, pricing

    with shop.inside():
        found = pricing.products(list(lines))
        priced, _ = pricing.price_lines(lines, found, markets.get("nl"))
        shown = pricing.receipt(shopper.basket_id, priced, markets.get("nl"))
        pricing.forget()
    return {"id": shown.id, "expires_at": shown.expires_at, "signature": shown.signature}


def reprice(shop, sku, now, was, until):
    past = [{"currency": "EUR", "amount": was, "until": until}]
    shop.product(sku, now, was=past)


def test_a_price_that_was_shown_is_honoured_until_its_receipt_expires(shop, world):
    # GIVEN a price that rose after it was shown
    shop.sells(TEE=9)
    shopper = shop.basket({"TEE": 2})
    shown = receipt(shop, shopper, {"TEE": 2})
    world.clock.tick(60)
    reprice(shop, "TEE", 1200, 1000, "2026-11-21T10:00:30.000Z")
    # WHEN
    answer = shop.place(shopper, price_receipt=shown)
    # THEN
    assert answer.json["totals"]["total"]["amount"] == 2000
    # AND without a receipt today's price counts
    assert shop.place(shop.basket({"TEE": 2}), key="other").json["totals"]["total"]["amount"] == 2400


def test_an_expired_receipt_is_no_promise_but_no_surprise_either(shop, world):
    shop.sells(TEE=9)
    shopper = shop.basket({"TEE": 2})
    shown = receipt(shop, shopper, {"TEE": 2})
    world.clock.tick(901)
    # WHEN the price is the same
    same = shop.basket({"TEE": 2})
    assert shop.place(same, key="same", price_receipt=None).status == 201
    # WHEN it is dearer
    reprice(shop, "TEE", 1100, 1000, "2026-11-21T10:15:00.000Z")
    before = shop.snapshot()
    answer = refused(shop, shop.place(shopper, price_receipt=shown), 409, "price-changed", before)
    assert answer["total"] == {"amount": 2200, "currency": "EUR"}
    # AND when it is cheaper, that is no surprise
    reprice(shop, "TEE", 900, 1000, "2026-11-21T10:15:00.000Z")
    assert shop.place(shopper, price_receipt=shown).json["totals"]["total"]["amount"] == 1800


def test_a_receipt_of_another_basket_or_a_changed_one_is_refused(shop):
    shop.sells(TEE=9)
    shopper, other = shop.basket({"TEE": 2}), shop.basket({"TEE": 2})
    shown = receipt(shop, other, {"TEE": 2})
    before = shop.snapshot()
    refused(shop, shop.place(shopper, price_receipt=shown), 422, "validation", before)
    longer = receipt(shop, shopper, {"TEE": 2}) | {"expires_at": "2027-01-01T00:00:00.000Z"}
    refused(shop, shop.place(shopper, price_receipt=longer), 422, "validation", before)


def test_what_is_not_sold_is_named(shop):
    shop.sells(TEE=9)
    shop.product("OLD", prices={})
    shopper = shop.basket({"TEE": 1, "OLD": 1, "GONE": 1})
    before = shop.snapshot()
    assert refused(shop, shop.place(shopper), 409, "not-sold", before)["skus"] == ["GONE", "OLD"]


# ---------------------------------------------------------------------------------------------------------- sourcing


def test_every_shortage_is_told_with_what_could_be_done(shop):
    # GIVEN
    shop.sells(TEE=9, MUG=9, CAP=0)
    for sku, here, there in (("TEE", 1, 5), ("MUG", 0, 5), ("CAP", 3, 3)):
        shop.stock(sku, here, STORE)
        shop.stock(sku, there, OTHER_STORE)
    shopper = shop.basket({"TEE": 2, "MUG": 1, "CAP": 1})
    before = shop.snapshot()
    # WHEN
    problem = refused(shop, shop.place(shopper, fulfilment=PICKUP), 409, "out-of-stock", before)
    # THEN
    assert problem["shortages"] == [
        {"sku": "MUG", "location_id": STORE, "requested": 1, "available": 0},
        {"sku": "TEE", "location_id": STORE, "requested": 2, "available": 1},
    ]
    assert [(way["kind"], way.get("location_id")) for way in problem["alternatives"]] == [
        ("pickup", OTHER_STORE),
        ("split", None),
        ("lower_quantity", STORE),
    ]


def test_an_unknown_store_is_not_a_sold_out_one(shop):
    shop.sells(TEE=9)
    shopper = shop.basket({"TEE": 2})
    before = shop.snapshot()
    answer = shop.place(shopper, fulfilment={"kind": "pickup", "location_id": "nowhere"})
    problem = refused(shop, answer, 422, "validation", before)
    assert problem["errors"][0]["loc"] == ["body", "fulfilment", "location_id"]


def test_a_warehouse_does_not_do_pickup(shop):
    shop.sells(TEE=9)
    shopper = shop.basket({"TEE": 2})
    before = shop.snapshot()
    answer = shop.place(shopper, fulfilment={"kind": "pickup", "location_id": WAREHOUSE})
    assert refused(shop, answer, 409, "location-unable", before)["reason"] == "fulfilment"


def test_delivery_comes_from_several_places_only_if_no_single_one_has_everything(shop):
    # GIVEN two stores that ship
    shop.sells(TEE=1, MUG=5)
    shop.location(STORE, kind="store", fulfilments=["delivery"])
    shop.stock("TEE", 2, STORE)
    # WHEN
    order = shop.place(shop.basket({"TEE": 3, "MUG": 1})).json
    # THEN one line to the shopper, two levels in stock, amounts that add up
    tee = next(line for line in order["lines"] if line["sku"] == "TEE")
    assert sorted((one["location_id"], one["quantity"]) for one in tee["sources"]) == [(STORE, 2), (WAREHOUSE, 1)]
    assert tee["line_total"]["amount"] == 3000
    assert shop.level("TEE") == (1, 1, 0)
    assert shop.level("TEE", STORE) == (2, 2, 0)
    assert shop.order(order["order_id"])["sourcing"] == "fewest-parcels of 2"


def test_coordinates_choose_the_nearest_place(shop):
    # GIVEN a warehouse and a store that ships, both with everything
    shop.sells(TEE=5)
    shop.location(STORE, kind="store", fulfilments=["delivery"], latitude="52.3702", longitude="4.8924")
    shop.stock("TEE", 5, STORE)
    near = ADDRESS | {"latitude": 52.37, "longitude": 4.9}
    # WHEN
    order = shop.place(shop.basket({"TEE": 1}), fulfilment={"kind": "delivery", "address": near}).json
    # THEN
    assert order["lines"][0]["sources"] == [{"location_id": STORE, "quantity": 1}]
    assert order["fulfilment"]["address"]["latitude"] == 52.37


def test_a_split_level_is_taken_from_part_by_part_and_from_all_of_them_if_need_be(shop):
    # GIVEN a hot SKU over a base level and two parts
    shop.product("HOT")
    shop.stock("HOT", 1, shards=2)
    shop.stock("HOT", 2, shard="0")
    shop.stock("HOT", 3, shard="1")
    # WHEN
    first = shop.place(shop.basket({"HOT": 5}))
    # THEN
    assert first.status == 201
    assert len(shop.order(first.json["order_id"])["lines"]) >= 2
    assert first.json["lines"][0]["quantity"] == 5
    assert shop.place(shop.basket({"HOT": 1}), key="k2").status == 201
    assert shop.place(shop.basket({"HOT": 1}), key="k3").status == 409


# ------------------------------------------------------------------------------------------------------------- races


def between_read_and_write(world, act):
    """Let `act` happen once, after checkout has read and before it writes."""
    todo = [act]

    def director(call, perform):
        if todo and call.function == "CheckoutApi" and call.operation == "TransactWriteItems":
            todo.pop()()
        return perform()

    world.outside.director = director


def test_a_lost_race_for_one_place_tries_another(shop, world):
    # GIVEN a warehouse that is sold out just before the write, and a store that ships
    shop.sells(TEE=2)
    shop.location(STORE, kind="store", fulfilments=["delivery"])
    shop.stock("TEE", 2, STORE)
    shopper = shop.basket({"TEE": 2})
    between_read_and_write(world, lambda: shop.stock("TEE", 0))
    # WHEN
    answer = shop.place(shopper)
    # THEN
    assert answer.json["lines"][0]["sources"] == [{"location_id": STORE, "quantity": 2}]


def test_a_lost_race_for_the_last_piece_is_out_of_stock(shop, world):
    shop.sells(TEE=2)
    shopper = shop.basket({"TEE": 2})
    between_read_and_write(world, lambda: shop.stock("TEE", 1))
    problem = shop.place(shopper).json
    assert problem["shortages"] == [{"sku": "TEE", "location_id": WAREHOUSE, "requested": 2, "available": 1}]
    assert shop.orders() == []


def basket_item(shop, shopper):
    return next(i for i in shop.world.items("BasketTable") if i["pk"] == f"B#{shopper.basket_id}")


def test_a_line_added_during_checkout_stays_in_the_basket(shop, world):
    shop.sells(TEE=5, MUG=5)
    shopper = shop.basket({"TEE": 2})

    def add():
        item = basket_item(shop, shopper)
        shop.put("BASKET", item | {"version": 8, "dots": item["dots"] | {"new": ["MUG", 1, 1795000000009]}})

    between_read_and_write(world, add)
    assert [line["sku"] for line in shop.place(shopper).json["lines"]] == ["TEE"]
    assert shop.lines(shopper) == {"MUG": 1}


@pytest.mark.parametrize("lines", [1, 62])
def test_a_line_taken_out_during_checkout_is_not_ordered(shop, world, lines):
    # GIVEN
    skus = big(shop, lines, stock=5)
    shopper = shop.basket(skus)

    def take_out():
        item = basket_item(shop, shopper)
        shop.put("BASKET", item | {"version": 8, "dots": {k: v for k, v in item["dots"].items() if k != "dot00000"}})

    between_read_and_write(world, take_out)
    # WHEN
    answer = shop.place(shopper)
    # THEN
    assert (answer.status, answer.json["type"], answer.json["version"]) == (409, "/problems/basket-changed", 8)
    assert all(shop.level(sku) == (5, 0, 5) for sku in skus)
    assert shop.orders() == []
    # AND what is left can be ordered with the same key
    if lines > 1:
        assert shop.place(shopper).status == 201


def test_a_line_added_to_a_long_basket_during_checkout_stays(shop, world):
    # GIVEN so many adds that the basket is written back as a whole
    skus = big(shop, 62, stock=5)
    shopper = shop.basket(skus)

    def add():
        item = basket_item(shop, shopper)
        shop.put("BASKET", item | {"version": 8, "dots": item["dots"] | {"new": ["BIG-00001", 1, 1795000000999]}})

    between_read_and_write(world, add)
    lines = shop.place(shopper).json["lines"]
    assert {line["sku"]: line["quantity"] for line in lines} == skus
    assert shop.lines(shopper) == {"BIG-00001": 1}


# ----------------------------------------------------------------------------------------------------------- showing


def test_an_order_is_found_by_its_number_however_it_is_typed(shop, world):
    shop.sells(TEE=5)
    shopper, order = shop.placed({"TEE": 1})
    number = order["order_number"]
    for typed in (order["order_id"], number, number.lower(), number.replace("0", "o"), number.replace("-", "%20")):
        answer = world.call("GET", f"/orders/{typed}", shopper.token)
        assert (answer.status, answer.json) == (200, order), typed


def test_only_its_owner_and_staff_see_an_order(shop, world):
    # GIVEN
    shop.sells(TEE=5)
    anna = shop.basket({"TEE": 1}, customer_id=ANNA)
    order_id = shop.place(anna).json["order_id"]
    # THEN
    seen = {
        "owner": anna.token,
        "staff": world.token("staff", scopes="orders:read"),
        "till": world.token("device", scopes="orders:read", location_id=STORE),
    }
    blind = {
        "guest": shop.basket({}).token,
        "other": world.token("customer", sub=BEN),
    }
    assert [world.call("GET", f"/orders/{order_id}", token).status for token in seen.values()] == [200, 200, 200]
    assert [world.call("GET", f"/orders/{order_id}", token).status for token in blind.values()] == [404, 404]
    assert world.call("GET", f"/orders/{order_id}", world.token("staff", scopes="stock:write")).status == 403
    assert world.call("GET", f"/orders/{order_id}").status == 401
    assert world.call("GET", "/orders/7K2M-9QXD-4TZ1", seen["staff"]).status == 404
    assert world.call("GET", "/orders/..%2F..", seen["staff"]).status == 404


def test_my_orders_come_newest_first_page_by_page_and_are_only_mine(shop, world):
    # GIVEN
    shop.sells(TEE=50)
    placed = []
    for number in range(5):
        placed.append(shop.place(shop.basket({"TEE": 1}, customer_id=ANNA), key=f"k{number}").json["order_id"])
        shop.place(shop.basket({"TEE": 1}, customer_id=BEN), key=f"k{number}")
        world.clock.tick(1)
    anna = world.token("customer", sub=ANNA)
    # WHEN
    found, cursor = [], ""
    while cursor is not None:
        page = world.call("GET", f"/me/orders?limit=2{cursor and f'&cursor={cursor}'}", anna).json
        assert len(page["items"]) <= 2
        found += [order["order_id"] for order in page["items"]]
        cursor = page["next_cursor"]
    # THEN
    assert found == list(reversed(placed))
    foreign = world.call("GET", "/me/orders?limit=2", world.token("customer", sub=BEN)).json["next_cursor"]
    assert world.call("GET", f"/me/orders?cursor={foreign}", anna).status == 422
    assert world.call("GET", "/me/orders?cursor=x", anna).status == 422
    assert world.call("GET", "/me/orders?limit=0", anna).status == 422
    assert world.call("GET", "/me/orders", shop.basket({}).token).status == 403


# ------------------------------------------------------------------------------------------------------------ endings


def test_an_unpaid_order_expires_and_gives_everything_back(shop, world):
    # GIVEN
    shop.sells(TEE=5)
    shopper, order = shop.placed({"TEE": 2})
    # WHEN a minute before its time
    world.advance(840)
    assert shop.order(order["order_id"])["state"] == "placed"
    # WHEN its time is over
    world.advance(120)
    # THEN
    expired = shop.order(order["order_id"])
    assert expired["state"] == "expired"
    assert "due" not in expired
    assert shop.level("TEE") == (5, 0, 5)
    assert shop.lines(shopper) == {"TEE": 2}
    assert shop.payable(order["order_id"])["state"] == "closed"
    assert [event["data"]["order_id"] for event in world.events("order.expired")] == [order["order_id"]]
    # AND the next sweeps have nothing to do
    before = shop.snapshot()["OrdersTable"]
    world.advance(180, tick=60)
    assert shop.snapshot()["OrdersTable"] == before


def test_lines_come_back_into_the_basket_that_took_the_shoppers_in(shop, world):
    # GIVEN a guest who ordered and then signed in
    shop.sells(TEE=5)
    guest, _ = shop.placed({"TEE": 2})
    anna = shop.basket({}, customer_id=ANNA)
    shop.put("BASKET", basket_item(shop, guest) | {"state": "merged", "merged_to": anna.basket_id})
    # WHEN
    world.advance(960)
    # THEN
    assert shop.lines(anna) == {"TEE": 2}


def test_an_order_whose_basket_is_gone_still_expires(shop, world):
    shop.sells(TEE=5)
    guest, order = shop.placed({"TEE": 2})
    shop.put(
        "BASKET", basket_item(shop, guest) | {"state": "merged", "merged_to": "0190a1b2-0000-7000-8000-00000000dead"}
    )
    world.advance(960)
    assert shop.order(order["order_id"])["state"] == "expired"
    assert shop.level("TEE") == (5, 0, 5)


def test_a_shopper_cancels_an_unpaid_order_and_may_say_so_again(shop, world):
    # GIVEN
    shop.sells(TEE=5)
    shopper, order = shop.placed({"TEE": 2})
    # WHEN
    first = shop.cancel(order["order_number"], shopper.token)
    again = shop.cancel(order["order_number"], shopper.token)
    anew = shop.cancel(order["order_id"], shopper.token, key="another")
    # THEN
    assert (first.status, first.json["state"]) == (200, "cancelled")
    assert (again.body, again.headers["idempotent-replayed"]) == (first.body, "true")
    assert (anew.status, anew.body) == (200, first.body)
    assert shop.level("TEE") == (5, 0, 5)
    assert shop.lines(shopper) == {"TEE": 2}
    world.settle()
    assert [event["data"]["was_paid"] for event in world.events("order.cancelled")] == [False]


def test_cancelling_a_paid_order_says_what_must_go_back_and_leaves_the_goods_to_stock(shop, world):
    shop.sells(TEE=5)
    shopper, order = shop.placed({"TEE": 2})
    shop.captured(order["order_id"], 2000)
    # WHEN
    answer = shop.cancel(order["order_id"], shopper.token)
    # THEN
    assert answer.json["state"] == "cancelled"
    kept = shop.order(order["order_id"])
    assert kept["refund_due"] == kept["captured"] == {"pay-1": 2000}
    world.settle()
    told = world.events("order.cancelled")[0]["data"]
    assert (told["was_paid"], told["refunds"]) == (True, [{"payment_id": "pay-1", "amount": 2000, "total": 2000}])


def test_a_fulfilled_order_cannot_be_cancelled_and_an_unpaid_one_not_fulfilled(shop, world):
    # GIVEN
    shop.sells(TEE=5)
    shopper, order = shop.placed({"TEE": 2})
    staff, path = world.token("staff"), f"/orders/{order['order_id']}"
    early = world.call("POST", f"{path}/fulfilments", staff, key="early")
    assert (early.status, early.json["state"]) == (409, "placed")
    shop.captured(order["order_id"], 2000)
    # WHEN
    assert world.call("POST", f"{path}/fulfilments", shopper.token, key="f").status == 403
    done = world.call("POST", f"{path}/fulfilments", staff, key="f")
    again = world.call("POST", f"{path}/fulfilments", staff, key="f")
    # THEN
    assert (done.status, done.json["state"], again.body) == (200, "fulfilled", done.body)
    assert shop.cancel(order["order_id"], shopper.token).json["type"] == "/problems/order-state"
    world.settle()
    assert len(world.events("order.fulfilled")) == 1


def test_nobody_cancels_a_foreign_order(shop, world):
    shop.sells(TEE=5)
    _, order = shop.placed({"TEE": 2})
    before = shop.snapshot()
    refused(
        shop, shop.cancel(order["order_id"], shop.basket({}).token), 404, "not-found", {**before, **shop.snapshot()}
    )
    assert shop.cancel(order["order_id"], world.token("staff", scopes="orders:read")).status == 403
    assert world.call("POST", f"/orders/{order['order_id']}/cancel", world.token("staff")).status == 400


# ----------------------------------------------------------------------------------------------------------- payment


def test_an_order_is_paid_once_by_several_tenders_in_any_order_with_repeats(shop, world):
    # GIVEN
    shop.sells(TEE=5)
    _, order = shop.placed({"TEE": 2})
    # WHEN
    assert shop.captured(order["order_id"], 500, "gift") == {"batchItemFailures": []}
    assert shop.order(order["order_id"])["state"] == "placed"
    shop.captured(order["order_id"], 1500, "card")
    shop.captured(order["order_id"], 200, "gift")
    before = shop.snapshot()
    shop.captured(order["order_id"], 500, "gift")
    # THEN
    paid = shop.order(order["order_id"])
    assert (paid["state"], paid["captured"]) == ("paid", {"gift": 500, "card": 1500})
    assert shop.snapshot() == before
    world.settle()
    assert [event["data"]["paid_at"] for event in world.events("order.paid")] == [paid["paid_at"]]
    world.advance(960)
    assert shop.order(order["order_id"])["state"] in ("paid",)


def test_paid_twice_goes_back_once(shop, world):
    shop.sells(TEE=5)
    _, order = shop.placed({"TEE": 2})
    shop.captured(order["order_id"], 2000, "first")
    shop.captured(order["order_id"], 2500, "second")
    shop.captured(order["order_id"], 2500, "second")
    world.settle()
    assert [event["data"]["refunds"] for event in world.events("order.refund_due")] == [
        [{"payment_id": "second", "amount": 2500, "total": 2500}]
    ]
    assert shop.order(order["order_id"])["refund_due"] == {"second": 2500}


def test_too_much_at_once_makes_it_paid_and_gives_the_rest_back(shop, world):
    shop.sells(TEE=5)
    _, order = shop.placed({"TEE": 2})
    shop.captured(order["order_id"], 2300)
    world.settle()
    assert shop.order(order["order_id"])["state"] == "paid"
    kinds = [event["type"] for event in world.events() if event["type"].startswith("order.")]
    assert kinds == ["order.placed", "order.paid", "order.refund_due"]


def expired(shop, world, lines=None, **body):
    shopper, order = shop.placed(lines or {"TEE": 2}, **body)
    world.advance(960)
    assert shop.order(order["order_id"])["state"] == "expired"
    return shopper, order


def test_a_late_payment_takes_the_stock_again_and_the_lines_out_of_the_basket(shop, world):
    shop.sells(TEE=5)
    shopper, order = expired(shop, world)
    shop.captured(order["order_id"], 2000)
    assert shop.order(order["order_id"])["state"] == "paid"
    assert shop.level("TEE") == (5, 2, 3)
    assert shop.lines(shopper) == {}
    world.settle()
    assert world.events("order.refund_due") == []


@pytest.mark.parametrize("signs_in", ["before it expires", "after it expired"])
def test_a_late_payment_finds_its_lines_in_the_account_the_guest_signed_in_to(shop, world, signs_in):
    # GIVEN a guest who ordered by a device's log, and a customer with another line
    shop.sells(TEE=5, MUG=5)
    made = world.call("POST", "/baskets", json={"channel": "web"}).json
    guest = Shopper(made["basket"]["basket_id"], made["token"])
    log = {"device_id": "app-1", "operations": [{"seq": 1, "op": "add", "sku": "TEE", "quantity": 2,
                                                 "at": "2026-11-21T09:59:00Z"}]}  # fmt: skip
    assert world.call("POST", f"/baskets/{guest.basket_id}/operations", guest.token, json=log).status == 200
    order_id = shop.place(guest).json["order_id"]
    anna = world.token("customer", sub=ANNA)
    mine = f"/baskets/{world.call('GET', '/me/basket', anna).json['basket_id']}"
    world.call("POST", f"{mine}/lines", anna, json={"sku": "MUG", "quantity": 1}, key="mug")

    def sign_in():
        claimed = world.call("POST", "/me/basket/claims", anna, json={"basket_token": guest.token}, key="claim")
        assert claimed.status < 300, claimed

    def lines():
        return {line["sku"]: line["quantity"] for line in world.call("GET", mine, anna).json["lines"]}

    if signs_in == "before it expires":
        sign_in()
    world.advance(960)
    if signs_in == "after it expired":
        sign_in()
    assert lines() == {"TEE": 2, "MUG": 1}
    # WHEN
    shop.captured(order_id, 2000)
    # THEN
    assert shop.order(order_id)["state"] == "paid"
    assert lines() == {"MUG": 1}


def test_a_late_payment_is_served_from_elsewhere_if_need_be(shop, world):
    # GIVEN the warehouse sold out meanwhile, a store that ships
    shop.sells(TEE=5)
    shop.location(STORE, kind="store", fulfilments=["delivery"])
    shopper, order = expired(shop, world)
    shop.stock("TEE", 0)
    shop.stock("TEE", 2, STORE)
    # WHEN
    shop.captured(order["order_id"], 2000)
    # THEN
    assert shop.level("TEE", STORE) == (2, 2, 0)
    assert shop.order(order["order_id"])["state"] == "paid"
    assert shop.place(shopper).json == order


def test_a_late_payment_without_stock_goes_back_exactly_and_once(shop, world):
    shop.sells(TEE=5)
    _, order = expired(shop, world)
    shop.stock("TEE", 1)
    for _ in range(2):
        shop.captured(order["order_id"], 2000)
    world.settle()
    assert shop.order(order["order_id"])["state"] == "expired"
    told = [event["data"] for event in world.events("order.refund_due")]
    assert [(one["refunds"], one["reason"]) for one in told] == [
        ([{"payment_id": "pay-1", "amount": 2000, "total": 2000}], "out-of-stock")
    ]
    assert shop.level("TEE") == (1, 0, 1)


def test_who_cancelled_does_not_get_the_goods_after_all_but_the_money(shop, world):
    shop.sells(TEE=5)
    shopper, order = shop.placed({"TEE": 2})
    shop.cancel(order["order_id"], shopper.token)
    shop.captured(order["order_id"], 2000)
    world.settle()
    assert shop.order(order["order_id"])["state"] == "cancelled"
    assert world.events("order.refund_due")[0]["data"]["reason"] == "cancelled"


def test_part_payments_of_an_expired_order_go_back(shop, world):
    shop.sells(TEE=5)
    _, order = shop.placed({"TEE": 2})
    shop.captured(order["order_id"], 700, "gift")
    world.advance(960)
    world.advance(60)
    kept = shop.order(order["order_id"])
    assert (kept["state"], kept["refund_due"]) == ("expired", {"gift": 700})
    assert "due" in kept, "told again until payments has heard it"
    assert len(world.events("order.refund_due")) == 1


def test_a_part_that_is_held_gets_more_time_once(shop, world):
    # GIVEN
    shop.sells(TEE=5)
    _, order = shop.placed({"TEE": 2})
    world.clock.tick(800)
    # WHEN
    shop.captured(order["order_id"], 1000, type="payment.authorized")
    # THEN
    extended = shop.order(order["order_id"])
    assert extended["pay_by"] == extended["due"] == shop.payable(order["order_id"])["until"] > order["pay_by"]
    # AND only once
    world.clock.tick(60)
    shop.captured(order["order_id"], 500, "other", type="payment.authorized")
    assert shop.order(order["order_id"])["pay_by"] == extended["pay_by"]
    world.advance(300)
    assert shop.order(order["order_id"])["state"] == "placed"
    world.advance(600)
    assert shop.order(order["order_id"])["state"] == "expired"


def test_money_for_an_order_nobody_knows_waits_and_makes_no_ghost(shop, world):
    before = shop.snapshot()
    assert shop.captured("7K2M9QXD4TZ0", 2000) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert shop.snapshot() == before


def test_money_of_another_currency_is_nobodys_payment(shop, world):
    shop.sells(TEE=5)
    _, order = shop.placed({"TEE": 2})
    before = shop.snapshot()
    event = payment_event(order["order_id"], 2000, "pay-1", "payment.captured", currency="GBP")
    assert world.invoke("checkout.on_event", event)["batchItemFailures"]
    assert shop.snapshot() == before


# --------------------------------------------------------------------------------------------------------- big orders


@pytest.fixture
def in_twos(monkeypatch):
    """Big orders go two levels at a time, so that five lines show what five hundred would."""
    from checkout import table

    monkeypatch.setattr(table, "CHUNK", 2)


def big(shop, lines, quantity=1, stock=99_999):
    """That many products with stock at the warehouse; what a basket of all of them holds."""
    from commerce import holds

    skus = {f"BIG-{n:05d}": quantity for n in range(lines)}
    name = "WHITE HANGING HEART T-LIGHT HOLDER"
    shop.put_many("CATALOG", [shop.product_item(sku, 125, name=name) for sku in skus])
    shop.put_many("STOCK", [holds.new_level(sku, WAREHOUSE, stock) for sku in skus])
    return skus


@pytest.mark.slow
def test_the_invoice_of_592_lines_goes_through(shop, world):
    # GIVEN
    skus = big(shop, 592, quantity=99_999)
    shopper = shop.basket(skus)
    # WHEN
    answer = shop.place(shopper)
    # THEN
    assert answer.status == 201
    order_id = answer.json["order_id"]
    assert answer.json["totals"]["total"]["amount"] == 592 * 99_999 * 125
    assert all(shop.level(sku) == (99_999, 99_999, 0) for sku in skus)
    assert shop.lines(shopper) == {}
    assert shop.place(shopper).body == answer.body
    world.settle()
    assert [event["id"] for event in world.events("order.placed")] == [f"order/{order_id}@2"]
    assert [item["sk"] for item in world.items("OrdersTable") if item["pk"] == f"O#{order_id}"] == ["-"]


def test_a_big_order_that_meets_a_shortage_half_way_gives_everything_back(shop, world, in_twos):
    # GIVEN the last level is emptied while the first ones are being taken
    skus = big(shop, 5)
    shopper = shop.basket(skus)
    between_read_and_write(world, lambda: shop.stock("BIG-00004", 0))
    before = shop.lines(shopper)
    # WHEN
    answer = shop.place(shopper)
    # THEN
    assert answer.json["shortages"] == [{"sku": "BIG-00004", "location_id": WAREHOUSE, "requested": 1, "available": 0}]
    assert all(shop.level(sku)[1] == 0 for sku in skus)
    assert shop.lines(shopper) == before
    assert [order["state"] for order in shop.orders()] == ["rejected"]
    # AND the same key may try again
    shop.stock("BIG-00004", 5)
    assert shop.place(shopper).status == 201


def die_at(world, number, function="CheckoutApi", after=False):
    """The process dies before (or after) its `number`-th write."""
    from tests.world.calls import Crash, current

    writes = []

    def director(call, perform):
        if call.function == function and call.writes:
            writes.append(call)
            if len(writes) == number:
                if after:
                    perform()
                current.get().dead = True
                raise Crash("killed")
        return perform()

    world.outside.director = director


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("then", ["repeat", "sweep"])
def test_a_crash_while_placing_a_big_order_is_finished_or_undone(shop, world, in_twos, number, after, then):
    # GIVEN five lines: begin, three pieces, finish
    skus = big(shop, 5, stock=5)
    shopper = shop.basket(skus)
    die_at(world, number, after=after)
    shop.place(shopper)
    world.outside.director = None
    # WHEN
    if then == "repeat":
        answer = shop.place(shopper)
        # THEN
        assert answer.status == 201, answer
        assert all(shop.level(sku) == (5, 1, 4) for sku in skus)
        assert shop.lines(shopper) == {}
        assert [order["state"] for order in shop.orders()] == ["placed"]
    else:
        world.advance(120)
        # THEN nothing is left of it, and the key is free - unless only the answer was lost
        if (number, after) == (5, True):
            assert [order["state"] for order in shop.orders()] == ["placed"]
            return
        assert all(shop.level(sku) == (5, 0, 5) for sku in skus)
        assert shop.lines(shopper) == skus
        assert {order["state"] for order in shop.orders()} <= {"rejected"}
        assert shop.place(shopper).status == 201


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_while_a_big_order_ends_is_finished_by_the_sweeper(shop, world, in_twos, number, after):
    # GIVEN
    skus = big(shop, 5, stock=5)
    shopper, order = shop.placed(skus)
    die_at(world, number, after=after)
    shop.cancel(order["order_id"], shopper.token)
    world.outside.director = None
    # THEN money that arrives in between waits
    if "unwinding" in shop.order(order["order_id"]):
        assert shop.captured(order["order_id"], 5)["batchItemFailures"]
    # WHEN
    world.advance(120)
    again = shop.cancel(order["order_id"], shopper.token)
    # THEN
    assert (again.status, again.json["state"]) == (200, "cancelled")
    assert all(shop.level(sku) == (5, 0, 5) for sku in skus)
    assert shop.lines(shopper) == skus
    world.settle()
    assert len(world.events("order.cancelled")) == 1


def test_a_line_taken_out_while_a_big_order_is_placed_undoes_it(shop, world, in_twos):
    skus = big(shop, 5, stock=5)
    shopper = shop.basket(skus)

    def take_out():
        item = basket_item(shop, shopper)
        shop.put("BASKET", item | {"version": 8, "dots": {k: v for k, v in item["dots"].items() if k != "dot00000"}})

    between_read_and_write(world, take_out)
    answer = shop.place(shopper)
    assert (answer.status, answer.json["type"], answer.json["version"]) == (409, "/problems/basket-changed", 8)
    assert all(shop.level(sku) == (5, 0, 5) for sku in skus)
    assert [order["state"] for order in shop.orders()] == ["rejected"]
    assert len(shop.place(shopper).json["lines"]) == 4


def test_two_runs_of_one_big_request_place_one_order(shop, world, in_twos):
    # GIVEN the same request comes in again while the first is half-way
    skus = big(shop, 5, stock=5)
    shopper = shop.basket(skus)
    second = []

    def director(call, perform):
        writes = [
            each for each in world.calls if each.function == "CheckoutApi" and each.operation.startswith("Transact")
        ]
        if call.operation == "TransactWriteItems" and len(writes) == 3 and not second:
            second.append(None)
            second[0] = shop.place(shopper)
        return perform()

    world.outside.director = director
    # WHEN
    first = shop.place(shopper)
    # THEN
    assert (first.status, second[0].status) == (201, 201)
    assert first.body == second[0].body
    assert all(shop.level(sku) == (5, 1, 4) for sku in skus)
    assert len(shop.orders()) == 1


def test_a_big_order_that_nobody_pays_gives_everything_back(shop, world, in_twos):
    skus = big(shop, 5, stock=5)
    shopper, order = expired(shop, world, skus)
    assert all(shop.level(sku) == (5, 0, 5) for sku in skus)
    assert shop.lines(shopper) == skus
    assert shop.payable(order["order_id"])["state"] == "closed"
    assert len(world.events("order.expired")) == 1


def test_a_late_payment_of_a_big_order_goes_back(shop, world, in_twos):
    skus = big(shop, 5)
    _, order = expired(shop, world, skus)
    shop.captured(order["order_id"], order["totals"]["total"]["amount"])
    world.settle()
    assert world.events("order.refund_due")[0]["data"]["reason"] == "late"
    assert all(shop.level(sku)[1] == 0 for sku in skus)


# --------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "change",
    [
        {"basket_id": "../../etc"},
        {"basket_id": 5},
        {"basket_id": None},
        {"basket_version": "7"},
        {"basket_version": 0},
        {"contact": None},
        {"contact": {"name": ""}},
        {"contact": {"name": "a\u0007b"}},
        {"contact": CONTACT | {"email": "no"}},
        {"contact": CONTACT | {"admin": True}},
        {"fulfilment": {"kind": "teleport"}},
        {"fulfilment": {"kind": "delivery", "address": {"line1": "Kalverstraat 1"}}},
        {"fulfilment": {"kind": "delivery", "address": ADDRESS | {"house_number": {"a": 1}}}},
        {"fulfilment": {"kind": "pickup"}},
        {"fulfilment": {"kind": "carry_out"}},
        {"fulfilment": PICKUP | {"address": ADDRESS}},
        {"fulfilment": {"kind": "delivery", "address": ADDRESS | {"latitude": 91, "longitude": 0}}},
        {"fulfilment": {"kind": "delivery", "address": ADDRESS | {"latitude": 50}}},
        {"fulfilment": {"kind": "delivery", "address": ADDRESS | {"country": "Netherlands"}}},
        {"fulfilment": {"kind": "delivery", "address": ADDRESS | {"line1": "x" * 201}}},
        {"price_receipt": {"id": "a", "expires_at": "b", "signature": "\ud800"}},
        {"price_receipt": {"id": "a", "expires_at": "b", "signature": "c.d.e"}},
        {"total": 1},
        {"lines": []},
    ],
)
def test_bad_input_is_refused_and_changes_nothing(shop, change):
    shop.sells(TEE=5)
    shopper = shop.basket({"TEE": 1})
    before = shop.snapshot()
    answer = shop.place(shopper, **change)
    assert answer.status in (404, 422), answer
    assert answer.json["type"].startswith("/problems/")
    assert shop.snapshot() == before


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "NaN", '{"basket_id": 1e999}', "\x00", "[" * 5000])
def test_no_body_breaks_the_door(shop, world, body):
    shopper = shop.basket({})
    answer = world.call("POST", "/checkouts", shopper.token, body=body, key="k")
    assert answer.status in (400, 422), answer
    assert answer.json["status"] == answer.status


@pytest.mark.parametrize(("key", "slug"), [(None, "missing"), ("with blank", "invalid"), ("x" * 256, "invalid")])
def test_a_key_is_required_and_must_be_usable(shop, key, slug):
    shop.sells(TEE=5)
    shopper = shop.basket({"TEE": 1})
    before = shop.snapshot()
    refused(shop, shop.place(shopper, key=key), 400, f"idempotency-key-{slug}", before)


def test_no_request_of_this_file_ever_failed_inside(shop, world):
    """A basket of a market that is not configured any more is the operator's mistake, and still no 5xx."""
    shop.sells(TEE=5)
    shopper = shop.basket({"TEE": 1}, market="atlantis")
    assert shop.place(shopper).status == 422
    assert world.failures == []
