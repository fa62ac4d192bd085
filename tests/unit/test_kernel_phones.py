"""Telephone numbers: every country's own way to write them leads to one spelling, and to the right country."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from commerce import phones

NATIONAL = [
    ("AT", "0664 1234567", "+436641234567"),
    ("AT", "01 5123456", "+4315123456"),
    ("BE", "0470 12 34 56", "+32470123456"),
    ("BE", "02 555 12 12", "+3225551212"),
    ("BG", "048 123 456", "+35948123456"),
    ("CH", "078 123 45 67", "+41781234567"),
    ("CZ", "601 123 456", "+420601123456"),
    ("DE", "01512 3456789", "+4915123456789"),
    ("DE", "030 123456", "+4930123456"),
    ("DK", "32 12 34 56", "+4532123456"),
    ("EE", "5123 4567", "+37251234567"),
    ("ES", "612345678", "+34612345678"),
    ("ES", "912 34 56 78", "+34912345678"),
    ("FI", "041 2345678", "+358412345678"),
    ("FR", "06 12 34 56 78", "+33612345678"),
    ("FR", "01 23 45 67 89", "+33123456789"),
    ("GB", "07911 123456", "+447911123456"),
    ("GB", "(020) 7946 0000", "+442079460000"),
    ("GR", "691 234 5678", "+306912345678"),
    ("HR", "092 123 4567", "+385921234567"),
    ("HU", "06 20 123 4567", "+36201234567"),
    ("HU", "(06 20) 123 4567", "+36201234567"),
    ("IE", "085 012 3456", "+353850123456"),
    ("IS", "611 1234", "+3546111234"),
    ("IT", "06 1234 5678", "+390612345678"),
    ("IT", "312 345 6789", "+393123456789"),
    ("LT", "(8-612) 34567", "+37061234567"),
    ("LU", "628 123 456", "+352628123456"),
    ("LV", "21 234 567", "+37121234567"),
    ("NL", "06-12345678", "+31612345678"),
    ("NL", "(020) 123 4567", "+31201234567"),
    ("NL", "612345678", "+31612345678"),
    ("NO", "40 61 23 45", "+4740612345"),
    ("PL", "512 345 678", "+48512345678"),
    ("PT", "912 345 678", "+351912345678"),
    ("RO", "0712 034 567", "+40712034567"),
    ("SE", "070-123 45 67", "+46701234567"),
    ("SI", "031 234 567", "+38631234567"),
    ("SK", "0912 123 456", "+421912123456"),
    ("TR", "0501 234 56 78", "+905012345678"),
    ("US", "(201) 555-0123", "+12015550123"),
    ("CA", "1 506 234 5678", "+15062345678"),
    ("AU", "0412 345 678", "+61412345678"),
    ("BR", "(11) 96123-4567", "+5511961234567"),
    ("IN", "081234 56789", "+918123456789"),
    ("JP", "090-1234-5678", "+819012345678"),
    ("ZA", "071 123 4567", "+27711234567"),
]


@pytest.mark.parametrize(("country", "written", "one"), NATIONAL)
def test_a_national_number_belongs_to_its_country(country: str, written: str, one: str) -> None:
    assert phones.spelled(written, country) == one
    assert phones.spelled(one, "NL") == one


def test_more_countries_than_one_continent_has_are_in_the_table() -> None:
    assert len({country for country, _, _ in NATIONAL}) >= 25


@pytest.mark.parametrize("kind", [PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE])
def test_every_region_s_example_is_one_number_in_all_its_formats(kind: int) -> None:
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        one = phonenumbers.format_number(example, PhoneNumberFormat.E164)
        formats = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)
        assert {phones.spelled(phonenumbers.format_number(example, each), region) for each in formats} == {one}, region


@pytest.mark.parametrize(
    ("written", "country", "one"),
    [
        ("+31 0612345678", "GB", "+31612345678"),
        ("+31 (0)6 1234 5678", "GB", "+31612345678"),
        ("+44 (0)7911 123456", "NL", "+447911123456"),
        ("+39 (0)6 1234 5678", "NL", "+390612345678"),
        ("0039 06 12345678", "NL", "+390612345678"),
        ("(+31) 6 1234 5678", "GB", "+31612345678"),
        ("0031 6 12345678", "US", "+31612345678"),  # 00 is not the way out there, but everybody writes it
        ("011 31 6 12345678", "US", "+31612345678"),
        ("0011 31 6 12345678", "AU", "+31612345678"),
        ("06\u201112345678", "NL", "+31612345678"),
        ("06\u00a012 34 56 78", "NL", "+31612345678"),
        ("０６ １２３４ ５６７８", "NL", "+31612345678"),
        ("+31699999999", "NL", "+31699999999"),  # as long as they are there, but not given out yet
    ],
)
def test_spellings_people_use_are_one_number(written: str, country: str, one: str) -> None:
    assert phones.spelled(written, country) == one


@pytest.mark.parametrize(
    ("written", "country"),
    [
        ("+999 123 456 78", "NL"),
        ("+0612345678", "NL"),
        ("+31 612345", "NL"),
        ("+31 06123456789", "NL"),
        ("+1 123 456 7890", "NL"),
        ("+44 1", "GB"),
        ("12 34 56 78", "DK"),
        ("12", "NL"),
        ("1" * 16, "NL"),
        ("+31 6 12345678 ext 5", "NL"),
        ("call me", "NL"),
        ("0900-CALLME", "NL"),
        ("٠٦١٢٣٤٥٦٧٨", "NL"),
        ("", "NL"),
        ("612345678", "AQ"),
        ("0000000000", "GB"),
        ("+210 123456789", "NL"),
    ],
)
def test_an_impossible_number_is_refused_without_repeating_it(written: str, country: str) -> None:
    with pytest.raises(ValueError, match=r"^not a phone number$"):
        phones.spelled(written, country)


def test_the_first_country_that_gave_the_number_out_is_its_own() -> None:
    # GIVEN a Dutch mobile number that would be as long as a Belgian one
    assert phones.spelled("06 12345678", "BE", "NL") == "+31612345678"
    assert phones.spelled("0470 12 34 56", "BE", "NL") == "+32470123456"
    assert phones.spelled("06 99999999", "BE", "NL") == phones.spelled("06 99999999", "NL")


@given(st.text(alphabet="0123456789 +()-./", max_size=20), st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
def test_the_one_spelling_is_a_spelling_everywhere(text: str, country: str) -> None:
    try:
        once = phones.spelled(text, country)
    except ValueError:
        return
    assert {phones.spelled(once, country), phones.spelled(once, "NL"), phones.spelled(once)} == {once}


@pytest.mark.parametrize(
    ("written", "says"),
    [("+31 6", True), ("0031", False), ("(+31)", True), (" +31", True), ("06", False), ("(020)", False)],
)
def test_a_number_may_say_where_it_belongs(written: str, says: bool) -> None:
    assert phones.names_its_country(written) is says
