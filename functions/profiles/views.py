"""What goes in and out of the door of profiles."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from commerce import clock, markets
from commerce.types import Body, Country, Id, LongText, MoneyView, Text, View
from profiles import junk, people
from profiles.golden import Fact, Held, Record, Trust, facts_of
from profiles.identities import Kind, normal
from profiles.table import Claim

_PREFERENCE = "preferences."


def _birth_date(text: str) -> str:
    born = datetime.date.fromisoformat(text)
    if not datetime.date(1900, 1, 1) <= born <= clock.now().date():
        raise ValueError("nobody was born then")
    return text


BirthDate = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_birth_date)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")]
PreferenceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
PreferenceValue = Annotated[bool, Field(strict=True)] | Text | None


# -------------------------------------------------------------------------------------------------------- what is asked


class ProfileFields(Body):
    """What can be told about a person. Only what is named changes; null takes a value away."""

    given_name: Text | None = Field(default=None, examples=["Anna"])
    family_name: Text | None = Field(default=None, examples=["de Vries"])
    birth_date: BirthDate | None = Field(default=None, examples=["1990-04-27"])
    language: Language | None = Field(default=None, examples=["nl"])
    preferences: dict[PreferenceName, PreferenceValue] = Field(
        default_factory=dict, max_length=50, examples=[{"newsletter": True, "size": "M"}]
    )

    def changes(self) -> dict[str, Any]:
        """By field; a preference is a field of its own: `preferences.newsletter`."""
        named = {name: getattr(self, name) for name in self.model_fields_set & set(ProfileFields.model_fields)}
        preferences = named.pop("preferences", {})
        return named | {f"{_PREFERENCE}{name}": value for name, value in preferences.items()}


def _known_market(market_id: str) -> str:
    if market_id not in markets.every():
        raise ValueError("unknown market")
    return market_id


Market = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_market)]


class IdentityBody(Body):
    """What a person is found by. `verified`: somebody saw the proof (a link clicked, a card shown).

    A phone number that does not say its country belongs to `country`, else to that of `market`, else to where the
    caller's till is, else to the default market.
    """

    kind: Kind
    value: Annotated[str, StringConstraints(min_length=1, max_length=300)] = Field(examples=["anna@example.com"])
    verified: Annotated[bool, Field(strict=True)] = False
    country: Country | None = Field(None, description="of a phone number in its national spelling", examples=["GB"])
    market: Market | None = Field(None, description="whose country a phone number in its national spelling has")

    def claim(self, country: str) -> Claim:
        """For the store, in its one spelling. Raises ValueError for what is impossible, or nobody's own."""
        value = normal(self.kind, self.value, country)
        if why := junk.reason(self.kind, value):
            raise ValueError(why)
        return Claim(self.kind, value, self.verified)


class CreateProfile(ProfileFields):
    """A new profile. `trust` of what is told: typed in by staff, or a guess (imported, derived)."""

    identities: list[IdentityBody] = Field(
        default_factory=list,
        max_length=20,
        examples=[[{"kind": "email", "value": "anna@example.com", "verified": True}]],
    )
    trust: Literal["staff", "guess"] = "staff"
    market: Market | None = Field(None, description="whose country phone numbers in their national spelling have")


class EditProfile(ProfileFields):
    """Staff's edit of a profile."""

    trust: Literal["staff", "guess"] = "staff"


class MergeProfiles(Body):
    """Two profiles are one person; the golden record has the survivor's id."""

    survivor_id: Id = Field(examples=["0190a1b2-0000-7000-8000-000000000001"])
    absorbed_id: Id = Field(examples=["0190a1b2-0000-7000-8000-000000000002"])
    reason: LongText = Field(examples=["same card, same phone, asked at the till"])


# ----------------------------------------------------------------------------------------------------- what is answered


class ProfileSourceView(View):
    """Where a field comes from."""

    profile_id: str
    trust: Trust = Field(description="verified: told by the signed-in person; staff: typed in; guess: derived")
    at: str

    @classmethod
    def of(cls, fact: Fact) -> ProfileSourceView:
        return cls(profile_id=fact.profile_id, trust=fact.trust, at=fact.at)


class ProfileIdentityView(View):
    """An identity and the profile it is on."""

    identity_id: str
    kind: Kind
    value: str
    verified: bool
    at: str
    profile_id: str

    @classmethod
    def of(cls, held: Held) -> ProfileIdentityView:
        return cls.model_validate(held)


class ProfileMergeView(View):
    """A merge. `profile_id`: whose golden record it led to."""

    merge_id: str
    survivor_id: str
    absorbed_id: str
    profile_id: str
    merged_at: str


class ProfileUnmergeView(ProfileMergeView):
    """A merge that was undone. `separated`: they are two persons again, no other merge holds them together."""

    separated: bool
    undone_at: str


class ProfileView(View):
    """The golden record: the best value of each field over all profiles of one person, and where it comes from."""

    profile_id: str
    merged_into: str | None = Field(default=None, description="set when the profile asked for is part of this one")
    profile_ids: list[str] = Field(description="all profiles of this person")
    created_at: str
    updated_at: str
    given_name: str | None = None
    family_name: str | None = None
    birth_date: str | None = None
    language: str | None = None
    preferences: dict[str, bool | str] = Field(default_factory=dict)
    sources: dict[str, ProfileSourceView] = Field(
        description="by field; a preference is `preferences.<name>`",
        examples=[{"given_name": {"profile_id": "0190…", "trust": "verified", "at": "2026-11-21T10:00:00.000Z"}}],
    )
    identities: list[ProfileIdentityView]
    merges: list[ProfileMergeView]

    @classmethod
    def of(cls, person: people.Person) -> ProfileView:
        """Of a person."""
        facts = person.facts
        told = {name: fact.value for name, fact in facts.items() if fact.value is not None}
        root = person.component.root
        return cls(
            profile_id=root,
            merged_into=root if person.asked_id != root else None,
            profile_ids=[record.profile_id for record in person.records],
            created_at=min(record.created_at for record in person.records),
            updated_at=max(record.updated_at for record in person.records),
            preferences={
                name.removeprefix(_PREFERENCE): value for name, value in told.items() if name.startswith(_PREFERENCE)
            },
            sources={name: ProfileSourceView.of(fact) for name, fact in sorted(facts.items())},
            identities=[ProfileIdentityView.of(held) for held in person.identities],
            merges=[
                ProfileMergeView(
                    merge_id=each.merge_id,
                    survivor_id=each.survivor_id,
                    absorbed_id=each.absorbed_id,
                    profile_id=each.survivor_id,
                    merged_at=each.at,
                )
                for each in sorted(person.component.merges, key=lambda each: each.seq)
            ],
            **{name: value for name, value in told.items() if not name.startswith(_PREFERENCE)},
        )


class ProfileListView(View):
    """Who was found."""

    items: list[ProfileView]
    next_cursor: str | None = None


class TimelineEntryView(View):
    """One thing that happened, and to which of the person's profiles."""

    at: str
    type: str = Field(examples=["order.paid"])
    profile_id: str
    order_id: str | None = None
    order_number: str | None = None
    payment_id: str | None = None
    basket_id: str | None = None
    channel: str | None = None
    amount: MoneyView | None = None


class TimelineView(View):
    """A page of a person's history, newest first."""

    items: list[TimelineEntryView]
    next_cursor: str | None = None

    @classmethod
    def of(cls, entries: list[dict[str, Any]], owners: dict[str, str], cursor: str | None) -> TimelineView:
        """`owners`: customer id -> profile."""
        items = [
            TimelineEntryView.model_validate(each | {"profile_id": owners[each["customer_id"]]}) for each in entries
        ]
        return cls(items=items, next_cursor=cursor)


class FactView(View):
    """One fact as it was told to one profile."""

    field: str
    value: bool | str | None
    trust: Trust
    at: str


class ProfileRecordView(View):
    """One profile of the person, as it is without the others."""

    profile_id: str
    created_at: str
    updated_at: str
    facts: list[FactView]
    identities: list[ProfileIdentityView]

    @classmethod
    def of(cls, record: Record) -> ProfileRecordView:
        return cls(
            profile_id=record.profile_id,
            created_at=record.created_at,
            updated_at=record.updated_at,
            facts=[FactView.model_validate(fact) for fact in facts_of(record)],
            identities=[ProfileIdentityView.of(held) for held in record.identities],
        )


class MergeReasonView(ProfileMergeView):
    """A merge and why it was made."""

    reason: str | None = None


class ProfileExportView(View):
    """Everything kept about a person here, with provenance. `history` has the newest entries; the timeline pages on."""

    exported_at: str
    profile: ProfileView
    records: list[ProfileRecordView]
    merges: list[MergeReasonView]
    history: TimelineView

    @classmethod
    def of(cls, person: people.Person, reasons: dict[str, str], history: TimelineView) -> ProfileExportView:
        """Of a person, with the reasons of merges by merge id."""
        golden = ProfileView.of(person)
        return cls(
            exported_at=clock.iso(),
            profile=golden,
            records=[ProfileRecordView.of(record) for record in person.records],
            merges=[MergeReasonView(**each.model_dump(), reason=reasons.get(each.merge_id)) for each in golden.merges],
            history=history,
        )


class ErasureView(View):
    """The receipt of an erasure. `running`: the rest follows within minutes, nothing of it can be read any more."""

    receipt_id: str
    profile_ids: list[str]
    state: Literal["running", "done"]
    requested_at: str
    completed_at: str | None = None


def lookup(text: str, country: str = "") -> Claim:
    """`kind:value` as in `?identity=email:anna@example.com`. Raises ValueError.

    `country`: of a phone number that is written without one; the default market's unless given.
    """
    kind, colon, value = text.partition(":")
    if not colon or kind not in Kind.__args__:  # type: ignore[attr-defined]
        raise ValueError("write kind:value")
    if kind == "phone" and value.startswith(" "):
        value = f"+{value.strip()}"  # a plus sign that nobody escaped
    return Claim(kind, normal(kind, value, country or markets.get(None).country), verified=False)  # type: ignore[arg-type]
