"""Locations, and the safety stock their levels keep back."""

from typing import Any

from commerce import clock, events, holds, ids, locations, problems, reads, writes
from stock import movements
from stock.levels import Level, absent
from stock.table import jobs
from stock.table.jobs import Job
from stock.table.movements import levels_at, still_safe

_ATTEMPTS = 10
_PAGE = 100
_SECOND_LOOK_S = 60


def put_location(location_id: str, described: dict[str, Any]) -> dict[str, Any]:
    """Replace a location by what is described; returns it as stored.

    Another safety stock is carried to the levels by a job that starts in the same transaction.
    """
    for _ in range(_ATTEMPTS):
        old = reads.get("STOCK", locations.key(location_id))
        pk, sk = locations.key(location_id)
        item = {"pk": pk, "sk": sk, "location_id": location_id, "version": 1} | described
        put = writes.put("STOCK", item)
        job: list[writes.Write] = []
        if old:
            item["version"] = old["version"] + 1
            put = writes.put(
                "STOCK", item, when="#v = :version", values={":version": old["version"]}, names={"#v": "version"}
            )
            if old["safety_stock"] != item["safety_stock"]:
                job = [_carry_on(location_id, described["safety_stock"])]
        try:
            writes.commit(put, job)
        except writes.Refused:
            continue
        locations.forget()
        return item
    raise problems.busy()


def _carry_on(location_id: str, safety: int) -> writes.Write:
    return jobs.started("safety", f"SAFETY#{location_id}", location_id=location_id, safety=safety, look=1, changed=0)


def carry_safety(job: Job) -> None:
    """One step: the next page of a location's levels gets its safety stock, unless they have one of their own.

    The index may not list a level yet that was made a moment before; so everything is looked at twice.
    """
    names, start = _page(job["location_id"], job.get("next"))
    found = levels_at([(sku, job["location_id"]) for sku in names])
    changed = job["changed"] + sum(_carry(levels[0], job["safety"]) for levels in found.values() if levels)
    if start:
        writes.commit(jobs.advanced(job, next=start, changed=changed))
    elif job["look"] == 1:
        again = {name: value for name, value in job.items() if name != "next"}
        writes.commit(jobs.advanced(again, wait_s=_SECOND_LOOK_S, look=2, changed=changed))
    else:
        writes.commit(jobs.finished(job, changed=changed))


def _page(location_id: str, start: dict[str, Any] | None) -> tuple[list[str], dict[str, Any] | None]:
    """SKUs with a base level at a location, a page at a time."""
    items, following = reads.page(
        "STOCK", location_id, index="location", hash_name="stocked_at", range_name="sku", limit=_PAGE, start=start
    )
    return [item["sku"] for item in items], following


def _carry(level: Level, safety: int) -> bool:
    """Give one level the location's safety stock; False if it has it, or one of its own."""
    if level["safety"] == safety or level.get("own_safety"):
        return False
    try:
        writes.commit(_safety(level, safety, when=" AND attribute_not_exists(own_safety)"))
    except writes.Refused:
        return False  # somebody gave it another one meanwhile; the second look sees whether that was meant
    return True


def set_safety(sku: str, location_id: str, safety: int | None) -> dict[str, Any]:
    """Give the level of a SKU a safety stock of its own, or (None) its location's again. Returns the level."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            clock.pause(0.01 * ids.random_bytes(1)[0] / 255)
        usual = locations.every(fresh=True)[location_id]["safety_stock"]
        wanted = usual if safety is None else safety
        here = levels_at([(sku, location_id)])[sku, location_id] or [absent(sku, location_id, wanted)]
        base = here[0]
        if safety is None:
            change = [_safety(base, wanted, remove="own_safety"), still_safe(location_id, usual)]
        else:
            change = [_safety(base, wanted, set=", own_safety = :own", values={":own": True})]
        try:
            writes.commit(change)
        except writes.Refused:
            continue
        now = base | {"safety": wanted, "available": base["available"] + base["safety"] - wanted}
        return movements.left_behind(location_id, [now, *here[1:]], [])
    raise problems.busy()


def _safety(
    level: Level, safety: int, *, set: str = "", remove: str = "", when: str = "", values: dict[str, Any] | None = None
) -> writes.Write:
    """Fragment: another safety stock; what is available changes by the difference."""
    event = events.of("stock.level_changed")
    if level["version"] == 0:
        made = holds.new_level(level["sku"], level["location_id"], 0, safety=safety)
        return writes.put("STOCK", made | ({"own_safety": True} if set else {}))
    changed = {
        ":old": level["safety"],
        ":safety": safety,
        ":more": level["safety"] - safety,
        ":one": 1,
        ":event": event,
    }
    return writes.update(
        "STOCK",
        holds.level_key(level["sku"], level["location_id"]),
        set=f"safety = :safety, available = available + :more, #v = #v + :one, #e = :event{set}",
        remove=remove,
        when=f"safety = :old{when}",
        values=changed | {":one": 1, ":event": event} | (values or {}),
        names={"#v": "version", "#e": "event"},
    )
