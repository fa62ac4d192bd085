"""Jobs: work that takes many steps and survives anything in between.

Item `JOB#<id>` / `-`: `job` (its kind), `run` (which attempt at it), `state` running|done, `version`, and what the kind
needs. Every step ends with one conditional write that says how far the job is; with `hurry` that very write wakes
the worker through the stream for the next step, and `due` lets the sweep wake it if the stream does not.
"""

from typing import Any

from commerce import clock, due, events, ids, reads, writes

_STALLED_AFTER_S = 30
_KEPT_S = 30 * 24 * 3600
Job = dict[str, Any]


def key(job_id: str) -> tuple[str, str]:
    """A job's key in the stock table."""
    return f"JOB#{job_id}", "-"


def started(kind: str, job_id: str, *, wait_s: int = 0, **state: Any) -> writes.Write:
    """Fragment: start a job (over, if it was running), now or in `wait_s` seconds."""
    return writes.put("STOCK", new(kind, job_id, wait_s=wait_s, **state), when="")


def new(kind: str, job_id: str, *, wait_s: int = 0, **state: Any) -> Job:
    """A job item before its first step."""
    pk, sk = key(job_id)
    job = {"pk": pk, "sk": sk, "job_id": job_id, "job": kind, "run": ids.new(), "version": 1, "state": "running",
           "correlation": events.Cause.correlation_id or None}  # fmt: skip
    return job | state | _wake(pk, wait_s)


def read(job_id: str) -> Job | None:
    """A job, running or done."""
    return reads.get("STOCK", key(job_id))


def advanced(job: Job, *, wait_s: int = 0, **progress: Any) -> writes.Write:
    """Fragment: this step is done. Refused with `Superseded` if another run or step was faster."""
    return _write(job, job | progress | {"version": job["version"] + 1} | _wake(job["pk"], wait_s))


def finished(job: Job, **progress: Any) -> writes.Write:
    """Fragment: the job is done; it stays readable for 30 days."""
    over = job | progress | {"version": job["version"] + 1, "state": "done", "ttl": clock.epoch_after(_KEPT_S)}
    return _write(job, {name: value for name, value in over.items() if name not in ("due", "due_shard", "hurry")})


def _wake(pk: str, wait_s: int) -> dict[str, Any]:
    return {"hurry": wait_s == 0} | due.fields(pk, clock.after(wait_s or _STALLED_AFTER_S))


def _write(job: Job, item: Job) -> writes.Write:
    return writes.put(
        "STOCK", item, when="#r = :run AND #v = :version", names={"#r": "run", "#v": "version"},
        values={":run": job["run"], ":version": job["version"]},
    )  # fmt: skip
