"""E-mail addresses by IDNA 2008: one domain has one spelling, two domains stay two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce import emails


@pytest.mark.parametrize(
    ("spellings", "one"),
    [
        (["anna@straße.de", "Anna@STRAßE.DE", "anna@xn--strae-oqa.de"], "anna@xn--strae-oqa.de"),
        (["anna@strasse.de", "ANNA@Strasse.DE"], "anna@strasse.de"),
        (["joe@café.nl", "joe@cafe\u0301.nl", "JOE@XN--CAF-DMA.nl", "joe@CAFÉ.nl"], "joe@xn--caf-dma.nl"),
        (["a@例え.jp", "a@例え。jp"], "a@xn--r8jz45g.jp"),
        (["ν@βόλος.gr"], "ν@xn--nxasmm1c.gr"),  # a final sigma is its own letter
        ([" an\u200bna@example.com\ufeff"], "anna@example.com"),
        (["x@ab--cd.com"], "x@ab--cd.com"),
        (["josé@example.com", "jose\u0301@example.com"], "josé@example.com"),
    ],
)
def test_a_domain_has_one_spelling(spellings: list[str], one: str) -> None:
    assert {emails.spelled(spelling) for spelling in spellings} == {one}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@straße.de", "anna@strasse.de"),
        ("a@βόλος.gr", "a@βόλοσ.gr"),
        ("anna@paypal.com", "anna@p\u0430ypal.com"),  # a Cyrillic a
        ("an.na@gmail.com", "anna@gmail.com"),  # only one provider treats them as equal
        ("anna+shop@gmail.com", "anna@gmail.com"),
        ("anna@googlemail.com", "anna@gmail.com"),
        ("josé@example.com", "jose@example.com"),
    ],
)
def test_look_alikes_are_two_people(one: str, other: str) -> None:
    assert emails.spelled(one) != emails.spelled(other)


@pytest.mark.parametrize(
    "text",
    [
        "anna",
        "@x.nl",
        "a@b",
        "a@a.a",
        "a@b@c.nl",
        "a b@c.nl",
        "a@-b.nl",
        "a@b-.nl",
        "a@b..nl",
        "a@.nl",
        "a@b.nl.",
        "a@1.2.3.4",
        "a@[1.2.3.4]",
        "a@b_c.nl",
        "a@xn--zzzzzz.nl",
        "a@☃.nl",
        "a\u200db@x.nl",
        "x" * 65 + "@c.nl",
        f"a@{'x' * 64}.nl",
        f"a@{'x.' * 130}nl",
        "anna <anna@example.com>",
        "<anna@example.com>",
        "a\n@b.nl",
        "\u202ea@b.nl",
        "a@\u200d.nl",
        "a@b\u200dc.nl",
        "",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not"):
        emails.spelled(text)


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from(["nl", "de", "РФ", "みんな", "x"]))
def test_the_one_spelling_is_a_spelling(local: str, name: str, top: str) -> None:
    try:
        once = emails.spelled(f"{local}@{name}.{top}")
    except ValueError:
        return
    assert emails.spelled(once) == once
