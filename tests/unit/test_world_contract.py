"""The witness of the tests sees what the contract does not name, and says what to write where."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.world import World
from tests.world.contract import NotInTheContract, witness
from tests.world.gateway import Answer


def _problem(status: int, slug: str, **members: Any) -> Answer:
    said = {"type": f"/problems/{slug}", "title": "Said", "status": status, "detail": "x", "instance": "i"} | members
    return Answer(status, [("Content-Type", "application/problem+json")], json.dumps(said).encode())


GOOD = [
    ("POST", "/checkouts", Answer(201, [], b"{}")),
    ("POST", "/checkouts", _problem(409, "basket-changed", version=3)),
    ("POST", "/checkouts", _problem(409, "basket-changed")),
    ("POST", "/checkouts", _problem(409, "price-changed", total={"amount": 1, "currency": "EUR"})),
    ("POST", "/checkouts", _problem(422, "validation", errors=[{"loc": ["body", 0], "msg": "m", "type": "t"}])),
    ("GET", "/products", _problem(429, "too-many-requests")),
    ("GET", "/products", Answer(502, [], b"Internal server error")),
    ("OPTIONS", "/products", Answer(200, [], b"")),
]

BAD = [
    (Answer(200, [], b"{}"), "status_code=200"),
    (_problem(409, "sold-to-the-moon", sku="A"), '_problem(409, "sold-to-the-moon", "When this happens.", sku=str)'),
    (_problem(409, "basket-full", limit=200), "functions/checkout/api.py, place_order"),
    (_problem(409, "price-changed"), "total: Field required"),
    (_problem(409, "basket-empty", hint="x"), "hint: Extra inputs"),
    (_problem(409, "not-sold", skus="TEE"), "skus: Input should be a valid list"),
    (_problem(422, "out-of-stock", shortages=[], alternatives=[]), "declared to be another"),
    (Answer(409, [], b'{"message": "no"}'), "without a problem document"),
]


@pytest.mark.parametrize(("method", "route", "answer"), GOOD)
def test_what_the_contract_names_may_be_answered(method: str, route: str, answer: Answer) -> None:
    witness(method, route, answer)


@pytest.mark.parametrize(("answer", "advice"), BAD)
def test_what_it_does_not_name_fails_and_the_message_says_what_to_do(answer: Answer, advice: str) -> None:
    with pytest.raises(NotInTheContract) as raised:
        witness("POST", "/checkouts", answer)
    assert advice in str(raised.value)


def test_every_answer_of_every_test_is_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a route that answers a problem it does not name
    from catalog import api
    from commerce import problems

    def full(*_: Any) -> None:
        raise problems.conflict("basket-full", "No.")

    monkeypatch.setattr(api.table, "read", full)
    # WHEN any test asks for it THEN that test fails
    with pytest.raises(NotInTheContract, match=r"functions/catalog/api\.py, get_product"):
        world.call("GET", "/products/TEE")
