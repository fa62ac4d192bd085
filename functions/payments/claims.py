"""What must go back of a payment, and what is under way of it. Pure.

Two things claim money back: the order, which tells a total (`asked` on the payment), and a refund by hand that failed
after it had been taken for good (`lapsed` on its fact). Every refund first makes up what is claimed at that moment
(`settles` on its fact), whoever asks for it: the order, a clerk, or somebody in the provider's dashboard. So what fails
is owed again, and a clerk who repairs it by hand is not followed by a second refund.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from payments.ledger import Fact

_LATER = ("pending", "succeeded")


def owed(payment: Mapping[str, Any], facts: Iterable[Fact], refundable: int) -> int:
    """What is claimed and not under way: never more than can be given back at all."""
    facts = list(facts)
    return min(refundable, max(0, _claimed(payment, facts) - _settled(payment, facts)))


def in_cash(payment: Mapping[str, Any], facts: Iterable[Fact]) -> int:
    """What nobody has paid out of a drawer yet."""
    return sum(fact.amount for fact in waiting_for_a_drawer(payment, facts))


def waiting_for_a_drawer(payment: Mapping[str, Any], facts: Iterable[Fact]) -> list[Fact]:
    """The refunds in cash that nobody has paid out yet."""
    return [fact for fact in _refunds(payment, facts) if fact.status == "owed"]


def outside(payment: Mapping[str, Any], facts: Iterable[Fact]) -> int:
    """What goes back without the order having asked for it: by hand, or in the provider's dashboard.

    A refund counts from the moment it is asked for, and not only when a bank or a drawer has paid it out: until then
    the goods could leave without their money. One that failed is owed again, so it goes on counting.
    """
    facts = list(facts)
    out = sum(fact.amount for fact in _refunds(payment, facts) if fact.status != "failed")
    left = max(0, _claimed(payment, facts) - _settled(payment, facts))
    return int(out + left - payment.get("asked", 0))


def promised(payment: Mapping[str, Any], facts: Iterable[Fact]) -> int:
    """What is `outside` as far as it is news: a refund that the provider has not answered yet may still be refused."""
    return outside(payment, [fact for fact in facts if not fact.unanswered])


def marked(payment: Mapping[str, Any], known: Collection[Fact], was: Fact | None, now: Fact) -> Fact:
    """A refund that is new, or has a new status, with what it means to the claims."""
    if now.kind != "refund" or now.currency != payment["currency"]:
        return now
    if was is None and now.status != "failed":
        open_claim = max(0, _claimed(payment, known) - _settled(payment, known))
        settles = min(now.amount, open_claim)
        return replace(now, more={**now.more, "settles": settles}) if settles else now
    if was is not None and was.status in _LATER and now.status == "failed":
        lapsed = now.amount - now.more.get("settles", 0)
        return replace(now, more={**now.more, "lapsed": lapsed}) if lapsed else now
    return now


def failed(payment: Mapping[str, Any], facts: Iterable[Fact]) -> list[Fact]:
    """The refunds that were claimed and failed, oldest first."""
    claimed = [
        f for f in _refunds(payment, facts) if f.status == "failed" and (f.more.get("settles") or f.more.get("lapsed"))
    ]
    return sorted(claimed, key=lambda fact: fact.at)


def under_way(payment: Mapping[str, Any], facts: Iterable[Fact]) -> bool:
    """Whether a refund has no end yet."""
    return any(fact.status not in ("succeeded", "failed") for fact in _refunds(payment, facts))


def _claimed(payment: Mapping[str, Any], facts: Iterable[Fact]) -> int:
    return int(payment.get("asked", 0) + sum(fact.more.get("lapsed", 0) for fact in _refunds(payment, facts)))


def _settled(payment: Mapping[str, Any], facts: Iterable[Fact]) -> int:
    return int(sum(fact.more.get("settles", 0) for fact in _refunds(payment, facts) if fact.status != "failed"))


def _refunds(payment: Mapping[str, Any], facts: Iterable[Fact]) -> list[Fact]:
    """Refunds in the payment's own currency: money that came in another one is no claim of the order."""
    return [fact for fact in facts if fact.kind == "refund" and fact.currency == payment["currency"]]
