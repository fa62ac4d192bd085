"""The lock files as data: what they install under a Python on a platform, and what those packages require.

    python infra/locks.py          writes requirements/requires.json again (through `make lock`)

`requires.json` maps `name==version` to the package's own `Requires-Dist` lines, for every package that a lock installs
under a supported Python. With it, a test proves the locks complete for each Python and platform without the network.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT = ROOT / "requirements" / "dev.txt"
MINISTACK = ROOT / "requirements" / "ministack.txt"
REQUIRES = ROOT / "requirements" / "requires.json"

PYTHONS = ("3.11", "3.12", "3.13")
"""The Python versions that the locks are proved for."""
PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
}


@dataclass(frozen=True)
class Pin:
    """One line of a lock: exactly this version, where the marker holds, as one of these files."""

    name: str
    version: str
    marker: Marker | None
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def environment(python: str, platform: str) -> dict[str, str]:
    """The marker variables of CPython `python` on `platform` (a key of PLATFORMS)."""
    cpython = {
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": "x86_64",
    }
    versions = {"python_version": python, "python_full_version": f"{python}.1", "implementation_version": f"{python}.1"}
    return cpython | versions | PLATFORMS[platform]


def pins(lock: Path) -> Iterator[Pin]:
    """Every line of a lock file."""
    for line in lock.read_text().replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            named, *hashes = line.split("--hash=")
            requirement = Requirement(named)
            (version,) = requirement.specifier
            yield Pin(
                canonicalize_name(requirement.name),
                version.version,
                requirement.marker,
                tuple(h.strip() for h in hashes),
            )


def installed_by(lock: Path, python: str, platform: str) -> list[Pin]:
    """What a lock installs there."""
    there = environment(python, platform)
    return [pin for pin in pins(lock) if pin.marker is None or pin.marker.evaluate(there)]


def missing(lock: Path, roots: list[str], requires: dict[str, list[str]], python: str, platform: str) -> list[str]:
    """Why a lock is not complete there: what is required, from `roots` on, and not pinned to a version that fits."""
    there = environment(python, platform)
    pinned = {pin.name: pin for pin in installed_by(lock, python, platform)}
    found: list[str] = []
    asked: set[tuple[str, str]] = set()
    waiting = [("the project", Requirement(root)) for root in roots]
    while waiting:
        asker, requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        pin = pinned.get(name)
        if pin is None:
            found.append(f"{asker} requires {requirement}, which is not locked")
            continue
        if not requirement.specifier.contains(pin.version, prereleases=True):
            found.append(f"{asker} requires {requirement}, and {pin} is locked")
        for extra in {"", *requirement.extras}:
            if (name, extra) in asked:
                continue
            asked.add((name, extra))
            if str(pin) not in requires:
                found.append(f"what {pin} requires is not written down: make lock")
                continue
            for line in requires[str(pin)]:
                further = Requirement(line)
                if further.marker is None or further.marker.evaluate(there | {"extra": extra}):
                    waiting.append((str(pin), further))
    return sorted(set(found))


def _metadata(lock: Path, python: str, platform: str) -> dict[str, list[str]]:
    """`name==version` -> `Requires-Dist` lines of what a lock installs there. Asks the index; installs nothing."""
    with tempfile.TemporaryDirectory() as folder:
        exact, report = Path(folder) / "lock.txt", Path(folder) / "report.json"
        # Without markers: pip would evaluate them for the Python that runs it.
        lines = [" ".join([str(p), *(f"--hash={h}" for h in p.hashes)]) for p in installed_by(lock, python, platform)]
        exact.write_text("\n".join(lines))
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", "--python-version", python, "--target", folder]
        subprocess.run([*command, "--report", str(report), "-r", str(exact)], check=True)
        found = [each["metadata"] for each in json.loads(report.read_text())["install"]]
    return {f"{canonicalize_name(e['name'])}=={e['version']}": sorted(e.get("requires_dist", [])) for e in found}


def main() -> None:
    """Write `requires.json` again."""
    found: dict[str, list[str]] = {}
    for lock in (DEVELOPMENT, MINISTACK):
        for python in PYTHONS:
            found |= _metadata(lock, python, "linux")
    REQUIRES.write_text(json.dumps(dict(sorted(found.items())), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
