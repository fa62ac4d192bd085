"""I9 and I10: cached pointers of people follow from their merges, identities have one profile, erased is erased."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.doctor.findings import Item, Patient, Violation
from profiles.graph import Component, Merge, unmerged


def check(patient: Patient) -> Iterator[Violation]:
    """All profiles, merges, identities and keys against each other."""
    items = list(patient.tables.get("ProfilesTable", ()))
    profiles = {item["profile_id"]: item for item in items if item["pk"].startswith("P#")}
    active = {key: item for key, item in profiles.items() if item["state"] == "active"}
    yield from _pointers(active)
    yield from _merges(active, {item["merge_id"]: item for item in items if item["pk"].startswith("LINK#")})
    yield from _identities(
        active, {item["pk"].removeprefix("ID#"): item for item in items if item["pk"].startswith("ID#")}
    )
    yield from _keys(profiles, list(patient.tables.get("ProfileKeysTable", ())))
    for item in items:
        if item["pk"].startswith("ERASURE#") and (item["state"] == "running") != ("due" in item):
            yield Violation(
                "I6", item["pk"], f"is {item['state']} and {'has' if 'due' in item else 'lacks'} a due time"
            )


def _pointers(active: dict[str, Item]) -> Iterator[Violation]:
    for profile_id, item in active.items():
        root = active.get(item["root"])
        if root is None or root["root"] != item["root"]:
            yield Violation("I9", profile_id, f"its root {item['root']} is none")
        elif profile_id not in _component(root).members:
            yield Violation("I9", profile_id, f"its root {item['root']} does not know it")
        if item["root"] != profile_id and "links" in item:
            yield Violation("I9", profile_id, "carries merges but is no root")
        if item["root"] == profile_id:
            yield from _component_is_sound(_component(item), profile_id, active)


def _component_is_sound(component: Component, root: str, active: dict[str, Item]) -> Iterator[Violation]:
    strangers = [member for member in component.members if active.get(member, {}).get("root") != root]
    if strangers:
        yield Violation("I9", root, f"lists {strangers[0]}, which is not part of it")
    elif component.merges:
        if component.root != root:
            yield Violation("I9", root, f"is root, but the newest merge named {component.root}")
        # A merge that never was, between a member and itself, leaves what the others connect.
        probe = Merge("probe", root, root, component.seq + 1, "")
        if len(unmerged(Component(component.members, component.merges | {probe}, component.seq), "probe")) != 1:
            yield Violation("I9", root, "its merges do not connect its members")
    elif component.members != {root}:
        yield Violation("I9", root, "has members, but no merges")


def _merges(active: dict[str, Item], links: dict[str, Item]) -> Iterator[Violation]:
    listed = [each for item in active.values() for each in item.get("links", {}).get("merges", [])]
    for each in listed:
        link = links.get(each["merge_id"], {})
        ends = (link.get("survivor_id"), link.get("absorbed_id"))
        if link.get("state") != "merged" or ends != (each["survivor_id"], each["absorbed_id"]):
            yield Violation("I9", each["merge_id"], "is in force, but its own item does not say so")
    for merge_id, link in links.items():
        in_force = [each for each in listed if each["merge_id"] == merge_id]
        if link["state"] == "merged" and link["survivor_id"] in active and len(in_force) != 1:
            yield Violation("I9", merge_id, f"is made, but in force {len(in_force)} times")


def _identities(active: dict[str, Item], rows: dict[str, Item]) -> Iterator[Violation]:
    held = {(key, profile_id) for profile_id, item in active.items() for key in item.get("identities", {})}
    owned = {(key, row["profile_id"]) for key, row in rows.items() if row["profile_id"] in active}
    for _, profile_id in sorted(held ^ owned):
        yield Violation("I9", profile_id, "and the index of identities disagree")


def _keys(profiles: dict[str, Item], keys: list[Item]) -> Iterator[Violation]:
    readable = {item["profile_id"] for item in keys if "wrapped" in item}
    for profile_id, item in profiles.items():
        personal: Any = {"sealed", "identities", "links"} & item.keys()
        if item["state"] == "active" and profile_id not in readable:
            yield Violation("I10", profile_id, "is in use, but its key is gone")
        if item["state"] == "erased" and (personal or profile_id in readable):
            yield Violation("I10", profile_id, "is erased, but something is left")


def _component(root: Item) -> Component:
    links = root.get("links")
    if links is None:
        return Component.alone(root["profile_id"])
    return Component(frozenset(links["members"]), frozenset(Merge(**each) for each in links["merges"]), links["seq"])
