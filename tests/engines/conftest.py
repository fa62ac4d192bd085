"""The engines: moto behind the world's lock, the local cloud's tables, and dynoxide where it is installed."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import Any

import botocore.endpoint
import pytest
from moto.core.models import botocore_stubber

from commerce import aws, clock, ids
from infra.intrinsics import REGION
from tests.world import World

from . import differences, dynoxide
from .engine import Engine, create_tables, fresh, read_stream

_LOCAL = pytest.param("local-cloud", marks=pytest.mark.local)
_THIRD_PARTY = pytest.param("dynoxide", marks=pytest.mark.third_party)
_FIXTURES = {"moto": "moto", "local-cloud": "local_cloud", "dynoxide": "dynoxide_engine"}
_made: dict[str, dict[str, str]] = {}
"""The tables made at an address, once a session."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The list of differences, once a run looked at them."""
    if any("tests/engines/test_rules" in report.nodeid for report in terminalreporter.getreports("passed")):
        terminalreporter.section("where the engines differ from DynamoDB")
        terminalreporter.write(differences.table())


@pytest.fixture(params=["moto", _LOCAL, _THIRD_PARTY])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn, as the kernel's store."""
    return request.getfixturevalue(_FIXTURES[request.param])


@pytest.fixture(params=[_LOCAL, _THIRD_PARTY])
def concurrent_engine(request: pytest.FixtureRequest) -> Engine:
    """The engines that real threads may use at once.

    Not moto: it reads, checks and writes without a lock, so under threads it fails right code and passes wrong code;
    and behind the world's lock there are no races left to see.
    """
    return request.getfixturevalue(_FIXTURES[request.param])


@pytest.fixture
def moto(world: World, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """moto as every journey uses it: the world's lock, its tokens and its streams."""
    tables = {"BASKET": world.template.tables["BasketTable"].name, "STOCK": world.template.tables["StockTable"].name}
    for name, table in tables.items():
        monkeypatch.setenv(f"{name}_TABLE", table)
    changes: list[Any] = []
    world.aws.on_change = changes.append

    def told(table: str) -> list[tuple[str, str]]:
        kinds = {(False, True): "INSERT", (True, True): "MODIFY", (True, False): "REMOVE"}
        mine = [change for change in changes if change.table.name == table]
        images = [(change, change.new or change.old or {}) for change in mine]
        return [(kinds[bool(change.old), bool(change.new)], image["pk"]["S"]) for change, image in images]

    return Engine("moto", aws.client("dynamodb"), tables, told)


@pytest.fixture
def local_cloud(platform: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The local cloud of the running platform, with tables of our own."""
    yield from _over_http("local-cloud", platform["aws_endpoint"], platform["region"], monkeypatch)


@pytest.fixture
def dynoxide_engine(dynoxide_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A dynoxide in memory."""
    yield from _over_http("dynoxide", dynoxide_url, REGION, monkeypatch)


@pytest.fixture(scope="session")
def dynoxide_url() -> Iterator[str]:
    """The address of a dynoxide of this session's own."""
    program = dynoxide.binary()
    if program is None:
        pytest.skip("dynoxide is not installed here; `make dynoxide` fetches it")
    with dynoxide.running(program) as url:
        yield url


def _over_http(name: str, url: str, region: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The kernel's clients at an address, in real time, whatever worlds this process has had before."""
    variables = {"AWS_ENDPOINT_URL": url, "AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_READ_TIMEOUT": "20"}
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    for key, value in (variables | keys).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(botocore_stubber, "enabled", False)
    monkeypatch.setattr(botocore.endpoint, "time", time)
    monkeypatch.setattr(clock, "source", time.time)
    monkeypatch.setattr(clock, "pause", time.sleep)
    monkeypatch.setattr(ids, "random_bytes", os.urandom)
    aws.reset()
    client, streams = aws.client("dynamodb"), aws.client("dynamodbstreams")
    if url not in _made:
        _made[url] = create_tables(client)
    for key, value in _made[url].items():
        monkeypatch.setenv(f"{key}_TABLE", value)
    try:
        yield Engine(name, client, _made[url], lambda table: read_stream(client, streams, table))
    finally:
        aws.reset()


@pytest.fixture
def sku() -> str:
    """A SKU nobody else sells."""
    return fresh("E").replace("#", "-")


@pytest.fixture
def dice() -> random.Random:
    """Repeatable chance."""
    return random.Random(20261121)
