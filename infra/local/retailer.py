"""The demo retailer: Lente, a Dutch shop for clothes and home with a web shop, five stores and one warehouse."""

from __future__ import annotations

import random
from typing import Any

_WEEK = {
    "mon": [["11:00", "18:00"]], "tue": [["10:00", "18:00"]], "wed": [["10:00", "18:00"]],
    "thu": [["10:00", "21:00"]], "fri": [["10:00", "18:00"]], "sat": [["09:30", "18:00"]], "sun": [["12:00", "17:00"]],
}  # fmt: skip

WAREHOUSE = "nl-warehouse"

LOCATIONS: dict[str, dict[str, Any]] = {
    "ams-kalverstraat": {"name": "Amsterdam Kalverstraat", "latitude": 52.3702, "longitude": 4.8924},
    "utr-oudegracht": {"name": "Utrecht Oudegracht", "latitude": 52.0894, "longitude": 5.1213},
    "rtm-coolsingel": {"name": "Rotterdam Coolsingel", "latitude": 51.9225, "longitude": 4.4792},
    "gro-herestraat": {"name": "Groningen Herestraat", "latitude": 53.2165, "longitude": 6.5668},
    "ehv-demer": {"name": "Eindhoven Demer", "latitude": 51.4408, "longitude": 5.4778},
    WAREHOUSE: {"name": "Warehouse Tilburg", "latitude": 51.5606, "longitude": 5.0919},
}

# (style, name, price in cents, tax class, attributes, variants)
_STYLES: list[tuple[str, str, int, str, dict[str, str], list[str]]] = [
    ("TEE-NAVY", "T-shirt, navy", 1995, "standard", {"colour": "navy", "material": "cotton"}, ["S", "M", "L", "XL"]),
    ("TEE-WHITE", "T-shirt, white", 1995, "standard", {"colour": "white", "material": "cotton"}, ["S", "M", "L", "XL"]),
    ("SHIRT-OXFORD", "Oxford shirt", 5995, "standard", {"colour": "light blue"}, ["38", "40", "42", "44"]),
    ("SWEATER-MOSS", "Merino sweater, moss", 7995, "standard", {"colour": "moss"}, ["S", "M", "L", "XL"]),
    ("JEANS-BLUE", "Straight jeans, blue", 8995, "standard", {"colour": "blue"}, ["28", "30", "32", "34", "36"]),
    ("CHINO-SAND", "Chino, sand", 6995, "standard", {"colour": "sand"}, ["30", "32", "34", "36"]),
    ("DRESS-POPPY", "Summer dress, poppy", 8995, "standard", {"colour": "red"}, ["36", "38", "40", "42"]),
    ("COAT-RAIN", "Raincoat, yellow", 12995, "standard", {"colour": "yellow"}, ["S", "M", "L"]),
    ("SNEAKER-WHITE", "Sneaker, white", 9995, "standard", {"colour": "white"}, ["39", "40", "41", "42", "43", "44"]),
    ("BOOT-BROWN", "Chelsea boot, brown", 14995, "standard", {"colour": "brown"}, ["40", "41", "42", "43"]),
    ("SOCKS-STRIPE", "Striped socks", 895, "standard", {"colour": "navy/white"}, ["36-40", "41-45"]),
    ("CAP-WOOL", "Wool cap", 2995, "standard", {"colour": "grey"}, ["ONE"]),
    ("SCARF-TULIP", "Scarf with tulips", 3995, "standard", {"colour": "pink"}, ["ONE"]),
    ("BAG-CANVAS", "Canvas shopper", 2495, "standard", {"colour": "natural"}, ["ONE"]),
    ("MUG", "Mug", 1250, "standard", {"material": "stoneware"}, ["MANDJE", "TULIP", "BIKE"]),
    ("PLATE-DELFT", "Plate, Delft blue", 1850, "standard", {"material": "porcelain"}, ["20CM", "27CM"]),
    ("CANDLE", "Scented candle", 1695, "standard", {}, ["FIG", "PINE", "ORANGE"]),
    ("BLANKET-SHEEP", "Wool blanket", 9995, "standard", {"material": "wool"}, ["GREY", "MOSS"]),
    ("TEA", "Loose tea, 100 g", 695, "reduced", {}, ["MINT", "EARL-GREY"]),
    ("CHOCOLATE", "Chocolate bar, 90 g", 395, "reduced", {}, ["DARK", "MILK"]),
    ("BOOK-DUTCH-SHOPS", "Book: A Hundred Dutch Shops", 3495, "reduced", {"language": "nl"}, ["ONE"]),
]  # fmt: skip


def products() -> list[dict[str, Any]]:
    """About sixty products, each a `PUT /products` body with its `sku`; prices in euro cents, tax included."""
    made = []
    for style, name, price, tax_class, attributes, variants in _STYLES:
        for variant in variants:
            one_size = variant == "ONE"
            made.append({
                "sku": style if one_size else f"{style}-{variant}",
                "name": name if one_size else f"{name}, {variant.lower() if len(variant) > 3 else variant}",
                "prices": [{"amount": price, "currency": "EUR"}],
                "tax_class": tax_class,
                "attributes": attributes | {"style": style} | ({} if one_size else {"variant": variant}),
            })  # fmt: skip
    return made


def locations() -> dict[str, dict[str, Any]]:
    """`PUT /locations/{id}` bodies: stores with opening hours, and the warehouse."""
    stores = {
        key: {**place, "kind": "store", "opening_hours": _WEEK, "safety_stock": 1, "markets": ["nl"]}
        for key, place in LOCATIONS.items()
        if key != WAREHOUSE
    }
    return stores | {WAREHOUSE: {**LOCATIONS[WAREHOUSE], "kind": "warehouse", "safety_stock": 0, "markets": ["nl"]}}


def opening_stock() -> list[tuple[str, str, int]]:
    """`(location, sku, units)`: the warehouse holds everything, stores a part. The same on every machine."""
    chance = random.Random(1602)
    stock = []
    for product in products():
        sku = product["sku"]
        stock.append((WAREHOUSE, sku, chance.randrange(60, 140)))
        for store in LOCATIONS:
            if store != WAREHOUSE and (sku in ALWAYS_IN_STORE or chance.random() < 0.6):
                stock.append((store, sku, chance.randrange(4, 16)))
    return stock


ALWAYS_IN_STORE = {"TEE-NAVY-M", "TEE-NAVY-L", "SNEAKER-WHITE-42", "JEANS-BLUE-32", "MUG-MANDJE"}
"""What the samples and the demo rely on finding in every store."""
