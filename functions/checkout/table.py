"""The store of orders, and the transactions in which checkout changes stock, basket and payable together with them.

Items in the orders table:
- `O#<id>` / `-`: the order. Its key is the order number, so the put that places it makes the number unique.
- `O#<id>` / `HELD`: only while a big order is being taken or given back: how many of its holds are taken.
- `REQ#...` / `-`: idempotency markers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checkout import money, owing
from checkout import order as rules
from checkout.money import Moment, Told
from checkout.order import Order
from checkout.seen import Levels
from commerce import baskets, clock, due, events, holds, payables, reads, requests, writes
from commerce.holds import Hold
from commerce.requests import Request

CHUNK = 90
"""Stock levels one transaction changes at most; what is left of DynamoDB's 100 is for order, basket and the like."""
UNWIND_WITHIN_S = 60
"""When the sweeper takes over a big order that was left half-way; longer than any request runs."""
_REJECTED_KEPT_S = 30 * 24 * 3600
_DUE = ("due_shard", "due")


class OrderIdTaken(Exception):
    """Chance gave two orders one number: take another."""


@dataclass(frozen=True)
class Held:
    """How far a big order is: its first `count` holds are taken. `giving`: on the way back."""

    order_id: str
    count: int
    version: int
    giving: bool


def key(order_id: str) -> tuple[str, str]:
    """The order's key."""
    return f"O#{order_id}", "-"


# --------------------------------------------------------------------------------------------------------- reading


def read(order_id: str) -> Order | None:
    """One order, strongly consistent."""
    return reads.get("ORDERS", key(order_id))


def read_with_marker(order_id: str, request: Request) -> tuple[Order | None, dict[str, Any] | None]:
    """An order and the marker of a request, in one request."""
    found = reads.get_many({"ORDERS": [key(order_id), (request.pk, "-")]})["ORDERS"]
    return found.get(key(order_id)), found.get((request.pk, "-"))


def basket_and_marker(basket_id: str, request: Request) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The basket to order from and the marker of an earlier run of the same request."""
    marker = (request.pk, "-")
    found = reads.get_many({"BASKET": [baskets.key(basket_id)], "ORDERS": [marker]})
    return found["BASKET"].get(baskets.key(basket_id)), found["ORDERS"].get(marker)


def of_customer(
    customer_id: str, limit: int, start: dict[str, Any] | None
) -> tuple[list[Order], dict[str, Any] | None]:
    """A page of a customer's orders, newest first. Orders that never came to be are left out."""
    keys, following = reads.page(
        "ORDERS", customer_id, index="customer", hash_name="customer_id", range_name="placed_at",
        newest_first=True, limit=limit, start=start,
    )  # fmt: skip
    wanted = [(found["pk"], found["sk"]) for found in keys]
    orders = reads.get_many({"ORDERS": wanted})["ORDERS"]
    shown = [orders[each] for each in wanted if each in orders]
    return [each for each in shown if each["state"] not in ("placing", "rejected")], following


def at_risk(limit: int, start: dict[str, Any] | None) -> tuple[list[Order], dict[str, Any] | None]:
    """A page of the orders at risk, longest first. One that is covered again by now is left out."""
    keys, following = reads.page(
        "ORDERS", "yes", index="at_risk", hash_name="at_risk", range_name="at_risk_since", limit=limit, start=start
    )
    wanted = [(found["pk"], found["sk"]) for found in keys]
    orders = reads.get_many({"ORDERS": wanted})["ORDERS"]
    return [orders[each] for each in wanted if "at_risk" in orders.get(each, {})], following


def basket(basket_id: str) -> dict[str, Any] | None:
    """A basket as it is, merged or not."""
    return reads.get("BASKET", baskets.key(basket_id))


def open_basket(basket_id: str) -> dict[str, Any] | None:
    """The basket that a basket's lines belong to now: merged ones are followed. None if it is gone."""
    found = baskets.home(basket_id)
    return found if found and found["state"] == "open" else None


# --------------------------------------------------------------------------------------------------------- placing


def place(order: Order, seen: Levels, basket: Mapping[str, Any], request: Request) -> None:
    """Place an order: take stock, empty the basket of it, open the payable, mark the request. All or nothing.

    Raises `writes.Refused` with `holds.Shortage`, `baskets.BasketChanged`, `requests.AlreadyDone`, `OrderIdTaken`.
    """
    order |= due.fields(order["pk"], order["pay_by"]) | {"event": events.of("order.placed")}
    writes.commit(
        holds.take(rules.holds_of(order), order["order_id"], seen.items),
        _put(order),
        baskets.remove_ordered(basket, rules.dots_of(order), order["order_id"]),
        payables.opened(order | {"owner": rules.owner_of(order)}),
        requests.done("ORDERS", request, order_id=order["order_id"]),
    )


def begin(order: Order, request: Request) -> Held:
    """Start placing a big order: nothing is taken yet, and from now on the sweeper would clean up.

    Raises `writes.Refused` with `requests.AlreadyDone` or `OrderIdTaken`.
    """
    order |= {"state": "placing", "request": request.pk}
    order |= due.fields(order["pk"], clock.after(UNWIND_WITHIN_S))
    writes.commit(
        _put(order),
        requests.done("ORDERS", request, order_id=order["order_id"]),
        writes.put("ORDERS", _held_item(order["order_id"], 0, giving=False)),
    )
    return Held(order["order_id"], 0, 1, giving=False)


def take_some(held: Held, some: Sequence[Hold], seen: Levels | None) -> Held:
    """Take the next holds of a big order. Raises `writes.Refused` with `holds.Shortage`, or `Superseded`."""
    noted = (held.order_id, seen.items) if seen else ()
    writes.commit(holds.take(some, *noted), _advance(held, held.count + len(some)))
    return Held(held.order_id, held.count + len(some), held.version + 1, held.giving)


def finish(order: Order, held: Held, basket: Mapping[str, Any]) -> None:
    """A big order whose stock is all taken becomes `placed`: only now do basket and payable know of it.

    Raises `writes.Refused` with `baskets.BasketChanged` or `Superseded`.
    """
    writes.commit(
        _change(
            order,
            "placed",
            "order.placed",
            keep=due.fields(order["pk"], order["pay_by"]),
            drop=["request"],
        ),
        _forget_held(held),
        baskets.remove_ordered(basket, rules.dots_of(order), order["order_id"]),
        payables.opened(order | {"owner": rules.owner_of(order)}),
    )


def _put(order: Order) -> writes.Write:
    return writes.put("ORDERS", order, refused=lambda old: OrderIdTaken())


# ------------------------------------------------------------------------------------------------------- unwinding


def read_held(order_id: str) -> Held | None:
    """How far a big order is; None if nothing of it is under way."""
    item = reads.get("ORDERS", (f"O#{order_id}", "HELD"))
    return None if item is None else Held(order_id, item["held"], item["version"], item["giving"])


def turn_back(held: Held) -> Held:
    """From now on this order's stock only goes back. Raises `writes.Refused` with `Superseded`."""
    writes.commit(_advance(held, held.count, giving=True))
    return Held(held.order_id, held.count, held.version + 1, giving=True)


def give_some(held: Held, some: Sequence[Hold]) -> Held:
    """Give back the last taken holds of a big order. Raises `writes.Refused` with `Superseded`."""
    writes.commit(holds.release(some, held.order_id), _advance(held, held.count - len(some)))
    return Held(held.order_id, held.count - len(some), held.version + 1, held.giving)


def reject(order: Order, held: Held) -> None:
    """A big order that could not be placed has given everything back. Its request may be made again."""
    writes.commit(
        _change(
            order,
            "rejected",
            None,
            keep={"ttl": clock.epoch_after(_REJECTED_KEPT_S)},
            drop=["request", *_DUE],
        ),
        _forget_held(held),
        writes.delete(
            "ORDERS",
            (order["request"], "-"),
            when="attribute_not_exists(pk) OR order_id = :order",
            values={":order": order["order_id"]},
        ),
    )


def end(order: Order, to: money.Ending, basket: Mapping[str, Any] | None, at: Moment, request: Request | None) -> None:
    """An unpaid order ends: stock and lines go back and nothing more may be collected, all at once.

    Raises `writes.Refused` with `Superseded` (the order has moved on) or `baskets.BasketChanged` (read it again).
    """
    writes.commit(
        holds.release(rules.holds_of(order), order["order_id"]),
        _ended(order, to, at),
        payables.closed(order["order_id"]),
        _give_back(order, basket),
        _done(request, order),
    )


def begin_ending(order: Order, to: money.Ending, request: Request | None = None) -> Held:
    """A big unpaid order starts to end: nothing more may be collected, then its stock goes back in pieces."""
    count = len(rules.holds_of(order))
    soon = due.fields(order["pk"], clock.after(UNWIND_WITHIN_S))
    writes.commit(
        _change(order, order["state"], None, keep={"unwinding": to, **soon}),
        payables.closed(order["order_id"]),
        writes.put("ORDERS", _held_item(order["order_id"], count, giving=True)),
        _done(request, order),
    )
    return Held(order["order_id"], count, 1, giving=True)


def end_last(order: Order, held: Held, basket: Mapping[str, Any] | None, at: Moment) -> None:
    """The last piece of a big order's end: its state, its event, and the lines back in the basket."""
    writes.commit(_ended(order, order["unwinding"], at), _forget_held(held), _give_back(order, basket))


def _ended(order: Order, to: money.Ending, at: Moment) -> writes.Write:
    """The order is over. One that keeps part payments stays due until it has told what must go back."""
    after = money.ended(order, to, at)
    if to == "expired":
        return _become(order, after, "order.expired")
    return _become(order, after, "order.cancelled", _cancelled(after))


def _give_back(order: Order, basket: Mapping[str, Any] | None) -> list[writes.Write]:
    dots = rules.dots_of(order)
    if basket is None or not rules.fits(basket, dots):
        return []
    return [baskets.give_back(basket, dots, order["order_id"], order["basket_id"])]


def _held_item(order_id: str, count: int, *, giving: bool) -> dict[str, Any]:
    return {"pk": f"O#{order_id}", "sk": "HELD", "held": count, "version": 1, "giving": giving}


def _advance(held: Held, count: int, *, giving: bool | None = None) -> writes.Write:
    """Bind a piece of work to how far the order was: whoever else works on it makes this one fail."""
    return writes.update(
        "ORDERS",
        (f"O#{held.order_id}", "HELD"),
        set="held = :held, giving = :giving, #v = #v + :one",
        when="#v = :version",
        values={
            ":held": count,
            ":giving": held.giving if giving is None else giving,
            ":one": 1,
            ":version": held.version,
        },
        names={"#v": "version"},
    )


def _forget_held(held: Held) -> writes.Write:
    return writes.delete(
        "ORDERS",
        (f"O#{held.order_id}", "HELD"),
        when="#v = :version",
        values={":version": held.version},
        names={"#v": "version"},
    )


# ----------------------------------------------------------------------------------------------------------- money


def pay(order: Order, after: Order, told: Told | None) -> None:
    """Captured payments cover the total. Raises `writes.Refused` with `Superseded` if the order has moved on."""
    writes.commit(_become(order, after, "order.paid"), _payable(order, after, told))


def pay_late(order: Order, after: Order, told: Told | None, seen: Levels, basket: Mapping[str, Any] | None) -> None:
    """An expired order was paid after all: its stock is taken again, and its lines leave the basket if still there.

    The lines of `after` say from where; that may differ from where the order had its stock before.

    Raises `writes.Refused` with `holds.Shortage`, `Superseded` or `baskets.BasketChanged`.
    """
    still = rules.dots_in(order, basket) if basket else {}
    writes.commit(
        holds.take(rules.holds_of(after), order["order_id"], seen.items),
        _become(order, after, "order.paid"),
        _payable(order, after, told),
        [baskets.remove_ordered(basket, still, order["order_id"])] if basket and still else [],
    )


def note(order: Order, after: Order, told: Told | None) -> None:
    """Remember what payments told. No event: an order that waits longer or is at risk is nobody's work but people's."""
    writes.commit(_become(order, after), _payable(order, after, told))


def owe(order: Order, after: Order, told: Told | None) -> None:
    """Money must go back: remember how much of which payment, and say so until payments has heard it."""
    writes.commit(_become(order, after, "order.refund_due", _refund_due(after)), _payable(order, after, told))


def tell_again(order: Order, type: str, due_at: str) -> Order:
    """The next version of an order that waits for an acknowledgement: the same totals once more."""
    after = order | {"version": order["version"] + 1, "told": order.get("told", 0) + 1, "due": due_at}
    data = {"order.cancelled": _cancelled, "order.refund_due": _refund_due}
    told = data[type](order) if type in data else {}
    writes.commit(_become(order, after, type, told | {"again": True}))
    return after


def cancel_paid(order: Order, at: Moment, request: Request) -> None:
    """A paid order is cancelled before it was fulfilled: the event tells what must go back, goods and money."""
    reopened = [payables.closed(order["order_id"])] if money.payable(order) else []
    writes.commit(_ended(order, "cancelled", at), reopened, _done(request, order))


def fulfil(order: Order, request: Request) -> None:
    """The goods were handed over or sent. What had gone back before is no return."""
    gone = {"gone_before": money.gone(order)} if money.gone(order) else {}
    writes.commit(
        _change(order, "fulfilled", "order.fulfilled", keep={"fulfilled_at": clock.iso()} | gone),
        _done(request, order),
    )


def mark(order: Order, request: Request) -> None:
    """Nothing was left to do; the key belongs to this request all the same."""
    writes.commit(_done(request, order))


def _refund_due(order: Order) -> dict[str, Any]:
    return {"refunds": owing.refunds(order), "reason": order.get("refund_reason", str(order["state"]))}


def _cancelled(order: Order) -> dict[str, Any]:
    return {"was_paid": "paid_at" in order, "refunds": owing.refunds(order)}


def _payable(order: Order, after: Order, told: Told | None) -> list[writes.Write]:
    """The payable follows the order: open or not, until when, and what is counted now of the payment that told."""
    open_now = money.payable(after) if money.payable(after) != money.payable(order) else None
    until = after["pay_by"] if money.payable(after) and after["pay_by"] != order["pay_by"] else None
    counted = {told.payment_id: told.figures} if told else {}
    if open_now is None and until is None and not counted:
        return []
    return [payables.changed(order["order_id"], open=open_now, until=until, counted=counted)]


def _become(
    order: Order, after: Order, event: str | None = None, data: Mapping[str, Any] | None = None
) -> writes.Write:
    """The order becomes `after`: only what differs is written."""
    own = {"state", "version", "event", "due_shard"}
    keep = {name: value for name, value in after.items() if name not in own and order.get(name) != value}
    drop = [name for name in order if name not in after and name not in own]
    if "due" in keep:
        keep |= due.fields(order["pk"], after["due"])
    if "due" in drop:
        drop.append("due_shard")
    return _change(order, after["state"], event, data, keep=keep, drop=drop)


def _done(request: Request | None, order: Order) -> list[writes.Write]:
    return requests.done("ORDERS", request, order_id=order["order_id"]) if request else []


def _change(
    order: Order,
    state: str,
    event: str | None,
    data: Mapping[str, Any] | None = None,
    *,
    keep: Mapping[str, Any] | None = None,
    drop: Sequence[str] = (),
) -> writes.Write:
    """The order's next version, if it still is the version that was read; `keep` is set and `drop` removed with it.

    The event is replaced or removed: an old one left behind would be published again under the new version.
    """
    assert state == order["state"] or state in rules.NEXT[order["state"]], (order["state"], state)
    sets = {"state": state, **({"event": events.of(event, **(data or {}))} if event else {}), **(keep or {})}
    removes = [*drop] if event else ["event", *drop]
    return writes.update(
        "ORDERS",
        key(order["order_id"]),
        set="#version = #version + :one, " + ", ".join(f"#{name} = :{name}" for name in sets),
        remove=", ".join(f"#{name}" for name in removes),
        when="#version = :version AND #state = :was",
        values={":one": 1, ":version": order["version"], ":was": order["state"]}
        | {f":{name}": value for name, value in sets.items()},
        names={f"#{name}": name for name in ("version", *sets, *removes)},
    )
