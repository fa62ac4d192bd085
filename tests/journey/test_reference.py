"""The contract is served by the API itself, and what it shows works."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

from infra import openapi_page, sam
from tests.world import World


def test_machines_get_the_document(world: World) -> None:
    answer = world.call("GET", "/openapi.json")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == json.loads(Path(sam.ROOT, "docs/openapi.json").read_text(encoding="utf-8"))


def test_people_get_a_page_that_may_load_nothing(world: World) -> None:
    answer = world.call("GET", "/docs")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    (script,) = re.findall(r"<script>(.*?)</script>", answer.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["script-src"] == f"'sha256-{digest}'"
    assert len(world.logs) == 1


def test_a_browser_may_read_every_answer(world: World) -> None:
    """Preflights are the gateway's; the answers themselves must carry the origin, refusals too."""
    for path in ("/openapi.json", "/docs", "/me", "/products?limit=0", "/products/none"):
        answer = world.call("GET", path, world.token("customer"))
        assert answer.headers["access-control-allow-origin"] == "*", path
    exposed = world.call("GET", "/me", world.token("customer")).headers["access-control-expose-headers"]
    assert "Idempotent-Replayed" in exposed


def test_every_example_in_the_reference_is_a_valid_request(world: World) -> None:
    """The curl lines are not refused for what they say (they may be for what does not exist here)."""
    world.seed_products({"TEE-NAVY-M": 1995})
    document = world.call("GET", "/openapi.json").json
    tokens = [world.token("staff"), world.token("customer")]
    tried = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is None or path.startswith("/webhooks/") or operation["operationId"] == "claimBasket":
                continue  # (nobody can show a valid basket token)
            address = re.sub(r"{(.*?)}", lambda name: openapi_page.sample(name[1]), path).replace("$", "")
            sent = openapi_page.example(document, body["schema"])
            answers = [
                world.call(method.upper(), address, token, json=sent, key=f"example-{tried}-{token[-6:]}")
                for token in tokens
            ]
            tried += 1
            assert not any(answer.status in (400, 422) or answer.status >= 500 for answer in answers), (
                operation["operationId"], sent, answers,
            )  # fmt: skip
    assert tried >= 15
