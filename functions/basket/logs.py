"""Store: how far each device's log is applied, and what it said at each place.

In the basket's item: `seen{writer: seq}` and `proofs{writer: [proof, ...]}`, the proofs of the operations up to `seq`.
Beside it: `B#<basket>`/`SEEN#<writer>` the position of an idle device's log, `B#<basket>`/`PROOF#<writer>#<seq>` proofs
of earlier operations from `seq` on, as one text. Why: docs/decisions/basket-retries.md.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from basket.basket import Edit, Opened
from basket.parts import GUEST_TOKEN_S, Parts
from commerce import baskets, clock, reads, writes

Item = dict[str, Any]

MOST_LOGS = 32
"""So many devices' log positions are kept in the basket itself; idle ones move to items of their own."""
MOST_PROOFS = 32
"""So many proofs of a log are kept in the basket itself, at 6 bytes each; then all move to an item of their own."""
_LENGTH = 5
"""Characters of a proof."""


# ------------------------------------------------------------------------------------------------------- reading


def position(at: Opened, writer: str) -> int:
    """How far a device's log was applied, by the stored name of the log; also if the device was idle for long."""
    there: int | None = at.item["seen"].get(writer)
    if there is None and "archived" in at.item:
        keys = [(pk, f"SEEN#{name}") for pk, name in _addresses(at, writer)]
        there = max((item["seq"] for item in reads.get_many({"BASKET": keys})["BASKET"].values()), default=0)
    return there or 0


def proofs(at: Opened, writer: str, applied: int, first: int) -> dict[int, str]:
    """The proofs of a log that is `applied` so far, by place, at least from place `first` on."""
    known = _placed(at.item.get("proofs", {}).get(writer, []) if writer in at.item["seen"] else [], applied)
    if any(seq not in known for seq in range(first, applied + 1)):
        for pk, name in _addresses(at, writer):
            known = earlier(reads.every("BASKET", pk, prefix=f"PROOF#{name}#")) | known
    return known


def earlier(items: Iterable[Item]) -> dict[int, str]:
    """The proofs in items of their own, by place."""
    return {
        int(item["sk"].rpartition("#")[2]) + place: item["proofs"][place * _LENGTH : (place + 1) * _LENGTH]
        for item in items
        for place in range(len(item["proofs"]) // _LENGTH)
    }


def of_merged(b: Item, tag: str) -> tuple[dict[str, int], dict[str, list[str]]]:
    """The logs of a merged basket, as `b` has them: positions and proofs by stored names, idle and earlier ones too."""
    suffix = f"@{tag}"
    seen = {writer: seq for writer, seq in b["seen"].items() if writer.endswith(suffix)}
    pk = baskets.key(b["basket_id"])[0]
    if "archived" in b:
        idle = {item["sk"].removeprefix("SEEN#"): item["seq"] for item in reads.every("BASKET", pk, prefix="SEEN#")}
        seen = {writer: seq for writer, seq in idle.items() if writer.endswith(suffix)} | seen
    moved: dict[str, list[Item]] = {}
    for item in reads.every("BASKET", pk, prefix="PROOF#"):
        moved.setdefault(item["sk"].removeprefix("PROOF#").rpartition("#")[0], []).append(item)
    return seen, {
        writer: _tail(earlier(moved.get(writer, [])) | _placed(b.get("proofs", {}).get(writer, []), seq), seq)
        for writer, seq in seen.items()
    }


def _addresses(at: Opened, writer: str) -> list[tuple[str, str]]:
    """Where items of a log may be, and its name there: what was written before a merge stays at the old address."""
    found = [(baskets.key(at.item["basket_id"])[0], writer)]
    if at.through:
        found.append((baskets.key(baskets.untag(at.through))[0], writer.removesuffix("@" + at.through)))
    return found


def _placed(tail: list[str], applied: int) -> dict[int, str]:
    return {applied - len(tail) + 1 + place: proof for place, proof in enumerate(tail)}


def _tail(known: Mapping[int, str], applied: int) -> list[str]:
    """The proofs up to `applied` that follow each other without a gap."""
    first = applied
    while first in known:
        first -= 1
    return [known[seq] for seq in range(first + 1, applied + 1)]


# ------------------------------------------------------------------------------------------------------- writing


def advance(parts: Parts, at: Opened, edit: Edit) -> list[writes.Write]:
    """The device's log is exactly where this batch begins, and then where it ends.

    Returns what is written beside the basket's item: rarely something, when a log or the number of logs got long.
    """
    if edit.writer is None:
        return []
    parts.names["#writer"] = edit.writer
    parts.set.append("seen.#writer = :seq")
    parts.values |= {":seq": edit.seq, ":proofs": list(edit.proofs)}
    if edit.was_seq > 0 if not at.read else edit.writer in at.item["seen"]:
        return _goes_on(parts, at, edit)
    parts.set.append("proofs.#writer = :proofs")
    parts.when.append("attribute_not_exists(seen.#writer)")
    # Its position may be in an item of its own. Whoever has not looked there must not begin anew.
    archived = at.item.get("archived")
    parts.when.append("archived = :was_archived" if archived else "attribute_not_exists(archived)")
    parts.values |= {":was_archived": archived} if archived else {}
    if not at.read:
        parts.when.append("size(seen) < :logs")
        parts.values[":logs"] = MOST_LOGS
    return _make_room(parts, at)


def _goes_on(parts: Parts, at: Opened, edit: Edit) -> list[writes.Write]:
    """A log that is in the item. As long as its position is what was read, its proofs are too."""
    parts.when.append("seen.#writer = :was_seq")
    parts.values[":was_seq"] = edit.was_seq
    tail = at.item.get("proofs", {}).get(edit.writer, []) if at.read else []
    if len(tail) + len(edit.proofs) > MOST_PROOFS:
        parts.set.append("proofs.#writer = :proofs")
        return _moved_out(at, str(edit.writer), edit.was_seq)
    parts.set.append("proofs.#writer = list_append(proofs.#writer, :proofs)")
    if not at.read:
        parts.when.append("size(proofs.#writer) <= :proofs_room")
        parts.values[":proofs_room"] = MOST_PROOFS - len(edit.proofs)
    return []


def _make_room(parts: Parts, at: Opened) -> list[writes.Write]:
    """When one more device comes than the basket keeps, logs of devices without a dot move to items of their own."""
    if not at.read or len(at.item["seen"]) < MOST_LOGS:
        return []
    busy = {name.partition("|")[0] for name in at.item["dots"]}
    by_use = sorted(at.item["seen"].items(), key=lambda entry: (entry[0] in busy, entry[0]))
    idle = dict(by_use[: MOST_LOGS // 2])
    for place, (writer, seq) in enumerate(idle.items()):
        parts.names[f"#i{place}"], parts.values[f":i{place}"] = writer, seq
        parts.when.append(f"seen.#i{place} = :i{place}")
        parts.remove += [f"seen.#i{place}", f"proofs.#i{place}"]
    parts.set.append("archived = :archived")
    parts.values[":archived"] = (at.item.get("archived") or 0) + len(idle)
    positions = [_beside(at, f"SEEN#{writer}", seq=seq) for writer, seq in idle.items()]
    return positions + [write for writer, seq in idle.items() for write in _moved_out(at, writer, seq)]


def _moved_out(at: Opened, writer: str, applied: int) -> list[writes.Write]:
    """The proofs that leave the basket's item."""
    tail = at.item.get("proofs", {}).get(writer, [])
    if not tail:
        return []
    return [_beside(at, f"PROOF#{writer}#{applied - len(tail) + 1:013}", proofs="".join(tail))]


def _beside(at: Opened, sk: str, **members: Any) -> writes.Write:
    item: Item = {"pk": baskets.key(at.item["basket_id"])[0], "sk": sk} | members
    if "ttl" in at.item:
        item["ttl"] = clock.epoch_after(GUEST_TOKEN_S)
    return writes.put("BASKET", item, when="")
