"""The routes of the stock door, one module per subject. `app` is the resolver all of them belong to."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from commerce import door, problems
from commerce import locations as kept
from commerce.principal import Principal
from commerce.types import ID_PATTERN, SKU_PATTERN

app = door.rest()

SkuPath = Annotated[str, Path(pattern=SKU_PATTERN)]
IdPath = Annotated[str, Path(pattern=ID_PATTERN)]
IdQuery = Annotated[str | None, Query(pattern=ID_PATTERN)]


def keeper(location_id: str | None) -> Principal:
    """The caller, if it may change stock there: staff anywhere, a device only where it stands."""
    caller = door.caller(app)
    caller.need("stock:write")
    caller.need_place(location_id)
    return caller


def known_location(location_id: str, *where: str | int) -> None:
    """Raises 422 for a location nobody described."""
    if kept.get(location_id) is None:
        raise problems.invalid([*where], f"There is no location {location_id}.")
