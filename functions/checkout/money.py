"""What money means to an order: what it keeps of each payment, what follows from it, and until when it waits. Pure.

All amounts are minor units of the order's currency, in maps by payment. A payment tells totals:

    captured        came in                              authorized   is held, until `capture_before`
    outside         went back without the order asking   pending      is on its way, known by `expected_by`
    charged_back    the payer's bank took back           asked        the order's refunds, as far as payments heard

The order says `refund_due`: how much of each payment must go back in all. What it *keeps* of a payment is captured -
refund_due - outside - charged_back. Every decision is a function of the item alone, so repeats and reordering change
nothing; the newest version of a payment says everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from checkout import owing
from commerce import payables

Order = dict[str, Any]
Ending = Literal["expired", "cancelled"]

_OPEN = ("placed", "authorized")
_ENDED = ("expired", "cancelled", "rejected")


@dataclass(frozen=True)
class Told:
    """What a version of a payment says: totals, times as ISO text. `figures` is what the payable keeps of it.

    `gone`: something firm went away with this version, so it is remembered even where nothing of it was counted.
    """

    payment_id: str
    version: int
    captured: int = 0
    outside: int = 0
    charged_back: int = 0
    authorized: int = 0
    capture_before: str = ""
    pending: int = 0
    expected_by: str = ""
    asked: int = 0
    gone: bool = False
    figures: str = ""


@dataclass(frozen=True)
class Moment:
    """Now; the end of the usual time to pay, if it starts now; and when to tell again what nobody has acknowledged."""

    now: str
    hold_until: str
    tell_at: str


@dataclass(frozen=True)
class Step:
    """One change of an order because of money. `heard` is the order with what was told; `refunds` is newly due."""

    kind: Literal["paid", "authorized", "retake", "refund", "note"]
    heard: Order
    refunds: dict[str, int] = field(default_factory=dict)
    reason: str = ""


# --------------------------------------------------------------------------------------------------------- figures


def kept_of(order: Mapping[str, Any], payment_id: str) -> int:
    """What the order keeps of a payment, never less than nothing: a bank may take what was given back already."""
    not_kept = sum(order.get(name, {}).get(payment_id, 0) for name in ("refund_due", "outside", "charged_back"))
    return int(max(0, order.get("captured", {}).get(payment_id, 0) - not_kept))


def kept_by(order: Mapping[str, Any]) -> int:
    """What the order keeps of all its payments."""
    return sum(kept_of(order, payment_id) for payment_id in order.get("captured", {}))


def held_by(order: Mapping[str, Any]) -> int:
    """What is held for the order and not taken yet."""
    return int(sum(order.get("authorized", {}).values()))


def coming(order: Mapping[str, Any]) -> int:
    """What is on its way."""
    return int(sum(order.get("pending", {}).values()))


def gone(order: Mapping[str, Any]) -> int:
    """What went back without the order asking, or was charged back."""
    return int(sum(sum(order.get(name, {}).values()) for name in ("outside", "charged_back")))


def short_of(order: Mapping[str, Any]) -> int:
    """How much a paid order that waits for its hand-over does not keep of what it should."""
    return int(max(0, order["total"] - kept_by(order))) if order["state"] == "paid" else 0


def payable(order: Mapping[str, Any]) -> bool:
    """Whether anything may be collected for the order."""
    return "unwinding" not in order and (order["state"] in _OPEN or "at_risk" in order)


def capture_before(order: Mapping[str, Any]) -> str | None:
    """The earliest moment at which something held for the order is let go."""
    return min((text for text in order.get("capture_before", {}).values()), default=None)


# ------------------------------------------------------------------------------------------------------------ steps


def next_step(order: Order, told: Told | None = None) -> Step | None:
    """What money makes of the order, with what a payment told; None if everything is as it should be.

    Applied until it says None: one step is one version and one event. A crash between two steps loses nothing,
    because the second follows from the item alone.
    """
    heard = _hear(order, told) if told else order
    state, kept = order["state"], kept_by(heard)
    if state in _OPEN and kept >= order["total"]:
        return Step("paid", heard)
    if state == "placed" and held_by(heard) and kept + held_by(heard) >= order["total"]:
        return Step("authorized", heard)
    if state == "expired" and kept >= order["total"]:
        return Step("retake", heard)
    excess = kept - _may_keep(heard)
    if state not in _OPEN and excess > 0:
        reason = "paid-twice" if state in ("paid", "fulfilled") else str(state)
        return Step("refund", heard, _share_out(heard, excess, told.payment_id if told else ""), reason)
    return Step("note", heard) if heard is not order else None


def after(order: Order, step: Step, at: Moment) -> Order:
    """The order once a step was written."""
    changed = {**step.heard, "version": order["version"] + 1}
    if step.kind == "refund":
        changed |= {"refund_due": with_refunds(step.heard, step.refunds), "refund_reason": step.reason}
    elif step.kind == "authorized":
        changed["state"] = "authorized"
    elif step.kind in ("paid", "retake"):
        changed |= {"state": "paid", "paid_at": at.now, **owing.goods_to_sell()}
    return scheduled(order, changed, at)


def refund_instead(step: Step, reason: str) -> Step:
    """The refund of everything kept, when an expired order cannot have its stock back."""
    return Step("refund", step.heard, _share_out(step.heard, kept_by(step.heard), ""), reason)


def ended(order: Order, to: Ending, at: Moment) -> Order:
    """The order once it is over. A cancelled one says itself what must go back; an expired one is due to say it."""
    changed = {**order, "state": to, "version": order["version"] + 1}
    changed.pop("unwinding", None)
    if to == "cancelled":
        refunds = _share_out(order, kept_by(order), "")
        changed |= {"cancelled_at": at.now} | ({"refund_due": with_refunds(order, refunds)} if refunds else {})
        changed = owing.goods_to_come_back(changed) if order["state"] == "paid" else changed
    return scheduled(order, changed, at)


def with_refunds(order: Mapping[str, Any], refunds: Mapping[str, int]) -> dict[str, int]:
    """The order's `refund_due` after `refunds` have been added."""
    due = dict(order.get("refund_due", {}))
    for payment_id, amount in refunds.items():
        due[payment_id] = due.get(payment_id, 0) + amount
    return due


def scheduled(before: Order, changed: Order, at: Moment) -> Order:
    """The changed order with what follows: until when it waits, whether it is at risk, when somebody looks at it."""
    changed = {name: value for name, value in changed.items() if name not in ("at_risk", "due")}
    if short_of(changed):
        changed |= {"at_risk": "yes", "at_risk_since": before.get("at_risk_since", at.now)}
    else:
        changed.pop("at_risk_since", None)
    if changed["state"] in _OPEN:
        until = _deadline(before, changed, at)
        if until != changed["pay_by"]:
            changed |= {"first_pay_by": changed.get("first_pay_by", changed["pay_by"]), "pay_by": until}
        return changed | {"due": until}
    if changed["state"] in _ENDED and kept_by(changed):
        return changed | {"due": at.now}
    if owing.anything(changed):
        soon = at.now < before.get("due", "") <= at.hold_until
        return changed | {"due": before["due"] if soon else at.tell_at}
    changed.pop("told", None)
    return changed


def _hear(order: Order, told: Told) -> Order:
    """The order with a payment's newest totals; the very order if it has heard the same or newer ones."""
    payment_id = told.payment_id
    if told.version <= order.get("counted", {}).get(payment_id, 0):
        return order
    changes = {name: getattr(told, name) for name in payables.FIGURES}
    changes["refund_heard"] = max(told.asked, order.get("refund_heard", {}).get(payment_id, 0))
    same = all(order.get(name, {}).get(payment_id) == (value or None) for name, value in changes.items())
    if same and not told.gone:
        return order
    heard = order
    for name, value in (changes | {"counted": told.version}).items():
        others = {each: total for each, total in order.get(name, {}).items() if each != payment_id}
        totals = others | ({payment_id: value} if value else {})
        heard = {each: member for each, member in heard.items() if each != name} | ({name: totals} if totals else {})
    return heard


def _may_keep(order: Mapping[str, Any]) -> int:
    """What an order may keep. What went back after the hand-over (a return) may not be paid once more by mistake."""
    total = int(order["total"])
    match order["state"]:
        case "paid":
            return total
        case "fulfilled":
            return min(total, max(0, total - gone(order) + int(order.get("gone_before", 0))))
    return 0


def _deadline(before: Order, order: Order, at: Moment) -> str:
    """Until when an open order waits.

    All of it held: as long as it can be taken. All of it firm, some on its way: until the bank must have answered.
    Firm no more: the payer gets the usual time to pay in another way. A part on its way: the usual time again, once.
    """
    pay_by = str(order["pay_by"])
    covered, was_covered = (_firm(each) >= order["total"] for each in (order, before))
    if covered and coming(order):
        return str(max(pay_by, *order.get("expected_by", {}).values()))
    if covered and held_by(order):
        return capture_before(order) or pay_by
    if was_covered:
        return max(str(order.get("first_pay_by", "")), at.hold_until)
    grown = held_by(order) + coming(order) > held_by(before) + coming(before)
    return max(pay_by, at.hold_until) if grown and "first_pay_by" not in order else pay_by


def _firm(order: Mapping[str, Any]) -> int:
    return kept_by(order) + held_by(order) + coming(order)


def _share_out(order: Mapping[str, Any], amount: int, first: str) -> dict[str, int]:
    """Divide a refund over the payments: the one that just came in first, never more than is kept of it."""
    shares: dict[str, int] = {}
    for payment_id in sorted(order.get("captured", {}), key=lambda each: (each != first, each)):
        share = min(amount, kept_of(order, payment_id))
        if share > 0:
            shares[payment_id] = share
            amount -= share
    return shares
