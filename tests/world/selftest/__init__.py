"""The toy shop on which the harness itself is tested."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.world import World

HERE = Path(__file__).parent
TEMPLATE = HERE / "template.yaml"


def toy_world(seed: int = 0) -> World:
    """A world made from the toy template."""
    functions = str(HERE / "functions")
    if functions not in sys.path:
        sys.path.append(functions)
    return World(seed, template=TEMPLATE, parameters={})


def stock(world: World, available: int) -> None:
    """Set the toy shop's one stock level."""
    from commerce import aws

    level = {"pk": {"S": "STOCK"}, "sk": {"S": "-"}, "available": {"N": str(available)}, "sold": {"N": "0"}}
    aws.client("dynamodb").put_item(TableName=world.template.tables["ToyTable"].name, Item=level)


def wrong(world: World, available: int) -> list[str]:
    """The toy shop's invariants, having started with `available` units."""
    items = {item["pk"]: item for item in world.items("ToyTable")}
    orders = [item for key, item in items.items() if key.startswith("ORDER#")]
    level, found = items["STOCK"], []
    if level["available"] < 0 or level["available"] + len(orders) != available:
        found.append(f"{available} units, {len(orders)} orders, {level['available']} left")
    if level["sold"] != len(orders):
        found.append(f"{len(orders)} orders, but {level['sold']} sold")
    if any("due" in order for order in orders):
        found.append("an order is still open")
    return found
