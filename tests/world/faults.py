"""What can go wrong at one outside call, and how it looks from inside the function.

======================  ===========================================================================================
die_before, die_after   the process dies before or after the call took effect; all of its further calls die too
client_gone             as die_after during an API request, and the client never comes back
answer_lost             the call took effect, its answer did not arrive; the SDK tries again by itself
timed_out               as answer_lost, but every retry of the SDK gets no answer either: the function sees an error
throttled               refused, and so is the same request for the rest of the invocation, whoever tries it again
transaction_conflict    another transaction holds an item, once: DynamoDB cancels, nothing is written, the SDK gives up
partly_refused          a batch call succeeds except for its last entry
stale                   an eventually consistent read sees the table without its latest write
unreachable             the provider could not be reached: nothing happened there
conflicted              the provider did what it was asked, and answers that it has a conflict
======================  ===========================================================================================
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ReadTimeoutError

from .aws import Aws, reply
from .calls import Call, Crash, Perform, current
from .keys import eventual_tables

ITEM_WRITES = {"PutItem", "UpdateItem", "DeleteItem"}
BATCHES = {"PutEvents", "BatchGetItem"}


class ClientGone(BaseException):
    """The client of this request never comes back."""


def kinds(call: Call, *, first: bool, wrote: bool, client_waits: bool) -> tuple[str, ...]:
    """Every fault worth trying at a call.

    `first`: it is the first call of its invocation; `wrote`: that invocation has written before. Dying around a read,
    or before a second write, equals dying after the last write: those are left out without losing anything.
    """
    if call.service == "ssm":
        return ("throttled",)
    found = ["die_before"] if first or (call.writes and not wrote) else []
    if call.kind == "http":
        found += ["unreachable", "throttled"]
        found += ["die_after", "answer_lost", "conflicted"] if call.writes else []
    else:
        found += ["throttled"]
        found += ["die_after", "answer_lost", "timed_out"] if call.writes else []
        found += ["transaction_conflict"] if call.operation in ITEM_WRITES | {"TransactWriteItems"} else []
        found += ["partly_refused"] if call.operation in BATCHES else []
        found += ["stale"] if eventual_tables(call.operation, call.params) else []
    found += ["client_gone"] if "die_after" in found and client_waits else []
    return tuple(found)


class Faults:
    """A director that strikes at the calls of a plan: number to kind."""

    def __init__(self, plan: dict[int, str], aws: Aws) -> None:
        self.plan, self._aws = plan, aws
        self._lasting: dict[str, str] = {}
        self.struck: list[Call] = []
        self.client_waits = False
        """Whether a client is waiting for the running request."""
        self.client_gone = False

    def __call__(self, call: Call, perform: Perform) -> Any:
        """Make the call, or what becomes of it."""
        kind = self.plan.get(call.number) or self._lasting.get(call.attempt) or self._lasting.get(_again(call))
        if kind is None:
            return perform()
        if call.number in self.plan:
            self.struck.append(call)
            if kind == "timed_out" and call.attempt:
                self._lasting[call.attempt] = kind
            elif kind == "throttled":
                self._lasting[_again(call)] = kind
        return self._strike(kind, call, perform)

    def lasts(self, call: Call) -> bool:
        """Whether an earlier fault already decides what becomes of this call."""
        return call.attempt in self._lasting or _again(call) in self._lasting

    def _strike(self, kind: str, call: Call, perform: Perform) -> Any:
        match kind:
            case "die_before":
                _die(call)
            case "die_after" | "client_gone":
                perform()
                self.client_gone |= kind == "client_gone"
                _die(call)
            case "answer_lost" | "timed_out":
                perform()
                raise _no_answer(call)
            case "stale":
                with self._aws.store.rewound(eventual_tables(call.operation, call.params)):
                    return perform()
            case "unreachable":
                from commerce import web

                raise web.Unreachable("refused by the fault plan")
            case "conflicted":
                from commerce import web

                perform()
                return web.Response(409, {"content-type": "application/json"}, b"{}")
            case "partly_refused":
                return _partly(call, perform)
        return _refusal(kind, call)


def _again(call: Call) -> str:
    """Names a request and its repetitions within one invocation."""
    invocation = current.get()
    assert invocation is not None
    return f"{invocation.request_id} {call.name}"


def _die(call: Call) -> None:
    invocation = current.get()
    assert invocation is not None
    invocation.dead = True
    raise Crash(call.name)


def _no_answer(call: Call) -> Exception:
    if call.kind == "http":
        from commerce import web

        return web.UnknownOutcome("no answer, says the fault plan")
    return ReadTimeoutError(endpoint_url=call.service)


def _refusal(kind: str, call: Call) -> Any:
    if call.kind == "http":
        from commerce import web

        return web.Response(429, {"content-type": "application/json"}, b"{}")
    if kind == "throttled":
        return reply(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
    if call.operation in ITEM_WRITES:
        return reply(400, {"__type": "TransactionConflictException", "message": "Transaction is ongoing for the item"})
    codes = ["TransactionConflict"] + ["None"] * (len(call.params["TransactItems"]) - 1)
    reasons = [{"Code": code} for code in codes]
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{', '.join(codes)}]"
    return reply(400, {"__type": "TransactionCanceledException", "Message": message, "CancellationReasons": reasons})


def _partly(call: Call, perform: Perform) -> Any:
    """The batch without its last entry: an event that never reaches the bus, a key that was not read."""
    if call.operation == "PutEvents":
        entries = call.params["Entries"]
        del entries[-1]
        done = json.loads(perform().content) if entries else {"FailedEntryCount": 0, "Entries": []}
        refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
        return reply(200, {"FailedEntryCount": done["FailedEntryCount"] + 1, "Entries": [*done["Entries"], refused]})
    done = json.loads(perform().content)
    table, wanted = next(iter(call.params["RequestItems"].items()))
    key = wanted["Keys"][-1]
    found = done["Responses"].get(table, [])
    done["Responses"][table] = [item for item in found if any(item.get(name) != part for name, part in key.items())]
    return reply(200, {**done, "UnprocessedKeys": {table: {**wanted, "Keys": [key]}}})
