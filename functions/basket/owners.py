"""Store: who has which basket. New baskets, a person's one floating basket, and other ids of the same person.

Keys: `B#<basket>`/`-` the basket, `OWNER#<person>`/`-` the basket of a customer or profile, or whose basket theirs is.
"""

import contextlib
from typing import Any

from basket import table
from commerce import baskets, clock, due, events, ids, reads, writes

Item = dict[str, Any]


def create(channel: str, market: str, location_id: str | None) -> Item:
    """A new guest basket."""
    item = _fresh(channel, market, location_id) | {"ttl": clock.epoch_after(table.GUEST_KEPT_S)}
    writes.commit(writes.put("BASKET", item))
    return item


def _fresh(channel: str, market: str, location_id: str | None = None) -> Item:
    basket_id = ids.new()
    pk, sk = baskets.key(basket_id)
    item = {
        "pk": pk, "sk": sk, "basket_id": basket_id, "state": "open", "channel": channel, "market": market,
        "version": 1, "event": events.of("basket.changed", change="created"),
        "dots": {}, "recent": {}, "seen": {}, "units": 0,
    }  # fmt: skip
    # In the index from the start: so that no add has to pay for getting there.
    return (
        item
        | due.fields(pk, clock.after(table.abandoned_after()))
        | ({"location_id": location_id} if location_id else {})
    )


def floating(person: str, channel: str, market: str, *, themselves: bool = False) -> Item:
    """The one floating basket of a person (customer or profile id), made on first use.

    `themselves`: it is the customer who asks, and who never gets to a basket by way of another profile.
    """
    while True:
        owner, basket_id = owner_of(person, themselves=themselves)
        if basket_id:
            found = table.read(basket_id)
            if found is None:
                raise RuntimeError(f"the basket of {owner} is gone")
            return found
        item = _fresh(channel, market) | {"owner": owner, "customer_id": owner, "took": {}}
        entry = {"pk": f"OWNER#{owner}", "sk": "-", "basket_id": item["basket_id"]}
        free = "attribute_not_exists(pk) OR attribute_exists(alias_of)"
        try:
            writes.commit(writes.put("BASKET", entry, when=free), writes.put("BASKET", item))
        except writes.Refused:
            continue  # another device was faster: its basket is the one
        return item


def owner_of(person: str, *, themselves: bool = False) -> tuple[str, str | None]:
    """Who owns the floating basket of this person, and its id if there is one yet. Follows other profiles' ids."""
    for _ in range(8):
        found = reads.get("BASKET", (f"OWNER#{person}", "-"))
        if found is None or "basket_id" in found:
            return person, found["basket_id"] if found else None
        if themselves:
            return person, None
        person = found["alias_of"]
    raise RuntimeError(f"aliases of {person} go round in circles")


def alias(profile_id: str, person: str, because: str) -> bool:
    """Staff who ask for this profile's basket get that person's, unless the profile has one of its own: then False."""
    try:
        writes.commit(
            writes.put(
                "BASKET",
                {"pk": f"OWNER#{profile_id}", "sk": "-", "alias_of": person, "because": because},
                when="attribute_not_exists(pk) OR attribute_exists(alias_of)",
            )
        )
    except writes.Refused:
        return False
    return True


def unalias(profile_id: str, because: str) -> None:
    """The profile stands for itself again, if it was `because` of this that it did not."""
    with contextlib.suppress(writes.Refused):
        writes.commit(
            writes.delete(
                "BASKET", (f"OWNER#{profile_id}", "-"), when="because = :because", values={":because": because}
            )
        )


def hand_over(profile_id: str, basket_id: str, person: str) -> None:
    """The profile's own basket was merged into that person's: from now on the profile's id leads there."""
    with contextlib.suppress(writes.Refused):
        writes.commit(
            writes.update(
                "BASKET",
                (f"OWNER#{profile_id}", "-"),
                set="alias_of = :person",
                remove="basket_id",
                when="basket_id = :basket",
                values={":person": person, ":basket": basket_id},
            )
        )
