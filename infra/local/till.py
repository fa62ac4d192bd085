"""The log of a till (or an app): nothing it accepted is lost, whatever happens to the device or the line.

A reference for builders of offline channels, in the standard library only. One file, one JSON line an entry; an entry
counts once it is on disk, so the process may be killed at any moment. The line is sent when there is a connection, in
parts of at most 25 operations, as often as it takes: the server applies each operation once and in order.

    till = Till("till-ams-1.log", "till-ams-1")
    basket_id = till.open()                              # a new basket, or one that is there; no connection needed
    till.add(basket_id, "TEE-NAVY-M", 2)                 # on disk when this returns
    till.set(basket_id, "TEE-NAVY-M", 3)                 # replaces what this till knows of the line
    report = till.sync(over_http("http://127.0.0.1:8787", token))

A name belongs to one log. When the server says that somebody else's operations stand where this log's should (409
`sequence-conflict`: a till was installed twice, a backup restored), the log goes on under a new name, from its first
operation that the server does not have: none is lost, none counts twice.

The file, an object a line:
`{"basket", "open", "key"}` a basket begun here · `{"basket", "opened"}` the server has it
`{"basket", "seq", "op", "sku", "quantity"?, "seen"?, "at"}` an operation
`{"basket", "applied"}` the server has all up to here
`{"basket", "refused", "problem"}` the server will never take this one, so its place is filled with one that changes
nothing · `{"basket", "knows"}` names of the adds the till saw last, by SKU
`{"basket", "named", "from"}` the log goes on under this name, and its operation `from` is the first of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.local.till_line import Offline, Send, over_http

__all__ = ["Damaged", "Log", "Offline", "OutOfStep", "Report", "Till", "names_in", "over_http"]

MAX_OPERATIONS = 25
MAX_BYTES = 48_000
"""A part stays well under the 64 KB a request may have."""

_PASSING = {408, 425, 429, 500, 502, 503, 504}
_FILLER = {"op": "remove", "sku": "refused", "seen": []}


class Damaged(Exception):
    """The file is not a log of this device, or something inside it (not its very end) cannot be read."""


class OutOfStep(Exception):
    """The server knows less of this log than it has confirmed: it lost something, and a person must look."""


@dataclass
class Log:
    """One basket's part of the log."""

    name: str
    opening: dict[str, Any] | None = None
    """The entry of a basket that was begun here and is not known to be at the server."""
    operations: list[dict[str, Any]] = field(default_factory=list)
    """Not known to be applied, in order."""
    last: int = 0
    applied: int = 0
    refused: dict[int, dict[str, Any]] = field(default_factory=dict)
    knows: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Report:
    """What a sync did: operations applied, left for later, refused for good, and baskets that cannot be reached."""

    applied: int = 0
    left: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    stuck: dict[str, dict[str, Any]] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    """Baskets whose log goes on under a new name, because the old one is used by somebody else."""


class Till:
    """A device's log. One process at a time; all methods return only when what they say is on disk."""

    def __init__(
        self, path: str | Path, device_id: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.path, self.device_id, self._now = Path(path), device_id, now
        self.name = device_id
        """Under which baskets are begun."""
        self.logs: dict[str, Log] = {}
        is_new = not self.path.exists()
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._size = self._read()
        except BaseException:
            os.close(self._file)
            raise
        if is_new:
            _flush_directory(self.path)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    # ------------------------------------------------------------------------------------------------- recording

    def open(self, channel: str = "till", **more: str) -> str:
        """Begin a basket (`market`, `location_id` as the API takes them); returns its id. No connection needed."""
        basket_id = _uuid7()
        # Whoever sends this key with this id made the basket: it is random, and goes nowhere but there.
        self._append({"basket": basket_id, "open": {"channel": channel} | more, "key": secrets.token_urlsafe(24)})
        return basket_id

    def add(self, basket_id: str, sku: str, quantity: int) -> int:
        """Add pieces; returns the operation's number in this basket's log."""
        return self.record(basket_id, "add", sku, quantity)

    def set(self, basket_id: str, sku: str, quantity: int) -> int:
        """Replace what this till knows of the line by a quantity. What others added unseen stays."""
        return self.record(basket_id, "set", sku, quantity, self.seen(basket_id, sku))

    def remove(self, basket_id: str, sku: str) -> int:
        """Remove what this till knows of the line."""
        return self.record(basket_id, "remove", sku, seen=self.seen(basket_id, sku))

    def record(
        self, basket_id: str, op: str, sku: str, quantity: int | None = None, seen: list[str] | None = None
    ) -> int:
        """Append any operation of the contract. On disk when this returns."""
        log = self.logs.setdefault(basket_id, Log(self.name))
        said = {"quantity": quantity, "seen": seen}
        operation = {"seq": log.last + 1, "op": op, "sku": sku, "at": self._now().isoformat()}
        operation |= {name: value for name, value in said.items() if value is not None}
        self._append({"basket": basket_id} | operation)
        return log.last

    def seen(self, basket_id: str, sku: str) -> list[str]:
        """The adds of a line that this till knows: from the last answer, and its own since."""
        log = self.logs.setdefault(basket_id, Log(self.name))
        own = [f"{log.name}|{operation['seq']}" for operation in log.operations if operation["sku"] == sku]
        return [*log.knows.get(sku, []), *own]

    # ------------------------------------------------------------------------------------------------- sending

    def sync(self, send: Send) -> Report:
        """Send what the server does not have yet. Raises `OutOfStep`; without a connection the rest stays for later."""
        report = Report()
        for basket_id, log in self.logs.items():
            try:
                if log.opening:
                    self._send_opening(send, basket_id, log.opening, report)
                while log.operations and basket_id not in report.stuck:
                    self._send_part(send, basket_id, log, report)
            except Offline:
                pass
            report.left += len(log.operations)
        return report

    def _send_opening(self, send: Send, basket_id: str, entry: dict[str, Any], report: Report) -> None:
        status, answer = send("/baskets", {"basket_id": basket_id} | entry["open"], entry["key"])
        if status in _PASSING:
            raise Offline(f"{status}")
        if status == 201:
            self._append({"basket": basket_id, "opened": True})
        else:
            report.stuck[basket_id] = answer

    def _send_part(self, send: Send, basket_id: str, log: Log, report: Report, most: int = MAX_OPERATIONS) -> None:
        part = [self._as_sent(log, operation) for operation in _fitting(log.operations[:most])]
        path = f"/baskets/{basket_id}/operations"
        first, last = part[0]["seq"], part[-1]["seq"]
        status, answer = send(path, {"device_id": log.name, "operations": part})
        if status == 200:
            # The server may be further under this name, by somebody else; this part it has.
            report.applied += last - log.applied
            self._append({"basket": basket_id, "applied": last}, durable=False)
            self._append({"basket": basket_id, "knows": names_in(answer["basket"])}, durable=False)
        elif status in _PASSING:
            raise Offline(f"{status}")
        elif answer.get("type") == "/problems/sequence-conflict" or answer.get("applied_seq", 0) > log.last:
            if (shared := answer.get("seq", first) - first) > 0:
                self._send_part(send, basket_id, log, report, most=shared)  # up to there it is this log's
            else:
                self._rename(basket_id, first, report)
        elif answer.get("type") == "/problems/sequence-gap":
            raise OutOfStep(f"{basket_id}: {answer.get('detail')}")
        elif status == 422 and (place := _place(answer)) is not None:
            self._refuse(basket_id, part[place]["seq"], answer, report)
        elif status in (409, 422):
            if len(part) > 1:  # which of them does not fit? the first alone will tell
                self._send_part(send, basket_id, log, report, most=1)
            else:
                self._refuse(basket_id, part[0]["seq"], answer, report)
        else:
            report.stuck[basket_id] = answer

    def _as_sent(self, log: Log, operation: dict[str, Any]) -> dict[str, Any]:
        if operation["seq"] in log.refused:
            return _FILLER | {"seq": operation["seq"], "at": operation["at"]}
        return {name: value for name, value in operation.items() if name != "basket"}

    def _refuse(self, basket_id: str, seq: int, problem: dict[str, Any], report: Report) -> None:
        entry = {"basket": basket_id, "refused": seq, "problem": problem}
        self._append(entry)
        report.refused.append(entry)

    def _rename(self, basket_id: str, first: int, report: Report) -> None:
        """Somebody else uses this name: operations from `first` on are this log's, and the server has none of them."""
        name = f"{self.device_id[:50]}-{secrets.token_hex(4)}"
        self._append({"basket": basket_id, "named": name, "from": first})
        report.renamed[basket_id] = name

    # ------------------------------------------------------------------------------------------------- the file

    def compact(self) -> None:
        """Forget operations that the server has. The new file replaces the old one in one step."""
        fresh = self.path.with_suffix(self.path.suffix + ".new")
        with fresh.open("wb") as file:
            for entry in self._essence():
                file.write(_line(entry))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        _flush_directory(self.path)
        old, self._file = self._file, os.open(self.path, os.O_RDWR | os.O_APPEND)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(old)
        self._size = os.fstat(self._file).st_size

    def _essence(self) -> Iterator[dict[str, Any]]:
        yield {"device": self.device_id}
        for basket_id, log in self.logs.items():
            if log.opening:
                yield log.opening
            if log.name != self.device_id:
                yield {"basket": basket_id, "named": log.name, "from": 1}
            yield {"basket": basket_id, "applied": log.applied}
            yield {"basket": basket_id, "knows": log.knows}
            for operation in log.operations:
                yield {"basket": basket_id} | operation
            for seq, problem in log.refused.items():
                if seq > log.applied:
                    yield {"basket": basket_id, "refused": seq, "problem": problem}

    def _append(self, entry: dict[str, Any], *, durable: bool = True) -> None:
        """Write one line; then it counts. A line that could not be written whole is taken back."""
        line = _line(entry)
        try:
            written = os.write(self._file, line)
            if written < len(line):
                raise OSError("the disk is full")
            if durable:
                os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)
        self._take(entry)

    def _read(self) -> int:
        """Read the file; returns its size. A last line that was being written when the till died never counted."""
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        lines = content[:whole].splitlines()
        for number, line in enumerate(lines):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise Damaged(f"{self.path}, line {number + 1}: {error}") from error
        if whole < len(content):
            os.ftruncate(self._file, whole)
            os.fsync(self._file)
        if not lines:
            self._size = whole
            self._append({"device": self.device_id})
            return self._size
        return whole

    def _take(self, entry: dict[str, Any]) -> None:
        """What an entry means."""
        if "device" in entry:
            if entry["device"] != self.device_id:
                raise ValueError(f"this is the log of {entry['device']}")
            return
        log = self.logs.setdefault(entry["basket"], Log(self.name))
        if "open" in entry:
            log.opening = entry
        elif "opened" in entry:
            log.opening = None
        elif "named" in entry:
            self.name = entry["named"]
            _begin_anew(log, entry["named"], entry["from"])
        elif "op" in entry:
            if entry["seq"] != log.last + 1:
                raise ValueError(f"operation {entry['seq']} follows {log.last}")
            log.last = entry["seq"]
            log.operations.append({name: value for name, value in entry.items() if name != "basket"})
        elif "applied" in entry:
            log.applied = max(log.applied, entry["applied"])
            log.last = max(log.last, log.applied if not log.operations else log.last)
            log.operations = [operation for operation in log.operations if operation["seq"] > log.applied]
        elif "refused" in entry:
            log.refused[entry["refused"]] = entry["problem"]
        else:
            log.knows = entry["knows"]


def _begin_anew(log: Log, name: str, first: int) -> None:
    """The log's operations from `first` on become the first ones of a log of another name."""
    stored = [each for names in log.knows.values() for each in names]

    def called(seen: str) -> str:
        own, _, seq = seen.rpartition("|")
        if own != log.name:
            return seen
        if int(seq) >= first:
            return f"{name}|{int(seq) - first + 1}"
        # The server has it; from now on only its stored name, which the last answer told, means this one.
        return next((each for each in stored if each.endswith(f"~{seen}")), seen)

    mine = [operation for operation in log.operations if operation["seq"] >= first]
    log.operations = [
        operation
        | {"seq": operation["seq"] - first + 1}
        | ({"seen": [called(each) for each in operation["seen"]]} if "seen" in operation else {})
        for operation in mine
    ]
    log.refused = {seq - first + 1: problem for seq, problem in log.refused.items() if seq >= first}
    log.name, log.applied, log.last = name, 0, len(mine)


def names_in(basket: dict[str, Any]) -> dict[str, list[str]]:
    """The names of all adds in an answer, by SKU."""
    lines = [*basket["lines"], *basket["saved_for_later"]]
    names: dict[str, list[str]] = {}
    for line in lines:
        names.setdefault(line["sku"], []).extend(each["id"] for each in line["added"])
    return names


def _fitting(operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many as fit one request; always one."""
    taken, size = operations[:1], 0
    for operation in operations[1:]:
        size += len(_line(operation))
        if size + len(_line(operations[0])) > MAX_BYTES:
            break
        taken.append(operation)
    return taken


def _place(problem: dict[str, Any]) -> int | None:
    """Which operation of the part a validation problem is about."""
    for error in problem.get("errors", []):
        match error.get("loc"):
            case ["body", "operations", int(place), *_]:
                return place
    return None


def _uuid7() -> str:
    """A UUIDv7: the basket's id, unique without asking anybody."""
    value = time.time_ns() // 1_000_000 << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62
    return str(uuid.UUID(int=value | secrets.randbits(62)))


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def _flush_directory(path: Path) -> None:
    """A new name is on disk when its directory is."""
    directory = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
