"""Start ministack, the local cloud, with three things put right. Runs in ministack's own environment.

ministack 1.5.33 is true to AWS nearly everywhere this system goes. Two things it leaves out would lose events, and an
event that is lost here would teach people to distrust the system instead of the emulator; one makes it slow:

1. A stream record is handed to a function and forgotten, whatever the function answers in `batchItemFailures`; a
   function that raises blocks its stream for ever (no retry cap, no bisect, no failure destination). And all streams
   share one thread, so a slow function holds up every other one.
2. Stream positions survive a restart but the records do not, so that after it as many new records are skipped as
   there were before.
3. A function that raises costs its process, so that the next request waits for a new one. Raising is how an authorizer
   refuses a token; a client with an old one would bring everything to a standstill.

All are put right here from the outside. The lock file pins the version this was written against.
"""

from __future__ import annotations

import copy
import sys
import threading
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import dynamodb, lambda_svc

WRITTEN_FOR = "1.5.33"


# ------------------------------------------------------------------------------------------------- streams to functions


@dataclass
class _Retry:
    """What is known about the records at one mapping's position."""

    failures: int = 0
    limit: int | None = None
    """How many records to hand over at once after a bisect; None: as many as the mapping says."""


_retries: dict[str, _Retry] = {}


def poll_streams() -> bool:
    """Hand new records of every stream to its functions; True when something was handed over."""
    handed_over = False
    for account, region, mapping in lambda_svc._iter_all_esms():
        scope = lambda_svc._request_account_id.set(account), lambda_svc._request_region.set(region)
        try:
            handed_over = _hand_over(mapping) or handed_over
        finally:
            lambda_svc._request_account_id.reset(scope[0])
            lambda_svc._request_region.reset(scope[1])
    return handed_over


def _hand_over(mapping: dict[str, Any]) -> bool:
    mapping_id, stream = mapping["UUID"], mapping.get("EventSourceArn", "")
    if not mapping.get("Enabled", True) or ":dynamodb:" not in stream:
        return False
    if lambda_svc._esm_inflight.get(mapping_id) or lambda_svc._esm_backoff_until.get(mapping_id, 0) > time.time():
        return False
    name = stream.split("/stream/")[0].split("/")[-1]
    table = dynamodb._tables.get(name)
    function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    if function is None or not table or table.get("LatestStreamArn") != stream:
        return False
    position = _position(mapping, name)
    retry = _retries.setdefault(mapping_id, _Retry())
    records = dynamodb.stream_records_since(name, position, retry.limit or mapping.get("BatchSize", 100))
    if not records:
        return False
    wanted = lambda_svc._apply_filter_criteria(records, mapping)
    if not wanted:
        _move(mapping_id, position + len(records))
        return True
    lambda_svc._dispatch_esm_batch(mapping_id, _run, mapping, function, position, records, wanted)
    return True


def _position(mapping: dict[str, Any], table: str) -> int:
    """Index of the next record for this mapping, counted from the stream's beginning."""
    horizon: int = dynamodb.stream_start_position(table)
    from_now = mapping.get("StartingPosition", "LATEST") == "LATEST"
    with lambda_svc._dynamodb_stream_positions_lock:
        known = lambda_svc._dynamodb_stream_positions.get(mapping["UUID"])
        if known is None:
            known = dynamodb.stream_end_position(table) if from_now else horizon
        position = max(int(known), horizon)
        lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = position
        return position


def _move(mapping_id: str, position: int) -> None:
    with lambda_svc._dynamodb_stream_positions_lock:
        lambda_svc._dynamodb_stream_positions[mapping_id] = position


def _run(
    mapping: dict[str, Any],
    function: dict[str, Any],
    position: int,
    records: list[dict[str, Any]],
    wanted: list[dict[str, Any]],
) -> None:
    """Invoke with one batch, then move on, or stay and try again as the mapping says."""
    mapping_id, retry = mapping["UUID"], _retries[mapping["UUID"]]
    result = lambda_svc._execute_function(function, {"Records": wanted})
    done = _done(mapping, result, records)
    if done == len(records):
        _retries[mapping_id] = _Retry()
        _move(mapping_id, position + done)
        mapping["LastProcessingResult"] = f"OK - {len(wanted)} records"
        return

    # The first record that is not done is tried again; the ones before it are not.
    if done:
        retry.failures = 0
    rest = records[done:]
    mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
    print(f"stream: {mapping['FunctionName']} failed at {len(rest)} of {len(records)} records", file=sys.stderr)
    if mapping.get("BisectBatchOnFunctionError") and len(rest) > 1:
        retry.limit = len(rest) // 2
    else:
        retry.failures += 1
        most = mapping.get("MaximumRetryAttempts", -1)
        if 0 <= most < retry.failures:
            lambda_svc._send_ddb_stream_failure_record(
                mapping, function, rest, mapping["EventSourceArn"], result, "RetryAttemptsExhausted"
            )
            done = len(records)
            _retries[mapping_id] = _Retry()
    _move(mapping_id, position + done)
    lambda_svc._esm_backoff_until[mapping_id] = time.time() + min(0.25 * 2**retry.failures, 10)


def _done(mapping: dict[str, Any], result: dict[str, Any], records: list[dict[str, Any]]) -> int:
    """How many records from the first on were dealt with."""
    if result.get("error"):
        return 0
    answer = result.get("body")
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []) or not isinstance(answer, dict):
        return len(records)
    failed = {failure.get("itemIdentifier") for failure in answer.get("batchItemFailures") or []}
    if not failed:
        return len(records)
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    # An identifier that is not in the batch means the whole batch failed, as on AWS.
    return min((index for index, number in enumerate(numbers) if number in failed), default=0)


# ------------------------------------------------------------------------------------------------ streams over restarts

_saved = ("_stream_records", "_stream_trimmed")
_get_state, _load_state = dynamodb.get_state, dynamodb.load_persisted_state


def get_state() -> dict[str, Any]:
    """What is saved of DynamoDB: ministack's own choice and the streams."""
    return {**_get_state(), **{name: copy.deepcopy(getattr(dynamodb, name)) for name in _saved}}


def load_persisted_state(data: dict[str, Any]) -> None:
    """Counterpart of `get_state`."""
    _load_state(data)
    for name in _saved:
        getattr(dynamodb, name).update(data.get(name, {}))


# ---------------------------------------------------------------------------------------------- processes that survive

_this_thread = threading.local()
_invoke, _signal, _collect = lambda_runtime.Worker.invoke, lambda_runtime._signal, lambda_runtime._collect


def invoke(worker: Any, *args: Any, **options: Any) -> dict[str, Any]:
    """Invoke a function; its process goes on when the function only raised."""
    _this_thread.condemned = []
    try:
        result: dict[str, Any] = _invoke(worker, *args, **options)
    finally:
        condemned, _this_thread.condemned = _this_thread.condemned, None
    for process in condemned:
        if "trace" in result:  # said by the process itself, which therefore is well
            worker._proc = process
        else:
            _signal(process)
            _collect(process, time.monotonic() + 2)
    return result


def signal(process: Any) -> None:
    """Ask a worker process to end; during an invocation, only note that this was wanted."""
    condemned = getattr(_this_thread, "condemned", None)
    if condemned is None:
        _signal(process)
    else:
        condemned.append(process)


def collect(process: Any, deadline: float) -> None:
    """Counterpart of `signal`."""
    if getattr(_this_thread, "condemned", None) is None:
        _collect(process, deadline)


def main() -> None:
    """Put the three things right and start."""
    found = version("ministack")
    if found != WRITTEN_FOR:
        sys.exit(f"mandje: infra/local/cloud.py was written for ministack {WRITTEN_FOR}, and this is {found}.")
    lambda_svc._poll_dynamodb_streams = poll_streams
    dynamodb.get_state = get_state
    dynamodb.load_persisted_state = load_persisted_state
    lambda_runtime.Worker.invoke = invoke
    lambda_runtime._signal = signal
    lambda_runtime._collect = collect
    from ministack.app import main as serve

    serve()


if __name__ == "__main__":
    main()
