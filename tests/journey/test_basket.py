"""The floating basket over HTTPS, on every channel: nothing accepted is ever lost, nobody sees another's."""

import json
from typing import Any

import pytest

from tests.world.world import CUSTOMER, Response, World

AT = "2026-11-21T09:30:00Z"
SECOND = "0190a1b2-0000-7000-8000-000000000002"


@pytest.fixture
def shop(world: World) -> World:
    products(world, TEE=1995, MUG=1250, SOCKS=895)
    return world


def products(world: World, currency: str = "EUR", **prices: int) -> None:
    batch = [
        {"sku": sku, "name": sku.title(), "prices": [{"amount": amount, "currency": currency}]}
        for sku, amount in prices.items()
    ]
    assert world.call("POST", "/products/batch", world.token("staff"), json={"products": batch}).status == 200


class Guest:
    """Somebody with a basket token."""

    def __init__(self, world: World, channel: str = "web", **more: Any) -> None:
        self.world = world
        answer = world.call("POST", "/baskets", json={"channel": channel} | more)
        assert answer.status == 201, answer
        self.id, self.token = answer.json["basket"]["basket_id"], answer.json["token"]
        self.path = f"/baskets/{self.id}"

    def add(self, sku: str, quantity: int = 1, key: str | None = None, **more: Any) -> Response:
        key = key or f"{sku}-{len(self.world.calls)}"
        return add(self.world, self.id, self.token, sku, quantity, key, **more)

    def log(self, device: str, *operations: dict[str, Any]) -> Response:
        return log(self.world, self.id, self.token, device, *operations)

    @property
    def basket(self) -> dict[str, Any]:
        answer = self.world.call("GET", self.path, self.token)
        assert answer.status == 200, answer
        return answer.json


def add(world: World, basket: str, token: str, sku: str, quantity: int, key: str, **more: Any) -> Response:
    body = {"sku": sku, "quantity": quantity} | more
    return world.call("POST", f"/baskets/{basket}/lines", token, json=body, key=key)


def log(world: World, basket: str, token: str, device: str, *operations: dict[str, Any]) -> Response:
    body = {"device_id": device, "operations": [{"at": AT} | each for each in operations]}
    return world.call("POST", f"/baskets/{basket}/operations", token, json=body)


def op(seq: int, kind: str, sku: str, **more: Any) -> dict[str, Any]:
    return {"seq": seq, "op": kind, "sku": sku} | more


def lines(basket: dict[str, Any], which: str = "lines") -> dict[str, int]:
    return {line["sku"]: line["quantity"] for line in basket[which]}


def problem(answer: Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status, answer.json["type"].removeprefix("/problems/")


def stored(world: World, basket_id: str) -> dict[str, Any]:
    return next(item for item in world.items("BasketTable") if item["pk"] == f"B#{basket_id}" and item["sk"] == "-")


# ------------------------------------------------------------------------------------------------- simple clients


def test_a_guest_fills_a_basket_and_every_channel_would_say_the_same_sum(shop: World) -> None:
    guest = Guest(shop)
    guest.add("TEE", 2)
    shown = guest.add("MUG").json
    assert shown == guest.basket | {"price_receipt": shown["price_receipt"]}
    assert [
        {name: line[name] for name in ("sku", "name", "quantity", "unit_price", "line_total", "added_via")}
        for line in shown["lines"]
    ] == [
        {
            "sku": "TEE", "name": "Tee", "quantity": 2, "added_via": "web",
            "unit_price": {"amount": 1995, "currency": "EUR"}, "line_total": {"amount": 3990, "currency": "EUR"},
        },
        {
            "sku": "MUG", "name": "Mug", "quantity": 1, "added_via": "web",
            "unit_price": {"amount": 1250, "currency": "EUR"}, "line_total": {"amount": 1250, "currency": "EUR"},
        },
    ]  # fmt: skip
    assert {name: amount["amount"] for name, amount in shown["totals"].items()} == {
        "subtotal": 5240, "discount": 0, "tax": 692 + 217, "total": 5240,
    }  # fmt: skip
    assert set(shown["price_receipt"]) == {"id", "expires_at", "signature"}


def test_a_warm_add_is_one_request_and_one_unit_up_to_fifteen_lines(world: World) -> None:
    # GIVEN fifteen products, with SKUs as long as a retailer's, in a guest's and in a customer's basket
    skus = [f"JEANS-BLUE-{size}" for size in range(28, 43)]
    products(world, **dict.fromkeys(skus, 8995))
    guest, customer = Guest(world), world.token("customer")
    mine = world.call("GET", "/me/basket", customer).json["basket_id"]
    for basket, token in ((guest.id, guest.token), (mine, customer)):
        add(world, basket, token, skus[0], 1, "warm-up-of-the-price-cache")
        for sku in skus[1:]:
            # WHEN each is added
            before = len(world.calls)
            assert add(world, basket, token, sku, 1, f"key-{sku}").status == 200
            calls = [call for call in world.calls[before:] if call.operation == "UpdateItem"]
            # THEN it is one write of one unit, its event included
            assert [(call.name, call.write_units) for call in calls] == [("dynamodb.UpdateItem BasketTable", 1.0)], sku
        before = len(world.calls)
        add(world, basket, token, skus[0], 1, "all-prices-are-warm")
        assert [call.operation for call in world.calls[before:]] == ["UpdateItem"]
        before = len(world.calls)
        world.call("GET", f"/baskets/{basket}", token)
        assert [(call.operation, call.read_units) for call in world.calls[before:]] == [("GetItem", 1.0)]


def test_a_repeated_add_adds_once_and_says_so(shop: World) -> None:
    guest = Guest(shop)
    first, again = guest.add("TEE", 2, "k"), guest.add("TEE", 2, "k")
    assert (first.status, again.status) == (200, 200)
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert lines(again.json) == {"TEE": 2}


@pytest.mark.parametrize("other", [{"sku": "TEE", "quantity": 3}, {"sku": "MUG", "quantity": 2}])
@pytest.mark.parametrize("removed", [False, True])
def test_a_key_used_for_another_add_is_refused(shop: World, other: dict[str, Any], removed: bool) -> None:
    guest = Guest(shop)
    guest.add("TEE", 2, "k")
    if removed:
        shop.call("DELETE", f"{guest.path}/lines/TEE", guest.token)
    before = guest.basket["version"]
    refused = shop.call("POST", f"{guest.path}/lines", guest.token, json=other, key="k")
    assert problem(refused) == (422, "idempotency-key-reused")
    assert guest.basket["version"] == before


@pytest.mark.parametrize("how", ["DELETE", "PUT", "order"])
def test_a_late_retry_never_brings_a_removed_line_back(shop: World, how: str) -> None:
    # GIVEN an add whose answer was lost; then the line was removed, set to nothing, or ordered
    guest = Guest(shop)
    guest.add("TEE", 2, "lost")
    if how == "DELETE":
        shop.call("DELETE", f"{guest.path}/lines/TEE", guest.token)
    elif how == "PUT":
        shop.call("PUT", f"{guest.path}/lines/TEE", guest.token, json={"quantity": 0})
    else:
        ordered(shop, guest.id)
    # WHEN the client tries again, even hours later
    shop.clock.tick(23 * 3600)
    again = guest.add("TEE", 2, "lost")
    # THEN
    assert again.headers["idempotent-replayed"] == "true"
    assert lines(again.json) == {}


def ordered(world: World, basket_id: str) -> dict[str, Any]:
    """Take everything out, as placing an order does; returns the dots."""
    from commerce import baskets, writes

    with world.runtime.function_environment(world.template.functions["CheckoutApi"]):
        item = baskets.home(basket_id)
        assert item
        dots = baskets.ordered_dots(item)
        writes.commit(baskets.remove_ordered(item, dots, "ORDER"))
        return dots


def given_back(world: World, basket_id: str, dots: dict[str, Any]) -> None:
    """As an order does that was not paid."""
    from commerce import baskets, writes

    with world.runtime.function_environment(world.template.functions["CheckoutSweep"]):
        home = baskets.home(basket_id)
        assert home
        writes.commit(baskets.give_back(home, dots, "ORDER", basket_id))


def test_setting_and_removing_are_repeatable_and_write_only_when_something_changes(shop: World) -> None:
    guest = Guest(shop)
    guest.add("TEE", 2)
    guest.add("TEE", 1)
    first = shop.call("PUT", f"{guest.path}/lines/TEE", guest.token, json={"quantity": 5})
    again = shop.call("PUT", f"{guest.path}/lines/TEE", guest.token, json={"quantity": 5})
    assert lines(first.json) == lines(again.json) == {"TEE": 5}
    assert first.json["version"] == again.json["version"]
    gone = shop.call("DELETE", f"{guest.path}/lines/TEE", guest.token)
    gone_again = shop.call("DELETE", f"{guest.path}/lines/TEE", guest.token)
    assert (gone.status, gone_again.status) == (200, 200)
    assert gone.json["lines"] == []
    assert gone_again.json["version"] == gone.json["version"]


@pytest.mark.parametrize("how", ["PUT", "DELETE"])
def test_an_add_in_the_moment_of_a_set_or_removal_survives(shop: World, how: str) -> None:
    # GIVEN an add that lands between a set's look and its write
    guest = Guest(shop)
    guest.add("TEE", 2)
    state = {"armed": True}

    def meanwhile(call: Any, perform: Any) -> Any:
        if call.operation == "UpdateItem" and state["armed"]:
            state["armed"] = False
            guest.add("TEE", 3, "meanwhile")
        return perform()

    shop.outside.director = meanwhile
    # WHEN
    body = {"quantity": 7} if how == "PUT" else None
    answer = shop.call(how, f"{guest.path}/lines/TEE", guest.token, json=body)
    # THEN
    assert lines(answer.json) == {"TEE": 3 + (7 if how == "PUT" else 0)}


def test_two_sets_at_once_do_not_add_up(shop: World) -> None:
    guest = Guest(shop)
    guest.add("TEE", 2)
    state = {"armed": True}

    def meanwhile(call: Any, perform: Any) -> Any:
        if call.operation == "UpdateItem" and state["armed"]:
            state["armed"] = False
            shop.call("PUT", f"{guest.path}/lines/TEE", guest.token, json={"quantity": 4})
        return perform()

    shop.outside.director = meanwhile
    answer = shop.call("PUT", f"{guest.path}/lines/TEE", guest.token, json={"quantity": 7})
    assert lines(answer.json) == {"TEE": 7}


def test_lines_know_who_added_them_where_and_when(shop: World) -> None:
    guest = Guest(shop)
    guest.add("TEE", 1, channel="app")
    till = shop.token("device", sub="till-ams-1", location_id="ams-kalverstraat")
    add(shop, guest.id, till, "TEE", 2, "t")
    seen_by_shopper, seen_by_till = guest.basket, shop.call("GET", guest.path, till).json
    assert seen_by_shopper["lines"][0]["added_via"] == "app"
    parts = ("via", "quantity", "location_id", "by")
    assert [[each[part] for part in parts] for each in seen_by_shopper["lines"][0]["added"]] == [
        ["app", 1, None, None],
        ["till", 2, "ams-kalverstraat", None],
    ]
    assert [each["by"] for each in seen_by_till["lines"][0]["added"]] == [None, "till-ams-1"]


def test_what_is_no_longer_sold_stays_visible_but_unpriced(shop: World) -> None:
    guest = Guest(shop)
    guest.add("TEE")
    guest.add("MUG")
    products(shop, "GBP", TEE=1500)
    shop.clock.tick(31)
    shown = guest.basket
    assert [(line["sku"], line["unavailable"], line["unit_price"]) for line in shown["lines"]] == [
        ("TEE", True, None),
        ("MUG", False, {"amount": 1250, "currency": "EUR"}),
    ]
    assert shown["totals"]["total"]["amount"] == 1250


# --------------------------------------------------------------------------------------------- input and strangers


@pytest.mark.parametrize(
    "body",
    [
        {"sku": "NOPE", "quantity": 1},
        {"sku": "TEE", "quantity": 0},
        {"sku": "TEE", "quantity": -1},
        {"sku": "TEE", "quantity": 1000},
        {"sku": "TEE", "quantity": 10**30},
        {"sku": "TEE", "quantity": 1.5},
        {"sku": "TEE", "quantity": "1"},
        {"sku": "TEE", "quantity": True},
        {"sku": "T EE", "quantity": 1},
        {"sku": "TEE|x|1", "quantity": 1},
        {"sku": "TEE"},
        {"sku": "TEE", "quantity": 1, "price": 1},
        {"sku": "TEE", "quantity": 1, "channel": "fax"},
        [],
        None,
    ],
)
def test_a_bad_add_is_refused_and_changes_nothing(shop: World, body: Any) -> None:
    guest = Guest(shop)
    refused = shop.call("POST", f"{guest.path}/lines", guest.token, body=json.dumps(body), key="k")
    assert problem(refused)[0] == 422
    assert guest.basket["version"] == 1


@pytest.mark.parametrize("key", [None, "", "with space", "ü", "x" * 256])
def test_an_add_needs_a_usable_key(shop: World, key: str | None) -> None:
    guest = Guest(shop)
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"sku": "TEE", "quantity": 1}
    refused = shop.call("POST", f"{guest.path}/lines", guest.token, json=body, headers=headers)
    assert problem(refused)[0] == 400


@pytest.mark.parametrize(
    "body", [{}, {"channel": "fax"}, {"channel": "web", "market": "xx"}, {"channel": "web", "owner": "me"},
             {"channel": "till", "location_id": "a b"}]
)  # fmt: skip
def test_a_bad_basket_is_refused(shop: World, body: dict[str, Any]) -> None:
    assert problem(shop.call("POST", "/baskets", json=body)) == (422, "validation")


def test_nobody_gets_at_another_ones_basket(shop: World) -> None:
    # GIVEN a guest's and a customer's basket
    guest, other = Guest(shop), Guest(shop)
    customer, second = shop.token("customer"), shop.token("customer", sub=SECOND)
    mine = shop.call("GET", "/me/basket", customer).json["basket_id"]
    add(shop, mine, customer, "MUG", 1, "mine")
    unscoped = shop.token("staff", scopes="orders:read")
    requests = [
        ("GET", "", None, None),
        ("POST", "/lines", {"sku": "TEE", "quantity": 1}, "k"),
        ("PUT", "/lines/TEE", {"quantity": 1}, None),
        ("DELETE", "/lines/TEE", None, None),
        ("POST", "/operations", {"device_id": "d", "operations": [op(1, "add", "TEE", quantity=1, at=AT)]}, None),
    ]
    # WHEN everybody tries everything on what is not theirs
    for method, path, body, key in requests:
        for basket, token, status in (
            (guest.id, other.token, 404),
            (guest.id, customer, 404),
            (mine, guest.token, 404),
            (mine, second, 404),
            (mine, None, 401),
            (mine, "forged.token.x", 401),
            (mine, unscoped, 403),
            ("0190a1b2-0000-7000-8000-00000000dead", customer, 404),
            ("0190a1b2-0000-7000-8000-00000000dead", shop.token("staff"), 404),
        ):
            answer = shop.call(method, f"/baskets/{basket}{path}", token, json=body, key=key)
            # THEN
            assert answer.status == status, (method, path, basket, answer)
    assert (stored(shop, guest.id)["version"], stored(shop, mine)["version"]) == (1, 2)


def test_only_who_serves_looks_up_a_customers_basket(shop: World) -> None:
    path = f"/customers/{CUSTOMER}/basket"
    assert problem(shop.call("GET", path, shop.token("customer")))[0] == 403
    assert problem(shop.call("GET", path, Guest(shop).token))[0] == 403
    assert problem(shop.call("GET", path, shop.token("device", scopes="stock:write")))[0] == 403
    assert problem(shop.call("GET", "/me/basket", shop.token("staff")))[0] == 403


# --------------------------------------------------------------------------------------------------------- limits


def test_people_have_two_hundred_lines_and_traders_two_thousand(world: World) -> None:
    skus = [f"P{place}" for place in range(227)]
    for start in range(0, len(skus), 100):
        products(world, **dict.fromkeys(skus[start : start + 100], 100))
    guest = Guest(world)
    for start in range(0, 200, 25):
        ops = [op(seq + 1, "add", skus[seq], quantity=1) for seq in range(start, start + 25)]
        assert guest.log("app-1", *ops).status == 200
    # WHEN a line too many comes, simply or by the log
    assert problem(guest.add(skus[200])) == (409, "basket-full")
    assert problem(guest.log("app-1", op(201, "add", skus[200], quantity=1))) == (409, "basket-full")
    assert problem(world.call("PUT", f"{guest.path}/lines/{skus[200]}", guest.token, json={"quantity": 1}))[0] == 409
    assert len(guest.basket["lines"]) == 200
    # THEN what is there can still be changed, and a till may go on
    assert lines(guest.add(skus[0], 4).json)[skus[0]] == 5
    till = world.token("device", sub="till-ams-1")
    ops = [op(seq - 199, "add", skus[seq], quantity=1) for seq in range(200, 225)]
    assert log(world, guest.id, till, "till-ams-1", *ops).status == 200
    assert len(guest.basket["lines"]) == 225


def test_a_line_has_a_most_however_it_is_reached(shop: World) -> None:
    guest = Guest(shop)
    assert guest.add("TEE", 999).status == 200
    assert problem(guest.add("TEE", 1)) == (409, "quantity-limit")
    assert guest.add("MUG", 999).status == 200  # another line
    assert problem(guest.log("app", op(1, "add", "MUG", quantity=1))) == (409, "quantity-limit")
    assert lines(guest.basket) == {"TEE": 999, "MUG": 999}
    staff = shop.token("staff")
    assert add(shop, guest.id, staff, "TEE", 99_000, "s").status == 200
    assert problem(add(shop, guest.id, staff, "TEE", 1, "s2")) == (409, "quantity-limit")


def test_clicking_plus_a_thousand_times_loses_nothing(shop: World) -> None:
    # GIVEN somebody who adds the same thing one by one, by 25 in a batch
    guest, pieces = Guest(shop), 0
    for batch in range(38):
        ops = [op(batch * 25 + place + 1, "add", "TEE", quantity=1) for place in range(25)]
        assert guest.log("app", *ops).status == 200
        pieces += 25
    # THEN every piece is there, and the basket stayed small
    assert lines(guest.basket) == {"TEE": pieces} == {"TEE": 950}
    assert len(stored(shop, guest.id)["dots"]) <= 200
    assert stored(shop, guest.id)["units"] == 950


# -------------------------------------------------------------------------------------------------- device's logs


def test_a_log_is_applied_once_and_in_order(shop: World) -> None:
    guest = Guest(shop)
    first = guest.log("app", op(1, "add", "TEE", quantity=2), op(2, "add", "MUG", quantity=1))
    assert (first.status, first.json["applied_seq"], lines(first.json["basket"])) == (200, 2, {"TEE": 2, "MUG": 1})
    again = guest.log("app", op(1, "add", "TEE", quantity=2), op(2, "add", "MUG", quantity=1))
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    overlap = guest.log("app", op(2, "add", "MUG", quantity=1), op(3, "remove", "TEE"))
    assert (overlap.json["applied_seq"], lines(overlap.json["basket"])) == (3, {"MUG": 1})
    gap = guest.log("app", op(5, "add", "TEE", quantity=2))
    assert problem(gap) == (409, "sequence-gap")
    assert (gap.json["expected_seq"], lines(guest.basket)) == (4, {"MUG": 1})


def test_a_new_log_starts_at_one(shop: World) -> None:
    gap = Guest(shop).log("app", op(2, "add", "TEE", quantity=2))
    assert (problem(gap), gap.json["expected_seq"]) == ((409, "sequence-gap"), 1)


def test_a_late_repeat_of_a_log_never_brings_a_removed_line_back(shop: World) -> None:
    guest = Guest(shop)
    guest.log("app", op(1, "add", "TEE", quantity=2))
    shop.call("DELETE", f"{guest.path}/lines/TEE", guest.token)
    again = guest.log("app", op(1, "add", "TEE", quantity=2))
    assert lines(again.json["basket"]) == {}


def test_an_offline_till_removes_only_what_it_saw(shop: World) -> None:
    # GIVEN a till that looked at the basket and then lost its line; meanwhile the shopper adds on the web
    guest, till = Guest(shop), shop.token("device", sub="till-ams-1")
    guest.add("TEE", 2)
    seen = [each["id"] for each in shop.call("GET", guest.path, till).json["lines"][0]["added"]]
    guest.add("TEE", 3)
    # WHEN the till's log arrives hours later
    late = [op(1, "add", "TEE", quantity=1), op(2, "set", "TEE", quantity=4, seen=[*seen, "till-ams-1|1"])]
    answer = log(shop, guest.id, till, "till-ams-1", *late)
    # THEN
    assert lines(answer.json["basket"]) == {"TEE": 4 + 3}


def test_save_for_later_and_back(shop: World) -> None:
    guest = Guest(shop)
    guest.log("app", op(1, "add", "TEE", quantity=2), op(2, "save_for_later", "TEE"))
    shown = guest.basket
    assert (lines(shown), lines(shown, "saved_for_later")) == ({}, {"TEE": 2})
    assert shown["totals"]["total"]["amount"] == 0
    assert shown["saved_for_later"][0]["unit_price"] == {"amount": 1995, "currency": "EUR"}
    guest.add("TEE", 1)
    back = guest.log("app", op(3, "move_to_basket", "TEE")).json["basket"]
    assert (lines(back), lines(back, "saved_for_later")) == ({"TEE": 3}, {})


def test_no_shopper_can_take_a_tills_place_in_the_sequence(shop: World) -> None:
    # GIVEN a guest whose device calls itself like a till
    guest, till = Guest(shop), shop.token("device", sub="till-ams-1")
    guest.log("till-ams-1", op(1, "add", "TEE", quantity=1))
    # WHEN the till sends its first operation
    answer = log(shop, guest.id, till, "till-ams-1", op(1, "add", "MUG", quantity=1))
    # THEN it counts
    assert lines(answer.json["basket"]) == {"TEE": 1, "MUG": 1}


@pytest.mark.parametrize(
    "operations",
    [
        [],
        [op(1, "add", "TEE")],
        [op(1, "add", "TEE", quantity=0)],
        [op(1, "remove", "TEE", quantity=1)],
        [op(1, "add", "TEE", quantity=1000)],
        [op(0, "add", "TEE", quantity=1)],
        [op(1, "add", "TEE", quantity=1), op(3, "add", "TEE", quantity=1)],
        [op(2, "add", "TEE", quantity=1), op(1, "add", "TEE", quantity=1)],
        [op(1, "add", "NOPE", quantity=1)],
        [op(1, "add", "TEE", quantity=1), op(2, "set", "NOPE", quantity=1)],
        [op(1, "steal", "TEE", quantity=1)],
        [op(1, "add", "TEE", quantity=1, at="yesterday")],
        [op(1, "add", "TEE", quantity=1, at="2026-11-21T10:00:00")],
        [op(1, "remove", "TEE", seen=["ü"])],
        [op(seq, "add", "TEE", quantity=1) for seq in range(1, 27)],
    ],
)
def test_a_bad_log_is_refused_as_a_whole(shop: World, operations: list[dict[str, Any]]) -> None:
    guest = Guest(shop)
    assert problem(guest.log("app", *operations)) == (422, "validation")
    assert guest.basket["version"] == 1


def test_a_refused_operation_can_be_replaced_in_the_log(shop: World) -> None:
    # GIVEN a log with a product that does not exist
    guest = Guest(shop)
    ops = [op(1, "add", "TEE", quantity=1), op(2, "add", "NOPE", quantity=1), op(3, "add", "MUG", quantity=1)]
    refused = guest.log("app", *ops)
    assert refused.json["errors"][0]["loc"] == ["body", "operations", 1, "sku"]
    # WHEN the device puts an operation there that changes nothing
    ops[1] = op(2, "remove", "NOPE", seen=[])
    # THEN the rest goes through
    assert lines(guest.log("app", *ops).json["basket"]) == {"TEE": 1, "MUG": 1}


def test_a_devices_clock_cannot_be_ahead_of_ours(shop: World) -> None:
    guest = Guest(shop)
    ends = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00")
    for at in ("2999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", *ends):
        shown = guest.log(f"app-{at[0]}{at[-6:-3].strip('+-:')}", op(1, "add", "TEE", quantity=1, at=at)).json["basket"]
        assert shown["lines"][0]["added"][-1]["at"] <= shop.clock.iso()


def test_many_devices_keep_their_place_also_after_long_silence(shop: World) -> None:
    # GIVEN forty devices, more than the basket's item keeps
    guest = Guest(shop)
    for device in range(40):
        assert guest.log(f"app-{device}", op(1, "add", "TEE", quantity=1)).status == 200
    assert len(stored(shop, guest.id)["seen"]) <= 32
    # WHEN every one repeats itself, then goes on
    for device in range(40):
        again = guest.log(f"app-{device}", op(1, "add", "TEE", quantity=1))
        assert again.headers.get("idempotent-replayed") == "true", device
        assert problem(guest.log(f"app-{device}", op(3, "add", "TEE", quantity=1)))[0] == 409
        assert guest.log(f"app-{device}", op(2, "add", "MUG", quantity=1)).json["applied_seq"] == 2
    # THEN everything counted once
    assert lines(guest.basket) == {"TEE": 40, "MUG": 40}


# ----------------------------------------------------------------------------------------------- one per person


def test_one_basket_on_every_device_of_a_person(shop: World) -> None:
    customer, till = shop.token("customer"), shop.token("device")
    mine = shop.call("GET", "/me/basket?channel=app", customer).json
    add(shop, mine["basket_id"], customer, "MUG", 1, "first")
    at_the_till = shop.call("GET", f"/customers/{CUSTOMER}/basket", till).json
    assert mine["basket_id"] == at_the_till["basket_id"]
    add(shop, mine["basket_id"], till, "TEE", 1, "t")
    assert lines(shop.call("GET", "/me/basket", customer).json) == {"MUG": 1, "TEE": 1}
    assert shop.call("GET", "/me/basket", shop.token("customer", sub=SECOND)).json["basket_id"] != mine["basket_id"]
    assert "ttl" not in stored(shop, mine["basket_id"])


def test_the_till_finds_the_basket_by_any_profile_of_the_person(shop: World) -> None:
    # GIVEN a profile whose basket was filled at the till before it had an account
    till = shop.token("device")
    profile = shop.call("POST", "/profiles", shop.token("staff"), json={}, key="p").json["profile_id"]
    walk_in = shop.call("GET", f"/customers/{profile}/basket", till).json
    add(shop, walk_in["basket_id"], till, "TEE", 1, "t")
    mine = shop.call("GET", "/me/basket", shop.token("customer")).json
    add(shop, mine["basket_id"], shop.token("customer"), "SOCKS", 1, "mine")
    # WHEN the profile is identified as the customer's (told twice, as the bus does)
    for _ in range(2):
        hear(shop, "profile.identified", profile_id=profile, identity_id="i1", kind="account", customer_id=CUSTOMER)
    # THEN there is one basket, with the line
    assert lines(shop.call("GET", "/me/basket", shop.token("customer")).json) == {"SOCKS": 1, "TEE": 1}
    found = shop.call("GET", f"/customers/{profile}/basket", till).json
    assert (found["basket_id"], lines(found)) == (mine["basket_id"], {"SOCKS": 1, "TEE": 1})
    # AND the till's old address still works
    assert lines(add(shop, walk_in["basket_id"], till, "MUG", 1, "t2").json) == {"SOCKS": 1, "TEE": 1, "MUG": 1}


def test_merged_profiles_share_what_staff_find_but_not_what_accounts_see(shop: World) -> None:
    survivor, absorbed, till = CUSTOMER, SECOND, shop.token("device")
    add(shop, shop.call("GET", "/me/basket", shop.token("customer")).json["basket_id"], till, "TEE", 1, "t")
    merge = {"merge_id": "m1", "survivor_id": survivor, "absorbed_id": absorbed, "profile_id": survivor}

    def found() -> dict[str, int]:
        return lines(shop.call("GET", f"/customers/{absorbed}/basket", till).json)

    for _ in range(2):
        hear(shop, "profile.merged", **merge)
    hear(shop, "profile.merged", **merge | {"merge_id": "m2"})
    assert found() == {"TEE": 1}
    hear(shop, "profile.unmerged", **merge)
    assert found() == {"TEE": 1}  # the other merge still holds them together
    hear(shop, "profile.unmerged", **merge | {"merge_id": "m3"})
    hear(shop, "profile.merged", **merge | {"merge_id": "m3"})  # late: it was undone already
    own = shop.call("GET", "/me/basket", shop.token("customer", sub=absorbed)).json
    assert lines(own) == {}
    assert found() == {"TEE": 1}  # looking made them no basket
    add(shop, own["basket_id"], shop.token("customer", sub=absorbed), "MUG", 1, "own")
    assert found() == {"MUG": 1}


@pytest.mark.parametrize("by_account", [False, True])
def test_an_erased_person_leaves_no_basket_behind(shop: World, by_account: bool) -> None:
    # GIVEN a customer with a basket, a claim, and an old tab that leads there
    guest, customer = Guest(shop), shop.token("customer")
    guest.add("TEE")
    merge = claim(shop, guest, customer).json
    mine = merge["basket"]["basket_id"]
    profile = "0190a1b2-0000-7000-8000-0000000000f1" if by_account else CUSTOMER
    if by_account:
        hear(shop, "profile.identified", profile_id=profile, identity_id="i", kind="account", customer_id=CUSTOMER)
    # WHEN (told twice)
    for _ in range(2):
        hear(shop, "profile.erased", profile_id=profile)
    # THEN nothing says whose it was or what was in it
    kept = [item | {"event": None} for item in shop.items("BasketTable") if item["pk"][:2] in ("B#", "OW")]
    erased = [item for item in kept if item.get("because") == {"erased": ""}]
    assert [item["pk"] for item in erased] == [f"OWNER#{profile}"]
    assert CUSTOMER not in json.dumps([item for item in kept if item not in erased])
    hear(shop, "profile.identified", profile_id=profile, identity_id="late", kind="account", customer_id=SECOND)
    assert erased[0] | {"event": None} in [item | {"event": None} for item in shop.items("BasketTable")]
    assert stored(shop, mine)["dots"] == {}
    assert "customer_id" not in stored(shop, mine)
    assert shop.call("GET", guest.path, guest.token).status == 404
    assert shop.call("DELETE", f"/me/basket/claims/{merge['merge']['merge_id']}", customer).status == 404
    # AND who comes back has a new basket, which a late repeat does not touch
    again = shop.call("GET", "/me/basket", customer).json["basket_id"]
    assert again != mine
    hear(shop, "profile.erased", profile_id=profile)
    assert shop.call("GET", "/me/basket", customer).json["basket_id"] == again


def hear(world: World, event: str, **data: Any) -> None:
    """Deliver a bus event to the basket service."""
    detail = {
        "id": f"profile/{data['profile_id']}@2", "source": "mandje.profiles", "type": event, "time": AT,
        "subject": f"profile/{data['profile_id']}", "dataschema": "-", "data": data,
    }  # fmt: skip
    record = {"messageId": "1", "body": json.dumps({"detail": detail}), "eventSource": "aws:sqs"}
    assert world.invoke("BasketOnEvent", {"Records": [record]}) == {"batchItemFailures": []}


# --------------------------------------------------------------------------------------------- claims and their undo


def claim(world: World, guest: Guest, token: str, key: str = "claim") -> Response:
    return world.call("POST", "/me/basket/claims", token, json={"basket_token": guest.token}, key=key)


def test_signing_in_brings_the_guests_lines_along_and_says_which(shop: World) -> None:
    guest, customer = Guest(shop, "web"), shop.token("customer")
    guest.add("TEE", 2)
    guest.log("app", op(1, "add", "SOCKS", quantity=3), op(2, "save_for_later", "SOCKS"))
    mine = shop.call("GET", "/me/basket?channel=app", customer).json["basket_id"]
    add(shop, mine, customer, "TEE", 1, "mine")
    answer = claim(shop, guest, customer)
    assert (answer.status, lines(answer.json["basket"])) == (200, {"TEE": 3})
    assert lines(answer.json["basket"], "saved_for_later") == {"SOCKS": 3}
    merge = answer.json["merge"]
    assert merge["lines_added"] == [{"sku": "SOCKS", "quantity": 3}, {"sku": "TEE", "quantity": 2}]
    assert merge["from_basket_id"] == guest.id
    origins = [
        (each["quantity"], each["from_basket_id"], each["via"]) for each in answer.json["basket"]["lines"][0]["added"]
    ]
    assert origins == [(2, guest.id, "web"), (1, None, "app")]
    shop.settle()
    (told,) = shop.events("basket.merged")
    assert (told["data"]["merge_id"], told["data"]["from_basket_id"]) == (merge["merge_id"], guest.id)


def test_a_repeated_claim_is_the_same_claim(shop: World) -> None:
    guest, customer = Guest(shop), shop.token("customer")
    guest.add("TEE", 2)
    first = claim(shop, guest, customer)
    for key in ("claim", "another-key"):
        again = claim(shop, guest, customer, key)
        assert again.headers["idempotent-replayed"] == "true"
        assert (again.json["merge"], lines(again.json["basket"])) == (first.json["merge"], {"TEE": 2})
    other = Guest(shop)
    assert problem(claim(shop, other, customer)) == (422, "idempotency-key-reused")


def test_the_first_basket_of_a_person_is_in_the_market_of_the_one_claimed(shop: World) -> None:
    products(shop, "GBP", PIPE=5000)
    guest = Guest(shop, market="uk")
    guest.add("PIPE")
    answer = claim(shop, guest, shop.token("customer")).json["basket"]
    assert (answer["market"], answer["totals"]["total"]) == ("uk", {"amount": 5000, "currency": "GBP"})


def test_a_claim_needs_a_good_token_of_a_basket_that_is_still_free(shop: World) -> None:
    guest, customer, second = Guest(shop), shop.token("customer"), shop.token("customer", sub=SECOND)
    for token in ("x", "k1.e30.xxxx", guest.token[:-2] + "zz", customer):
        refused = shop.call(
            "POST", "/me/basket/claims", customer, json={"basket_token": token[:1000]}, key=f"t{token[:5]}"
        )
        assert problem(refused) == (422, "validation")
    assert problem(claim(shop, guest, guest.token)) == (403, "forbidden")
    assert problem(claim(shop, guest, shop.token("staff"))) == (403, "forbidden")
    assert claim(shop, guest, customer).status == 200
    assert problem(claim(shop, guest, second)) == (404, "not-found")
    shop.clock.tick(181 * 24 * 3600)
    fresh = shop.token("customer")
    assert problem(claim(shop, guest, fresh, "late")) == (422, "validation")


def test_undoing_a_claim_takes_back_exactly_what_came_and_was_not_touched(shop: World) -> None:
    # GIVEN a claimed basket; then one merged line was set, one was ordered, and things were added
    guest, customer = Guest(shop), shop.token("customer")
    for sku in ("TEE", "MUG", "SOCKS"):
        guest.add(sku, 2)
    merge = claim(shop, guest, customer).json
    mine = merge["basket"]["basket_id"]
    shop.call("PUT", f"/baskets/{mine}/lines/TEE", customer, json={"quantity": 9})
    add(shop, mine, customer, "MUG", 1, "later")
    # WHEN
    path = f"/me/basket/claims/{merge['merge']['merge_id']}"
    answer = shop.call("DELETE", path, customer)
    # THEN later edits stay, the rest goes back
    assert lines(answer.json["basket"]) == {"TEE": 9, "MUG": 1}
    assert answer.json["merge"]["lines_returned"] == [{"sku": "MUG", "quantity": 2}, {"sku": "SOCKS", "quantity": 2}]
    assert lines(guest.basket) == {"MUG": 2, "SOCKS": 2}
    again = shop.call("DELETE", path, customer)
    assert (again.status, again.json["basket"]["version"]) == (200, answer.json["basket"]["version"])
    # AND repeating the claim does not merge again, a new claim does
    assert claim(shop, guest, customer).json["merge"]["state"] == "undone"
    assert lines(claim(shop, guest, customer, "anew").json["basket"]) == {"TEE": 9, "MUG": 3, "SOCKS": 2}


def test_only_the_owner_undoes_a_claim(shop: World) -> None:
    guest = Guest(shop)
    merge_id = claim(shop, guest, shop.token("customer")).json["merge"]["merge_id"]
    for token, status in ((shop.token("customer", sub=SECOND), 404), (guest.token, 403), (shop.token("staff"), 403)):
        assert problem(shop.call("DELETE", f"/me/basket/claims/{merge_id}", token))[0] == status
    assert problem(shop.call("DELETE", "/me/basket/claims/nonsense", shop.token("customer")))[0] in (404, 422)


# ------------------------------------------------------------------------------------------------ the old address


def test_an_old_tab_loses_no_edit_and_sees_only_its_own(shop: World) -> None:
    # GIVEN a guest basket that was claimed into one that has other things
    guest, customer = Guest(shop), shop.token("customer")
    guest.add("TEE", 2, "before")
    guest.log("app", op(1, "add", "SOCKS", quantity=1))
    mine = shop.call("GET", "/me/basket", customer).json["basket_id"]
    add(shop, mine, customer, "MUG", 5, "secret")
    add(shop, mine, customer, "TEE", 7, "secret-too")
    claim(shop, guest, customer)
    # WHEN the old tab goes on: repeats, adds, sets, and its log continues
    again = guest.add("TEE", 2, "before")
    assert again.headers["idempotent-replayed"] == "true"
    shown = guest.add("TEE", 1, "after").json
    assert (shown["basket_id"], shown["customer_id"], lines(shown)) == (guest.id, None, {"SOCKS": 1, "TEE": 3})
    assert shown["totals"]["total"]["amount"] == 3 * 1995 + 895
    repeated = guest.log("app", op(1, "add", "SOCKS", quantity=1))
    assert repeated.headers["idempotent-replayed"] == "true"
    went_on = guest.log("app", op(1, "add", "SOCKS", quantity=1), op(2, "set", "SOCKS", quantity=4, seen=["app|1"]))
    assert (went_on.json["applied_seq"], lines(went_on.json["basket"])) == (2, {"TEE": 3, "SOCKS": 4})
    # THEN the owner has it all
    owner = shop.call("GET", "/me/basket", customer).json
    assert lines(owner) == {"TEE": 10, "MUG": 5, "SOCKS": 4}
    # AND what the old tab removes is only its own
    shop.call("DELETE", f"{guest.path}/lines/TEE", guest.token)
    shop.call("DELETE", f"{guest.path}/lines/MUG", guest.token)
    assert lines(shop.call("GET", "/me/basket", customer).json) == {"TEE": 7, "MUG": 5, "SOCKS": 4}
    assert lines(guest.basket) == {"SOCKS": 4}


def test_the_owner_and_the_till_see_everything_by_the_old_address_a_stranger_nothing(shop: World) -> None:
    guest, customer, till = Guest(shop), shop.token("customer"), shop.token("device", sub="till-ams-1")
    log(shop, guest.id, till, "till-ams-1", op(1, "add", "TEE", quantity=1))
    mine = shop.call("GET", "/me/basket", customer).json["basket_id"]
    log(shop, mine, till, "till-ams-1", op(1, "add", "MUG", quantity=1))
    claim(shop, guest, customer)
    for token in (customer, till):
        shown = shop.call("GET", guest.path, token).json
        assert (shown["basket_id"], lines(shown)) == (mine, {"TEE": 1, "MUG": 1})
    # The till counts on at both addresses.
    assert log(shop, guest.id, till, "till-ams-1", op(2, "add", "TEE", quantity=1)).json["applied_seq"] == 2
    assert log(shop, mine, till, "till-ams-1", op(2, "add", "MUG", quantity=1)).json["applied_seq"] == 2
    assert lines(shop.call("GET", "/me/basket", customer).json) == {"TEE": 2, "MUG": 2}
    assert problem(shop.call("GET", guest.path, shop.token("customer", sub=SECOND)))[0] == 404
    assert problem(shop.call("GET", guest.path, Guest(shop).token))[0] == 404


def test_what_came_by_the_old_address_is_not_added_again_after_the_undo(shop: World) -> None:
    # GIVEN adds by the old address after the merge, one of them removed again
    guest, customer = Guest(shop), shop.token("customer")
    guest.add("TEE", 1, "k1")
    merge_id = claim(shop, guest, customer).json["merge"]["merge_id"]
    guest.add("MUG", 2, "k2")
    guest.log("app", op(1, "add", "SOCKS", quantity=3))
    shop.call("DELETE", f"/me/basket/claims/{merge_id}", customer)
    # WHEN the tab repeats them
    repeats = [
        guest.add("TEE", 1, "k1"),
        guest.add("MUG", 2, "k2"),
        guest.log("app", op(1, "add", "SOCKS", quantity=3)),
    ]
    # THEN they count once, where they were put: later edits stay with the owner
    assert [each.headers.get("idempotent-replayed") for each in repeats] == ["true"] * 3
    assert lines(guest.basket) == {"TEE": 1}
    assert lines(shop.call("GET", "/me/basket", customer).json) == {"MUG": 2, "SOCKS": 3}


@pytest.mark.parametrize("edit", ["add", "log"])
def test_an_edit_by_the_old_address_in_the_moment_of_the_undo_is_not_lost(shop: World, edit: str) -> None:
    # GIVEN an undo that is decided before, and written after, an edit by the old address
    guest, customer = Guest(shop), shop.token("customer")
    guest.add("TEE", 1, "k1")
    merge_id = claim(shop, guest, customer).json["merge"]["merge_id"]
    state = {"armed": True}

    def meanwhile(call: Any, perform: Any) -> Any:
        if call.operation == "TransactWriteItems" and state["armed"]:
            state["armed"] = False
            again()
        return perform()

    def again() -> Response:
        return guest.add("MUG", 2, "k2") if edit == "add" else guest.log("app", op(1, "add", "MUG", quantity=2))

    shop.outside.director = meanwhile
    assert shop.call("DELETE", f"/me/basket/claims/{merge_id}", customer).status == 200
    shop.outside.director = None
    # WHEN it is repeated
    again()
    # THEN it counted once
    both = [lines(guest.basket), lines(shop.call("GET", "/me/basket", customer).json)]
    assert sum(each.get("MUG", 0) for each in both) == 2


# ------------------------------------------------------------------------------------------------ with checkout


def test_an_order_takes_what_it_ordered_and_gives_it_back_with_its_origin(shop: World) -> None:
    guest, customer = Guest(shop), shop.token("customer")
    guest.add("TEE", 2)
    mine = claim(shop, guest, customer).json["basket"]["basket_id"]
    before = shop.call("GET", "/me/basket", customer).json["lines"]
    dots = ordered(shop, mine)
    add(shop, mine, customer, "MUG", 1, "later")
    assert lines(shop.call("GET", "/me/basket", customer).json) == {"MUG": 1}
    given_back(shop, mine, dots)
    after = shop.call("GET", "/me/basket", customer).json["lines"]
    assert after[0] == before[0]
    assert lines({"lines": after}) == {"TEE": 2, "MUG": 1}
    assert stored(shop, mine)["units"] == 3


def test_an_order_of_a_basket_that_was_claimed_meanwhile_gives_back_to_its_new_home(shop: World) -> None:
    # GIVEN a till that worked in both baskets, so that names would be the same
    guest, customer, till = Guest(shop), shop.token("customer"), shop.token("device", sub="till-ams-1")
    log(shop, guest.id, till, "till-ams-1", op(1, "add", "TEE", quantity=2))
    mine = shop.call("GET", "/me/basket", customer).json["basket_id"]
    log(shop, mine, till, "till-ams-1", op(1, "add", "MUG", quantity=5))
    dots = ordered(shop, guest.id)
    claim(shop, guest, customer)
    # WHEN the order expires
    given_back(shop, guest.id, dots)
    # THEN nothing was overwritten
    assert lines(shop.call("GET", "/me/basket", customer).json) == {"MUG": 5, "TEE": 2}
    assert lines(guest.basket) == {"TEE": 2}


def test_many_ordered_dots_leave_at_once_and_come_back(shop: World) -> None:
    guest = Guest(shop)
    for batch in range(4):
        guest.log("app", *[op(batch * 25 + place + 1, "add", "TEE", quantity=1) for place in range(25)])
    guest.add("MUG", 3, "k")
    dots = ordered(shop, guest.id)
    assert len(dots) == 101
    assert lines(guest.basket) == {}
    assert guest.add("MUG", 3, "k").headers["idempotent-replayed"] == "true"
    guest.add("SOCKS")
    given_back(shop, guest.id, dots)
    assert lines(guest.basket) == {"TEE": 100, "MUG": 3, "SOCKS": 1}


# ---------------------------------------------------------------------------------------------- events and the clock


def test_every_change_is_one_version_and_one_event(shop: World) -> None:
    guest = Guest(shop)
    guest.add("TEE", 1, "k")
    guest.add("TEE", 1, "k")
    guest.log("app", op(1, "add", "MUG", quantity=1), op(2, "add", "SOCKS", quantity=1))
    shop.call("DELETE", f"{guest.path}/lines/TEE", guest.token)
    shop.settle()
    told = [(e["id"].rpartition("@")[2], e["data"]["change"], e["data"]["skus"]) for e in shop.events("basket.changed")]
    assert told == [
        ("1", "created", []),
        ("2", "added", ["TEE"]),
        ("3", "operations", ["MUG", "SOCKS"]),
        ("4", "removed", ["TEE"]),
    ]


def test_a_silence_is_told_once_and_activity_starts_a_new_one(shop: World) -> None:
    # GIVEN a filled basket that is still in use, an empty one, and one with a wish only
    guest, empty, wish = Guest(shop), Guest(shop), Guest(shop)
    guest.add("TEE")
    wish.log("app", op(1, "add", "TEE", quantity=1), op(2, "save_for_later", "TEE"))
    shop.advance(1800)
    guest.add("TEE")
    # WHEN an hour passes since its first line, but not since the last
    shop.advance(1900)
    assert shop.events("basket.abandoned") == []
    # THEN it is told an hour after the last, once
    shop.advance(1700)
    shop.advance(600)
    shop.advance(86_400)
    (told,) = shop.events("basket.abandoned")
    assert told["data"]["basket_id"] == guest.id
    assert told["data"]["silent_since"].startswith("2026-11-21T10:30:0")
    assert all("due" not in stored(shop, basket) for basket in (guest.id, empty.id, wish.id))
    # AND activity begins a new silence
    guest.add("MUG")
    shop.advance(3700)
    assert len(shop.events("basket.abandoned")) == 2


def test_a_guests_basket_lives_on_with_each_edit(shop: World) -> None:
    guest, day = Guest(shop), 24 * 3600
    until = stored(shop, guest.id)["ttl"]
    shop.clock.tick(10 * day)
    guest.add("TEE")
    assert stored(shop, guest.id)["ttl"] == pytest.approx(until + 10 * day, abs=60)
    shop.clock.tick(20 * day)
    add(shop, guest.id, shop.token("device"), "MUG", 1, "t")  # a till that does not know whose basket it is
    assert stored(shop, guest.id)["ttl"] == pytest.approx(until + 30 * day, abs=60)


def test_a_day_later_gone_names_are_forgotten(shop: World) -> None:
    guest = Guest(shop)
    guest.add("TEE", 1, "k")
    shop.call("DELETE", f"{guest.path}/lines/TEE", guest.token)
    assert len(stored(shop, guest.id)["recent"]) == 1
    shop.clock.tick(27 * 3600)
    shop.call("PUT", f"{guest.path}/lines/MUG", guest.token, json={"quantity": 1})
    assert stored(shop, guest.id)["recent"] == {}
