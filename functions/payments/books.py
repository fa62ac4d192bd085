"""The books as a store: payments with their facts, and the ledger.

    P#<payment> / -              the payment: terms, balance, version, event
    P#<payment> / FACT#kind#id   what a provider said about one object, with its rank
    LEDGER#<order> / <time>#...  entries: put if absent and read; nothing in here could change one

Every write that adds facts is bound to the payment's version, so a balance is always the fold of exactly the facts
that are there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from commerce import clock, due, events, payables, reads, writes
from payments import claims
from payments.ledger import Balance, Change, Entry, Fact, fold, settled

PAYMENTS = "PAYMENTS"
FIRST_LOOK_S = 600
"""When an unsettled payment is looked at: what is reported by itself is done by then."""
SOON_S = 60
REMIND_S = 24 * 3600
"""How often somebody is reminded of a cash refund that nobody has paid out: people, not providers, are waited for."""

_FACT = "FACT#"
_FACT_MEMBERS = ("kind", "object_id", "status", "rank", "amount", "currency", "at", "of")


@dataclass(frozen=True)
class Kept:
    """A payment and all its facts, as one read saw them."""

    payment: dict[str, Any]
    facts: list[Fact]

    @property
    def id(self) -> str:
        """The payment's id."""
        return str(self.payment["payment_id"])

    def fact(self, kind: str, object_id: str) -> Fact | None:
        """One fact, if it is known."""
        return next((fact for fact in self.facts if fact.key == (kind, object_id)), None)


def read(payment_id: str) -> Kept | None:
    """A payment with its facts. One request."""
    items = list(reads.every(PAYMENTS, f"P#{payment_id}"))
    payment = next((each for each in items if each["sk"] == "-"), None)
    return None if payment is None else Kept(payment, [_fact(each) for each in items if each["sk"].startswith(_FACT)])


def entries(order_id: str) -> list[dict[str, Any]]:
    """The ledger of an order, oldest first."""
    return list(reads.every(PAYMENTS, f"LEDGER#{order_id}"))


def kept(payment: dict[str, Any], change: Change) -> list[writes.Write]:
    """Fragments: facts (each only over a lower rank) and ledger entries (each only once)."""
    facts = [_put_fact(payment["payment_id"], fact) for fact in change.facts]
    return facts + [_put_entry(payment, entry) for entry in change.entries]


def record(
    seen: Kept,
    change: Change,
    *fragments: writes.Write,
    again_at: str | None = None,
    more: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Write new facts, their ledger entries and the new balance, in one transaction bound to what was read.

    The first event goes with this version; further ones wait in `untold` for versions of their own. `again_at` is when
    to look at the payment unless it is settled, `more` are members that are kept with it. What the order has to count
    keeps the payment due until the sweep sees that it has. Returns the payment as written. Raises `writes.Refused`
    when somebody else was quicker: read and decide again.
    """
    payment = seen.payment
    waiting = payment.get("untold", []) + [{"type": kind, "data": data} for kind, data in change.events]
    facts = {fact.key: fact for fact in (*seen.facts, *change.facts)}
    after = payment | change.balance.as_map() | dict(more or {})
    after |= follows(after, facts.values(), change.balance)
    after |= {"version": payment["version"] + 1, "untold": waiting[1:]}
    if "provider_ref" not in payment and change.facts[0].of:
        after["provider_ref"] = change.facts[0].of  # reported before the answer to our own request was kept
    news = payables.figures(after) != payables.figures(payment)
    told = clock.after(FIRST_LOOK_S) if news or after["owed"] else None  # by then it is counted, or told again
    if settled(after, change.balance) and not waiting[1:]:
        looks = [payment.get("due"), told]
    else:
        soon = clock.after(SOON_S) if waiting[1:] else payment.get("due") or clock.after(FIRST_LOOK_S)
        looks = [again_at or soon, told]
    look = min((at for at in looks if at), default=None)
    writes.commit(kept(payment, change), _next_version(payment, after, waiting[:1], look), fragments)
    return {name: value for name, value in after.items() if name != "due"} | ({"due": look} if look else {})


def tell(payment: dict[str, Any]) -> dict[str, Any]:
    """One version for every event that still waits, so that none is lost and none merged. Raises `writes.Refused`."""
    while waiting := payment.get("untold"):
        after = payment | {"version": payment["version"] + 1, "untold": waiting[1:]}
        writes.commit(_next_version(payment, after, waiting[:1], payment.get("due")))
        payment = after
    return payment


def follows(payment: dict[str, Any], facts: Iterable[Fact], balance: Balance) -> dict[str, Any]:
    """The members of a payment that follow from its facts beside the balance itself."""
    facts = list(facts)
    until = clock.iso(datetime.fromtimestamp(balance.until, UTC)) if balance.until else ""
    owed, in_cash = claims.owed(payment, facts, balance.refundable), claims.in_cash(payment, facts)
    waits = bool(owed or in_cash)
    return {
        "outside": claims.outside(payment, facts),
        "capture_before": until if balance.authorized else "",
        "expected_by": "" if balance.authorized else until,
        "owed": owed,
        "owed_in_cash": in_cash,
        "owing": "owed" if waits else "",
        "owed_since": (payment.get("owed_since") or clock.iso()) if waits else "",
        "owed_why": ("failed" if claims.failed(payment, facts) else "asked") if owed else "",
    }


def answer(seen: Kept, **members: int) -> None:
    """Tell what became of what the order asked back, once more or because nothing is left to give.

    Raises `writes.Refused` when somebody else was quicker.
    """
    payment = seen.payment | members
    balance = fold(seen.facts, payment["currency"], payment["status"])
    after = payment | follows(payment, seen.facts, balance) | {"version": payment["version"] + 1}
    lost = after["owed"] or not after.get("refunded")
    told = {"type": "payment.refunded", "data": {"again": True}}
    if lost and (failed := claims.failed(payment, seen.facts)):
        told = {"type": "payment.refund_failed", "data": {"again": True, "refund_id": failed[-1].object_id}}
    writes.commit(_next_version(seen.payment, after, [told], payment.get("due")))


def tell_again(seen: Kept, type: str) -> dict[str, Any]:
    """The next version, with the totals that were told before. Raises `writes.Refused`."""
    payment = seen.payment
    after = payment | {"version": payment["version"] + 1}
    data: dict[str, Any] = {"again": True} | ({"let_go": 1} if type == "payment.failed" else {})
    writes.commit(_next_version(payment, after, [{"type": type, "data": data}], payment.get("due")))
    return after


_NUMBERS = (
    "captured", "refunded", "refund_pending", "charged_back", "authorized", "pending", "outside", "owed", "asked",
    "heard_at", "owed_in_cash",
)  # fmt: skip
_TEXTS = ("status", "provider_ref", "capture_before", "expected_by", "owing", "owed_since", "owed_why")
_WRITTEN = (*_NUMBERS, *_TEXTS, "foreign", "untold")


def _next_version(
    payment: dict[str, Any], after: dict[str, Any], told: list[dict[str, Any]], look: str | None
) -> writes.Write:
    """Fragment: the payment becomes `after`, if it is as it was read; at most one event goes with the version."""
    changed = {name: after[name] for name in _WRITTEN if after.get(name) != payment.get(name) and after.get(name)}
    changed |= {name: 0 for name in _NUMBERS if payment.get(name) and not after.get(name)}
    names = {"#v": "version", "#e": "event"} | {f"#{name}": name for name in changed}
    values: dict[str, Any] = {":next": after["version"], ":seen": payment["version"]}
    values |= {f":{name}": value for name, value in changed.items()}
    sets = ["#v = :next", *(f"#{name} = :{name}" for name in changed)]
    removes = [name for name in (*_TEXTS, "untold") if name in payment and not after.get(name)]
    if told:
        sets.append("#e = :event")
        values[":event"] = events.of(told[0]["type"], **told[0]["data"])
    else:
        removes.append("#e")
    if look is None:
        removes += [due.REMOVE] if "due" in payment else []
    elif look != payment.get("due"):
        sets.append(due.SET)
        values |= due.values(payment["pk"], look)
    return writes.update(
        PAYMENTS, (payment["pk"], "-"), set=", ".join(sets), remove=", ".join(removes), when="#v = :seen",
        names=names, values=values,
    )  # fmt: skip


def look_again(payment: dict[str, Any], at: str | None) -> None:
    """Look at the payment again at a time, or (None) not before a provider reports something. Moves no version.

    If the payment changed meanwhile, whoever changed it decided when to look.
    """
    if at is None and "due" not in payment:
        return
    try:
        writes.commit(
            writes.update(
                PAYMENTS,
                (payment["pk"], "-"),
                set=due.SET if at else "",
                remove="" if at else due.REMOVE,
                when="#v = :seen",
                names={"#v": "version"},
                values={":seen": payment["version"]} | (due.values(payment["pk"], at) if at else {}),
            )
        )
    except writes.Refused:
        return


def asked(payment: dict[str, Any], fact: Fact, at: float | None) -> Fact:
    """Keep when a request was first sent to the provider (epoch seconds), or (None) that it never left.

    Whoever has heard what became of it meanwhile is right. Returns the fact as it is then.
    """
    more = {name: value for name, value in fact.more.items() if name != "asked_at"}
    more |= {} if at is None else {"asked_at": int(at)}
    write = writes.update(
        PAYMENTS,
        (payment["pk"], f"{_FACT}{fact.kind}#{fact.object_id}"),
        set="" if at is None else "asked_at = :at",
        remove="asked_at" if at is None else "",
        when="#s = :requested",
        names={"#s": "status"},
        values={":requested": "requested"} | ({} if at is None else {":at": int(at)}),
    )
    try:
        writes.commit(write)
    except writes.Refused:
        return fact
    return replace(fact, more=more)


def _put_fact(payment_id: str, fact: Fact) -> writes.Write:
    item = {"pk": f"P#{payment_id}", "sk": f"{_FACT}{fact.kind}#{fact.object_id}"} | dict(fact.more)
    item |= {name: getattr(fact, name) for name in _FACT_MEMBERS}
    when = "attribute_not_exists(pk) OR #r < :r"
    return writes.put(PAYMENTS, item, when=when, names={"#r": "rank"}, values={":r": fact.rank})


def _fact(item: dict[str, Any]) -> Fact:
    own = {name: item[name] for name in _FACT_MEMBERS}
    return Fact(**own, more={name: item[name] for name in item if name not in (*_FACT_MEMBERS, "pk", "sk")})


def _put_entry(payment: dict[str, Any], entry: Entry) -> writes.Write:
    """The key names the change of the fact it follows from, so that it can be put only once."""
    at = clock.iso(datetime.fromtimestamp(entry.at, UTC))
    kept_of_payment = {name: payment[name] for name in ("order_id", "payment_id", "provider", "account")}
    item = {
        "pk": f"LEDGER#{payment['order_id']}",
        "sk": f"{at}#{payment['payment_id']}#{entry.fact}#{entry.rank}",
        "kind": entry.kind,
        "amount": entry.amount,
        "currency": entry.currency,
        "fact": entry.fact,
        "at": at,
    }
    return writes.put(PAYMENTS, item | kept_of_payment)
