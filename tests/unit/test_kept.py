"""What KEEP=1 keeps: saved whole or not at all, and whoever lost something is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local import down, kept, laptop
from infra.local.laptop import Ports, Run
from infra.local.processes import Process
from infra.say import Sorry, Steps


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """GIVEN a laptop of its own, on which time passes."""
    state = tmp_path / "state"
    monkeypatch.setattr(laptop, "STATE", state)
    monkeypatch.setattr(kept, "_FILE", state / "kept.json")
    monkeypatch.setattr(kept, "UNSAVED", state / "unsaved")
    monkeypatch.setattr(kept, "CLOUD", state / "unsaved" / "cloud")
    monkeypatch.setattr(kept, "PROVIDERS", state / "unsaved" / "providers.json")
    hours = iter(range(10, 24))
    monkeypatch.setattr(laptop, "now", lambda: f"2026-11-21T{next(hours)}:00:00Z")
    for name in ("TEMPORARY", "PLATFORM", "ENVIRONMENT", "RUN"):
        monkeypatch.setattr(laptop, name, tmp_path / name)
    return state


def works(cloud: str, providers: str) -> None:
    """A run that is complete writes to its folder."""
    kept.CLOUD.mkdir(exist_ok=True)
    (kept.CLOUD / "dynamodb.json").write_text(cloud)
    kept.PROVIDERS.write_text(providers)


def found() -> tuple[str, str]:
    return (kept.CLOUD / "dynamodb.json").read_text(), kept.PROVIDERS.read_text()


def test_what_was_saved_is_there_again() -> None:
    first = kept.begin(4577)
    assert first.lost is None
    kept.running(first)
    works("one order", "one payment")
    assert kept.save() is not None
    again = kept.begin(4577)
    assert (again.lost, again.since) == (None, first.since)
    assert found() == ("one order", "one payment")


def test_after_a_kill_both_are_of_the_saved_moment_and_a_line_says_when() -> None:
    kept.running(kept.begin(4577))
    works("one order", "one payment")
    saved = kept.save()
    assert saved is not None
    kept.running(kept.begin(4577))
    works("a cloud that writes while it is killed", "two payments")
    # WHEN nothing was saved
    again = kept.begin(4577)
    # THEN
    assert found() == ("one order", "one payment")
    assert again.lost is not None
    assert f"as saved at {saved.saved_at}" in again.lost
    assert "gone, at the stand-in providers too" in again.lost
    # AND who is killed again before it is up is told again
    assert kept.begin(4577).lost == again.lost


def test_a_kill_before_anything_was_saved_leaves_an_empty_start() -> None:
    kept.running(kept.begin(4577))
    works("an order", "a payment")
    again = kept.begin(4577)
    assert "this starts empty" in (again.lost or "")
    assert not kept.PROVIDERS.exists()
    assert not list(kept.CLOUD.iterdir())


def test_only_the_newest_saved_moment_stays(folder: Path) -> None:
    for number in range(3):
        kept.running(kept.begin(4577))
        works(f"{number}", f"{number}")
        assert kept.save()
    assert len(list(folder.glob("saved-*"))) == 1
    kept.begin(4577)
    assert found() == ("2", "2")
    kept.forget()
    assert not [path for path in folder.iterdir() if path.name.startswith(("saved", "unsaved", "kept"))]


def test_another_port_is_refused_before_anything_is_touched() -> None:
    kept.running(kept.begin(4577))
    works("one", "one")
    kept.save()
    with pytest.raises(Sorry, match="MINISTACK_PORT=4577"):
        kept.begin(4578)
    assert kept.begin(4577).lost is None


class Stopped:
    """Processes that end by themselves, or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dead: set[str], stubborn: set[str]) -> None:
        monkeypatch.setattr(Process, "alive", property(lambda process: process.name not in dead))
        monkeypatch.setattr(down, "stop", lambda process, seconds: process.name not in stubborn)


@pytest.mark.parametrize(
    ("dead", "stubborn", "ready", "saved"),
    [
        (set(), set(), True, True),
        ({"cloud"}, set(), True, False),
        ({"providers"}, set(), True, False),
        (set(), {"cloud"}, True, False),
        (set(), {"providers"}, True, False),
        ({"api"}, set(), True, True),
        (set(), set(), False, False),
    ],
)
def test_a_run_is_saved_if_cloud_and_stand_ins_ended_by_themselves(
    monkeypatch: pytest.MonkeyPatch, dead: set[str], stubborn: set[str], ready: bool, saved: bool
) -> None:
    kept.running(kept.begin(4577))
    works("one", "one")
    Stopped(monkeypatch, dead, stubborn)
    processes = [Process(name, 1, "now", "log") for name in ("cloud", "providers", "api")]
    down.take_down(Run(Ports(), True, "2026", ready, processes), Steps(quiet=True))
    known = kept.read()
    assert known is not None
    assert (known.saved_at is not None) is saved
    assert (known.lost is None) is saved
