"""Erasing a person: marked in one transaction, then taken apart step by step, each of which may be repeated.

The whole person goes, with every profile merged into it: what is kept elsewhere under another id would still be theirs.
The keys are destroyed first, which makes every copy unreadable wherever it is; then history, identities and merges,
and last what is left of the items. A crash anywhere leaves the receipt due, and the sweeper goes on.
"""

from __future__ import annotations

from typing import Any

from commerce import audit, clock, ids, problems, writes
from profiles import history, people, table
from profiles.graph import Component, Merge

_LOOK_AGAIN_S = 60.0


def erase(profile_id: str, entry: audit.Entry | None) -> dict[str, Any]:
    """Erase whoever this profile belongs to; the receipt. Asking again gives the same receipt. Raises 404.

    `entry` is kept with the first mark the erasure leaves.
    """
    for _ in range(5):
        found = table.load(profile_id).get(profile_id)
        if found is not None and found.erasure_id is not None:
            return resume(found.erasure_id)
        if found is None:
            raise problems.not_found("profile")
        component, root = _person(found)
        erasure_id = ids.new()
        try:
            writes.commit(
                table.condemned(component, root, erasure_id, clock.iso(), clock.after(_LOOK_AGAIN_S)),
                audit.kept(table.TABLE, entry),
            )
        except writes.Refused:
            continue  # merged, unmerged or erased meanwhile
        return resume(erasure_id)
    raise problems.busy()


def _person(found: table.Profile) -> tuple[Component, table.Profile]:
    """Who goes. A profile whose key is gone came back with a backup: it goes by itself, as it was erased before."""
    if found.state == "active" and found.key is None:
        merges = found.component.merges if found.component else frozenset[Merge]()
        return Component(frozenset({found.profile_id}), merges), found
    line = people.lineage(found.profile_id)
    return line.component, line.root


def resume(erasure_id: str) -> dict[str, Any]:
    """Do what is left to do; the receipt: `erasure_id, profile_ids, state, requested_at, completed_at`."""
    receipt = table.erasure(erasure_id)
    if receipt["state"] == "done":
        return receipt
    now = clock.iso()
    for profile_id in receipt["profile_ids"]:
        table.destroy_key(profile_id, now)
    for merge_id in receipt["merge_ids"]:
        table.forget_merge(merge_id)
    for profile_id, profile in table.load(*receipt["profile_ids"]).items():
        for customer_id in sorted(profile.customers):
            history.forget(customer_id, receipt["requested_at"])
        for identity_key in profile.identities:
            table.release_identity(identity_key, profile_id)
        table.scrub(profile_id, now)
    table.erased(erasure_id, now)
    return table.erasure(erasure_id)
