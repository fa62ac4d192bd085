"""Cold starts: the CPU a fresh interpreter needs to import each function, from the very artefacts that are deployed.

Only CPU of this machine is measured (Lambda adds the start of its sandbox and the download of the code), as the least
of several runs and as a ratio to an interpreter that imports nothing, so that runs on different machines compare.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra import build, sam

NOTHING = "python -c pass"
CLIENT = "+ first DynamoDB client"


@dataclass(frozen=True)
class Start:
    """CPU milliseconds until a function could take its first event, and how often an empty interpreter that is."""

    name: str
    ms: float
    ratio: float


def target() -> build.Target:
    """This machine with the template's Python version if it is installed here, else with the running one."""
    version = build.Target.aws().version
    python = build.find_python(version)
    if python is None or python == sys.executable:
        return build.Target.local()
    return build.Target("bench", version, None, python)


def measure(runs: int, artefacts: Sequence[build.Artefact], python: str, tick: Callable[[], None]) -> list[Start]:
    """Import every function of the template `runs` times, each in a process of its own, taking turns."""
    commands = {NOTHING: "pass"} | _imports(artefacts)
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(runs):
        for name, command in commands.items():
            least[name] = min(least[name], _cpu_ms([python, "-S", "-E", "-c", command]))
            tick()
    return [Start(name, ms, ms / least[NOTHING]) for name, ms in least.items()]


def _imports(artefacts: Sequence[build.Artefact]) -> dict[str, str]:
    folders = {(each.kind, each.name): each.folder for each in artefacts}
    template = sam.load()
    commands = {}
    for properties in sam.functions(template).values():
        module = properties["Handler"].removesuffix(".handler")
        layers = [folders["layer", layer] / "python" for layer in sam.layers_of(template, properties)]
        paths = [folders["service", sam.service_of(properties)], *layers]
        commands[module] = _import(module, paths)
    first = "catalog.api"
    commands[f"{first} {CLIENT}"] = commands[first] + "; from commerce import aws; aws.client('dynamodb')"
    return commands


def _import(module: str, paths: Sequence[Path]) -> str:
    # As Lambda lays it out: the function's folder first, then its layers; nothing else of this machine's packages.
    return f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}; import {module}"


def _cpu_ms(command: Sequence[str]) -> float:
    environment = {"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1", "PYTHONHASHSEED": "0"}
    environment |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[-1]}: {said.decode(errors='replace').strip().splitlines()[-1]}")
    return (used.ru_utime + used.ru_stime) * 1000
