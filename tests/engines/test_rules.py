"""Every engine answers as DynamoDB does, or differently in a way that is listed."""

from __future__ import annotations

import pytest

from infra import sam

from . import differences
from .cases import CASES
from .engine import NAMES, Engine


@pytest.mark.parametrize("name", CASES)
def test_answers_as_dynamodb(engine: Engine, name: str) -> None:
    case = CASES[name]
    # WHEN an engine is asked
    answer = case.ask(engine)
    # THEN it answers as DynamoDB, or as it is known to
    known = differences.answer_of(engine.name, name, case.answer)
    assert answer == known, f"DynamoDB answers {case.answer!r}; {engine.name} was known to answer {known!r}"


def test_the_list_is_in_order() -> None:
    # GIVEN the list THEN it names cases and engines that exist, once each, and real differences only
    listed = [(each.case, each.engine) for each in differences.DIFFERENCES]
    assert len(set(listed)) == len(listed)
    for each in differences.DIFFERENCES:
        assert each.engine in NAMES
        assert each.instead != CASES[each.case].answer, f"{each.case} on {each.engine} is no difference"
        assert each.house, f"{each.case} on {each.engine}: say what we do about it"


def test_the_list_is_documented() -> None:
    # THEN the page readers see is the list the tests use
    assert differences.table() in (sam.ROOT / "docs" / "engines.md").read_text()
