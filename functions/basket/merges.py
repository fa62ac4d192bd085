"""Store: merging two baskets and undoing it, each in one transaction.

Keys: `OWNER#<person>`/`MERGE#<merge>` what a claim did, beside the items of `table`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from basket.merging import Returned, Taken
from basket.parts import GUEST_KEPT_S, GUEST_TOKEN_S, Parts
from basket.table import abandoned_after
from commerce import baskets, clock, due, events, ids, reads, requests, writes
from commerce.baskets import BasketChanged

Item = dict[str, Any]


def merge_record(owner: str, merge_id: str) -> Item | None:
    """What a claim of this owner did."""
    return reads.get("BASKET", (f"OWNER#{owner}", f"MERGE#{merge_id}"))


def for_claim(wanted: str, mine: str, request: requests.Request | None) -> tuple[Item | None, Item | None, Item | None]:
    """Both baskets, and the marker of this request if it was carried out before; one request."""
    keys = [baskets.key(wanted), baskets.key(mine), (request.pk if request else "-", "-")]
    found = reads.get_many({"BASKET": keys})["BASKET"]
    return found.get(keys[0]), found.get(keys[1]), found.get(keys[2])


def merge(a: Item, b: Item, what: Taken, *, request: requests.Request | None = None) -> Item:
    """Take basket `a` into the owned basket `b`, and remember how. All at once: b's lines, a's forwarding, the record.

    Raises `writes.Refused` with `requests.AlreadyDone`, or because one of them changed meanwhile (read again).
    """
    until = clock.epoch_after(GUEST_TOKEN_S)
    merge_id = ids.new()
    record = {
        "pk": f"OWNER#{b['customer_id']}", "sk": f"MERGE#{merge_id}", "merge_id": merge_id, "state": "merged",
        "from_basket_id": a["basket_id"], "basket_id": b["basket_id"], "merged_at": clock.iso(),
        "lines": what.lines, "version": 1, "ttl": until,
    }  # fmt: skip
    event = events.of(
        "basket.merged", merge_id=merge_id, from_basket_id=a["basket_id"], skus=baskets.skus_of(what.dots)
    )
    parts = _logs_set(what.seen, what.proofs)
    parts.names["#through"] = what.tag
    parts.values[":until"] = until
    parts.set.append("took.#through = :until")
    over = [tag for tag, ends in b["took"].items() if ends < clock.source() and tag != what.tag][:20]
    for place, tag in enumerate(over):
        parts.names[f"#over{place}"] = tag
        parts.remove.append(f"took.#over{place}")
    if a.get("archived"):
        parts.set.append("archived = if_not_exists(archived, :zero) + :archived")
        parts.values |= {":zero": 0, ":archived": a["archived"]}
    parts.look_after(baskets.key(b["basket_id"])[0], abandoned_after())
    parts.when += ["customer_id = :customer", "attribute_not_exists(took.#through)"]
    parts.values[":customer"] = b["customer_id"]
    writes.commit(
        baskets.change(
            b, event, put=what.dots, remember=what.recent, set=parts.set, remove=parts.remove, when=parts.when,
            values=parts.values, names=parts.names,
        ),
        _forwarding(a, b, merge_id, until),
        writes.put("BASKET", record),
        requests.done("BASKET", request, merge_id=merge_id) if request else [],
    )  # fmt: skip
    return record


def _forwarding(a: Item, b: Item, merge_id: str, until: int) -> writes.Write:
    """`a`, exactly as it was read, becomes a forwarder to `b`."""
    return writes.update(
        "BASKET",
        baskets.key(a["basket_id"]),
        set="#s = :merged, merged_to = :b, merge_id = :merge, dots = :none, units = :zero, #ttl = :until,"
        " #v = #v + :one, #e = :event",
        remove=due.REMOVE,
        when="#s = :open AND #v = :version",
        values={
            ":merged": "merged", ":open": "open", ":b": b["basket_id"], ":merge": merge_id, ":none": {}, ":zero": 0,
            ":until": until, ":one": 1, ":version": a["version"],
            ":event": events.of("basket.changed", change="merged", skus=baskets.skus_of(a["dots"])),
        },
        names={"#s": "state", "#ttl": "ttl", "#v": "version", "#e": "event"},
        refused=BasketChanged,
    )  # fmt: skip


def unmerge(a: Item, b: Item, what: Returned, record: Item) -> None:
    """Undo a merge: what is still as it came goes back to `a`, which is a basket of its own again.

    Raises `writes.Refused` because one of them changed meanwhile (read again).
    """
    event = events.of(
        "basket.unmerged", merge_id=record["merge_id"], from_basket_id=a["basket_id"], skus=baskets.skus_of(what.leaves)
    )
    parts = _logs_gone(what.forgets)
    parts.names["#through"] = what.tag
    parts.remove.append("took.#through")
    # Whatever came by the old address while this was decided must be known to `a`: so nothing may have.
    parts.when += ["attribute_exists(took.#through)", "#v = :read"]
    parts.values[":read"] = b["version"]
    pk = baskets.key(a["basket_id"])[0]
    writes.commit(
        baskets.change(
            b, event, drop=what.leaves, set=parts.set, remove=parts.remove, when=parts.when, values=parts.values,
            names=parts.names,
        ),
        writes.update(
            "BASKET",
            baskets.key(a["basket_id"]),
            set="#s = :open, dots = :dots, seen = :seen, proofs = :proofs, recent = :recent, units = :units,"
            f" #ttl = :ttl, {due.SET}, #v = #v + :one, #e = :event",
            remove="merged_to, merge_id",
            when="#s = :merged AND merge_id = :merge",
            values={
                ":open": "open", ":merged": "merged", ":merge": record["merge_id"], ":dots": what.dots,
                ":seen": what.seen, ":proofs": what.proofs, ":recent": what.recent, ":one": 1,
                ":units": baskets.sum_of(what.dots),
                ":ttl": clock.epoch_after(GUEST_KEPT_S),
                ":event": events.of("basket.changed", change="unmerged", skus=baskets.skus_of(what.dots)),
            } | due.values(pk, clock.after(abandoned_after())),
            names={"#s": "state", "#ttl": "ttl", "#v": "version", "#e": "event"},
            refused=BasketChanged,
        ),
        writes.update(
            "BASKET",
            (record["pk"], record["sk"]),
            set="#s = :undone, #v = #v + :one, lines_returned = :lines",
            when="#s = :merged",
            values={":undone": "undone", ":merged": "merged", ":one": 1, ":lines": what.lines},
            names={"#s": "state", "#v": "version"},
        ),
    )  # fmt: skip


def _logs_set(seen: Mapping[str, int], proofs: Mapping[str, list[str]]) -> Parts:
    parts = Parts()
    for place, (writer, seq) in enumerate(sorted(seen.items())):
        parts.names[f"#w{place}"], parts.values[f":w{place}"] = writer, seq
        parts.values[f":p{place}w"] = proofs.get(writer, [])
        parts.set += [f"seen.#w{place} = :w{place}", f"proofs.#w{place} = :p{place}w"]
    return parts


def _logs_gone(writers: Iterable[str]) -> Parts:
    parts = Parts()
    for place, writer in enumerate(sorted(writers)):
        parts.names[f"#w{place}"] = writer
        parts.remove += [f"seen.#w{place}", f"proofs.#w{place}"]
    return parts
