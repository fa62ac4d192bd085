"""Stop the platform on this machine.

With KEEP=1 everything is saved on the way out: the local cloud writes its state when it is asked to end, and only then
(see `infra.local.kept`).
"""

from __future__ import annotations

import argparse
import shutil

from infra.local import kept, laptop
from infra.local.laptop import Run
from infra.local.processes import stop
from infra.say import Steps

SECONDS_TO_SAVE = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mandje down`."""
    parser.add_argument("--quiet", action="store_true", help="say nothing")
    parser.add_argument("--forget", action="store_true", help="throw away what KEEP=1 kept")


def run(args: argparse.Namespace) -> int:
    """Stop what runs; fine when nothing does."""
    with laptop.exclusive():
        found = Run.load()
        if found is None and not args.quiet:
            print("  Nothing is running here.")
        if found is not None:
            take_down(found, Steps(quiet=args.quiet))
        if args.forget:
            kept.forget()
    return 0


def take_down(found: Run, steps: Steps) -> None:
    """Stop every process of a run, last started first, and forget it."""
    ended = set()
    for process in reversed(found.processes):
        if process.alive:
            with steps(f"stop {process.name}") as step:
                graceful = stop(process, SECONDS_TO_SAVE)
                step.note = "" if graceful else "had to be killed"
                ended |= {process.name} if graceful else set()
    if found.keep and found.ready:
        with steps("keep the data") as step:
            # Only what both wrote on their way out is of one moment.
            saved = kept.save() if ended >= {"cloud", "providers"} else None
            step.note = "for the next KEEP=1" if saved else _not_saved()
    shutil.rmtree(laptop.TEMPORARY, ignore_errors=True)
    for path in (laptop.PLATFORM, laptop.ENVIRONMENT, laptop.RUN):
        path.unlink(missing_ok=True)


def _not_saved() -> str:
    known = kept.read()
    before = f"what was saved at {known.saved_at} is still there" if known and known.saved_at else "nothing is kept"
    return f"the cloud or the stand-ins had not ended by themselves: this run is lost; {before}"
