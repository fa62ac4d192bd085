"""Store: who has which basket. A person's one floating basket, and other ids of the same person.

Keys: `B#<basket>`/`-` the basket, `OWNER#<person>`/`-` the basket of a customer or profile, or whose basket theirs is.
"""

import contextlib
from typing import Any

from basket import table
from commerce import baskets, clock, due, events, floating, ids, inbox, people, problems, reads, writes
from commerce.principal import Principal

Item = dict[str, Any]
_ERASED = "erased"
ACCOUNT = "account"
"""The fact that a profile has an account."""

_ATTEMPTS = 8


def fresh(channel: str, market: str, location_id: str | None = None, basket_id: str | None = None) -> Item:
    """The item of a new basket, not yet written."""
    basket_id = basket_id or ids.new()
    pk, sk = baskets.key(basket_id)
    item = {
        "pk": pk, "sk": sk, "basket_id": basket_id, "state": "open", "channel": channel, "market": market,
        "version": 1, "event": events.of("basket.changed", change="created"),
        "dots": {}, "recent": {}, "seen": {}, "proofs": {}, "units": 0,
    }  # fmt: skip
    # In the index from the start: so that no add has to pay for getting there.
    return (
        item
        | due.fields(pk, clock.after(table.abandoned_after()))
        | ({"location_id": location_id} if location_id else {})
    )


def look(person: str, channel: str, market: str, usual: str, *, themselves: bool = False) -> Item:
    """The one floating basket of a person (customer or profile id), or what it will be: version 0, nowhere written.

    `usual` is the channel of a look that names none. `themselves`: it is the customer who asks, and who never gets to a
    basket by way of another profile.
    """
    owner, basket_id = owner_of(person, themselves=themselves)
    if basket_id:
        return _home(owner, basket_id)
    for lives in range(floating.LIVES):
        address = floating.address(owner, market, channel, usual=usual, lives=lives)
        if reads.get("BASKET", baskets.key(address)) is None:
            return _unwritten(owner, address, channel, market)
    raise problems.busy()


def look_at_till(person: str, channel: str, market: str) -> Item:
    """As `look`, for staff and tills. Raises 404 for a person nobody knows.

    And for an address that only the person's own requests recognise: a till could never get there by it again.
    """
    need_known(person)
    item = look(person, channel, market, "till")
    if not item["version"] and floating.person_at(item["basket_id"]) is None:
        raise problems.not_found("basket")
    return item


def at_address(caller: Principal, basket_id: str) -> Item | None:
    """The basket behind an address that `look` has shown and that nobody wrote to.

    That is the person's basket if they have one by now (under another id), else what it will be. None if the address is
    nobody's, or not this caller's.
    """
    usual = "till" if caller.serves else "web"
    person = floating.person_at(basket_id) if caller.serves else caller.id
    shown = floating.shown_to(person, basket_id, usual) if person else None
    if person is None or shown is None:
        return None
    owner, there = owner_of(person, themselves=not caller.serves)
    return _home(owner, there) if there else _unwritten(owner, basket_id, shown[1], shown[0])


def begin(item: Item) -> None:
    """Write a basket that was only looked at so far, unless the person has one by now."""
    entry = {"pk": f"OWNER#{item['owner']}", "sk": "-", "basket_id": item["basket_id"]}
    free = "attribute_not_exists(pk) OR attribute_exists(because)"
    with contextlib.suppress(writes.Refused):  # another device was faster: its basket is the one
        writes.commit(writes.put("BASKET", entry, when=free), writes.put("BASKET", item | {"version": 1}))


def open_for(person: str, channel: str, market: str, usual: str, *, themselves: bool = False) -> Item:
    """As `look`; a basket that is not there yet is written."""
    for _ in range(_ATTEMPTS):
        item = look(person, channel, market, usual, themselves=themselves)
        if item["version"]:
            return item
        begin(item)
    raise problems.busy()


def need_known(person: str) -> None:
    """Raises 404 unless there is a basket, a profile, or somebody else whose profile this was."""
    owner, basket_id = owner_of(person)
    if basket_id is None and owner == person and not people.known(person):
        raise problems.not_found("customer")


def _home(owner: str, basket_id: str) -> Item:
    found = baskets.home(basket_id)
    if found is None:
        raise RuntimeError(f"the basket of {owner} is gone")
    return found


def _unwritten(owner: str, basket_id: str, channel: str, market: str) -> Item:
    whose = {"owner": owner, "customer_id": owner, "took": {}, "version": 0}
    return fresh(channel, market, None, basket_id) | whose


def owner_of(person: str, *, themselves: bool = False) -> tuple[str, str | None]:
    """Who owns the floating basket of this person, and its id if there is one yet. Follows other profiles' ids."""
    been = set()
    while True:
        found = reads.get("BASKET", (f"OWNER#{person}", "-"))
        if found and "basket_id" in found:
            return person, found["basket_id"]
        been.add(person)
        leads_to = found.get("alias_of") if found else None
        if themselves or leads_to is None or leads_to in been:
            return person, None
        person = leads_to


def alias(profile_id: str, because: str, person: str | None) -> bool:
    """Staff who ask for this profile's basket get that person's, because of one fact; None takes the fact back.

    Facts come in any order and more than once, so one that was taken back stays so. False if the profile has a basket
    of its own: then nothing is changed.
    """
    pk = f"OWNER#{profile_id}"
    while True:
        found = reads.get("BASKET", (pk, "-"))
        if found and "basket_id" in found:
            return False
        facts: dict[str, str] = dict(found["because"]) if found else {}
        if _ERASED in facts or (because in facts and facts[because] in ("", person)):
            return True
        facts[because] = person or ""
        item: Item = {"pk": pk, "sk": "-", "because": facts, "alias_of": _leads_to(facts)}
        item["version"] = found["version"] + 1 if found else 1
        unchanged = "#v = :version" if found else "attribute_not_exists(pk)"
        named: dict[str, Any] = {"names": {"#v": "version"}, "values": {":version": found["version"]}} if found else {}
        with contextlib.suppress(writes.Refused):
            writes.commit(writes.put("BASKET", item, when=unchanged, **named))
            return True


def _leads_to(facts: dict[str, str]) -> str | None:
    """An account is the surest fact; of merges the newest (their ids sort by time)."""
    holding = {fact: person for fact, person in facts.items() if person}
    return holding.get(ACCOUNT) or (holding[max(holding)] if holding else None)


def hand_over(profile_id: str, basket_id: str, person: str) -> None:
    """The profile's own basket was merged into that person's: from now on the profile's id leads there."""
    with contextlib.suppress(writes.Refused):
        writes.commit(
            writes.put(
                "BASKET",
                {
                    "pk": f"OWNER#{profile_id}", "sk": "-", "because": {ACCOUNT: person}, "alias_of": person,
                    "version": 1,
                },
                when="basket_id = :basket",
                values={":basket": basket_id},
            )
        )  # fmt: skip


def forget(person: str, event_id: str) -> None:
    """A person is erased: the basket is emptied and belongs to nobody, and what their claims did is gone.

    The person's id keeps the mark `erased`, so that facts told late lead nowhere; who comes back gets a new basket,
    which a repeat does not touch. Raises `inbox.AlreadyHandled`.
    """
    if reads.get("BASKET", inbox.key("basket", event_id)):
        raise inbox.AlreadyHandled(event_id)
    for _ in range(_ATTEMPTS):
        way = reads.get("BASKET", (f"OWNER#{person}", "-"))
        owner = way["because"].get(ACCOUNT) if way and "because" in way else person
        found = way if owner == person else reads.get("BASKET", (f"OWNER#{owner}", "-")) if owner else None
        basket_id = found.get("basket_id") if found else None
        for record in reads.every("BASKET", f"OWNER#{owner}", prefix="MERGE#"):
            writes.commit(writes.delete("BASKET", (record["pk"], record["sk"]), when=""))
        try:
            writes.commit(
                inbox.handled("BASKET", "basket", event_id),
                _erased(person, way),
                [_emptied(basket_id, str(owner))] if basket_id else [],
                [_ownerless(str(owner), basket_id)] if basket_id and owner != person else [],
            )
        except writes.Refused as refused:
            if done := refused.first(inbox.AlreadyHandled):
                raise done from None
        else:
            return
    raise problems.busy()


def _erased(person: str, way: Item | None) -> writes.Write:
    """The person's id leads nowhere, if it still leads where it did."""
    item: Item = {"pk": f"OWNER#{person}", "sk": "-", "because": {_ERASED: ""}, "version": 1}
    if way is None:
        return writes.put("BASKET", item)
    if "basket_id" in way:
        return writes.put("BASKET", item, when="basket_id = :was", values={":was": way["basket_id"]})
    names, values = {"#v": "version"}, {":version": way["version"]}
    item["version"] = way["version"] + 1
    return writes.put("BASKET", item, when="#v = :version", names=names, values=values)


def _ownerless(owner: str, basket_id: str) -> writes.Write:
    return writes.delete("BASKET", (f"OWNER#{owner}", "-"), when="basket_id = :basket", values={":basket": basket_id})


def _emptied(basket_id: str, owner: str) -> writes.Write:
    return writes.update(
        "BASKET",
        baskets.key(basket_id),
        set="dots = :none, recent = :none, seen = :none, proofs = :none, took = :none, units = :zero, #ttl = :ttl,"
        " #v = #v + :one, #e = :event",
        remove=f"#o, customer_id, last_order, {due.REMOVE}",
        when="customer_id = :owner",
        values={
            ":none": {}, ":zero": 0, ":one": 1, ":owner": owner, ":ttl": clock.epoch_after(0),
            ":event": events.of("basket.changed", change="erased"),
        },
        names={"#ttl": "ttl", "#v": "version", "#e": "event", "#o": "owner"},
    )  # fmt: skip
