"""How people write their names, numbers and addresses, over the doors: one spelling each, in the right country."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journey.checkout_shop import ADDRESS, CONTACT, DELIVERY, Shop
from tests.journey.people import created, read, sound, staff
from tests.world import World

LONDON, MADRID = "lon-carnaby", "mad-sol"


@pytest.fixture
def stores(world: World) -> World:
    """GIVEN a store in London (by its market) and one in Madrid (by its country)."""
    keeper = world.token("staff", scopes="locations:write")
    for location, members in ((LONDON, {"markets": ["uk"]}), (MADRID, {"country": "es"})):
        body = {"name": location.title(), "kind": "store"} | members
        assert world.call("PUT", f"/locations/{location}", keeper, json=body).status == 200
    return world


def till(world: World, location_id: str | None = None) -> str:
    return world.token("device", scopes="profiles:read profiles:write", location_id=location_id)


def phones(profile: Any) -> list[str]:
    return [each["value"] for each in profile["identities"] if each["kind"] == "phone"]


def found(world: World, query: str, token: str) -> list[str]:
    answer = world.call("GET", f"/profiles?{query}", token)
    assert answer.status == 200, answer
    return [each["profile_id"] for each in answer.json["items"]]


# ---------------------------------------------------------------------------------------------------------- phones


@pytest.mark.parametrize(
    ("location", "identity", "body", "one"),
    [
        (LONDON, {"value": "07911 123456"}, {}, "+447911123456"),
        (MADRID, {"value": "612345678"}, {}, "+34612345678"),
        (None, {"value": "06-12345678"}, {}, "+31612345678"),
        (None, {"value": "07911 123456", "market": "uk"}, {}, "+447911123456"),
        (None, {"value": "07911 123456"}, {"market": "uk"}, "+447911123456"),
        (None, {"value": "06 1234 5678", "country": "it"}, {}, "+390612345678"),
        (None, {"value": "512 345 678", "country": "PL"}, {}, "+48512345678"),
        # what is said of the number goes before where the till is
        (LONDON, {"value": "32 12 34 56", "country": "DK"}, {"market": "nl"}, "+4532123456"),
        (LONDON, {"value": "06 12345678", "market": "nl"}, {}, "+31612345678"),
        (LONDON, {"value": "+31 0612345678"}, {}, "+31612345678"),
    ],
)
def test_a_number_belongs_where_it_was_written(
    stores: World, location: str | None, identity: dict[str, Any], body: dict[str, Any], one: str
) -> None:
    # WHEN a till there makes a profile, and attaches the number to another
    phone = {"kind": "phone"} | identity
    made = stores.call("POST", "/profiles", till(stores, location), json={"identities": [phone]} | body)
    assert made.status == 201, made
    assert phones(made.json) == [one]
    # THEN it is that number wherever it is looked up
    assert found(stores, f"identity=phone:{one.replace('+', '%2B')}", till(stores)) == [made.json["profile_id"]]
    assert sound(stores) == []


def test_a_till_finds_a_number_as_people_there_write_it(stores: World) -> None:
    british = created(stores, identities=[{"kind": "phone", "value": "+447911123456"}])
    italian = created(stores, identities=[{"kind": "phone", "value": "+390612345678"}])
    for query, token in (
        ("identity=phone:07911%20123456", till(stores, LONDON)),
        ("identity=phone:07911123456&market=uk", till(stores)),
        ("identity=phone:07911-123-456&country=gb", till(stores, MADRID)),
        ("identity=phone:%2B44%20(0)7911%20123456", till(stores, MADRID)),
    ):
        assert found(stores, query, token) == [british]
    for spelling in ("06%201234%205678", "0612345678", "(06)12345678"):
        assert found(stores, f"identity=phone:{spelling}&country=IT", till(stores)) == [italian]
    # the Dutch number of the same digits is somebody else
    assert found(stores, "identity=phone:0612345678", till(stores)) == []


def test_a_number_is_attached_where_the_till_is(stores: World) -> None:
    profile_id = created(stores)
    path = f"/profiles/{profile_id}/identities"
    for body in ({"value": "07911 123456"}, {"value": "+44 7911 123456"}, {"value": "0044 (0)7911 123456"}):
        assert stores.call("POST", path, till(stores, LONDON), json={"kind": "phone"} | body).status == 201
    assert phones(read(stores, profile_id)) == ["+447911123456"]


@pytest.mark.parametrize("value", ["+999 123 456 78", "+31 612345", "12", "0000000000", "+1 123 456 7890"])
def test_an_impossible_number_is_nowhere_accepted(stores: World, value: str) -> None:
    profile_id = created(stores)
    body = {"kind": "phone", "value": value}
    answers = [
        stores.call("POST", f"/profiles/{profile_id}/identities", staff(stores), json=body),
        stores.call("POST", "/profiles", staff(stores), json={"identities": [body]}),
    ]
    assert [answer.status for answer in answers] == [422, 422]
    assert [answer.json["errors"][0]["loc"] for answer in answers] == [
        ["body", "value"],
        ["body", "identities", 0, "value"],
    ]
    assert all(value not in answer.body.decode() for answer in answers if len(value) > 4)


@pytest.mark.parametrize("query", ["country=XX", "country=UK", "market=mars"])
def test_a_number_of_nowhere_is_looked_for_nowhere(stores: World, query: str) -> None:
    answer = stores.call("GET", f"/profiles?identity=phone:0612345678&{query}", till(stores))
    assert (answer.status, answer.json["errors"][0]["loc"]) == (422, ["query", query.partition("=")[0]])


def test_a_country_is_kept_with_its_location(stores: World) -> None:
    assert stores.call("GET", f"/locations/{MADRID}").json["country"] == "ES"
    body = {"name": "Nowhere", "kind": "store", "country": "XX"}
    answer = stores.call("PUT", "/locations/nowhere", stores.token("staff", scopes="locations:write"), json=body)
    assert (answer.status, answer.json["errors"][0]["loc"]) == (422, ["body", "country"])


# --------------------------------------------------------------------------------------------------- e-mail, junk


def test_look_alike_domains_are_two_people_and_two_spellings_of_one_are_one(world: World) -> None:
    sharp = created(world, identities=[{"kind": "email", "value": "anna@straße.de", "verified": True}])
    double = created(world, identities=[{"kind": "email", "value": "anna@strasse.de", "verified": True}])
    look = till(world)
    assert found(world, "identity=email:Anna@STRASSE.de", look) == [double]
    for spelling in ("anna@stra%C3%9Fe.de", "anna@xn--strae-oqa.de"):
        assert found(world, f"identity=email:{spelling}", look) == [sharp]
    taken = world.call(
        "POST", f"/profiles/{double}/identities", staff(world), json={"kind": "email", "value": "anna@xn--strae-oqa.de"}
    )
    assert (taken.status, taken.json["type"]) == (409, "/problems/identity-taken")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("device", "null"),
        ("device", "00000000-0000-0000-0000-000000000000"),
        ("loyalty_card", "0000"),
        ("email", "test@test.com"),
        ("email", "noreply@shop.nl"),
        ("receipt", "n.v.t."),
        ("account", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ],
)
def test_nobodys_identities_are_refused_and_told_why(world: World, kind: str, value: str) -> None:
    profile_id, junk = created(world), {"kind": kind, "value": value, "verified": True}
    for path, body in (("/profiles", {"identities": [junk]}), (f"/profiles/{profile_id}/identities", junk)):
        answer = world.call("POST", path, staff(world), json=body)
        assert answer.status == 422
        assert "nobody's own" in answer.json["errors"][0]["msg"]
    # asking for it finds nobody, which is true
    assert found(world, f"identity={kind}:{value}", till(world)) == []
    assert read(world, profile_id)["identities"] == []


# ------------------------------------------------------------------------------------------------ orders, products


@pytest.fixture
def shop(world: World) -> Shop:
    """GIVEN a shop that sells tees."""
    shop = Shop(world)
    shop.sells(TEE=50)
    return shop


@pytest.mark.parametrize(
    ("address", "phone", "one"),
    [
        ({}, "(020) 123 4567", "+31201234567"),
        ({"country": "be", "postal_code": "b-1000"}, "0470 12 34 56", "+32470123456"),
        ({"country": "be", "postal_code": "1000"}, "06 12345678", "+31612345678"),  # given out in the market only
        ({"country": "GB", "postal_code": "sw1a1aa"}, "07911 123456", "+447911123456"),
        ({"country": "GB", "postal_code": "sw1a1aa"}, "+31 0612345678", "+31612345678"),
    ],
)
def test_a_contacts_number_belongs_where_the_goods_go(shop: Shop, address: Any, phone: str, one: str) -> None:
    asked = {"contact": CONTACT | {"phone": phone}, "fulfilment": DELIVERY | {"address": ADDRESS | address}}
    order = shop.place(shop.basket({"TEE": 1}), **asked)
    assert order.status == 201, order
    assert order.json["contact"]["phone"] == one


def test_a_contacts_number_belongs_where_the_store_is(shop: Shop) -> None:
    shop.location("lon-carnaby", kind="store", country="GB")
    shop.stock("TEE", 5, "lon-carnaby")
    pickup = {"kind": "pickup", "location_id": "lon-carnaby"}
    order = shop.place(shop.basket({"TEE": 1}), contact=CONTACT | {"phone": "07911 123456"}, fulfilment=pickup)
    assert (order.status, order.json["contact"]["phone"]) == (201, "+447911123456")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"postal_code": " 1012ab "}, {"postal_code": "1012 AB", "country": "NL"}),
        ({"postal_code": "1012ab", "country": " nl "}, {"postal_code": "1012 AB", "country": "NL"}),
        ({"postal_code": "00001", "country": "pl"}, {"postal_code": "00-001", "country": "PL"}),
        ({"postal_code": None, "country": "HK"}, {"postal_code": None, "country": "HK"}),
        ({"city": "Zand\u00advoort", "line1": "\ufeffDam 1"}, {"city": "Zandvoort", "line1": "Dam 1"}),
    ],
)
def test_an_address_is_kept_as_the_post_writes_it(shop: Shop, sent: Any, kept: Any) -> None:
    order = shop.place(shop.basket({"TEE": 1}), fulfilment=DELIVERY | {"address": ADDRESS | sent})
    assert order.status == 201, order
    assert {name: order.json["fulfilment"]["address"][name] for name in kept} == kept


@pytest.mark.parametrize(
    ("sent", "loc"),
    [
        ({"fulfilment": DELIVERY | {"address": ADDRESS | {"country": "XX"}}}, ["fulfilment", "address", "country"]),
        ({"fulfilment": DELIVERY | {"address": ADDRESS | {"country": "UK"}}}, ["fulfilment", "address", "country"]),
        ({"fulfilment": DELIVERY | {"address": ADDRESS | {"country": "DE"}}}, ["fulfilment", "address", "postal_code"]),
        (
            {"fulfilment": DELIVERY | {"address": ADDRESS | {"postal_code": "10115"}}},
            ["fulfilment", "address", "postal_code"],
        ),
        (
            {"fulfilment": DELIVERY | {"address": ADDRESS | {"postal_code": None}}},
            ["fulfilment", "address", "postal_code"],
        ),
        ({"contact": CONTACT | {"phone": "+999 12345678"}}, ["contact", "phone"]),
        ({"contact": CONTACT | {"phone": "call me"}}, ["contact", "phone"]),
        ({"contact": CONTACT | {"email": "a@a.a"}}, ["contact", "email"]),
        ({"contact": CONTACT | {"name": "a\u202eb"}}, ["contact", "name"]),
        ({"contact": CONTACT | {"name": "\u200b\u200d"}}, ["contact", "name"]),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(shop: Shop, sent: Any, loc: list[str]) -> None:
    shopper = shop.basket({"TEE": 1})
    answer = shop.place(shopper, **{"fulfilment": DELIVERY, "contact": CONTACT} | sent)
    assert answer.status == 422, answer
    assert answer.json["errors"][0]["loc"][: 1 + len(loc)] == ["body", *loc]
    assert shop.world.items("OrdersTable") == []


def test_an_e_mail_is_trimmed_and_in_lower_case(shop: Shop) -> None:
    order = shop.place(shop.basket({"TEE": 1}), contact={"name": "Eva", "email": " \u200bEva@Example.COM "}).json
    assert order["contact"]["email"] == "eva@example.com"


@pytest.mark.parametrize("name", ["علی\u200cرضا", "නිමල් ශ්\u200dරී", "👩\u200d💻 Ada"])
def test_names_stay_whole_wherever_they_are_told(shop: Shop, name: str) -> None:
    world = shop.world
    order = shop.place(shop.basket({"TEE": 1}), contact=CONTACT | {"name": name}).json
    assert order["contact"]["name"] == name
    assert read(world, created(world, given_name=name))["given_name"] == name
    keeper = world.token("staff", scopes="locations:write catalog:write")
    place = {"name": name, "kind": "store"}
    assert world.call("PUT", "/locations/here", keeper, json=place).json["name"] == name
    product = {"name": f"\ufeff{name}\u00ad", "prices": [{"amount": 1, "currency": "EUR"}]}
    assert world.call("PUT", "/products/X", keeper, json=product).json["name"] == name
