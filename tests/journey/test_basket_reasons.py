"""Refusals say the reason, a look changes nothing: unknown people, places, markets, products, and claimed kiosks."""

from __future__ import annotations

from typing import Any

import pytest

from commerce import floating
from infra.template import load
from tests.journey.test_basket import SECOND, Guest, add, claim, lines, log, op, problem, products, stored
from tests.world.world import CUSTOMER, Response, World


@pytest.fixture
def shop(world: World) -> World:
    products(world, TEE=1995, MUG=1250)
    products(world, "GBP", PIPE=5000)
    return world


def everything(world: World) -> list[str]:
    return [str(sorted(map(str, world.items(name)))) for name in world.template.tables]


def writes(world: World) -> list[str]:
    kinds = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")
    return [call.name for call in world.calls if call.operation in kinds]


# ----------------------------------------------------------------------------------------------------------- looking


def test_a_look_writes_nothing(shop: World) -> None:
    """Every GET of the basket, by everybody who may."""
    guest, customer, till = Guest(shop), shop.token("customer"), shop.token("device")
    before, count = everything(shop), len(writes(shop))
    looks = [
        ("/me/basket", customer),
        ("/me/basket?market=uk&channel=app", customer),
        ("/me/basket", guest.token),
        (guest.path, guest.token),
        (guest.path, till),
        (f"/customers/{CUSTOMER}/basket", till),
        ("/customers/nobody/basket", till),
        (f"/customers/{SECOND}/basket?market=uk", shop.token("staff")),
    ]
    for path, token in looks:
        assert shop.call("GET", path, token).status in (200, 404), path
    assert (everything(shop), len(writes(shop))) == (before, count)


def test_who_is_not_known_has_no_basket(shop: World) -> None:
    for who in ("nobody", SECOND, "0190a1b2-0000-4000-8000-0000000000ff"):
        assert problem(shop.call("GET", f"/customers/{who}/basket", shop.token("device"))) == (404, "not-found")
        made = shop.call("PUT", f"/customers/{who}/basket", shop.token("device"))
        assert problem(made) == (404, "not-found")
    assert list(shop.items("BasketTable")) == []


@pytest.mark.parametrize("query", ["", "?market=uk", "?channel=app", "?market=uk&channel=chat"])
def test_what_a_customer_was_shown_is_what_the_first_add_makes(shop: World, query: str) -> None:
    customer = shop.token("customer")
    shown = shop.call("GET", f"/me/basket{query}", customer).json
    again = shop.call("GET", f"/baskets/{shown['basket_id']}", customer).json
    assert (shown["version"], lines(shown)) == (0, {})
    assert again | {"price_receipt": 0} == shown | {"price_receipt": 0}
    sku = "PIPE" if "uk" in query else "TEE"
    made = add(shop, shown["basket_id"], customer, sku, 2, "first").json
    members = ("basket_id", "market", "channel", "customer_id")
    assert [made[each] for each in members] == [shown[each] for each in members]
    assert lines(shop.call("GET", "/me/basket", customer).json) == {sku: 2}
    # AND a repeat is one, and nobody else gets there
    assert add(shop, shown["basket_id"], customer, sku, 2, "first").headers["idempotent-replayed"] == "true"
    assert problem(add(shop, shown["basket_id"], shop.token("customer", sub=SECOND), "TEE", 1, "x"))[0] == 404


@pytest.mark.parametrize("how", ["PUT", "DELETE", "log", "till's add", "till's log"])
def test_any_first_edit_makes_the_basket_that_was_shown(shop: World, how: str) -> None:
    customer, till = shop.token("customer"), shop.token("device", sub="till-1")
    mine = shop.call("GET", "/me/basket", customer).json["basket_id"]
    match how:
        case "PUT":
            answer = shop.call("PUT", f"/baskets/{mine}/lines/TEE", customer, json={"quantity": 2})
        case "DELETE":
            answer = shop.call("DELETE", f"/baskets/{mine}/lines/TEE", customer)
        case "log":
            answer = log(shop, mine, customer, "phone", op(1, "add", "TEE", quantity=2))
        case "till's add":
            answer = add(shop, mine, till, "TEE", 2, "t")
        case _:
            answer = log(shop, mine, till, "till-1", op(1, "add", "TEE", quantity=2))
    assert answer.status == 200, answer
    assert lines(shop.call("GET", "/me/basket", customer).json) == ({} if how == "DELETE" else {"TEE": 2})
    assert shop.call("GET", "/me/basket", customer).json["basket_id"] == mine


def test_two_addresses_lead_to_the_one_basket_a_person_has(shop: World) -> None:
    customer = shop.token("customer")
    usual = shop.call("GET", "/me/basket", customer).json["basket_id"]
    app = shop.call("GET", "/me/basket?channel=app", customer).json["basket_id"]
    assert usual != app
    add(shop, app, customer, "TEE", 1, "one")
    both = add(shop, usual, customer, "TEE", 2, "two").json
    assert (both["basket_id"], lines(both)) == (app, {"TEE": 3})
    assert log(shop, usual, customer, "phone", op(1, "add", "MUG", quantity=1)).json["basket"]["basket_id"] == app
    assert len([item for item in shop.items("BasketTable") if item["pk"].startswith("B#")]) == 1


def test_two_first_adds_at_once_make_one_basket(shop: World) -> None:
    customer, state = shop.token("customer"), {"armed": True}
    mine = shop.call("GET", "/me/basket", customer).json["basket_id"]
    other = shop.call("GET", "/me/basket?channel=app", customer).json["basket_id"]

    def meanwhile(call: Any, perform: Any) -> Any:
        if call.operation == "TransactWriteItems" and state["armed"]:
            state["armed"] = False
            assert add(shop, other, customer, "TEE", 1, "a").status == 200
        return perform()

    shop.outside.director = meanwhile
    assert add(shop, mine, customer, "TEE", 2, "b").status == 200
    shop.outside.director = None
    assert lines(shop.call("GET", "/me/basket", customer).json) == {"TEE": 3}
    assert len([item for item in shop.items("BasketTable") if item["pk"].startswith("B#")]) == 1


def test_a_till_serves_a_known_person_who_has_no_basket_yet(shop: World) -> None:
    till = shop.token("device", sub="till-1")
    staff = shop.token("staff")
    anna, ben = (shop.call("POST", "/profiles", staff, json={}, key=f"p{n}").json["profile_id"] for n in range(2))
    shown = shop.call("GET", f"/customers/{anna}/basket", till).json
    assert (shown["version"], shown["channel"], shown["customer_id"]) == (0, "till", anna)
    assert lines(add(shop, shown["basket_id"], till, "TEE", 2, "t").json) == {"TEE": 2}
    again = shop.call("GET", f"/customers/{anna}/basket", till).json
    assert (again["basket_id"], lines(again)) == (shown["basket_id"], {"TEE": 2})
    # AND in another market it says so first
    assert problem(shop.call("GET", f"/customers/{ben}/basket?market=uk", till)) == (404, "not-found")
    opened = shop.call("PUT", f"/customers/{ben}/basket?market=uk&channel=chat", till)
    assert (opened.status, opened.json["market"], opened.json["version"]) == (200, "uk", 1)
    assert lines(add(shop, opened.json["basket_id"], till, "PIPE", 1, "u").json) == {"PIPE": 1}
    same = shop.call("PUT", f"/customers/{ben}/basket", till)
    assert (same.json["basket_id"], same.json["market"]) == (opened.json["basket_id"], "uk")
    assert problem(shop.call("PUT", f"/customers/{ben}/basket", shop.token("customer")))[0] == 403


def test_nothing_can_be_ordered_of_what_was_only_looked_at(shop: World) -> None:
    customer = shop.token("customer")
    mine = shop.call("GET", "/me/basket", customer).json["basket_id"]
    body = {"basket_id": mine, "contact": {"name": "A"}, "fulfilment": {"kind": "delivery"}}
    assert problem(shop.call("POST", "/checkouts", customer, json=body, key="o")) == (409, "basket-empty")
    assert problem(shop.call("POST", "/checkouts", shop.token("customer", sub=SECOND), json=body, key="o"))[0] == 404


def test_nobody_but_the_person_can_take_an_address_and_ids_are_told_apart() -> None:
    for person in (CUSTOMER, "6f1d1f6e-3b55-4d0c-9a4e-6d616e646a65", "6f1d1f6e-3b55-5d0c-9a4e-6d616e646a65"):
        usual = floating.address(person, "nl", "web", usual="web")
        assert floating.person_at(usual) == person
        assert floating.shown_to(person, usual, "till") == ("nl", "till")
        assert floating.shown_to(SECOND, usual, "web") is None
        app = floating.address(person, "uk", "app", usual="web")
        assert floating.person_at(app) is None
        assert floating.shown_to(person, app, "web") == ("uk", "app")
        assert {each[14] for each in (usual, app)} & set("01234567") == set()  # a client's own are version 7
    assert floating.person_at("ffffffff-ffff-ffff-ffff-ffffffffffff") is None
    assert floating.person_at("00000000-0000-0000-0000-000000000000") is None


# ------------------------------------------------------------------------------------------------ what is sold where


@pytest.mark.parametrize("warm", [False, True])
def test_what_is_not_sold_in_this_market_is_not_added(shop: World, warm: bool) -> None:
    guest = Guest(shop)
    if warm:
        Guest(shop, market="uk").add("PIPE")
    before = stored(shop, guest.id)
    for refused in (
        guest.add("PIPE"),
        shop.call("PUT", f"{guest.path}/lines/PIPE", guest.token, json={"quantity": 1}),
        add(shop, guest.id, shop.token("device"), "PIPE", 1, "t"),
    ):
        assert problem(refused) == (409, "not-sold")
        assert refused.json["skus"] == ["PIPE"]
    assert stored(shop, guest.id) == before
    assert lines(Guest(shop, market="uk").add("PIPE").json) == {"PIPE": 1}


def test_what_is_sold_as_of_this_second_is_added(shop: World) -> None:
    guest = Guest(shop)
    assert problem(guest.add("PIPE")) == (409, "not-sold")
    products(shop, PIPE=900)
    assert guest.add("PIPE").status == 200


def test_less_of_what_is_no_longer_sold_is_always_possible(shop: World) -> None:
    guest = Guest(shop)
    guest.add("TEE", 5, "k")
    products(shop, "GBP", TEE=1500)
    shop.clock.tick(31)
    assert guest.add("TEE", 5, "k").headers["idempotent-replayed"] == "true"
    assert problem(guest.add("TEE", 1, "more")) == (409, "not-sold")
    path = f"{guest.path}/lines/TEE"
    assert problem(shop.call("PUT", path, guest.token, json={"quantity": 6})) == (409, "not-sold")
    assert lines(shop.call("PUT", path, guest.token, json={"quantity": 2}).json) == {"TEE": 2}
    assert lines(shop.call("DELETE", path, guest.token).json) == {}


def test_what_a_device_added_offline_is_a_fact(shop: World) -> None:
    """A log is never held up by it: the line has no price, and the order names it."""
    guest = Guest(shop)
    shown = guest.log("app", op(1, "add", "PIPE", quantity=1), op(2, "add", "TEE", quantity=1)).json["basket"]
    assert [(line["sku"], line["unavailable"]) for line in shown["lines"]] == [("PIPE", True), ("TEE", False)]
    body = {"basket_id": guest.id, "contact": {"name": "A"}, "fulfilment": {"kind": "delivery"}}
    refused = shop.call("POST", "/checkouts", guest.token, json=body, key="o")
    assert (problem(refused), refused.json["skus"]) == ((409, "not-sold"), ["PIPE"])


# --------------------------------------------------------------------------------------------- words that are routes


def static_siblings_of_skus() -> set[str]:
    """The words that stand in some path where another path has `{sku}`."""
    paths = [route.path.split("/") for route in load().routes]
    before_sku = [path[: path.index("{sku}")] for path in paths if "{sku}" in path]
    return {
        path[len(prefix)]
        for prefix in before_sku
        for path in paths
        if len(path) > len(prefix) and path[: len(prefix)] == prefix and not path[len(prefix)].startswith("{")
    }


def test_no_product_is_called_like_a_route(shop: World) -> None:
    reserved = static_siblings_of_skus()
    assert reserved >= {"batch", "counts", "movements"}
    staff, body = shop.token("staff"), {"name": "X", "prices": [{"amount": 1, "currency": "EUR"}]}
    for word in reserved:
        batch = {"products": [body | {"sku": "FINE"}, body | {"sku": word}]}
        refused = shop.call("POST", "/products/batch", staff, json=batch)
        assert problem(refused) == (422, "validation")
        assert refused.json["errors"][0]["loc"] == ["body", "products", 1, "sku"]
        alone = shop.call("PUT", f"/products/{word}", staff, json=body)
        assert alone.status in (403, 404, 405, 422), word  # the gateway may refuse a path that is another's
        if word != "batch":
            assert problem(alone) == (422, "validation")
            assert alone.json["errors"][0]["loc"] == ["path", "sku"]
        assert word not in [item.get("sku") for item in shop.items("CatalogTable")]
        assert shop.call("PUT", f"/products/{word.upper()}", staff, json=body).status == 200


# ----------------------------------------------------------------------------------------------------- where and how


def place(shop: World, guest: Guest, **fulfilment: Any) -> Response:
    body = {"basket_id": guest.id, "contact": {"name": "A"}, "fulfilment": fulfilment}
    return shop.call("POST", "/checkouts", guest.token, json=body, key=str(len(shop.calls)))


def store(shop: World, location_id: str, **members: Any) -> None:
    body = {"name": location_id, "kind": "store"} | members
    assert shop.call("PUT", f"/locations/{location_id}", shop.token("staff"), json=body).status == 200


@pytest.mark.parametrize("kind", ["pickup", "delivery", "carry_out"])
def test_an_unknown_place_is_no_sold_out_one(shop: World, kind: str) -> None:
    guest = Guest(shop)
    guest.add("TEE")
    before = everything(shop)
    refused = place(shop, guest, kind=kind, location_id="atlantis")
    assert problem(refused) == (422, "validation")
    assert refused.json["errors"][0]["loc"] == ["body", "fulfilment", "location_id"]
    assert everything(shop) == before


@pytest.mark.parametrize(
    ("kind", "members", "reason"),
    [
        ("pickup", {"kind": "warehouse"}, "fulfilment"),
        ("carry_out", {"kind": "warehouse"}, "fulfilment"),
        ("pickup", {"fulfilments": ["carry_out"]}, "fulfilment"),
        ("delivery", {}, "fulfilment"),
        ("pickup", {"markets": ["uk"]}, "market"),
        ("pickup", {"channels": ["till"]}, "channel"),
    ],
)
def test_a_place_that_cannot_says_why(shop: World, kind: str, members: dict[str, Any], reason: str) -> None:
    guest = Guest(shop)
    guest.add("TEE")
    store(shop, "ams", **members)
    before = everything(shop)
    refused = place(shop, guest, kind=kind, location_id="ams")
    assert problem(refused) == (409, "location-unable")
    assert (refused.json["location_id"], refused.json["reason"]) == ("ams", reason)
    assert everything(shop) == before
    # AND as soon as it can, it is a question of stock
    store(shop, "ams", fulfilments=["pickup", "carry_out", "delivery"])
    assert problem(place(shop, guest, kind=kind, location_id="ams")) == (409, "out-of-stock")


# ------------------------------------------------------------------------------------------------------------- kiosks


def test_a_kiosks_old_token_reads_the_redirect_and_nothing_else(shop: World) -> None:
    # GIVEN a basket at a kiosk that went with who signed in
    guest, customer = Guest(shop, "kiosk"), shop.token("customer")
    guest.add("TEE", 2, "before")
    merge = claim(shop, guest, customer).json
    mine = merge["basket"]["basket_id"]
    before = everything(shop)
    body = {"device_id": "kiosk", "operations": [op(1, "add", "TEE", quantity=1, at="2026-11-21T09:30:00Z")]}
    order = {"basket_id": guest.id, "contact": {"name": "A"}, "fulfilment": {"kind": "delivery"}}
    # WHEN the next visitor goes on with its token
    requests: list[tuple[str, str, Any, str | None]] = [
        ("GET", guest.path, None, None),
        ("GET", "/me/basket", None, None),
        ("POST", f"{guest.path}/lines", {"sku": "TEE", "quantity": 1}, "new"),
        ("POST", f"{guest.path}/lines", {"sku": "TEE", "quantity": 2}, "before"),
        ("PUT", f"{guest.path}/lines/TEE", {"quantity": 9}, None),
        ("PUT", f"{guest.path}/lines/MUG", {"quantity": 0}, None),
        ("DELETE", f"{guest.path}/lines/TEE", None, None),
        ("POST", f"{guest.path}/operations", body, None),
    ]
    for method, path, said, key in requests:
        answer = shop.call(method, path, guest.token, json=said, key=key)
        # THEN it hears where the basket went, and no more
        assert problem(answer) == (409, "basket-changed"), (method, path)
        assert answer.json["merged_to"] == mine
        assert set(answer.json) <= {"type", "title", "status", "detail", "instance", "merged_to"}
    assert problem(shop.call("POST", "/checkouts", guest.token, json=order, key="o")) == (409, "basket-changed")
    assert everything(shop) == before
    # AND the owner and the till get there as ever; an undone claim gives the kiosk its basket back
    for token in (customer, shop.token("device")):
        assert lines(shop.call("GET", guest.path, token).json) == {"TEE": 2}
    shop.call("DELETE", f"/me/basket/claims/{merge['merge']['merge_id']}", customer)
    assert lines(guest.add("MUG").json) == {"TEE": 2, "MUG": 1}


@pytest.mark.parametrize("channel", ["web", "app", "till", "chat"])
def test_on_other_channels_an_old_tab_still_loses_nothing(shop: World, channel: str) -> None:
    guest, customer = Guest(shop, channel), shop.token("customer")
    claim(shop, guest, customer)
    assert guest.add("TEE", 1, "late").status == 200
    assert lines(shop.call("GET", "/me/basket", customer).json) == {"TEE": 1}
