"""The inbox marker of an event consumer: put in the same transaction as its change, so a repeat changes nothing."""

from commerce import clock, writes

_KEPT_S = 14 * 24 * 3600


class AlreadyHandled(Exception):
    """This event (or this part of it) was worked off before."""


def key(consumer: str, event_id: str) -> tuple[str, str]:
    """Where the marker is: for work of several steps, which looks before it starts."""
    return f"INBOX#{consumer}#{event_id}", "-"


def handled(table: str, consumer: str, event_id: str) -> writes.Write:
    """Fragment: mark `event_id` as worked off by `consumer`."""
    pk, sk = key(consumer, event_id)
    item = {"pk": pk, "sk": sk, "ttl": clock.epoch_after(_KEPT_S)}
    return writes.put(table, item, refused=lambda old: AlreadyHandled(event_id))
