"""What runs where: every process with its address, and messages that gave up."""

from __future__ import annotations

import argparse
import json
from typing import Any

from infra.local import laptop
from infra.local.laptop import Run
from infra.say import bold, dim, green, shown

NOT_RUNNING = 3  # as `systemctl status`


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mandje status`."""
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Print it; exit code 0 when all of it runs, 3 otherwise."""
    found = Run.load()
    if found is None:
        print(json.dumps({"running": False}) if args.json else "  Nothing is running here: make up")
        return NOT_RUNNING
    running = found.running
    given_up = messages_given_up(found) if running else {}
    if args.json:
        print(json.dumps({
            "running": running,
            "since": found.since,
            "keep": found.keep,
            "urls": {name: found.ports.url(name) for name in ("api", "stripe", "mollie", "issuer", "ministack")},
            "processes": {each.name: {"pid": each.pid, "alive": each.alive} for each in found.processes},
            "given_up": given_up,
        }, indent=2))  # fmt: skip
        return 0 if running else NOT_RUNNING
    print(f"  {green('running') if running else bold('not complete: make up')}, data since {found.since}"
          f"{', kept over restarts' if found.keep else ''}")  # fmt: skip
    addresses = {"cloud": ["ministack"], "providers": ["stripe", "mollie", "issuer"], "api": ["api"]}
    for each in found.processes:
        urls = "  ".join(f"{name} {found.ports.url(name)}" for name in addresses.get(each.name, []))
        state = f"pid {each.pid:<8}" if each.alive else bold("stopped     ")
        print(f"  {each.name:10} {state} {urls}  {dim(shown(each.log))}")
    for queue, count in given_up.items():
        print(f"  {bold(f'{count} in {queue}')}: messages a function refused until it gave up")
    return 0 if running else NOT_RUNNING


def messages_given_up(found: Run) -> dict[str, int]:
    """Dead-letter and failure queues that are not empty: `{"CheckoutEventsDlq": 2}`."""
    sqs = laptop.cloud(found.ports).client("sqs")
    counts: dict[str, int] = {}
    queues: dict[str, Any] = laptop.read()["queues"]
    for name, url in queues.items():
        if name.endswith(("Dlq", "Failures")):
            wanted = ["ApproximateNumberOfMessages"]
            waiting = int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"][wanted[0]])
            if waiting:
                counts[name] = waiting
    return counts
