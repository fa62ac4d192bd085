"""Races over real HTTP with real processes. `MANDJE_RACERS=1000` runs the whole; a run of the suite takes a slice."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.client import Answer, Api

RACERS = int(os.environ.get("MANDJE_RACERS", "40"))
DELIVERY = {"kind": "delivery", "address": {"line1": "Dam 1", "postal_code": "1012 JS", "city": "Amsterdam"}}


@pytest.fixture
def sku(staff: Api) -> str:
    """A product nobody else buys."""
    name = f"RACE-{uuid.uuid4().hex[:10]}"
    staff.put(f"/products/{name}", {"name": "Raced for", "prices": [{"amount": 1000, "currency": "EUR"}]})
    return name


def _stock(staff: Api, sku: str, units: int) -> None:
    body = {"location_id": "nl-warehouse", "sku": sku, "kind": "receipt", "quantity": units, "reference": "race"}
    staff.post("/stock/movements", body)


def _basket(anyone: Api, sku: str, quantity: int = 1) -> tuple[Api, str]:
    made = anyone.post("/baskets", {"channel": "web"})
    guest, basket = Api(anyone.url, made["token"]), made["basket"]["basket_id"]
    guest.post(f"/baskets/{basket}/lines", {"sku": sku, "quantity": quantity})
    return guest, basket


def _order(basket: str) -> dict[str, Any]:
    return {"basket_id": basket, "contact": {"name": "Racer"}, "fulfilment": DELIVERY}


def _at_once(calls: Sequence[Callable[[], Answer]], threads: int = 16) -> Counter[int]:
    with ThreadPoolExecutor(threads) as pool:
        return Counter(answer.status for answer in pool.map(lambda call: call(), calls))


def _left(staff: Api, sku: str) -> int:
    return int(staff.get(f"/stock/{sku}")["total"])


def test_one_unit_has_one_buyer(staff: Api, anyone: Api, sku: str) -> None:
    # GIVEN one unit and many full baskets
    _stock(staff, sku, 1)
    with ThreadPoolExecutor(8) as pool:
        baskets = list(pool.map(lambda _: _basket(anyone, sku), range(RACERS)))
    # WHEN all of them order at once
    ended = _at_once([partial(g.call, "POST", "/checkouts", _order(b), key=str(uuid.uuid4())) for g, b in baskets])
    # THEN exactly one has it, and everybody else hears that it is gone
    assert ended == {201: 1, 409: RACERS - 1}
    assert _left(staff, sku) == 0


def test_eight_buyers_of_three_units(staff: Api, anyone: Api, sku: str) -> None:
    _stock(staff, sku, 3)
    baskets = [_basket(anyone, sku) for _ in range(8)]
    ended = _at_once([partial(g.call, "POST", "/checkouts", _order(b), key=str(uuid.uuid4())) for g, b in baskets])
    assert ended == {201: 3, 409: 5}


def test_a_basket_is_ordered_once_from_two_tabs(staff: Api, anyone: Api, sku: str) -> None:
    _stock(staff, sku, 10)
    guest, basket = _basket(anyone, sku, 2)
    ended = _at_once([lambda: guest.call("POST", "/checkouts", _order(basket), key=str(uuid.uuid4()))] * 4)
    assert ended == {201: 1, 409: 3}
    assert _left(staff, sku) == 8


def test_a_double_click_is_one_order(staff: Api, anyone: Api, sku: str) -> None:
    _stock(staff, sku, 10)
    guest, basket = _basket(anyone, sku, 2)
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: guest.call("POST", "/checkouts", _order(basket), key=key), range(6)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["order_id"] for answer in answers}) == 1
    assert sum(answer.headers.get("idempotent-replayed") == "true" for answer in answers) == 5
    assert _left(staff, sku) == 8


def test_a_basket_changed_while_it_is_ordered_keeps_the_new_line(staff: Api, anyone: Api, sku: str) -> None:
    """ACIDRain's third attack: what is paid for is what was ordered, and the late line is still in the basket."""
    _stock(staff, sku, 50)
    for _ in range(3):
        guest, basket = _basket(anyone, sku, 1)
        with ThreadPoolExecutor(2) as pool:
            ordering = pool.submit(guest.call, "POST", "/checkouts", _order(basket), key=str(uuid.uuid4()))
            line = {"sku": sku, "quantity": 1}
            adding = pool.submit(guest.call, "POST", f"/baskets/{basket}/lines", line, key="late")
            order, added = ordering.result(), adding.result()
        assert (order.status, added.status // 100) == (201, 2)
        ordered = sum(line["quantity"] for line in order.body["lines"])
        left = sum(line["quantity"] for line in guest.get(f"/baskets/{basket}")["lines"])
        assert ordered + left == 2
        assert order.body["totals"]["total"]["amount"] == 1000 * ordered


def test_refunds_at_once_never_exceed_what_was_captured(staff: Api, anyone: Api, sku: str) -> None:
    """ACIDRain's second attack, on the limit this shop has: eight refunds of 5.00 on a payment of 12.00."""
    _stock(staff, sku, 10)
    staff.put(f"/products/{sku}", {"name": "Raced for", "prices": [{"amount": 1200, "currency": "EUR"}]})
    guest, basket = _basket(anyone, sku)
    order = guest.post("/checkouts", _order(basket))["order_id"]
    payment = staff.post(f"/orders/{order}/payments", {"provider": "cash", "method": "cash"})["payment_id"]
    body = {"amount": {"amount": 500, "currency": "EUR"}, "reason": "race"}
    path = f"/payments/{payment}/refunds"
    ended = _at_once([partial(staff.call, "POST", path, body, key=f"r{n}") for n in range(8)])
    assert ended[201] == 2
    assert sum(ended.values()) == 8
    assert set(ended) <= {201, 409, 422}
    # Owed until somebody says that the cash was handed over.
    owed = [each for each in staff.get(f"/payments/{payment}")["refunds"] if each["status"] == "owed"]
    assert sum(each["amount"]["amount"] for each in owed) == 1000


def test_a_client_that_vanishes_has_one_order(staff: Api, anyone: Api, sku: str) -> None:
    """The connection dies while the order is placed; the same request later tells what became of it."""
    _stock(staff, sku, 10)
    guest, basket = _basket(anyone, sku, 2)
    body, key = json.dumps(_order(basket)).encode(), str(uuid.uuid4())
    address = urlsplit(anyone.url)
    head = (
        f"POST /checkouts HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {guest.token}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    for pause in (0.0, 0.01, 0.05):
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(head.encode() + body)
            time.sleep(pause)
    orders = {guest.post("/checkouts", _order(basket), key=key)["order_id"] for _ in range(3)}
    assert len(orders) == 1
    assert _left(staff, sku) == 8


def test_no_parallel_add_is_lost(staff: Api, anyone: Api, sku: str) -> None:
    """Eight devices, 25 adds each, at once, on one basket: the sum is what was accepted."""
    made = anyone.post("/baskets", {"channel": "web"})
    guest, path = Api(anyone.url, made["token"]), f"/baskets/{made['basket']['basket_id']}/lines"
    adds = [partial(guest.call, "POST", path, {"sku": sku, "quantity": 1}, key=f"add-{n}") for n in range(200)]
    ended = _at_once(adds, threads=8)
    accepted = ended[200] + ended[201]
    assert accepted == 200
    (line,) = guest.get(f"/baskets/{made['basket']['basket_id']}")["lines"]
    assert line["quantity"] == accepted


def test_a_till_sale_is_a_fact_beside_a_web_order(staff: Api, platform: dict[str, Any], anyone: Api, sku: str) -> None:
    """Goods that left the store are gone, whatever was promised."""
    store = "ams-kalverstraat"
    body = {"location_id": store, "sku": sku, "kind": "receipt", "quantity": 2, "reference": "race"}
    staff.post("/stock/movements", body)
    till = Api(anyone.url, platform["tokens"]["device"])
    sale = body | {"kind": "sale", "quantity": 3, "reference": "receipt 17"}
    assert till.call("POST", "/stock/movements", sale, key=str(uuid.uuid4())).status == 201
    guest, basket = _basket(anyone, sku)
    pickup = _order(basket) | {"fulfilment": {"kind": "pickup", "location_id": store}}
    refused = guest.call("POST", "/checkouts", pickup, key=str(uuid.uuid4()))
    assert (refused.status, refused.body["type"]) == (409, "/problems/out-of-stock")
    assert refused.body["shortages"][0] == {"sku": sku, "location_id": store, "requested": 1, "available": 0}
