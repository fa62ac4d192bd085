"""The `mandje` command: one word per thing a person does, each in a module that is loaded only when asked for.

A module behind a word has `add_arguments(parser)` and `run(args) -> int` (the exit code); what goes wrong for a
reason a person can act on is raised as `Sorry` and becomes one sentence.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from infra.say import Sorry, sorry

ROOT = Path(__file__).resolve().parent.parent

# word -> (module, what it does)
WORDS = {
    "up": ("infra.local.up", "start the whole platform on this machine"),
    "down": ("infra.local.down", "stop the platform on this machine"),
    "status": ("infra.local.status", "what runs where"),
    "logs": ("infra.local.logs", "what the functions logged"),
    "seed": ("infra.local.seed", "put the demo retailer into the running platform"),
    "demo": ("infra.demo", "tell a shopper's day against the running platform"),
    "replay": ("infra.replay", "run a real transaction file through the running platform"),
    "doctor": ("infra.doctor", "check the invariants of the data, read-only"),
    "audit": ("infra.audit", "who did what to an order, a payment, a person, a product"),
    "invoke": ("infra.invoke", "run one function once with a sample event"),
    "bench": ("infra.bench", "measure requests, units, dollars and cold starts"),
    "build": ("infra.build", "make the artefacts and report their sizes"),
    "deploy": ("infra.deploy_command", "build and deploy template.yaml through CloudFormation"),
    "docs": ("infra.docs", "write docs/openapi.json and the event schemas from the code"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one word; returns its exit code (2: wrong usage or something a person must do first)."""
    argv = sys.argv[1:] if argv is None else list(argv)
    _rooms_on_path()
    parser = argparse.ArgumentParser(
        prog="mandje",
        description="Serverless unified commerce on your laptop and on AWS.",
        epilog="mandje <word> --help tells more about one of them.",
    )
    words = parser.add_subparsers(dest="word", metavar="<word>", required=True)
    asked = argv[0] if argv and argv[0] in WORDS else None
    for word, (module, summary) in WORDS.items():
        # Only the asked-for module is imported: `mandje --help` answers at once and needs nothing installed.
        here = asked != word
        child = words.add_parser(word, help=summary, description=summary[0].upper() + summary[1:] + ".", add_help=True)
        if here:
            continue
        if find_spec(module) is None:
            return sorry(f"'{word}' is not part of this version (there is no {module}).")
        loaded = importlib.import_module(module)
        child.description = (loaded.__doc__ or summary).split("\n\n")[0]
        loaded.add_arguments(child)
        child.set_defaults(run=loaded.run)
    args = parser.parse_args(argv)
    # Being asked to end is no reason to leave things half done: it unwinds like Ctrl-C.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        return int(args.run(args) or 0)
    except Sorry as reason:
        return sorry(str(reason))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `mandje status | head`
        sys.stderr.close()
        return 128 + signal.SIGPIPE


def _rooms_on_path() -> None:
    """Let commands import the rooms and the kernel as the functions themselves do."""
    for folder in ("functions", "layers/commerce/python", "."):
        path = str(ROOT / folder)
        if path not in sys.path:
            sys.path.append(path)


if __name__ == "__main__":
    sys.exit(main())
