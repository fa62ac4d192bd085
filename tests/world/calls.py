"""The one funnel every outside call of an invocation goes through: AWS, payment providers, the token issuer.

It numbers the calls, keeps a journal of them, moves the virtual clock a little for each (calls take time), and lets a
*director* (fault injection, interleaving) decide what becomes of a call. Calls made outside an invocation (a test
looking into a table, the doctor) pass straight through and are not numbered.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

SECONDS_PER_CALL = 0.005


class Crash(BaseException):
    """The process died. A `BaseException`, so that no `except Exception` of the product can survive it."""


@dataclass
class Invocation:
    """One running Lambda invocation. Once `dead`, every further outside call of it dies too (`finally:` included)."""

    function: str
    request_id: str
    dead: bool = False


@dataclass
class Call:
    """One outside call. `target` is the table, bus or URL; `writes` says whether it can change anything."""

    kind: str
    service: str
    operation: str
    target: str
    params: Any = field(repr=False)
    writes: bool
    function: str = ""
    number: int = -1
    attempt: str = ""
    """Names the SDK call this is an attempt of: the SDK's own retries share it."""
    footprint: frozenset[tuple[str, str]] = frozenset()
    """The items it touches, as (table, key); what two calls have in common decides whether their order matters."""
    read_units: float = 0.0
    write_units: float = 0.0
    status: int = 0

    @property
    def name(self) -> str:
        """`dynamodb.TransactWriteItems StockTable+OrdersTable`."""
        return f"{self.service}.{self.operation} {self.target}".strip()


current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)
Perform = Callable[[], Any]
Director = Callable[[Call, Perform], Any]


class Outside:
    """The funnel. `journal` holds every numbered call in order."""

    def __init__(self, tick: Callable[[float], None]) -> None:
        self._tick = tick
        self.journal: list[Call] = []
        self.director: Director | None = None
        self.calm = False
        """While true, calls are neither numbered nor directed: a test sets the scene."""
        self._count = 0

    def pass_through(self, call: Call, perform: Perform) -> Any:
        """Make the call on behalf of the running invocation, if there is one."""
        invocation = current.get()
        if invocation is None:
            return perform()
        if invocation.dead:
            raise Crash("a dead process makes no calls")
        call.function = invocation.function
        self.journal.append(call)
        self._tick(SECONDS_PER_CALL)
        if self.calm:
            return perform()
        call.number, self._count = self._count, self._count + 1
        return self.director(call, perform) if self.director else perform()
