"""Installing depends on the lock alone: not on the day, the age of pip, the index, or the folder's name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import locks
from tests.install.index import Index, Project, python_with_pip


def _environment(folder: Path, index: str | None, **more: str) -> dict[str, str]:
    """A user whose pip looks at `index` and nowhere else (None: at whatever this machine's pip looks at)."""
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "VIRTUAL_ENV")}
    if index is not None:
        own = {name: value for name, value in own.items() if not name.startswith("PIP_")}
        configuration = folder / "pip.conf"
        configuration.write_text(f"[global]\nindex-url = {index}\nretries = 0\ntimeout = 5\n")
        own["PIP_CONFIG_FILE"] = str(configuration)
    return own | more


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """An empty index."""
    return Index(tmp_path / "index")


def test_newer_releases_do_not_matter(index: Index, tmp_path: Path) -> None:
    """GIVEN a lock WHEN every package has a newer release since THEN what is locked is installed.

    `outer` asks for an extra of `inner`, without an upper bound: what made pip 23.2 prefer the newer release.
    """
    lock = [index.publish("outer", "1.0", "inner[more]>=1"), index.publish("inner", "1.0")]
    index.publish("outer", "1.1", "inner[more]>=1")
    index.publish("inner", "2.0")
    project = Project(tmp_path, "\n".join(lock))
    with index.serve() as address:
        done = project.install(_environment(tmp_path, address))
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.run("import inner, outer; print(inner.VERSION, outer.VERSION)") == "1.0 1.0"


def test_installing_again_takes_a_moment_and_no_index(index: Index, tmp_path: Path) -> None:
    """An environment that is up to date is left alone."""
    project = Project(tmp_path, index.publish("inner", "1.0"))
    with index.serve() as address:
        environment = _environment(tmp_path, address)
        assert project.install(environment).returncode == 0
    again = project.install(environment)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_settings_of_the_users_shell_do_not_get_in(index: Index, tmp_path: Path) -> None:
    """What a user may have set for other projects changes nothing here."""
    (tmp_path / "stray").mkdir()
    (tmp_path / "stray" / "inner.py").write_text("VERSION = 'stray'")
    project = Project(tmp_path, index.publish("inner", "1.0"))
    settings = {"PIP_USER": "1", "PIP_TARGET": str(tmp_path / "elsewhere"), "PYTHONPATH": str(tmp_path / "stray")}
    with index.serve() as address:
        done = project.install(_environment(tmp_path, address, **settings))
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.run("import inner; print(inner.VERSION)") == "1.0"


def test_a_lock_that_is_not_complete_is_refused(index: Index, tmp_path: Path) -> None:
    """Nothing is resolved to fill the gap; the sentence names what is missing."""
    project = Project(tmp_path, index.publish("outer", "1.0", "inner>=1"))
    index.publish("inner", "1.0")
    with index.serve() as address:
        done = project.install(_environment(tmp_path, address))
    assert done.returncode == 1
    assert "requirements/ministack.txt is not complete: outer 1.0 requires inner, which is not installed" in done.stderr


def test_a_missing_wheel_is_one_clear_sentence(index: Index, tmp_path: Path) -> None:
    """A package that exists, but not for this machine."""
    project = Project(tmp_path, index.publish("inner", "1.0", tag="cp27-cp27m-win32"))
    with index.serve() as address:
        done = project.install(_environment(tmp_path, address))
    assert done.returncode == 1
    assert "there is no ready-made package of inner==1.0 for Python 3." in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_index_out_of_reach_is_one_clear_sentence(index: Index, tmp_path: Path) -> None:
    """Being offline is not a fault of the lock."""
    project = Project(tmp_path, index.publish("inner", "1.0"))
    done = project.install(_environment(tmp_path, "http://127.0.0.1:9/simple"))
    assert done.returncode == 1
    assert "your package index cannot be reached" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_mirror_that_changed_a_file_is_refused(index: Index, tmp_path: Path) -> None:
    """The hash in the lock decides what is installed, not the mirror."""
    line = index.publish("inner", "1.0")
    index.publish("inner", "1.0", "outer")
    project = Project(tmp_path, line)
    with index.serve() as address:
        done = project.install(_environment(tmp_path, address))
    assert done.returncode == 1
    assert "your package index sent other files" in done.stderr


def _index_has(pip: str, folder: Path) -> bool:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), pip]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


OLDEST = {(3, 11): "pip==22.3", (3, 12): "pip==23.2.1", (3, 13): "pip==24.2"}
"""The pip that the first release of each Python came with; older ones do not run on it."""


@pytest.mark.slow
@pytest.mark.parametrize("pip", [OLDEST.get(sys.version_info[:2], "pip"), "pip"], ids=["oldest", "newest"])
def test_the_development_lock_installs(pip: str, tmp_path: Path) -> None:
    """The real lock from the real index, with the pip that this Python first came with and with the newest there is."""
    if not _index_has(pip, tmp_path):
        pytest.skip(f"no package index with {pip} can be reached from here")
    project = Project(tmp_path, "")
    shutil.copy(locks.DEVELOPMENT, project.root / "requirements" / "ministack.txt")
    done = project.install(_environment(tmp_path, None, PYTHON=python_with_pip(tmp_path, pip)))
    assert done.returncode == 0, done.stdout + done.stderr
    log = (project.root / ".mandje" / "logs" / "install-ministack.log").read_text()
    assert "No broken requirements found." in log
