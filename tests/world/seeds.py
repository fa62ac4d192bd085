"""A small shop to start a journey from, made through the API as the PIM and the warehouse would."""

from __future__ import annotations

from collections.abc import Mapping

from .world import Response, World

WAREHOUSE = "nl-warehouse"
STORE = "ams-kalverstraat"
PRODUCTS = {"TEE": 1995, "MUG": 1250, "SOCKS": 895}
"""SKU to price in euro cents, tax included."""

LOCATIONS = {
    WAREHOUSE: {"name": "Warehouse Tilburg", "kind": "warehouse", "latitude": 51.5606, "longitude": 5.0919},
    STORE: {"name": "Amsterdam Kalverstraat", "kind": "store", "latitude": 52.3702, "longitude": 4.8924},
}


def shop(
    world: World, products: Mapping[str, int] | None = None, stock: Mapping[str, int] | int = 10, safety: int = 0
) -> None:
    """Two locations, the products, and `stock` units of each at the warehouse (a number, or units by SKU)."""
    prices = PRODUCTS if products is None else products
    staff = world.token("staff")
    for location, place in LOCATIONS.items():
        body = place | {"safety_stock": safety, "markets": ["nl"]}
        _done(world.call("PUT", f"/locations/{location}", staff, json=body))
    batch = [
        {"sku": sku, "name": sku.title(), "prices": [{"amount": amount, "currency": "EUR"}]}
        for sku, amount in prices.items()
    ]
    _done(world.call("POST", "/products/batch", staff, json={"products": batch}, key="seed-products"))
    for sku in prices:
        receive(world, sku, stock if isinstance(stock, int) else stock.get(sku, 0))
    world.settle()


def receive(world: World, sku: str, quantity: int, location: str = WAREHOUSE) -> None:
    """Goods arrive: a receipt of `quantity` units (none if 0)."""
    if quantity:
        movement = {"location_id": location, "sku": sku, "kind": "receipt", "quantity": quantity, "reference": "seed"}
        key = f"seed-{location}-{sku}-{len(world.calls)}"
        _done(world.call("POST", "/stock/movements", world.token("staff"), json=movement, key=key))


def _done(response: Response) -> None:
    assert response.status < 300, f"seeding failed: {response!r}"
