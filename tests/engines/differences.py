"""Where the engines differ from DynamoDB. `test_rules` fails for a difference that is missing here, and for one that
is listed and gone. `python -m tests.engines.differences` prints the list as it is in docs/engines.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """In `case`, `engine` answers `instead`; `house` says what we do about it."""

    case: str
    engine: str
    instead: Any
    house: str


_SMALLER = "The product stays below by itself: an order has at most 390,000 bytes, a basket less."
_ACCEPTED, _INVALID = "accepted", "ValidationException"

DIFFERENCES = (
    Difference(
        "item_of_400_kb",
        "moto",
        _INVALID,
        "Its limit is 405,000 bytes, DynamoDB's 409,600. " + _SMALLER,
    ),
    Difference("transaction_over_4_mb", "moto", _ACCEPTED, _SMALLER + " The other engines refuse more."),
    Difference(
        "expression_over_4_kb",
        "moto",
        _ACCEPTED,
        "The longest expression of ours is sent by `test_store`; the other engines would refuse a longer one.",
    ),
    Difference(
        "update_of_300_operators_and_of_one_more",
        "moto",
        ["fails with RecursionError"] * 2,
        "Its parser is recursive. An expression of ours has at most 60 dots: `test_store` sends the longest one.",
    ),
    Difference(
        "update_of_300_operators_and_of_one_more",
        "local-cloud",
        [_ACCEPTED, _ACCEPTED],
        "An expression of ours has at most 60 dots, far fewer operators.",
    ),
    Difference(
        "update_of_300_operators_and_of_one_more",
        "dynoxide",
        [_ACCEPTED, _ACCEPTED],
        "An expression of ours has at most 60 dots, far fewer operators.",
    ),
    Difference(
        "number_of_39_digits",
        "moto",
        _ACCEPTED,
        "Amounts and quantities are bounded where they come in, at less than 16 digits.",
    ),
    Difference(
        "number_of_38_digits",
        "local-cloud",
        {"n": {"N": "1" + "0" * 38}, "m": {"N": "-1"}},
        "It rounds sums of more than 28 digits. Amounts and quantities have less than 16.",
    ),
    Difference(
        "index_key_of_another_type",
        "moto",
        _ACCEPTED,
        "Index keys are written by `due.fields` and its like, always strings. The other engines refuse it.",
    ),
    Difference(
        "invalid_arithmetic_in_a_transaction",
        "moto",
        _INVALID,
        "Either is a mistake of ours, and `commit` raises it as it is; it is never taken for a failed condition.",
    ),
    Difference(
        "comparison_with_another_type",
        "moto",
        "fails with TypeError",
        "Attributes keep their type; a journey that compared two types would fail loudly.",
    ),
    Difference(
        "page_that_ends_with_the_last_item",
        "moto",
        ["2 items, end"],
        "Pages end where `LastEvaluatedKey` is missing, so an empty last page must do no harm: `test_store` reads one.",
    ),
    Difference(
        "paths_that_overlap",
        "local-cloud",
        _ACCEPTED,
        "moto and dynoxide refuse it, and every journey runs on moto.",
    ),
    Difference(
        "stream_is_silent_about_a_write_that_changes_nothing",
        "dynoxide",
        ["INSERT", "MODIFY", "MODIFY"],
        "A write that means an event bumps `version`, so it changes something. The relay does not run on dynoxide.",
    ),
)


def verdict(engine: str, case: str, answer: Any, dynamodb: Any) -> str:
    """What is wrong with an engine's answer, given DynamoDB's; empty if it is the same, or differs as listed."""
    listed = [each.instead for each in DIFFERENCES if (each.engine, each.case) == (engine, case)]
    if answer == (listed[0] if listed else dynamodb):
        return ""
    told = f"{case}: DynamoDB answers {dynamodb!r}, {engine} answers {answer!r}"
    if not listed:
        return f"{told}, which is not listed"
    return f"{told}; it is listed with {listed[0]!r}" + (", so that difference is gone" if answer == dynamodb else "")


def table() -> str:
    """The list as a Markdown table."""
    from .cases import CASES

    rows = ["| case | DynamoDB | engine | instead | what we do about it |", "| --- | --- | --- | --- | --- |"]
    for each in sorted(DIFFERENCES, key=lambda one: (one.case, one.engine)):
        case = each.case.replace("_", " ")
        told = f"`{CASES[each.case].answer}` | {each.engine} | `{each.instead}`"
        rows.append(f"| {case} | {told} | {each.house} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
