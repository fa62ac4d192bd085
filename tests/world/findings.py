"""What an exploration found, and the short seeds that name a run: `place-order~twice@17:die_after#5`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class NothingExplored(AssertionError):
    """A run that struck nothing must not look like a pass."""


@dataclass(frozen=True)
class Failure:
    """One branch that went wrong. `seed` replays it; `call` is where the (last) fault struck."""

    seed: str
    call: str
    problems: list[str]

    def __str__(self) -> str:
        return f"{self.seed}  at {self.call or 'no call'}\n      " + "\n      ".join(self.problems)


@dataclass
class Exploration:
    """What was explored and what was found."""

    journey: str
    points: int = 0
    calls: set[str] = field(default_factory=set)
    places: set[tuple[str, int]] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)

    def note(self, mode: str, result: dict[str, Any]) -> None:
        """Count one branch."""
        if result["plan"]:
            self.points += 1
            self.calls.add(result["call"])
            self.places |= {(mode, number) for number, _ in result["plan"]}
            self.faults.update(kind for _, kind in result["plan"])
        if result["problems"]:
            self.failures.append(Failure(result["seed"], result["call"], result["problems"]))

    def __str__(self) -> str:
        kinds_ = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        head = (
            f"{self.journey}: {self.points} points at {len(self.places)} calls ({len(self.calls)} different ones) "
            f"in {self.seconds:.1f} s, {len(self.failures)} failures\n   {kinds_}"
        )
        shown = [f"   {failure}" for failure in self.failures[:10]]
        return "\n".join([head, *shown, *(["   ..."] if len(self.failures) > 10 else [])])


def name_of(journey: Callable[..., Any]) -> str:
    """`place_order` is called `place-order` in seeds."""
    return journey.__name__.removeprefix("test_").replace("_", "-")


def parse(text: str) -> tuple[str, str, dict[int, str], int]:
    """`place-order~twice@17:die_after+30:throttled#5` -> name, mode, plan, seed of the world."""
    found = re.fullmatch(r"([\w-]+)(?:~(\w+))?(?:@([\w:+]+))?(?:#(\d+))?", text)
    if not found:
        raise ValueError(f"not a seed: {text}")
    strikes = [strike.split(":") for strike in found[3].split("+")] if found[3] else []
    return found[1], found[2] or "once", {int(number): kind for number, kind in strikes}, int(found[4] or 0)


def seed_text(name: str, mode: str, plan: dict[int, str], seed: int) -> str:
    strikes = "+".join(f"{number}:{kind}" for number, kind in plan.items())
    way = f"~{mode}" if mode != "once" else ""
    return name + way + (f"@{strikes}" if strikes else "") + (f"#{seed}" if seed else "")
