"""The doctor knows sound people from unsound ones: each check has a mistake that only it finds."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from infra.doctor import profile
from infra.doctor.findings import Patient

Tables = dict[str, list[dict[str, Any]]]


def _profile(name: str, root: str, **more: Any) -> dict[str, Any]:
    return {"pk": f"P#{name}", "sk": "-", "profile_id": name, "state": "active", "root": root, "identities": {}} | more


def _sound() -> Tables:
    """a and b are one person, c had an e-mail address and is alone, d is erased."""
    merge = {"merge_id": "m1", "survivor_id": "a", "absorbed_id": "b", "seq": 1, "at": "2026"}
    links = {"members": ["a", "b"], "merges": [merge], "seq": 1}
    profiles = [
        _profile("a", "a", links=links, sealed="x"),
        _profile("b", "a", sealed="x"),
        _profile("c", "c", identities={"email#h": {}}, sealed="x"),
        {"pk": "P#d", "sk": "-", "profile_id": "d", "state": "erased", "root": "d"},
        {"pk": "LINK#m1", "sk": "-", "merge_id": "m1", "survivor_id": "a", "absorbed_id": "b", "state": "merged"},
        {"pk": "ID#email#h", "sk": "-", "profile_id": "c"},
        {"pk": "ERASURE#e", "sk": "-", "state": "done"},
    ]
    keys = [{"pk": f"DEK#{name}", "sk": "-", "profile_id": name, "wrapped": "w"} for name in "abc"]
    keys.append({"pk": "DEK#d", "sk": "-", "profile_id": "d", "erased_at": "2026"})
    return {"ProfilesTable": profiles, "ProfileKeysTable": keys}


def _found(tables: Tables) -> list[str]:
    return [str(violation) for violation in profile.check(Patient(tables, "2026", "~"))]


def test_sound_people_are_sound() -> None:
    assert _found(_sound()) == []


def _of(tables: Tables, pk: str) -> dict[str, Any]:
    return next(item for items in tables.values() for item in items if item["pk"] == pk)


MISTAKES: dict[str, Callable[[Tables], Any]] = {
    "I9 b: its root c does not know it": lambda t: _of(t, "P#b").update(root="c"),
    "I9 b: its root x is none": lambda t: _of(t, "P#b").update(root="x"),
    "I9 b: carries merges": lambda t: _of(t, "P#b").update(links=copy.deepcopy(_of(t, "P#a")["links"])),
    "I9 a: lists c": lambda t: _of(t, "P#a")["links"]["members"].append("c"),
    "I9 a: is root, but the newest merge named b": lambda t: _of(t, "P#a")["links"]["merges"][0].update(
        survivor_id="b", absorbed_id="a"
    ),
    "I9 a: has members, but no merges": lambda t: _of(t, "P#a")["links"].update(merges=[]),
    "I9 a: its merges do not connect": lambda t: (
        _of(t, "P#c").update(root="a"), _of(t, "P#a")["links"]["members"].append("c")
    ),
    "I9 m1: is in force, but": lambda t: _of(t, "LINK#m1").update(state="undone"),
    "I9 m1: is made, but in force 0": lambda t: (
        _of(t, "P#a").pop("links"), _of(t, "P#b").update(root="b")
    ),
    "I9 c: and the index": lambda t: _of(t, "P#c").update(identities={}),
    "I9 a: and the index": lambda t: _of(t, "ID#email#h").update(profile_id="a"),
    "I10 c: is in use": lambda t: _of(t, "DEK#c").pop("wrapped"),
    "I10 d: is erased, but": lambda t: _of(t, "P#d").update(sealed="x"),
    "I10 d: is erased, but something": lambda t: _of(t, "DEK#d").update(wrapped="w"),
    "I6 ERASURE#e: is running and lacks": lambda t: _of(t, "ERASURE#e").update(state="running"),
    "I6 ERASURE#e: is done and has": lambda t: _of(t, "ERASURE#e").update(due="2026"),
}  # fmt: skip


@pytest.mark.parametrize("symptom", MISTAKES)
def test_each_mistake_is_found(symptom: str) -> None:
    tables = _sound()
    MISTAKES[symptom](tables)
    assert any(found.startswith(symptom) for found in _found(tables)), _found(tables)
