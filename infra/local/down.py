"""Stop the platform on this machine.

With KEEP=1 everything is saved on the way out: the local cloud writes its state when it is asked to end, and only then.
"""

from __future__ import annotations

import argparse
import shutil

from infra.local import laptop
from infra.local.laptop import Run
from infra.local.processes import Process, stop
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
            for kept in ("cloud", "providers/providers.json", "kept.json"):
                path = laptop.STATE / kept
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return 0


def take_down(found: Run, steps: Steps) -> None:
    """Stop every process of a run, last started first, and forget it."""
    for process in reversed(found.processes):
        if process.alive:
            with steps(f"stop {process.name}") as step:
                graceful = stop(process, SECONDS_TO_SAVE)
                step.note = _note(found, process, graceful)
    shutil.rmtree(laptop.TEMPORARY, ignore_errors=True)
    for path in (laptop.PLATFORM, laptop.ENVIRONMENT, laptop.RUN):
        path.unlink(missing_ok=True)


def _note(found: Run, process: Process, graceful: bool) -> str:
    if not graceful:
        return "had to be killed" + ("; its state since the start is lost" if found.keep else "")
    return "state kept for the next KEEP=1" if found.keep and process.name == "cloud" else ""
