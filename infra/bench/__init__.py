"""Count what every operation costs against its target, measure sizes and cold starts, and write docs/costs.md.

Requests and units are counted in the in-process world and do not depend on the machine; `--check` compares them with
the targets and with what docs/costs.md and docs/scale.md say. Times are ratios to something empty, and never checked.
"""

from __future__ import annotations

import argparse
import sys

from infra.say import bold, dim

COLD_RUNS, WARM_ROUNDS, WARM_CALLS = 7, 7, 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `mandje bench`."""
    parser.add_argument("--quick", action="store_true", help="few repetitions; shops of 10 and 1,000 products")
    parser.add_argument("--million", action="store_true", help="also a shop of 1,000,000 products (6 GB, minutes)")
    parser.add_argument("--check", action="store_true", help="only count; fail on a missed target or an outdated page")


def run(args: argparse.Namespace) -> int:
    """Count, measure, print, write; or check. 1 if a target is missed or a page is outdated."""
    from infra.bench import counted

    progress = Progress()
    pages = counted.build(_largest(args), progress.tick)
    if args.check:
        wrong = [*counted.missed(), *pages.outdated()]
        progress.done()
        print("\n".join(f"  WRONG  {each}" for each in wrong) or "  ok     targets, docs/costs.md and docs/scale.md")
        return 1 if wrong else 0
    body = _measure(2 if args.quick else COLD_RUNS, 2 if args.quick else WARM_ROUNDS, progress)
    progress.done()
    for name, part in [*pages.parts.items(), ("measured", body)]:
        print(f"\n{bold(name)}\n\n{part}")
    if not args.quick:  # a few repetitions are good enough to look at, not to keep
        pages.parts["measured"] = body
    changed = pages.write()
    print(dim(f"\n  {', '.join(changed) or 'nothing'} changed in docs/"))
    for each in (missed := counted.missed()):
        print(f"  OVER   {each}")
    return 1 if missed else 0


def _largest(args: argparse.Namespace) -> int:
    from infra.bench import flat

    return flat.MILLION if args.million else flat.SIZES[1] if args.quick or args.check else flat.SIZES[-1]


def _measure(cold_runs: int, warm_rounds: int, progress: Progress) -> str:
    from infra import build
    from infra.bench import cold, measured, warm

    progress.tick("building what AWS gets")
    shipped = build.build(build.Target.aws())
    target = cold.target()
    progress.tick(f"building it for Python {target.version} here")
    artefacts = build.build(target)
    assert target.python is not None
    starts = cold.measure(cold_runs, artefacts, target.python, lambda: progress.tick("cold imports"))
    calls = warm.measure(warm_rounds, WARM_CALLS, lambda: progress.tick("warm calls"))
    return "\n\n".join(
        [measured.where(), measured.sizes(shipped), measured.cold(starts, target.version), measured.warm(calls)]
    )


class Progress:
    """One line that says what is going on; on a terminal it replaces itself."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._said, self._count = "", 0

    def tick(self, what: str) -> None:
        """One more step of something."""
        self._count = self._count + 1 if what == self._said else 1
        if self._terminal:
            print(f"\r\033[K  {what} {dim(str(self._count)) if self._count > 1 else ''}", end="", flush=True)
        elif what != self._said:
            print(f"  {what}", flush=True)
        self._said = what

    def done(self) -> None:
        """The line is not needed any more."""
        if self._terminal:
            print("\r\033[K", end="", flush=True)
