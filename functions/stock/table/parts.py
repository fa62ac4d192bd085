"""Splitting a level that is written too often, and joining its parts again, while it sells.

On the base level `active` says over how many parts what comes in is spread, `shards` how many parts exist and must be
read. Only what is available moves; what is held stays in its part until it is settled. Parts are never deleted: their
versions go on counting, so their events stay in order.
"""

from typing import Any

from commerce import clock, events, holds, ids, problems, reads, writes
from stock import levels, movements
from stock.levels import Change, Level, absent
from stock.table import jobs
from stock.table.jobs import Job
from stock.table.movements import apply, conditions, levels_at

MOST_PARTS = 16
"""Sixteen parts sell some 8,000 orders a second; and all of them fit one transaction with room to spare."""

_ATTEMPTS = 12
_JOIN_EVERY_S = 60


def split(sku: str, location_id: str, parts: int) -> dict[str, Any] | None:
    """Spread a level over `parts` parts, or (1) join them; None if there is no such level.

    Joining ends when the last hold on a part is settled: a job sees to that.
    """
    active = parts if parts > 1 else 0
    for attempt in range(_ATTEMPTS):
        if attempt:
            clock.pause(0.01 * 2 ** min(attempt, 5) * ids.random_bytes(1)[0] / 255)
        here = _ever_made(sku, location_id)
        if not here:
            return None
        if not active and not here[0].get("shards"):
            return _shown(location_id, here, [], active)  # never split, or joined to the end
        exist = max(active, len(here) - 1)
        here += [absent(sku, location_id, 0, str(part)) for part in range(len(here) - 1, exist)]
        # Takes go on meanwhile, so what is available shrinks between reading and writing: each turn asks for less.
        changes = levels.rebalanced(here, active, percent=max(0, 100 - 12 * attempt))
        join = [] if active else [_join(sku, location_id, exist)]
        try:
            writes.commit(_reshape(here, changes, exist, active), join)
        except writes.Refused:
            continue
        return _shown(location_id, here, changes, active)
    raise problems.busy()


def _ever_made(sku: str, location_id: str) -> list[Level]:
    """The base level and every part there ever was, in order; [] if there is no base level."""
    keys = [holds.level_key(sku, location_id, shard) for shard in (None, *map(str, range(MOST_PARTS)))]
    found = reads.get_many({"STOCK": keys})["STOCK"]
    return [found[key] for key in keys if key in found] if keys[0] in found else []


def _shown(location_id: str, here: list[Level], changes: list[Change], active: int) -> dict[str, Any]:
    return movements.left_behind(location_id, here, changes) | {"shards": active or 1}


def _reshape(here: list[Level], changes: list[Change], exist: int, active: int) -> list[writes.Write]:
    """Fragments: move what is available between base and parts, and say on the base level which parts there are."""
    base, moved = here[0], {change.level["sk"]: change for change in changes}
    change = moved.pop(base["sk"], Change(base, 0, exact=False))
    when, values = conditions(change)
    values |= {":units": change.units, ":one": 1, ":event": events.of("stock.level_changed"), ":exist": exist}
    flag, drop = (", active = :active", "") if active else ("", "active")
    # New parts exist even if nothing went into them: whoever reads the base level reads them.
    created = [Change(level, 0) for level in here[1:] if level["version"] == 0 and level["sk"] not in moved]
    return [
        writes.update(
            "STOCK",
            holds.level_key(base["sku"], base["location_id"]),
            set="on_hand = on_hand + :units, available = available + :units, shards = :exist, "
            f"#v = #v + :one, #e = :event{flag}",
            remove=drop,
            when=f"{when} AND (attribute_not_exists(shards) OR shards <= :exist)",
            values=values | ({":active": active} if active else {}),
            names={"#v": "version", "#e": "event"},
        ),
        *apply(list(moved.values())),
        *(_empty(each.level) for each in created),
    ]


def _empty(level: Level) -> writes.Write:
    return writes.put("STOCK", holds.new_level(level["sku"], level["location_id"], 0, shard=level["shard"]))


def _join(sku: str, location_id: str, exist: int) -> writes.Write:
    return jobs.started(
        "join", f"JOIN#{sku}#{location_id}", wait_s=_JOIN_EVERY_S, sku=sku, location_id=location_id, parts=exist
    )


def join(job: Job) -> None:
    """One step: what became available on parts again goes to the base level; once all are empty they are left."""
    sku, place = job["sku"], job["location_id"]
    here = levels_at([(sku, place)])[sku, place]
    if not here or here[0].get("active") or not here[0].get("shards"):
        writes.commit(jobs.finished(job))
        return
    if changes := levels.rebalanced(here, 0):
        writes.commit(apply(changes), jobs.advanced(job))
    elif any(part["on_hand"] or part["reserved"] for part in here[1:]):
        writes.commit(jobs.advanced(job, wait_s=_JOIN_EVERY_S))
    else:
        writes.commit(_leave(here), jobs.finished(job))


def _leave(here: list[Level]) -> list[writes.Write]:
    """Fragments: nobody needs to read the parts any more. Only if every one of them is empty and none is in use."""
    base, *parts = here
    empty = [
        writes.check(
            "STOCK", (part["pk"], part["sk"]), when="on_hand = :zero AND reserved = :zero", values={":zero": 0}
        )
        for part in parts
    ]
    left = writes.update(
        "STOCK",
        (base["pk"], base["sk"]),
        set="#v = #v + :one, #e = :event",
        remove="shards",
        when="attribute_not_exists(active) AND shards = :exist",
        values={":one": 1, ":event": events.of("stock.level_changed"), ":exist": len(parts)},
        names={"#v": "version", "#e": "event"},
    )
    return [left, *empty]
