"""Levels and movements: what is read, and the one transaction that books a movement."""

from collections.abc import Sequence
from typing import Any

from commerce import clock, events, holds, ids, locations, problems, reads, requests, writes
from stock import movements
from stock.levels import Change, Level, NotEnough, absent
from stock.movements import Asked

_ATTEMPTS = 10
_HISTORY_READ = 300
_HISTORY_ROUNDS = 4


# ------------------------------------------------------------------------------------------------------- levels


def levels_everywhere(sku: str) -> list[Level]:
    """All levels of a SKU, parts included: one request. For showing, so a moment old is fine; takes check again."""
    return list(reads.every("STOCK", f"SKU#{sku}", prefix="LOC#", consistent=False))


def levels_at(wanted: Sequence[tuple[str, str]], *, consistent: bool = True) -> dict[tuple[str, str], list[Level]]:
    """Levels of (SKU, location) pairs, base first; [] where there is none. A second request only if some are split."""
    base = reads.get_many({"STOCK": [holds.level_key(*pair) for pair in wanted]}, consistent=consistent)["STOCK"]
    parts = holds.parts_of(base.values())
    found = base | (reads.get_many({"STOCK": parts}, consistent=consistent)["STOCK"] if parts else {})
    answer: dict[tuple[str, str], list[Level]] = {pair: [] for pair in wanted}
    for key in [*base, *parts]:
        if key in found:
            answer[found[key]["sku"], found[key]["location_id"]].append(found[key])
    return answer


# ---------------------------------------------------------------------------------------------------- movements


def book(asked: Asked, request: requests.Request) -> dict[str, Any]:
    """Write a movement and what it does to levels in one transaction, with the request's marker.

    The levels are read, the rule decides, and the write holds only if they still are what was decided on; otherwise
    again with fresh ones. Raises `levels.NotEnough`, `requests.AlreadyDone`, and 503 if it never came through.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            clock.pause(0.01 * 2 ** min(attempt, 5) * ids.random_bytes(1)[0] / 255)
        here, there = _read(asked, fresh=attempt > 0)
        try:
            changes = movements.plan(asked, here, there)
        except NotEnough:
            # Base level and parts are not read in one moment: goods on their way between them are looked for twice.
            if attempt == 0 and any(level.get("shards") for level in here):
                continue
            # The goods may be missing because this very request took them, and its answer was lost.
            if marker := reads.get("STOCK", (request.pk, "-")):
                raise requests.AlreadyDone(marker) from None
            raise
        movement = movements.booked(asked, here, changes)
        answer = movement | {"level": movements.left_behind(asked.location_id, here, changes)}
        try:
            writes.commit(
                put_movement(movement), apply(changes), requests.done("STOCK", request, answer=_without_none(answer))
            )
        except writes.Refused as refused:
            if done := refused.first(requests.AlreadyDone):
                raise done from None
        else:
            return answer
    raise problems.busy()


def _read(asked: Asked, *, fresh: bool) -> tuple[list[Level], list[Level]]:
    """The levels at the place and at the place the goods go to, base first, stand-ins for those not there yet."""
    places = [asked.location_id] + ([asked.to_location_id] if asked.to_location_id else [])
    found = levels_at([(asked.sku, place) for place in places])
    safety = {place: known["safety_stock"] for place, known in locations.every(fresh=fresh).items()}
    here, *there = (found[asked.sku, place] or [absent(asked.sku, place, safety[place])] for place in places)
    return here, there[0] if there else []


def put_movement(movement: dict[str, Any], *, silent: bool = False) -> writes.Write:
    """Fragment: keep a movement. Refused with `AlreadyMoved` if it is there: the same goods never move twice."""
    item = {"pk": f"SKU#{movement['sku']}", "sk": f"MOVE#{movement['movement_id']}", "version": 1}
    event = {} if silent else {"event": events.of("stock.moved")}
    return writes.put("STOCK", item | movement | event, refused=lambda old: AlreadyMoved(old or {}))


def tell_again(movement: dict[str, Any], version: int) -> None:
    """An order asks again what became of its goods: tell it once more, once for each version of the order."""
    write = writes.update(
        "STOCK",
        (movement["pk"], movement["sk"]),
        set="#v = #v + :one, told_for = :version, #e = :event",
        when="attribute_not_exists(told_for) OR told_for < :version",
        names={"#v": "version", "#e": "event"},
        values={":one": 1, ":version": version, ":event": events.of("stock.moved")},
    )
    try:
        writes.commit(write)
    except writes.Refused:
        return


class AlreadyMoved(Exception):
    """This movement is booked; `movement` is how."""

    def __init__(self, movement: dict[str, Any]) -> None:
        super().__init__("already moved")
        self.movement = movement


def apply(changes: Sequence[Change]) -> list[writes.Write]:
    """Fragments: change levels. Refused with `Superseded` where a level is no longer what the change was made for."""
    return [write for change in changes for write in _apply(change)]


def _apply(change: Change) -> list[writes.Write]:
    level, units = change.level, change.units
    if level["version"] == 0:
        return _create(change)
    key = holds.level_key(level["sku"], level["location_id"], level.get("shard"))
    if units == 0:
        return [writes.check("STOCK", key, when="on_hand = :seen", values={":seen": level["on_hand"]})]
    when, values = conditions(change)
    return [
        writes.update(
            "STOCK",
            key,
            set="on_hand = on_hand + :units, available = available + :units, #v = #v + :one, #e = :event",
            when=when,
            values=values | {":units": units, ":one": 1, ":event": _event(change)},
            names={"#v": "version", "#e": "event"},
        )
    ]


def conditions(change: Change) -> tuple[str, dict[str, Any]]:
    """What must still be true of a level for a change of what is on hand there."""
    if change.oversold:
        # The event names who is at risk: it must be about exactly this version.
        return "#v = :version", {":version": change.level["version"]}
    parts, values = ["attribute_exists(pk)"], {}
    if change.exact:
        # Takes and releases may pass meanwhile, but what is on hand must be what was seen.
        parts, values = ["on_hand = :seen"], {":seen": change.level["on_hand"]}
    if change.units < 0:
        # Nothing leaves that is promised.
        parts, values = [*parts, "available >= :lowered"], values | {":lowered": -change.units}
    return " AND ".join(parts), values


def _event(change: Change) -> dict[str, Any]:
    if change.oversold is None:
        return events.of("stock.level_changed")
    return events.of("stock.oversold", missing=change.oversold.missing, orders=change.oversold.orders)


def _create(change: Change) -> list[writes.Write]:
    """A level that is not there yet. Its safety stock is its location's: true only if that is not just changing."""
    sku, place, shard = change.level["sku"], change.level["location_id"], change.level.get("shard")
    if change.units == 0:
        return [writes.check("STOCK", holds.level_key(sku, place, shard), when="attribute_not_exists(pk)")]
    made = holds.new_level(sku, place, change.units, safety=change.level["safety"], shard=shard)
    put = writes.put("STOCK", made | {"event": _event(change)})
    return [put] if shard else [put, still_safe(place, change.level["safety"])]


def still_safe(location_id: str, safety: int) -> writes.Write:
    """Fragment: only if this is the safety stock of the location."""
    key = locations.key(location_id)
    return writes.check("STOCK", key, when="safety_stock = :safety", values={":safety": safety})


def _without_none(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if value is not None}


def history(
    sku: str, location_id: str | None, limit: int, start: dict[str, Any] | None
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Movements of a SKU, newest first, and where the next page starts.

    With a location only those from or to it: the others are read too, so one call looks through a bounded number and
    may return a short page.
    """
    only = "location_id = :place OR to_location_id = :place" if location_id else ""
    found: list[dict[str, Any]] = []
    for _ in range(_HISTORY_ROUNDS):
        items, start = reads.page(
            "STOCK", f"SKU#{sku}", prefix="MOVE#", newest_first=True, consistent=False, start=start,
            limit=_HISTORY_READ if location_id else limit - len(found), only=only, values={":place": location_id},
        )  # fmt: skip
        found += items
        if len(found) >= limit or start is None:
            break
    if len(found) > limit:
        last = found[limit - 1]
        return found[:limit], {"pk": last["pk"], "sk": last["sk"]}
    return found, start
