"""The golden record: what is known about a person, each field from the best of their profiles. Pure.

A fact stays on the profile it was told to. Per field and trust a profile keeps the newest; the record takes the most
trusted, then the newest. Told "nothing" (None) is a fact too: it takes the place of what was told before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Trust = Literal["verified", "staff", "guess"]
TRUSTS: tuple[Trust, ...] = ("guess", "staff", "verified")
"""From least to most: guessed or imported; typed in by staff; told by the signed-in person."""

MAX_FIELDS = 120

Facts = dict[str, dict[str, list[Any]]]
"""Stored form: `{field: {trust: [value, at]}}`."""


class TooManyFields(Exception):
    """More different fields than a profile keeps."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A value of a field, which profile says so, how far it can be trusted, and since when (ISO time)."""

    field: str
    value: Any
    trust: Trust
    at: str
    profile_id: str


@dataclass(frozen=True, slots=True)
class Held:
    """An identity as a profile holds it. `customer_id` only for accounts."""

    identity_id: str
    kind: str
    value: str
    verified: bool
    at: str
    profile_id: str
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One profile, readable."""

    profile_id: str
    created_at: str
    updated_at: str
    facts: Facts = field(default_factory=dict)
    identities: tuple[Held, ...] = ()


def told(facts: Facts, changes: Mapping[str, Any], trust: Trust, at: str) -> Facts:
    """The facts after somebody of this trust told `changes`. Raises `TooManyFields`."""
    after = facts | {name: facts.get(name, {}) | {trust: [value, at]} for name, value in changes.items()}
    if len(after) > MAX_FIELDS:
        raise TooManyFields
    return after


def facts_of(record: Record) -> list[Fact]:
    """Every fact a profile holds, by field, most trusted first."""
    return [
        Fact(name, by_trust[trust][0], trust, by_trust[trust][1], record.profile_id)
        for name, by_trust in sorted(record.facts.items())
        for trust in reversed(TRUSTS)
        if trust in by_trust
    ]


def golden(records: Iterable[Record]) -> dict[str, Fact]:
    """The best fact per field over all profiles of one person: verified before staff before guess, then the newest."""
    best: dict[str, Fact] = {}
    for fact in (fact for record in records for fact in facts_of(record)):
        if fact.field not in best or _strength(fact) > _strength(best[fact.field]):
            best[fact.field] = fact
    return best


def _strength(fact: Fact) -> tuple[int, str, str]:
    # The profile id only makes equals comparable: the same facts give the same record, whatever order they come in.
    return TRUSTS.index(fact.trust), fact.at, fact.profile_id
