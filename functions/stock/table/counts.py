"""Counts of many SKUs: stored at once, booked step by step, each SKU exactly once.

Items `JOB#COUNT#<id>` / `-` and `PART#<n>` {counts{sku: units}}. A SKU's movement has an id that follows from the count
and the SKU, so a step that is done twice finds its movements booked.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from commerce import clock, locations, pricing, reads, requests, writes
from stock import movements
from stock.levels import Level, absent
from stock.movements import Asked
from stock.table import jobs
from stock.table.jobs import Job
from stock.table.movements import AlreadyMoved, apply, levels_at, put_movement

_AT_ONCE = 90
_TURNS = 6
_NAMED_FAILURES = 100
_KEPT_S = 30 * 24 * 3600

Booking = tuple[Asked, list[writes.Write], int]
"""What is asked, the fragments that do it, and the difference they book."""


def start(
    count_id: str,
    location_id: str,
    by: str,
    reference: str | None,
    parts: list[dict[str, int]],
    request: requests.Request,
) -> Job:
    """Store a count; the worker goes on from there. Raises `requests.AlreadyDone` for a repeat.

    Parts first, one by one: together they may be more than one item's partition takes at once. Nobody sees them
    before the job is there; those of a repeat, or of a call that died, are dropped after 30 days.
    """
    job = jobs.new(
        "count", _job_id(count_id), count_id=count_id, location_id=location_id, by=by, reference=reference,
        at=clock.iso(), total=sum(map(len, parts)), parts=len(parts), next=0, done=0, changed=0, surplus=0, missing=0,
        failures=0, failed=[],
    )  # fmt: skip
    kept = clock.epoch_after(_KEPT_S)
    for place, counts in enumerate(parts):
        part = {"pk": job["pk"], "sk": f"PART#{place:04d}", "counts": counts, "ttl": kept}
        writes.commit(writes.put("STOCK", part))
    try:
        writes.commit(requests.done("STOCK", request, answer=_first_answer(job)), writes.put("STOCK", job))
    except writes.Refused as refused:
        if done := refused.first(requests.AlreadyDone):
            raise done from None
        raise
    return job


def _first_answer(job: Job) -> dict[str, Any]:
    return {name: value for name, value in job.items() if name not in ("pk", "sk", "due", "due_shard", "hurry", "run")}


def read(count_id: str) -> Job | None:
    """A count and how far it is."""
    return jobs.read(_job_id(count_id))


def _job_id(count_id: str) -> str:
    return f"COUNT#{count_id}"


def book_part(job: Job) -> None:
    """One step: book the next part."""
    part = reads.get("STOCK", (job["pk"], f"PART#{job['next']:04d}"))
    counts: dict[str, int] = part["counts"] if part else {}
    asked = [_asked(job, sku, units) for sku, units in counts.items()]
    found = levels_at([(one.sku, one.location_id) for one in asked])
    known = pricing.products(list(counts))
    unknown = [one.sku for one in asked if one.sku not in known and not found[one.sku, one.location_id]]
    wanted = [one for one in asked if one.sku not in unknown]
    differences = list(_book(wanted, found))
    failed = job["failed"] + [{"sku": sku, "reason": "unknown-sku"} for sku in unknown]
    progress = {
        "next": job["next"] + 1,
        "done": job["done"] + len(asked),
        "changed": job["changed"] + sum(1 for each in differences if each),
        "surplus": job["surplus"] + sum(each for each in differences if each > 0),
        "missing": job["missing"] - sum(each for each in differences if each < 0),
        "failures": job["failures"] + len(unknown),
        "failed": failed[:_NAMED_FAILURES],
    }
    last = progress["next"] >= job["parts"]
    writes.commit(jobs.finished(job, **progress) if last else jobs.advanced(job, **progress))


def _asked(job: Job, sku: str, units: int) -> Asked:
    return Asked(
        movements.derived_id(clock.parse(job["at"]), "count", job["count_id"], sku),
        "count", sku, job["location_id"], units, job["by"], job["at"], reference=job.get("reference", job["count_id"]),
    )  # fmt: skip


def _book(wanted: Iterable[Asked], found: Mapping[tuple[str, str], list[Level]]) -> Iterator[int]:
    """Book counts, many in one transaction; where one of them is refused, each by itself. Yields the differences."""
    for group in _groups(_booking(one, found[one.sku, one.location_id]) for one in wanted):
        try:
            writes.commit(*(fragments for _, fragments, _ in group))
        except writes.Refused:
            yield from (_book_alone(asked) for asked, _, _ in group)
        else:
            yield from (difference for _, _, difference in group)


def _booking(asked: Asked, levels: list[Level]) -> Booking:
    safety = locations.every()[asked.location_id]["safety_stock"]
    here = levels or [absent(asked.sku, asked.location_id, safety)]
    changes = movements.plan(asked, here)
    movement = movements.booked(asked, here, changes)
    return asked, [put_movement(movement), *apply(changes)], movement["quantity"]


def _groups(bookings: Iterable[Booking]) -> Iterator[list[Booking]]:
    group: list[Booking] = []
    for booking in bookings:
        if group and sum(len(fragments) for _, fragments, _ in group) + len(booking[1]) > _AT_ONCE:
            yield group
            group = []
        group.append(booking)
    if group:
        yield group


def _book_alone(asked: Asked) -> int:
    """Book one count against levels as they are now. Raises the last refusal if they never hold still."""
    for turn in range(_TURNS):
        if turn:
            locations.every(fresh=True)
        levels = levels_at([(asked.sku, asked.location_id)])[asked.sku, asked.location_id]
        _, fragments, difference = _booking(asked, levels)
        try:
            writes.commit(fragments)
        except writes.Refused as refused:
            if done := refused.first(AlreadyMoved):
                return int(done.movement["quantity"])
            last = refused
        else:
            return difference
    raise last
