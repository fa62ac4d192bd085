"""Goods come, go, move and are found: one at a time."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from commerce import clock, door, ids, pricing, problems, requests, tokens
from stock.levels import NotEnough
from stock.movements import Asked
from stock.routes import IdQuery, SkuPath, app, keeper, known_location
from stock.table import movements
from stock.views import MovementAnswer, MovementBody, MovementPage, MovementView, TransferBody


@app.post("/stock/movements", summary="Book a movement", tags=["stock"], operation_id="postMovement", status_code=201)
@door.raises("not-enough-stock")
def post_movement(body: Annotated[MovementBody, Body(discriminator="kind")]) -> Response[MovementAnswer]:
    """Receipt, adjustment, count, transfer, or a till's sale. Counts and sales are facts and never refused."""
    caller = keeper(body.location_id)
    request = door.idempotent(app, caller, body)
    known_location(body.location_id, "body", "location_id")
    if isinstance(body, TransferBody):
        known_location(body.to_location_id, "body", "to_location_id")
    if body.kind != "sale" and not pricing.products([body.sku]):
        raise problems.invalid(["body", "sku"], f"There is no SKU {body.sku}.")
    asked = Asked(ids.new(), by=caller.key, at=clock.iso(), **body.model_dump())
    try:
        answer = movements.book(asked, request)
    except requests.AlreadyDone as before:
        again = MovementAnswer.model_validate(request.same(before.marker)["answer"])
        return door.answer(again, 201, replayed=True)
    except NotEnough as short:
        raise problems.conflict(
            "not-enough-stock",
            f"{short.available} of {body.sku} can leave {body.location_id}; the rest is promised or not there.",
            sku=body.sku, location_id=body.location_id, requested=abs(body.quantity), available=short.available,
        ) from None  # fmt: skip
    return door.answer(MovementAnswer.model_validate(answer), 201)


@app.get("/stock/<sku>/movements", summary="History of a SKU", tags=["stock"], operation_id="listMovements")
def list_movements(
    sku: SkuPath,
    location: IdQuery = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> MovementPage:
    """Every movement, newest first. A page may be short while `next_cursor` says that there is more."""
    caller = door.caller(app)
    if caller.bound:
        location = location or caller.location_id
    keeper(location)
    scope = f"movements {sku} {location or '*'}"
    items, start = movements.history(sku, location, limit, tokens.read_cursor(scope, cursor))
    shown = [MovementView.model_validate(item) for item in items]
    return MovementPage(items=shown, next_cursor=tokens.cursor(scope, start))
