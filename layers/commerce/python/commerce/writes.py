"""Business fragments in, one DynamoDB request out.

A fragment is a `Write`: one conditional put, update or delete, and what it means when its condition fails. `commit`
sends one fragment as a plain request and several as one transaction. Conflicts and throttles are retried here,
with jitter, because boto3 retries neither inside a cancelled transaction; a failed condition is an answer and is
never retried.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from commerce import aws, clock, ids, problems
from commerce.items import Item, from_item, to_attribute, to_item

MAX_WRITES = 100
"""Actions DynamoDB takes in one transaction."""

_ATTEMPTS = 6
_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "TransactionInProgress"}
_THROTTLES = {"ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
              "TransactionInProgressException", "TransactionConflictException", "InternalServerError"}  # fmt: skip

E = TypeVar("E", bound=Exception)


@dataclass(frozen=True)
class Write:
    """One conditional write. `refused(old)` makes the exception that says what the failed condition means."""

    action: str
    request: dict[str, Any]
    refused: Callable[[dict[str, Any] | None], Exception]


@dataclass
class Refused(Exception):
    """One or more conditions failed; nothing was written. `causes` are in the order of the writes."""

    causes: list[Exception] = field(default_factory=list)

    def __str__(self) -> str:
        return "; ".join(str(cause) or type(cause).__name__ for cause in self.causes)

    def all(self, kind: type[E]) -> list[E]:
        """The causes of one kind."""
        return [cause for cause in self.causes if isinstance(cause, kind)]

    def first(self, kind: type[E]) -> E | None:
        """The first cause of one kind, if any."""
        return next(iter(self.all(kind)), None)


class Superseded(Exception):
    """The item is no longer what the writer read: read again and decide again."""


def put(
    table: str,
    item: dict[str, Any],
    *,
    when: str = "attribute_not_exists(pk)",
    values: dict[str, Any] | None = None,
    names: dict[str, str] | None = None,
    refused: Callable[[dict[str, Any] | None], Exception] = lambda old: Superseded(),
) -> Write:
    """Put a whole item; by default only if its key is free."""
    request: dict[str, Any] = {"TableName": aws.table(table), "Item": to_item(item)}
    return Write("Put", request | _condition(when, values, names), refused)


def update(
    table: str,
    key: tuple[str, str],
    *,
    set: str = "",
    remove: str = "",
    add: str = "",
    when: str = "attribute_exists(pk)",
    values: dict[str, Any] | None = None,
    names: dict[str, str] | None = None,
    refused: Callable[[dict[str, Any] | None], Exception] = lambda old: Superseded(),
) -> Write:
    """Change parts of an item; by default only if it exists."""
    parts = [("SET", set), ("REMOVE", remove), ("ADD", add)]
    request: dict[str, Any] = {"TableName": aws.table(table), "Key": to_item({"pk": key[0], "sk": key[1]})}
    request["UpdateExpression"] = " ".join(f"{verb} {text}" for verb, text in parts if text)
    return Write("Update", request | _condition(when, values, names), refused)


def delete(
    table: str,
    key: tuple[str, str],
    *,
    when: str = "attribute_exists(pk)",
    values: dict[str, Any] | None = None,
    names: dict[str, str] | None = None,
    refused: Callable[[dict[str, Any] | None], Exception] = lambda old: Superseded(),
) -> Write:
    """Delete an item; by default only if it exists."""
    request: dict[str, Any] = {"TableName": aws.table(table), "Key": to_item({"pk": key[0], "sk": key[1]})}
    return Write("Delete", request | _condition(when, values, names), refused)


def check(
    table: str,
    key: tuple[str, str],
    *,
    when: str,
    values: dict[str, Any] | None = None,
    names: dict[str, str] | None = None,
    refused: Callable[[dict[str, Any] | None], Exception] = lambda old: Superseded(),
) -> Write:
    """Only a condition on an item that this transaction does not change."""
    request: dict[str, Any] = {"TableName": aws.table(table), "Key": to_item({"pk": key[0], "sk": key[1]})}
    return Write("ConditionCheck", request | _condition(when, values, names), refused)


def _condition(when: str, values: dict[str, Any] | None, names: dict[str, str] | None) -> dict[str, Any]:
    request: dict[str, Any] = {}
    if when:
        request = {"ConditionExpression": when, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    if values:
        request["ExpressionAttributeValues"] = {name: to_attribute(value) for name, value in values.items()}
    if names:
        request["ExpressionAttributeNames"] = dict(names)
    return request


def commit(*fragments: Write | Iterable[Write], read_back: bool = False) -> dict[str, Any] | None:
    """Write all fragments or none of them.

    `read_back` (one Update only) returns the item as it is after the write, in the same request.
    Raises `Refused` when conditions failed and `problems.Problem` 503 when contention outlasted the retries.
    """
    writes = _once_an_item(write for each in fragments for write in ([each] if isinstance(each, Write) else each))
    if len(writes) > MAX_WRITES:
        raise ValueError(f"{len(writes)} writes do not fit one transaction")
    for attempt in range(_ATTEMPTS):
        if attempt:
            # Full jitter: 20 ms, 40 ms ... at most. Randomness through the port, so that a seed replays it.
            clock.pause(0.02 * 2**attempt * ids.random_bytes(1)[0] / 255)
        try:
            if len(writes) == 1:
                return _send_one(writes[0], read_back)
            _send_all(writes)
            return None
        except ClientError as error:
            causes = _causes(error, writes)
            if causes:
                raise Refused(causes) from error
    raise problems.busy()


def _once_an_item(writes: Iterable[Write]) -> list[Write]:
    """DynamoDB takes one action an item. The same check asked for twice is one check; anything else is a mistake here,
    and engines that would let it pass must not hide it.
    """
    found: dict[tuple[str, str], Write] = {}
    for write in writes:
        key = write.request.get("Key") or {name: write.request["Item"][name] for name in ("pk", "sk")}
        item = (write.request["TableName"], str(key))
        first = found.setdefault(item, write)
        if first is not write and not (first.action == "ConditionCheck" and first.request == write.request):
            raise ValueError(f"two writes of one item: {item}")
    return list(found.values())


def _send_one(write: Write, read_back: bool) -> dict[str, Any] | None:
    ddb = aws.client("dynamodb")
    match write.action:
        case "Put":
            ddb.put_item(**write.request)
        case "Update":
            answer = ddb.update_item(**write.request, ReturnValues="ALL_NEW" if read_back else "NONE")
            return from_item(answer.get("Attributes"))
        case "Delete":
            ddb.delete_item(**write.request)
        case _:
            raise ValueError("a condition check alone writes nothing")
    return None


def _send_all(writes: list[Write]) -> None:
    aws.client("dynamodb").transact_write_items(TransactItems=[{w.action: w.request} for w in writes])


def _causes(error: ClientError, writes: list[Write]) -> list[Exception]:
    """What the failed conditions mean; empty if trying again may help. Anything else is raised."""
    code = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return [writes[0].refused(from_item(error.response.get("Item")))]
    if code == "TransactionCanceledException":
        reasons: list[Item] = error.response.get("CancellationReasons", [])
        # One failed condition is an answer, whatever else happened: only pure contention is worth another try.
        causes = [
            write.refused(from_item(reason.get("Item")))
            for write, reason in zip(writes, reasons, strict=True)
            if reason.get("Code") == "ConditionalCheckFailed"
        ]
        if causes or all(reason.get("Code") in _PASSING | {"None"} for reason in reasons):
            return causes
    elif code in _THROTTLES:
        return []
    raise error
