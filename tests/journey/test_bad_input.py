"""Bad input on every route: a problem document, nothing changed, nothing leaked, never a 5xx."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.template import load
from tests.journey.every_route import OURS, ROUTES, filled
from tests.world import World

READ = [route for route in ROUTES if "docs" not in route[1]]
WRITING = [route for route in OURS if route[0] in ("POST", "PUT")]

STRANGE = ["%00", "..%2F..%2Fetc", "a" * 300, "%F0%9F%A7%BA", "%27%20OR%201%3D1", "-", "%0d%0aX-Evil%3A%201"]
BODIES = [
    b"{", b"[]", b"null", b'"text"', b"1", b"{}", b"\xff\xfe", b"{\"a\":NaN}", b'{"quantity":1e999}',
    b'{"quantity":' + b"9" * 5000 + b"}", b"[" * 5000 + b"]" * 5000, b'{"a":' * 60 + b"1" + b"}" * 60,
    b'{"sku":"\\ud800","quantity":1}', b'{"sku":"A\\u0000B","quantity":1}', b'{"sku":"A","quantity":true}',
    b'{"sku":"A","quantity":"1"}', b'{"sku":"A","quantity":-1}', b'{"sku":"A","quantity":0}',
    b'{"sku":"A","quantity":100000000000000000000}', b'{"sku":"A","quantity":1.5}', b'{"price":1,"owner":"me"}',
    b'{"name":"' + b"x" * 70_000 + b'"}', b'{"contact":{"name":"\\u202e"},"basket_id":"b","fulfilment":{"kind":"fly"}}',
]  # fmt: skip


def _state(world: World) -> list[str]:
    return [str(sorted(map(str, world.items(name)))) for name in world.template.tables]


def _refused(world: World, answer: Any, what: Any) -> None:
    assert 400 <= answer.status < 500, (what, answer)
    assert answer.headers["content-type"].startswith("application/problem+json"), (what, answer)
    problem = answer.json
    assert problem["type"].startswith("/problems/"), (what, problem)
    assert problem["status"] == answer.status, (what, problem)
    said = answer.body.decode().lower()
    for leak in ("traceback", "botocore", "pydantic", ".py", "dynamodb", "x-evil"):
        assert leak not in said, (what, said)
    # The authorizer says no by raising; nothing else may fail.
    assert [failed for failed in world.failures if "AuthorizerOnRequest" not in str(failed)] == [], what


@pytest.mark.parametrize(("method", "path"), WRITING)
def test_no_body_breaks_a_route(shop: World, method: str, path: str) -> None:
    before, staff = _state(shop), shop.token("staff")
    for body in BODIES:
        if (path, body) == ("/profiles", b"{}"):
            continue  # somebody of whom nothing is known yet
        _refused(shop, shop.call(method, filled(path), staff, body=body, key="k"), body[:60])
    _refused(shop, shop.call(method, filled(path), staff, body=b"a=1", headers={"Content-Type": "text/csv"}), "csv")
    assert _state(shop) == before


@pytest.mark.parametrize(("method", "path"), [route for route in READ if "{" in route[1]])
def test_no_path_breaks_a_route(shop: World, method: str, path: str) -> None:
    before, staff = _state(shop), shop.token("staff")
    for strange in STRANGE:
        answer = shop.call(method, filled(path, strange), staff, json={}, key="k")
        _refused(shop, answer, strange)
        assert answer.status < 500, (strange, answer)
    assert _state(shop) == before


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=9999", "limit=x", "cursor=x", "cursor=a.b.c", "cursor="]
)
@pytest.mark.parametrize("path", ["/products", "/me/orders", "/stock/TEE/movements"])
def test_no_page_is_unbounded(shop: World, path: str, query: str) -> None:
    token = shop.token("customer" if "me" in path.split("/") else "staff")
    _refused(shop, shop.call("GET", f"{path}?{query}", token), query)


PRIVATE = [
    (route.method.upper(), route.path) for route in load().routes if route.authorizer is not None
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), sorted(PRIVATE))
def test_no_token_no_entry(shop: World, method: str, path: str) -> None:
    before = _state(shop)
    good = shop.token("staff")
    head, claims, signature = good.split(".")
    bad = {
        "none": None,
        "garbage": "garbage",
        "expired": shop.token("staff", lifetime_s=-60),
        "unsigned": f"{head}.{claims}.",
        "altered": f"{head}.{claims[:-4]}AAAA.{signature}",
        "another": f"{head}.{claims}.{signature[::-1]}",
        "very long": "x" * 9000,
    }
    for what, token in bad.items():
        answer = shop.call(method, filled(path), token, json={}, key="k")
        _refused(shop, answer, what)
        assert answer.status in (401, 403), (what, answer)
    assert _state(shop) == before


def test_a_token_of_another_issuer_is_no_token(shop: World) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = {"iss": "https://evil.example", "aud": "mandje", "sub": "x", "kind": "staff", "exp": 4102444800, "iat": 1}
    forged = jwt.encode(claims, key, algorithm="RS256", headers={"kid": "evil"})
    _refused(shop, shop.call("GET", "/me", forged), "another issuer")


KEYED = ["/baskets/{basket_id}/lines", "/checkouts", "/stock/movements", "/orders/{order_id}/cancel",
         "/orders/{order_id}/payments", "/payments/{payment_id}/captures", "/payments/{payment_id}/refunds",
         "/profiles/merges", "/me/basket/claims"]  # fmt: skip


@pytest.mark.parametrize("path", KEYED)
def test_acting_once_needs_a_key(shop: World, path: str) -> None:
    made = shop.call("POST", "/baskets", json={"channel": "web"}).json
    basket, guest = made["basket"]["basket_id"], made["token"]
    bodies: dict[str, tuple[str, Any]] = {
        "/baskets/{basket_id}/lines": (guest, {"sku": "TEE", "quantity": 1}),
        "/checkouts": (guest, {"basket_id": basket, "contact": {"name": "A"}, "fulfilment": {"kind": "delivery"}}),
        "/me/basket/claims": (shop.token("customer"), {"basket_token": guest}),
        "/profiles/merges": (shop.token("staff"), {"survivor_id": "a", "absorbed_id": "b", "reason": "r"}),
        "/stock/movements": (
            shop.token("staff"),
            {"location_id": "nl-warehouse", "sku": "TEE", "kind": "receipt", "quantity": 1, "reference": "r"},
        ),
    }
    token, body = bodies.get(path, (shop.token("staff"), _tender(path)))
    address = filled(path.replace("{basket_id}", basket))
    for key in (None, "", "x" * 256, "\u00e9"):
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = shop.call("POST", address, token, json=body, headers=headers)
        _refused(shop, answer, key)
        assert answer.status == 400, (key, answer)


def _tender(path: str) -> Any:
    if path.endswith("payments"):
        return {"provider": "cash", "method": "cash"}
    if path.endswith("refunds"):
        return {"amount": {"amount": 1, "currency": "EUR"}, "reason": "r"}
    return None


def test_the_problem_says_where_and_why_but_never_what(shop: World) -> None:
    secret = "4242424242424242"
    answer = shop.call("PUT", "/products/TEE", shop.token("staff"), json={"name": 5, "prices": secret, secret: 1})
    _refused(shop, answer, secret)
    assert answer.status == 422
    assert {tuple(error["loc"]) for error in answer.json["errors"]} >= {("body", "name"), ("body", "prices")}
    assert all({"loc", "msg", "type"} <= set(error) for error in answer.json["errors"])
    assert json.dumps(answer.json).count(secret) <= 1, "the unknown member's name is its place; values are not echoed"
