"""I4 and I6: order numbers are unique and readable, and nothing is stuck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from commerce import clock, ids
from commerce import payables as counting
from infra.doctor import stock
from infra.doctor.findings import Item, Patient, Violation

OVERDUE_S = 300
OPEN_ORDERS = {"placing", "placed", "authorized"}


def numbers(patient: Patient) -> Iterator[Violation]:
    """I4: one number, one order; each reads back to its order."""
    used = Counter(order["order_number"] for order in patient.orders.values())
    for number, times in used.items():
        if times > 1:
            yield Violation("I4", f"order number {number}", f"is used {times} times")
    for order_id, order in patient.orders.items():
        if ids.read_order_id(order["order_number"]) != order_id:
            yield Violation("I4", f"order {order_id}", f"its number {order['order_number']} does not lead back to it")


def sums(patient: Patient) -> Iterator[Violation]:
    """I4: an order's lines add up to its total, to the cent."""
    for order_id, order in patient.orders.items():
        lines = sum(line["line_total"] for line in order["lines"])
        if lines != order["subtotal"] or order["subtotal"] - order["discount"] != order["total"]:
            yield Violation("I4", f"order {order_id}", f"lines are {lines}, the total {order['total']}")


def nothing_is_stuck(patient: Patient) -> Iterator[Violation]:
    """I6: whatever is unfinished has a moment at which somebody looks at it, and that moment is not long past."""
    late = clock.iso(clock.parse(patient.now) - timedelta(seconds=OVERDUE_S))
    for order_id, order in patient.orders.items():
        if (order["state"] in OPEN_ORDERS or "unwinding" in order) and "due" not in order:
            yield Violation("I6", f"order {order_id}", f"is {order['state']} and nobody will look at it")
        if "due" not in order and (open_ := _unacknowledged(patient, order)):
            yield Violation("I6", f"order {order_id}", f"{open_}, and nobody tells it again")
    payables = {
        item["order_id"]: item
        for item in patient.tables["PaymentsTable"]
        if item["pk"].startswith("DUE#") and item["sk"] == "-"
    }
    for payment_id, payment in patient.payments.items():
        payable = payables.get(payment["order_id"])
        if "due" not in payment and payable and not counting.counts(payable, payment):
            yield Violation("I6", f"payment {payment_id}", "its order has not counted it, and nobody tells it again")
        if "due" not in payment and payment.get("owed"):
            yield Violation("I6", f"payment {payment_id}", f"owes {payment['owed']}, and nobody tries again")
        unsure = payment["status"] in ("created", "unknown", "pending") or payment.get("refund_pending")
        if unsure and "due" not in payment:
            yield Violation("I6", f"payment {payment_id}", f"is {payment['status']} and nobody will look at it")
    for table in patient.tables:
        for item in patient.tables[table]:
            if "due" in item and item["due"] < late:
                yield Violation("I6", f"{table} {_name(item)}", f"was due at {item['due']}")


def _unacknowledged(patient: Patient, order: Item) -> str:
    """What the order owes to payments or stock, by what those two have, not by what the order says of it."""
    for payment_id, total in order.get("refund_due", {}).items():
        asked = patient.payments.get(payment_id, {}).get("asked", 0)
        if asked < total:
            return f"{total} must go back of {payment_id}, payments was asked for {asked}"
    if order["state"] in ("paid", "fulfilled") and stock.held(patient, order):
        return "its goods are not sold"
    return "stock has not said what became of its goods" if "stock_owes" in order else ""


def _name(item: Item) -> str:
    return f"{item['pk']} {item['sk']}".removesuffix(" -")
