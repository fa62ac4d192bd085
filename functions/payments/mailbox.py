"""The inbox as a store: what providers posted, kept until it is worked off, and 35 days for replays.

`EVT#stripe#<account>#<event>` is put once. `EVT#mollie#<account>#<payment>` counts deliveries: each one means that the
payment has to be fetched again. Their stream records drive the worker. Light imports: the webhook door uses this.
"""

from typing import Any

from commerce import clock, due, writes

_KEPT_S = 35 * 24 * 3600
_FIRST_WAIT_S = 60
_LONGEST_WAIT_S = 3600
PREFIX = "EVT#"


class Known(Exception):
    """This event was stored before."""


def stripe(account: str, event_id: str, kind: str, created: int, kept: dict[str, Any]) -> None:
    """Store a verified event. Raises `writes.Refused` with `Known` for a repeat. One write unit."""
    key = f"{PREFIX}stripe#{account}#{event_id}"
    item = {"pk": key, "sk": "-", "provider": "stripe", "account": account, "type": kind, "created": created}
    item |= {"object": kept, "ttl": clock.epoch_after(_KEPT_S)}
    writes.commit(writes.put("PAYMENTS", item, refused=lambda old: Known()))


def mollie(account: str, reference: str, payment_id: str | None) -> None:
    """Note that a Mollie payment changed. `payment_id` is ours, if the address named it. One write unit."""
    hint = ", payment_id = :p" if payment_id else ""
    values: dict[str, Any] = {":one": 1, ":provider": "mollie", ":account": account, ":ref": reference}
    values |= {":ttl": clock.epoch_after(_KEPT_S)} | ({":p": payment_id} if payment_id else {})
    writes.commit(
        writes.update(
            "PAYMENTS",
            (f"{PREFIX}mollie#{account}#{reference}", "-"),
            set=f"provider = :provider, account = :account, #r = :ref, #t = :ttl{hint}",
            add="hits :one",
            when="",
            values=values,
            names={"#r": "reference", "#t": "ttl"},
        )
    )


def put_off(item: dict[str, Any], why: str) -> None:
    """Work this item off later: 1, 2, 4 .. 60 minutes from now. `why` is a word for people who look."""
    tried = item.get("tried", 0) + 1
    at = clock.after(min(_FIRST_WAIT_S * 2 ** (tried - 1), _LONGEST_WAIT_S))
    writes.commit(
        writes.update(
            "PAYMENTS",
            (item["pk"], "-"),
            set=f"tried = :tried, why = :why, {due.SET}",
            values={":tried": tried, ":why": why} | due.values(item["pk"], at),
        )
    )


def finished(item: dict[str, Any], why: str) -> None:
    """Look at this item no more. `why` stays on it when it was given up."""
    writes.commit(
        writes.update("PAYMENTS", (item["pk"], "-"), set="why = :why", remove=due.REMOVE, values={":why": why})
    )
