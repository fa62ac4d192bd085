"""Every fault at every outside call of a journey, and the seed that replays what was found.

    exploration = explore(place_order)              # every single fault
    assert not exploration.failures
    replay("place-order@17:die_after", place_order) # the same run again, in this process, with a report

A journey is a function of a world that makes requests, settles, lets time pass and asserts what the shopper was
promised. It runs once undisturbed; at each call it branches (fork) once per kind of fault, and every branch runs to
its end: the client tries again, events are delivered again, clocks fire, then the oracles look at what is left.
"""

from __future__ import annotations

import time
import traceback
import zlib
from collections.abc import Callable
from typing import Any

from .calls import Call, Perform, current
from .doctor_hook import violations
from .faults import ClientGone, Faults, kinds
from .findings import Exploration, Failure, NothingExplored, name_of, parse, seed_text
from .forks import Forks
from .keys import eventual_tables
from .world import Response, World

Journey = Callable[[World], None]
Oracle = Callable[[World], list[str]]
Make = Callable[[int], World]
Slice = tuple[int, int] | None
CLIENT_TRIES = 5

MODES: dict[str, dict[str, Any]] = {
    "once": {},
    "twice": {"copies": 1},
    "shuffled": {"shuffled": True, "delay": 20.0},
    "rough": {"copies": 1, "shuffled": True, "delay": 20.0},
}
"""How events travel: `twice` delivers everything again although it succeeded, `shuffled` reorders and delays."""


def explore(
    journey: Journey,
    depth: int = 1,
    slice: Slice = None,
    seed: int = 0,
    modes: tuple[str, ...] = ("once",),
    oracle: Oracle = violations,
    make: Make = World,
    where: Callable[[Call], bool] = lambda call: True,
) -> Exploration:
    """Run a journey undisturbed and with every fault (`depth` 2: every pair) at every call, in every delivery mode.

    `slice` (i, n) takes the i-th of n equal parts, always the same one; `where` limits the calls that are struck.
    Prints what was explored. Raises `NothingExplored` if no fault struck anywhere.
    """
    found = Exploration(name_of(journey))
    started = time.monotonic()
    for mode in modes:
        calm = make(seed)
        problems = _play(calm, Faults({}, calm.aws), journey, mode, oracle)
        if problems:  # then faults have nothing to add
            found.failures.append(Failure(seed_text(found.journey, mode, {}, seed), "", problems))
            continue
        for result in _Explorer(journey, mode, seed, depth, slice, oracle, where).run(make(seed)):
            found.note(mode, result)
    found.seconds = time.monotonic() - started
    print(found)
    if not found.points and not found.failures:
        raise NothingExplored(f"{found.journey}: no fault struck anywhere; is its work done inside world.calm()?")
    return found


def replay(text: str, journey: Journey, oracle: Oracle = violations, make: Make = World) -> list[str]:
    """Run one seed again in this process; prints every call with the faults in place, returns the problems."""
    name, mode, plan, seed = parse(text)
    if name != name_of(journey):
        raise ValueError(f"{text} is about {name}, not {name_of(journey)}")
    world = make(seed)
    faults = Faults(plan, world.aws)
    world.outside.director = faults
    problems = _play(world, faults, journey, mode, oracle)
    if missing := set(plan) - {call.number for call in faults.struck}:
        problems.append(f"nothing to strike at call {missing}: the journey has changed since this seed was printed")
    for call in world.calls:
        if call.number >= 0:
            print(f"{call.number:4d} {call.function:20s} {call.name} {plan.get(call.number, '')}")
    print("\n".join(problems) or "no problems")
    return problems


class _Explorer:
    """One delivery mode of one journey: a director that branches at every call."""

    def __init__(
        self,
        journey: Journey,
        mode: str,
        seed: int,
        depth: int,
        slice_: Slice,
        oracle: Oracle,
        where: Callable[[Call], bool],
    ) -> None:
        self.journey, self.mode, self.seed, self.depth = journey, mode, seed, depth
        self.slice, self.oracle, self.where = slice_, oracle, where
        self.forks = Forks()
        self.before: dict[str, list[Call]] = {}
        """The calls each invocation has made so far."""

    def run(self, world: World) -> list[dict[str, Any]]:
        self.world, self.faults = world, Faults({}, world.aws)
        world.outside.director = self._direct
        problems = _play(world, self.faults, self.journey, self.mode, self.oracle)
        plan = self.faults.plan
        self.forks.report(
            {
                "seed": seed_text(name_of(self.journey), self.mode, plan, self.seed),
                "call": self.faults.struck[-1].name if self.faults.struck else "",
                "plan": list(plan.items()),
                "problems": problems,
            }
        )
        if self.forks.in_child:
            self.forks.end_child()
        return self.forks.results()

    def _direct(self, call: Call, perform: Perform) -> Any:
        if len(self.faults.plan) < self.depth and not self.faults.lasts(call) and self.where(call):
            for kind in self._kinds(call, perform):
                if self._chosen(call, kind) and self.forks.branch():
                    self.faults.plan[call.number] = kind
                    break
        return self.faults(call, perform)

    def _kinds(self, call: Call, perform: Perform) -> list[str]:
        invocation = current.get()
        assert invocation is not None
        earlier = self.before.setdefault(invocation.request_id, [])
        wrote = any(each.writes for each in earlier)
        found = kinds(call, first=not earlier, wrote=wrote, client_waits=self.faults.client_waits)
        # A sweeper asks sixteen shards the same question: being refused at one stands for all.
        repeated = bool(earlier) and not call.writes and earlier[-1].name == call.name
        earlier.append(call)
        return [
            kind
            for kind in found
            if not (kind == "throttled" and repeated) and not (kind == "stale" and not self._differs(call, perform))
        ]

    def _differs(self, call: Call, perform: Perform) -> bool:
        """Whether the latest write changes what this read sees at all."""
        tables = [each for each in eventual_tables(call.operation, call.params) if self.world.aws.store.written(each)]
        if not tables:
            return False
        now = perform().content
        with self.world.aws.store.rewound(tables):
            return bool(perform().content != now)

    def _chosen(self, call: Call, kind: str) -> bool:
        if self.faults.plan:
            return True  # a slice is of first faults; each is followed by all second ones
        part, parts = self.slice or (0, 1)
        return zlib.crc32(f"{self.seed} {self.mode} {call.number} {kind}".encode()) % parts == part


def _play(world: World, faults: Faults, journey: Journey, mode: str, oracle: Oracle) -> list[str]:
    """The journey and its aftermath; what went wrong, in words."""
    world.deliver(**MODES[mode])
    world.pump.idle = world.aws.nothing_due
    world.client = lambda send: _persistent(world, faults, send)
    try:
        journey(world)
    except ClientGone:
        pass  # what the client was promised is moot; what the system owes itself is not
    except Exception as error:
        return _told(error, world)
    try:
        world.settle()
        world.advance(60)
        with world.calm():  # whatever was struck gets one more chance to come right
            world.advance(60)
    except Exception as error:
        return ["afterwards", *_told(error, world)]
    return oracle(world)


def _persistent(world: World, faults: Faults, send: Callable[[], Response]) -> Response:
    """A client that sends the same request again when the server failed or asked for it."""
    for attempt in range(CLIENT_TRIES):
        faults.client_waits = True
        response = send()
        faults.client_waits = False
        if faults.client_gone:
            raise ClientGone
        if attempt == CLIENT_TRIES - 1 or (response.status < 500 and "retry-after" not in response.headers):
            break
        world.clock.tick(float(response.headers.get("retry-after", 1)))
    return response


def _told(error: Exception, world: World) -> list[str]:
    """An error with its line, and the last one inside a function, which is often its cause."""
    told = [f"{type(error).__name__}: {error}".strip(), _place(error)]
    inside = [failure for failure in world.failures if not failure.crashed][-1:]
    return told + [f"inside: {failure} at {_place(failure.error)}" for failure in inside]


def _place(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}: {frame.line}"
