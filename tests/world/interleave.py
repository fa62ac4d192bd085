"""Every order in which the outside calls of concurrent actors can happen.

DynamoDB carries out each request as if alone, so switching actors between outside calls covers everything two Lambdas
can do to each other. Each actor is a greenlet that stops before every call; wherever more than one can go on, the world
forks. Orders that only swap two calls which have no item in common, or which both only read, lead to the same end and
are skipped (sleep sets), so what remains is exhaustive.

    found = interleave(setup, [buy("ann"), buy("bob")], check)
    assert not found.failures
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from greenlet import getcurrent, greenlet

from . import memory, runtime
from .calls import Call, Perform
from .explore import NothingExplored
from .forks import Forks
from .world import World

Actor = Callable[[World], Any]
Check = Callable[[World], list[str]]
_ROUTER_STATE = ("current_event", "lambda_context")


@dataclass
class Interleavings:
    """What was explored: `schedules` orders ran to their end, `skipped` were known to end like another."""

    schedules: int = 0
    skipped: int = 0
    seconds: float = 0.0
    failures: list[tuple[str, list[str]]] = field(default_factory=list)
    """Schedules that went wrong: the actors' numbers in the order of their calls, and what was found."""

    def __str__(self) -> str:
        head = (
            f"{self.schedules} schedules ({self.skipped} more are equal to one of them) in {self.seconds:.1f} s, "
            f"{len(self.failures)} failures"
        )
        return "\n".join([head, *(f"   {order}: {'; '.join(problems)}" for order, problems in self.failures[:5])])


def interleave(
    setup: Actor,
    actors: list[Actor],
    check: Check,
    switches: int | None = None,
    schedule: str | None = None,
    make: Callable[[], World] = World,
) -> Interleavings:
    """Run the actors in every order of their outside calls, then settle and `check`.

    `switches` bounds how often an actor is left although it could go on (for long actors: 2 finds most mistakes).
    `schedule` runs one known order instead ("0110": actor 0 makes its first call, then actor 1, ...).
    """
    started = time.monotonic()
    world = make()
    with world.calm():
        setup(world)
    race = _Race(world, actors, switches, schedule)
    outcome = race.run(check)
    race.forks.report({"order": race.order, "problems": outcome})
    if race.forks.in_child:
        race.forks.end_child()
    found = Interleavings()
    for result in race.forks.results():
        found.schedules += result["problems"] is not None
        found.skipped += result["problems"] is None
        if result["problems"]:
            found.failures.append((result["order"], result["problems"]))
    found.seconds = time.monotonic() - started
    print(found)
    if schedule is None and found.schedules < 2:
        raise NothingExplored("only one order was possible: the actors make no calls that could be ordered otherwise")
    return found


class _Race:
    """The scheduler: resumes one actor at a time for exactly one call."""

    def __init__(self, world: World, actors: list[Actor], switches: int | None, schedule: str | None) -> None:
        self.world, self.switches, self.schedule = world, switches, schedule
        self.forks = Forks()
        self.hub = getcurrent()
        self.next: dict[int, Call] = {}
        self.errors: list[str] = []
        self.order = ""
        self.greenlets = [greenlet(self._body(number, actor)) for number, actor in enumerate(actors)]
        world.outside.director = self._stop

    def _body(self, number: int, actor: Actor) -> Callable[[], None]:
        def run() -> None:
            try:
                actor(self.world)
            except Exception as error:
                self.errors.append(f"actor {number}: {type(error).__name__}: {error}")

        return run

    def _stop(self, call: Call, perform: Perform) -> Any:
        """Called before each outside call: give the others a chance, then make it."""
        if getcurrent() is self.hub:
            return perform()
        self.next[self.greenlets.index(getcurrent())] = call
        mine = _process_state()
        self.hub.switch()
        _restore(mine)
        return perform()

    def _resume(self, number: int) -> None:
        """Let an actor make its waiting call (if it has one) and run up to its next."""
        self.next.pop(number, None)
        ours = _process_state()
        self.greenlets[number].switch()
        _restore(ours)

    def run(self, check: Check) -> list[str] | None:
        """Play one branch to its end. `None`: this order is equal to one that was or will be played elsewhere."""
        for number in range(len(self.greenlets)):
            self._resume(number)
        asleep: set[int] = set()
        last, left = None, self.switches
        while alive := [number for number, each in enumerate(self.greenlets) if not each.dead]:
            pick = self._pick([number for number in alive if number not in asleep], last if left == 0 else None, asleep)
            if pick is None:
                return None
            if left is not None and last is not None and pick != last and last in alive:
                left -= 1
            made, last = self.next[pick], pick
            # An order that is explored elsewhere stays skippable only as long as what follows does not touch it.
            asleep = {number for number in asleep if number in self.next and _independent(self.next[number], made)}
            self.order += str(pick)
            self._resume(pick)
        self.world.outside.director = None
        self.world.settle()
        return self.errors + check(self.world)

    def _pick(self, awake: list[int], stay: int | None, asleep: set[int]) -> int | None:
        if self.schedule is not None:
            place = len(self.order)
            wanted = int(self.schedule[place]) if place < len(self.schedule) else awake[0]
            return wanted if wanted in awake else awake[0]
        if stay is not None and stay in awake:
            return stay  # no switches left: go on with the same actor
        if not awake:
            return None
        *others, last = awake
        for number in others:
            if self.forks.branch():
                return number
            if self.switches is None:  # (under a bound, the order that stands for this one may be out of bounds)
                asleep.add(number)  # the child plays everything that starts with this call
        return last


def _independent(one: Call, other: Call) -> bool:
    """Whether two calls give the same result in either order."""
    if not (one.writes or other.writes):
        return True
    return not any(
        table == other_table and (key == other_key or "*" in (key, other_key))
        for table, key in one.footprint
        for other_table, other_key in other.footprint
    )


def _process_state() -> dict[str, Any]:
    """What concurrent Lambdas have one of each, and actors in one process must not share."""
    return {
        "environment": dict(os.environ),
        "streams": (sys.stdout, sys.stderr, runtime.STREAM.sink),
        "router": {name: BaseRouter.__dict__[name] for name in _ROUTER_STATE if name in BaseRouter.__dict__},
        "contexts": [(resolver, dict(resolver.context)) for resolver in memory.resolvers],
        "classes": [(owner, name, owner.__dict__[name]) for owner, name in memory.class_variables],
    }


def _restore(state: dict[str, Any]) -> None:
    if os.environ != state["environment"]:
        os.environ.clear()
        os.environ.update(state["environment"])
    sys.stdout, sys.stderr, runtime.STREAM.sink = state["streams"]
    for name, value in state["router"].items():
        setattr(BaseRouter, name, value)
    for resolver, context in state["contexts"]:
        resolver.context.clear()
        resolver.context.update(context)
    for owner, name, value in state["classes"]:
        if owner.__dict__[name] is not value:
            setattr(owner, name, value)
