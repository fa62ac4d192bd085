"""The store of profiles: items, keys, conditions.

| item | key | what it is |
| --- | --- | --- |
| profile | `P#<id>` / `-` | sealed facts and identity values; `root`: whose golden record it is part of |
| | | on a root, `links`: the members and merges of the person, under `links_version` |
| identity | `ID#<kind>#<keyed hash>` / `-` | whose it is; put if absent, so one identity has one profile |
| merge | `LINK#<merge_id>` / `-` | one merge, later perhaps undone |
| erasure | `ERASURE#<id>` / `-` | the receipt, `due` until everything is gone |
| data key | `DEK#<id>` / `-` in the keys table | wrapped; after erasure an id and a date, which is the erasure ledger |

Whoever changes what a person consists of must write the root under its `links_version`: that is the one lock. Facts
and identities change under the profile's own `version`. Identities and merges are their own outbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commerce import clock, due, events, ids, reads, writes
from profiles import vault
from profiles.golden import Facts, Held, Record
from profiles.graph import Component, Merge
from profiles.identities import Kind

TABLE, KEYS = "PROFILES", "PROFILE_KEYS"

_KEY_KEPT_S = 300.0
_KEYS_KEPT = 1000
_keys: dict[str, tuple[float, bytes]] = {}

_EDIT = "#v = #v + :one"
_NAMES = {"#v": "version", "#e": "event", "#s": "state"}


@dataclass(frozen=True, slots=True)
class Claim:
    """An identity somebody wants to attach; `value` in its normal spelling."""

    kind: Kind
    value: str
    verified: bool

    @property
    def key(self) -> str:
        """`<kind>#<keyed hash>`."""
        return vault.index(self.kind, self.value)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile item. `component` only on a root; `key` is None once it was destroyed."""

    profile_id: str
    version: int
    state: str
    root: str
    component: Component | None
    links_version: int
    identities: dict[str, dict[str, Any]]
    created_at: str
    updated_at: str
    sealed: bytes
    key: bytes | None
    erasure_id: str | None

    @property
    def readable(self) -> bool:
        """Neither erased nor about to be; a profile restored from a backup without its key is erased too."""
        return self.state == "active" and self.key is not None

    @property
    def customers(self) -> set[str]:
        """The customer ids whose history is this profile's."""
        accounts = {held["customer_id"] for held in self.identities.values() if "customer_id" in held}
        return accounts | {self.profile_id}

    def document(self) -> dict[str, Any]:
        """What is sealed: `{"facts": ..., "values": {identity key: value}}`."""
        assert self.key is not None
        document: dict[str, Any] = vault.unseal(self.key, self.profile_id, self.sealed)
        return document

    def record(self) -> Record:
        """The profile, readable."""
        document = self.document()
        held = tuple(
            Held(
                kept["id"], kept["kind"], document["values"][key], kept["verified"], kept["at"], self.profile_id,
                kept.get("customer_id"),
            )
            for key, kept in sorted(self.identities.items(), key=lambda entry: (entry[1]["at"], entry[0]))
        )  # fmt: skip
        return Record(self.profile_id, self.created_at, self.updated_at, document["facts"], held)


class ProfileExists(Exception):
    """The profile id is in use, or was and has been erased."""


@dataclass
class IdentityTaken(Exception):
    """Another profile has this identity."""

    profile_id: str


# ------------------------------------------------------------------------------------------------------- reading


def load(*profile_ids: str) -> dict[str, Profile]:
    """Profiles by id with their keys, missing ones left out: one request for up to 50, keys are kept for 5 minutes."""
    now = clock.source()
    cold = [one for one in profile_ids if one not in _keys or now - _keys[one][0] >= _KEY_KEPT_S]
    found = reads.get_many({TABLE: [_profile(one) for one in profile_ids], KEYS: [_key(one) for one in cold]})
    if len(_keys) > _KEYS_KEPT:
        _keys.clear()
    for one in cold:
        wrapped = found[KEYS].get(_key(one), {}).get("wrapped")
        if wrapped is None:
            _keys.pop(one, None)
        else:
            _keys[one] = now, vault.unwrap(wrapped, one)
    return {item["profile_id"]: _read(item) for item in found[TABLE].values()}


def holder(identity_key: str) -> str | None:
    """The profile that has an identity."""
    row = reads.get(TABLE, _identity(identity_key))
    return row["profile_id"] if row else None


def merge(merge_id: str) -> dict[str, Any] | None:
    """A merge item: `merge_id, survivor_id, absorbed_id, state (merged|undone), merged_at, undone_at?, separated?`."""
    return reads.get(TABLE, _merge(merge_id))


def erasure(erasure_id: str) -> dict[str, Any]:
    """An erasure item: `erasure_id, profile_ids, state (running|done), requested_at, completed_at?`."""
    found = reads.get(TABLE, _erasure(erasure_id))
    assert found is not None, "an erasure is written with the first mark it leaves"
    return found


def marker(pk: str) -> dict[str, Any] | None:
    """The idempotency marker of an earlier run."""
    return reads.get(TABLE, (pk, "-"))


def reasons(component: Component, profiles: Mapping[str, Profile]) -> dict[str, str]:
    """Why the merges of a person were made, by merge id."""
    wanted = {_merge(each.merge_id): each for each in component.merges}
    told = {}
    for key, item in reads.get_many({TABLE: list(wanted)})[TABLE].items():
        data_key = profiles[wanted[key].survivor_id].key
        if data_key and "sealed" in item:
            told[item["merge_id"]] = vault.unseal(data_key, f"merge/{item['merge_id']}", item["sealed"])["reason"]
    return told


def _read(item: dict[str, Any]) -> Profile:
    profile_id = item["profile_id"]
    kept = _keys.get(profile_id)
    return Profile(
        profile_id=profile_id,
        version=item["version"],
        state=item["state"],
        root=item["root"],
        component=_component(item) if item["root"] == profile_id else None,
        links_version=item["links_version"],
        identities=item.get("identities", {}),
        created_at=item["created_at"],
        updated_at=item["updated_at"],
        sealed=item.get("sealed", b""),
        key=kept[1] if kept else None,
        erasure_id=item.get("erasure_id"),
    )


def _component(item: dict[str, Any]) -> Component:
    links = item.get("links")
    if links is None:
        return Component.alone(item["profile_id"])
    return Component(frozenset(links["members"]), frozenset(Merge(**each) for each in links["merges"]), links["seq"])


# ------------------------------------------------------------------------------------------ creating and editing


def created(profile_id: str, facts: Facts, claims: Iterable[Claim], at: str) -> list[writes.Write]:
    """Fragments: a new profile with its key and identities.

    Refused with `ProfileExists` or `IdentityTaken`.
    """
    key = vault.new_key()
    rows = {claim.key: _held(claim, at) for claim in claims}
    values = {claim.key: claim.value for claim in claims}
    pk, sk = _profile(profile_id)
    item = {
        "pk": pk, "sk": sk, "profile_id": profile_id, "version": 1, "state": "active", "root": profile_id,
        "links_version": 0, "identities": rows, "created_at": at, "updated_at": at,
        "sealed": vault.seal(key, profile_id, {"facts": facts, "values": values}),
        "event": events.of("profile.created"),
    }  # fmt: skip
    key_pk, key_sk = _key(profile_id)
    wrapped = {"pk": key_pk, "sk": key_sk, "profile_id": profile_id, "wrapped": vault.wrap(key, profile_id)}
    return [
        writes.put(TABLE, item, refused=lambda old: ProfileExists(profile_id)),
        # An id whose key was destroyed is never given out again.
        writes.put(KEYS, wrapped, refused=lambda old: ProfileExists(profile_id)),
        *(_claimed(key, row, profile_id) for key, row in rows.items()),
    ]


def told(profile: Profile, facts: Facts) -> writes.Write:
    """Fragment: the profile's facts are now these, if it still is as it was read."""
    return _edited(profile, profile.document() | {"facts": facts}, profile.identities)


def identified(profile: Profile, claim: Claim) -> list[writes.Write]:
    """Fragments: attach an identity, or note that one it has is verified now. Refused with `IdentityTaken`."""
    at, document = clock.iso(), profile.document()
    row = profile.identities.get(claim.key)
    if row is None:
        row = _held(claim, at)
        change = _claimed(claim.key, row, profile.profile_id)
        document["values"][claim.key] = claim.value
    else:
        row = row | {"verified": claim.verified}
        change = _verified(claim.key, profile.profile_id)
    return [_edited(profile, document, profile.identities | {claim.key: row}), change]


def _held(claim: Claim, at: str) -> dict[str, Any]:
    held = {"id": ids.new(), "kind": claim.kind, "verified": claim.verified, "at": at}
    return held | ({"customer_id": claim.value} if claim.kind == "account" else {})


def _claimed(key: str, row: dict[str, Any], profile_id: str) -> writes.Write:
    """An identity belongs to whoever puts it first."""
    pk, sk = _identity(key)
    item = {
        "pk": pk, "sk": sk, "profile_id": profile_id, "identity_id": row["id"], "kind": row["kind"],
        "customer_id": row.get("customer_id"), "verified": row["verified"], "version": 1,
        "event": events.of("profile.identified"),
    }  # fmt: skip
    return writes.put(TABLE, item, refused=lambda old: IdentityTaken(old["profile_id"] if old else ""))


def _verified(key: str, profile_id: str) -> writes.Write:
    return writes.update(
        TABLE,
        _identity(key),
        set=f"verified = :yes, {_EDIT}, #e = :event",
        when="profile_id = :profile",
        names={"#v": "version", "#e": "event"},
        values={":yes": True, ":one": 1, ":event": events.of("profile.identified"), ":profile": profile_id},
    )


def _edited(profile: Profile, document: dict[str, Any], rows: dict[str, Any]) -> writes.Write:
    """If nobody edited or erased it since it was read."""
    assert profile.key is not None
    sealed = vault.seal(profile.key, profile.profile_id, document)
    return writes.update(
        TABLE,
        _profile(profile.profile_id),
        set=f"sealed = :sealed, identities = :rows, updated_at = :now, {_EDIT}",
        remove="#e",
        when="#s = :active AND #v = :read",
        names=_NAMES,
        values={
            ":sealed": sealed, ":rows": rows, ":now": clock.iso(), ":one": 1, ":active": "active",
            ":read": profile.version,
        },
    )  # fmt: skip


# ----------------------------------------------------------------------------------------- merging and unmerging


def regrouped(
    before: Iterable[Component], after: Sequence[Component], profiles: Mapping[str, Profile]
) -> list[writes.Write]:
    """Fragments: the cached pointers follow from `before` to `after`, if the roots in `before` are as they were read.

    `profiles` holds at least those roots. Members whose root stays are not written.
    """
    was = {member: component.root for component in before for member in component.members}
    now = {member: component.root for component in after for member in component.members}
    groups = {component.root: component for component in after}
    assert was.keys() == now.keys()
    return [
        _repointed(member, was[member], now[member], groups.get(member), profiles.get(member))
        for member in sorted(was)
        if was[member] != now[member] or member in groups
    ]


def _repointed(
    member: str, old_root: str, new_root: str, group: Component | None, read: Profile | None
) -> writes.Write:
    """One member's pointer. A root that was or will be also carries the person's merges and counts its changes."""
    values: dict[str, Any] = {":one": 1, ":root": new_root, ":old": old_root, ":active": "active"}
    change, drop, when = f"root = :root, {_EDIT}", "#e", "#s = :active AND root = :old"
    if group is not None:
        values[":links"] = {
            "members": sorted(group.members),
            "merges": [_merge_map(each) for each in sorted(group.merges, key=lambda each: each.seq)],
            "seq": group.seq,
        }
        change += ", links = :links, links_version = links_version + :one"
    elif member == old_root:
        change, drop = f"{change}, links_version = links_version + :one", "#e, links"
    if member == old_root:
        assert read is not None
        when += " AND links_version = :read"
        values[":read"] = read.links_version
    return writes.update(TABLE, _profile(member), set=change, remove=drop, when=when, names=_NAMES, values=values)


def _merge_map(each: Merge) -> dict[str, Any]:
    return {name: getattr(each, name) for name in Merge.__slots__}


def linked(merge: Merge, survivor: Profile, reason: str, by: str) -> writes.Write:
    """Fragment: the merge itself."""
    assert survivor.key is not None
    pk, sk = _merge(merge.merge_id)
    item = {
        "pk": pk, "sk": sk, "merge_id": merge.merge_id, "survivor_id": merge.survivor_id,
        "absorbed_id": merge.absorbed_id, "profile_id": merge.survivor_id, "state": "merged", "merged_at": merge.at,
        "by": by, "sealed": vault.seal(survivor.key, f"merge/{merge.merge_id}", {"reason": reason}),
        "version": 1, "event": events.of("profile.merged"),
    }  # fmt: skip
    return writes.put(TABLE, item)


def unlinked(merge_id: str, *, separated: bool, at: str) -> writes.Write:
    """Fragment: the merge is undone, if it is not yet. Why it had been made is nobody's business any more."""
    return writes.update(
        TABLE,
        _merge(merge_id),
        set=f"#s = :undone, undone_at = :at, separated = :separated, {_EDIT}, #e = :event",
        remove="sealed",
        when="#s = :merged",
        names=_NAMES,
        values={
            ":undone": "undone", ":merged": "merged", ":at": at, ":separated": separated, ":one": 1,
            ":event": events.of("profile.unmerged"),
        },
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- erasing


def condemned(component: Component, root: Profile, erasure_id: str, at: str, look_again: str) -> list[writes.Write]:
    """Fragments: from now on nobody reads, edits or merges this person; the receipt is due until all is gone."""
    pk, sk = _erasure(erasure_id)
    receipt = {
        "pk": pk, "sk": sk, "erasure_id": erasure_id, "profile_ids": sorted(component.members),
        "merge_ids": sorted(merge.merge_id for merge in component.merges),
        "state": "running", "requested_at": at, "version": 1,
    }  # fmt: skip
    values = {":erasing": "erasing", ":active": "active", ":id": erasure_id, ":one": 1, ":root": root.root}
    marks = []
    for member in sorted(component.members):
        is_root = member == root.profile_id
        marks.append(
            writes.update(
                TABLE,
                _profile(member),
                set=f"#s = :erasing, erasure_id = :id, {_EDIT}",
                remove="#e",
                when="#s = :active AND root = :root" + (" AND links_version = :read" if is_root else ""),
                names=_NAMES,
                values=values | ({":read": root.links_version} if is_root else {}),
            )
        )
    return [writes.put(TABLE, receipt | due.fields(pk, look_again)), *marks]


def destroy_key(profile_id: str, at: str) -> None:
    """Everything sealed under the profile's key becomes noise. What stays, an id and a date, is the erasure ledger."""
    pk, sk = _key(profile_id)
    writes.commit(writes.put(KEYS, {"pk": pk, "sk": sk, "profile_id": profile_id, "erased_at": at}, when=""))
    _keys.pop(profile_id, None)


def release_identity(key: str, profile_id: str) -> None:
    """Nobody has this identity any more, if it is (still) this profile's."""
    _unless_gone(writes.delete(TABLE, _identity(key), when="profile_id = :p", values={":p": profile_id}))


def forget_merge(merge_id: str) -> None:
    """The merge never was, as far as anybody can tell."""
    _unless_gone(writes.delete(TABLE, _merge(merge_id)))


def scrub(profile_id: str, at: str) -> None:
    """Empty the profile item; the id stays, so that it is not given out again."""
    _unless_gone(
        writes.update(
            TABLE,
            _profile(profile_id),
            set=f"#s = :erased, updated_at = :at, {_EDIT}, #e = :event",
            remove="sealed, identities, links",
            when="#s = :erasing",
            names=_NAMES,
            values={
                ":erased": "erased", ":erasing": "erasing", ":at": at, ":one": 1,
                ":event": events.of("profile.erased"),
            },
        )
    )  # fmt: skip


def erased(erasure_id: str, at: str) -> None:
    """The receipt is complete."""
    _unless_gone(
        writes.update(
            TABLE,
            _erasure(erasure_id),
            set=f"#s = :done, completed_at = :at, {_EDIT}",
            remove=due.REMOVE,
            when="#s = :running",
            names={"#v": "version", "#s": "state"},
            values={":done": "done", ":running": "running", ":at": at, ":one": 1},
        )
    )


def _unless_gone(write: writes.Write) -> None:
    """Another run may have been here: then it is done already."""
    try:
        writes.commit(write)
    except writes.Refused:
        return


# ---------------------------------------------------------------------------------------------------------- keys


def _profile(profile_id: str) -> tuple[str, str]:
    return f"P#{profile_id}", "-"


def _key(profile_id: str) -> tuple[str, str]:
    return f"DEK#{profile_id}", "-"


def _identity(identity_key: str) -> tuple[str, str]:
    return f"ID#{identity_key}", "-"


def _merge(merge_id: str) -> tuple[str, str]:
    return f"LINK#{merge_id}", "-"


def _erasure(erasure_id: str) -> tuple[str, str]:
    return f"ERASURE#{erasure_id}", "-"
