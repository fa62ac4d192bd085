"""Countries and their postal codes, as people write them and as the post does."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce import countries


def test_every_country_with_a_telephone_is_known() -> None:
    # Ascension and Tristan da Cunha are part of SH; nobody else's list is needed to see that none was forgotten.
    assert set(phonenumbers.SUPPORTED_REGIONS) - countries.CODES == {"AC", "TA", countries.KOSOVO}
    assert len(countries.CODES) == 249


@pytest.mark.parametrize(("written", "code"), [("nl", "NL"), (" gb ", "GB"), ("Xk", "XK"), ("BQ", "BQ")])
def test_a_country_is_cased(written: str, code: str) -> None:
    assert countries.country(written) == code


@pytest.mark.parametrize("written", ["", "UK", "XX", "ZZ", "EU", "AN", "NLD", "Netherlands", "N", "N L", "ß", "ＮＬ"])
def test_an_unknown_country_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="unknown country"):
        countries.country(written)


@pytest.mark.parametrize(
    ("country", "spellings", "one"),
    [
        ("NL", ["1012ab", "1012 AB", "1012  ab", " 1012-AB", "NL-1012 AB", "1012\u00a0ab"], "1012 AB"),
        ("GB", ["sw1a1aa", "SW1A 1AA", "sw1a-1aa"], "SW1A 1AA"),
        ("GB", ["m11ae"], "M1 1AE"),
        ("GB", ["LE1 1AA"], "LE1 1AA"),
        ("DE", ["10115", "D-10115", "DE 10115", "10 115"], "10115"),
        ("BE", ["1000", "B-1000"], "1000"),
        ("FR", ["75001", "F-75001"], "75001"),
        ("ES", ["28013"], "28013"),
        ("IT", ["00186", "I-00186"], "00186"),
        ("PT", ["1000-001", "1000001", "1000 001"], "1000-001"),
        ("PL", ["00-001", "00001", "00 001"], "00-001"),
        ("SE", ["11122", "111 22", "SE-111 22"], "111 22"),
        ("DK", ["0555", "DK-0555"], "0555"),
        ("NO", ["0150"], "0150"),
        ("FI", ["00100", "FI-00100"], "00100"),
        ("AT", ["1010", "A-1010"], "1010"),
        ("CH", ["8001", "CH-8001"], "8001"),
        ("LU", ["1234", "L-1234"], "1234"),
        ("IE", ["d02af30", "D02 AF30"], "D02 AF30"),
        ("IE", ["d6w xy00"], "D6W XY00"),
        ("CZ", ["11000", "110 00"], "110 00"),
        ("LV", ["1010", "LV-1010", "lv1010"], "LV-1010"),
        ("US", ["90210"], "90210"),
        ("US", ["90210-1234", "902101234"], "90210-1234"),
        ("CA", ["k1a0b1", "K1A 0B1"], "K1A 0B1"),
        ("JP", ["1000001", "100-0001"], "100-0001"),
        ("BR", ["01310100", "01310-100"], "01310-100"),
        ("AD", ["500", "AD500"], "AD500"),
        ("HK", [" 999077 "], "999077"),  # there are none, but forms ask for one
    ],
)
def test_a_postal_code_has_one_spelling_by_country(country: str, spellings: list[str], one: str) -> None:
    assert {countries.postal_code(spelling, country) for spelling in spellings} == {one}


@pytest.mark.parametrize(
    ("country", "code"),
    [
        ("NL", "1012"),
        ("NL", "0123 AB"),
        ("NL", "1012 ABC"),
        ("NL", "10115"),
        ("GB", "10115"),
        ("GB", "SW1A"),
        ("DE", "1011"),
        ("DE", "1012 AB"),
        ("BE", "10000"),
        ("PL", "0-001"),
        ("US", "9021"),
        ("IE", "12345"),
        ("CA", "90210"),
        ("FR", "7500A"),
        ("NL", "١٠١٢ AB"),
        ("HK", "<script>"),
        ("HK", "1" * 13),
        ("HK", ""),
    ],
)
def test_a_code_of_another_country_is_refused(country: str, code: str) -> None:
    with pytest.raises(ValueError, match="not a postal code"):
        countries.postal_code(code, country)


@given(st.sampled_from(sorted(countries.CODES)), st.text(alphabet="0123456789ABCDEFGHX -.", max_size=12))
def test_the_one_spelling_is_a_spelling(country: str, text: str) -> None:
    try:
        once = countries.postal_code(text, country)
    except ValueError:
        return
    assert countries.postal_code(once, country) == once


def test_where_nobody_has_a_code_none_is_needed() -> None:
    assert [countries.needs_postal_code(code) for code in ("NL", "GB", "HK", "AE", "IE")] == [
        True,
        True,
        False,
        False,
        False,
    ]
