"""What moves a job on by one step, whoever noticed that it is due."""

from commerce import events, ids, log, writes
from stock.table import counts, jobs, locations, parts

_STEPS = {"count": counts.book_part, "join": parts.join, "safety": locations.carry_safety}


def step(pk: str) -> None:
    """Do the next step of a job. Done already, or somebody else was faster: nothing happens."""
    job = jobs.read(pk.removeprefix("JOB#"))
    if job is None or job["state"] != "running":
        log.outcome("step", job=job and job["job"], over=True)
        return
    events.Cause.correlation_id, events.Cause.causation_id = job.get("correlation") or ids.new(), ""
    try:
        _STEPS[job["job"]](job)
    except writes.Refused as refused:
        # Levels moved, or another worker had this step. The job stays due, so the sweep brings it back.
        log.failure("step refused", refused, job=job["job"])
    else:
        log.outcome("step", job=job["job"], version=job["version"])
