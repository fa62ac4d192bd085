"""Counts of many SKUs in one call, from RFID readers and cycle counts."""

from aws_lambda_powertools.event_handler import Response

from commerce import door, ids, problems, requests
from stock import counting
from stock.routes import IdPath, app, keeper, known_location
from stock.table import counts
from stock.views import CountsBody, CountView


@app.post("/stock/counts", summary="Count many SKUs", tags=["stock"], operation_id="createCount", status_code=202)
def create_count(body: CountsBody) -> Response[CountView]:
    """Up to 10,000 tags or SKUs of one location, stored at once and booked in the background; all tags of a SKU
    belong in one call. 202; `GET /stock/counts/{count_id}` tells how far it is."""
    caller = keeper(body.location_id)
    request = door.idempotent(app, caller, body)
    known_location(body.location_id, "body", "location_id")
    if counting.size(body.lines) > counting.MOST:
        raise problems.invalid(["body", "lines"], f"At most {counting.MOST} tags and counted SKUs in one call.")
    try:
        units = counting.tally(body.lines)
    except counting.TagTwice as twice:
        raise problems.invalid(["body", "lines", twice.line, "tags"], "A tag is listed under two SKUs.") from None
    parts = list(counting.parts(units))
    try:
        job = counts.start(ids.new(), body.location_id, caller.key, body.reference, parts, request)
    except requests.AlreadyDone as before:
        first = request.same(before.marker)
        return door.answer(CountView.model_validate(first["answer"]), 202, replayed=True)
    return door.answer(CountView.model_validate(job), 202)


@app.get("/stock/counts/<count_id>", summary="How far a count is", tags=["stock"], operation_id="getCount")
def get_count(count_id: IdPath) -> CountView:
    """Progress, differences and what could not be booked. Kept for 30 days."""
    caller = door.caller(app)
    caller.need("stock:write")
    job = counts.read(count_id)
    if job is None or not caller.acts_at(job["location_id"]):
        raise problems.not_found("count")
    return CountView.model_validate(job)
