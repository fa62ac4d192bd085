"""Payables and the start of payments as a store.

    DUE#<order> / -             what may be collected (checkout opens and closes it)
    DUE#<order> / P#<payment>   pointer to every payment of the order
    P#<payment> / -             the payment

A payment waits in `created` (or `unknown`) until the provider's answer is kept; see `books` for what comes after.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from commerce import clock, due, events, payables, reads, writes
from payments import books
from payments.books import PAYMENTS
from payments.ledger import Change

LOST = "not_started"
"""The refusal of a start that never reached the provider."""

_WAITS = "#s IN (:created, :unknown) AND attribute_not_exists(provider_ref)"
_WAITING = {":created": "created", ":unknown": "unknown"}
_NAMES = {"#s": "status", "#v": "version", "#e": "event"}


class Exists(Exception):
    """A payment under this id was started before."""


def payable(order_id: str) -> tuple[dict[str, Any] | None, list[str]]:
    """What may be collected for an order, and the ids of its payments. One request."""
    items = list(reads.every(PAYMENTS, payables.key(order_id)[0]))
    item = next((each for each in items if each["sk"] == "-"), None)
    return item, [each["sk"].removeprefix("P#") for each in items if each["sk"] != "-"]


def payable_alone(order_id: str) -> dict[str, Any] | None:
    """What may be collected for an order."""
    return reads.get(PAYMENTS, payables.key(order_id))


def page(order_id: str, limit: int, start: dict[str, Any] | None) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """A page of an order's payments, and where the next one starts."""
    items, more = reads.page(PAYMENTS, payables.key(order_id)[0], prefix="P#", limit=limit, start=start)
    return payments(each["sk"].removeprefix("P#") for each in items), more


def owed(state: str, limit: int, start: dict[str, Any] | None) -> tuple[list[books.Kept], dict[str, Any] | None]:
    """A page of payments of which money has to go back, longest first: all (`owed`), or those where it `failed`.

    The state filters what was read: a page may be short, and still lead on.
    """
    keys, more = reads.page(
        PAYMENTS, "owed", index="owing", hash_name="owing", range_name="owed_since", limit=limit, start=start
    )
    found = [books.read(each["pk"].removeprefix("P#")) for each in keys]
    return [
        kept for kept in found if kept and kept.payment.get("owing") and state in ("owed", kept.payment.get("owed_why"))
    ], more


def payments(payment_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Payments by id, oldest first."""
    keys = [(f"P#{each}", "-") for each in payment_ids]
    found = reads.get_many({PAYMENTS: keys})[PAYMENTS].values()
    return sorted(found, key=lambda payment: (payment["created_at"], payment["payment_id"]))


def started(payment: dict[str, Any], payable: Mapping[str, Any], paid: Change | None = None) -> list[writes.Write]:
    """Fragments: a payment of an order begins, if its payable is open and is what the amount was decided on.

    The payable's version moves too, so of two starts at one moment the second decides again. `paid` is what is a fact
    already (cash). It is looked at before the order would expire. Refused with `Exists` for a payment that was started
    before, `Superseded` if the payable changed.
    """
    key = payment["pk"]
    if paid:
        ((kind, data),) = paid.events
        item = payment | paid.balance.as_map() | {"event": events.of(kind, **data)}
        item |= due.fields(key, clock.after(books.SOON_S))  # until the order counts it
    else:
        before_the_end = clock.iso(clock.parse(payable["until"]) - timedelta(seconds=2 * books.SOON_S))
        look = min(clock.after(books.FIRST_LOOK_S), max(before_the_end, clock.after(books.SOON_S)))
        item = payment | due.fields(key, look)
    due_key = payables.key(payment["order_id"])
    as_decided = writes.update(
        PAYMENTS,
        due_key,
        set="#v = #v + :one",
        when="#s = :open AND #v = :seen",
        names={"#s": "state", "#v": "version"},
        values={":one": 1, ":open": "open", ":seen": payable["version"]},
    )
    return [
        writes.put(PAYMENTS, item, refused=lambda old: Exists()),
        writes.put(PAYMENTS, {"pk": due_key[0], "sk": key}),
        as_decided,
        *(books.kept(payment, paid) if paid else []),
    ]


def superseded(payment: dict[str, Any]) -> writes.Write:
    """Fragment: another attempt takes this one's place. The sweep closes it at the provider, if it still can be."""
    return writes.update(
        PAYMENTS,
        (payment["pk"], "-"),
        set=f"superseded = :yes, #v = #v + :one, {due.SET}",
        remove="#e",
        when="#v = :seen",
        names={"#v": "version", "#e": "event"},
        values={":yes": True, ":one": 1, ":seen": payment["version"]} | due.values(payment["pk"], clock.iso()),
    )


def opened(payment: dict[str, Any], ref: str, answer: dict[str, Any]) -> None:
    """The provider made the payment: keep its reference and what was answered.

    Its webhook may have been quicker, so the status moves only if it still waits for this. A start that was given up
    meanwhile is open after all.
    """
    key = (payment["pk"], "-")
    kept = "provider_ref = if_not_exists(provider_ref, :ref), answer = if_not_exists(answer, :answer), #v = #v + :one"
    values: dict[str, Any] = {":ref": ref, ":answer": answer, ":one": 1}
    try:
        writes.commit(
            writes.update(
                PAYMENTS, key, set=f"{kept}, #s = :open", remove="#e", when="#s IN (:created, :unknown)",
                names=_NAMES, values=values | _WAITING | {":open": "open"}, refused=lambda old: _Moved(old),
            )
        )  # fmt: skip
    except writes.Refused as refused:
        moved = refused.first(_Moved)
        assert moved is not None, "the only condition"
        if moved.payment.get("refusal") == LOST:
            values |= {":open": "open"} | due.values(payment["pk"], clock.after(books.FIRST_LOOK_S))
            again = f"{kept}, #s = :open, {due.SET}"
            writes.commit(writes.update(PAYMENTS, key, set=again, remove="#e, refusal", names=_NAMES, values=values))
        else:
            names = {"#v": "version", "#e": "event"}
            writes.commit(writes.update(PAYMENTS, key, set=kept, remove="#e", names=names, values=values))


class _Moved(Exception):
    """The payment waits no more for the provider's answer."""

    def __init__(self, payment: dict[str, Any] | None) -> None:
        super().__init__("moved")
        self.payment = payment or {}


def refused(payment: dict[str, Any], code: str) -> None:
    """The provider will not take this payment. Nothing to do if something else became of it meanwhile."""
    values = {":failed": "failed", ":code": code, ":one": 1, ":event": events.of("payment.failed", status="failed")}
    _if_waiting(
        writes.update(
            PAYMENTS, (payment["pk"], "-"), set="#s = :failed, refusal = :code, #v = #v + :one, #e = :event",
            remove=due.REMOVE, when=_WAITS, names=_NAMES, values=values | _WAITING,
        )
    )  # fmt: skip


def doubtful(payment: dict[str, Any]) -> None:
    """Nobody knows whether the provider made it: look soon."""
    at = due.values(payment["pk"], clock.after(books.SOON_S))
    _if_waiting(
        writes.update(
            PAYMENTS, (payment["pk"], "-"), set=f"#s = :unknown, #v = #v + :one, {due.SET}", remove="#e",
            when=_WAITS, names=_NAMES, values={":one": 1, **_WAITING, **at},
        )
    )  # fmt: skip


def _if_waiting(write: writes.Write) -> None:
    try:
        writes.commit(write)
    except writes.Refused:
        return
