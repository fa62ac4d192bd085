"""What an operation costs, counted on the wire of the in-process world: requests, units, invocations, events, messages.

Units follow DynamoDB's published rules (`tests/world/units.py`), worst case: an index entry that changed is paid for,
a condition that failed too.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from tests.world import World, units
from tests.world.aws import Change
from tests.world.matching import matches
from tests.world.runtime import _load


@dataclass(frozen=True)
class Outgoing:
    """One outside call as the bill sees it: `dynamodb.UpdateItem BasketTable`, or a provider's host and method."""

    function: str
    kind: str
    service: str
    operation: str
    target: str
    write_units: float
    read_units: float


RELAY = "RelayOnStream"


@dataclass
class Count:
    """What was used. `requests` are those to DynamoDB; everything else is listed apart."""

    calls: list[Outgoing] = field(default_factory=list)
    invocations: Counter[str] = field(default_factory=Counter)
    """Lambda invocations by function (logical id)."""
    served: Counter[str] = field(default_factory=Counter)
    """Requests API Gateway passed on, by function."""
    logged: Counter[str] = field(default_factory=Counter)
    """Lines written to the logs, by function."""
    written: Counter[str] = field(default_factory=Counter)
    """Write units by table (logical id)."""
    records: Counter[str] = field(default_factory=Counter)
    """Items changed, which is stream records, by table."""
    dated: Counter[str] = field(default_factory=Counter)
    """Write units of the `due` index, by table."""
    published: int = 0
    """Events put on the bus."""
    queued: int = 0
    """Messages its rules put into queues."""

    @property
    def requests(self) -> int:
        """Requests to DynamoDB."""
        return sum(call.service == "dynamodb" for call in self.calls)

    @property
    def write_units(self) -> float:
        """Write request units, index writes included."""
        return sum(call.write_units for call in self.calls)

    @property
    def read_units(self) -> float:
        """Read request units."""
        return sum(call.read_units for call in self.calls)

    @property
    def other_requests(self) -> int:
        """AWS requests that are neither DynamoDB nor publishing: secrets. None once a function is warm."""
        return sum(call.kind == "aws" and call.service not in ("dynamodb", "eventbridge") for call in self.calls)

    def __add__(self, other: Count) -> Count:
        return Count(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})

    def of(self, *functions: str) -> Count:
        """The part some functions had in it. Events and messages count as the relay's; tables are not divided."""

        def part(whole: Counter[str]) -> Counter[str]:
            return Counter({name: whole[name] for name in functions if name in whole})

        part_of_bus = RELAY in functions
        return Count(
            calls=[call for call in self.calls if call.function in functions],
            invocations=part(self.invocations),
            served=part(self.served),
            logged=part(self.logged),
            published=self.published if part_of_bus else 0,
            queued=self.queued if part_of_bus else 0,
        )


class Meter:
    """Counts what happens in a world, from its making on. Also keeps the events functions were given."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.invocations: Counter[str] = Counter()
        self.events: dict[str, list[Any]] = defaultdict(list)
        self._written: Counter[tuple[str, str]] = Counter()
        self._told, world.aws.on_change = world.aws.on_change, self._changed
        self._doors = {route.function for route in world.template.routes}
        for name, function in world.template.functions.items():
            world.runtime.stand_ins[name] = functools.partial(self._run, name, function.handler)

    def _run(self, name: str, handler: str, event: dict[str, Any], context: Any) -> Any:
        self.invocations[name] += 1
        self.events[name].append(event)
        return _load(handler)(event, context)

    def _changed(self, change: Change) -> None:
        """Called for every changed item, while the request that changed it is the latest."""
        table, call = change.table, self.world.calls[-1] if self.world.calls else None
        twice = call is not None and call.operation.startswith("Transact")
        self._written["units", table.logical_id] += units.write(table, change.old, change.new, transactional=twice)
        self._written["records", table.logical_id] += 1
        if due := table.indexes.get("due"):
            moved = units.entry(table, due, change.old), units.entry(table, due, change.new)
            entries = sum(each is not None for each in moved) if moved[0] != moved[1] else 0
            self._written["due", table.logical_id] += entries
        self._told(change)

    @contextmanager
    def counted(self) -> Iterator[Count]:
        """What is used inside; read the `Count` afterwards."""
        world, count = self.world, Count()
        calls, published, logged = len(world.calls), len(world.pump.bus.log), len(world.logs)
        invocations, written = Counter(self.invocations), Counter(self._written)
        yield count
        count.calls += [
            Outgoing(c.function, c.kind, c.service, c.operation, c.target, c.write_units, c.read_units)
            for c in world.calls[calls:]
        ]
        count.invocations = self.invocations - invocations
        count.served = Counter({name: times for name, times in count.invocations.items() if name in self._doors})
        for line in world.logs[logged:]:
            count.logged[line.function] += 1
        for (what, table), amount in (self._written - written).items():
            {"units": count.written, "records": count.records, "due": count.dated}[what][table] += amount
        fresh = world.pump.bus.log[published:]
        count.published = len(fresh)
        count.queued = sum(
            len(rule.queues)
            for told in fresh
            for rule in world.template.rules
            if rule.bus == told.bus and matches(rule.pattern, told.event)
        )
