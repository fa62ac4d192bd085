"""How much of an order a new payment may ask for."""

from typing import Any

import pytest

from payments.tenders import TooMuch, decide
from payments.tenders import needless as needless_of


def payment(status: str, amount: int = 5000, **more: Any) -> dict[str, Any]:
    waiting = {"due": "2026"} if status in ("created", "unknown", "open", "pending", "authorized") else {}
    return {"status": status, "amount": amount} | waiting | more


def test_all_of_it_unless_asked_otherwise() -> None:
    assert decide(5000, [], None).amount == 5000
    assert decide(5000, [], 2000).amount == 2000


@pytest.mark.parametrize("asked", [5001, 10**12])
def test_never_more_than_is_open(asked: int) -> None:
    with pytest.raises(TooMuch) as refused:
        decide(5000, [], asked)
    assert refused.value.open == 5000


@pytest.mark.parametrize(
    ("known", "left"),
    [
        (payment("captured", 3000, captured=3000), 2000),
        (payment("captured", 3000, captured=2500), 2500),
        (payment("captured", 3000, captured=3000, refunded=1000), 3000),
        (payment("authorized", 3000, authorized=3000), 2000),
        (payment("pending", 3000), 2000),
        (payment("failed", 3000), 5000),
        (payment("canceled", 3000), 5000),
        (payment("captured", 3000, captured=3000, charged_back=3000), 5000),
    ],
)
def test_money_that_came_or_is_on_its_way_is_not_asked_for_again(known: dict[str, Any], left: int) -> None:
    assert decide(5000, [known], None).amount == left
    with pytest.raises(TooMuch):
        decide(5000, [known], left + 1)


def test_a_paid_order_has_nothing_open() -> None:
    with pytest.raises(TooMuch) as refused:
        decide(5000, [payment("captured", captured=5000)], None)
    assert refused.value.open == 0


def test_a_second_tender_asks_for_the_rest() -> None:
    tender = decide(5000, [payment("open", 3000)], None)
    assert (tender.amount, tender.instead_of) == (2000, [])


def test_another_attempt_takes_the_place_of_an_abandoned_one() -> None:
    abandoned = payment("open")
    tender = decide(5000, [abandoned], None)
    assert (tender.amount, tender.instead_of) == (5000, [abandoned])


def test_only_as_many_attempts_give_way_as_must() -> None:
    first, second = payment("open", 3000), payment("open", 2000)
    assert decide(5000, [first, second], 2500).instead_of == [first]
    assert decide(5000, [first, second], 5000).instead_of == [first, second]


def test_an_attempt_that_gave_way_once_does_not_count_again() -> None:
    assert decide(5000, [payment("open", superseded=True)], None).instead_of == []


@pytest.mark.parametrize(
    ("paid", "needless"), [({"captured": 5000}, 1), ({"captured": 4999}, 0), ({"authorized": 5000}, 1), ({}, 0)]
)
def test_open_attempts_are_needless_when_firm_money_covers_the_order(paid: dict[str, int], needless: int) -> None:
    covering = {"status": "captured" if "captured" in paid else "authorized", "amount": 5000} | paid
    waiting = {"status": "open", "amount": 1000, "due": "x"}
    left_alone = [{"status": "expired", "amount": 1000}, waiting | {"superseded": True}]
    assert needless_of(5000, [covering, waiting, *left_alone]) == [waiting][:needless]
