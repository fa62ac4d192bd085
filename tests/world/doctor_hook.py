"""The oracle after a run: nothing failed for good, no function slipped, and the product's own doctor finds nothing."""

from __future__ import annotations

import traceback

from .world import World

SLIPS = (AssertionError, AttributeError, LookupError, NameError, RecursionError, TypeError)
"""Errors nobody raises on purpose: one of these inside a function is a mistake, even if all comes right in the end."""


def violations(world: World) -> list[str]:
    """What is wrong with the world now, one line each; empty if all is well."""
    return [*left_over(world), *slips(world), *diagnosis(world)]


def left_over(world: World) -> list[str]:
    """Work that failed for ever: dead letters, clocks and webhooks that keep failing, permissions that are missing."""
    found = [
        f"{queue}: failed for ever: {body[:200]}"
        for queue, bodies in world.pump.dead_letters().items()
        for body in bodies
    ]
    found += sorted(set(world.aws.denied))
    found += [f"{name} keeps failing: {failure}" for name, failure in world.pump.failing.items()]
    found += [
        f"{provider.name}: webhook given up: {delivery.about}"
        for provider in world.providers.values()
        for delivery in provider.standin.outbox.given_up
    ]
    return found


def slips(world: World) -> list[str]:
    """Invocations that ended in an error of programming, each with the line it came from."""
    found = []
    for failure in world.failures:
        if isinstance(failure.error, SLIPS):
            frame = traceback.extract_tb(failure.error.__traceback__)[-1]
            found.append(f"slip: {failure} at {frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}")
    return sorted(set(found))


def diagnosis(world: World) -> list[str]:
    """The doctor's findings over this world's tables, providers' books, bus log and logs."""
    from infra import doctor

    tables = {name: world.items(name) for name in world.template.tables}
    books = {name: provider.books() for name, provider in world.providers.items()}
    bus_log = [published.event for published in world.pump.bus.log]
    logs = [line.text for line in world.logs]
    return [str(violation) for violation in doctor.check(tables, books=books, bus_log=bus_log, logs=logs)]
