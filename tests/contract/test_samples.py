"""Every sample event is in its folder's index, runs, and shows what the index says it shows."""

from __future__ import annotations

import json
import re
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra import sam
from infra.invoke import seeded_world
from infra.template import load
from tests.world import World
from tests.world.forks import Forks

EVENTS = sam.ROOT / "events"
ROW = re.compile(r"^\| `([\w.-]+\.json)` \| `([\w.]+)` \| (.+) \|$", re.MULTILINE)
STATUS = re.compile(r": ([1-5]\d\d)\b")


class Sample(NamedTuple):
    """One row of an index."""

    path: Path
    function: str
    shows: str


def samples() -> list[Sample]:
    """All samples, by the indexes of their folders."""
    return [
        Sample(index.parent / name, function, shows)
        for index in sorted(EVENTS.glob("*/README.md"))
        for name, function, shows in ROW.findall(index.read_text())
    ]


def test_every_sample_is_in_its_index_and_every_service_has_one() -> None:
    listed = {sample.path for sample in samples()}
    assert listed == {path for path in EVENTS.glob("*/*.json") if path.parent.name != "schemas"}


def test_every_function_has_a_sample() -> None:
    functions = {function.handler.removesuffix(".handler") for function in load().functions.values()}
    assert {sample.function for sample in samples()} == functions


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    """Each sample run on its own copy of its service's seeded cloud: what came out, by path."""
    found: dict[str, dict[str, Any]] = {}
    for service, group in groupby(samples(), key=lambda sample: sample.function.split(".")[0]):
        world, forks = seeded_world(service), Forks()
        for sample in group:
            if forks.branch():
                forks.report(_outcome(world, sample))
                forks.end_child()
        found |= {result["path"]: result for result in forks.results()}
    return found


def _outcome(world: World, sample: Sample) -> dict[str, Any]:
    result: dict[str, Any] = {"path": str(sample.path), "error": None, "answer": None}
    try:
        result["answer"] = world.invoke(sample.function, json.loads(sample.path.read_text()))
    except Exception as error:
        result["error"] = str(error)
    return result | {"logged": bool(world.logs)}


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: f"{sample.path.parent.name}/{sample.path.stem}")
def test_a_sample_shows_what_it_says(sample: Sample, outcomes: dict[str, dict[str, Any]]) -> None:
    outcome = outcomes[str(sample.path)]
    answer, promised = outcome["answer"], STATUS.search(sample.shows)
    if sample.function.startswith("authorizer."):
        assert (outcome["error"] is not None) == ("raises" in sample.shows), outcome
        return
    assert outcome["error"] is None, outcome["error"]
    assert outcome["logged"], "every invocation says how it ended"
    if isinstance(answer, dict) and "statusCode" in answer:
        expected = {int(promised[1])} if promised else {200, 201, 202, 204}
        assert answer["statusCode"] in expected, answer
    if isinstance(answer, dict) and "batchItemFailures" in answer:
        given_back = "given back" in sample.shows
        assert bool(answer["batchItemFailures"]) == given_back, answer
