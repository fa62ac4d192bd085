"""A basket whose id a client made: its maker gets it again, and its token; whoever merely knows the id gets nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.till import Till
from tests.journey.test_basket import Guest, add, claim, lines, ordered, problem, products, stored
from tests.journey.test_basket_till import Counter, offline
from tests.world.providers import SECRETS
from tests.world.world import Response, World

MINE = "01931f5e-7c00-7abc-8def-0123456789ab"
DAY = 24 * 3600


@pytest.fixture
def shop(world: World) -> World:
    products(world, TEE=1995, MUG=1250)
    world.call("PUT", "/locations/ams", world.token("staff"), json={"name": "Amsterdam", "kind": "store"})
    return world


def make(world: World, key: str | None = "random-key", **body: Any) -> Response:
    return world.call("POST", "/baskets", json={"channel": "till"} | body, key=key)


def test_the_same_id_and_key_are_the_same_basket_and_token(shop: World) -> None:
    first = make(shop, basket_id=MINE)
    assert (first.status, first.json["basket"]["basket_id"]) == (201, MINE)
    assert "idempotent-replayed" not in first.headers
    add(shop, MINE, first.json["token"], "TEE", 2, "k")
    shop.clock.tick(5 * DAY)
    again = make(shop, basket_id=MINE)
    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json["token"] == first.json["token"]
    assert lines(again.json["basket"]) == {"TEE": 2}
    assert len([item for item in shop.items("BasketTable") if item["pk"].startswith("B#")]) == 1


def test_the_id_alone_opens_nothing(shop: World) -> None:
    make(shop, basket_id=MINE)
    before = stored(shop, MINE)
    for key in ("another", "random-key2"):
        refused = make(shop, key, basket_id=MINE)
        assert problem(refused) == (409, "basket-exists")
        assert set(refused.json) <= {"type", "title", "status", "detail", "instance"}
    assert problem(make(shop, None, basket_id=MINE)) == (400, "idempotency-key-missing")
    assert stored(shop, MINE) == before


@pytest.mark.parametrize("what", ["a guest's", "a merged one", "an ordered one", "a customer's"])
def test_whatever_exists_is_not_made_again(shop: World, what: str) -> None:
    if what == "a customer's":
        customer = shop.token("customer")
        mine = shop.call("GET", "/me/basket", customer).json["basket_id"]
        add(shop, mine, customer, "TEE", 1, "k")
        refused = make(shop, basket_id=mine)
        assert refused.status in (409, 422)
        assert "token" not in refused.json
        return
    guest = Guest(shop)
    guest.add("TEE")
    if what == "a merged one":
        claim(shop, guest, shop.token("customer"))
    if what == "an ordered one":
        ordered(shop, guest.id)
    refused = make(shop, basket_id=guest.id)
    assert problem(refused) == (409, "basket-exists")
    assert set(refused.json) <= {"type", "title", "status", "detail", "instance"}


def test_the_maker_of_a_merged_basket_sees_what_its_token_sees(shop: World) -> None:
    made = make(shop, basket_id=MINE).json
    add(shop, MINE, made["token"], "TEE", 1, "k")
    customer = shop.token("customer")
    mine = shop.call("GET", "/me/basket", customer).json["basket_id"]
    add(shop, mine, customer, "MUG", 1, "secret")
    body = {"basket_token": made["token"]}
    assert shop.call("POST", "/me/basket/claims", customer, json=body, key="claim").status == 200
    again = make(shop, basket_id=MINE)
    assert (again.status, again.json["token"], lines(again.json["basket"])) == (201, made["token"], {"TEE": 1})
    assert problem(make(shop, "another", basket_id=MINE)) == (409, "basket-exists")


@pytest.mark.parametrize("basket_id", [None, MINE])
def test_the_same_key_with_another_body_is_refused(shop: World, basket_id: str | None) -> None:
    first = make(shop, **({"basket_id": basket_id} if basket_id else {}))
    for other in ({"channel": "web"}, {"market": "uk"}, {"location_id": "ams"}):
        body = ({"basket_id": basket_id} if basket_id else {}) | other
        assert problem(make(shop, **body)) == (422, "idempotency-key-reused")
    other_id = MINE[:-1] + "c"
    assert problem(make(shop, basket_id=other_id)) == (422, "idempotency-key-reused")
    assert first.status == 201
    assert len([item for item in shop.items("BasketTable") if item["pk"].startswith("B#")]) == 1


def test_a_key_alone_is_the_same_basket_for_a_day(shop: World) -> None:
    first, again = make(shop), make(shop)
    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json["token"] == first.json["token"]
    assert again.json["basket"]["basket_id"] == first.json["basket"]["basket_id"]
    assert make(shop, "another").json["basket"]["basket_id"] != first.json["basket"]["basket_id"]
    (marker,) = [
        item
        for item in shop.items("BasketTable")
        if item["pk"].startswith("REQ#") and item["basket_id"] == first.json["basket"]["basket_id"]
    ]
    assert marker["ttl"] - shop.clock.time() == pytest.approx(DAY, abs=60)
    # AND without one each is a new one
    assert make(shop, None).json["basket"]["basket_id"] != make(shop, None).json["basket"]["basket_id"]


@pytest.mark.parametrize("key", ["", "with space", "x" * 256])
def test_a_key_that_is_sent_is_a_usable_one(shop: World, key: str) -> None:
    answer = shop.call("POST", "/baskets", json={"channel": "web"}, headers={"Idempotency-Key": key})
    assert problem(answer) == (400, "idempotency-key-invalid")


@pytest.mark.parametrize(
    "basket_id",
    ["", "x", "01931f5e-7c00-4abc-8def-0123456789ab", "01931f5e-7c00-7abc-cdef-0123456789ab", MINE.replace("-", ""),
     "00000000-0000-0000-0000-000000000000", "01931f5e-7c00-8abc-8def-0123456789ab", MINE + "\n", 7],
)  # fmt: skip
def test_only_a_uuid_of_version_seven_is_an_id(shop: World, basket_id: Any) -> None:
    assert problem(make(shop, basket_id=basket_id)) == (422, "validation")


def test_the_key_is_nowhere_kept_and_the_mark_survives_a_rotation(shop: World) -> None:
    first = make(shop, "a-very-secret-key", basket_id=MINE)
    make(shop, "another-secret-key")
    everything = json.dumps([[item["pk"], item.get("maker")] for item in shop.items("BasketTable")])
    assert "secret-key" not in everything
    # WHEN the token keys are rotated: the old one is kept, a new one signs
    keys = SECRETS["tokens"]["keys"] | {"k99": "ab" * 32}
    shop.aws.secret("/mandje/tokens", {"current": "k99", "keys": keys})
    shop.clock.tick(2 * DAY)
    # THEN the maker is still known, and nobody else
    assert make(shop, "a-very-secret-key", basket_id=MINE).json["basket"] | {"price_receipt": 0} == (
        first.json["basket"] | {"price_receipt": 0}
    )
    assert problem(make(shop, "another-secret-key", basket_id=MINE)) == (409, "basket-exists")


def test_two_requests_at_once_make_one_basket(shop: World) -> None:
    state, found = {"armed": True}, []

    def meanwhile(call: Any, perform: Any) -> Any:
        if call.operation == "TransactWriteItems" and state["armed"]:
            state["armed"] = False
            found.append(make(shop).json["token"])
        return perform()

    shop.outside.director = meanwhile
    found.append(make(shop).json["token"])
    assert found[0] == found[1]


@pytest.mark.parametrize("body", [{"location_id": "nowhere"}, {"market": "xx"}])
def test_an_unknown_place_or_market_is_refused_and_named(shop: World, body: dict[str, str]) -> None:
    refused = make(shop, **body)
    assert problem(refused) == (422, "validation")
    assert refused.json["errors"][0]["loc"] == ["body", *body]
    assert not [item for item in shop.items("BasketTable") if item["pk"].startswith("B#")]
    assert make(shop, "k2", location_id="ams").json["basket"]["location_id"] == "ams"


# ------------------------------------------------------------------------------------------------------- at the till


def test_a_till_begins_a_basket_without_a_connection(world: World, tmp_path: Path) -> None:
    # GIVEN a till that is offline, begins two baskets, fills them, and restarts
    counter = Counter(world)
    till = Till(tmp_path / "log", "till-ams-1")
    first, second = till.open(), till.open("kiosk")
    till.add(first, "TEE", 2)
    till.add(second, "MUG", 1)
    assert till.sync(offline).left == 2
    till.close()
    till = Till(tmp_path / "log", "till-ams-1")
    # WHEN the line comes back, and loses each answer once
    lost: set[tuple[str, str]] = set()

    def shaky(path: str, body: dict[str, Any], key: str | None = None) -> tuple[int, dict[str, Any]]:
        answer = counter.send(path, body, key)
        if (path, str(body)) not in lost:
            lost.add((path, str(body)))
            return offline(path, body)
        return answer

    for _ in range(5):
        till.sync(shaky)
    till.compact()
    assert till.sync(shaky).left == 0
    # THEN there are two baskets, with what was put in
    kept = {item["basket_id"]: item for item in world.items("BasketTable") if "dots" in item}
    assert {first, second, counter.basket} == set(kept)
    counter.basket = first
    assert counter.lines() == {"TEE": 2}
    assert kept[second]["channel"] == "kiosk"


def test_a_basket_that_cannot_be_begun_does_not_hold_up_the_others(world: World, tmp_path: Path) -> None:
    counter = Counter(world)
    till = Till(tmp_path / "log", "till-ams-1")
    lost = till.open(location_id="nowhere")
    till.add(lost, "TEE", 2)
    till.add(counter.basket, "TEE", 1)
    report = till.sync(counter.send)
    assert (report.stuck[lost]["status"], report.applied, report.left) == (422, 1, 1)
