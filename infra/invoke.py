"""Run one function once with a sample event: its answer, its log lines, every outside call with its units.

By default in this process on an empty, seeded cloud (moto) with the demo retailer's best-known products; with --live
in this process against the tables of the running platform. Nothing is published from here: streams are not followed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from infra import sam, template
from infra.say import Sorry, bold, dim

BASKET = "0190a1b2-0000-7000-8000-0000000000b1"
CUSTOMER = "0190a1b2-0000-7000-8000-000000000001"
OPEN_ORDER, PAID_ORDER = "7K2M9QXD4TZC", "3TN5W8RB6XKV"


@dataclass(frozen=True)
class Seen:
    """One outside call: what, how it ended, and the units it consumed."""

    name: str
    status: str
    read_units: float
    write_units: float


@dataclass(frozen=True)
class Outcome:
    """What one invocation did. `answer` is None if it raised `error`."""

    answer: Any
    error: str | None
    logs: list[str]
    calls: list[Seen]
    ms: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `mandje invoke`."""
    parser.add_argument("function", help="for example basket.api (or basket.api.handler, or BasketApi)")
    parser.add_argument("event", type=Path, help="a JSON file, for example events/basket/add-line.json")
    parser.add_argument("--live", action="store_true", help="against the running platform's tables")
    parser.add_argument("--json", action="store_true", help="print the whole outcome as JSON")


def run(args: argparse.Namespace) -> int:
    """Invoke and print; 0 unless the function raised."""
    name = args.function.removesuffix(".handler")
    known = {one.handler.removesuffix(".handler"): one.name for one in template.load().functions.values()}
    name = next((handler for handler, logical in known.items() if name in (handler, logical)), name)
    if name not in known:
        raise Sorry(f"there is no function {name}; there are {', '.join(sorted(known))}.")
    try:
        event = json.loads(args.event.read_text())
    except OSError as error:
        raise Sorry(f"{args.event} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise Sorry(f"{args.event} is not JSON: {error}.") from None
    outcome = live(name, event) if args.live else in_memory(name, event)
    if args.json:
        print(json.dumps(outcome, default=lambda value: value.__dict__, indent=2))
    else:
        _print(name, args.event, outcome)
    return 1 if outcome.error else 0


def in_memory(name: str, event: dict[str, Any]) -> Outcome:
    """Invoke on a seeded cloud in this process."""
    world = seeded_world(name.split(".")[0])
    before = len(world.calls)
    logged = len(world.logs)
    started = time.perf_counter()
    answer: Any = None
    error: str | None = None
    try:
        answer = world.invoke(name, event)
    except Exception as failure:
        error = str(failure)
    took = (time.perf_counter() - started) * 1000
    calls = [Seen(c.name, str(c.status or "ok"), c.read_units, c.write_units) for c in world.calls[before:]]
    return Outcome(answer, error, [line.text for line in world.logs[logged:]], calls, took)


def seeded_world(service: str | None = None) -> Any:
    """A cloud in this process with what the sample events of a service (None: of all) speak of.

    Stores, products and a guest's basket always; stock, orders, payments and people for those that need them.
    """
    from infra.local import retailer
    from tests.world import World

    world = World()
    staff = world.token("staff")
    with world.calm():
        for key, place in retailer.locations().items():
            world.call("PUT", f"/locations/{key}", staff, json=place)
        products = [one for one in retailer.products() if one["sku"] in retailer.ALWAYS_IN_STORE]
        world.call("POST", "/products/batch", staff, json={"products": products}, key="seed")
        _guest_basket()
        if service in (None, "stock", "checkout"):
            _stock(world, staff, [product["sku"] for product in products])
        if service in (None, "checkout"):
            _orders(world)
        if service in (None, "checkout", "payments"):
            _payments()
        if service in (None, "profiles", "basket"):
            _people(world)
    return world


def _stock(world: Any, staff: str, skus: list[str]) -> None:
    """Twenty-five of everything in a store and in the warehouse."""
    for location in ("ams-kalverstraat", "nl-warehouse"):
        for sku in skus:
            movement = {"location_id": location, "sku": sku, "kind": "receipt", "quantity": 25}
            world.call("POST", "/stock/movements", staff, json=movement, key=f"seed:{location}:{sku}")


def _guest_basket() -> None:
    """The basket of the sample events, two T-shirts in it, under its fixed id."""
    from commerce import aws
    from commerce.items import to_item

    at = "2026-11-21T09:58:00.000Z"
    item = {
        "pk": f"B#{BASKET}", "sk": "-", "basket_id": BASKET, "state": "open", "channel": "web", "market": "nl",
        "version": 2, "seen": {}, "proofs": {}, "recent": {}, "units": 2,
        "dots": {"SeedDot1": ["TEE-NAVY-M", 2, 1795255080000]},
        "created_at": at, "changed_at": at, "ttl": 4102444800,
    }  # fmt: skip
    os.environ.setdefault("BASKET_TABLE", template.load().tables["BasketTable"].name)
    aws.client("dynamodb").put_item(TableName=os.environ["BASKET_TABLE"], Item=to_item(item))


def _orders(world: Any) -> None:
    """What checkout's samples speak of: a customer's order that waits for its payment, and one that is paid."""
    from commerce import ids

    token, fresh = world.token("customer", CUSTOMER), ids.new_order_id
    contact, address = {"name": "Anna"}, {"line1": "Kalverstraat 1", "postal_code": "1012 NX", "city": "Amsterdam"}
    basket = world.call("GET", "/me/basket", token).json["basket_id"]
    wanted = {"basket_id": basket, "contact": contact, "fulfilment": {"kind": "delivery", "address": address}}
    try:
        for order_id in (OPEN_ORDER, PAID_ORDER):
            ids.new_order_id = partial(str, order_id)
            line = {"sku": "MUG-MANDJE", "quantity": 2}
            world.call("POST", f"/baskets/{basket}/lines", token, json=line, key=f"seed-line-{order_id}")
            world.call("POST", "/checkouts", token, json=wanted, key=f"seed-{order_id}")
    finally:
        ids.new_order_id = fresh
    captured = json.loads((sam.ROOT / "events/checkout/captured.json").read_text().replace(OPEN_ORDER, PAID_ORDER))
    world.invoke("checkout.on_event", captured)


def _payments() -> None:
    """What the payments samples speak of: an order to pay, and one with an open and a cash payment."""
    from commerce import clock

    until, owner = clock.after(900), {"owner": f"customer:{CUSTOMER}", "customer_id": CUSTOMER}
    items: list[dict[str, Any]] = []
    for order, total in (("7K2M9QXD4TZ0", 3990), ("3TN5W8RB6XKB", 5990)):
        number = f"{order[:4]}-{order[4:8]}-{order[8:]}"
        terms = {"order_id": order, "order_number": number, "currency": "EUR", "market": "nl"} | owner
        payable = {"state": "open", "amount": total, "until": until, "version": 1}
        items.append({"pk": f"DUE#{order}", "sk": "-"} | payable | terms)
    card, cash = f"{BASKET[:-2]}c1", f"{BASKET[:-2]}c2"
    ways = {
        card: {"provider": "stripe", "method": "online", "status": "open", "amount": 3990, "captured": 0,
               "provider_ref": "pi_sample1", "due_shard": "0", "due": until},
        cash: {"provider": "cash", "method": "cash", "status": "captured", "amount": 2000, "captured": 2000,
               "location_id": "ams-kalverstraat"},
    }  # fmt: skip
    for payment, way in ways.items():
        known = {"payment_id": payment, "account": "default", "refunded": 0, "version": 2, "created_at": clock.iso()}
        items += [{"pk": f"P#{payment}", "sk": "-"} | terms | known | way, {"pk": items[1]["pk"], "sk": f"P#{payment}"}]
    fact = {"kind": "capture", "object_id": cash, "status": "succeeded", "rank": 3 * 10**14 + 2000, "amount": 2000}
    fact |= {"currency": "EUR", "at": int(clock.source()), "of": cash, "last": True}
    items.append({"pk": f"P#{cash}", "sk": f"FACT#capture#{cash}"} | fact)
    _put("PaymentsTable", items)


def _people(world: Any) -> None:
    """What the profiles samples speak of: Anna with a card and a history, Bart, and Carla merged with Caroline."""
    from commerce import ids

    staff, people = world.token("staff"), [f"{CUSTOMER[:-1]}{number}" for number in range(1, 5)]
    for person, name in zip(people, ("Anna", "Bart", "Carla", "Caroline"), strict=True):
        world.call("PUT", "/me", world.token("customer", person), json={"given_name": name, "birth_date": "1990-04-27"})
    for identity in (
        {"kind": "email", "value": "anna@example.com", "verified": True},
        {"kind": "phone", "value": "06-12345678"},
        {"kind": "loyalty_card", "value": "2610 0042", "verified": True},
    ):
        world.call("POST", f"/profiles/{people[0]}/identities", staff, json=identity)
    for day in range(1, 4):
        at = f"2026-11-{day:02}T10:00:00.000Z"
        entry = {"type": "order.placed", "order_id": f"SAMPLE{day}", "channel": "web", "at": at}
        key = {"pk": f"T#{people[0]}", "sk": f"{at}#order/SAMPLE{day}@1", "customer_id": people[0]}
        _put("ProfilesTable", [key | entry])
    merge = {"survivor_id": people[2], "absorbed_id": people[3], "reason": "same address, asked by e-mail"}
    fresh, ids.new = ids.new, lambda: f"{BASKET[:-2]}d1"  # the merge's id, which a sample names
    try:
        world.call("POST", "/profiles/merges", staff, json=merge, key="seed-merge")
    finally:
        ids.new = fresh


def _put(table: str, items: list[dict[str, Any]]) -> None:
    from commerce import aws
    from commerce.items import to_item

    for item in items:
        aws.client("dynamodb").put_item(TableName=template.load().tables[table].name, Item=to_item(item))


def live(name: str, event: dict[str, Any]) -> Outcome:
    """Invoke in this process, with the running platform's tables, secrets and providers."""
    from infra.client import running_platform

    platform = running_platform()
    function = next(one for one in template.load().functions.values() if one.handler == f"{name}.handler")
    os.environ.update(platform["functions"][function.name]["env"])
    os.environ |= {
        "AWS_ENDPOINT_URL": platform["aws_endpoint"], "AWS_DEFAULT_REGION": platform["region"],
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    }  # fmt: skip
    handler = import_module(f"{name}").handler
    calls: list[Seen] = []
    context = type("Context", (), {"function_name": function.name, "aws_request_id": "local", "memory_limit_in_mb": 0,
                                   "invoked_function_arn": "local"})()  # fmt: skip
    written = io.StringIO()
    started = time.perf_counter()
    answer: Any = None
    error: str | None = None
    with _watched(calls), contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
        try:
            answer = handler(event, context)
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
    took = (time.perf_counter() - started) * 1000
    return Outcome(answer, error, written.getvalue().splitlines(), calls, took)


@contextlib.contextmanager
def _watched(calls: list[Seen]) -> Iterator[None]:
    """Every client this process makes asks for its consumed capacity and is noted down."""
    from commerce import aws

    make = aws.client

    def watched(service: str) -> Any:
        fresh = service not in aws._clients
        client = make(service)
        if fresh:
            events = client.meta.events
            events.register("provide-client-params.dynamodb.*", _ask_for_units)
            events.register("after-call.*", lambda model, http_response, parsed, **_: calls.append(
                _seen(service, model.name, http_response.status_code, parsed)))  # fmt: skip
        return client

    aws.reset()
    aws.client = watched
    try:
        yield
    finally:
        aws.client = make


def _ask_for_units(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
    takes = "ReturnConsumedCapacity" in model.input_shape.members
    return params | ({"ReturnConsumedCapacity": "TOTAL"} if takes else {})


def _seen(service: str, operation: str, status: int, parsed: dict[str, Any]) -> Seen:
    consumed = parsed.get("ConsumedCapacity") or []
    used = consumed if isinstance(consumed, list) else [consumed]
    total = sum(float(one.get("CapacityUnits") or 0) for one in used)
    reads = operation in ("GetItem", "BatchGetItem", "Query", "TransactGetItems")
    tables = "+".join(str(one.get("TableName")) for one in used if one.get("TableName"))
    return Seen(f"{service}.{operation} {tables}".strip(), str(status), total if reads else 0, 0 if reads else total)


def _print(name: str, path: Path, outcome: Outcome) -> None:
    print(f"{bold(name)}  {dim(str(path))}  {outcome.ms:.1f} ms")
    if outcome.error:
        print(f"\nraised {outcome.error}")
    else:
        print(f"\n{bold('answer')}")
        print(json.dumps(_readable(outcome.answer), indent=2, ensure_ascii=False))
    print(f"\n{bold('log')}")
    for line in outcome.logs:
        print(f"  {line}")
    print(f"\n{bold('outside calls')}")
    for call in outcome.calls:
        print(f"  {call.name:58} {call.status:>4}  {call.read_units:5.1f} RU {call.write_units:5.1f} WU")
    reads, writes = sum(c.read_units for c in outcome.calls), sum(c.write_units for c in outcome.calls)
    print(f"  {len(outcome.calls)} requests, {reads:.1f} read units, {writes:.1f} write units")


def _readable(answer: Any) -> Any:
    """A proxy answer with its JSON body opened."""
    if isinstance(answer, dict) and isinstance(answer.get("body"), str):
        with contextlib.suppress(ValueError):
            return answer | {"body": json.loads(answer["body"])}
    return answer
