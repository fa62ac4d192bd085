"""The lock files are complete: installing from them never has to resolve anything. Without the network.

What packages require is in requirements/requires.json, which `make lock` writes; where a package is installed here, its
own metadata must say the same.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra import locks

PROJECT = tomllib.loads((locks.ROOT / "pyproject.toml").read_text())["project"]
LAYERS = locks.ROOT / "layers"


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


def _project(*extras: str) -> list[str]:
    """What the project requires with these extras; an extra that names another of its own is followed."""
    found = list(PROJECT["dependencies"])
    for extra in extras:
        for line in PROJECT["optional-dependencies"][extra]:
            requirement = Requirement(line)
            found += _project(*requirement.extras) if requirement.name == PROJECT["name"] else [line]
    return found


ROOTS = {locks.DEVELOPMENT: _project("dev"), locks.MINISTACK: _lines(locks.ROOT / "requirements" / "ministack.in")}
ROOTS |= {
    lock: _lines(lock.with_suffix(".in")) if lock.with_suffix(".in").exists() else _project()
    for lock in sorted(LAYERS.glob("*/requirements.txt"))
}
REQUIRES: dict[str, list[str]] = json.loads(locks.REQUIRES.read_text())
IDS = [str(lock.relative_to(locks.ROOT)) for lock in ROOTS]


@pytest.mark.parametrize("platform", locks.PLATFORMS)
@pytest.mark.parametrize("python", locks.PYTHONS)
@pytest.mark.parametrize("lock", ROOTS, ids=IDS)
def test_a_lock_is_complete(lock: Path, python: str, platform: str) -> None:
    """Everything that anything in it requires is in it, in a version that fits."""
    assert ROOTS[lock]
    assert locks.missing(lock, ROOTS[lock], REQUIRES, python, platform) == []


@pytest.mark.parametrize("python", locks.PYTHONS)
@pytest.mark.parametrize("lock", ROOTS, ids=IDS)
def test_a_lock_without_one_of_its_lines_is_not(lock: Path, python: str, tmp_path: Path) -> None:
    """The check can fail: whichever line is taken out, somebody misses it."""
    text = re.sub(r"\\\n", " ", lock.read_text())
    lines = text.splitlines()
    for pin in locks.installed_by(lock, python, "linux"):
        rest = [line for line in lines if not line.startswith(f"{pin.name}==")]
        shorter = tmp_path / "lock.txt"
        shorter.write_text("\n".join(rest))
        found = locks.missing(shorter, ROOTS[lock], REQUIRES, python, "linux")
        assert any(pin.name in canonicalize_name(why) for why in found), pin


def test_what_is_written_down_is_what_the_installed_packages_say() -> None:
    """Otherwise the proof above would be about other packages than those that are installed."""
    looked_at = 0
    for installed in importlib.metadata.distributions():
        pin = f"{canonicalize_name(installed.metadata['Name'])}=={installed.version}"
        if pin in REQUIRES:
            looked_at += 1
            assert sorted(installed.metadata.get_all("Requires-Dist") or []) == REQUIRES[pin], pin
    assert looked_at > 50


@pytest.mark.parametrize("lock", ROOTS, ids=IDS)
def test_a_lock_has_hashes_and_no_addresses(lock: Path) -> None:
    """Where packages come from is the business of whoever installs."""
    assert all(pin.hashes for pin in locks.pins(lock))
    assert "://" not in lock.read_text()
    assert "://" not in locks.REQUIRES.read_text()


@pytest.mark.parametrize("lock", sorted(LAYERS.glob("*/requirements.txt")), ids=lambda lock: lock.parent.name)
def test_a_layer_ships_what_was_tested(lock: Path) -> None:
    """A layer's versions are those of the development lock."""
    developed = {str(pin) for pin in locks.pins(locks.DEVELOPMENT)}
    assert {str(pin) for pin in locks.pins(lock)} <= developed
