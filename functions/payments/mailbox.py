"""The inbox as a store: what providers posted, kept until it is worked off, and 35 days for replays.

`EVT#stripe#<account>#<event>` is put once. `EVT#mollie#<account>#<object>` counts deliveries: each one means that the
payment has to be fetched again. Their stream records drive the worker. Light imports: the webhook door uses this.
"""

from typing import Any

from commerce import clock, due, writes

_KEPT_S = 35 * 24 * 3600
_NOTED_S = 200 * 24 * 3600
"""Longer than anything of Mollie is looked at by the clock (see `missed`)."""
_FIRST_WAIT_S = 60
_LONGEST_WAIT_S = 3600
PREFIX = "EVT#"


class Known(Exception):
    """This event was stored before."""


def stripe(account: str, event_id: str, kind: str, created: int, kept: dict[str, Any]) -> None:
    """Store a verified event. Raises `writes.Refused` with `Known` for a repeat. One write unit."""
    key = stripe_key(account, event_id)
    item = {"pk": key, "sk": "-", "provider": "stripe", "account": account, "type": kind, "created": created}
    item |= {"object": kept, "ttl": clock.epoch_after(_KEPT_S)}
    writes.commit(writes.put("PAYMENTS", item, refused=lambda old: Known()))


def stripe_key(account: str, event_id: str) -> str:
    """Where an event of Stripe is kept."""
    return f"{PREFIX}stripe#{account}#{event_id}"


def mollie(account: str, reference: str | None, payment_id: str | None, kind: str = "") -> None:
    """Note that something changed about an object of Mollie (`tr_..`, `re_..`, ..), or about a payment of ours.

    `payment_id` is ours, if the address named it. One write unit.
    """
    more = {"reference": reference, "payment_id": payment_id, "type": kind}
    item: dict[str, Any] = {"provider": "mollie", "account": account, "ttl": clock.epoch_after(_KEPT_S)}
    item |= {name: value for name, value in more.items() if value}
    values: dict[str, Any] = {":one": 1}
    writes.commit(
        writes.update(
            "PAYMENTS",
            (mollie_key(account, reference or f"of-{payment_id}"), "-"),
            set=", ".join(f"#{name} = :{name}" for name in item),
            add="hits :one",
            when="",
            values=values | {f":{name}": value for name, value in item.items()},
            names={f"#{name}": name for name in item},
        )
    )


def mollie_key(account: str, about: str) -> str:
    """Where what was posted about an object of Mollie is kept."""
    return f"{PREFIX}mollie#{account}#{about}"


def mollie_other(account: str, event_id: str, kind: str) -> None:
    """Store a signed event that names no payment. Raises `writes.Refused` with `Known` for a repeat."""
    item: dict[str, Any] = {"pk": mollie_key(account, event_id or "unnamed"), "sk": "-", "provider": "mollie"}
    item |= {"account": account, "type": kind, "ttl": clock.epoch_after(_KEPT_S)}
    writes.commit(writes.put("PAYMENTS", item, refused=lambda old: Known()))


def seen_key(account: str, about: str) -> str:
    """Where it is noted that a state of something at Mollie was looked at."""
    return f"SEEN#mollie#{account}#{about}"


def note(key: str) -> None:
    """Note that this state was looked at, so that it is not looked at again. Nobody works a note off."""
    try:
        item = {"pk": key, "sk": "-", "ttl": clock.epoch_after(_NOTED_S)}
        writes.commit(writes.put("PAYMENTS", item, refused=lambda old: Known()))
    except writes.Refused:
        return


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
    """Look at this item no more, unless it was put off again meanwhile. `why` stays on it when it was given up."""
    seen = {":due": item["due"]} if "due" in item else {}
    when = "due = :due" if seen else "attribute_not_exists(due)"
    values = {":why": why} | seen
    try:
        writes.commit(
            writes.update("PAYMENTS", (item["pk"], "-"), set="why = :why", remove=due.REMOVE, when=when, values=values)
        )
    except writes.Refused:
        return  # something new was posted, and could not be worked off: that look is still to come
