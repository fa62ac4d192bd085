"""The rules of money: facts, what they add up to, and what is told about it. Pure.

A fact is what a provider says about one of its objects (an attempt to pay, a capture, a refund, a chargeback), with a
rank. A higher rank replaces a lower one, whatever came first; everything else is a repeat. So the order of arrival
does not matter, and there is no final "failed": a capture that comes late still counts.

    attempt     pending, authorized, failed (by time)   <   canceled, expired, released
    capture     pending < failed < succeeded            <   succeeded with more
    refund      requested < refused                     <   pending < succeeded < failed, also after it had succeeded
    (in cash)   owed < succeeded                            (owed until somebody paid it out)
    chargeback  opened < withdrawn < closed < lost < won < reinstated
    fee         charged

Two ranks are ours and not the provider's: that we have asked (`requested`), and that we take the answer for a no
(`refused`, shown as failed). They are below every word of the provider, because we can be wrong: a provider that has
answered with an error may have done it all the same. A capture is asked for in a fact of its own:

    capture_request   requested < refused               <   done < failed

Balances are a fold over the facts. The ledger gets one entry for every change of what a fact contributes.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from payments import claims

_BY_TIME = {"pending": 1, "failed": 2, "authorized": 3}
_ENDED = {"canceled": 1, "expired": 2, "released": 3}
_LATER = 10**14
_CAPTURE = {"pending": 1, "failed": 2, "succeeded": 3}
_REFUND = {"owed": 0, "requested": 1, "refused": 2, "pending": 3, "succeeded": 4, "failed": 5}
_CAPTURE_REQUEST = {"requested": 1, "refused": 2, "done": 3, "failed": 4}
UNDER_WAY = ("owed", "requested", "pending")
"""A refund that takes its room, though the money has not left yet."""
_CHARGEBACK = {"opened": 1, "withdrawn": 2, "closed": 3, "lost": 4, "won": 5, "reinstated": 6}
_TAKEN_BACK = ("withdrawn", "lost", "won")
"""A won dispute is still without its money until the provider gives it back (`reinstated`)."""
_OUTCOMES = {"closed": "closed", "lost": "lost", "won": "won", "reinstated": "won"}

Key = tuple[str, str]


@dataclass(frozen=True)
class Fact:
    """What a provider says about one object.

    `amount` is in ISO minor units of `currency`; `of` is the provider's payment it belongs to; `at` is epoch seconds
    at the provider. `more` is kept with the fact (for refunds: the provider's own id, the reason, who asked).
    """

    kind: str
    object_id: str
    status: str
    rank: int
    amount: int
    currency: str
    at: int
    of: str
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Names the object among the facts of a payment."""
        return self.kind, self.object_id

    @property
    def contribution(self) -> int:
        """What this fact adds to our money, in minor units: negative when it takes some away."""
        match self.kind, self.status:
            case "capture", "succeeded":
                return self.amount
            case "refund", "succeeded":
                return -self.amount
            case "chargeback", status if status in _TAKEN_BACK:
                return -self.amount
            case "fee", _:
                return -self.amount
        return 0

    @property
    def unanswered(self) -> bool:
        """We have asked the provider for it, and do not know what became of that."""
        return self.status == "requested"


def attempt(of: str, status: str, at: int, currency: str, amount: int = 0, until: int | None = None) -> Fact:
    """The shopper's attempt is `status`.

    `amount` is what is held, captures included, when it is authorized, and what is on its way when it is pending;
    `until` is when the provider lets the hold go, or must have said whether the money came.
    """
    rank = at * 10 + _BY_TIME[status] if status in _BY_TIME else _LATER + _ENDED[status]
    return Fact("attempt", of, status, rank, amount, currency, at, of, {} if until is None else {"until": until})


def capture(object_id: str, of: str, status: str, at: int, amount: int, currency: str, last: bool = True) -> Fact:
    """Money was (or is about to be) taken. `last`: what was held beyond it is let go."""
    rank = _CAPTURE[status] * _LATER + (amount if status == "succeeded" else 0)
    return Fact("capture", object_id, status, rank, amount, currency, at, of, {"last": last} if last else {})


def refund(object_id: str, of: str, status: str, at: int, amount: int, currency: str, **more: Any) -> Fact:
    """Money goes back. `object_id` is our refund id, or the provider's for one made in its dashboard."""
    return Fact("refund", object_id, status, _REFUND[status], amount, currency, at, of, more)


def capture_request(object_id: str, of: str, status: str, at: int, amount: int, currency: str, **more: Any) -> Fact:
    """We asked for a capture under this id of ours. What was captured is said by the provider's own captures."""
    return Fact("capture_request", object_id, status, _CAPTURE_REQUEST[status], amount, currency, at, of, more)


def refused(asked: Fact, at: int, code: str) -> Fact:
    """We take it that the provider will not do what was asked. Any word of the provider about it counts for more."""
    rank = (_REFUND if asked.kind == "refund" else _CAPTURE_REQUEST)["refused"]
    return replace(asked, status="failed", rank=rank, at=at, more={"code": code})


def fee(object_id: str, of: str, at: int, amount: int, currency: str, **more: Any) -> Fact:
    """What the provider keeps for its trouble (negative: gives back). The order neither pays nor keeps it."""
    return Fact("fee", object_id, "charged", 1, amount, currency, at, of, more)


def chargeback(object_id: str, of: str, status: str, at: int, amount: int, currency: str) -> Fact:
    """The payer's bank takes money back."""
    return Fact("chargeback", object_id, status, _CHARGEBACK[status], amount, currency, at, of)


@dataclass(frozen=True)
class Balance:
    """What the facts of a payment add up to, in minor units of its currency."""

    status: str
    captured: int = 0
    refunded: int = 0
    refund_pending: int = 0
    charged_back: int = 0
    authorized: int = 0
    asked: int = 0
    """What captures that have not ended will take of what is held."""
    foreign: Mapping[str, Mapping[str, int]] = field(default_factory=dict, hash=False)
    """Money in other currencies, by currency: `captured`, `refunded`, `refund_pending`, `charged_back`."""
    pending: int = 0
    """Paid, but the bank is still busy."""
    until: int = 0
    """When what is held is let go, or the bank must have answered (epoch seconds)."""

    @property
    def firm(self) -> int:
        """What is held or on its way: it comes unless a provider says otherwise."""
        return self.authorized + self.pending

    @property
    def settling(self) -> bool:
        """A capture is on its way."""
        return self.asked > 0

    @property
    def capturable(self) -> int:
        """What may still be taken of what is held."""
        return max(0, self.authorized - self.asked)

    @property
    def refundable(self) -> int:
        """What may still be given back: never more than came in and has not left in any way."""
        return max(0, self.captured - self.refunded - self.refund_pending - self.charged_back)

    @property
    def held(self) -> dict[str, int]:
        """What of other currencies is here and is not on its way back."""
        return {code: left for code, sums in self.foreign.items() if (left := _left(sums))}

    @property
    def foreign_under_way(self) -> bool:
        """Whether money in another currency is here or on its way back: then it is looked at."""
        return bool(self.held) or any(sums["refund_pending"] for sums in self.foreign.values())

    def as_map(self) -> dict[str, Any]:
        """The members a payment item keeps."""
        names = ("status", "captured", "refunded", "refund_pending", "charged_back", "authorized", "pending")
        found = {name: getattr(self, name) for name in names}
        return found | ({"foreign": {code: dict(sums) for code, sums in self.foreign.items()}} if self.foreign else {})


def fold(facts: Collection[Fact], currency: str, before: str) -> Balance:
    """Add up facts. `before` is the status while no fact says otherwise (`created`, `open`, `unknown`, `failed`).

    Money in another currency than the payment's pays nothing: it is counted apart, and goes back as it came.
    """
    own = [fact for fact in facts if fact.currency == currency]
    captures = [fact for fact in own if fact.kind == "capture"]
    sums = _sums(own)
    others = {fact.currency for fact in facts if fact.kind == "capture" and fact.contribution} - {currency}
    foreign = {code: _sums([fact for fact in facts if fact.currency == code]) for code in sorted(others)}
    attempts = [fact for fact in facts if fact.kind == "attempt"]
    authorized = sum(_still_held(fact, captures) for fact in own if fact.status == "authorized")
    status = _attempted(attempts) or before
    if sums["captured"]:
        status = "refunded" if sums["refunded"] >= sums["captured"] else "captured"
    elif foreign:
        status = "foreign" if any(each["refunded"] < each["captured"] for each in foreign.values()) else "refunded"
    under_way = [fact for fact in captures if fact.status == "pending"]
    under_way += [fact for fact in own if fact.kind == "capture_request" and fact.unanswered]
    asked = sum(fact.amount for fact in under_way)
    coming = sum(_still_held(fact, captures) for fact in own if (fact.kind, fact.status) == ("attempt", "pending"))
    ends = [fact.more["until"] for fact in own if fact.more.get("until") and fact.status in ("authorized", "pending")]
    until = (min if authorized else max)(ends, default=0) if authorized or coming else 0
    return Balance(status, authorized=authorized, asked=asked, foreign=foreign, pending=coming, until=until, **sums)


def _sums(facts: list[Fact]) -> dict[str, int]:
    """What came in and went out again, of facts in one currency."""
    refunds = [fact for fact in facts if fact.kind == "refund"]
    return {
        "captured": sum(fact.contribution for fact in facts if fact.kind == "capture"),
        "refunded": sum(fact.amount for fact in refunds if fact.status == "succeeded"),
        "refund_pending": sum(fact.amount for fact in refunds if fact.status in UNDER_WAY),
        "charged_back": sum(-fact.contribution for fact in facts if fact.kind == "chargeback"),
    }


def _left(sums: Mapping[str, int]) -> int:
    return max(0, sums["captured"] - sums["refunded"] - sums["refund_pending"] - sums["charged_back"])


def refundable(facts: Collection[Fact], currency: str) -> int:
    """What may still be given back in one currency."""
    return _left(_sums([fact for fact in facts if fact.currency == currency]))


def _still_held(held: Fact, captures: list[Fact]) -> int:
    taken = [fact for fact in captures if fact.of == held.of and fact.status == "succeeded"]
    if any(fact.more.get("last") for fact in taken):
        return 0
    return max(0, held.amount - sum(fact.amount for fact in taken))


def _attempted(attempts: list[Fact]) -> str | None:
    """One status for all attempts: the one nearest to money."""
    found = {fact.status for fact in attempts}
    return next((s for s in ("authorized", "pending", "released", "expired", "canceled", "failed") if s in found), None)


def refundable_of(facts: Iterable[Fact], of: str, currency: str = "") -> int:
    """What may still be given back of one provider payment (in one currency, if it came in several)."""
    total = 0
    for fact in facts:
        if fact.of == of and currency in ("", fact.currency) and fact.kind != "fee":
            total += fact.contribution
            total -= fact.amount if fact.kind == "refund" and fact.status in UNDER_WAY else 0
    return max(0, total)


@dataclass(frozen=True)
class Entry:
    """One line of the ledger: `amount` is signed, minor units. `fact` and `rank` name what it follows from."""

    kind: str
    amount: int
    currency: str
    fact: str
    rank: int
    at: int


@dataclass(frozen=True)
class Change:
    """What new facts do to a payment: facts to keep, ledger entries, the balance after, and what is told, in order."""

    facts: list[Fact]
    entries: list[Entry]
    balance: Balance
    events: list[tuple[str, dict[str, Any]]]


def decide(payment: Mapping[str, Any], known: Iterable[Fact], reported: Iterable[Fact]) -> Change | None:
    """What `reported` changes about a payment with the facts `known`; None if it says nothing new."""
    old = {fact.key: fact for fact in known}
    new = dict(old)
    for fact in reported:
        seen = new.get(fact.key)
        if seen is None or fact.rank > seen.rank:
            told = fact if seen is None else replace(fact, more={**seen.more, **fact.more})
            new[fact.key] = claims.marked(payment, new.values(), seen, told)
    fresh = [fact for key, fact in new.items() if fact is not old.get(key)]
    if not fresh:
        return None
    entries = [entry for fact in fresh if (entry := _entry(old.get(fact.key), fact))]
    before = fold(old.values(), payment["currency"], payment["status"])
    after = fold(new.values(), payment["currency"], payment["status"])
    news = list(_tell(payment, old, fresh, before, after))
    if not news and claims.promised(payment, new.values()) != claims.promised(payment, old.values()):
        news = [("payment.captured", {"again": True})]  # no more came in, but the order keeps another part of it
    return Change(fresh, entries, after, news)


def _entry(old: Fact | None, new: Fact) -> Entry | None:
    moved = new.contribution - (old.contribution if old else 0)
    if not moved:
        return None
    kind = new.kind if (moved > 0) == (new.kind == "capture") else f"{new.kind}_reversed"
    return Entry(kind, moved, new.currency, f"{new.kind}#{new.object_id}", new.rank, new.at)


def _tell(
    payment: Mapping[str, Any], old: Mapping[Key, Fact], fresh: list[Fact], before: Balance, after: Balance
) -> Iterable[tuple[str, dict[str, Any]]]:
    """One event per meaning, in the order things happen to money: held, taken, given back, taken away."""
    if after.status != before.status:
        if after.status in ("authorized", "pending"):
            yield f"payment.{after.status}", {}
        elif after.status in ("failed", "expired", "canceled", "released"):
            yield "payment.failed", {"status": after.status, "let_go": max(0, before.firm - after.firm)}
    if after.captured > before.captured:
        yield "payment.captured", {}
    for fact in fresh:
        if fact.kind == "capture" and fact.status == "succeeded" and _strange(payment, fact, before, after):
            yield "payment.amount_mismatch", {"reported_amount": fact.amount, "reported_currency": fact.currency}
    if after.refunded > before.refunded:
        yield "payment.refunded", {}
    for fact in fresh:
        known = old.get(fact.key)
        if fact.kind == "refund" and fact.status == "failed" and (known is None or known.status != "failed"):
            yield "payment.refund_failed", {"refund_id": fact.object_id}
    for fact in fresh:
        if fact.kind == "chargeback":
            yield from _disputed(old.get(fact.key), fact)


def _disputed(was: Fact | None, now: Fact) -> Iterable[tuple[str, dict[str, Any]]]:
    """Opened and closed once each. Money that moves at another moment is told with the totals, which are the news."""
    named = {"chargeback_id": now.object_id}
    news = False
    if was is None:
        news = True
        yield "payment.chargeback_opened", named
    if now.status in _OUTCOMES and (was is None or was.status not in _OUTCOMES):
        news = True
        yield "payment.chargeback_closed", named | {"outcome": _OUTCOMES[now.status]}
    if news or was is None or was.contribution == now.contribution:
        return
    if now.status in _OUTCOMES:
        yield "payment.chargeback_closed", named | {"outcome": _OUTCOMES[now.status], "again": True}
    else:
        yield "payment.chargeback_opened", named | {"again": True}


def _strange(payment: Mapping[str, Any], fact: Fact, before: Balance, after: Balance) -> bool:
    """Another currency, or more in all than was asked for. Less is a part payment, and no surprise."""
    if fact.currency != payment["currency"]:
        return True
    return bool(after.captured > payment["amount"] >= before.captured)


def settled(payment: Mapping[str, Any], balance: Balance) -> bool:
    """Whether nothing more is awaited: then nobody has to look at this payment again until a provider reports."""
    if balance.refund_pending or balance.settling or balance.authorized:
        return False
    if balance.foreign_under_way:
        return False
    if balance.captured or balance.foreign or payment["provider"] == "cash":
        return True
    if payment["method"] == "link" and payment["provider"] == "mollie":
        return balance.status == "canceled"  # a link outlives each attempt made through it
    # At Stripe a failed attempt leaves the payment open for another one.
    return balance.status in ("canceled", "expired", "released") or (
        balance.status == "failed" and payment["provider"] == "mollie"
    )
