"""`infra.template` resolves the template as CloudFormation and SAM would."""

from __future__ import annotations

import pytest

from infra.intrinsics import NO_VALUE, Resolver
from infra.template import load, seconds
from tests.world.selftest import TEMPLATE

DOCUMENT = {
    "Parameters": {"Name": {"Type": "String", "Default": "shop"}, "Age": {"Type": "Number", "Default": 3}},
    "Conditions": {
        "Named": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Name"}, ""]}]},
        "Old": {"Fn::Equals": [{"Ref": "Age"}, 30]},
    },
    "Mappings": {"Sizes": {"eu-west-1": {"memory": 512}}},
    "Resources": {
        "Orders": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
        "Named": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${Name}-queue"}}},
    },
}


@pytest.fixture
def resolver() -> Resolver:
    return Resolver(DOCUMENT, {}, lambda logical_id: logical_id.lower())


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"Ref": "Name"}, "shop"),
        ({"Ref": "Orders"}, "orders"),
        ({"Ref": "Named"}, "https://sqs.eu-west-1.amazonaws.com/123456789012/shop-queue"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Fn::GetAtt": ["Orders", "Arn"]}, "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"),
        ({"Fn::GetAtt": ["Named", "QueueName"]}, "shop-queue"),
        (
            {"Fn::Sub": "${Name}/${Orders.Arn}/${!literal}"},
            "shop/arn:aws:dynamodb:eu-west-1:123456789012:table/orders/${literal}",
        ),
        ({"Fn::Sub": ["${a}-${Name}", {"a": {"Ref": "Age"}}]}, "3-shop"),
        ({"Fn::Join": ["+", ["a", {"Ref": "Name"}, {"Ref": "AWS::NoValue"}]]}, "a+shop"),
        ({"Fn::If": ["Named", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Old", "yes", {"Ref": "AWS::NoValue"}]}, NO_VALUE),
        ({"Fn::And": [{"Condition": "Named"}, {"Fn::Or": [{"Condition": "Old"}, {"Condition": "Named"}]}]}, True),
        ({"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]}, "b"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "memory"]}, 512),
        ({"kept": 1, "dropped": {"Ref": "AWS::NoValue"}}, {"kept": 1}),
    ],
)
def test_intrinsic_functions(resolver: Resolver, node: object, value: object) -> None:
    assert resolver.value(node) == value


@pytest.mark.parametrize("node", [{"Ref": "Nobody"}, {"Fn::GetAtt": ["Nobody", "Arn"]}, {"Fn::Sub": "${Nobody}"}])
def test_a_name_that_does_not_exist_is_an_error(resolver: Resolver, node: object) -> None:
    with pytest.raises(KeyError, match="Nobody"):
        resolver.value(node)


def test_what_it_does_not_understand_it_refuses(resolver: Resolver) -> None:
    with pytest.raises(ValueError, match="Cidr"):
        resolver.value({"Fn::Cidr": []})
    with pytest.raises(KeyError, match="Colour"):
        load(TEMPLATE, {"Colour": "red"})
    with pytest.raises(ValueError, match="cron"):
        seconds("cron(0 1 * * ? *)")


def test_rates() -> None:
    assert (seconds("rate(1 minute)"), seconds("rate(2 hours)"), seconds("rate(1 day)")) == (60, 7200, 86400)


def test_the_toy_template_as_objects() -> None:
    template = load(TEMPLATE, {"CorsOrigin": "https://shop.example"})
    by_path = {(route.method, route.path): route for route in template.routes}
    assert by_path["POST", "/orders"].authorizer is None
    assert by_path["GET", "/guarded"].authorizer == "Tokens"
    assert template.api.authorizers["Tokens"].function == "ToyAuthorizer"
    assert template.api.authorizers["Tokens"].ttl == 60
    assert template.api.cors is not None
    assert template.api.cors.origin == "https://shop.example"
    assert template.api.binary_types == ("image/png",)
    assert template.functions["ToyApi"].env == {"TOY_TABLE": "ToyTable", "BUS_NAME": "toy-mandje"}
    assert (template.functions["ToyApi"].service, template.functions["ToyApi"].timeout) == ("toyshop", 10)
    table = template.tables["ToyTable"]
    assert (table.hash_key, table.range_key, table.stream, table.ttl) == ("pk", "sk", "NEW_AND_OLD_IMAGES", "ttl")
    assert (table.indexes["due"].hash_key, table.indexes["due"].projection) == ("due_shard", "KEYS_ONLY")
    (stream,) = template.streams
    assert (stream.batch_size, stream.retries, stream.bisect, stream.partial_failures) == (10, 5, True, True)
    assert stream.failure_queue == "StreamFailures"
    assert template.queues["ToyEvents"].dead_letters == "ToyEventsDlq"
    assert (template.queues["ToyEvents"].visibility, template.queues["ToyEvents"].max_receives) == (60, 3)
    assert template.rules[0].queues == ("ToyEvents",)
    assert template.schedules[0].seconds == 60


def test_functions_are_found_by_service_and_door() -> None:
    template = load(TEMPLATE)
    assert template.function_of("toyshop.api").name == template.function_of("ToyApi").name == "ToyApi"
    with pytest.raises(KeyError, match=r"toyshop\.sweep"):
        template.function_of("toyshop.nowhere")


def test_names_of_resources_can_be_given() -> None:
    template = load(TEMPLATE, name=_prefixed)
    assert template.tables["ToyTable"].name == "test-ToyTable"
    assert template.functions["ToyApi"].env["TOY_TABLE"] == "test-ToyTable"


def _prefixed(logical_id: str) -> str:
    return f"test-{logical_id}"
