"""Stores and warehouses, and how their levels are kept: safety stock and parts."""

from typing import Any

from commerce import clock, door, locations, pricing, problems
from commerce.types import without_none
from stock import hours
from stock.routes import IdPath, SkuPath, app, keeper, known_location
from stock.table import locations as table
from stock.table import parts
from stock.views import LevelView, LocationBody, LocationList, LocationView, SafetyBody, ShardsBody, ShardsView


@app.put("/locations/<location_id>", summary="Describe a location", tags=["stock"], operation_id="putLocation")
def put_location(location_id: IdPath, body: LocationBody) -> LocationView:
    """Create or replace a store or warehouse. Another safety stock reaches its levels in the background."""
    caller = door.caller(app)
    caller.need("locations:write")
    caller.need_place(location_id)
    described = without_none(body.model_dump(mode="json"))
    for name in ("latitude", "longitude"):
        if name in described:
            described[name] = f"{described[name]:.6f}"
    return _view(table.put_location(location_id, described))


@app.get("/locations/<location_id>", summary="A location", tags=["stock"], operation_id="getLocation")
def get_location(location_id: IdPath) -> LocationView:
    """A store or warehouse, and whether it is open now."""
    location = locations.every(fresh=True).get(location_id)
    if location is None:
        raise problems.not_found("location")
    return _view(location)


@app.get("/locations", summary="All locations", tags=["stock"], operation_id="listLocations")
def list_locations() -> LocationList:
    """Stores and warehouses, by id."""
    return LocationList(items=[_view(each) for _, each in sorted(locations.every(fresh=True).items())])


def _view(location: dict[str, Any]) -> LocationView:
    open_now = hours.is_open(location["opening_hours"], clock.now()) if location.get("opening_hours") else None
    shown = location | {"fulfilments": locations.fulfilments(location), "open_now": open_now}
    return LocationView.model_validate(shown)


@app.put("/stock/<sku>/safety", summary="Safety stock of one SKU", tags=["stock"], operation_id="putSafety")
def put_safety(sku: SkuPath, body: SafetyBody) -> LevelView:
    """Keep back another number of this SKU than the location usually does; null is as usual again."""
    keeper(body.location_id)
    known_location(body.location_id, "body", "location_id")
    if not pricing.products([sku]):
        raise problems.not_found("SKU")
    return LevelView.model_validate(table.set_safety(sku, body.location_id, body.safety_stock))


@app.put("/stock/<sku>/shards", summary="Split or join a hot level", tags=["stock"], operation_id="putShards")
def put_shards(sku: SkuPath, body: ShardsBody) -> ShardsView:
    """Divide a level that sells faster than one item can be written, or join it again (1), while it sells."""
    keeper(body.location_id)
    known_location(body.location_id, "body", "location_id")
    level = parts.split(sku, body.location_id, body.shards)
    if level is None:
        raise problems.not_found("level")
    return ShardsView.model_validate(level)
