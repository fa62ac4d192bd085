"""What carries events between functions, as the template wires it: table streams, the bus and its rules, queues, clocks
and the providers' webhooks. One thread, seeded order, nothing moves by itself:

    world.settle()              deliver until nothing moves, waiting (virtually) for retries
    world.advance(3600)         let an hour pass: the clocks of the template fire, then settle

A `Delivery` mode decides how rough the ride is: duplicates, disorder, delay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol
from uuid import UUID

from infra.template_model import Schedule, Template

from .bus import Bus
from .clock import Clock
from .queues import LiveQueue, Message
from .runtime import InvocationFailed
from .store import Change
from .streams import Entry, Shard, record, shard_of

MAX_DELIVERIES = 20_000
Invoke = Callable[[str, dict[str, Any]], Any]


@dataclass(frozen=True)
class Delivery:
    """How events travel. The default is the kindest way: once, in order, at once.

    `copies`: every delivery that succeeded happens this many times more. `shuffled`: sources take turns at random,
    queues hand out any message, batches have any size (order per item is kept in streams, as DynamoDB does).
    `delay`: messages become visible up to this many seconds late.
    """

    copies: int = 0
    shuffled: bool = False
    delay: float = 0.0


class Webhooks(Protocol):
    """A payment provider's outgoing requests (`infra.local.providers` has the real thing)."""

    name: str

    def tick(self) -> None:
        """Let happen at the provider what is due by itself."""

    def next_at(self) -> float | None:
        """When the next delivery is due; `None` if none waits."""

    def deliver_one(self, pick: Callable[[int], int]) -> None:
        """Make one due delivery and note the answer; `pick(n)` chooses among n due ones."""


class Stuck(AssertionError):
    """Deliveries went on for ever: something fails for good, or two functions call each other."""


class Pump:
    """Moves events. `invoke(function, event)` runs a function and raises `InvocationFailed` if it fails."""

    def __init__(self, template: Template, invoke: Invoke, clock: Clock, random: Random) -> None:
        self.template, self._invoke, self.clock, self.random = template, invoke, clock, random
        self.mode = Delivery()
        self.bus = Bus(template, clock, random, self.send)
        mapped = {mapping.queue: mapping for mapping in template.queue_mappings}
        self.queues = {key: LiveQueue(spec, mapped.get(key), clock) for key, spec in template.queues.items()}
        self.shards: dict[str, Shard] = {}
        self.webhooks: list[Webhooks] = []
        self.paused: set[str] = set()
        """Sources that deliver nothing for now: a queue, a schedule, `<Table>-><Function>`, a provider."""
        self._sequence = 0
        self.idle: Callable[[Schedule], bool] = lambda schedule: False
        """Clocks for which this holds do not fire; exploration saves itself sweeps that would find nothing."""
        self.failing: dict[str, InvocationFailed] = {}
        """Schedules whose latest invocation failed."""
        self._due = {schedule.name: clock.now + schedule.seconds for schedule in template.schedules}

    # ------------------------------------------------------------------------------------------------- coming in

    def on_change(self, change: Change) -> None:
        """An item changed: one stream record for every mapping on its table."""
        if change.table.stream is None:
            return
        self._sequence += 1
        written = record(change, self._sequence, self.clock)
        for mapping in self.template.streams:
            if mapping.table != change.table.logical_id:
                continue
            name = f"{mapping.table}->{mapping.function}"
            place = f"{name}#{shard_of(written)}" if self.mode.shuffled else name
            shard = self.shards.setdefault(place, Shard(name, change.table, mapping, self.clock))
            shard.entries.append(Entry(written, self.clock.now))
            shard.copies = shard.copies or self.mode.copies

    def send(self, queue: str, body: str) -> None:
        """Put a message into a queue (by logical id)."""
        late = self.random.uniform(0, self.mode.delay) if self.mode.delay else 0.0
        identifier = str(UUID(int=self.random.getrandbits(128), version=4))
        message = Message(identifier, body, self.clock.now, self.clock.now + late, copies=self.mode.copies)
        self.queues[queue].messages.append(message)

    # ------------------------------------------------------------------------------------------------- going out

    def settle(self) -> None:
        """Deliver until nothing moves; waits for retries, not for the template's clocks. Raises `Stuck`."""
        for _ in range(MAX_DELIVERIES):
            if self.step():
                continue
            wake = self._next_retry()
            if wake is None:
                return
            self.clock.now = max(self.clock.now, wake)
        raise Stuck(f"no end after {MAX_DELIVERIES} deliveries; still moving: {', '.join(self._moving())}")

    def advance(self, seconds: float, tick: float | None = None) -> None:
        """Let time pass. The template's clocks that came due fire once (every `tick` seconds if given), then settle."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now = min(end, self.clock.now + (tick or seconds))
            self.fire_due()
            self.settle()

    def fire_due(self) -> None:
        """Let providers' own timers and every due schedule act. A schedule that fails is tried at its next time."""
        for outbox in self.webhooks:
            outbox.tick()
        due = [s for s in self.template.schedules if self._due[s.name] <= self.clock.now and s.name not in self.paused]
        for schedule in [each for each in due if self.idle(each)]:
            due.remove(schedule)
            self.failing.pop(schedule.name, None)  # it would find nothing left to do
        if self.mode.shuffled:
            self.random.shuffle(due)
        for schedule in due:
            self._due[schedule.name] = self.clock.now + schedule.seconds
            for _ in range(1 + self.mode.copies):
                try:
                    self._invoke(
                        schedule.function, schedule.input or {"source": "aws.events", "time": self.clock.iso()}
                    )
                    self.failing.pop(schedule.name, None)
                except InvocationFailed as failure:
                    self.failing[schedule.name] = failure

    def step(self) -> bool:
        """Make one delivery. False if nothing can move now."""
        ready = list(self._ready())
        if not ready:
            return False
        source = self.random.choice(ready) if self.mode.shuffled else ready[0]
        if isinstance(source, Shard):
            source.deliver(self._batch(len(source.entries)), self._invoke, lambda lost: self._give_up(source, lost))
        elif isinstance(source, LiveQueue):
            self._receive(source)
        else:
            source.deliver_one(self.random.randrange if self.mode.shuffled else lambda waiting: 0)
        return True

    def _receive(self, queue: LiveQueue) -> None:
        spent = queue.spent()
        for message in spent:
            self.queues[str(queue.spec.dead_letters)].messages.append(message)
        visible = queue.visible()
        if self.mode.shuffled:
            self.random.shuffle(visible)
        if visible and queue.mapping:
            queue.deliver(visible[: self._batch(min(len(visible), queue.mapping.batch_size))], self._invoke)

    def _batch(self, most: int) -> int:
        return self.random.randint(1, most) if self.mode.shuffled else most

    def _give_up(self, shard: Shard, lost: list[Entry]) -> None:
        """What Lambda writes to the failure destination: where the records were, not what they said."""
        if shard.mapping.failure_queue is None:
            return
        note = {
            "requestContext": {"functionArn": shard.mapping.function, "condition": "RetryAttemptsExhausted"},
            "DDBStreamBatchInfo": {
                "startSequenceNumber": lost[0].number,
                "endSequenceNumber": lost[-1].number,
                "batchSize": len(lost),
                "streamArn": lost[0].record["eventSourceARN"],
            },
        }
        self.send(shard.mapping.failure_queue, json.dumps(note))

    # ------------------------------------------------------------------------------------------------- looking in

    def _ready(self) -> Iterator[Shard | LiveQueue | Webhooks]:
        for shard in self.shards.values():
            if shard.entries and shard.ready_at <= self.clock.now and shard.name not in self.paused:
                yield shard
        for queue in self.queues.values():
            if queue.mapping and queue.name not in self.paused and queue.visible():
                yield queue
        for outbox in self.webhooks:
            at = outbox.next_at()
            if at is not None and at <= self.clock.now and outbox.name not in self.paused:
                yield outbox

    def _next_retry(self) -> float | None:
        waits = [shard.ready_at for shard in self.shards.values() if shard.entries and shard.name not in self.paused]
        waits += [at for queue in self.queues.values() if queue.name not in self.paused and (at := queue.next_at())]
        waits += [at for outbox in self.webhooks if outbox.name not in self.paused and (at := outbox.next_at())]
        return min(waits, default=None)

    def _moving(self) -> list[str]:
        return sorted(
            {shard.name for shard in self.shards.values() if shard.entries}
            | {queue.name for queue in self.queues.values() if queue.mapping and queue.messages}
        )

    def dead_letters(self) -> dict[str, list[str]]:
        """Bodies of messages in queues nobody consumes: what failed for good, by queue."""
        return {
            key: [message.body for message in queue.messages]
            for key, queue in self.queues.items()
            if queue.mapping is None and queue.messages
        }
