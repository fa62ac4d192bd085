"""The basket's door: the same basket for every channel."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from basket import basket as rules
from basket import changing, claiming, logs, making, naming, operations, owners, selling
from basket.basket import Edit, Opened
from basket.views import (
    AddLine,
    BasketCreatedView,
    BasketMergeView,
    BasketOperation,
    BasketOperations,
    BasketView,
    Channel,
    ClaimBasket,
    ClaimedView,
    NewBasket,
    OperationsView,
    SetLine,
)
from commerce import clock, door, locations, markets, problems
from commerce.baskets import Dot
from commerce.principal import Principal
from commerce.types import ID_PATTERN, SKU_PATTERN

app = door.rest()

UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
BasketId = Annotated[str, Path(pattern=UUID)]
SkuInPath = Annotated[str, Path(pattern=SKU_PATTERN)]
MergeId = Annotated[str, Path(pattern=UUID)]
PersonId = Annotated[str, Path(pattern=ID_PATTERN, description="a customer's or a profile's id")]
MarketId = Annotated[str, Query(pattern=r"^[a-z0-9-]{1,20}$", description="for the very first basket only")]
FirstChannel = Annotated[Channel, Query(description="for the very first basket only")]


@app.post("/baskets", summary="New guest basket", tags=["basket"], operation_id="createBasket", status_code=201)
@door.raises("basket-exists", "basket-changed", "idempotency-key-missing")
def create_basket(body: NewBasket) -> Response[BasketCreatedView]:
    """A basket for somebody we do not know yet, and the token that opens it.

    The same Idempotency-Key answers the same basket for a day; with a `basket_id` of the client's own, for as long as
    there is the basket.
    """
    repeatable = body.basket_id or door.header(app, "Idempotency-Key") is not None
    request = door.idempotent(app, making.ANYBODY, body) if repeatable else None
    made = making.make(body.channel, _market(body.market, "body"), _location(body.location_id), body.basket_id, request)
    view = BasketView.of(made.opened, serving=False)
    return door.answer(BasketCreatedView(basket=view, token=made.token), 201, replayed=made.replayed)


@app.get("/baskets/<basket_id>", summary="A basket, priced now", tags=["basket"], operation_id="getBasket")
@door.raises("basket-changed")
def get_basket(basket_id: BasketId) -> BasketView:
    """A basket by its id."""
    caller = _caller()
    return _view(caller, changing.meet(caller, basket_id))


@app.get("/me/basket", summary="My basket", tags=["basket"], operation_id="getMyBasket")
@door.raises("not-found", "basket-changed")
def get_my_basket(market: MarketId = markets.DEFAULT, channel: FirstChannel = "web") -> BasketView:
    """The one basket of whoever signed in, on every device. Looking writes nothing: until something is put into it, it
    has version 0.
    """
    caller = door.caller(app)
    if caller.kind == "guest":
        return _view(caller, changing.meet(caller, caller.id))
    _only_customers(caller)
    return _view(caller, Opened(owners.look(caller.id, channel, _market(market, "query"), "web", themselves=True)))


@app.get(
    "/customers/<customer_id>/basket",
    summary="A shopper's basket, at the till",
    tags=["basket"],
    operation_id="getCustomerBasket",
)
def get_customer_basket(
    customer_id: PersonId, market: MarketId = markets.DEFAULT, channel: FirstChannel = "till"
) -> BasketView:
    """The floating basket of a customer or profile, for staff and tills. Looking writes nothing: until something is put
    into it, it has version 0. Whoever is not known has none (404).
    """
    caller = door.caller(app)
    caller.need("basket:serve")
    return _view(caller, Opened(owners.look_at_till(customer_id, channel, _market(market, "query"))))


@app.put(
    "/customers/<customer_id>/basket",
    summary="Open a shopper's basket, at the till",
    tags=["basket"],
    operation_id="openCustomerBasket",
)
def open_customer_basket(
    customer_id: PersonId, market: MarketId = markets.DEFAULT, channel: FirstChannel = "till"
) -> BasketView:
    """The floating basket of a known customer or profile; a first one is made in this market and channel."""
    caller = door.caller(app)
    caller.need("basket:serve")
    owners.need_known(customer_id)
    return _view(caller, Opened(owners.open_for(customer_id, channel, _market(market, "query"), "till")))


@app.post("/baskets/<basket_id>/lines", summary="Add to a line", tags=["basket"], operation_id="addLine")
@door.raises("basket-full", "quantity-limit", "too-many-adds", "not-sold", "basket-changed")
def add_line(basket_id: BasketId, body: AddLine) -> Response[BasketView]:
    """Add pieces of a product: once, however often the request is repeated."""
    caller = _caller()
    request = door.idempotent(app, caller, body)
    _quantity_allowed(caller, body.quantity, ["body", "quantity"])
    _known([body.sku], lambda sku: ["body", "sku"])
    name = naming.of_key(basket_id, caller, request.key)
    dot = _dot(caller, body.sku, body.quantity, body.channel)
    hour = naming.hour()
    limits = changing.limits_of(caller)

    def decide(at: Opened) -> Edit | None:
        return selling.sold_here(at, body.sku, rules.add(at, name, dot, limits, hour))

    unseen = Edit("added", put={name: dot}, markets=selling.markets_of(body.sku))
    opened, changed = changing.change(caller, basket_id, decide, unseen)
    return door.answer(_view(caller, opened), replayed=not changed)


@app.put("/baskets/<basket_id>/lines/<sku>", summary="Set a line's quantity", tags=["basket"], operation_id="setLine")
@door.raises("basket-full", "quantity-limit", "not-sold", "basket-changed")
def set_line(basket_id: BasketId, sku: SkuInPath, body: SetLine) -> BasketView:
    """The line has this quantity then, plus what others add at the same moment. 0 removes it."""
    caller = _caller()
    _quantity_allowed(caller, body.quantity, ["body", "quantity"])
    if body.quantity:
        _known([sku], lambda _: ["path", "sku"])
    return _set(caller, basket_id, _dot(caller, sku, body.quantity, body.channel))


@app.delete("/baskets/<basket_id>/lines/<sku>", summary="Remove a line", tags=["basket"], operation_id="removeLine")
@door.raises("basket-changed")
def remove_line(basket_id: BasketId, sku: SkuInPath) -> BasketView:
    """The line is gone then. Removing what is not there is as good."""
    caller = _caller()
    return _set(caller, basket_id, _dot(caller, sku, 0, None))


@app.post(
    "/baskets/<basket_id>/operations",
    summary="Apply a part of a device's log",
    tags=["basket"],
    operation_id="applyOperations",
)
@door.raises("sequence-gap", "sequence-conflict", "basket-full", "quantity-limit", "basket-changed")
def apply_operations(basket_id: BasketId, body: BasketOperations) -> Response[OperationsView]:
    """Each operation of a log is applied once and in order, however late and however often it is sent.

    What a device added offline is a fact: a product that is not sold in the basket's market (any more) becomes a line
    without a price, and the order says so.
    """
    caller = _caller()
    log = [_operation(caller, place, operation) for place, operation in enumerate(body.operations)]
    wanted = {each.dot.sku: place for place, each in reversed([*enumerate(log)]) if each.dot.quantity}
    _known(list(wanted), lambda sku: ["body", "operations", wanted[sku], "sku"])
    writer, hour = naming.of_log(caller, body.device_id), naming.hour()
    limits = changing.limits_of(caller)

    def decide(at: Opened) -> Edit | None:
        here = at.writer_here(writer)
        own = [naming.own_seen(operation, body.device_id, writer) for operation in log]
        applied = logs.position(at, here)
        if log[0].seq <= applied:
            operations.check_repeats(log, applied, logs.proofs(at, here, applied, log[0].seq))
        return operations.apply(at, here, own, applied, limits, hour)

    opened, changed = changing.change(caller, basket_id, decide, operations.adds_only(writer, log))
    applied = logs.position(opened, opened.writer_here(writer))
    return door.answer(OperationsView(applied_seq=applied, basket=_view(caller, opened)), replayed=not changed)


@app.post("/me/basket/claims", summary="Take a guest basket in", tags=["basket"], operation_id="claimBasket")
@door.raises("not-found", "basket-full")
def claim_basket(body: ClaimBasket) -> Response[ClaimedView]:
    """At sign-in: the guest basket's lines come into the customer's basket, and the answer says which."""
    caller = door.caller(app)
    _only_customers(caller)
    request = door.idempotent(app, caller, body)
    claimed = claiming.claim(caller.id, claiming.basket_of_token(body.basket_token), request)
    return _claimed(caller, claimed)


@app.delete("/me/basket/claims/<merge_id>", summary="Undo a claim", tags=["basket"], operation_id="undoClaim")
def undo_claim(merge_id: MergeId) -> Response[ClaimedView]:
    """The lines that came with the claim, and were not touched since, go back to the guest basket."""
    caller = door.caller(app)
    _only_customers(caller)
    return _claimed(caller, claiming.undo(caller.id, merge_id))


def _caller() -> Principal:
    """Who is calling; staff and tills need the scope to meet any basket at all."""
    caller = door.caller(app)
    if caller.serves:
        caller.need("basket:serve")
    return caller


def _only_customers(caller: Principal) -> None:
    if caller.kind != "customer":
        raise problems.Problem(403, "forbidden", "Not allowed", "This is for customers who signed in.")


def _view(caller: Principal, opened: Opened) -> BasketView:
    return BasketView.of(opened, serving=caller.serves)


def _claimed(caller: Principal, claimed: claiming.Claimed) -> Response[ClaimedView]:
    view = ClaimedView(basket=_view(caller, Opened(claimed.basket)), merge=BasketMergeView.of(claimed.record))
    return door.answer(view, replayed=claimed.replayed)


def _set(caller: Principal, basket_id: str, dot: Dot) -> BasketView:
    name, hour, limits = naming.fresh(), naming.hour(), changing.limits_of(caller)

    def decide(at: Opened) -> Edit | None:
        return selling.sold_here(at, dot.sku, rules.set_quantity(at, name, dot, limits, hour))

    return _view(caller, changing.change(caller, basket_id, decide)[0])


def _dot(caller: Principal, sku: str, quantity: int, channel: Channel | None, at: datetime | None = None) -> Dot:
    """What this caller adds. Of tills and staff it keeps who and where they are; no device's clock is ahead of ours."""
    now = clock.source() * 1000
    said = now if at is None else min(now, max(0, at.timestamp() * 1000))
    by = naming.of_server(caller) if caller.serves else None
    via = channel or ("till" if caller.serves else "")
    return Dot(sku, quantity, int(said), via, by=by, location_id=caller.location_id if caller.serves else None)


def _operation(caller: Principal, place: int, said: BasketOperation) -> operations.Operation:
    quantity = said.quantity or 0
    _quantity_allowed(caller, quantity, ["body", "operations", place, "quantity"])
    seen = None if said.seen is None else tuple(said.seen)
    proof = operations.proof_of(said.op, said.sku, said.quantity, seen, said.at)
    return operations.Operation(said.seq, said.op, _dot(caller, said.sku, quantity, None, said.at), seen, proof)


def _quantity_allowed(caller: Principal, quantity: int, where: list[str | int]) -> None:
    most = changing.limits_of(caller).quantity
    if quantity > most:
        raise problems.invalid(where, f"At most {most} at once.", "less_than_equal")


def _known(skus: list[str], where: Callable[[str], list[str | int]]) -> None:
    """Only what is in the catalog goes into a basket. Raises 422."""
    if unknown := selling.unknown(skus):
        raise problems.invalid(where(unknown[0]), f"There is no product {unknown[0]}.", "unknown_sku")


def _location(location_id: str | None) -> str | None:
    if location_id is not None and locations.get(location_id) is None:
        raise problems.invalid(["body", "location_id"], f"There is no location {location_id}.", "unknown_location")
    return location_id


def _market(market_id: str, part: str) -> str:
    if market_id not in markets.every():
        raise problems.invalid([part, "market"], f"There is no market {market_id!r}.")
    return market_id


handler: Callable[[dict[str, Any], Any], dict[str, Any]] = door.handler(app)
