"""How commands talk to people: steps with durations, one-sentence refusals, colour only on a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PLAIN = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


class Sorry(Exception):
    """Something a person can act on; the text is one sentence that says what and how."""


def sorry(sentence: str) -> int:
    """Print a refusal and give the exit code for it."""
    print(f"mandje: {sentence}", file=sys.stderr, flush=True)
    return 2


def shown(path: str | Path) -> str:
    """A path as a person would type it here: relative when it lies below the current folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def bold(text: str) -> str:
    """Emphasised on a terminal."""
    return text if _PLAIN else f"\033[1m{text}\033[0m"


def dim(text: str) -> str:
    """De-emphasised on a terminal."""
    return text if _PLAIN else f"\033[2m{text}\033[0m"


def green(text: str) -> str:
    """The colour of done."""
    return text if _PLAIN else f"\033[32m{text}\033[0m"


class Steps:
    """Progress of a command as a list of steps, each with what came out and how long it took.

    >>> steps = Steps()
    >>> with steps("build") as step:
    ...     step.note = "8 functions"
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.started = time.monotonic()
        self.note = ""

    @property
    def elapsed(self) -> float:
        """Seconds since the first step began."""
        return time.monotonic() - self.started

    @contextmanager
    def __call__(self, name: str) -> Iterator[Steps]:
        """Show a step while it runs; on an exception the line ends with a cross and the exception goes on."""
        began = time.monotonic()
        self.note = ""
        self._print(f"  {name:<28}", end="")
        try:
            yield self
        except BaseException:
            self._print("✗")
            raise
        took = time.monotonic() - began
        self._print(f"{green('✓')} {took:5.1f} s  {dim(self.note)}")

    def _print(self, text: str, end: str = "\n") -> None:
        if not self.quiet:
            print(text, end=end, flush=True)
