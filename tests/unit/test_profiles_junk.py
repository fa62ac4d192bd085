"""Identities that are nobody's, and their neighbours that may well be somebody's."""

from __future__ import annotations

import pytest

from profiles.identities import Kind, normal
from profiles.junk import reason

NOBODYS: list[tuple[Kind, str]] = [
    ("device", "null"),
    ("device", "NULL"),
    ("device", "undefined"),
    ("device", "none"),
    ("device", "unknown"),
    ("device", "n/a."),
    ("device", "00000000-0000-0000-0000-000000000000"),
    ("device", "0000"),
    ("device", "test"),
    ("device", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ("device", "FFFFFFFFFFFF"),
    ("device", "02:00:00:00:00:00"),
    ("device", "00:00:00:00:00:00"),
    ("device", "9774d56d682e549c"),
    ("device", "----"),
    ("device", "000000000000000"),
    ("account", "00000000-0000-0000-0000-000000000000"),
    ("account", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ("loyalty_card", "0000"),
    ("loyalty_card", "0000 0000 0000"),
    ("loyalty_card", "1111111111111"),
    ("loyalty_card", "NULL"),
    ("loyalty_card", "unknown"),
    ("loyalty_card", "geen"),
    ("receipt", "0000"),
    ("receipt", "NONE"),
    ("receipt", "n.v.t."),
    ("receipt", "999999"),
    ("email", "test@test.com"),
    ("email", "Test@Example.com"),
    ("email", "noreply@shop.nl"),
    ("email", "no-reply@shop.nl"),
    ("email", "do_not_reply@shop.nl"),
    ("email", "null@shop.nl"),
    ("email", "undefined@undefined.com"),
    ("email", "n/a@shop.nl"),
    ("email", "-@shop.nl"),
    ("email", "aaa@aaa.com"),
    ("email", "anna@shop.invalid"),
    ("email", "anna@shop.test"),
    ("email", "root@box.localhost"),
    ("email", "jan@test.com"),
    ("phone", "0000000000"),
    ("phone", "0111111111"),
    ("phone", "+31 222222222"),
    ("phone", "+45 22222222"),
    ("phone", "06 00000000"),
    ("phone", "+31123456789"),
]

SOMEBODYS: list[tuple[Kind, str]] = [
    ("device", "till-1:abc"),
    ("device", "0000-0000-0001"),
    ("device", "nullpointer-7"),
    ("device", "02:00:00:00:00:01"),
    ("account", "0190a1b2-0000-7000-8000-000000000001"),
    ("account", "00000000-0000-0000-0000-000000000001"),
    ("loyalty_card", "0000000000017"),
    ("loyalty_card", "12345"),
    ("loyalty_card", "17850"),
    ("loyalty_card", "11111"),
    ("loyalty_card", "2610000000000"),
    ("loyalty_card", "NULLAN01"),
    ("loyalty_card", "1000000"),
    ("receipt", "AMS-0042/17"),
    ("receipt", "100000"),
    ("email", "anna@example.com"),
    ("email", "contest@example.com"),
    ("email", "nan@example.com"),
    ("email", "n.a@example.com"),
    ("email", "jansen@jansen.nl"),
    ("email", "x@x.com"),
    ("email", "attest@tests.nl"),
    ("email", "testa@testa.it"),
    ("email", "nobody@example.com"),
    ("phone", "06 12345678"),
    ("phone", "+31699999999"),
    ("phone", "+447700900000"),
    ("phone", "+39 06 0000 1"),
    ("phone", "+4522222223"),
]


@pytest.mark.parametrize(("kind", "value"), NOBODYS)
def test_what_is_nobodys_own_is_told_why(kind: Kind, value: str) -> None:
    why = None
    try:
        why = reason(kind, normal(kind, value))
    except ValueError as impossible:
        why = str(impossible)
    assert why
    assert value not in why


@pytest.mark.parametrize(("kind", "value"), SOMEBODYS)
def test_what_may_be_somebodys_passes(kind: Kind, value: str) -> None:
    assert reason(kind, normal(kind, value)) is None
