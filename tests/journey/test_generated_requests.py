"""Whatever somebody sends to any route: an answer of the contract, never a failure of ours."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.journey.every_route import ROUTES, declared_body, declared_query, filled
from tests.world import World

TEXT = st.text(max_size=12)
KNOWN = st.sampled_from(
    ["TEE", "nl-warehouse", "default", "0190a1b2-0000-7000-8000-0000000000ff", "EUR", "web", "..", "%"]
)
RAW = st.binary(max_size=12).map(lambda raw: "".join(f"%{byte:02X}" for byte in raw))
PART = st.one_of(KNOWN, TEXT.map(lambda text: quote(text, safe="")), RAW, TEXT)
SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    TEXT,
    KNOWN,
    st.sampled_from([10**30, -1, 0, "\u0000", "\u202e", "2026-02-30T25:00:00Z", "9" * 400]),
)
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | KNOWN, inner, max_size=3)
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Content-Type", "content-type", "Accept", "Cookie", "Idempotency-Key", "X-Correlation-Id",
                         "Stripe-Signature", "X-Mollie-Signature", "Content-Encoding", "Transfer-Encoding"]),
        st.sampled_from(["application/json", "multipart/form-data", "multipart/form-data; boundary=a", "text/plain",
                         "application/x-www-form-urlencoded", "gzip", "chunked", "*/*", "t=1,v1=00"]) | TEXT,
    ),
    max_size=3,
)  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn, method: str, path: str) -> bytes:
    """Nothing, noise, or a body the contract allows with one or two members made strange."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return b""
    if kind == 1:
        return draw(st.binary(max_size=30))
    body = json.loads(json.dumps(declared_body(method, path) or {}))
    for _ in range(draw(st.integers(0, 2))):
        here = body
        while True:
            name = draw(st.sampled_from(sorted(here)) | TEXT) if here else draw(TEXT)
            if isinstance(here.get(name), dict) and draw(st.booleans()):
                here = here[name]
                continue
            here[name] = draw(JSON)
            break
    return json.dumps(body).encode()


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, list[tuple[str, str]], bytes]:
    """A request to some route of the template, more or less right."""
    method, path = draw(st.sampled_from(ROUTES))
    address = (
        filled(path)
        if draw(st.booleans())
        else "/".join(draw(PART) if part.startswith("{") else part for part in path.split("/"))
    )
    names = [each["name"] for each in declared_query(method, path)]
    query = draw(st.lists(st.tuples(st.sampled_from(names) | PART if names else PART, PART), max_size=3))
    address += "?" + "&".join(f"{name}={value}" for name, value in query) if query else ""
    headers = draw(HEADERS)
    body = draw(bodies(method, path))
    if body and draw(st.integers(0, 3)):
        headers = [("Content-Type", "application/json"), *headers]
    return method, address, headers, body


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(request=requests(), who=st.sampled_from(["staff", "customer", "device", "nobody", "garbage"]))
@example(request=("POST", "/baskets", [("Content-Type", "multipart/form-data")], b"x"), who="nobody")
@example(request=("POST", "/baskets", [("Content-Type", "multipart/form-data")], b""), who="nobody")
def test_no_request_breaks_a_route(shop: World, request: Any, who: str) -> None:
    method, path, headers, body = request
    # WHEN somebody sends it (that the answer is in the contract is seen to by the witness of all tests)
    token = "\u00e9x" if who == "garbage" else shop.token(who) if who != "nobody" else None
    before = len(shop.failures)
    sent = [*headers, *([("Authorization", f"Bearer {token}")] if token else [])]
    answer = shop.gateway.request(method, path, sent, body)
    # THEN nothing fails but the authorizer's no
    assert [each for each in shop.failures[before:] if "AuthorizerOnRequest" not in str(each)] == [], request
    assert answer.status < 500, (request, answer)
    answer.body.decode()


EVENTS: list[dict[str, Any]] = [
    {"headers": None, "multiValueHeaders": None},
    {"queryStringParameters": None, "multiValueQueryStringParameters": None},
    {"queryStringParameters": {"limit": None}},
    {"queryStringParameters": {"limit": "1"}, "multiValueQueryStringParameters": None},
    {"queryStringParameters": {"": ""}},
    {"queryStringParameters": {"limit": "1,2"}},
    {"multiValueQueryStringParameters": {"limit": []}},
    {"multiValueQueryStringParameters": {"limit": None}},
    {"pathParameters": None},
    {"body": None, "isBase64Encoded": True},
    {"body": "", "isBase64Encoded": True},
    {"body": "%%%", "isBase64Encoded": True},
    {"body": "e30", "isBase64Encoded": True},
    {"body": "\u00e9", "isBase64Encoded": True},
    {"body": base64.b64encode(b"\xff").decode(), "isBase64Encoded": True},
    {"body": base64.b64encode(b"{}").decode(), "isBase64Encoded": True},
    {"body": '{"a":"\ud800"}'},
    {"body": '{"\\ud800":1}'},
    {"headers": {"content-type": None}, "body": "{}"},
    {"multiValueHeaders": {"Content-Type": None}, "body": "{}"},
    {"requestContext": {"requestId": "x"}},
]


@pytest.mark.parametrize("odd", EVENTS, ids=lambda odd: json.dumps(odd)[:60])
@pytest.mark.parametrize(("method", "path"), [("GET", "/products"), ("POST", "/baskets"), ("POST", "/products/batch")])
def test_no_event_of_the_gateway_breaks_a_door(shop: World, method: str, path: str, odd: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    event: dict[str, Any] = {
        "httpMethod": method, "resource": path, "path": path, "headers": headers, "body": None,
        "multiValueHeaders": {"Content-Type": ["application/json"]}, "isBase64Encoded": False,
        "requestContext": {"requestId": "x", "stage": "v1", "path": f"/v1{path}", "authorizer": {"kind": "staff",
                           "id": "staff-1", "scopes": "catalog:write"}},
    }  # fmt: skip
    function = "basket.api" if path == "/baskets" else "catalog.api"
    answer = shop.invoke(function, event | odd)
    assert answer["statusCode"] in (200, 201, 401, 415, 422), answer
    answer["body"].encode()
