"""The doctor can fail: for every invariant a seeded mistake in good data, and it is found under its own name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from infra import doctor
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

    def examine(self) -> set[str]:
        """The invariants that are broken."""
        found = doctor.check(self.tables, books=self.books, bus_log=self.bus_log, logs=self.logs)
        return {violation.invariant for violation in found}


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


MISTAKES: list[tuple[str, Callable[[Case], None]]] = [
    ("I1", _sums), ("I1", _holds), ("I1", _negative), ("I1", _sale_lost),
    ("I2", _ledger_entry_lost), ("I2", _ledger_entry_twice), ("I2", _webhook_lost),
    ("I3", _paid_for_nothing), ("I3", _kept_too_much),
    ("I4", _same_number), ("I4", _wrong_total),
    ("I5", _lost_line), ("I5", _second_basket),
    ("I6", _stuck), ("I6", _overdue),
    ("I7", _never_published), ("I7", _made_up), ("I7", _two_meanings),
    ("I12", _token_logged), ("I12", _card_logged), ("I12", _address_logged),
]  # fmt: skip


def test_good_data_is_good(day: World) -> None:
    assert Case(day).examine() == set()


@pytest.mark.parametrize(("invariant", "mistake"), MISTAKES, ids=[m.__name__.strip("_") for _, m in MISTAKES])
def test_a_seeded_mistake_is_found(day: World, invariant: str, mistake: Callable[[Case], None]) -> None:
    case = Case(day)
    mistake(case)
    assert invariant in case.examine()


def test_every_invariant_the_doctor_claims_has_a_mistake() -> None:
    claimed = set(doctor.CLAIMS)
    assert claimed - {"I9", "I10"} <= {invariant for invariant, _ in MISTAKES}
