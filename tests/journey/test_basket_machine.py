"""Devices, simple clients, sign-ins and orders against a plain specification of the basket (invariant I5).

The specification keeps every accepted add as one thing that is in the guest's basket, in the customer's, in an order,
or gone. It goes when somebody who saw it sets, removes or moves its line, and for no other reason. Hypothesis plays
random stories over the API; after every step the stored baskets must hold exactly these things. Each seeded mistake at
the end is one that a shop could make (and some did), and the same machine must find it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from commerce import baskets, writes
from commerce.baskets import moved_name
from tests.world.world import World

SKUS = ("TEE", "MUG")
AT = "2026-11-21T09:30:00Z"
Lines = Counter[tuple[str, bool]]


@dataclass
class Thing:
    """One accepted add. `place` is `a` (the guest's basket), `b` (the customer's), or an order's number."""

    sku: str
    quantity: int
    place: str
    saved: bool = False
    came: bool = False
    """It is in `b` because of the merge, untouched since."""
    by_old_address: bool = False
    """It was added by a's address while that led to `b`."""


@dataclass(frozen=True)
class Entry:
    """A way into a basket: at which address, and whether its caller sees all of it there."""

    address: str
    whole: bool


class Spec:
    """What the operations say. Things are known by the name the API gives them at the address they were added by."""

    def __init__(self) -> None:
        self.things: dict[tuple[str, str], Thing] = {}
        self.merged = False

    def home(self, address: str) -> str:
        return "b" if self.merged else address

    def visible(self, entry: Entry) -> dict[tuple[str, str], Thing]:
        home = self.home(entry.address)
        there = {key: thing for key, thing in self.things.items() if thing.place == home}
        if home == entry.address or entry.whole:
            return there
        return {key: thing for key, thing in there.items() if thing.came or thing.by_old_address}

    def add(self, entry: Entry, name: str, sku: str, quantity: int, *, saved: bool = False) -> None:
        home = self.home(entry.address)
        key = (entry.address, name)
        assert key not in self.things
        self.things[key] = Thing(sku, quantity, home, saved, by_old_address=home != entry.address)

    def line(self, entry: Entry, sku: str, seen: list[tuple[str, str]] | None, saved: bool | None) -> list[Any]:
        return [
            key
            for key, thing in self.visible(entry).items()
            if thing.sku == sku and (seen is None or key in seen) and saved in (None, thing.saved)
        ]

    def drop(self, keys: list[Any]) -> int:
        return sum(self.things.pop(key).quantity for key in keys)

    def carry_out(self, entry: Entry, name: str, kind: str, sku: str, quantity: int, seen: Any) -> None:
        """One operation of a device's log."""
        either = None if seen is not None else False
        match kind:
            case "add":
                self.add(entry, name, sku, quantity)
            case "set" | "remove":
                self.drop(self.line(entry, sku, seen, either))
                if kind == "set" and quantity:
                    self.add(entry, name, sku, quantity)
            case "save_for_later" | "move_to_basket":
                to_saved = kind == "save_for_later"
                moved = self.drop(self.line(entry, sku, seen, not to_saved))
                if moved:
                    self.add(entry, name, sku, moved, saved=to_saved)

    def merge(self) -> None:
        self.merged = True
        for thing in self.things.values():
            if thing.place == "a":
                thing.place, thing.came, thing.by_old_address = "b", True, False

    def undo(self) -> None:
        self.merged = False
        for thing in self.things.values():
            if thing.place == "b" and thing.came:
                thing.place, thing.came = "a", False

    def lines(self, place: str) -> Lines:
        total: Lines = Counter()
        for thing in self.things.values():
            if thing.place == place:
                total[thing.sku, thing.saved] += thing.quantity
        return total


@dataclass
class Device:
    """A device with a log of its own, and its own idea of the basket."""

    name: str
    entry: Entry
    token: str
    seq: int = 0
    queue: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    """Names of the adds it knows, and their SKUs."""


class Baskets(RuleBasedStateMachine):
    """The machine. One world an example."""

    def __init__(self) -> None:
        super().__init__()
        self.world = world = World()
        batch = [{"sku": sku, "name": sku, "prices": [{"amount": 100, "currency": "EUR"}]} for sku in SKUS]
        assert world.call("POST", "/products/batch", world.token("staff"), json={"products": batch}).status == 200
        made = world.call("POST", "/baskets", json={"channel": "web"}).json
        customer, staff = world.token("customer"), world.token("staff")
        till = world.token("device", sub="till")
        mine = world.call("GET", "/me/basket", customer).json["basket_id"]
        for quantity in (1, 0):  # looking makes no basket, the first edit does
            world.call("PUT", f"/baskets/{mine}/lines/{SKUS[0]}", customer, json={"quantity": quantity})
        self.ids = {"a": made["basket"]["basket_id"], "b": mine}
        self.guest_token, self.customer = made["token"], customer
        self.spec = Spec()
        guest, at_a, at_b = Entry("a", whole=False), Entry("a", whole=True), Entry("b", whole=True)
        self.people = [(guest, made["token"]), (at_a, staff), (at_b, customer), (at_b, staff)]
        self.devices = [
            Device("app", guest, made["token"]),
            Device("till", at_a, till),
            Device("till", at_b, till),
            Device("phone", at_b, customer),
        ]
        self.adds: list[tuple[Entry, str, str, dict[str, Any]]] = []
        self.orders: dict[str, tuple[str, dict[str, Any]]] = {}
        self.merge_id = ""
        self.count = 0

    @initialize()
    def begin(self) -> None:
        """The shop is open."""

    WHO, DEVICE, SKU = st.integers(0, 3), st.integers(0, 3), st.sampled_from(SKUS)
    QUANTITY = st.integers(1, 4)

    # ----------------------------------------------------------------------------------------- simple clients

    def _add(self, entry: Entry, token: str, key: str, body: dict[str, Any]) -> Any:
        answer = self.world.call("POST", f"/baskets/{self.ids[entry.address]}/lines", token, json=body, key=key)
        assert answer.status == 200, answer
        return answer

    def _new_name(self, entry: Entry, basket: dict[str, Any]) -> str:
        """The one name in an answer that no thing has yet."""
        known = {self._called(entry, key) for key in self.spec.things}
        (name,) = {each["id"] for line in basket["lines"] for each in line["added"]} - known
        return name

    @rule(who=WHO, sku=SKU, quantity=QUANTITY)
    def add(self, who: int, sku: str, quantity: int) -> None:
        entry, token = self.people[who]
        self.count += 1
        body = {"sku": sku, "quantity": quantity}
        answer = self._add(entry, token, f"key-{self.count}", body)
        self.spec.add(entry, self._new_name(entry, answer.json), sku, quantity)
        self.adds.append((entry, token, f"key-{self.count}", body))

    @precondition(lambda self: self.adds)
    @rule(which=st.integers(0, 99))
    def repeat_an_add(self, which: int) -> None:
        entry, token, key, body = self.adds[which % len(self.adds)]
        assert self._add(entry, token, key, body).headers.get("idempotent-replayed") == "true"

    @rule(who=WHO, sku=SKU, quantity=st.integers(0, 4))
    def set(self, who: int, sku: str, quantity: int) -> None:
        entry, token = self.people[who]
        path = f"/baskets/{self.ids[entry.address]}/lines/{sku}"
        answer = self.world.call("PUT", path, token, json={"quantity": quantity})
        assert answer.status == 200, answer
        line = self.spec.line(entry, sku, None, False)
        if sum(self.spec.things[key].quantity for key in line) != quantity:
            self.spec.drop(line)
            if quantity:
                self.spec.add(entry, self._new_name(entry, answer.json), sku, quantity)

    @rule(who=WHO, other=WHO, sku=SKU, quantity=st.integers(0, 4), added=QUANTITY)
    def set_while_another_adds(self, who: int, other: int, sku: str, quantity: int, added: int) -> None:
        """The add lands between the look and the write of the set: it survives."""
        entry, token = self.people[who]
        line = self.spec.line(entry, sku, None, False)
        if sum(self.spec.things[key].quantity for key in line) == quantity:
            return  # a set that writes nothing has no such moment
        armed = [True]

        def meanwhile(call: Any, perform: Callable[[], Any]) -> Any:
            if armed[0] and call.operation == "UpdateItem":
                armed[0] = False
                self.add(other, sku, added)
            return perform()

        self.world.outside.director = meanwhile
        path = f"/baskets/{self.ids[entry.address]}/lines/{sku}"
        answer = self.world.call("PUT", path, token, json={"quantity": quantity})
        self.world.outside.director = None
        assert answer.status == 200, answer
        self.spec.drop(line)
        if quantity:
            self.spec.add(entry, self._new_name(entry, answer.json), sku, quantity)

    # ----------------------------------------------------------------------------------------- devices

    @rule(
        which=DEVICE,
        kind=st.sampled_from(["add", "add", "set", "remove", "save_for_later", "move_to_basket"]),
        sku=SKU,
        quantity=QUANTITY,
        says=st.booleans(),
        online=st.booleans(),
    )
    def edit_on_a_device(self, which: int, kind: str, sku: str, quantity: int, says: bool, online: bool) -> None:
        device = self.devices[which]
        device.seq += 1
        operation: dict[str, Any] = {"seq": device.seq, "op": kind, "sku": sku, "at": AT}
        if kind in ("add", "set"):
            operation["quantity"] = quantity
        if kind != "add" and says:
            operation["seen"] = [name for name, of in device.known.items() if of == sku]
        device.queue.append(operation)
        if kind != "remove":
            device.known[f"{device.name}|{device.seq}"] = sku
        if online:
            self.push(which, 5, 0, False)

    @rule(which=DEVICE, count=st.integers(1, 5), again=st.integers(0, 2), lost=st.booleans())
    def push(self, which: int, count: int, again: int, lost: bool) -> None:
        """Send the next part of a log, maybe with a part sent before; the answer may be lost."""
        device = self.devices[which]
        fresh = device.queue[:count]
        batch = device.sent[len(device.sent) - again :] + fresh if again else fresh
        if not batch:
            return
        body = {"device_id": device.name, "operations": batch}
        answer = self.world.call(
            "POST", f"/baskets/{self.ids[device.entry.address]}/operations", device.token, json=body
        )
        assert answer.status == 200, answer
        assert answer.json["applied_seq"] == batch[-1]["seq"]
        writer = device.name if device.token not in (self.guest_token, self.customer) else f"~{device.name}"
        for operation in fresh:
            seen = operation.get("seen")
            own = f"{device.name}|"
            names = None if seen is None else [
                (device.entry.address, f"{writer}|{name.removeprefix(own)}" if name.startswith(own) else name)
                for name in seen
            ]  # fmt: skip
            self.spec.carry_out(
                device.entry, f"{writer}|{operation['seq']}", operation["op"], operation["sku"],
                operation.get("quantity", 0), names if names is None else self._same_things(device.entry, names),
            )  # fmt: skip
        device.sent += fresh
        del device.queue[: len(fresh)]
        if lost:
            repeat = self.world.call(
                "POST", f"/baskets/{self.ids[device.entry.address]}/operations", device.token, json=body
            )
            assert repeat.headers.get("idempotent-replayed") == "true"

    def _same_things(self, entry: Entry, names: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Things a caller at this address named, by the address they were added by."""
        return [key for name in names for key in self.spec.things if self._called(entry, key) == name[1]]

    def _called(self, entry: Entry, key: tuple[str, str]) -> str:
        """What a caller at `entry` calls a thing."""
        address, name = key
        if address == entry.address:
            return name
        return moved_name(name, baskets.tag(self.ids[address]))

    @rule(which=DEVICE)
    def pull(self, which: int) -> None:
        device = self.devices[which]
        basket = self.world.call("GET", f"/baskets/{self.ids[device.entry.address]}", device.token).json
        device.known = {
            each["id"]: line["sku"]
            for part in ("lines", "saved_for_later")
            for line in basket[part]
            for each in line["added"]
        } | {f"{device.name}|{operation['seq']}": operation["sku"] for operation in device.queue}

    # ----------------------------------------------------------------------------------------- sign-in and orders

    @rule()
    def sign_in(self) -> None:
        self.count += 1
        answer = self.world.call(
            "POST", "/me/basket/claims", self.customer, json={"basket_token": self.guest_token}, key=f"c{self.count}"
        )
        assert answer.status == 200, answer
        self.merge_id = answer.json["merge"]["merge_id"]
        if not self.spec.merged:
            self.spec.merge()

    @precondition(lambda self: self.merge_id)
    @rule()
    def undo(self) -> None:
        answer = self.world.call("DELETE", f"/me/basket/claims/{self.merge_id}", self.customer)
        assert answer.status == 200, answer
        if self.spec.merged:
            self.spec.undo()

    @contextmanager
    def _checkout(self) -> Any:
        with self.world.runtime.function_environment(self.world.template.functions["CheckoutApi"]):
            yield

    @rule(address=st.sampled_from("ab"), meanwhile=st.booleans(), sku=SKU)
    def order(self, address: str, meanwhile: bool, sku: str) -> None:
        """Place an order of the basket as it was looked at; maybe something is added between look and order."""
        if address == "a" and self.spec.merged:
            return
        with self._checkout():
            basket = baskets.home(self.ids[address])
            assert basket
            dots = baskets.ordered_dots(basket)
        things = [key for key, thing in self.spec.things.items() if thing.place == address and not thing.saved]
        if meanwhile:
            self.add(0 if address == "a" else 2, sku, 1)
        self.count += 1
        number = f"O{self.count}"
        with self._checkout():
            writes.commit(baskets.remove_ordered(basket, dots, number))
        for key in things:
            self.spec.things[key].place = number
        self.orders[number] = (address, dots)

    @precondition(lambda self: self.orders)
    @rule(which=st.integers(0, 9))
    def expire(self, which: int) -> None:
        """An order was not paid: its lines come back."""
        number = sorted(self.orders)[which % len(self.orders)]
        address, dots = self.orders.pop(number)
        with self._checkout():
            home = baskets.home(self.ids[address])
            assert home
            writes.commit(baskets.give_back(home, dots, number, self.ids[address]))
        for thing in self.spec.things.values():
            if thing.place == number:
                thing.place = self.spec.home(address)
                if thing.place != address:
                    thing.by_old_address, thing.came = True, False

    # ----------------------------------------------------------------------------------------- what must hold

    @invariant()
    def the_baskets_are_what_the_operations_say(self) -> None:
        stored = {
            item["basket_id"]: item for item in self.world.items("BasketTable") if item["sk"] == "-" and "dots" in item
        }
        for address, basket_id in self.ids.items():
            item = stored[basket_id]
            there: Lines = Counter()
            for dot in baskets.dots(item).values():
                there[dot.sku, dot.saved] += dot.quantity
            assert there == self.spec.lines(address), (address, there, self.spec.lines(address))
            assert item["units"] == there.total()

    def teardown(self) -> None:
        for which, device in enumerate(self.devices):
            while device.queue:
                self.push(which, 5, 0, True)
        self.the_baskets_are_what_the_operations_say()
        for entry, token in self.people:
            shown: Lines = Counter()
            basket = self.world.call("GET", f"/baskets/{self.ids[entry.address]}", token).json
            for part in ("lines", "saved_for_later"):
                for line in basket[part]:
                    shown[line["sku"], part != "lines"] += line["quantity"]
            want: Lines = Counter()
            for thing in self.spec.visible(entry).values():
                want[thing.sku, thing.saved] += thing.quantity
            assert shown == want, (entry, shown, want)
        assert not self.world.failures


def play(examples: int, steps: int = 25) -> None:
    """Play random stories, the same ones each time."""
    run_state_machine_as_test(Baskets, settings=settings_for(examples, steps))


def settings_for(examples: int, steps: int) -> settings:
    """Of a machine that plays the same stories each time."""
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, derandomize=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip


def test_the_baskets_are_always_what_the_operations_say() -> None:
    play(examples=15)


# ------------------------------------------------------------------------------------------------- seeded mistakes


def read_modify_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """A basket written back as a whole, as it was read, without a version: what came in between is lost."""
    change = baskets.change

    def careless(basket: Any, event: Any, **parts: Any) -> writes.Write:
        if "dots" not in basket:
            return change(basket, event, **parts)
        put, drop = parts.pop("put", None) or {}, parts.pop("drop", None) or {}
        after = {name: dot for name, dot in basket["dots"].items() if name not in drop} | dict(put)
        parts["set"] = [*parts.get("set", ()), "dots = :all, units = :sum"]
        parts["values"] = {**parts.get("values", {}), ":all": after, ":sum": baskets.sum_of(after)}
        gone = {name: baskets.stamp(dot) for name, dot in drop.items() if baskets.keyed(name)}
        return change(basket, event, **parts | {"remember": {**parts.get("remember", {}), **gone}})

    monkeypatch.setattr(baskets, "change", careless)


def no_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log whose repeats are recognised by what is in the basket only."""
    monkeypatch.setattr("basket.logs.advance", lambda *parts: [])
    monkeypatch.setattr("basket.logs.position", lambda at, writer: 0)
    monkeypatch.setattr("basket.operations.pending", lambda log, applied: log)
    monkeypatch.setattr("basket.operations.check_repeats", lambda *parts: None)


def counting_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A counter instead of a set: a line is changed by the difference, so two who remove it remove it twice."""
    from basket import basket as rules

    def difference(opened: Any, name: str, dot: Any, limits: Any, hour: int) -> Any:
        from dataclasses import replace

        there = sum(each.quantity for each in rules.line(opened.dots, dot.sku).values())
        by = replace(dot, quantity=dot.quantity - there)
        return rules.Edit("set", put={name: by}) if by.quantity else None

    monkeypatch.setattr(rules, "set_quantity", difference)


def emptied_by_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that empties the basket, whatever is in it by then."""

    def empty(basket: Any, dots: Any, order_id: str) -> writes.Write:
        return writes.update(
            "BASKET",
            baskets.key(basket["basket_id"]),
            set="dots = :none, units = :zero",
            values={":none": {}, ":zero": 0},
        )

    monkeypatch.setattr(baskets, "remove_ordered", empty)


def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of gone dots are not remembered: a late retry brings a removed line back."""
    monkeypatch.setattr(baskets, "keyed", lambda name: False)


def one_counter_per_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge that lets the logs of one till in two baskets run into each other."""
    monkeypatch.setattr(baskets, "moved_name", lambda name, tag: name)


def everything_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An undo that also takes what was added by the old address after the merge."""
    from basket import merging

    returned = merging.returned

    def all_of_it(a: Any, b: Any, idle: Any) -> Any:
        tag = baskets.tag(a["basket_id"])
        came = {
            name: [*packed[:3], "web", {"o": tag}] if baskets.Dot.of(packed).through == tag else packed
            for name, packed in b["dots"].items()
        }
        return returned(a, {**b, "dots": came}, idle)

    monkeypatch.setattr(merging, "returned", all_of_it)


MISTAKES = [
    read_modify_write, no_sequence, counting_down, emptied_by_the_order, forgetful, one_counter_per_device,
    everything_goes_back,
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_the_machine_finds(mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mistake(monkeypatch)
    with pytest.raises(BaseException) as found:
        play(examples=60, steps=30)
    assert "AssertionError" in repr(found.value) or "ValueError" in repr(found.value), found
