"""Make the artefacts: one zip per service, one per layer, the same bytes from the same sources.

Every artefact is cached in `.mandje/build` under the hash of everything that went into it, so building again takes a
moment. Two targets: `aws` (the template's runtime and architecture, whatever runs here) and `local` (the interpreter
that runs the functions on this machine).

Bytecode is compiled here because Lambda's code folder is read-only: without it every cold start compiles every module
again (500 ms measured). `unchecked-hash` bytecode does not look at file times, which a zip does not keep.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra import sam
from infra.say import Sorry, Steps, bold, dim

ROOT = sam.ROOT
BUILD = ROOT / ".mandje" / "build"
INSTALLED_LAYERS = ("vendor", "crypto", "people")

# Services whose request models stay in botocore; the other 400 are 28 MB nobody here calls.
BOTOCORE_SERVICES = {"dynamodb", "events", "kms", "lambda", "sqs", "ssm", "sts"}


_KEPT_S = 3 * 86400


@dataclass(frozen=True)
class Target:
    """Where the artefacts will run."""

    name: str
    version: str
    """Python minor version, as in `3.13`."""
    architecture: str | None
    """`arm64` or `x86_64` of Lambda; None: this machine."""
    python: str | None
    """An interpreter of that version on this machine, which compiles; None: there is none, ship without bytecode."""

    @classmethod
    def aws(cls, template: Path = sam.TEMPLATE) -> Target:
        """What `template.yaml` says: runtime and architecture of its functions."""
        shared = sam.load(template).get("Globals", {}).get("Function", {})
        version = str(shared.get("Runtime", "python3.13")).removeprefix("python")
        (architecture,) = shared.get("Architectures", ["x86_64"])
        return cls("aws", version, architecture, find_python(version))

    @classmethod
    def local(cls, python: str = sys.executable) -> Target:
        """This machine, run by that interpreter."""
        version = _output(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
        return cls("local", version, None, python)


@dataclass(frozen=True)
class Artefact:
    """One built thing."""

    kind: str
    """`service` or `layer`."""
    name: str
    folder: Path
    """What is in it, unpacked: what Lambda would put in /var/task or /opt."""
    zip: Path

    @property
    def digest(self) -> str:
        """Name of this content: equal inputs, equal digest."""
        return self.folder.name

    @functools.cached_property
    def unpacked_bytes(self) -> int:
        """Bytes on disk, which is what Lambda's 250 MB limit counts."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    @property
    def zipped_bytes(self) -> int:
        """Bytes uploaded."""
        return self.zip.stat().st_size


def build(target: Target, template: Path = sam.TEMPLATE) -> list[Artefact]:
    """Every artefact the template's functions need, built or taken from the cache."""
    root = template.parent
    loaded = sam.load(template)
    services = sorted({sam.service_of(each) for each in sam.functions(loaded).values()})
    layers = sorted({name for each in sam.functions(loaded).values() for name in sam.layers_of(loaded, each)})
    artefacts = []
    for layer in layers:
        folder = root / "layers" / layer
        if not folder.is_dir():
            raise Sorry(f"the template names the layer '{layer}', but there is no layers/{layer}.")
        if layer in INSTALLED_LAYERS:
            artefacts.append(_installed_layer(layer, folder / "requirements.txt", target))
        else:
            artefacts.append(_sources("layer", layer, folder, folder, target))
    for service in services:
        folder = root / "functions" / service
        if not folder.is_dir():
            raise Sorry(f"the template names functions of '{service}', but there is no functions/{service}.")
        artefacts.append(_sources("service", service, folder, folder.parent, target))
    return artefacts


# ------------------------------------------------------------------------------------------------------------ recipes


def _sources(kind: str, name: str, folder: Path, base: Path, target: Target) -> Artefact:
    """Our own code, laid out as it is imported: `basket/api.py` for a service, `python/commerce/...` for a layer."""
    files = list(_source_files(folder))
    digest = _digest(target, [(str(path.relative_to(base)), path.read_bytes()) for path in files])

    def fill(into: Path) -> None:
        for path in files:
            copy = into / path.relative_to(base)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)

    return _cached(kind, name, digest, target, fill)


def _source_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            yield path


def _installed_layer(name: str, lock: Path, target: Target) -> Artefact:
    """Third-party packages from a lock file, trimmed to what runs."""
    digest = _digest(target, [(name, lock.read_bytes())])

    def fill(into: Path) -> None:
        packages = into / "python"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["--require-hashes", "--no-deps", "--no-compile", "--target", str(packages), "-r", str(lock)]
        command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={target.version}"]
        if target.architecture:
            machine = {"arm64": "aarch64", "x86_64": "x86_64"}[target.architecture]
            # glibc 2.34 is what Lambda's Amazon Linux 2023 has.
            for glibc in ("2_17", "2_28", "2_34"):
                command.append(f"--platform=manylinux_{glibc}_{machine}")
            command.append(f"--platform=manylinux2014_{machine}")
        elif target.python and not _same_interpreter(target.python):
            command[0] = target.python
            command = [part for part in command if not part.startswith(("--implementation", "--python-version"))]
        # The user's pip configuration says where packages come from, but not where they go.
        elsewhere = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_NO_BINARY", "PIP_CONSTRAINT")
        environment = {name: value for name, value in os.environ.items() if name not in elsewhere} | {"PIP_USER": "0"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), done.stderr.strip())
            raise Sorry(f"installing {lock.relative_to(lock.parents[2])} for {target.name} failed: {reason}")
        _trim(packages)

    return _cached("layer", name, digest, target, fill)


def _trim(packages: Path) -> None:
    """Remove what no function reads: other services' models, metadata, tests, web assets, type stubs."""
    for pattern in ("bin", "*.dist-info", "*/tests", "boto3/examples", "botocore/data/*/*/examples-1.*", "**/*.pyi"):
        for path in packages.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for library in ("botocore", "boto3"):
        for path in packages.glob(f"{library}/data/*/"):
            if path.name not in BOTOCORE_SERVICES:
                shutil.rmtree(path)
    for path in packages.glob("aws_lambda_powertools/event_handler/openapi/swagger_ui/*.min.*"):
        path.unlink()
    # cryptography needs cffi's compiled backend only; parsing C declarations happens when it is built.
    for name in ("cffi", "pycparser"):
        shutil.rmtree(packages / name, ignore_errors=True)


# -------------------------------------------------------------------------------------------------------------- cache


def _cached(kind: str, name: str, digest: str, target: Target, fill: Callable[[Path], None]) -> Artefact:
    home = BUILD / target.name / name
    artefact = Artefact(kind, name, home / digest, home / f"{digest}.zip")
    if not (artefact.zip.exists() and artefact.folder.is_dir()):
        home.mkdir(parents=True, exist_ok=True)
        _forget_old(home)
        with tempfile.TemporaryDirectory(prefix="draft-", dir=home) as draft:
            content = Path(draft) / "content"
            content.mkdir()
            fill(content)
            _compile(content, target, mounted="/opt" if kind == "layer" else "/var/task")
            _zip(content, Path(draft) / "zip")
            with contextlib.suppress(OSError):  # somebody else was as quick, and made the same
                content.rename(artefact.folder)
            (Path(draft) / "zip").rename(artefact.zip)
    os.utime(artefact.folder)
    return artefact


def _forget_old(home: Path) -> None:
    """Remove versions nobody used for days; a running platform still imports from the ones before this."""
    for path in home.iterdir():
        if path.stat().st_mtime < time.time() - _KEPT_S:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _digest(target: Target, parts: Iterable[tuple[str, bytes]]) -> str:
    recipe = Path(__file__).read_bytes()
    compiled = _output(target.python, "-c", "import sys; print(sys.version)") if target.python else "no bytecode"
    digest = hashlib.sha256(f"{target.version} {target.architecture} {sys.platform} {compiled}".encode())
    for name, content in [("recipe", recipe), *parts]:
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:20]


def _compile(folder: Path, target: Target, mounted: str) -> None:
    """Put bytecode beside every module; syntax errors are found here."""
    if not target.python:
        return
    # Tracebacks on AWS show Lambda's path; on this machine they show a file one can open.
    paths = ["-s", str(folder), "-p", mounted] if target.architecture else []
    done = subprocess.run(
        [target.python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", *paths, str(folder)],
        env={**os.environ, "PYTHONHASHSEED": "0"},  # the order of constant sets is part of the bytes
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Sorry(f"this does not compile for Python {target.version}: {done.stdout.strip().splitlines()[-1]}")


def _zip(folder: Path, into: Path) -> None:
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.suffix == ".so" else 0o644) << 16
            archive.writestr(entry, path.read_bytes())


# --------------------------------------------------------------------------------------------------------- interpreter


def find_python(version: str) -> str | None:
    """An interpreter of that minor version on this machine, or None."""
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    installed = sorted(glob.glob(f"{root}/versions/{version}.*/bin/python"))
    for candidate in [sys.executable, f"python{version}", *installed]:
        try:
            if _output(candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])") == version:
                return candidate
        except (OSError, subprocess.CalledProcessError):
            continue
    return None


@functools.cache
def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _same_interpreter(python: str) -> bool:
    version = "import sys; print('%d.%d' % sys.version_info[:2])"
    return _output(python, "-c", version) == _output(sys.executable, "-c", version)


# ------------------------------------------------------------------------------------------------------------- command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mandje build`."""
    parser.add_argument("--target", choices=["aws", "local"], default="aws", help="where it will run (default: aws)")
    parser.add_argument("--template", type=Path, default=sam.TEMPLATE, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="sizes as JSON")


def run(args: argparse.Namespace) -> int:
    """Build and report sizes."""
    target = Target.aws(args.template) if args.target == "aws" else Target.local()
    steps = Steps(quiet=args.json)
    with steps(f"build for {target.name}") as step:
        artefacts = build(target, args.template)
        step.note = f"Python {target.version}{' ' + target.architecture if target.architecture else ''}"
    if args.json:
        print(json.dumps([sizes(each) for each in artefacts], indent=2))
        return 0
    print(bold(f"\n  {'':8} {'':14} {'zipped':>10} {'unpacked':>10}"))
    for each in artefacts:
        print(f"  {each.kind:8} {each.name:14} {each.zipped_bytes / 1e3:7.0f} kB {each.unpacked_bytes / 1e3:7.0f} kB")
    print(dim(f"\n  in {BUILD.relative_to(ROOT) / target.name}"))
    if not target.python:
        print(
            f"\n  There is no Python {target.version} on this machine, so the artefacts carry no bytecode "
            f"and each cold start takes about half a second longer."
        )
    return 0


def sizes(artefact: Artefact) -> dict[str, object]:
    """What `mandje build --json` says of one artefact; sizes in bytes."""
    return {
        "kind": artefact.kind,
        "name": artefact.name,
        "digest": artefact.digest,
        "zipped": artefact.zipped_bytes,
        "unpacked": artefact.unpacked_bytes,
    }
