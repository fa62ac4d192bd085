"""The log of a till (or an app): nothing it accepted is lost, whatever happens to the device or the line.

A reference for builders of offline channels, in the standard library only. One file, one JSON line an entry; an entry
counts once it is on disk, so the process may be killed at any moment. The line is sent when there is a connection, in
parts of at most 25 operations, as often as it takes: the server applies each operation once and in order.

    till = Till("till-ams-1.log", "till-ams-1")
    till.add(basket_id, "TEE-NAVY-M", 2)                 # on disk when this returns; no connection needed
    till.set(basket_id, "TEE-NAVY-M", 3)                 # replaces what this till knows of the line
    report = till.sync(over_http("http://127.0.0.1:8787", token))

The file: `{"basket", "seq", "op", "sku", "quantity"?, "seen"?, "at"}` an operation · `{"basket", "applied"}` the server
has all up to here · `{"basket", "refused", "problem"}` the server will never take this one, so its place is filled with
an operation that changes nothing · `{"basket", "knows"}` names of the adds the till saw last, by SKU.
"""

from __future__ import annotations

import fcntl
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MAX_OPERATIONS = 25
MAX_BYTES = 48_000
"""A part stays well under the 64 KB a request may have."""

Answer = tuple[int, dict[str, Any]]
Send = Callable[[str, dict[str, Any]], Answer]
"""Post a body to a path of the API; returns status and JSON. Raises `Offline` when there was no answer."""

_PASSING = {408, 425, 429, 500, 502, 503, 504}
_FILLER = {"op": "remove", "sku": "refused", "seen": []}


class Offline(Exception):
    """No answer: the request may or may not have been carried out. Sending it again is safe."""


class Damaged(Exception):
    """The file is not a log of this device, or something inside it (not its very end) cannot be read."""


class OutOfStep(Exception):
    """The server knows more of this device than its log does: a restored backup, or one name used by two devices."""


@dataclass
class Log:
    """One basket's part of the log."""

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


class Till:
    """A device's log. One process at a time; all methods return only when what they say is on disk."""

    def __init__(
        self, path: str | Path, device_id: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.path, self.device_id, self._now = Path(path), device_id, now
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
        log = self.logs.setdefault(basket_id, Log())
        said = {"quantity": quantity, "seen": seen}
        operation = {"seq": log.last + 1, "op": op, "sku": sku, "at": self._now().isoformat()}
        operation |= {name: value for name, value in said.items() if value is not None}
        self._append({"basket": basket_id} | operation)
        return log.last

    def seen(self, basket_id: str, sku: str) -> list[str]:
        """The adds of a line that this till knows: from the last answer, and its own since."""
        log = self.logs.setdefault(basket_id, Log())
        own = [f"{self.device_id}|{operation['seq']}" for operation in log.operations if operation["sku"] == sku]
        return [*log.knows.get(sku, []), *own]

    # ------------------------------------------------------------------------------------------------- sending

    def sync(self, send: Send) -> Report:
        """Send what the server does not have yet. Raises `OutOfStep`; without a connection the rest stays for later."""
        report = Report()
        for basket_id, log in self.logs.items():
            before = log.applied
            try:
                while log.operations and basket_id not in report.stuck:
                    self._send_part(send, basket_id, log, report)
            except Offline:
                pass
            report.applied += log.applied - before
            report.left += len(log.operations)
        return report

    def _send_part(self, send: Send, basket_id: str, log: Log, report: Report, most: int = MAX_OPERATIONS) -> None:
        part = [self._as_sent(log, operation) for operation in _fitting(log.operations[:most])]
        path = f"/baskets/{basket_id}/operations"
        status, answer = send(path, {"device_id": self.device_id, "operations": part})
        if status == 200:
            applied = answer["applied_seq"]
            if not part[0]["seq"] <= applied <= log.last:
                raise OutOfStep(f"{basket_id}: the server is at operation {applied}, this log at {log.last}")
            self._append({"basket": basket_id, "applied": applied}, durable=False)
            self._append({"basket": basket_id, "knows": names_in(answer["basket"])}, durable=False)
        elif status in _PASSING:
            raise Offline(f"{status}")
        elif answer.get("type") in ("/problems/sequence-gap", "/problems/sequence-conflict"):
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
        log = self.logs.setdefault(entry["basket"], Log())
        if "op" in entry:
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


def names_in(basket: dict[str, Any]) -> dict[str, list[str]]:
    """The names of all adds in an answer, by SKU."""
    lines = [*basket["lines"], *basket["saved_for_later"]]
    names: dict[str, list[str]] = {}
    for line in lines:
        names.setdefault(line["sku"], []).extend(each["id"] for each in line["added"])
    return names


def over_http(api_url: str, token: str, timeout: float = 10.0) -> Send:
    """Send over HTTPS with a bearer token."""

    def send(path: str, body: dict[str, Any]) -> Answer:
        request = urllib.request.Request(
            api_url + path,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            try:
                return error.code, json.loads(error.read())
            except ValueError:
                return error.code, {}
        except (OSError, ValueError) as error:
            raise Offline(str(error)) from error

    return send


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


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def _flush_directory(path: Path) -> None:
    """A new name is on disk when its directory is."""
    directory = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
