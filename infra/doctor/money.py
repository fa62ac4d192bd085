"""I2 and I3: our ledger is the providers' books, and captured money always has exactly one purpose."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from infra.doctor.findings import Item, Patient, Violation

_BOOKED = {"capture": "captured", "refund": "refunded", "chargeback": "charged_back"}
"""What a kind of ledger entry is called in a provider's books."""
Books = Mapping[str, Any]
"""A provider's books: `{"payments": [{"id", "captured", "refunded", "charged_back", "currency", ...}]}`."""


def ledger_against_itself(patient: Patient) -> Iterator[Violation]:
    """I2, our half: a payment's balance is the sum of its ledger entries and the fold of its facts."""
    booked: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for entry in patient.ledger:
        sums = booked[entry["payment_id"], entry["currency"]]
        sums[entry["kind"].removesuffix("_reversed")] += entry["amount"]
    for payment_id, payment in patient.payments.items():
        for currency, said in {payment["currency"]: payment, **payment.get("foreign", {})}.items():
            sums = booked[payment_id, currency]
            own = {kind: sums[kind] for kind in ("capture", "refund", "chargeback")}
            says = {"capture": said.get("captured", 0), "refund": -said.get("refunded", 0)}
            says["chargeback"] = -said.get("charged_back", 0)
            if own != says:
                yield Violation("I2", f"payment {payment_id}", f"ledger says {own} {currency}, the payment {says}")
            if own["capture"] + own["refund"] < 0:
                yield Violation("I2", f"payment {payment_id}", f"more was refunded than captured: {own} {currency}")
    for payment_id in {payment_id for payment_id, _ in booked} - patient.payments.keys():
        yield Violation("I2", f"payment {payment_id}", "the ledger names a payment that does not exist")


def ledger_against_books(patient: Patient, books: Mapping[str, Books]) -> Iterator[Violation]:
    """I2, the other half: what each provider took, gave back and lost is what our ledger says."""
    ours: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    taken: dict[str, set[str]] = defaultdict(set)
    moving: set[str] = set()
    for payment in patient.payments.values():
        if patient.under_way(payment):
            moving |= {fact["of"] for fact in patient.facts[payment["payment_id"]]} | {payment.get("provider_ref", "")}
    for entry in patient.ledger:
        payment = patient.payments.get(entry["payment_id"], {})
        kind = entry["kind"].removesuffix("_reversed")
        if kind in _BOOKED and (reference := _reference(patient, payment, entry["fact"])):
            ours[reference, entry["currency"].upper()][_BOOKED[kind]] += entry["amount"] * (-1, 1)[kind == "capture"]
            taken[payment["provider"]] |= {reference} if kind == "capture" else set()
    for provider, kept in books.items():
        for theirs in kept["payments"]:
            ours_here = ours.get((theirs["id"], theirs["currency"].upper()), Counter())
            figures = {name: theirs[name] for name in ("captured", "refunded", "charged_back")}
            same = all(ours_here[name] == figure for name, figure in figures.items())
            if not same and theirs["id"] not in moving:
                text = f"{provider} says {figures}, we say {dict(ours_here)}"
                yield Violation("I2", f"{provider} payment {theirs['id']}", text)
        unheard_of = taken[provider] - {theirs["id"] for theirs in kept["payments"]} - moving
        for reference in sorted(unheard_of):
            yield Violation("I2", f"{provider} payment {reference}", f"our ledger has it, {provider}'s books do not")


def every_capture_has_a_purpose(patient: Patient) -> Iterator[Violation]:
    """I3: a captured payment belongs to a paid order, or is refunded (or about to be); never both, never neither."""
    by_order: dict[str, list[Item]] = defaultdict(list)
    for payment in patient.payments.values():
        by_order[payment["order_id"]].append(payment)
    for order_id, payments in by_order.items():
        order = patient.orders.get(order_id)
        if any(patient.under_way(one) for one in payments) or (order and patient.under_way(order)):
            continue
        captured = {one["payment_id"]: one["captured"] for one in payments if one.get("captured")}
        if order is None:
            if captured:
                yield Violation("I3", f"order {order_id}", "money was captured for an order that does not exist")
            continue
        for name in ("captured", "outside", "charged_back"):
            known = {one: amount for one, amount in order.get(name, {}).items() if amount}
            told = {one["payment_id"]: one[name] for one in payments if one.get(name)}
            if known != told:
                yield Violation("I3", f"order {order_id}", f"knows of {known} {name}, its payments say {told}")
                break
        else:
            yield from _purpose(order, payments)


def _purpose(order: Item, payments: list[Item]) -> Iterator[Violation]:
    """An order keeps its total, or nothing; less only if it says so."""
    subject, due = f"order {order['order_id']}", order.get("refund_due", {})
    gone = sum(one.get("outside", 0) + one.get("charged_back", 0) for one in payments)
    kept = sum(
        max(
            0,
            one.get("captured", 0) - one.get("outside", 0) - one.get("charged_back", 0) - due.get(one["payment_id"], 0),
        )
        for one in payments
    )
    wanted = {"paid": order["total"]}.get(order["state"], 0)
    if order["state"] == "fulfilled":  # what was returned after the hand-over may stay with the shopper
        wanted = min(order["total"], max(0, order["total"] - gone + order.get("gone_before", 0)))
    waits = order["state"] in ("placed", "authorized") and kept < order["total"]
    at_risk = order["state"] == "paid" and kept < wanted
    if kept != wanted and not waits and not (at_risk and "at_risk" in order):
        yield Violation("I3", subject, f"is {order['state']} and keeps {kept}, not {wanted}")
    if "at_risk" in order and not at_risk:
        yield Violation("I3", subject, f"is said to be at risk, but is {order['state']} and keeps {kept}")
    for payment in payments:
        owed = min(due.get(payment["payment_id"], 0), payment.get("captured", 0) - payment.get("charged_back", 0))
        going = sum(payment.get(name, 0) for name in ("refunded", "refund_pending", "owed"))
        if going < owed:
            text = f"{owed} must go back from {payment['payment_id']}, only {going} is under way"
            yield Violation("I3", subject, text)
        asked_for = payment.get("refunded", 0) - payment.get("outside", 0)
        if asked_for > due.get(payment["payment_id"], 0):
            text = (
                f"gave {asked_for} of {payment['payment_id']} back, and asked for {due.get(payment['payment_id'], 0)}"
            )
            yield Violation("I3", subject, text)


def _reference(patient: Patient, payment: Item, fact: str) -> str | None:
    """The provider's payment a ledger entry belongs to: a payment link may have been paid more than once."""
    said = patient.facts.get(payment.get("payment_id", ""), [])
    of = next((each["of"] for each in said if f"{each['kind']}#{each['object_id']}" == fact), "")
    return of or next((each["of"] for each in said if each["kind"] == "capture"), payment.get("provider_ref"))
