"""Identities have one spelling each, are found by keyed hashes, and are sealed under a key that can be destroyed."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from commerce import ids, secrets
from profiles import vault
from profiles.identities import Kind, normal
from profiles.views import lookup


@pytest.mark.parametrize(
    ("kind", "spellings", "one"),
    [
        ("email", ["anna@example.com", " Anna@Example.COM ", "ANNA@EXAMPLE.COM"], "anna@example.com"),
        ("email", ["joe@café.nl", "joe@cafe\u0301.nl", "JOE@xn--caf-dma.nl"], "joe@xn--caf-dma.nl"),
        ("phone", ["+31612345678", "06-12345678", "0031 6 1234 5678", "+31 (0)6 1234 5678", "06 12.34.56.78"],
         "+31612345678"),
        ("phone", ["+442079460000", "0044 20 7946 0000"], "+442079460000"),
        ("loyalty_card", ["2610-0042-x1", "2610 0042 X1", "26100042X1"], "26100042X1"),
        ("account", ["0190a1b2-0000-7000-8000-000000000001", "0190A1B2-0000-7000-8000-000000000001"],
         "0190a1b2-0000-7000-8000-000000000001"),
        ("device", ["till-1:abc"], "till-1:abc"),
        ("receipt", ["ams-0042/17", "AMS0042/17"], "AMS0042/17"),
    ],
)  # fmt: skip
def test_all_spellings_are_one(kind: Kind, spellings: list[str], one: str) -> None:
    assert {normal(kind, spelling) for spelling in spellings} == {one}


def test_an_order_number_is_a_receipt_however_it_is_typed() -> None:
    number = ids.order_number(ids.new_order_id())
    plain = number.replace("-", "")
    assert normal("receipt", number) == normal("receipt", number.lower()) == normal("receipt", plain) == plain


def test_national_numbers_belong_to_the_country_of_the_market() -> None:
    assert normal("phone", "020 7946 0000", "GB") == "+442079460000"
    assert normal("phone", "020 794 6000", "NL") == "+31207946000"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", "anna"), ("email", "@x.nl"), ("email", "a@b"), ("email", "a@b@c.nl"), ("email", "a b@c.nl"),
        ("email", "a@-b.nl"), ("email", "a@b..nl"), ("email", "x" * 65 + "@c.nl"), ("email", f"a@{'x' * 64}.nl"),
        ("phone", "12"), ("phone", "call me"), ("phone", "+0612345678"), ("phone", "1" * 16), ("phone", "٠٦١٢٣٤٥٦٧٨"),
        ("loyalty_card", "#1"), ("loyalty_card", "abc"), ("account", "anna"), ("device", "a b c d"), ("device", "x"),
        ("receipt", "<script>"), ("receipt", "ab"),
    ],
)  # fmt: skip
def test_the_impossible_is_refused_without_repeating_it(kind: Kind, value: str) -> None:
    with pytest.raises(ValueError, match=r"^not an? ") as refusal:
        normal(kind, value)
    assert value not in str(refusal.value)


@given(st.sampled_from(["email", "phone", "loyalty_card", "account", "device", "receipt"]), st.text(max_size=60))
def test_normal_is_stable_and_fails_only_in_one_way(kind: Kind, text: str) -> None:
    try:
        once = normal(kind, text)
    except ValueError:
        return
    assert normal(kind, once) == once


def test_a_lookup_names_kind_and_value_and_forgives_an_unescaped_plus() -> None:
    assert (lookup("email:Anna@example.com").kind, lookup("email:Anna@example.com").value) == (
        "email",
        "anna@example.com",
    )
    assert lookup("phone: 31612345678").value == lookup("phone:+31612345678").value == "+31612345678"
    assert lookup("device:a:b:c").value == "a:b:c"
    for text in ("anna@example.com", "email", "email:", "name:anna", ":x", "phone:"):
        with pytest.raises(ValueError):
            lookup(text)


# ------------------------------------------------------------------------------------------------------- the vault


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """GIVEN the secret of the profiles."""
    keys = {"index_key": "11" * 32, "master_key": "22" * 32}
    monkeypatch.setattr(secrets, "required", lambda name: keys if name == "profiles" else {})
    return keys


def test_what_is_sealed_can_be_read_with_the_key_and_without_it_shows_nothing() -> None:
    key = vault.unwrap(vault.wrap(vault.new_key(), "p1"), "p1")
    sealed = vault.seal(key, "p1", {"given_name": "canary-Änna"})
    assert vault.unseal(key, "p1", sealed) == {"given_name": "canary-Änna"}
    assert b"canary" not in sealed
    assert sealed != vault.seal(key, "p1", {"given_name": "canary-Änna"})


def test_a_seal_is_bound_to_its_profile_key_and_every_byte() -> None:
    key = vault.new_key()
    sealed = vault.seal(key, "p1", {"a": 1})
    for broken in (
        lambda: vault.unseal(key, "p2", sealed),
        lambda: vault.unseal(vault.new_key(), "p1", sealed),
        lambda: vault.unseal(key, "p1", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        lambda: vault.unwrap(vault.wrap(key, "p1"), "p2"),
    ):
        with pytest.raises(InvalidTag):
            broken()


def test_under_another_master_key_no_data_key_opens(keys: dict[str, str]) -> None:
    wrapped = vault.wrap(vault.new_key(), "p1")
    keys["master_key"] = "33" * 32
    with pytest.raises(InvalidTag):
        vault.unwrap(wrapped, "p1")


def test_the_index_tells_kinds_apart_and_nothing_else(keys: dict[str, str]) -> None:
    found = vault.index("email", "anna@example.com")
    assert found == vault.index("email", "anna@example.com")
    assert found.startswith("email#")
    assert "anna" not in found
    assert found.removeprefix("email#") != vault.index("device", "anna@example.com").removeprefix("device#")
    keys["index_key"] = "44" * 32
    assert found != vault.index("email", "anna@example.com")
