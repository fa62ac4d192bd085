"""The golden record: who is believed, and that nobody else's data is quoted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.golden import MAX_FIELDS, TRUSTS, Fact, Facts, Record, TooManyFields, facts_of, golden, told

EARLY, LATE = "2026-11-21T10:00:00.000Z", "2026-11-22T10:00:00.000Z"


def _record(profile_id: str, facts: Facts) -> Record:
    return Record(profile_id, EARLY, EARLY, facts)


def _name(*records: Record) -> Any:
    return golden(records)["given_name"].value


def test_verified_before_staff_before_guess_whatever_the_time() -> None:
    # GIVEN three profiles of one person, the least trusted told last
    said = _record("p1", told({}, {"given_name": "Anna"}, "verified", EARLY))
    typed = _record("p2", told({}, {"given_name": "Ana"}, "staff", LATE))
    guessed = _record("p3", told({}, {"given_name": "A."}, "guess", LATE))
    # THEN
    assert _name(said, typed, guessed) == "Anna"
    assert _name(typed, guessed) == "Ana"
    assert _name(guessed) == "A."


def test_among_equals_the_newest() -> None:
    old = _record("p9", told({}, {"given_name": "Anna"}, "staff", EARLY))
    new = _record("p1", told({}, {"given_name": "Anneke"}, "staff", LATE))
    assert _name(old, new) == _name(new, old) == "Anneke"


def test_each_field_says_where_it_comes_from() -> None:
    one = _record("p1", told({}, {"given_name": "Anna"}, "verified", EARLY))
    other = _record("p2", told({}, {"given_name": "Ana", "language": "nl"}, "staff", LATE))
    assert golden([one, other]) == {
        "given_name": Fact("given_name", "Anna", "verified", EARLY, "p1"),
        "language": Fact("language", "nl", "staff", LATE, "p2"),
    }


def test_what_is_told_again_takes_the_place_of_what_was_told_and_leaves_other_trusts_alone() -> None:
    facts = told({}, {"given_name": "Ana"}, "staff", EARLY)
    facts = told(facts, {"given_name": "Anna"}, "verified", EARLY)
    facts = told(facts, {"given_name": "Anneke"}, "verified", LATE)
    assert [(fact.value, fact.trust) for fact in facts_of(_record("p1", facts))] == [
        ("Anneke", "verified"), ("Ana", "staff"),
    ]  # fmt: skip


def test_nothing_can_be_told_too() -> None:
    facts = told({}, {"birth_date": "1990-04-27"}, "staff", EARLY)
    facts = told(facts, {"birth_date": None}, "verified", LATE)
    assert golden([_record("p1", facts)])["birth_date"].value is None


def test_told_changes_no_facts_it_was_given() -> None:
    facts = told({}, {"given_name": "Anna"}, "staff", EARLY)
    told(facts, {"given_name": "Ana", "language": "nl"}, "staff", LATE)
    assert facts == {"given_name": {"staff": ["Anna", EARLY]}}


def test_a_profile_keeps_a_bounded_number_of_fields() -> None:
    facts = told({}, {f"preferences.p{number}": True for number in range(MAX_FIELDS)}, "staff", EARLY)
    assert told(facts, {"preferences.p0": False}, "staff", LATE)
    with pytest.raises(TooManyFields):
        told(facts, {"preferences.one-more": True}, "staff", LATE)


_Facts = st.dictionaries(
    st.sampled_from(["given_name", "language"]),
    st.dictionaries(
        st.sampled_from(TRUSTS), st.tuples(st.integers(0, 3), st.sampled_from([EARLY, LATE])).map(list), min_size=1
    ),
)


@given(st.lists(_Facts, max_size=4), st.randoms())
def test_the_record_does_not_depend_on_order_and_only_quotes_its_own_profiles(told_to: list[Any], random: Any) -> None:
    records = [_record(f"p{number}", facts) for number, facts in enumerate(told_to)]
    shuffled = list(records)
    random.shuffle(shuffled)
    best = golden(records)
    assert golden(shuffled) == best
    for fact in best.values():
        assert fact in facts_of(records[int(fact.profile_id[1:])])
        for record in records:
            for other in facts_of(record):
                if other.field == fact.field:
                    assert (TRUSTS.index(other.trust), other.at) <= (TRUSTS.index(fact.trust), fact.at)
