"""Sizes and CPU as Markdown: what depends on this machine and is therefore never checked."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence

from infra.bench.cold import Start
from infra.bench.pages import table
from infra.bench.warm import Warm
from infra.build import Artefact


def sizes(artefacts: Sequence[Artefact]) -> str:
    """Kilobytes of what is uploaded, zipped and unpacked."""
    rows = [
        [f"{each.kind} {each.name}", f"{each.zipped_bytes / 1e3:,.0f}", f"{each.unpacked_bytes / 1e3:,.0f}"]
        for each in artefacts
    ]
    return table(["artefact", "zipped kB", "unpacked kB"], rows)


def cold(starts: Sequence[Start], version: str) -> str:
    """CPU until a function can take its first event."""
    rows = [[each.name, f"{each.ratio:.0f}", f"{each.ms:.0f}"] for each in sorted(starts, key=lambda each: each.ms)]
    return table([f"cold import, Python {version}", "times an empty interpreter", "ms CPU here"], rows)


def warm(calls: Sequence[Warm]) -> str:
    """CPU of one warm call."""
    rows = [[each.name, f"{each.ratio:.1f}", f"{each.ms:.2f}", str(each.requests)] for each in calls]
    return table(["warm call", "times a route that does nothing", "ms CPU here", "AWS requests"], rows)


def where() -> str:
    """The machine, in as few words as make the numbers readable."""
    return f"Measured with Python {sys.version.split()[0]} on {platform.system()} {platform.machine()}."
