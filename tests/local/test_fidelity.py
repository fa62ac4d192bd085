"""The same requests through the in-process gateway and through the local cloud: the same answers."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import urllib3

from infra.invoke import seeded_world
from tests.world import World

NOBODY = "0190a1b2-0000-7000-8000-0000000000ff"
JSON = {"Content-Type": "application/json"}

# (method, path, who, headers, body)
REQUESTS: list[tuple[str, str, str | None, dict[str, str], bytes | None]] = [
    ("GET", "/products/TEE-NAVY-M", None, {}, None),
    ("GET", "/products/NOPE", None, {}, None),
    ("GET", "/products/a%20b", None, {}, None),
    ("GET", "/stock/MUG-MANDJE?near=52.37,4.90&location=ams-kalverstraat", None, {}, None),
    ("GET", "/stock?sku=TEE-NAVY-M&sku=MUG-MANDJE&location=nl-warehouse", None, {}, None),
    ("GET", "/stock?sku=", None, {}, None),
    ("GET", "/nowhere", None, {}, None),
    ("GET", "/nowhere", "staff", {}, None),
    ("PATCH", "/products/TEE-NAVY-M", "staff", {}, None),
    ("GET", "/me", None, {}, None),
    ("GET", "/me", "garbage", {}, None),
    ("GET", "/orders/7K2M-9QXD-4TZ0", "staff", {}, None),
    ("GET", f"/baskets/{NOBODY}", "staff", {}, None),
    ("POST", "/baskets", None, {"Content-Type": "multipart/form-data"}, b"x"),
    ("POST", "/baskets", None, {"Content-Type": ""}, b'{"channel": "web"}'),
    ("POST", "/baskets", None, {"Content-Type": "Application/JSON; charset=utf-8"}, b'{"channel": "web"}'),
    ("POST", "/baskets", None, JSON, b'[{"channel": "web"}]'),
    ("POST", "/baskets", None, JSON, b'{"channel": "web", "nobody": 1}'),
    ("POST", f"/orders/{NOBODY}/cancel", "staff", JSON | {"Idempotency-Key": "part"}, b'{"lines": []}'),
    ("POST", f"/orders/{NOBODY}/cancel", "staff", {"Idempotency-Key": "all"}, None),
    ("GET", "/me/orders?cursr=x", "customer", {}, None),
    ("GET", "/products?limit=1&limit=2", None, {}, None),
    ("GET", "/products?q=%C3%A9", None, {}, None),
    ("GET", "/openapi.json?v=1", None, {}, None),
    ("POST", "/baskets", None, JSON, b'{"channel": "web"}'),
    ("POST", "/baskets", None, JSON, b'{"channel": "telepathy"}'),
    ("POST", "/baskets", None, JSON, b"{"),
    ("POST", "/baskets", None, JSON, b'{"channel": "web", "market": "mars"}'),
    ("POST", "/baskets", None, {"Content-Type": "text/plain"}, b"channel=web"),
    ("POST", "/baskets", None, JSON, b'{"channel": "' + b"x" * 70_000 + b'"}'),
    ("POST", "/stock/movements", "staff", JSON, b"{}"),
    ("POST", "/checkouts", "staff", JSON, b"{}"),
    ("POST", "/webhooks/stripe/default", None, {"Stripe-Signature": "t=1,v1=00"}, b"{}"),
    ("POST", "/webhooks/stripe/nobody", None, {}, b"{}"),
    ("POST", "/webhooks/mollie/default", None, {"X-Mollie-Signature": "sha256=00"}, b"id=tr_1"),
    ("DELETE", f"/profiles/merges/{NOBODY}", "staff", {}, None),
]


@pytest.fixture(scope="module")
def inside() -> World:
    """The same shop, in this process."""
    world: World = seeded_world()
    return world


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: f"{r[0]} {r[1][:40]} {r[2] or 'anybody'}")
def test_both_answer_alike(platform: dict[str, Any], inside: World, request_: Any) -> None:
    method, path, who, headers, body = request_
    # WHEN the same request goes both ways
    token = platform["tokens"].get(who, who)
    sent = headers | ({"Authorization": f"Bearer {token}"} if token else {})
    outside = urllib3.request(method, platform["api_url"] + path, headers=sent, body=body, timeout=30)
    here_token = inside.token(who) if who in ("staff", "customer", "device") else who
    here = inside.call(method, path, here_token, body=body, headers=headers)
    # THEN status, kind of content and shape are the same
    assert outside.status == here.status, (outside.data[:300], here)
    kind = outside.headers.get("Content-Type", "").split(";")[0]
    assert kind == here.headers.get("content-type", "").split(";")[0]
    origin = here.headers.get("access-control-allow-origin")  # webhooks are no browser's business
    assert origin is None or outside.headers["Access-Control-Allow-Origin"] == origin
    assert outside.headers["Cache-Control"] == here.headers["cache-control"]
    assert _shape(json.loads(outside.data)) == _shape(here.json)


def test_keys_that_are_not_ascii_are_refused_and_never_one(platform: dict[str, Any]) -> None:
    # GIVEN keys as bytes, which no HTTP library sends by itself
    address = urllib3.util.parse_url(platform["api_url"])
    body = b'{"location_id":"nl-warehouse","sku":"TEE-NAVY-M","kind":"receipt","quantity":1,"reference":"r"}'
    for key in (b"z-\xe9", b"z-\xe8", b"z-\xc3\xa9", b"z-\xf0\x9f\xa7\xba"):
        with socket.create_connection((address.host, address.port), timeout=30) as line:
            head = (
                b"POST %s/stock/movements HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" % (address.path or "").encode()
            )
            head += b"Authorization: Bearer %s\r\n" % platform["tokens"]["staff"].encode()
            head += b"Content-Type: application/json\r\nContent-Length: %d\r\nIdempotency-Key: %s\r\n" % (
                len(body),
                key,
            )
            line.sendall(head + b"\r\n" + body)
            answer = b"".join(iter(lambda line=line: line.recv(65536), b""))
        # THEN each is refused for what it is; a byte that was lost on the way would make it a good key
        assert answer.startswith(b"HTTP/1.1 400"), (key, answer)
        assert b"/problems/idempotency-key-invalid" in answer, (key, answer)


def _shape(value: Any) -> Any:
    """What does not depend on ids, times and stock: members and kinds; problems and validation errors in full."""
    if isinstance(value, dict):
        told = {"type", "title", "status", "loc", "sku", "name", "currency"}
        return {
            key: member if key in told and not isinstance(member, dict) else _shape(member)
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [_shape(member) for member in value][:1]
    return type(value).__name__
