"""What must be true of the money of an order: paper and pencil, cents in dictionaries and plain objects.

Nothing in here knows the product. `Figures` is what the world outside says of one payment: the stand-in provider's own
objects, or what went into and out of the drawer. `Paper` is what persons did and asked for, by order and payment. The
functions below say, one line each, where the two do not fit what the shop says of itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refund:
    """One refund where the money is. `name` is the shop's id of it; a refund made in the dashboard has none."""

    name: str
    amount: int
    status: str
    """`gone`, `going`, or `failed`."""
    ref: str = ""

    @property
    def live(self) -> int:
        """What leaves, or has left, the shop by it."""
        return 0 if self.status == "failed" else self.amount


@dataclass
class Figures:
    """One payment as the provider (or the drawer) knows it, in cents."""

    captured: int = 0
    charged_back: int = 0
    refunds: list[Refund] = field(default_factory=list)

    @property
    def refunded(self) -> int:
        return sum(each.amount for each in self.refunds if each.status == "gone")

    @property
    def kept(self) -> int:
        """What is still the shop's, or will be when everything under way has arrived."""
        return self.captured - self.charged_back - sum(each.live for each in self.refunds)

    @property
    def going(self) -> int:
        return sum(each.amount for each in self.refunds if each.status == "going")


@dataclass
class Wish:
    """A person asked for money back. `answer`: nothing is known yet, `made`, or `refused` for good."""

    reason: str
    payment_id: str
    amount: int
    answer: str = ""


@dataclass
class Tender:
    """A payment of an order, and what its payer did."""

    payment_id: str
    order_id: str
    provider: str
    method: str
    amount: int
    manual: bool = False
    given: int = 0
    """What the payer gave: paid online, or in cash. For a hold: what was held."""
    captures: list[int] = field(default_factory=list)
    """Amounts a clerk took of what was held, as answered."""
    maybe: int = 0
    """What a clerk tried to take without ever getting an answer."""
    stirred: bool = False
    """Somebody moved its money at the provider: the dashboard, a dispute, a bank that sent a refund back."""
    stuck: bool = False
    """Its provider gives nothing back: it is disputed, or its card takes no refund."""
    by_dashboard: int = 0
    """What was given back in the provider's dashboard."""
    paid_out: dict[str, int] = field(default_factory=dict)
    """Cash that left the drawer, by refund."""


@dataclass
class Order:
    """An order as it was placed, and what it has to keep by now.

    `most` is the most it ever kept. `least` and `at_most` reckon with what came in and what persons promised to give
    back, step by step: of more than its total the rest goes back, but nobody can tell whether before or after the next
    promise. A refund that failed stays promised; one of the dashboard may have failed before the shop ever heard of it.
    """

    order_id: str
    total: int
    till: bool = False
    token: str = ""
    ended: bool = False
    """Somebody cancelled it and was told so."""
    fulfilled: bool = False
    most: int = 0
    least: int = 0
    at_most: int = 0
    came: int = 0
    promised: tuple[int, int] = (0, 0)
    """For sure, and with what may have been promised without an answer."""

    def note(self, came: int, sure: int, maybe: int, keeps: int, over: bool) -> None:
        """Write down a step: all that came in so far, all that was promised back, and what is kept."""
        self.most = max(self.most, keeps)
        self.at_most += came - self.came - (sure - self.promised[0])
        self.least += came - self.came - (maybe - self.promised[1])
        self.least = min(self.least, 0 if over else self.total)
        self.came, self.promised = came, (sure, maybe)


@dataclass
class Paper:
    """Everything persons did, written down."""

    orders: dict[str, Order] = field(default_factory=dict)
    tenders: dict[str, Tender] = field(default_factory=dict)
    wishes: list[Wish] = field(default_factory=list)

    def tenders_of(self, order_id: str) -> list[Tender]:
        return [each for each in self.tenders.values() if each.order_id == order_id]


Shown = dict[str, dict[str, str]]
"""How the shop shows refunds: payment -> refund id -> `reason` or `status`."""


def keeping(figures: Iterable[Figures]) -> int:
    """What an order keeps of its payments. A bank may take what was given back already: that is lost, not owed."""
    return sum(max(0, each.kept) for each in figures)


def never(figures: Figures) -> list[str]:
    """What is wrong at any moment, whatever is still under way."""
    names = Counter(each.name for each in figures.refunds if each.name and each.live)
    wrong = [f"refund {name} was made {times} times" for name, times in names.items() if times > 1]
    out = sum(each.live for each in figures.refunds)
    if out > figures.captured:
        wrong.append(f"{out} goes back of {figures.captured}")
    return wrong


def taken(tender: Tender, figures: Figures) -> list[str]:
    """Nobody pays what they did not mean to pay: each payment and each capture counts once."""
    least, most = tender.given, tender.given
    if tender.manual:
        least = sum(tender.captures)
        most = least + tender.maybe
    if least <= figures.captured <= most:
        return []
    return [f"{figures.captured} was taken, the payer agreed to {least}" + (f" or {most}" if most > least else "")]


def asked_back(wish: Wish, figures: Figures, shown: Shown, stirred: bool) -> list[str]:
    """What a person asked to be given back went once, and the shop says the same of it as the provider.

    One that failed later may be tried again under another name, and says so by its reason.
    """
    status = {name: shown["status"][name] for name, reason in shown["reason"].items() if reason == wish.reason}
    living = [name for name in status if status[name] != "failed"]
    out = sum(each.live for each in figures.refunds if each.name in status)
    if wish.answer == "refused":
        return [f"{wish.reason}: was refused, and {out} went back"] if out else []
    if not status:
        return [f"{wish.reason}: was promised, and is nowhere"] if wish.answer == "made" else []
    if not living and not out:
        return [] if stirred else [f"{wish.reason}: failed, and nobody at the provider said so"]
    if stirred and len(living) < len(status) and out <= wish.amount:
        return []  # it failed, and somebody may have repaired a part of it by hand meanwhile
    if len(living) != 1 or out != wish.amount:
        return [f"{wish.reason}: {wish.amount} was asked for, {out} went back, the shop says {status}"]
    return []


@dataclass(frozen=True)
class Said:
    """What the shop says of an order. `short`: what it should keep and does not; `owed`: what has to go back yet."""

    state: str
    short: int
    owed: int


def kept(order: Order, said: Said, figures: list[Figures], persons: set[str], tenders: list[Tender]) -> list[str]:
    """An order keeps exactly what it owes, once everything has settled, or the shop says how much is wrong.

    What goes back is either what a person asked for (`persons`, and the dashboard), or what the order may not keep.
    Where somebody moved money at the provider the shop may have counted on it meanwhile; and a provider gives nothing
    back of what is disputed.
    """
    stirred, stuck = any(each.stirred for each in tenders), any(each.stuck for each in tenders)
    refunds = [refund for each in figures for refund in each.refunds]
    by_persons = sum(refund.live for refund in refunds if not refund.name or refund.name in persons)
    by_itself = sum(refund.live for refund in refunds) - by_persons
    captured, keeps = sum(each.captured for each in figures), keeping(figures)
    about = f"{order.order_id} is {said.state} and keeps {keeps} of {order.total}: {captured} in,"
    about += f" {by_persons} back by persons, {by_itself} by itself, {sum(each.charged_back for each in figures)} lost"
    wrong = []
    if said.owed and not stuck:
        wrong.append(f"{about}; {said.owed} is still owed")
    if said.state in ("paid", "fulfilled"):
        if keeps > min(order.total, order.at_most) + said.owed and not stuck:
            wrong.append(f"{about}; it may keep {order.at_most} at most")
        if keeps < order.least and not stuck:
            wrong.append(f"{about}; it gave away what it needs: {order.least}")
        if keeps > order.total + said.owed:
            wrong.append(f"{about}; that is too much")
        if order.most < order.total and not stirred:
            wrong.append(f"{about}; it never kept more than {order.most}")
        if said.state == "paid" and said.short != max(0, order.total - keeps):
            wrong.append(f"{about}; {said.short} is said to be missing")
    elif said.state in ("expired", "cancelled", "rejected"):
        if keeps > said.owed:
            wrong.append(f"{about}; nothing should be left")
    else:
        wrong.append(f"{about}; it is never settled")
    return wrong
