"""Every door holds: other media types, members nobody declared, odd headers, and who may keep an answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journey.every_route import OURS, PUBLIC, ROUTES, body_is_required, declared_body, declared_query, filled
from tests.world import World
from tests.world.world import Response

OTHER_TYPES = [
    "multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary", "multipart/mixed",
    "application/x-www-form-urlencoded", "text/plain", "text/json", "text/csv; charset=utf-8", "application/jsonx",
    "application/json-patch+json", "application/problem+json", "application/json, text/plain", "json", "*/*", ";", "",
    "\u00e9", "application/json\u00a0",
]  # fmt: skip
NOT_OBJECTS = [b"[]", b"null", b'"text"', b"1", b"true", b"[{}]", b"[1]", b"{", b"\x00", b" ", b'{"a":1,"a":1}']


def call(shop: World, method: str, path: str, **more: Any) -> Response:
    """A request by somebody who may."""
    kind = "customer" if path.startswith("/me") else "staff"
    return shop.call(method, path, shop.token(kind), key=more.pop("key", "k"), **more)


def slug(answer: Response) -> str:
    return str(answer.json["type"]).removeprefix("/problems/")


def places(answer: Response) -> list[list[Any]]:
    assert (answer.status, slug(answer)) == (422, "validation"), answer
    return [error["loc"] for error in answer.json["errors"]]


# ------------------------------------------------------------------------------------------------------ media types


@pytest.mark.parametrize(("method", "path"), OURS)
def test_a_body_of_another_type_is_415_before_anything_is_read(shop: World, method: str, path: str) -> None:
    for kind in OTHER_TYPES:
        for body in (b"a=1", b"{}", b"--x\r\n"):
            answer = call(shop, method, filled(path), body=body, headers={"Content-Type": kind})
            assert (answer.status, slug(answer)) == (415, "unsupported-media-type"), (kind, answer)
    twice = [("Content-Type", "text/plain"), ("content-type", "application/json")]
    assert call(shop, method, filled(path), body=b"{}", headers=twice).status == 415


@pytest.mark.parametrize(("method", "path"), OURS)
def test_a_body_without_a_type_is_415(shop: World, method: str, path: str) -> None:
    token = shop.token("customer" if path.startswith("/me") else "staff")
    headers = [("Authorization", f"Bearer {token}"), ("Idempotency-Key", "k")]
    answer = shop.gateway.request(method, filled(path), headers, b"{}")
    assert answer.status == 415


@pytest.mark.parametrize("kind", ["Application/JSON", "application/json;charset=utf-8", 'APPLICATION/JSON ; x="y"'])
def test_json_may_be_spelt_in_any_case_and_with_parameters(shop: World, kind: str) -> None:
    answer = shop.call("POST", "/baskets", body=b'{"channel":"web"}', headers={"content-TYPE": kind})
    assert answer.status == 201, answer


@pytest.mark.parametrize(("method", "path"), OURS)
def test_no_body_needs_no_type_and_its_type_means_nothing(shop: World, method: str, path: str) -> None:
    plain = call(shop, method, filled(path))
    for kind in OTHER_TYPES:
        answer = call(shop, method, filled(path), headers={"Content-Type": kind})
        assert answer.status == plain.status != 415, (kind, answer)


def test_webhooks_take_bytes_of_any_type(shop: World) -> None:
    for kind in OTHER_TYPES:
        for path in ("/webhooks/stripe/default", "/webhooks/mollie/default"):
            answer = shop.call("POST", path, body=b"\xff\xfe", headers={"Content-Type": kind})
            assert answer.status in (400, 401), (kind, answer)


# ------------------------------------------------------------------------------------------- what nobody declared


@pytest.mark.parametrize(("method", "path"), OURS)
def test_a_query_member_that_nobody_declared_is_422(shop: World, method: str, path: str) -> None:
    body = declared_body(method, path)
    declared = {each["name"] for each in declared_query(method, path)}
    for name in {"nobody", "cursr", "q", "sku", "ean", "state", "Limit", "", "a[b]", "limit[]", "\u00e9"} - declared:
        answer = call(shop, method, f"{filled(path)}?{name}=1", json=body)
        assert ["query", name] in places(answer), (name, answer)


ONCE = [
    (method, path, each["name"])
    for method, path in OURS
    for each in declared_query(method, path)
    if each["schema"].get("type") != "array"
]


@pytest.mark.parametrize(("method", "path", "name"), ONCE)
def test_a_query_member_that_is_one_thing_may_not_be_said_twice(shop: World, method: str, path: str, name: str) -> None:
    more = "&sku=TEE" if path == "/stock" else "&identity=email:a@b.nl" if path == "/profiles" else ""
    for values in (("1", "2"), ("1", "1"), ("nl", "nl")):
        answer = call(shop, method, f"{filled(path)}?{name}={values[0]}&{name}={values[1]}{more}")
        assert ["query", name] in places(answer), answer


def test_a_query_member_that_is_a_list_may(shop: World) -> None:
    assert len(shop.call("GET", "/stock?sku=TEE&sku=NOPE").json["items"]) == 2


@pytest.mark.parametrize(("method", "path"), OURS)
def test_a_body_member_that_nobody_declared_is_422(shop: World, method: str, path: str) -> None:
    body = declared_body(method, path) or {}
    answer = call(shop, method, filled(path), json=body | {"nobody": 1})
    assert ["body", "nobody"] in places(answer), answer


@pytest.mark.parametrize(("method", "path"), OURS)
def test_a_body_is_one_object(shop: World, method: str, path: str) -> None:
    """A list of one body is not that body."""
    body = declared_body(method, path)
    wrapped = [] if body is None else [[body], [body, body]]
    for each in wrapped:
        assert places(call(shop, method, filled(path), json=each)) == [["body"]], each
    for raw in NOT_OBJECTS:
        assert places(call(shop, method, filled(path), body=raw)) == [["body"]], raw


@pytest.mark.parametrize(("method", "path"), [route for route in OURS if not body_is_required(*route)])
def test_where_nothing_need_be_said_an_empty_object_says_it(shop: World, method: str, path: str) -> None:
    plain, empty = (call(shop, method, filled(path), json=body) for body in (None, {}))
    assert (plain.status, plain.status < 500) == (empty.status, True), (plain, empty)


def _order(shop: World, key: str) -> tuple[str, str]:
    """A customer's order of two pieces."""
    customer = shop.token("customer")
    basket = shop.call("GET", "/me/basket", customer).json["basket_id"]
    shop.call("POST", f"/baskets/{basket}/lines", customer, json={"sku": "TEE", "quantity": 2}, key=f"l-{key}")
    body = {"basket_id": basket, "contact": {"name": "Ann"}, "fulfilment": {"kind": "delivery"}}
    return shop.call("POST", "/checkouts", customer, json=body, key=f"o-{key}").json["order_id"], customer


def test_a_part_of_an_order_is_not_cancelled_as_a_whole(world: World) -> None:
    world.seed_products({"TEE": 1995}, stock=5)
    order, customer = _order(world, "1")
    part = {"lines": [{"sku": "TEE", "quantity": 1}]}
    # WHEN somebody asks for what does not exist THEN nothing happens, and they hear of it
    asked = world.call("POST", f"/orders/{order}/cancel", customer, json=part, key="c")
    assert places(asked) == [["body", "lines"]]
    assert world.call("GET", f"/orders/{order}", customer).json["state"] == "placed"
    # AND the key is still free for what does exist; another body or query under it is no repeat
    assert world.call("POST", f"/orders/{order}/cancel", customer, key="c").status == 200
    again = world.call("POST", f"/orders/{order}/cancel", customer, json={}, key="c")
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert world.call("POST", f"/orders/{order}/cancel", customer, json=part, key="c").status == 422
    assert world.call("POST", f"/orders/{order}/cancel?lines=1", customer, key="c").status == 422


def test_a_part_of_an_order_is_not_handed_over_as_a_whole(world: World) -> None:
    world.seed_products({"TEE": 1995}, stock=5)
    order, customer = _order(world, "1")
    staff = world.token("staff")
    cash = {"provider": "cash", "method": "cash"}
    assert world.call("POST", f"/orders/{order}/payments", staff, json=cash, key="p").status == 201
    world.settle()
    part = {"lines": [{"sku": "TEE", "quantity": 1}]}
    asked = world.call("POST", f"/orders/{order}/fulfilments", staff, json=part, key="f")
    assert places(asked) == [["body", "lines"]]
    assert world.call("GET", f"/orders/{order}", customer).json["state"] == "paid"


# ------------------------------------------------------------------------------------------------ where it is wrong

WRONG = [
    ("POST", "/checkouts", {"contact": {"name": "\u0000"}}, ["body", "contact", "name"]),
    ("POST", "/checkouts", {"contact": {"name": 1}}, ["body", "contact", "name"]),
    ("POST", "/checkouts", {"contact": {}}, ["body", "contact", "name"]),
    ("POST", "/checkouts", {"contact": "Ann"}, ["body", "contact"]),
    ("POST", "/checkouts", {"contact": {"name": "A", "email": "\u0001"}}, ["body", "contact", "email"]),
    ("POST", "/checkouts", {"fulfilment": {"kind": "fly"}}, ["body", "fulfilment", "kind"]),
    ("POST", "/checkouts", {"fulfilment": {"kind": "delivery", "address": {"city": 1}}},
     ["body", "fulfilment", "address", "city"]),
    ("POST", "/checkouts", {"fulfilment": {"kind": "delivery", "address": {"city": "\u0000"}}},
     ["body", "fulfilment", "address", "city"]),
    ("POST", "/checkouts", {"price_receipt": {"id": 1}}, ["body", "price_receipt", "signature"]),
    ("PUT", "/products/TEE", {"name": "\u0000"}, ["body", "name"]),
    ("PUT", "/products/TEE", {"prices": [{"amount": 1, "currency": "XXX"}]}, ["body", "prices", 0, "currency"]),
    ("PUT", "/products/TEE", {"attributes": {"a": "\u0000"}}, ["body", "attributes", "a"]),
    ("PUT", "/products/TEE", {"attributes": {"\u0000": "a"}}, ["body", "attributes", "\u0000"]),
    ("PUT", "/products/TEE", {"attributes": {"a": {"b": 1}}}, ["body", "attributes", "a"]),
    ("POST", "/products/batch", {"products": [{"sku": "A", "name": "\u0000"}]}, ["body", "products", 0, "name"]),
    ("POST", "/stock/movements", {"kind": "fly"}, ["body"]),
    ("POST", "/stock/movements", {}, ["body"]),
    ("POST", "/stock/movements", {"kind": "receipt", "quantity": 0}, ["body", "quantity"]),
    ("POST", "/stock/movements", {"kind": "receipt", "receipt": 1}, ["body", "receipt"]),
    ("POST", "/stock/movements", {"kind": "receipt", "receipt": {"sku": 1}, "sku": 2}, ["body", "sku"]),
    ("POST", "/stock/movements", {"kind": "receipt", "reference": "\u0000"}, ["body", "reference"]),
    ("POST", "/profiles", {"given_name": "\u0000"}, ["body", "given_name"]),
    ("POST", "/profiles", {"identities": [{"kind": "fly"}]}, ["body", "identities", 0, "kind"]),
    ("POST", "/profiles", {"identities": {}}, ["body", "identities"]),
    ("PUT", "/me", {"preferences": {"a": []}}, ["body", "preferences", "a"]),
    ("PUT", "/locations/x", {"name": "\u0000"}, ["body", "name"]),
    ("PUT", "/locations/x", {"opening_hours": {"weekly": {"mon": [["09:00"]]}}}, ["body", "opening_hours"]),
    ("POST", "/orders/x/payments", {"amount": {"amount": "1"}}, ["body", "amount", "amount"]),
    ("POST", "/orders/x/payments", {"amount": {"amount": 1, "currency": 2}}, ["body", "amount", "currency"]),
    ("POST", "/payments/x/captures", {"amount": 1}, ["body", "amount"]),
    ("POST", "/payments/x/refunds", {"reason": "\u0000"}, ["body", "reason"]),
    ("POST", "/baskets/0190a1b2-0000-7000-8000-0000000000ff/operations", {"device_id": "d", "operations": [{"op": 1}]},
     ["body", "operations", 0, "op"]),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "where"), WRONG)
def test_places_name_members_of_the_contract_only(
    shop: World, method: str, path: str, body: Any, where: list[Any]
) -> None:
    found = places(call(shop, method, path, json=body))
    assert any(place[: len(where)] == where for place in found), found
    for place in found:
        here: Any = body
        for depth, step in enumerate(place[1:], 1):
            assert "[" not in str(step), found
            if (isinstance(here, dict) and step in here) or (isinstance(here, list) and isinstance(step, int)):
                here = here[step]
            else:
                assert depth == len(place) - 1, (place, "only what is missing may be named and not be there")


# ------------------------------------------------------------------------------------------------------------- keys

STRANGE_KEYS = ["z-\u00e9", "z-\u00e8", "\u00e9", "\U0001f9fa", "a b", "a\tb", "\u00a0", "x" * 256, "", "z-\udce9"]


@pytest.mark.parametrize("key", STRANGE_KEYS)
def test_a_key_that_is_not_visible_ascii_is_400(shop: World, key: str) -> None:
    movement = {"location_id": "nl-warehouse", "sku": "TEE", "kind": "receipt", "quantity": 1, "reference": "r"}
    answer = call(shop, "POST", "/stock/movements", json=movement, key=key)
    assert (answer.status, slug(answer)) == (400, "idempotency-key-invalid"), answer


def test_two_keys_are_none(shop: World) -> None:
    movement = {"location_id": "nl-warehouse", "sku": "TEE", "kind": "receipt", "quantity": 1, "reference": "r"}
    answer = call(shop, "POST", "/stock/movements", json=movement, key="one", headers={"idempotency-key": "two"})
    assert (answer.status, slug(answer)) == (400, "idempotency-key-invalid"), answer


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_headers_that_are_not_ascii_break_nothing(shop: World, method: str, path: str) -> None:
    for name in (
        "X-Correlation-Id",
        "Accept",
        "Accept-Language",
        "Cookie",
        "User-Agent",
        "Stripe-Signature",
        "X-Caf\u00e9",
    ):
        for value in ("\u00e9", "\U0001f9fa", "\u0000", "\udce9"):
            answer = call(shop, method, filled(path), json=declared_body(method, path), headers={name: value})
            assert answer.status < 500, (name, value, answer)
    answer = shop.call(method, filled(path), "\u00e9", json=declared_body(method, path))
    assert answer.status < 500


# ---------------------------------------------------------------------------------------------------- who may keep it


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nothing_personal_and_no_refusal_may_be_kept(shop: World, method: str, path: str) -> None:
    good = call(shop, method, filled(path), json=declared_body(method, path))
    refused = call(shop, method, filled(path) + "?nobody=1")
    for answer in (good, refused, shop.call(method, filled(path))):
        kept = answer.headers["cache-control"]
        if (method, path) in PUBLIC and method == "GET" and answer.status == 200:
            assert kept.startswith("public, max-age="), answer
        else:
            assert kept == "no-store", answer


def test_a_token_may_not_be_kept_and_public_reads_have_an_age(shop: World) -> None:
    made = shop.call("POST", "/baskets", json={"channel": "web"})
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    ages = {"/products": 60, "/products/TEE": 60, "/stock/TEE": 5, "/stock?sku=TEE": 5, "/locations": 60,
            "/locations/nl-warehouse": 60, "/openapi.json": 300, "/docs": 300}  # fmt: skip
    for path, age in ages.items():
        answer = shop.call("GET", path)
        assert (answer.status, answer.headers["cache-control"]) == (200, f"public, max-age={age}"), path
    read = {path.split("?")[0] for path in ages}
    assert {path for method, path in PUBLIC if method == "GET"} == {
        "/products", "/products/{sku}", "/stock", "/stock/{sku}", "/locations", "/locations/{location_id}",
        "/openapi.json", "/docs",
    }, "a new public read needs an age, and a line here"  # fmt: skip
    assert len(read) == len(ages)
