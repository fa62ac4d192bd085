"""What SAM makes of the template, which the template itself does not show."""

from __future__ import annotations

from typing import Any

from infra import sam
from tests.template.translated import translate

Template = dict[str, Any]


def stages(template: Template) -> list[str]:
    """Every public stage of every API. A deployment with a `StageName` makes a stage that is no resource."""
    named = [each["StageName"] for each in sam.of_type(template, "AWS::ApiGateway::Stage").values()]
    for deployment in sam.of_type(template, "AWS::ApiGateway::Deployment").values():
        named += [deployment["StageName"]] if "StageName" in deployment else []
    return named


def unthrottled(template: Template) -> list[str]:
    """Stages that anybody may call as fast as the account allows."""
    limits = ("ThrottlingRateLimit", "ThrottlingBurstLimit")
    found = []
    for stage in sam.of_type(template, "AWS::ApiGateway::Stage").values():
        everything = [
            settings
            for settings in stage.get("MethodSettings", [])
            if (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
        ]
        if not any(all(settings.get(limit, 0) > 0 for limit in limits) for settings in everything):
            found.append(stage["StageName"])
    return found


def test_there_is_one_public_stage_and_it_is_throttled(translated: Template) -> None:
    assert stages(translated) == ["v1"]
    assert unthrottled(translated) == []


def test_the_second_stage_sam_makes_by_itself_is_seen() -> None:
    """The seeded mistake: without `OpenApiVersion` SAM adds a stage called `Stage`, open and without a throttle."""
    template = sam.load()
    del template["Globals"]["Api"]["OpenApiVersion"]
    assert sorted(stages(translate(template))) == ["Stage", "v1"]


def test_a_stage_without_throttle_is_seen() -> None:
    template = sam.load()
    del template["Resources"]["Api"]["Properties"]["MethodSettings"]
    assert unthrottled(translate(template)) == ["v1"]


def test_every_private_route_has_the_authorizer(translated: Template) -> None:
    """In the OpenAPI body that API Gateway is given, not only in ours."""
    (api,) = sam.of_type(translated, "AWS::ApiGateway::RestApi").values()
    document = api["Body"]
    assert document["openapi"] == "3.0.1"
    assert list(document["components"]["securitySchemes"]) == ["Tokens"]
    declared = {
        (method, path)
        for function in sam.of_type(sam.load(), sam.FUNCTION).values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "Api" and event["Properties"].get("Auth", {}).get("Authorizer") != "NONE"
        for method, path in [(event["Properties"]["Method"], event["Properties"]["Path"])]
    }
    guarded = {
        (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "options" and {"Tokens": []} in operation.get("security", [])
    }
    assert guarded == declared
