"""A function has the layers that it can reach, and no heavier ones: each is weight in a cold start."""

from __future__ import annotations

import ast

import grimp
import pytest

from infra import sam

ROOMS = ("authorizer", "basket", "catalog", "checkout", "payments", "profiles", "reference", "relay", "stock")
TEMPLATE = sam.load()


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom, in the rooms and the kernel."""
    return grimp.build_graph(*ROOMS, "commerce", cache_dir=None)


def _takes_contacts(module: str) -> bool:
    """Whether a module of a room reads phone numbers or e-mail addresses itself."""
    path = sam.ROOT / "functions" / (module.replace(".", "/") + ".py")
    if not path.exists():
        return False
    return any(
        (each.module == "commerce" and {"phones", "emails"} & {name.name for name in each.names})
        or (each.module == "commerce.types" and "Email" in {name.name for name in each.names})
        for each in ast.walk(ast.parse(path.read_text()))
        if isinstance(each, ast.ImportFrom)
    )


def test_who_takes_numbers_and_addresses_has_the_people_layer(graph: grimp.ImportGraph) -> None:
    needed, loaded = set(), set()
    for name, function in sam.functions(TEMPLATE).items():
        door = function["Handler"].removesuffix(".handler")
        # Workers and sweeps may import the same modules; what they handle was spelled when it came in.
        takes_requests = any(event["Type"] == "Api" for event in function.get("Events", {}).values())
        if takes_requests and any(_takes_contacts(module) for module in {door, *graph.find_upstream_modules(door)}):
            needed.add(name)
        if "people" in sam.layers_of(TEMPLATE, function):
            loaded.add(name)
    assert needed == loaded == {"CheckoutApi", "ProfilesApi"}
