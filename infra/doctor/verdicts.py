"""What the doctor says of each invariant, in one of three words: ok, WRONG, or not looked at and why.

It says ok only of what it has looked at. I2 needs the providers' books, I7 a log of the bus, I12 log lines; I8 and I11
are about behaviour and cannot be seen in data at all: the tests act them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from infra.doctor.findings import Item, Violation

Word = Literal["ok", "WRONG", "not looked at"]

CLAIMS = {
    "I1": "stock adds up, is promised once, and only facts make it negative",
    "I2": "the ledger is the sum of its facts, and the providers' books say the same",
    "I3": "captured money belongs to a paid order or goes back",
    "I4": "order numbers are unique, and orders add up",
    "I5": "baskets are what their dots say",
    "I6": "nothing is stuck",
    "I7": "what items say was published, and nothing else",
    "I8": "all events again, in any order, change nothing",
    "I9": "people are what their merges say",
    "I10": "of an erased profile neither its key nor anything sealed is left",
    "I11": "nobody reads or changes what is not theirs",
    "I12": "no token, secret, address or card number in a log",
}
"""Every invariant of the house, and what `ok` says of it."""

_ACTED_OUT = {
    "I8": "not to be seen in data; tests/contract replays the bus",
    "I11": "not to be seen in data; tests/journey/test_access.py tries every private route",
}
_NOBODY_ASKED = "nobody asked"


@dataclass(frozen=True)
class Sight:
    """What there is to look at. What is None could not be seen; `blind` says why, by its name."""

    tables: Mapping[str, Sequence[Item]]
    """Items by logical table id."""
    books: Mapping[str, Any] | None = None
    """The providers' own figures, by provider."""
    bus_log: Sequence[dict[str, Any]] | None = None
    """Every EventBridge event published, oldest first."""
    logs: Sequence[str] | None = None
    """Lines that functions logged."""
    blind: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """One word about one invariant. `reason` says why it was not looked at."""

    invariant: str
    word: Word
    reason: str = ""
    violations: tuple[Violation, ...] = ()

    @property
    def claim(self) -> str:
        """What the word is about."""
        return CLAIMS[self.invariant]

    def as_json(self) -> dict[str, Any]:
        """For `mandje doctor --json`."""
        said: dict[str, Any] = {"invariant": self.invariant, "result": self.word, "claim": self.claim}
        said |= {"reason": self.reason} if self.reason else {}
        return said | {"violations": [{"subject": each.subject, "text": each.text} for each in self.violations]}


def verdicts(sight: Sight, found: Iterable[Violation]) -> list[Verdict]:
    """One verdict for every invariant, whatever could be looked at. What was found wrong is wrong even half seen."""
    wrong: dict[str, list[Violation]] = {name: [] for name in CLAIMS}
    for violation in found:
        wrong[violation.invariant].append(violation)
    unseen = _unseen(sight)
    said = []
    for name, violations in wrong.items():
        word: Word = "WRONG" if violations else "not looked at" if name in unseen else "ok"
        said.append(Verdict(name, word, unseen.get(name, ""), tuple(violations)))
    return said


def _unseen(sight: Sight) -> dict[str, str]:
    """Invariants of which a part, or all, could not be looked at, and why."""
    unseen = dict(_ACTED_OUT)
    if reason := _missing_books(sight):
        unseen["I2"] = f"{reason}; the ledger was compared with its own facts only"
    if sight.bus_log is None:
        unseen["I7"] = sight.blind.get("bus_log", "the bus keeps no log to compare with")
    if not sight.logs:
        unseen["I12"] = sight.blind.get("logs", "there are no log lines here")
    return unseen


def _missing_books(sight: Sight) -> str:
    """Why the books are not complete, or nothing: every provider that took part must have shown them."""
    if sight.books is None:
        return sight.blind.get("books", f"the providers' books: {_NOBODY_ASKED}")
    took_part = {
        item["provider"] for item in sight.tables["PaymentsTable"] if item.get("provider") and item["sk"] == "-"
    }
    missing = sorted(took_part - {"cash"} - sight.books.keys())
    reasons = [f"the books of {name}: {sight.blind.get(f'books of {name}', _NOBODY_ASKED)}" for name in missing]
    return ", ".join(reasons)
