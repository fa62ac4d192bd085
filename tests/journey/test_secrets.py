"""Secrets when the parameter store fails: what was read goes on being used, and nobody storms the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from commerce import secrets
from tests.world import World
from tests.world.aws import reply
from tests.world.calls import Call

DAY = 24 * 3600


def throttled(call: Call, perform: Any) -> Any:
    if call.service == "ssm":
        return reply(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
    return perform()


def unreachable(call: Call, perform: Any) -> Any:
    if call.service == "ssm":
        raise EndpointConnectionError(endpoint_url="https://ssm.test")
    return perform()


def asked(world: World) -> int:
    """How often the store was asked, the SDK's own retries counted once."""
    return len({call.attempt for call in world.calls if call.service == "ssm"})


@contextmanager
def function(world: World, name: str = "PaymentsApi") -> Iterator[None]:
    """Inside a running function, so that its calls are counted."""
    from tests.world.calls import Invocation, current

    token = current.set(Invocation(name, "r"))
    try:
        with world.runtime.function_environment(world.template.functions[name]):
            yield
    finally:
        current.reset(token)


@pytest.mark.parametrize("down", [throttled, unreachable])
def test_a_warm_authorizer_goes_on_while_the_store_fails(world: World, down: Any) -> None:
    world.seed_products({"TEE": 1995})
    guest = world.call("POST", "/baskets", json={"channel": "web"}).json
    path = f"/baskets/{guest['basket']['basket_id']}"
    assert world.call("GET", path, guest["token"]).status == 200
    world.outside.director = down
    for _ in range(3):
        world.clock.tick(3600)
        assert world.call("GET", path, guest["token"]).status == 200
    assert "secret not renewed" in "".join(line.text for line in world.logs)


def test_a_stale_secret_is_renewed_once_per_interval_and_bounded(world: World) -> None:
    with function(world):
        known = secrets.read("tokens")
        world.outside.director = throttled
        world.clock.tick(301)
        before = asked(world)
        for _ in range(50):
            assert secrets.read("tokens") == known
            assert secrets.renewed("tokens") == known
        assert asked(world) == before + 1, "a store that is throttled is left alone for half a minute"
        world.clock.tick(31)
        assert secrets.read("tokens") == known
        assert asked(world) == before + 2
        world.clock.tick(DAY)
        with pytest.raises(ClientError):
            secrets.read("tokens")
        world.outside.director = None
        assert secrets.read("tokens") == known


def test_a_signature_nobody_knows_does_not_throw_a_good_secret_away(world: World) -> None:
    with function(world, "PaymentsWebhook"):
        known = secrets.read("stripe/default")
        world.outside.director = throttled
        world.clock.tick(31)
        assert secrets.renewed("stripe/default") == known
        assert secrets.read("stripe/default") == known


def test_a_secret_that_was_removed_is_gone_at_the_next_reading(world: World) -> None:
    """The store's word counts: only its silence does not."""
    with function(world):
        assert secrets.read("tokens")
        del world.aws._secrets["/mandje/tokens"]
        world.clock.tick(301)
        assert secrets.read("tokens") is None


def test_a_broken_value_does_not_replace_a_good_one(world: World) -> None:
    with function(world):
        known = secrets.read("tokens")
        world.aws._secrets["/mandje/tokens"] = '{"current": "k1", '
        world.clock.tick(301)
        assert secrets.read("tokens") == known
        world.aws._secrets["/mandje/tokens"] = json.dumps({"current": "k2", "keys": {"k2": "00" * 32}})
        world.clock.tick(31)
        assert (secrets.read("tokens") or {})["current"] == "k2"


def test_missing_secrets_take_no_room_without_bounds(world: World) -> None:
    with function(world, "PaymentsWebhook"):
        assert secrets.read("stripe/default")
        for number in range(1000):
            assert secrets.read(f"stripe/none-{number}") is None
    assert len(secrets._cache) <= 101
    assert "stripe/default" in secrets._cache
