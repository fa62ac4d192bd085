"""What can be done with people: create, find, read, edit, identify, merge, unmerge.

Each change reads, decides by the rules, and writes under the condition that nothing it read has changed; if something
has, it reads and decides again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commerce import audit, clock, ids, problems, writes
from commerce.requests import Request, done
from profiles import graph, table
from profiles.golden import Fact, Held, Record, Trust, golden
from profiles.golden import told as told_facts
from profiles.graph import Component
from profiles.table import Claim, IdentityTaken, Profile

MAX_IDENTITIES = 100
_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Person:
    """A person: the profiles that are one, and what they say. `asked_id` is the profile that was asked for."""

    asked_id: str
    component: Component
    records: tuple[Record, ...]
    profiles: Mapping[str, Profile]

    @property
    def facts(self) -> dict[str, Fact]:
        """The best fact per field."""
        return golden(self.records)

    @property
    def identities(self) -> list[Held]:
        """All identities, each with the profile it is on."""
        return [held for record in self.records for held in record.identities]

    @property
    def customers(self) -> dict[str, str]:
        """Whose history is this person's: customer id -> the profile it belongs to."""
        return {
            customer: profile_id
            for profile_id, profile in sorted(self.profiles.items())
            for customer in sorted(profile.customers)
        }


@dataclass(frozen=True, slots=True)
class Lineage:
    """A profile, and the root of the person it belongs to, as they were read."""

    asked: Profile
    root: Profile
    component: Component


# ------------------------------------------------------------------------------------------------------- reading


def read(profile_id: str) -> Person:
    """The person a profile belongs to. Raises 404 for none, and for an erased one."""
    for _ in _tries():
        line = lineage(profile_id)
        profiles = {one.profile_id: one for one in (line.asked, line.root)}
        others = line.component.members - profiles.keys()
        profiles |= table.load(*others) if others else {}
        # Somebody unmerged a member between the requests: its facts must not show here.
        if all(profile.root == line.component.root for profile in profiles.values()):
            readable = {one: profile for one, profile in sorted(profiles.items()) if profile.readable}
            records = tuple(profile.record() for profile in readable.values())
            return Person(profile_id, line.component, records, readable)
    raise problems.busy()


def find(claim: Claim) -> Person | None:
    """Whoever has this identity."""
    profile_id = table.holder(claim.key)
    if profile_id is None:
        return None
    try:
        return read(profile_id)
    except problems.Problem as problem:
        if problem.status == 404:  # being erased right now
            return None
        raise


def same(profile_id: str, other_id: str) -> bool:
    """Whether two profiles are one person."""
    if profile_id == other_id:
        return True
    found = table.load(profile_id, other_id)
    pair = [found.get(profile_id), found.get(other_id)]
    return all(one is not None and one.readable for one in pair) and len({one.root for one in pair if one}) == 1


def lineage(profile_id: str) -> Lineage:
    """A profile and the person it is part of. Raises 404."""
    for _ in _tries():
        asked = table.load(profile_id).get(profile_id)
        if asked is None or not asked.readable:
            raise problems.not_found("profile")
        root = asked if asked.root == profile_id else table.load(asked.root).get(asked.root)
        if root is not None and root.component is not None and profile_id in root.component.members:
            return Lineage(asked, root, root.component)
    raise problems.busy()


# ---------------------------------------------------------------------------------------------------- one profile


def create(fields: Mapping[str, Any], trust: Trust, claims: Sequence[Claim], request: Request | None = None) -> str:
    """A new profile; its id. Raises `IdentityTaken`, or `requests.AlreadyDone` on a repeat of `request`."""
    profile_id = ids.new()
    marker = done(table.TABLE, request, profile_id=profile_id) if request else []
    _create(profile_id, fields, trust, claims, marker)
    return profile_id


def mine(customer_id: str) -> str:
    """The profile of a signed-in customer, made on first use.

    It has the customer's id, unless the account was attached to another profile or that id was erased.
    """
    account = Claim("account", customer_id, verified=True)
    for _ in _tries():
        profile_id = owned(customer_id)
        if profile_id is not None:
            return profile_id
        for candidate in (customer_id, ids.new()):
            try:
                _create(candidate, {}, "verified", [account], [])
            except table.ProfileExists:
                continue  # a destroyed id is not used again
            except IdentityTaken:
                break  # somebody was faster: look again
            return candidate
    raise problems.busy()


def owned(customer_id: str) -> str | None:
    """The profile a customer's account is attached to, if any."""
    return table.holder(Claim("account", customer_id, verified=True).key)


def edit(profile_id: str, changes: Mapping[str, Any], trust: Trust) -> None:
    """Tell a profile something. It stays on this very profile, whoever it is merged with. Raises 404, TooManyFields."""
    for _ in _tries():
        profile = _active(profile_id)
        facts = told_facts(profile.document()["facts"], changes, trust, clock.iso())
        if _commit(table.told(profile, facts)):
            return
    raise problems.busy()


def identify(profile_id: str, claim: Claim) -> None:
    """Attach an identity to a profile; attaching it again changes nothing. Raises 404, 409, `IdentityTaken`."""
    for _ in _tries():
        profile = _active(profile_id)
        held = profile.identities.get(claim.key)
        if held and (held["verified"] or not claim.verified):
            return
        if held is None and len(profile.identities) >= MAX_IDENTITIES:
            raise problems.conflict("too-many-identities", f"A profile has at most {MAX_IDENTITIES} identities.")
        try:
            writes.commit(table.identified(profile, claim))
        except writes.Refused as refused:
            taken = refused.first(IdentityTaken)
            if taken and taken.profile_id != profile_id:
                raise taken from refused
        else:
            return
    raise problems.busy()


def _create(
    profile_id: str, fields: Mapping[str, Any], trust: Trust, claims: Sequence[Claim], more: list[writes.Write]
) -> None:
    at = clock.iso()
    # The same identity twice in one request is one identity, verified if either is.
    unique = {claim.key: claim for claim in sorted(claims, key=lambda claim: claim.verified)}
    try:
        writes.commit(more, table.created(profile_id, told_facts({}, fields, trust, at), unique.values(), at))
    except writes.Refused as refused:
        raise refused.causes[0] from refused


def _active(profile_id: str) -> Profile:
    profile = table.load(profile_id).get(profile_id)
    if profile is None or not profile.readable:
        raise problems.not_found("profile")
    return profile


# -------------------------------------------------------------------------------------------- merging, unmerging


def merge(survivor_id: str, absorbed_id: str, reason: str, by: str, request: Request) -> str:
    """Two profiles are one person from now on; the merge's id.

    Raises 404, 409 `too-many-merged`, or `requests.AlreadyDone` on a repeat of `request`.
    """
    merge_id = ids.new()
    for _ in _tries():
        survivor, absorbed = lineage(survivor_id), lineage(absorbed_id)
        one, other = survivor.component, absorbed.component
        if one.members & other.members and one != other:
            continue  # read across somebody else's merge
        try:
            both = graph.merged(one, other, merge_id, survivor_id, absorbed_id, clock.iso())
        except graph.TooMany:
            raise problems.conflict("too-many-merged", f"A person has at most {graph.MAX_MEMBERS} profiles.") from None
        edge = both.merge(merge_id)
        assert edge is not None
        roots = {line.root.profile_id: line.root for line in (survivor, absorbed)}
        if _commit(
            *done(table.TABLE, request, merge_id=merge_id),
            table.linked(edge, survivor.asked, reason, by),
            *table.regrouped([one, other], [both], roots),
        ):
            return merge_id
    raise problems.busy()


def unmerge(merge_id: str, entry: audit.Entry | None) -> dict[str, Any]:
    """That merge never was: the merge as it is afterwards. Doing it twice changes nothing. Raises 404.

    `entry` is kept when it is undone. `separated` tells whether they are two persons again, or held together by other
    merges.
    """
    for _ in _tries():
        item = table.merge(merge_id)
        if item is None:
            raise problems.not_found("merge")
        if item["state"] == "undone":
            return item
        line = lineage(item["survivor_id"])
        if line.component.merge(merge_id) is None:
            continue  # read across somebody else's change
        parts = graph.unmerged(line.component, merge_id)
        _commit(
            table.unlinked(merge_id, separated=len(parts) > 1, at=clock.iso()),
            *table.regrouped([line.component], parts, {line.root.profile_id: line.root}),
            *audit.kept(table.TABLE, entry),
        )
    raise problems.busy()


def _commit(*fragments: writes.Write) -> bool:
    """Whether it was written; False if what had been read is no longer so. Other refusals are raised."""
    try:
        writes.commit(fragments)
    except writes.Refused as refused:
        for cause in refused.causes:
            if not isinstance(cause, writes.Superseded):
                raise cause from refused
        return False
    return True


def _tries() -> Iterator[int]:
    """A few attempts, with a random pause from the second on."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            clock.pause(0.01 * 2**attempt * ids.random_bytes(1)[0] / 255)
        yield attempt
