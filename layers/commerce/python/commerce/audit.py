"""Who did what to which object: an entry for each sensitive thing that staff or a device does.

    AUDIT#<kind>/<id> / <entry id>     in the table of the service that acts; entry ids sort by time

The entry is written in the transaction of the action itself, so there is none without the other. It is put if absent
and never written again: no function may update or delete such an item. Ids only, nothing personal. What shoppers do
with what is theirs makes no entry; stock movements need none, because they are such facts themselves (`by`).
"""

from dataclasses import dataclass

from commerce import clock, events, ids, writes
from commerce.principal import Principal

PREFIX = "AUDIT#"


@dataclass(frozen=True, slots=True)
class Entry:
    """One action, before it is carried out. `about` names the object (`order/7K2M9QXD4TZ0`), `other` a second one."""

    by: str
    action: str
    about: str
    location_id: str | None = None
    other: str | None = None


def entry(caller: Principal, action: str, about: str, *, other: str | None = None) -> Entry | None:
    """The entry for what this caller does, or None for a shopper. The location is where the caller says to be."""
    return Entry(caller.key, action, about, caller.location_id, other) if caller.serves else None


def kept(table: str, what: Entry | None) -> list[writes.Write]:
    """The fragment that keeps the entry in this table, if there is one."""
    if what is None:
        return []
    item = {
        "pk": f"{PREFIX}{what.about}",
        "sk": ids.new(),
        "action": what.action,
        "about": what.about,
        "other": what.other,
        "by": what.by,
        "location_id": what.location_id,
        "at": clock.iso(),
        "correlation_id": events.Cause.correlation_id or None,
    }
    return [writes.put(table, {name: value for name, value in item.items() if value is not None})]
