"""Text as people type and paste it: names of every script stay whole, what nobody sees goes, what hides is refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from commerce.text import plain
from commerce.types import LongText, Text

WHOLE = [
    "علی\u200cرضا",
    "නිමල් ශ්\u200dරී",
    "രാജന്\u200d",  # Malayalam that ends in a joiner
    "👩\u200d💻 Ada",
    "🏳️\u200d🌈",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "Nguyễn Thị Ánh",
    "O'Brien-Smith, Jr.",
    "李小龍",
    "𠮷野家",
    "שָׁלוֹם",
    "\U0001f3fb",
    "\U0002fffa\U00031234",  # not known to every Python yet
    "١٢٣\u0600",
]


@pytest.mark.parametrize("name", WHOLE)
def test_names_stay_as_they_are_written(name: str) -> None:
    assert plain(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("pasted", "kept"),
    [
        ("Zand\u00advoort", "Zandvoort"),
        ("\ufeffAnna", "Anna"),
        ("An\u200bna", "Anna"),
        ("\u200eأحمد\u200f", "أحمد"),
        ("An\u2060na", "Anna"),
        (" \u00a0Cafe\u0301\u3000", "Café"),
        ("A\U000e0062\U000e0063B", "AB"),  # letters nobody sees
        ("\u200b Anna \ufeff", "Anna"),
    ],
)
def test_invisible_companions_of_copy_and_paste_are_dropped(pasted: str, kept: str) -> None:
    assert plain(pasted) == kept


@pytest.mark.parametrize(
    "text",
    [f"a{chr(code)}b" for code in [0, 9, 10, 13, 27, 127, 0x85, 0x2028, 0x2029, 0xE000, 0xFFFF, 0xFDD0, 0xD800]]
    + [f"a{chr(code)}b" for code in [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]]
    + ["", " ", "\u00a0", "\ufeff", "\u200b\u00ad", "\u200d", "\u200c \u200d", "\u3164", "\u2800\ufe0f", "\U000e0041"],
)
def test_what_hides_something_and_what_cannot_be_seen_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not|blank"):
        plain(text)


@given(st.text())
def test_the_one_form_is_a_form(text: str) -> None:
    try:
        once = plain(text)
    except ValueError:
        return
    assert plain(once) == once


def test_a_form_that_needs_more_room_is_not_longer_than_what_fits() -> None:
    grows = "\u0958"  # two characters in NFC
    assert len(TypeAdapter(Text).validate_python(grows * 100)) == 200
    for kind, count in ((Text, 101), (LongText, 501)):
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(grows * count)
