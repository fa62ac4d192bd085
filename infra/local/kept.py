"""What KEEP=1 keeps: the local cloud and the stand-in providers, always of one and the same moment.

    state/kept.json     since when there is data, on which port, in which folder it was saved and when
    state/saved-<n>/    one saved moment: cloud/ and providers.json
    state/unsaved/      what a run works on: a copy of the last saved moment

The cloud writes its state when it is asked to end, and only then. So a run's folder becomes the saved one when both the
cloud and the stand-ins have ended by themselves, in one step; otherwise the next run begins where the last saved one
ended, with both. A ledger that is older or newer than the providers' books would be worse than a lost afternoon.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass, replace

from infra.local import laptop
from infra.say import Sorry

_FILE = laptop.STATE / "kept.json"
UNSAVED = laptop.STATE / "unsaved"
CLOUD = UNSAVED / "cloud"
PROVIDERS = UNSAVED / "providers.json"


@dataclass(frozen=True)
class Kept:
    """What is known of the kept data. `unsaved_since`: a run began then and has not been saved (yet)."""

    since: str
    ministack: int
    folder: str | None = None
    saved_at: str | None = None
    unsaved_since: str | None = None

    @property
    def lost(self) -> str | None:
        """What to tell a person about a run that was never saved, or None if there was none."""
        if self.unsaved_since is None:
            return None
        gone = f"What happened since {self.unsaved_since} is gone, at the stand-in providers too."
        if self.saved_at is None:
            return (
                f"The last run did not end by make down, and nothing had been saved before: this starts empty. {gone}"
            )
        return f"The last run did not end by make down: data is here as saved at {self.saved_at}. {gone}"

    def write(self) -> None:
        """Remember it."""
        laptop.write(_FILE, asdict(self))


def read() -> Kept | None:
    """What is kept, if anything."""
    return Kept(**json.loads(_FILE.read_text())) if _FILE.exists() else None


def begin(port: int) -> Kept:
    """Lay out what was saved last for a run to work on. `Sorry` when it lives on another port, which is part of the
    name of every queue. Nothing that was saved is touched.
    """
    kept = read() or Kept(laptop.now(), port)
    if kept.ministack != port:
        raise Sorry(
            f"the kept data lives on port {kept.ministack}: make up KEEP=1 MINISTACK_PORT={kept.ministack}, "
            f"or forget it: make down ARGS=--forget"
        )
    shutil.rmtree(UNSAVED, ignore_errors=True)
    if kept.folder:
        shutil.copytree(laptop.STATE / kept.folder, UNSAVED)
    else:
        CLOUD.mkdir(parents=True)
        kept = replace(kept, since=laptop.now())
    return kept


def running(kept: Kept) -> None:
    """From now on there is something that could be lost."""
    replace(kept, unsaved_since=laptop.now()).write()


def save() -> Kept | None:
    """Everything has ended by itself: what it wrote is the saved moment now. None if the cloud did not write."""
    kept = read()
    if kept is None or not (CLOUD / "dynamodb.json").exists() or not PROVIDERS.exists():
        return None
    folder = f"saved-{time.time_ns()}"
    UNSAVED.rename(laptop.STATE / folder)
    saved = replace(kept, folder=folder, saved_at=laptop.now(), unsaved_since=None)
    saved.write()
    _remove_saved(but=folder)
    return saved


def forget() -> None:
    """Throw it all away."""
    _FILE.unlink(missing_ok=True)
    shutil.rmtree(UNSAVED, ignore_errors=True)
    _remove_saved(but="")


def _remove_saved(but: str) -> None:
    for folder in laptop.STATE.glob("saved-*"):
        if folder.name != but:
            shutil.rmtree(folder, ignore_errors=True)
