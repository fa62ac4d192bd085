"""The catalog over HTTPS: the PIM writes, shoppers read."""

from typing import Any

import pytest

from commerce.principal import Principal
from tests.world.world import Response, World

TEE = {"name": "T-shirt navy, M", "prices": [{"amount": 1995, "currency": "EUR"}], "attributes": {"size": "M"}}


def put(world: World, sku: str, **changes: Any) -> Response:
    return world.call("PUT", f"/products/{sku}", world.token("staff"), json=TEE | changes)


def batch(world: World, *products: dict[str, Any]) -> Response:
    return world.call("POST", "/products/batch", world.token("staff"), json={"products": list(products)})


def test_a_product_is_added_and_read(world: World) -> None:
    answer = put(world, "TEE-NAVY-M", image="https://img.example/tee.jpg")
    assert answer.status == 200
    shown = world.call("GET", "/products/TEE-NAVY-M")
    assert (
        shown.json
        == answer.json
        == {
            "sku": "TEE-NAVY-M",
            "name": "T-shirt navy, M",
            "prices": [{"amount": 1995, "currency": "EUR"}],
            "price": {"amount": 1995, "currency": "EUR"},
            "tax_class": "standard",
            "attributes": {"size": "M"},
            "image": "https://img.example/tee.jpg",
        }
    )


def test_a_product_not_sold_in_a_market_has_no_price_there(world: World) -> None:
    put(world, "TEE-NAVY-M")
    assert world.call("GET", "/products/TEE-NAVY-M?market=uk").json["price"] is None
    assert world.call("GET", "/products/TEE-NAVY-M?market=atlantis").status == 422


def test_every_change_is_one_version_and_one_event(world: World) -> None:
    # GIVEN a product whose name, then price, then nothing changes
    put(world, "TEE-NAVY-M")
    put(world, "TEE-NAVY-M", name="Tee")
    put(world, "TEE-NAVY-M", name="Tee", prices=[{"amount": 1495, "currency": "EUR"}])
    put(world, "TEE-NAVY-M", name="Tee", prices=[{"amount": 1495, "currency": "EUR"}])
    # WHEN
    world.settle()
    # THEN
    events = [event for event in world.events() if event["source"] == "mandje.catalog"]
    assert [(event["type"], event["id"]) for event in events] == [
        ("product.changed", "product/TEE-NAVY-M@1"),
        ("product.changed", "product/TEE-NAVY-M@2"),
        ("price.changed", "product/TEE-NAVY-M@3"),
    ]
    assert events[-1]["data"] == {"sku": "TEE-NAVY-M", "prices": {"EUR": 1495}}


def test_a_batch_says_what_became_of_each_and_may_be_repeated(world: World) -> None:
    put(world, "A")
    wanted = [TEE | {"sku": "A"}, TEE | {"sku": "B"}]
    assert batch(world, *wanted).json == {
        "items": [{"sku": "A", "changed": False, "version": 1}, {"sku": "B", "changed": True, "version": 1}]
    }
    assert [item["changed"] for item in batch(world, *wanted).json["items"]] == [False, False]


@pytest.mark.parametrize(
    ("second", "where"),
    [
        (TEE | {"sku": "B", "prices": []}, ["body", "products", 1, "prices"]),
        (TEE | {"sku": "no good"}, ["body", "products", 1, "sku"]),
        (TEE | {"sku": "A"}, ["body", "products", 1, "sku"]),
    ],
)
def test_one_bad_product_refuses_the_batch_and_says_which(
    world: World, second: dict[str, Any], where: list[Any]
) -> None:
    answer = batch(world, TEE | {"sku": "A"}, second)
    assert answer.status == 422
    assert answer.json["errors"][0]["loc"] == where
    assert world.items("CatalogTable") == []


def test_a_batch_has_at_most_a_hundred_products_and_may_be_an_import(world: World) -> None:
    long = {str(place): "x" * 900 for place in range(2)}
    products = [TEE | {"sku": f"SKU-{place}", "attributes": long} for place in range(101)]
    assert batch(world, *products).status == 422
    assert batch(world, *products[:100]).status == 200  # 190 KB: other bodies end at 64
    big = {str(place): ["y" * 200] * 20 for place in range(20)}
    assert put(world, "BIG", attributes=big).status == 413


def test_products_are_listed_page_by_page_in_order_of_their_skus(world: World) -> None:
    # GIVEN 7 products
    batch(world, *[TEE | {"sku": f"P{place}"} for place in (3, 1, 2, 7, 5, 6, 4)])
    # WHEN they are read three at a time
    pages, cursor = [], ""
    while True:
        page = world.call("GET", f"/products?limit=3{cursor}").json
        pages.append([item["sku"] for item in page["items"]])
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    # THEN
    assert [page for page in pages if page] == [["P1", "P2", "P3"], ["P4", "P5", "P6"], ["P7"]]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=forged", "cursor=a.b.c", "market=NL!"])
def test_a_list_refuses_what_makes_no_sense(world: World, query: str) -> None:
    answer = world.call("GET", f"/products?{query}")
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_is_not_there_or_cannot_be(world: World) -> None:
    assert world.call("GET", "/products/NOPE").status == 404
    assert world.call("GET", "/products/-bad").status in (404, 422)
    assert world.call("PUT", "/products/-bad", world.token("staff"), json=TEE).status in (404, 422)


def test_only_the_pim_writes(world: World) -> None:
    assert world.call("PUT", "/products/A", json=TEE).status == 401
    assert world.call("PUT", "/products/A", world.token("customer"), json=TEE).status == 403
    assert world.call("PUT", "/products/A", world.token("staff", scopes="stock:write"), json=TEE).status == 403
    refused = world.call("POST", "/products/batch", world.token("customer"), json={"products": [TEE | {"sku": "A"}]})
    assert refused.status == 403
    assert world.items("CatalogTable") == []


def test_two_pims_at_once_lose_no_price_from_the_history(world: World) -> None:
    # GIVEN one PIM has read the product, then the other writes it
    from catalog import table

    put(world, "A")
    said = {"sku": "A", "name": "A", "prices": {"EUR": 1000}, "tax_class": "standard", "attributes": {}, "image": None}
    with world.runtime.function_environment(world.template.functions["CatalogApi"]):
        old = table.read_many(["A"])["A"]
        put(world, "A", prices=[{"amount": 1500, "currency": "EUR"}])
        # WHEN the first one writes
        written, _ = table.upsert(said, old, Principal("staff", "pim"))
    # THEN
    assert [was["amount"] for was in written["was"]] == [1995, 1500]
    assert written["version"] == 3
