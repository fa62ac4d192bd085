"""Money, identifiers, items, tokens: the values everything else is made of."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from commerce import clock, ids, items, secrets, tokens
from commerce.money import EXPONENTS, Money, tax_included
from commerce.problems import Problem
from commerce.types import Body, Email, Sku, Text

AMOUNTS = st.integers(-(10**12), 10**12)


@given(AMOUNTS, st.sampled_from(sorted(EXPONENTS)))
def test_a_decimal_amount_reads_back_as_it_was(amount: int, currency: str) -> None:
    assert Money.of_decimal(Money(amount, currency).decimal(), currency) == Money(amount, currency)


def test_money_refuses_what_would_lose_or_invent_some() -> None:
    with pytest.raises(ValueError, match="mix"):
        Money(1, "EUR") + Money(1, "GBP")
    with pytest.raises(ValueError, match="unknown currency"):
        Money(1, "XXX")
    with pytest.raises(ValueError, match="more decimals"):
        Money.of_decimal("1.005", "EUR")


CASES = [(1210, 21, 210), (100, 21, 17), (1, 21, 0), (3, 20, 1), (999, 0, 0)]


@pytest.mark.parametrize(("gross", "percent", "tax"), CASES)
def test_included_tax_is_rounded_half_up(gross: int, percent: int, tax: int) -> None:
    assert tax_included(gross, percent) == tax


@given(st.integers(0, 10**9), st.sampled_from([5, 9, 20, 21]))
def test_included_tax_is_never_off_by_more_than_half_a_cent(gross: int, percent: int) -> None:
    assert abs(tax_included(gross, percent) * (100 + percent) - gross * percent) * 2 <= 100 + percent


@given(st.binary(min_size=7, max_size=7), st.integers(0, 11), st.sampled_from(string.digits + "ABCDEFGHJKMNPQRSTVWXYZ"))
def test_every_wrong_character_in_an_order_number_is_noticed(seed: bytes, place: int, wrong: str) -> None:
    # GIVEN an order number
    ids.random_bytes, kept = lambda count: seed, ids.random_bytes
    try:
        order_id = ids.new_order_id()
    finally:
        ids.random_bytes = kept
    # WHEN one character is misheard
    misheard = order_id[:place] + wrong + order_id[place + 1 :]
    # THEN it is no order number, unless nothing was misheard
    assert ids.read_order_id(misheard) == (order_id if wrong == order_id[place] else None)


def test_an_order_number_is_read_the_way_people_write_it() -> None:
    order_id = ids.new_order_id()
    spoken = ids.order_number(order_id).lower().replace("0", "o").replace("1", "l")
    assert ids.read_order_id(f" {spoken} ".replace("-", " ")) == order_id


def test_ids_sort_by_the_time_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for moment in (1_700_000_000.0, 1_700_000_000.001, 1_800_000_000.0):
        monkeypatch.setattr(clock, "source", lambda moment=moment: moment)
        made.append(ids.new())
    assert made == sorted(made)
    assert len({one[14] for one in made}) == 1 == len({"7"} & {one[14] for one in made})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_what_is_stored_reads_back_as_it_was(value: object) -> None:
    assert items.from_attribute(items.to_attribute(value)) == value


def test_a_float_is_never_stored() -> None:
    with pytest.raises(TypeError):
        items.to_item({"amount": 12.99})


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    known: dict[str, object] = {"current": "k2", "keys": {"k1": "aa" * 32, "k2": "bb" * 32}}
    monkeypatch.setattr(secrets, "required", lambda name: known)
    return known


def test_a_token_signed_before_a_key_rotation_stays_good(keys: dict[str, object]) -> None:
    keys["current"] = "k1"
    token = tokens.sign("basket", {"basket_id": "b"})
    keys["current"] = "k2"
    assert tokens.read("basket", token) == {"basket_id": "b"}


def test_a_token_is_good_for_one_purpose_only(keys: dict[str, object]) -> None:
    cursor = tokens.cursor("orders of ann", {"pk": "x"})
    assert tokens.read("basket", cursor or "") is None
    assert tokens.read_cursor("orders of ann", cursor) == {"pk": "x"}
    with pytest.raises(Problem) as refused:
        tokens.read_cursor("orders of bob", cursor)
    assert refused.value.status == 422


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "required", lambda name: {"current": "k", "keys": {"k": "cc" * 32}})
        token = tokens.sign("basket", {"basket_id": "mine"})
        place = data.draw(st.integers(0, len(token) - 1))
        other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != token[place]))
        changed = token[:place] + other + token[place + 1 :]
        payload = tokens.read("basket", changed)
        # The last base64 character of the MAC carries no unused bits here, so any change shows.
        assert payload is None


def test_an_expired_token_is_refused(keys: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "source", lambda: 1000.0)
    token = tokens.sign("basket", {"exp": 1001})
    assert tokens.read("basket", token)
    monkeypatch.setattr(clock, "source", lambda: 1002.0)
    assert tokens.read("basket", token) is None


class _Input(Body):
    sku: Sku = "A"
    text: Text = "a"
    email: Email = "a@b.nl"


@pytest.mark.parametrize(
    "given_input",
    [
        {"sku": ""}, {"sku": "-a"}, {"sku": "a b"}, {"sku": "a" * 65}, {"sku": "a\n"}, {"sku": 1},
        {"text": "a\x00b"}, {"text": "\u202eevil"}, {"text": "   "}, {"text": "x" * 201}, {"text": "\ud800"},
        {"email": "no"}, {"email": "a@b"}, {"email": "a b@c.nl"}, {"unknown": 1},
    ],
)  # fmt: skip
def test_bad_input_is_refused(given_input: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        _Input.model_validate(given_input)


def test_text_is_stored_in_one_form() -> None:
    assert _Input(text=" cafe\u0301 ").text == "caf\u00e9"
