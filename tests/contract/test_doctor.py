"""The doctor can fail: for every invariant a seeded mistake in good data, and it is found under its own name."""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from infra import doctor
from infra.doctor import look
from tests.world import World

Tables = dict[str, list[dict[str, Any]]]


class Case:
    """Everything the doctor sees of the day, to be broken."""

    def __init__(self, day: World) -> None:
        self.tables: Tables = {name: copy.deepcopy(day.items(name)) for name in day.template.tables}
        self.books = {name: copy.deepcopy(provider.books()) for name, provider in day.providers.items()}
        self.bus_log = [copy.deepcopy(each.event) for each in day.pump.bus.log]
        self.logs = [line.text for line in day.logs]

    def find(self, table: str, pk: str, sk: str = "", **members: Any) -> dict[str, Any]:
        """The first item of that shape."""
        return next(
            item
            for item in self.tables[table]
            if item["pk"].startswith(pk)
            and item["sk"].startswith(sk)
            and all(item.get(name) == value for name, value in members.items())
        )

    def order(self, state: str) -> dict[str, Any]:
        """An order in a state."""
        return self.find("OrdersTable", "O#", "-", state=state)

    def sight(self) -> doctor.Sight:
        """Everything there is, in full view."""
        return doctor.Sight(self.tables, self.books, self.bus_log, self.logs)

    def examine(self) -> set[str]:
        """The invariants that are broken."""
        return {verdict.invariant for verdict in doctor.examine(self.sight()) if verdict.word == "WRONG"}


def _sums(case: Case) -> None:
    case.find("StockTable", "SKU#", "LOC#")["available"] += 1


def _holds(case: Case) -> None:
    level = case.find("StockTable", "SKU#", "LOC#")
    level["reserved"] += 1
    level["available"] -= 1


def _negative(case: Case) -> None:
    level = case.find("StockTable", "SKU#MUG", "LOC#nl-warehouse")
    level |= {"on_hand": -5, "available": -5 - level["reserved"] - level["safety"]}


def _sale_lost(case: Case) -> None:
    """The goods left, but the movement that says so is gone: the order seems to hold them still."""
    order = case.order("fulfilled")
    case.tables["StockTable"].remove(case.find("StockTable", "SKU#", "MOVE#", order_id=order["order_id"], kind="sale"))


def _ledger_entry_lost(case: Case) -> None:
    case.tables["PaymentsTable"].remove(case.find("PaymentsTable", "LEDGER#", kind="capture"))


def _ledger_entry_twice(case: Case) -> None:
    entry = case.find("PaymentsTable", "LEDGER#", kind="capture")
    case.tables["PaymentsTable"].append(entry | {"sk": entry["sk"] + "-again"})


def _webhook_lost(case: Case) -> None:
    """The provider took money that we never heard of."""
    paid = next(payment for payment in case.books["stripe"]["payments"] if payment["captured"])
    paid["captured"] += 100


def _book_lost(case: Case) -> None:
    """The provider knows nothing of a payment that our ledger has."""
    kept = case.books["stripe"]["payments"]
    kept.remove(next(payment for payment in kept if payment["captured"]))


def _charged_back(case: Case) -> None:
    """The payer's bank took money back, and we never heard of it."""
    next(payment for payment in case.books["stripe"]["payments"] if payment["captured"])["charged_back"] += 100


def _paid_for_nothing(case: Case) -> None:
    """A cancelled order keeps what was paid for it."""
    paid = next(o for o in case.tables["OrdersTable"] if o.get("captured") and o["state"] == "cancelled")
    paid["refund_due"] = {}


def _kept_too_much(case: Case) -> None:
    order = case.order("fulfilled")
    payment = next(iter(order["captured"]))
    order["captured"][payment] += 500
    case.find("PaymentsTable", f"P#{payment}", "-")["captured"] += 500


def _same_number(case: Case) -> None:
    case.order("fulfilled")["order_number"] = case.order("expired")["order_number"]


def _wrong_total(case: Case) -> None:
    case.order("fulfilled")["lines"][0]["line_total"] += 1


def _lost_line(case: Case) -> None:
    basket = next(item for item in case.tables["BasketTable"] if item["sk"] == "-" and item.get("dots"))
    basket["dots"].popitem()


def _second_basket(case: Case) -> None:
    basket = next(i for i in case.tables["BasketTable"] if i["pk"].startswith("B#") and i.get("owner"))
    other = "00000000-0000-7000-8000-000000000000"
    basket["state"] = "open"
    case.tables["BasketTable"].append(basket | {"pk": f"B#{other}", "basket_id": other})


def _stuck(case: Case) -> None:
    order = case.order("fulfilled")
    order["state"] = "placed"
    order.pop("due", None)


def _overdue(case: Case) -> None:
    case.order("fulfilled")["due"] = "2026-11-21T10:00:00.000Z"


def _never_published(case: Case) -> None:
    order = case.order("fulfilled")
    said = f"order/{order['order_id']}@{order['version']}"
    case.bus_log = [event for event in case.bus_log if event["detail"]["id"] != said]


def _made_up(case: Case) -> None:
    event = copy.deepcopy(case.bus_log[-1])
    subject, _, version = event["detail"]["id"].rpartition("@")
    event["detail"]["id"] = f"{subject}@{int(version) + 7}"
    case.bus_log.append(event)


def _two_meanings(case: Case) -> None:
    event = copy.deepcopy(case.bus_log[0])
    event["detail"]["data"]["sku"] = "SOMETHING-ELSE"
    case.bus_log.append(event)


def _token_logged(case: Case) -> None:
    case.logs.append('{"message": "request", "token": "eyJhbGciOiJSUzI1.eyJzdWIiOiJhbm4.c2lnbmF0dXJl"}')


def _card_logged(case: Case) -> None:
    case.logs.append('{"message": "paid with 4242 4242 4242 4242"}')


def _address_logged(case: Case) -> None:
    case.logs.append('{"message": "mail to ann@example.com"}')


def _root_that_is_none(case: Case) -> None:
    case.find("ProfilesTable", "P#", "-", state="active")["root"] = "nobody"


def _erased_but_readable(case: Case) -> None:
    case.find("ProfilesTable", "P#", "-", state="erased")["sealed"] = b"x"


MISTAKES: list[tuple[str, Callable[[Case], None]]] = [
    ("I1", _sums), ("I1", _holds), ("I1", _negative), ("I1", _sale_lost),
    ("I2", _ledger_entry_lost), ("I2", _ledger_entry_twice), ("I2", _webhook_lost),
    ("I2", _book_lost), ("I2", _charged_back),
    ("I3", _paid_for_nothing), ("I3", _kept_too_much),
    ("I4", _same_number), ("I4", _wrong_total),
    ("I5", _lost_line), ("I5", _second_basket),
    ("I6", _stuck), ("I6", _overdue),
    ("I7", _never_published), ("I7", _made_up), ("I7", _two_meanings),
    ("I9", _root_that_is_none), ("I10", _erased_but_readable),
    ("I12", _token_logged), ("I12", _card_logged), ("I12", _address_logged),
]  # fmt: skip


def test_good_data_is_good(day: World) -> None:
    assert Case(day).examine() == set()


@pytest.mark.parametrize(("invariant", "mistake"), MISTAKES, ids=[m.__name__.strip("_") for _, m in MISTAKES])
def test_a_seeded_mistake_is_found(day: World, invariant: str, mistake: Callable[[Case], None]) -> None:
    case = Case(day)
    mistake(case)
    assert invariant in case.examine()


# Behaviour, which no data shows.
ACTED_OUT = {"I8", "I11"}


def test_every_invariant_the_doctor_can_see_has_a_mistake() -> None:
    assert set(doctor.CLAIMS) - ACTED_OUT == {invariant for invariant, _ in MISTAKES}


# ------------------------------------------------------------------------------------------------- three words


def words(sight: doctor.Sight) -> dict[str, str]:
    return {verdict.invariant: verdict.word for verdict in doctor.examine(sight)}


def test_every_run_has_a_word_for_every_invariant(day: World) -> None:
    case = Case(day)
    seen = words(case.sight())
    assert list(seen) == [f"I{number}" for number in range(1, 13)]
    assert {name for name, word in seen.items() if word == "not looked at"} == ACTED_OUT
    assert set(seen.values()) == {"ok", "not looked at"}


@pytest.mark.parametrize(
    ("missing", "invariant"),
    [
        ({"books": None}, "I2"),
        ({"books": {}}, "I2"),
        ({"bus_log": None}, "I7"),
        ({"logs": None}, "I12"),
        ({"logs": []}, "I12"),
    ],
    ids=str,
)
def test_what_was_not_looked_at_is_not_said_to_be_well(day: World, missing: dict[str, Any], invariant: str) -> None:
    case = Case(day)
    seen = {"books": case.books, "bus_log": case.bus_log, "logs": case.logs} | missing
    said = {verdict.invariant: verdict for verdict in doctor.examine(doctor.Sight(case.tables, **seen))}
    assert {name for name, verdict in said.items() if verdict.word == "not looked at"} == {*ACTED_OUT, invariant}
    assert said[invariant].reason


def test_one_provider_that_does_not_show_its_books_is_enough_not_to_know(day: World) -> None:
    case = Case(day)
    blind = {"books of stripe": "the stand-in does not answer"}
    sight = doctor.Sight(case.tables, {"mollie": case.books["mollie"]}, case.bus_log, case.logs, blind)
    (verdict,) = [each for each in doctor.examine(sight) if each.invariant == "I2"]
    assert verdict.word == "not looked at"
    assert "stripe: the stand-in does not answer" in verdict.reason


def test_what_is_wrong_in_the_half_that_was_seen_is_wrong(day: World) -> None:
    case = Case(day)
    _ledger_entry_lost(case)
    assert words(doctor.Sight(case.tables))["I2"] == "WRONG"


# ------------------------------------------------------------------------------------------------- the command


def _command(sight: doctor.Sight, monkeypatch: pytest.MonkeyPatch, stack: str | None = None, **options: Any) -> int:
    monkeypatch.setattr(look, "at_platform", lambda: sight)
    return doctor.run(argparse.Namespace(stack=stack, json=options.get("json", False)))


def test_the_command_names_all_twelve_and_ends_well(
    day: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Case(day)
    assert _command(doctor.Sight(case.tables, case.books, logs=case.logs), monkeypatch) == 0
    told = capsys.readouterr().out
    rows = [line for line in told.splitlines() if line.startswith("  ")]
    assert [line[17:21].strip() for line in rows] == list(doctor.CLAIMS)
    assert {line[2:15].strip() for line in rows} == {"ok", "not looked at"}
    assert told.splitlines()[-1].endswith("9 ok, 0 WRONG with 0 violations, 3 not looked at (I7, I8, I11)")


def test_the_command_says_what_is_wrong_and_ends_with_1(
    day: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Case(day)
    _sums(case)
    assert _command(doctor.Sight(case.tables, case.books, logs=case.logs), monkeypatch) == 1
    told = capsys.readouterr().out
    assert "  WRONG          I1 " in told
    assert "available is not on hand - reserved - safety" in told
    assert "8 ok, 1 WRONG with 1 violations, 3 not looked at" in told


def test_a_stack_on_aws_is_told_apart_from_what_was_not_asked(
    day: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--stack` sees tables only: no books, no bus, no logs."""
    case = Case(day)

    class CloudFormation:
        def describe_stacks(self, StackName: str) -> Any:  # noqa: N803 - AWS spells it so
            assert StackName == "mandje-prod"
            outputs = [{"OutputKey": name, "OutputValue": f"{StackName}-{name}"} for name in look.TABLES]
            return {"Stacks": [{"Outputs": outputs}]}

    monkeypatch.setattr(boto3, "client", lambda service: CloudFormation())
    monkeypatch.setattr(look, "_scan", lambda client, table: case.tables[table.removeprefix("mandje-prod-")])
    assert _command(case.sight(), monkeypatch, stack="mandje-prod") == 0
    told = capsys.readouterr().out
    for invariant in ("I2", "I7", "I8", "I11", "I12"):
        assert f"  not looked at  {invariant:4} " in told
    assert "7 ok, 0 WRONG with 0 violations, 5 not looked at (I2, I7, I8, I11, I12)" in told


def test_json_says_the_same(day: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    case = Case(day)
    _sums(case)
    assert _command(doctor.Sight(case.tables), monkeypatch, json=True) == 1
    said = {line["invariant"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert list(said) == list(doctor.CLAIMS)
    assert said["I1"]["result"] == "WRONG"
    assert said["I1"]["violations"][0]["subject"]
    assert said["I2"]["result"] == "not looked at"
    assert "nobody asked" in said["I2"]["reason"]
    assert said["I3"] == {"invariant": "I3", "result": "ok", "claim": doctor.CLAIMS["I3"], "violations": []}
