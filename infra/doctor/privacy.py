"""I10 and I12: nothing personal where it must not be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from infra.doctor.findings import Violation

_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|Bearer\s+[A-Za-z0-9._-]{16,}")
_SECRET = re.compile(r"\b(?:sk|rk)_(?:test|live)_\w{8,}|\bwhsec_\w{8,}|\b(?:test|live)_[A-Za-z0-9]{24,}")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w.-])")


def logs(lines: Iterable[str], canaries: Sequence[str] = ()) -> Iterator[Violation]:
    """I12: no token, secret, address, card-like number or seeded canary in a log line."""
    for number, line in enumerate(lines, start=1):
        for what, pattern in (("a token", _TOKEN), ("a secret", _SECRET), ("an e-mail address", _EMAIL)):
            if pattern.search(line):
                yield Violation("I12", f"log line {number}", f"has {what}")
        if any(_is_card(found.group()) for found in _CARD.finditer(line)):
            yield Violation("I12", f"log line {number}", "has a card-like number")
        for canary in canaries:
            if canary in line:
                yield Violation("I12", f"log line {number}", "has a seeded canary")


def readable(where: str, texts: Iterable[str], canaries: Sequence[str]) -> Iterator[Violation]:
    """I10: after erasure no canary can be read in `texts`."""
    for text in texts:
        for canary in canaries:
            if canary in text:
                yield Violation("I10", where, "a canary can be read")


def _is_card(text: str) -> bool:
    """Luhn's check: most long numbers are not cards."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0 and len(set(digits)) > 1
