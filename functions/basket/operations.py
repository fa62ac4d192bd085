"""A device's log: operations in strict sequence, each applied exactly once, however late and however often sent.

What was applied at each place of a log is known for ever by a short digest, its *proof*. So a second log under the same
name is told, and never takes the first one's operations for its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from basket.basket import Edit, Limits, Opened, fitted, line
from commerce import baskets, problems
from commerce.baskets import Dot

Kind = Literal["add", "set", "remove", "save_for_later", "move_to_basket"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Operation:
    """One entry of a device's log. `dot` says what and who; its quantity counts for `add` and `set`."""

    seq: int
    kind: Kind
    dot: Dot
    seen: tuple[str, ...] | None = None
    """Names of the dots of this SKU that the device knew; None means those that are there now."""
    proof: str = ""
    """See `proof_of`."""


def proof_of(kind: Kind, sku: str, quantity: int | None, seen: Sequence[str] | None, at: datetime) -> str:
    """30 bits of everything an operation says, its moment included: two logs may well say the same at one place."""
    return baskets.digest_of([kind, sku, quantity, seen, (at - _EPOCH) // timedelta(microseconds=1)])[:5]


def pending(log: Sequence[Operation], applied: int) -> Sequence[Operation]:
    """The operations that are not applied yet. Raises 409 with the expected sequence if some are missing before."""
    left = [operation for operation in log if operation.seq > applied]
    if left and left[0].seq != applied + 1:
        raise problems.conflict(
            "sequence-gap", f"Operation {applied + 1} is expected next.", expected_seq=applied + 1, applied_seq=applied
        )
    return left


def check_repeats(log: Sequence[Operation], applied: int, proofs: Mapping[int, str]) -> None:
    """What is repeated must be what was applied. Raises 409 if not: two logs have one name, and one would lose adds.

    `proofs` of the applied operations by their places. The answer says where the logs part: all before is the same.
    """
    for operation in log:
        if operation.seq <= applied and proofs.get(operation.seq) != operation.proof:
            raise problems.conflict(
                "sequence-conflict", f"Operation {operation.seq} was something else. Is this device's name used twice?",
                seq=operation.seq, applied_seq=applied, expected_seq=applied + 1,
            )  # fmt: skip


def apply(
    opened: Opened, writer: str, log: Sequence[Operation], applied: int, limits: Limits, hour: int
) -> Edit | None:
    """What a batch does, as one edit; None if all of it was applied before (see `check_repeats`).

    `writer` is the log's stored name, `applied` the last sequence applied. Raises 409 for a gap, or if it does not fit.
    """
    left = pending(log, applied)
    if not left:
        return None
    there = dict(opened.dots)
    now = dict(there)
    for operation in left:
        now = _after(opened, now, writer, operation)
    put = {name: dot for name, dot in now.items() if name not in there}
    drop = {name: dot for name, dot in there.items() if name not in now}
    edit = Edit(
        "operations",
        put,
        drop,
        writer=writer,
        was_seq=applied,
        seq=left[-1].seq,
        proofs=tuple(operation.proof for operation in left),
    )
    return fitted(opened, edit, limits, hour)


def adds_only(writer: str, log: Sequence[Operation]) -> Edit | None:
    """The edit of a batch that only adds: it can be written without reading first. None for any other batch."""
    if any(operation.kind != "add" for operation in log):
        return None
    put = {f"{writer}|{operation.seq}": operation.dot for operation in log}
    proofs = tuple(operation.proof for operation in log)
    return Edit("operations", put, writer=writer, was_seq=log[0].seq - 1, seq=log[-1].seq, proofs=proofs)


def _after(opened: Opened, now: Mapping[str, Dot], writer: str, operation: Operation) -> dict[str, Dot]:
    """The dots after one operation."""
    dot, own = operation.dot, f"{writer}|{operation.seq}"
    match operation.kind:
        case "add":
            return {**now, own: dot}
        case "set":
            rest = _without(now, _known(opened, now, operation, saved=False))
            return {**rest, own: dot} if dot.quantity else rest
        case "remove":
            return _without(now, _known(opened, now, operation, saved=False))
        case "save_for_later":
            return _moved(now, own, _known(opened, now, operation, saved=False), saved=True)
        case "move_to_basket":
            return _moved(now, own, _known(opened, now, operation, saved=True), saved=False)


def _known(opened: Opened, now: Mapping[str, Dot], operation: Operation, *, saved: bool) -> dict[str, Dot]:
    """The dots an operation is about: of its SKU, still there, and seen by the device.

    A device that does not say what it saw means the line as it is now. One that does may also set or remove what is
    saved for later.
    """
    if operation.seen is None:
        return line(now, operation.dot.sku, saved=saved)
    seen = {opened.name_here(name) for name in operation.seen}
    either = operation.kind in ("set", "remove")
    return {
        name: dot
        for name, dot in now.items()
        if name in seen and dot.sku == operation.dot.sku and (either or dot.saved == saved)
    }


def _without(now: Mapping[str, Dot], gone: Mapping[str, Dot]) -> dict[str, Dot]:
    return {name: dot for name, dot in now.items() if name not in gone}


def _moved(now: Mapping[str, Dot], own: str, moving: Mapping[str, Dot], *, saved: bool) -> dict[str, Dot]:
    """One dot instead of those that move between basket and list. It still says who first added the line, and when."""
    if not moving:
        return dict(now)
    first = next(iter(moving.values()))
    quantity = sum(dot.quantity for dot in moving.values())
    return _without(now, moving) | {own: replace(first, quantity=quantity, saved=saved, origin=None)}
