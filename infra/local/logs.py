"""What functions of the running platform logged: `mandje logs`, `mandje logs checkout`, `mandje logs --follow`."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from infra.local import laptop
from infra.local.laptop import Run
from infra.say import Sorry, bold, dim

# What Lambda itself writes around every invocation.
_LAMBDA = ("START RequestId", "END RequestId", "REPORT RequestId", "INIT_START")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mandje logs`."""
    parser.add_argument("service", nargs="?", default="", help="for example checkout; all of them when left out")
    parser.add_argument("--since", type=float, default=10, metavar="MIN", help="minutes to look back (default: 10)")
    parser.add_argument("--grep", default="", metavar="TEXT", help="only lines that hold this text")
    parser.add_argument("--follow", action="store_true", help="go on until Ctrl-C")


def run(args: argparse.Namespace) -> int:
    """Print lines of all matching functions in the order of time."""
    platform = laptop.read()
    found = Run.load()
    assert found is not None
    client = laptop.cloud(found.ports).client("logs")
    names = {logical: each["handler"].removesuffix(".handler") for logical, each in platform["functions"].items()}
    groups = [
        group["logGroupName"]
        for page in client.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
        if args.service.lower() in group["logGroupName"].lower()
    ]
    if not groups:
        rooms = sorted({handler.split(".")[0] for handler in names.values()})
        raise Sorry(f"no function of '{args.service}' has logged anything; there are {', '.join(rooms)}.")
    start = int((time.time() - args.since * 60) * 1000)
    while True:
        events = sorted(_events(client, groups, start), key=lambda event: int(event["timestamp"]))
        for event in events:
            if args.grep in event["message"]:
                _print(event)
        if not args.follow:
            return 0
        start = max([start, *(int(event["timestamp"]) + 1 for event in events)])
        time.sleep(0.5)


def _events(client: Any, groups: list[str], start: int) -> list[dict[str, Any]]:
    return [
        event
        for group in groups
        for page in client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start)
        for event in page["events"]
        if not event["message"].startswith(_LAMBDA)
    ]


def _print(event: dict[str, Any]) -> None:
    """One line: structured ones as time, level, message, and what else they carry."""
    clock = time.strftime("%H:%M:%S", time.localtime(event["timestamp"] / 1000))
    try:
        line = json.loads(event["message"])
        known = {key: line.pop(key, "") for key in ("level", "service", "message", "timestamp", "location")}
        rest = " ".join(f"{key}={value}" for key, value in line.items())
        level = known["level"] if known["level"] == "INFO" else bold(str(known["level"]))
        print(f"{clock} {level:5} {known['service']:10} {known['message']}  {dim(rest)}", flush=True)
    except (ValueError, AttributeError):
        print(f"{clock} {event['message'].rstrip()}", flush=True)
