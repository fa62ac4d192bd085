"""Door: availability, movements and locations over HTTPS."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from commerce import clock, door, ids, locations, pricing, problems, requests, tokens
from commerce.principal import Principal
from commerce.types import ID_PATTERN, SKU_PATTERN, without_none
from stock import availability, hours, table
from stock.levels import Level, NotEnough
from stock.movements import Asked
from stock.views import (
    Fulfilment,
    LocationBody,
    LocationList,
    LocationView,
    ManyStockView,
    MovementAnswer,
    MovementBody,
    MovementPage,
    MovementView,
    StockView,
)

app = door.rest()
handler = door.handler(app)

_NEAR = r"^-?[0-9]{1,2}(\.[0-9]{1,8})?,-?[0-9]{1,3}(\.[0-9]{1,8})?$"
SkuPath = Annotated[str, Path(pattern=SKU_PATTERN)]
IdPath = Annotated[str, Path(pattern=ID_PATTERN)]
Near = Annotated[str | None, Query(pattern=_NEAR, description="latitude,longitude")]
IdQuery = Annotated[str | None, Query(pattern=ID_PATTERN)]
FulfilmentQuery = Annotated[Fulfilment | None, Query()]


# --------------------------------------------------------------------------------------------------- availability


@app.get("/stock/<sku>", summary="Where a SKU is available", tags=["stock"], operation_id="getStock",
         responses=door.problem_responses(404, 503))  # fmt: skip
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
    return availability.view(sku, levels, locations.every(), asked, clock.now())


@app.get("/stock", summary="Availability of many SKUs", tags=["stock"], operation_id="getManyStock",
         responses=door.problem_responses(503))  # fmt: skip
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
    found, known, now = _levels(skus, location), locations.every(), clock.now()
    return ManyStockView(items=[availability.view(each, found[each], known, asked, now) for each in skus])


def _levels(skus: list[str], location: str | None) -> dict[str, list[Level]]:
    """By SKU. At one location all keys are known: one request for all SKUs."""
    if location is None:
        return {sku: table.levels_everywhere(sku) for sku in skus}
    found = table.levels_at([(sku, location) for sku in skus], consistent=False)
    return {sku: found[sku, location] for sku in skus}


def _asked(
    near: str | None, location: str | None, channel: str | None, market: str | None, fulfilment: Fulfilment | None
) -> availability.Asked:
    if location and locations.get(location) is None:
        raise problems.invalid(["query", "location"], f"There is no location {location}.")
    point = None
    if near:
        north, east = (float(part) for part in near.split(","))
        if abs(north) > 90 or abs(east) > 180:
            raise problems.invalid(["query", "near"], "Latitude is -90 to 90, longitude -180 to 180.")
        point = (north, east)
    return availability.Asked(point, location, channel, market, fulfilment)


# ------------------------------------------------------------------------------------------------------ movements


@app.post("/stock/movements", summary="Book a movement", tags=["stock"], operation_id="postMovement",
          responses=door.problem_responses(400, 401, 403, 409, 503))  # fmt: skip
def post_movement(body: Annotated[MovementBody, Body(discriminator="kind")]) -> Response[MovementAnswer]:
    """Receipt, adjustment, count, transfer, or a till's sale. Counts and sales are facts and never refused."""
    caller = door.caller(app)
    _need_stock(caller, body.location_id)
    request = door.idempotent(app, caller, body)
    for name in ("location_id", "to_location_id"):
        place = getattr(body, name, None)
        if place and locations.get(place) is None:
            raise problems.invalid(["body", name], f"There is no location {place}.")
    if body.kind != "sale" and not pricing.products([body.sku]):
        raise problems.invalid(["body", "sku"], f"There is no SKU {body.sku}.")
    asked = Asked(ids.new(), by=caller.key, at=clock.iso(), **body.model_dump())
    try:
        answer = table.book(asked, request)
    except requests.AlreadyDone as before:
        return door.answer(_movement_answer(request.same(before.marker)["answer"]), 201, replayed=True)
    except NotEnough as short:
        raise problems.conflict(
            "not-enough-stock",
            f"{short.available} of {body.sku} can leave {body.location_id}; the rest is promised or not there.",
            sku=body.sku, location_id=body.location_id, requested=abs(body.quantity), available=short.available,
        ) from None  # fmt: skip
    return door.answer(_movement_answer(answer), 201)


@app.get("/stock/<sku>/movements", summary="History of a SKU", tags=["stock"], operation_id="listMovements",
         responses=door.problem_responses(401, 403, 503))  # fmt: skip
def list_movements(
    sku: SkuPath,
    location: IdQuery = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> MovementPage:
    """Every movement, newest first. A page may be short while `next_cursor` says that there is more."""
    caller = door.caller(app)
    caller.need("stock:write")
    if caller.kind == "device":
        location = location or caller.location_id
        _need_stock(caller, location)
    scope = f"movements {sku} {location or '*'}"
    items, start = table.history(sku, location, limit, tokens.read_cursor(scope, cursor))
    shown = [MovementView.model_validate(item) for item in items]
    return MovementPage(items=shown, next_cursor=tokens.cursor(scope, start))


def _need_stock(caller: Principal, location_id: str | None) -> None:
    """Staff act everywhere; a device only where it stands."""
    caller.need("stock:write")
    if caller.kind == "device" and (location_id is None or caller.location_id != location_id):
        raise problems.Problem(403, "forbidden", "Not allowed", "A device acts for its own location only.")


def _movement_answer(answer: dict[str, Any]) -> MovementAnswer:
    return MovementAnswer.model_validate(answer)


# ------------------------------------------------------------------------------------------------------ locations


@app.put("/locations/<location_id>", summary="Describe a location", tags=["stock"], operation_id="putLocation",
         responses=door.problem_responses(401, 403, 503))  # fmt: skip
def put_location(location_id: IdPath, body: LocationBody) -> LocationView:
    """Create or replace a store or warehouse."""
    door.caller(app).need("locations:write")
    described = without_none(body.model_dump(mode="json"))
    for name in ("latitude", "longitude"):
        if name in described:
            described[name] = f"{described[name]:.6f}"
    return _location_view(table.put_location(location_id, described))


@app.get("/locations/<location_id>", summary="A location", tags=["stock"], operation_id="getLocation",
         responses=door.problem_responses(404, 503))  # fmt: skip
def get_location(location_id: IdPath) -> LocationView:
    """A store or warehouse, and whether it is open now."""
    location = locations.get(location_id)
    if location is None:
        raise problems.not_found("location")
    return _location_view(location)


@app.get("/locations", summary="All locations", tags=["stock"], operation_id="listLocations",
         responses=door.problem_responses(503))  # fmt: skip
def list_locations() -> LocationList:
    """Stores and warehouses, by id."""
    return LocationList(items=[_location_view(each) for _, each in sorted(locations.every().items())])


def _location_view(location: dict[str, Any]) -> LocationView:
    open_now = hours.is_open(location["opening_hours"], clock.now()) if location.get("opening_hours") else None
    shown = location | {"fulfilments": locations.fulfilments(location), "open_now": open_now}
    return LocationView.model_validate(shown)
