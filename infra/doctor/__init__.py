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
from infra.doctor.verdicts import CLAIMS, Sight, Verdict, verdicts

__all__ = ["CLAIMS", "Sight", "Verdict", "Violation", "add_arguments", "check", "examine", "run"]

LIVE_GRACE_S = 120
_SHOWN = 50


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
    found += money.ledger_against_books(patient, books) if books is not None else []
    found += money.every_capture_has_a_purpose(patient)
    found += [*order.numbers(patient), *order.sums(patient), *order.nothing_is_stuck(patient), *basket.check(patient)]
    found += profile.check(patient)
    if bus_log is not None:
        found += [*bus.check(patient, bus_log), *bus.one_meaning_per_version(bus_log)]
    found += privacy.logs(logs) if logs is not None else []
    return found


def examine(sight: Sight, *, grace_s: float = 0) -> list[Verdict]:
    """One verdict for each invariant I1 to I12: ok, WRONG, or not looked at and why."""
    found = check(sight.tables, sight.books, sight.bus_log, sight.logs, grace_s=grace_s)
    return verdicts(sight, found)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `mandje doctor`."""
    parser.add_argument("--stack", metavar="NAME", help="look at a stack on AWS instead of the local platform")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each invariant, a line each")


def run(args: argparse.Namespace) -> int:
    """Look and report; 0 if nothing is wrong, also when not everything could be looked at."""
    from infra.doctor import look

    sight = look.at_stack(args.stack) if args.stack else look.at_platform()
    said = examine(sight, grace_s=LIVE_GRACE_S)
    if args.json:
        for verdict in said:
            print(json.dumps(verdict.as_json()))
    else:
        _report(said, sum(len(items) for items in sight.tables.values()))
    return 1 if any(verdict.word == "WRONG" for verdict in said) else 0


def _report(said: Sequence[Verdict], items: int) -> None:
    for verdict in said:
        reason = f" ({verdict.reason})" if verdict.reason else ""
        print(f"  {verdict.word:13}  {verdict.invariant:4} {verdict.claim}{reason}")
    violations = [violation for verdict in said for violation in verdict.violations]
    for violation in violations[:_SHOWN]:
        print(f"                 {violation}")
    if len(violations) > _SHOWN:
        print(f"                 ... and {len(violations) - _SHOWN} more; --json shows all")
    words = Counter(verdict.word for verdict in said)
    unseen = ", ".join(verdict.invariant for verdict in said if verdict.word == "not looked at")
    print(
        f"\n{items} items: {words['ok']} ok, {words['WRONG']} WRONG with {len(violations)} violations, "
        f"{words['not looked at']} not looked at" + (f" ({unseen})" if unseen else "")
    )
