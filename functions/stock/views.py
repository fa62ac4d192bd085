"""What the stock door takes and answers."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from commerce import markets
from commerce.types import Body, Country, Id, Quantity, Sku, Text, View
from stock import hours

MAX_UNITS = 99_999
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:/#-]{0,63}$")]
"""Number of a delivery, count or receipt. Nothing personal fits: it travels in events."""
Fulfilment = Literal["delivery", "pickup", "carry_out"]
Kind = Literal["store", "warehouse"]


# ------------------------------------------------------------------------------------------------------ locations

Time = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Date = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]


def _in_order(spans: list[tuple[Time, Time]]) -> list[tuple[Time, Time]]:
    if not hours.in_order(spans):
        raise ValueError("opening times must be in order and may not overlap")
    return spans


def _zone(name: str) -> str:
    if not hours.known_zone(name):
        raise ValueError("unknown time zone")
    return name


Spans = Annotated[list[tuple[Time, Time]], Field(max_length=4, default_factory=list), AfterValidator(_in_order)]


class OpeningException(Body):
    """A day that differs: no `hours` is closed."""

    date: Date
    hours: Spans
    reason: Text | None = None


class OpeningHours(Body):
    """Per weekday `[["10:00", "18:00"]]` in local time; a day that is not named is closed."""

    mon: Spans
    tue: Spans
    wed: Spans
    thu: Spans
    fri: Spans
    sat: Spans
    sun: Spans
    exceptions: Annotated[list[OpeningException], Field(max_length=60, default_factory=list)]
    timezone: Annotated[
        str, StringConstraints(pattern=r"^[A-Z][A-Za-z_]{1,30}(/[A-Z][A-Za-z_-]{1,30}){0,2}$"), AfterValidator(_zone)
    ] = "Europe/Amsterdam"

    @model_validator(mode="after")
    def _one_exception_a_day(self) -> "OpeningHours":
        days = [exception.date for exception in self.exceptions]
        if len(days) != len(set(days)):
            raise ValueError("an exception per day")
        return self


def _distinct(names: list[str]) -> list[str]:
    if len(names) != len(set(names)):
        raise ValueError("named twice")
    return names


def _known_markets(names: list[str]) -> list[str]:
    if unknown := [name for name in names if name not in markets.every()]:
        raise ValueError(f"unknown market {unknown[0]}")
    return names


Names = Annotated[list[Id], Field(min_length=1, max_length=20), AfterValidator(_distinct)]


class LocationBody(Body):
    """A store or warehouse. `channels`, `fulfilments` and `markets` limit whom it serves; absent, they do not."""

    name: Text
    kind: Kind
    country: Country | None = Field(
        None, description="where phone numbers written there belong; that of its markets unless given", examples=["NL"]
    )
    latitude: Annotated[float, Field(ge=-90, le=90, strict=True, allow_inf_nan=False)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180, strict=True, allow_inf_nan=False)] | None = None
    opening_hours: OpeningHours | None = None
    safety_stock: Annotated[int, Field(ge=0, le=9999, strict=True)] = 0
    channels: Names | None = None
    fulfilments: Annotated[list[Fulfilment], Field(min_length=1), AfterValidator(_distinct)] | None = None
    markets: Annotated[Names, AfterValidator(_known_markets)] | None = None

    @model_validator(mode="after")
    def _both_coordinates(self) -> "LocationBody":
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude come together")
        return self


class LocationView(View):
    """A store or warehouse. `fulfilments` is what it does, by its kind or its own list."""

    location_id: str
    name: str
    kind: Kind
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    opening_hours: dict[str, Any] | None = None
    open_now: bool | None = None
    safety_stock: int
    channels: list[str] | None = None
    fulfilments: list[Fulfilment]
    markets: list[str] | None = None
    version: int


class LocationList(View):
    """All locations, by id."""

    items: list[LocationView]


# --------------------------------------------------------------------------------------------------- availability


class StockAtLocation(View):
    """What one location can promise: units, never below zero."""

    location_id: str
    name: str
    kind: Kind
    available: int
    fulfilments: list[Fulfilment]
    distance_km: float | None = None
    open_now: bool | None = None
    open_today: list[tuple[str, str]] | None = None


class StockView(View):
    """Where a SKU is available; nearest first if a place was given."""

    sku: str
    total: int
    locations: list[StockAtLocation]


class ManyStockView(View):
    """Availability of several SKUs, in the order asked for."""

    items: list[StockView]


# ------------------------------------------------------------------------------------------------------ movements


class _Movement(Body):
    location_id: Id
    sku: Sku
    reference: Reference | None = None


class ReceiptBody(_Movement):
    """Goods came in."""

    kind: Literal["receipt"]
    quantity: Quantity


class AdjustmentBody(_Movement):
    """A correction: signed. Never takes what is promised."""

    kind: Literal["adjustment"]
    quantity: Annotated[int, Field(ge=-MAX_UNITS, le=MAX_UNITS, strict=True)]

    @model_validator(mode="after")
    def _says_something(self) -> "AdjustmentBody":
        if self.quantity == 0:
            raise ValueError("quantity must not be 0")
        return self


class CountBody(_Movement):
    """So many were found: a fact. The difference is booked."""

    kind: Literal["count"]
    quantity: Annotated[int, Field(ge=0, le=MAX_UNITS, strict=True)]


class TransferBody(_Movement):
    """Goods go to another location."""

    kind: Literal["transfer"]
    quantity: Quantity
    to_location_id: Id

    @model_validator(mode="after")
    def _elsewhere(self) -> "TransferBody":
        if self.to_location_id == self.location_id:
            raise ValueError("to_location_id must be another location")
        return self


class SaleBody(_Movement):
    """The till sold it and it is gone: a fact, never refused."""

    kind: Literal["sale"]
    quantity: Quantity


MovementBody = ReceiptBody | AdjustmentBody | CountBody | TransferBody | SaleBody
"""Told apart by `kind`."""


class MovementView(View):
    """A movement. `quantity` is what it did to the stock on hand at `location_id`; `on_hand` is what was left."""

    movement_id: str
    kind: str
    sku: str
    location_id: str
    to_location_id: str | None = None
    quantity: int
    counted: int | None = None
    on_hand: int | None = None
    order_id: str | None = None
    reference: str | None = None
    by: str | None = None
    at: str


class MovementPage(View):
    """Movements of a SKU, newest first."""

    items: list[MovementView]
    next_cursor: str | None = None


class LevelView(View):
    """The stock of a SKU at a place, its parts added up: `available = on_hand - reserved - safety`, here unclamped."""

    location_id: str
    on_hand: int
    reserved: int
    safety: int
    available: int


class MovementAnswer(MovementView):
    """The movement and the level it left behind."""

    level: LevelView


class SafetyBody(Body):
    """Units of a SKU that are kept back at a location; null: as many as usual there."""

    location_id: Id
    safety_stock: Annotated[int, Field(ge=0, le=9999, strict=True)] | None


class ShardsBody(Body):
    """Over how many parts the level is spread; 1: not."""

    location_id: Id
    shards: Annotated[int, Field(ge=1, le=16, strict=True)]


class ShardsView(LevelView):
    """The level, all parts added up."""

    shards: int


# ---------------------------------------------------------------------------------------------------------- counts

Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:._-]{1,64}$")]


class CountLine(Body):
    """A SKU and how many were found: a number, or the tags that were read (each counts once)."""

    sku: Sku
    quantity: Annotated[int, Field(ge=0, le=MAX_UNITS, strict=True)] | None = None
    tags: Annotated[list[Tag], Field(max_length=10_000)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "CountLine":
        if (self.quantity is None) == (self.tags is None):
            raise ValueError("either quantity or tags")
        return self


class CountsBody(Body):
    """What was found at one location."""

    location_id: Id
    reference: Reference | None = None
    lines: Annotated[list[CountLine], Field(min_length=1, max_length=10_000)]


class CountFailure(View):
    """A SKU that could not be booked."""

    sku: str
    reason: str


class CountView(View):
    """How far a count is, in SKUs; `surplus` and `missing` are units more and fewer than the books had."""

    count_id: str
    location_id: str
    state: Literal["running", "done"]
    reference: str | None = None
    at: str
    total: int
    done: int
    changed: int
    surplus: int
    missing: int
    failures: int
    failed: list[CountFailure]
