"""What a product becomes when the PIM says something about it."""

from typing import Any

import pytest
from pydantic import ValidationError

from catalog import product, views

T0 = "2026-11-20T09:00:00.000Z"
T1 = "2026-11-21T10:00:00.000Z"
DAY_BEFORE_T1 = "2026-11-20T10:00:00.000Z"


def said(**changes: Any) -> dict[str, Any]:
    return {
        "sku": "TEE-NAVY-M", "name": "T-shirt navy, M", "prices": {"EUR": 1995}, "tax_class": "standard",
        "attributes": {"size": "M"}, "image": None,
    } | changes  # fmt: skip


def known(**changes: Any) -> dict[str, Any]:
    """A product that was added at T0."""
    new = product.revise(None, said(**changes), T0, T0)
    assert new is not None
    return new


def test_a_new_product_starts_at_version_one_without_a_past() -> None:
    new = known()
    assert (new["version"], new["was"], new["listing"]) == (1, [], "P")
    assert new["prices"] == {"EUR": {"amount": 1995, "since": T0}}
    assert product.event_type(None, new) == "product.changed"


def test_saying_the_same_again_changes_nothing() -> None:
    assert product.revise(known(), said(), T1, DAY_BEFORE_T1) is None


@pytest.mark.parametrize(
    "change", [{"name": "Shirt"}, {"attributes": {}}, {"image": "/a.jpg"}, {"tax_class": "reduced"}]
)
def test_other_changes_leave_the_price_as_old_as_it_was(change: dict[str, Any]) -> None:
    old = known()
    new = product.revise(old, said(**change), T1, DAY_BEFORE_T1)
    assert new is not None
    assert new["prices"] == old["prices"]
    assert new["version"] == 2
    assert product.event_type(old, new) == "product.changed"


def test_a_new_price_keeps_the_old_one_with_the_moment_it_ended() -> None:
    old = known(prices={"EUR": 1995, "GBP": 1795})
    new = product.revise(old, said(prices={"EUR": 1495, "GBP": 1795}), T1, DAY_BEFORE_T1)
    assert new is not None
    assert new["prices"] == {"EUR": {"amount": 1495, "since": T1}, "GBP": {"amount": 1795, "since": T0}}
    assert new["was"] == [{"currency": "EUR", "amount": 1995, "until": T1}]
    assert product.event_type(old, new) == "price.changed"


def test_a_currency_no_longer_sold_in_ends_too() -> None:
    old = known(prices={"EUR": 1995, "GBP": 1795})
    new = product.revise(old, said(), T1, DAY_BEFORE_T1)
    assert new is not None
    assert new["was"] == [{"currency": "GBP", "amount": 1795, "until": T1}]


def test_the_past_is_kept_a_day_and_at_most_twenty_prices() -> None:
    # GIVEN a product whose price changed every minute
    item = known()
    for minute in range(30):
        now = f"2026-11-21T10:{minute:02d}:00.000Z"
        changed = product.revise(item, said(prices={"EUR": 1000 + minute}), now, DAY_BEFORE_T1)
        assert changed is not None
        item = changed
    assert [was["amount"] for was in item["was"]] == list(range(1009, 1029))
    # WHEN it changes again two days later
    later = product.revise(item, said(prices={"EUR": 1}), "2026-11-23T10:00:00.000Z", "2026-11-22T10:00:00.000Z")
    # THEN only the price that ended just now is kept
    assert later is not None
    assert [was["amount"] for was in later["was"]] == [1029]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "a\u0000b"},
        {"prices": []},
        {"prices": [{"amount": 1, "currency": "EUR"}, {"amount": 2, "currency": "EUR"}]},
        {"prices": [{"amount": 0, "currency": "EUR"}]},
        {"prices": [{"amount": 1.5, "currency": "EUR"}]},
        {"prices": [{"amount": 1, "currency": "XXX"}]},
        {"tax_class": "none"},
        {"attributes": {"size": {"nested": 1}}},
        {"attributes": {"": "x"}},
        {"attributes": {"price": 1.5}},
        {"image": "javascript:alert(1)"},
        {"stock": 5},
    ],
)
def test_what_a_product_cannot_be(wrong: dict[str, Any]) -> None:
    body = {"name": "Tee", "prices": [{"amount": 1995, "currency": "EUR"}]}
    views.ProductBody.model_validate(body)
    with pytest.raises(ValidationError):
        views.ProductBody.model_validate(body | wrong)
