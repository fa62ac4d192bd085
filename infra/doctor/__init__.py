"""Check the invariants of the data: the tests' oracle, and a read-only command against live tables.

I1 stock adds up and is promised once - I2 ledger = providers' books - I3 captured money has exactly one purpose -
I4 order numbers and sums - I5 baskets are what their dots say - I6 nothing is stuck - I7 items and bus agree -
I9 people are what their merges say - I10 erased is erased - I12 nothing personal in logs. I8 (replaying the bus),
I11 (access) and the stories behind I9 and I10 are acted out by the tests.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from commerce import clock
from infra.doctor import basket, bus, money, order, privacy, profile, stock
from infra.doctor.findings import Item, Patient, Violation

__all__ = ["Violation", "add_arguments", "check", "run"]

LIVE_GRACE_S = 120
CLAIMS = {
    "I1": "stock adds up, is promised once, and only facts make it negative",
    "I2": "the ledger is the sum of its facts, and the providers' books say the same",
    "I3": "captured money belongs to a paid order or goes back",
    "I4": "order numbers are unique, and orders add up",
    "I5": "baskets are what their dots say",
    "I6": "nothing is stuck",
    "I7": "what items say was published, and nothing else",
    "I9": "people are what their merges say",
    "I10": "erased is erased",
    "I12": "no token, secret, address or card number in a log",
}


def check(
    tables: Mapping[str, Sequence[Item]],
    books: Mapping[str, Any] | None = None,
    bus_log: Sequence[dict[str, Any]] | None = None,
    logs: Iterable[str] | None = None,
    *,
    grace_s: float = 0,
) -> list[Violation]:
    """All violations in `tables` (items by logical table id).

    `books` are the providers' own figures by provider, `bus_log` the EventBridge events published, `logs` log lines;
    what is None is not checked. `grace_s` is how long changes may be under way.
    """
    now = clock.now()
    patient = Patient(tables, clock.iso(now), clock.iso(now - timedelta(seconds=grace_s)) if grace_s else "~")
    found = [*stock.check(patient), *money.ledger_against_itself(patient)]
    found += money.ledger_against_books(patient, books) if books else []
    found += money.every_capture_has_a_purpose(patient)
    found += [*order.numbers(patient), *order.sums(patient), *order.nothing_is_stuck(patient), *basket.check(patient)]
    found += profile.check(patient)
    if bus_log is not None:
        found += [*bus.check(patient, bus_log), *bus.one_meaning_per_version(bus_log)]
    found += privacy.logs(logs) if logs is not None else []
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `mandje doctor`."""
    parser.add_argument("--stack", metavar="NAME", help="look at a stack on AWS instead of the local platform")
    parser.add_argument("--json", action="store_true", help="print violations as JSON lines")


def run(args: argparse.Namespace) -> int:
    """Look and report; 0 if all is well."""
    from infra.doctor import look

    tables, books, logs = look.at_stack(args.stack) if args.stack else look.at_platform()
    found = check(tables, books=books, logs=logs, grace_s=LIVE_GRACE_S)
    if args.json:
        for violation in found:
            print(json.dumps(violation.__dict__))
        return 1 if found else 0
    by_invariant = Counter(violation.invariant for violation in found)
    for invariant, claim in CLAIMS.items():
        if (invariant == "I7") or (invariant == "I12" and logs is None):
            continue  # the bus keeps no log on a live system
        print(f"  {'WRONG' if by_invariant[invariant] else 'ok   '}  {invariant:4} {claim}")
    for violation in found[:50]:
        print(f"         {violation}")
    print(f"\n{sum(len(list(items)) for items in tables.values())} items, {len(found)} violations")
    return 1 if found else 0
