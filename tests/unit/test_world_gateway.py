"""The gateway of the world answers as API Gateway does, also where chalice.local does not."""

from __future__ import annotations

import base64
import json

import pytest

from tests.world import World
from tests.world.selftest import toy_world


@pytest.fixture
def toy() -> World:
    return toy_world()


def test_the_event_is_a_whole_version_1_event(toy: World) -> None:
    # WHEN a request with repeated query members and headers is routed
    headers = [("X-Many", "one"), ("X-Many", "two"), ("Authorization", "Bearer ignored"), ("user-agent", "till/1")]
    event = toy.call("PUT", "/echo/a/of/b?x=1&x=2&empty=&spaced=a%20b", body="text", headers=headers).json
    # THEN nothing of what Lambda gets is missing
    assert (event["httpMethod"], event["path"], event["resource"]) == (
        "PUT",
        "/echo/a/of/b",
        "/echo/{first}/of/{second}",
    )
    assert event["queryStringParameters"] == {"x": "2", "empty": "", "spaced": "a b"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "empty": [""], "spaced": ["a b"]}
    assert event["headers"]["X-Many"] == "two"
    assert event["multiValueHeaders"]["X-Many"] == ["one", "two"]
    assert event["headers"]["user-agent"] == "till/1"  # case kept as sent
    assert (event["body"], event["isBase64Encoded"], event["stageVariables"]) == ("text", False, None)
    context = event["requestContext"]
    assert (context["stage"], context["path"]) == ("v1", "/v1/echo/a/of/b")
    assert (context["resourcePath"], context["httpMethod"]) == (event["resource"], "PUT")
    assert context["identity"]["sourceIp"]
    assert context["identity"]["userAgent"] == "till/1"
    assert context["requestId"]


def test_an_event_without_query_and_body_says_null(toy: World) -> None:
    event = toy.call("GET", "/echo/a/of/b").json
    assert event["queryStringParameters"] is event["multiValueQueryStringParameters"] is event["body"] is None


def test_path_parameters_are_decoded_and_do_not_leak_between_routes(toy: World) -> None:
    # "/echo/{first}/of/{second}" is tried first, and fails at its third segment
    assert toy.call("GET", "/echo/caf%C3%A9%2F1/is/x").json["pathParameters"] == {"name": "café/1", "value": "x"}


def test_a_literal_route_wins_and_a_greedy_one_takes_the_rest(toy: World) -> None:
    assert toy.call("GET", "/echo/me/of/mine").json["pathParameters"] is None
    assert toy.call("GET", "/files/a/b%20c/d").json["pathParameters"] == {"proxy": "a/b c/d"}


def test_bodies_are_text_unless_their_type_is_binary(toy: World) -> None:
    # GIVEN the template's BinaryMediaTypes: image/png
    raw = b"\x89PNG\xff"
    as_image = toy.call("POST", "/files/x", body=raw, headers={"Content-Type": "image/png"}).json
    as_text = toy.call("POST", "/files/x", body=raw, headers={"Content-Type": "text/plain"}).json
    assert (base64.b64decode(as_image["body"]), as_image["isBase64Encoded"]) == (raw, True)
    assert (as_text["body"], as_text["isBase64Encoded"]) == ("\ufffdPNG\ufffd", False)


def test_a_binary_answer_is_decoded_for_who_accepts_it(toy: World) -> None:
    assert toy.call("GET", "/files/picture", headers={"Accept": "image/png"}).body == b"\x89PNG"
    assert toy.call("GET", "/files/picture").body == base64.b64encode(b"\x89PNG")


def test_repeated_response_headers_survive(toy: World) -> None:
    answer = toy.gateway.request("GET", "/echo/a/of/b", [])
    assert [value for name, value in answer.headers if name == "Set-Cookie"] == ["a=1", "b=2"]
    assert ("X-Time", "5") in answer.headers


@pytest.mark.parametrize("how", ["raise", "shape", "body"])
def test_a_broken_function_is_a_502(toy: World, how: str) -> None:
    answer = toy.call("GET", f"/files/broken/{how}")
    assert (answer.status, answer.json) == (502, {"message": "Internal server error"})


def test_unknown_paths_and_methods_are_missing_authentication_tokens(toy: World) -> None:
    # and 4xx answers of the gateway itself carry the headers of the template's GatewayResponses
    for method, path in [("GET", "/nowhere"), ("DELETE", "/orders"), ("GET", "/echo//of/b")]:
        answer = toy.call(method, path)
        assert (answer.status, answer.json) == (403, {"message": "Missing Authentication Token"})
        assert answer.headers["access-control-allow-origin"] == "*"


def test_a_body_over_ten_megabytes_never_reaches_the_function(toy: World) -> None:
    assert toy.call("POST", "/files/x", body=b"x" * (10 * 1024 * 1024 + 1)).status == 413


def test_the_preflight_comes_from_the_template_and_runs_nothing(toy: World) -> None:
    answer = toy.call("OPTIONS", "/guarded", headers={"Origin": "https://shop.example"})
    assert answer.status == 200
    assert answer.headers["access-control-allow-methods"] == "GET,POST,OPTIONS"
    assert answer.headers["access-control-allow-headers"] == "Authorization,Content-Type"
    assert answer.headers["access-control-max-age"] == "600"
    assert toy.call("OPTIONS", "/nowhere").status == 403
    assert not toy.calls


def test_the_authorizer_of_the_template_decides(toy: World) -> None:
    assert toy.call("GET", "/guarded").status == 401
    unknown = toy.call("GET", "/guarded", token="nobody")
    assert (unknown.status, unknown.json) == (401, {"message": "Unauthorized"})
    assert unknown.headers["access-control-allow-origin"] == "*"
    denied = toy.call("GET", "/closed", token="good")
    assert (denied.status, denied.json) == (403, {"Message": "User is not authorized to access this resource"})
    allowed = toy.call("GET", "/guarded", token="good").json["requestContext"]["authorizer"]
    assert allowed == {"principalId": "toy", "staff": "true", "level": "3"}  # flattened to strings


def test_a_broken_authorizer_lets_nobody_in(toy: World) -> None:
    answer = toy.call("GET", "/guarded", token="crash")
    assert (answer.status, answer.json) == (500, {"message": None})


def test_a_decision_is_kept_for_its_time(toy: World) -> None:
    # GIVEN ReauthorizeEvery: 60
    def decisions() -> int:
        return sum(line.function == "ToyAuthorizer" for line in toy.logs)

    toy.call("GET", "/guarded", token="good")
    toy.call("GET", "/guarded", token="good")
    assert decisions() == 1
    toy.clock.tick(61)
    toy.call("GET", "/guarded", token="good")
    assert decisions() == 2


def test_a_function_sees_the_environment_the_template_gives_it(toy: World) -> None:
    # GIVEN ToyOnEvent has no BUS_NAME in the template, ToyApi has
    with toy.runtime.function_environment(toy.template.functions["ToyOnEvent"]):
        import os

        assert os.environ["TOY_TABLE"] == "ToyTable"
        assert "BUS_NAME" not in os.environ
    assert toy.template.functions["ToyApi"].env["BUS_NAME"] == "toy-mandje"


def test_what_a_function_prints_is_in_the_logs_and_not_on_the_terminal(
    toy: World, capsys: pytest.CaptureFixture[str]
) -> None:
    toy.call("GET", "/guarded", token="good")
    assert [json.loads(line.text)["decided"] for line in toy.logs] == ["allow"]
    assert capsys.readouterr().out == ""
