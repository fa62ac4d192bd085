"""Placing an order: read, price, choose where the goods come from, write everything at once.

Warm, that is three requests: basket and marker; products and stock levels; the transaction. What the reads said is
only a proposal: the transaction's conditions decide. If somebody was faster, the plan is made again from fresh levels.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from checkout import chunks, offers, seen, sourcing, table
from checkout import order as rules
from checkout.order import Order
from checkout.seen import Levels
from checkout.sourcing import Place, Plan, Short
from checkout.views import PlaceOrder
from commerce import baskets, clock, floating, ids, locations, markets, phones, problems, requests, writes
from commerce.holds import Shortage
from commerce.markets import Market
from commerce.principal import Principal
from commerce.requests import Request
from commerce.types import without_none

_ATTEMPTS = 4
"""One plan, and three more after lost races; then the caller hears 503 and may try again."""
_KEYS_A_READ = 100
"""Keys one batch read takes. Delivery looks at as many near locations as fit before it looks at all."""
_ALTERNATIVES_UP_TO = 500
"""Stock keys that are worth reading to suggest something else."""


@dataclass(frozen=True)
class Placed:
    """The order, and whether an earlier run of the same request had placed it."""

    order: Order
    replayed: bool = False


def place(caller: Principal, wanted: PlaceOrder, request: Request) -> Placed:
    """Place an order, or raise the problem that says why not; then nothing has changed."""
    found, marker = table.basket_and_marker(wanted.basket_id, request)
    if marker:
        return _again(request.same(marker))
    basket = _orderable(caller, wanted.basket_id, found, wanted.basket_version)
    # What is ordered is fixed here: what others add from now on stays in the basket, whatever is tried again.
    dots = baskets.ordered_dots(basket)
    for _ in range(_ATTEMPTS):
        order, levels = _draft(caller, basket, dots, wanted)
        try:
            if chunks.is_big(order):
                return Placed(chunks.place(order, levels, basket, request))
            table.place(order, levels, basket, request)
            return Placed(order)
        except writes.Refused as refused:
            if done := refused.first(requests.AlreadyDone):
                return _again(request.same(done.marker))
            if changed := refused.first(baskets.BasketChanged):
                if not offers.still_there(dots, changed.basket):
                    raise offers.changed(changed.basket) from None
                basket = _orderable(caller, wanted.basket_id, changed.basket, wanted.basket_version)
            elif not refused.all(Shortage) and not refused.all(table.OrderIdTaken):
                raise
    raise problems.busy("Others are buying the same things. Please try again in a moment.")


def _again(marker: Mapping[str, Any]) -> Placed:
    """The answer to a request that was carried out before; one that was left half-way is finished here."""
    order = table.read(marker["order_id"])
    if order is None or order["state"] == "rejected":
        raise rules.in_progress()
    if order["state"] == "placing":
        try:
            order = chunks.carry_on(order)
        except writes.Refused:
            # It cannot be finished and has been given back: the next try finds a fresh start.
            raise rules.in_progress() from None
    return Placed(order, replayed=True)


def _orderable(
    caller: Principal, basket_id: str, basket: Mapping[str, Any] | None, version: int | None
) -> Mapping[str, Any]:
    """The basket, if this caller may order it as it is."""
    if caller.serves:
        caller.need("orders:write")
    if basket is None and caller.kind == "customer" and floating.shown_to(caller.id, basket_id, "web"):
        raise offers.empty()  # nothing was ever put into it
    if basket is None or not offers.may_order(caller, basket):
        raise problems.not_found("basket")
    target = table.open_basket(basket["merged_to"]) if basket["state"] != "open" else None
    moved_to = target["basket_id"] if target and offers.may_order(caller, target) else None
    if problem := offers.refuse_basket(basket, version, moved_to):
        raise problem
    return basket


def _draft(
    caller: Principal, basket: Mapping[str, Any], dots: dict[str, Any], wanted: PlaceOrder
) -> tuple[Order, Levels]:
    """The order as it could be placed this moment and the levels that says, or the problem why it cannot."""
    market = markets.get(basket["market"])
    quantities = baskets.quantities(dots)
    fulfilment = _fulfilment(caller, wanted, market)
    place = fulfilment.get("location_id")
    if place:
        _check_place(place, fulfilment["kind"], market, basket["channel"])
    able = seen.reachable(fulfilment, market, basket["channel"])
    products, levels, planned = _sourced(quantities, able, market.sourcing)
    if not isinstance(planned, Plan):
        # The list of places is kept for half a minute: nobody hears "sold out" because a new store is not on it yet.
        renewed = seen.reachable(fulfilment, market, basket["channel"], fresh=True)
        if renewed != able:
            products, levels, planned = _sourced(quantities, renewed, market.sourcing)
    lines, totals = offers.priced(basket["basket_id"], quantities, products, market, wanted.price_receipt)
    if not isinstance(planned, Plan):
        raise _out_of_stock(quantities, planned, fulfilment, market, basket["channel"])
    now = clock.now()
    terms = rules.Terms(
        order_id=ids.new_order_id(),
        placed_by=caller.key,
        placed_at=clock.iso(now),
        pay_by=clock.iso(now + timedelta(seconds=market.hold_seconds)),
        fulfilment=fulfilment,
        contact=_contact(caller, wanted, fulfilment, market),
        location_id=place or caller.location_id,
        sold_at=caller.location_id,
    )
    order = rules.draft(basket, dots, lines, totals, levels.holds(planned.shares), market, terms, planned.decision())
    if problem := rules.refuse_size(order):
        raise problem
    return order, levels


def _fulfilment(caller: Principal, wanted: PlaceOrder, market: Market) -> dict[str, Any]:
    asked = wanted.fulfilment
    if asked.kind == "delivery":
        with _told_where("fulfilment", "address", "postal_code"):
            address = asked.address.within(market.country).as_item(market.country) if asked.address else None
        return without_none({"kind": asked.kind, "address": address, "location_id": asked.location_id})
    place = asked.location_id or caller.location_id
    if place is None:
        raise problems.invalid(["body", "fulfilment", "location_id"], "Carry-out needs to know where it happens.")
    if asked.kind == "carry_out" and not caller.acts_at(place):
        raise problems.invalid(["body", "fulfilment", "location_id"], "A till hands over what is in its own store.")
    return {"kind": asked.kind, "location_id": place}


def _check_place(place: str, kind: str, market: Market, channel: str) -> None:
    """A location that does not exist is 422, one that does not serve this order 409: neither is told as "sold out".

    The list is read again before anybody is refused, so that a new location works at once.
    """
    asked: dict[str, dict[str, str]] = {
        "fulfilment": {"fulfilment": kind},
        "market": {"market": market.id},
        "channel": {"channel": channel},
    }
    for fresh in (False, True):
        location = locations.every(fresh=fresh).get(place)
        unable = [reason for reason, one in asked.items() if location and not locations.serves(location, **one)]
        if location and not unable:
            return
    if location is None:
        raise problems.invalid(
            ["body", "fulfilment", "location_id"], f"There is no location {place}.", "unknown_location"
        )
    raise problems.conflict(
        "location-unable", f"{place} does not serve this {unable[0]}.", location_id=place, reason=unable[0]
    )


def _contact(
    caller: Principal, wanted: PlaceOrder, fulfilment: Mapping[str, Any], market: Market
) -> dict[str, Any] | None:
    """Whom to tell. A number without its country belongs where the goods go, where the shop is, or to the market."""
    if wanted.contact is None:
        return None
    home = [(fulfilment.get("address") or {}).get("country")]
    here = fulfilment.get("location_id") or caller.location_id
    if wanted.contact.phone and here and not phones.names_its_country(wanted.contact.phone):
        home.append(locations.country(locations.get(here) or {}))
    with _told_where("contact", "phone"):
        return wanted.contact.as_item(*dict.fromkeys(filter(None, [*home, market.country])))


@contextmanager
def _told_where(*members: str) -> Iterator[None]:
    """A ValueError about members of the body becomes the 422 that names them."""
    try:
        yield
    except ValueError as error:
        raise problems.invalid(["body", *members], str(error)) from error


def _sourced(
    quantities: Mapping[str, int], able: Sequence[Place], rule: str
) -> tuple[dict[str, dict[str, Any]], Levels, Plan | list[Short]]:
    """Products, levels, and where everything comes from. Near places are looked at first if all would be many reads."""
    skus = list(quantities)
    few = len(able) if rule == "most-stock" else max(1, _KEYS_A_READ // len(skus) - 1)
    products, levels = seen.look_with_products(skus, [place.id for place in able[:few]])
    planned = sourcing.plan(quantities, able[:few], levels.stock(), rule)
    if len(able) > few and not (isinstance(planned, Plan) and len(planned.locations) == 1):
        levels |= seen.look(skus, [place.id for place in able[few:]])
        planned = sourcing.plan(quantities, able, levels.stock(), rule)
    return products, levels, planned


def _out_of_stock(
    quantities: Mapping[str, int], short: list[Short], fulfilment: Mapping[str, Any], market: Market, channel: str
) -> problems.Problem:
    """409 with every shortage, and what could be done instead."""
    place = fulfilment.get("location_id")
    here = locations.get(place) if place else fulfilment.get("address")
    around = sourcing.places(locations.every().values(), None, market.id, channel, locations.point(here or {}))
    around = around[: max(1, _ALTERNATIVES_UP_TO // len(quantities))]
    stock = seen.look(quantities, [each.id for each in around]).stock()
    return problems.conflict(
        "out-of-stock",
        "Not everything is available.",
        shortages=[asdict(each.at(place)) for each in short[:200]],
        alternatives=sourcing.alternatives(quantities, around, stock, fulfilment["kind"], place)[:20],
    )
