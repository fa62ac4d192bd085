"""The door of checkout: place, show, list, cancel and fulfil orders."""

from typing import Annotated
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from checkout import endings, offers, placing, table
from checkout.views import AtRiskListView, AtRiskView, OrderListView, OrderView, PlaceOrder
from commerce import door, ids, payables, problems, tokens

app = door.rest()

OrderId = Annotated[str, Path(description="order id or order number; dashes and case do not matter", max_length=40)]
Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=2000)]


@app.post(
    "/checkouts",
    summary="Place an order from a basket",
    operation_id="placeOrder",
    tags=["checkout"],
    status_code=201,
)
@door.raises(
    "not-found",
    "basket-empty",
    "basket-changed",
    "not-sold",
    "price-changed",
    "location-unable",
    "out-of-stock",
    "in-progress",
    "order-too-large",
)
def place_order(body: PlaceOrder) -> Response[OrderView]:
    """Takes the stock, empties the basket and opens the payment in the same transaction as it places the order."""
    caller = door.caller(app)
    placed = placing.place(caller, body, door.idempotent(app, caller, body))
    return door.answer(OrderView.as_placed(placed.order), 201, replayed=placed.replayed)


@app.get(
    "/orders/at-risk",
    summary="Paid orders that are not covered (any more)",
    operation_id="listOrdersAtRisk",
    tags=["checkout"],
)
def list_at_risk(limit: Limit = 20, cursor: Cursor = None) -> Response[AtRiskListView]:
    """Money was refunded outside the order, or charged back, before the goods left. For staff with `orders:read`.

    A till sees those of its own store, so its page may be short while `next_cursor` says that there is more.
    """
    caller = door.caller(app)
    caller.need("orders:read")
    orders, following = table.at_risk(limit, tokens.read_cursor("orders at risk", cursor))
    items = [AtRiskView.of(order) for order in orders if caller.acts_at(*payables.places(order))]
    return door.answer(AtRiskListView(items=items, next_cursor=tokens.cursor("orders at risk", following)))


@app.get(
    "/orders/<order_id>",
    summary="An order",
    operation_id="getOrder",
    tags=["checkout"],
)
def get_order(order_id: OrderId) -> Response[OrderView]:
    """By id or by number as a person would type it. For its owner and for staff with `orders:read`.

    A till reads what belongs to its own location or, like an order to be delivered off the web, to none.
    """
    caller = door.caller(app)
    if caller.serves:
        caller.need("orders:read")
    order = table.read(_id(order_id))
    if order is None or not offers.may_see(caller, order, "orders:read"):
        raise problems.not_found("order")
    caller.need_place_if_any(*offers.served_at(order))
    return door.answer(OrderView.of(order))


@app.get(
    "/me/orders",
    summary="My orders, newest first",
    operation_id="listMyOrders",
    tags=["checkout"],
)
def list_my_orders(limit: Limit = 20, cursor: Cursor = None) -> Response[OrderListView]:
    """The signed-in customer's orders."""
    caller = door.caller(app)
    if caller.kind != "customer":
        raise problems.Problem(403, "forbidden", "Not allowed", "Only a signed-in customer has a list of orders.")
    scope = f"orders/{caller.id}"
    orders, following = table.of_customer(caller.id, limit, tokens.read_cursor(scope, cursor))
    page = OrderListView(items=[OrderView.of(order) for order in orders], next_cursor=tokens.cursor(scope, following))
    return door.answer(page)


@app.post(
    "/orders/<order_id>/cancel",
    summary="Cancel an order",
    operation_id="cancelOrder",
    tags=["checkout"],
)
@door.raises("in-progress", "order-state")
def cancel_order(order_id: OrderId) -> Response[OrderView]:
    """Until it is fulfilled. Stock and lines go back, and what was captured is refunded."""
    caller = door.caller(app)
    if caller.serves:
        caller.need("orders:write")
    request = door.idempotent(app, caller, None)
    order, replayed = endings.cancel(caller, _id(order_id), request)
    return door.answer(OrderView.of(order), replayed=replayed)


@app.post(
    "/orders/<order_id>/fulfilments",
    summary="Hand over or send a paid order",
    operation_id="fulfilOrder",
    tags=["checkout"],
)
@door.raises("in-progress", "order-state", "order-not-covered")
def fulfil_order(order_id: OrderId) -> Response[OrderView]:
    """For staff with `orders:write`, and for tills where the goods are."""
    caller = door.caller(app)
    caller.need("orders:write")
    request = door.idempotent(app, caller, None)
    order, replayed = endings.fulfil(caller, _id(order_id), request)
    return door.answer(OrderView.of(order), replayed=replayed)


def _id(text: str) -> str:
    """The order id somebody typed. 404 for what can never be one."""
    order_id = ids.read_order_id(unquote(text))
    if order_id is None:
        raise problems.not_found("order")
    return order_id


handler = door.handler(app)
