"""Who has it, and how near."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from commerce import clock, locations, pricing, problems
from commerce.types import SKU_PATTERN
from stock import availability
from stock.levels import Level
from stock.routes import IdQuery, SkuPath, app, known_location
from stock.table import movements
from stock.views import Fulfilment, ManyStockView, StockView

_NEAR = r"^-?[0-9]{1,2}(\.[0-9]{1,8})?,-?[0-9]{1,3}(\.[0-9]{1,8})?$"
Near = Annotated[str | None, Query(pattern=_NEAR, description="latitude,longitude")]
FulfilmentQuery = Annotated[Fulfilment | None, Query()]


@app.get("/stock/<sku>", summary="Where a SKU is available", tags=["stock"], operation_id="getStock")
def get_stock(
    sku: SkuPath,
    near: Near = None,
    location: IdQuery = None,
    channel: IdQuery = None,
    market: IdQuery = None,
    fulfilment: FulfilmentQuery = None,
) -> StockView:
    """Units per location and in total; nearest first with `near`, only those that serve what was named."""
    asked = _asked(near, location, channel, market, fulfilment)
    levels = _levels([sku], location)[sku]
    if not levels and not pricing.products([sku]):
        raise problems.not_found("SKU")
    known = locations.knowing(level["location_id"] for level in levels)
    return availability.view(sku, levels, known, asked, clock.now())


@app.get("/stock", summary="Availability of many SKUs", tags=["stock"], operation_id="getManyStock")
def get_many_stock(
    sku: Annotated[list[Annotated[str, Query(pattern=SKU_PATTERN)]], Query(min_length=1, max_length=50)],
    near: Near = None,
    location: IdQuery = None,
    channel: IdQuery = None,
    market: IdQuery = None,
    fulfilment: FulfilmentQuery = None,
) -> ManyStockView:
    """As for one SKU. A SKU nobody has is there with a total of 0."""
    asked, skus = _asked(near, location, channel, market, fulfilment), list(dict.fromkeys(sku))
    found, now = _levels(skus, location), clock.now()
    known = locations.knowing(level["location_id"] for levels in found.values() for level in levels)
    return ManyStockView(items=[availability.view(each, found[each], known, asked, now) for each in skus])


def _levels(skus: list[str], location: str | None) -> dict[str, list[Level]]:
    """By SKU. At one location all keys are known: one request for all SKUs."""
    if location is None:
        return {sku: movements.levels_everywhere(sku) for sku in skus}
    found = movements.levels_at([(sku, location) for sku in skus], consistent=False)
    return {sku: found[sku, location] for sku in skus}


def _asked(
    near: str | None, location: str | None, channel: str | None, market: str | None, fulfilment: Fulfilment | None
) -> availability.Asked:
    if location:
        known_location(location, "query", "location")
    point = None
    if near:
        north, east = (float(part) for part in near.split(","))
        if abs(north) > 90 or abs(east) > 180:
            raise problems.invalid(["query", "near"], "Latitude is -90 to 90, longitude -180 to 180.")
        point = (north, east)
    return availability.Asked(point, location, channel, market, fulfilment)
