"""Branching a running world: fork() at a choice, each child takes one way to its end and leaves one line of result.

Only the part after the choice runs again. Results go to an unlinked file opened for appending, so that any number of
generations of children can write there without a reader.
"""

from __future__ import annotations

import gc
import json
import os
import tempfile
from typing import Any


class Forks:
    """A tree of processes. `jobs` bounds how many children of the first process run at a time."""

    def __init__(self, jobs: int | None = None) -> None:
        self._file = tempfile.TemporaryFile("ab+", buffering=0)  # noqa: SIM115 - lives as long as this object
        self._jobs = jobs or os.cpu_count() or 1
        self._children: list[int] = []
        self._root = os.getpid()
        self.lost = 0
        """Children that ended without a result: an error of the harness."""
        gc.freeze()  # what exists now is not touched by the children's collectors: fewer pages are copied

    @property
    def in_child(self) -> bool:
        """Whether this process is a branch."""
        return os.getpid() != self._root

    def branch(self) -> bool:
        """Split in two: True in the child, which takes the other way, False in the process that goes on."""
        while len(self._children) >= self._jobs:
            self._wait_one()
        pid = os.fork()
        if pid == 0:
            self._children, self._jobs = [], 1
            gc.disable()
            return True
        self._children.append(pid)
        return False

    def report(self, result: dict[str, Any]) -> None:
        """Leave this branch's result."""
        os.write(self._file.fileno(), json.dumps(result).encode() + b"\n")

    def end_child(self) -> None:
        """Wait for own children and leave, without any of the clean-up that belongs to the first process."""
        self.wait()
        os._exit(1 if self.lost else 0)

    def wait(self) -> None:
        """Wait for all children."""
        while self._children:
            self._wait_one()

    def results(self) -> list[dict[str, Any]]:
        """Wait for everybody; all results. Raises if a branch was lost on the way."""
        self.wait()
        if self.lost:
            raise RuntimeError(f"{self.lost} branches died without a result")
        self._file.seek(0)
        return [json.loads(line) for line in self._file.read().splitlines()]

    def _wait_one(self) -> None:
        _, status = os.waitpid(self._children.pop(0), 0)
        self.lost += status != 0
