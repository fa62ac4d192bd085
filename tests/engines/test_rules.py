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
    assert not (wrong := differences.verdict(engine.name, name, answer, case.answer)), wrong


def test_what_is_not_listed_and_what_is_gone_is_wrong() -> None:
    # GIVEN a listed difference, and a rule that this engine keeps
    known = differences.DIFFERENCES[0]
    kept = next(name for name in CASES if all(name != each.case for each in differences.DIFFERENCES))
    dynamodb = CASES[known.case].answer
    # THEN only the listed answer is right, and DynamoDB's own is a difference that is gone
    assert differences.verdict(known.engine, known.case, known.instead, dynamodb) == ""
    assert "is gone" in differences.verdict(known.engine, known.case, dynamodb, dynamodb)
    assert "listed with" in differences.verdict(known.engine, known.case, "a third", dynamodb)
    # THEN where nothing is listed, only DynamoDB's answer is right
    assert "not listed" in differences.verdict(known.engine, kept, "another", CASES[kept].answer)
    assert differences.verdict(known.engine, kept, CASES[kept].answer, CASES[kept].answer) == ""


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
