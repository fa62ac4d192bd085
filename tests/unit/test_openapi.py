"""The published contract: one document, made from the code, that fits together; and what happens when it does not."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import create_model

from commerce import door, events
from commerce.problem_types import PROBLEMS
from infra import docs, openapi, openapi_page, sam
from infra.say import Sorry

NEEDS_KEY = {
    "addLine", "claimBasket", "postMovement", "placeOrder", "cancelOrder", "startPayment", "capturePayment",
    "refundPayment", "mergeProfiles",
}  # fmt: skip
"""Operations that the contract marks with (K)."""

PUBLIC = {
    "getProduct", "listProducts", "createBasket", "getStock", "getManyStock", "listLocations", "getLocation", "stripe",
    "mollie", "molliePayment", "openApi", "docs",
}  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of the code as it is now."""
    return openapi.document()


def _operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation | {"path": path, "method": method}
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def _walk(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for member in part.values():
            yield from _walk(member)
    elif isinstance(part, list):
        for member in part:
            yield from _walk(member)


def test_what_is_committed_is_what_the_code_says() -> None:
    """`make docs` was run and its result committed."""
    assert docs.run(argparse.Namespace(check=True)) == 0


def test_it_is_the_same_every_time(document: dict[str, Any]) -> None:
    assert openapi.as_text(openapi.document()) == openapi.as_text(document)


def test_every_route_of_the_template_is_there_under_the_name_of_its_event(document: dict[str, Any]) -> None:
    routes = {
        (event["Properties"]["Method"], event["Properties"]["Path"], name[0].lower() + name[1:])
        for function in sam.functions(sam.load()).values()
        for name, event in function.get("Events", {}).items()
        if event["Type"] == "Api"
    }
    found = {(each["method"], each["path"], name) for name, each in _operations(document).items()}
    assert found == routes


def test_all_references_lead_somewhere_and_all_models_are_used(document: dict[str, Any]) -> None:
    named = {each["$ref"] for each in _walk(document) if "$ref" in each}
    assert named == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_each_operation_says_what_it_answers_and_who_may_ask(document: dict[str, Any]) -> None:
    for name, operation in _operations(document).items():
        assert operation["summary"], name
        assert any(status.startswith("2") for status in operation["responses"]), name
        assert operation["security"] == ([] if name in PUBLIC else [{"bearer": []}]), name
        if name not in PUBLIC:
            assert "401" in operation["responses"], name
        for status, response in operation["responses"].items():
            kinds = set(response.get("content", {}))
            assert kinds <= ({"application/problem+json"} if status >= "4" else {"application/json", "text/html"}), name
        in_path = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert in_path == set(re.findall(r"{(.*?)}", operation["path"])), name


def _problems_of(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """By slug: under which status an operation documents a problem, and its schema."""
    found = {}
    for status, response in operation["responses"].items():
        for media in (response["content"] if status >= "4" else {}).values():
            for choice in media["schema"].get("oneOf", [media["schema"]]):
                schema = document["components"]["schemas"][choice["$ref"].split("/")[-1]]
                slug = schema["properties"]["type"]["const"].removeprefix("/problems/")
                if "oneOf" in media["schema"]:
                    assert media["schema"]["discriminator"]["mapping"][f"/problems/{slug}"] == choice["$ref"]
                found[slug] = (status, schema)
    return found


def test_each_operation_names_its_problems_by_slug_with_their_members(document: dict[str, Any]) -> None:
    operations = _operations(document)
    problems = {name: _problems_of(document, operation) for name, operation in operations.items()}
    for name, found in problems.items():
        assert found.keys() >= {"too-many-requests", "body-too-large"}, name
        for slug, (status, schema) in found.items():
            assert schema["properties"]["status"]["const"] == int(status), (name, slug)
            assert {"type", "title", "status"} <= set(schema["required"]), (name, slug)
        if name not in PUBLIC:
            assert found.keys() >= {"unauthorized", "forbidden"}, name
        if not operations[name]["path"].startswith("/webhooks"):
            assert found.keys() >= {"validation", "unsupported-media-type"}, name
        if "{" in operations[name]["path"] and not operations[name]["path"].startswith("/webhooks"):
            assert "not-found" in found, name
    members = {
        ("placeOrder", "out-of-stock"): {"shortages", "alternatives"},
        ("placeOrder", "not-sold"): {"skus"},
        ("placeOrder", "basket-changed"): {"version", "merged_to"},
        ("placeOrder", "price-changed"): {"total"},
        ("applyOperations", "sequence-gap"): {"expected_seq", "applied_seq"},
        ("applyOperations", "sequence-conflict"): {"seq"},
        ("addLine", "basket-full"): {"limit"},
        ("startPayment", "amount-not-open"): {"open"},
        ("refundPayment", "refund-exceeds-captured"): {"refundable"},
        ("refundPayment", "refund-refused"): {"code"},
        ("postMovement", "not-enough-stock"): {"sku", "location_id", "requested", "available"},
        ("addIdentity", "identity-taken"): {"profile_id"},
        ("getProduct", "validation"): {"errors"},
    }
    for (name, slug), wanted in members.items():
        assert problems[name][slug][1]["properties"].keys() >= wanted, (name, slug)


def test_every_declared_problem_is_answered_somewhere(document: dict[str, Any]) -> None:
    answered = {slug for each in _operations(document).values() for slug in _problems_of(document, each)}
    assert answered == set(PROBLEMS)


def test_what_must_be_done_once_needs_a_key(document: dict[str, Any]) -> None:
    required = {
        name
        for name, operation in _operations(document).items()
        for each in operation.get("parameters", [])
        if each["name"] == "Idempotency-Key" and each["required"]
    }
    assert required >= NEEDS_KEY
    for name in required:
        answers = _operations(document)[name]["responses"]
        assert any("Idempotent-Replayed" in answer.get("headers", {}) for answer in answers.values()), name


def test_unknown_members_of_bodies_are_refused_in_writing(document: dict[str, Any]) -> None:
    """Also those of members: every object in a body is closed, or is a map on purpose."""
    schemas = document["components"]["schemas"]
    looked_at = set()
    for name, operation in _operations(document).items():
        todo = [operation.get("requestBody", {}).get("content", {}).get("application/json", {})]
        assert {"type": "null"} not in todo[0].get("schema", {}).get("anyOf", []), f"{name}: null is no object"
        while todo and not operation["path"].startswith("/webhooks"):
            for each in _walk(todo.pop()):
                if each.get("type") == "object":
                    assert each.get("additionalProperties", True) is not True, (name, each)
                model = str(each.get("$ref", "")).removeprefix("#/components/schemas/")
                if model and (name, model) not in looked_at:
                    looked_at.add((name, model))
                    todo.append(schemas[model])
    assert len(looked_at) > 25


# ---------------------------------------------------------------------------------------------------- what is wrong


def _toy(monkeypatch: pytest.MonkeyPatch, folder: Path, routes: str, **rooms: Callable[[Any], None]) -> list[str]:
    """What is wrong with rooms `{name: describe(app)}` and a template with these routes."""
    events_of: dict[str, str] = {}
    for route in routes.split(";"):
        room, event, method, path = route.split()
        events_of[room] = events_of.get(room, "") + (
            f"        {event}: {{Type: Api, Properties: {{RestApiId: !Ref Api, Method: {method}, Path: '{path}'}}}}\n"
        )
    text = "Resources:\n  Api: {Type: AWS::Serverless::Api, Properties: {StageName: v1}}\n"
    for room, lines in events_of.items():
        text += f"  {room.title()}:\n    Type: AWS::Serverless::Function\n    Properties:\n"
        text += f"      Handler: {room}.api.handler\n      Events:\n{lines}"
    template = folder / "template.yaml"
    template.write_text(text)
    for room, describe in rooms.items():
        package, module, app = ModuleType(room, "A toy."), ModuleType(f"{room}.api"), door.rest()
        describe(app)
        module.app = app  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, room, package)
        monkeypatch.setitem(sys.modules, f"{room}.api", module)
    return openapi.assembled(template)[1]


def _one(path: str, operation_id: str, field: str = "sku") -> Callable[[Any], None]:
    """A room with one operation that answers a model `LineView` with one member."""
    line = create_model("LineView", **{field: (str, ...)})  # type: ignore[call-overload]

    def describe(app: Any) -> None:
        def answer() -> Any: ...

        answer.__annotations__["return"] = line
        app.get(path, summary="x", tags=["x"], operation_id=operation_id)(answer)

    return describe


def test_two_models_of_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    routes = "ones GetA get /a;twos GetB get /b"
    assert _toy(monkeypatch, tmp_path, routes, ones=_one("/a", "getA"), twos=_one("/b", "getB")) == []
    wrong = _toy(monkeypatch, tmp_path, routes, ones=_one("/a", "getA"), twos=_one("/b", "getB", field="price"))
    assert wrong == ["the model LineView of twos.api is another one elsewhere"]


def test_two_models_of_one_name_in_one_room_are_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def describe(app: Any) -> None:
        first = create_model("LineView", __module__="first", sku=(str, ...))
        second = create_model("LineView", __module__="second", price=(int, ...))

        def answer(body: Any) -> Any: ...

        answer.__annotations__ = {"body": first, "return": second}
        app.post("/a", summary="x", tags=["x"], operation_id="postA")(answer)

    wrong = _toy(monkeypatch, tmp_path, "ones PostA post /a", ones=describe)
    assert "ones.api has two models LineView" in wrong


def test_what_is_routed_must_be_described_and_what_is_described_must_be_routed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    routes = "ones GetA get /a;ones GetB get /b"
    assert _toy(monkeypatch, tmp_path, routes, ones=_one("/a", "getA")) == [
        "GET /b is in the template, but ones.api does not describe it"
    ]
    assert _toy(monkeypatch, tmp_path, "ones GetA get /a", ones=_one("/c", "getA")) == [
        "GET /a is in the template, but ones.api does not describe it",
        "GET /c is described, but not in the template",
    ]
    assert _toy(monkeypatch, tmp_path, "ones GetA get /a", ones=_one("/a", "fetchA")) == [
        "GET /a is called fetchA, not getA as its event"
    ]
    assert _toy(monkeypatch, tmp_path, "gone GetA get /a")[0].startswith("gone.api cannot be loaded")


def test_a_problem_that_nobody_declares_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def describe(app: Any) -> None:
        @app.get("/a", summary="x", tags=["x"], operation_id="getA")
        @door.raises("not-found", "moon")
        def answer() -> dict[str, str]: ...

    wrong = _toy(monkeypatch, tmp_path, "ones GetA get /a", ones=describe)
    assert wrong == ["GET /a raises 'moon', which nobody declares"]


def test_everything_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "assembled", lambda template: ({}, ["one", "two", "one"]))
    with pytest.raises(Sorry, match=r"(?s)one\n  two$"):
        openapi.document()


def test_what_is_out_of_date_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sam, "ROOT", tmp_path)
    made = tmp_path / "docs" / "openapi.json"
    old = tmp_path / "events" / "schemas" / "gone.json"
    monkeypatch.setattr(docs, "generated", lambda: {made: "{}"})
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    with pytest.raises(Sorry, match=r"out of date: docs/openapi\.json, events/schemas/gone\.json"):
        docs.run(argparse.Namespace(check=True))
    assert not made.exists()
    docs.run(argparse.Namespace(check=False))
    assert made.read_text() == "{}"
    assert not old.exists()
    assert docs.run(argparse.Namespace(check=True)) == 0


# --------------------------------------------------------------------------------------------------------- the page


class _Page(HTMLParser):
    """What a page is made of; complains about tags that do not match."""

    VOID = frozenset({"meta", "link", "input", "br", "wbr", "hr", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open += [] if tag in self.VOID else [tag]
        known = dict(attrs)
        if known.get("id"):
            self.ids.append(str(known["id"]))
        self.links += [str(known[name]) for name in ("href", "src", "action") if known.get(name)]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_shows_every_operation_and_model_and_needs_nothing_from_elsewhere(document: dict[str, Any]) -> None:
    page = _Page(openapi_page.page(document))
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert set(page.ids) >= set(_operations(document)) | {
        f"schema-{name}" for name in document["components"]["schemas"]
    }
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert {link for link in page.links if not link.startswith("#")} == {"openapi.json"}


def test_the_page_escapes_what_the_code_says(document: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(document))
    changed["paths"]["/me"]["get"]["summary"] = "<script>alert(1)</script>"
    assert "<script>alert" not in openapi_page.page(changed)


# ------------------------------------------------------------------------------------------------------- the events


def test_every_event_type_has_a_schema_that_names_no_person() -> None:
    schemas = {name: json.loads(text) for name, text in docs.event_schemas().items()}
    assert set(schemas) == {f"{kind}.json" for kind in events.TYPES} | {"envelope.json"}
    for name, schema in schemas.items():
        assert schema["$id"] == f"/events/schemas/{name}"
        members = {member for each in _walk(schema) for member in each.get("properties", {})}
        assert not members & {"email", "phone", "given_name", "family_name", "name", "address", "contact", "value"}, (
            name
        )
