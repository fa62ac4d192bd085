"""Rules of the map: what must hold for every function, table, queue and permission in `template.yaml`.

Each rule is a function from a template to the list of what breaks it, so that the same rule is shown to find a
seeded mistake (`test_mistakes.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from commerce import answers, problem_types
from infra import sam

Template = dict[str, Any]
Rule = Callable[[Template], list[str]]
RULES: dict[str, Rule] = {}


def rule(check: Rule) -> Rule:
    """Register a rule under its own name."""
    RULES[check.__name__] = check
    return check


def functions(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Logical id and properties of every function, with the globals merged in."""
    common = template["Globals"]["Function"]
    for name, properties in sam.of_type(template, "AWS::Serverless::Function").items():
        yield name, common | properties


def statements(properties: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every inline permission of a function."""
    for policy in properties.get("Policies", []):
        yield from policy.get("Statement", [])


def events(properties: dict[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Event sources of one kind."""
    for name, event in properties.get("Events", {}).items():
        if event["Type"] == kind:
            yield name, event["Properties"]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@rule
def permissions_are_inline_and_without_wildcards(template: Template) -> list[str]:
    broken = []
    for name, properties in functions(template):
        for policy in properties.get("Policies", []):
            if not isinstance(policy, dict) or "Statement" not in policy:
                broken.append(f"{name}: {policy} is not an inline policy")
        for statement in statements(properties):
            broken += [f"{name}: action {a}" for a in as_list(statement["Action"]) if "*" in a]
            broken += [f"{name}: resource {r}" for r in as_list(statement["Resource"]) if r == "*" or ":*" in str(r)]
    return broken


@rule
def nobody_may_scan(template: Template) -> list[str]:
    return [
        name
        for name, properties in functions(template)
        for statement in statements(properties)
        if {"dynamodb:Scan", "dynamodb:PartiQLSelect"} & set(as_list(statement["Action"]))
    ]


@rule
def a_function_may_only_touch_what_it_is_told_about(template: Template) -> list[str]:
    """Rooms write only their own table; checkout alone composes the others' fragments."""
    own = {"basket": "Basket", "catalog": "Catalog", "stock": "Stock", "payments": "Payments", "profiles": "Profile"}
    writes = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
    broken = []
    for name, properties in functions(template):
        service = properties["Handler"].split(".")[0]
        for statement in statements(properties):
            if service in own and statement["Effect"] == "Allow" and writes & set(as_list(statement["Action"])):
                for resource in as_list(statement["Resource"]):
                    target = str(resource.get("Fn::GetAtt", resource))
                    if own[service] not in target:
                        broken.append(f"{name} may write {target}")
    return broken


@rule
def the_ledger_is_append_only(template: Template) -> list[str]:
    """Whoever may update the payments table is forbidden to update or delete ledger entries."""
    return _may_rewrite(template, "PaymentsTable", "LEDGER#*")


@rule
def the_audit_is_append_only(template: Template) -> list[str]:
    """Whoever may update a table with audit entries is forbidden to update or delete those."""
    kept_in = ("CatalogTable", "OrdersTable", "PaymentsTable", "ProfilesTable")
    return [f"{name} in {table}" for table in kept_in for name in _may_rewrite(template, table, "AUDIT#*")]


def _may_rewrite(template: Template, table: str, keys: str) -> list[str]:
    """Functions that may update or delete anything in the table, these keys included."""
    broken = []
    for name, properties in functions(template):
        changing = {"dynamodb:UpdateItem", "dynamodb:DeleteItem"}
        here = [s for s in statements(properties) if f"'{table}', 'Arn'" in str(s["Resource"])]
        allowed = {a for s in here if s["Effect"] == "Allow" for a in as_list(s["Action"])} & changing
        denied = {
            action
            for s in here
            if s["Effect"] == "Deny" and keys in str(s.get("Condition", ""))
            for action in as_list(s["Action"])
        }
        if allowed and not denied >= changing:
            broken.append(name)
    return broken


@rule
def streams_lose_nothing(template: Template) -> list[str]:
    broken = []
    for name, properties in functions(template):
        for event, source in events(properties, "DynamoDB"):
            wanted = {
                "bisects": source.get("BisectBatchOnFunctionError") is True,
                "caps its retries": 0 < source.get("MaximumRetryAttempts", 0) <= 100,
                "has a failure destination": bool(source.get("DestinationConfig", {}).get("OnFailure")),
                "reports partial failures": source.get("FunctionResponseTypes") == ["ReportBatchItemFailures"],
                "starts at the oldest record": source.get("StartingPosition") == "TRIM_HORIZON",
            }
            broken += [f"{name}.{event}: {what}" for what, holds in wanted.items() if not holds]
    return broken


@rule
def queues_outlive_their_functions(template: Template) -> list[str]:
    """Six times the function's timeout, as AWS advises, and a dead letter queue that keeps two weeks."""
    broken = []
    queues = sam.of_type(template, "AWS::SQS::Queue")
    for name, properties in functions(template):
        for event, source in events(properties, "SQS"):
            queue = queues[source["Queue"]["Fn::GetAtt"][0]]
            if source.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
                broken.append(f"{name}.{event}: no partial failures")
            if queue.get("VisibilityTimeout", 30) < 6 * properties["Timeout"]:
                broken.append(f"{name}.{event}: visibility under six timeouts")
            redrive = queue.get("RedrivePolicy")
            if not redrive:
                broken.append(f"{name}.{event}: no dead letter queue")
            elif queues[redrive["deadLetterTargetArn"]["Fn::GetAtt"][0]].get("MessageRetentionPeriod") != 1_209_600:
                broken.append(f"{name}.{event}: dead letters are not kept two weeks")
    return broken


@rule
def rules_deliver_to_queues_with_dead_letters(template: Template) -> list[str]:
    broken = []
    for name, properties in sam.of_type(template, "AWS::Events::Rule").items():
        for target in properties["Targets"]:
            if "DeadLetterConfig" not in target or "RetryPolicy" not in target:
                broken.append(f"{name}: target {target['Id']} may lose events")
    policies = str(sam.of_type(template, "AWS::SQS::QueuePolicy"))
    rules = sam.of_type(template, "AWS::Events::Rule")
    broken += [f"{name}: no queue trusts it" for name in rules if name not in policies]
    return broken


@rule
def tables_can_be_restored(template: Template) -> list[str]:
    broken = []
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        table = resource["Properties"]
        recovery = table.get("PointInTimeRecoverySpecification", {})
        wanted = {
            "point-in-time recovery": recovery.get("PointInTimeRecoveryEnabled"),
            "encryption": table.get("SSESpecification", {}).get("SSEEnabled"),
            "deletion protection": table.get("DeletionProtectionEnabled"),
            "retained on delete": resource.get("DeletionPolicy") == "Retain" == resource.get("UpdateReplacePolicy"),
            "on demand": table.get("BillingMode") == "PAY_PER_REQUEST",
        }
        broken += [f"{name}: {what}" for what, holds in wanted.items() if not holds]
    return broken


@rule
def erased_keys_are_gone_after_a_week(template: Template) -> list[str]:
    recovery = sam.of_type(template, "AWS::DynamoDB::Table")["ProfileKeysTable"]["PointInTimeRecoverySpecification"]
    return [] if recovery.get("RecoveryPeriodInDays") == 7 else ["ProfileKeysTable keeps erased keys longer"]


@rule
def logs_end(template: Template) -> list[str]:
    groups = sam.of_type(template, "AWS::Logs::LogGroup")
    broken = [f"{name}: no retention" for name, group in groups.items() if "RetentionInDays" not in group]
    for name, properties in functions(template):
        if properties.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref") not in groups:
            broken.append(f"{name}: no log group")
    return broken


@rule
def requests_end_before_the_gateway_gives_up(template: Template) -> list[str]:
    return [
        name
        for name, properties in functions(template)
        if any(events(properties, "Api")) and properties["Timeout"] > 28
    ]


@rule
def only_public_routes_are_open(template: Template) -> list[str]:
    """The routes the contract calls public, and no other, go without the authorizer."""
    public = {
        ("get", "/products/{sku}"), ("get", "/products"), ("post", "/baskets"), ("get", "/stock/{sku}"),
        ("get", "/stock"), ("get", "/locations"), ("get", "/locations/{location_id}"), ("get", "/openapi.json"),
        ("get", "/docs"), ("post", "/webhooks/stripe/{account}"), ("post", "/webhooks/mollie/{account}"),
        ("post", "/webhooks/mollie/{account}/{token}"),
    }  # fmt: skip
    open_routes = {
        (source["Method"], source["Path"])
        for _, properties in functions(template)
        for _, source in events(properties, "Api")
        if source.get("Auth", {}).get("Authorizer") == "NONE"
    }
    return [f"open: {route}" for route in open_routes - public] + [f"closed: {route}" for route in public - open_routes]


@rule
def the_gateways_own_answers_are_problems_nobody_keeps(template: Template) -> list[str]:
    """What the gateway says by itself is of the contract too: a problem document with a slug, for no cache."""
    said = sam.of_type(template, "AWS::Serverless::Api")["Api"]["GatewayResponses"]
    broken = [f"{kind}: API Gateway's own words" for kind in ("DEFAULT_4XX", "DEFAULT_5XX") if kind not in said]
    for kind, answer in said.items():
        headers = answer["ResponseParameters"]["Headers"]
        if headers.get("Content-Type") != f"'{answers.PROBLEM}'" or set(answer["ResponseTemplates"]) != {
            "application/json"
        }:
            broken.append(f"{kind}: no problem document")
        if headers.get("Cache-Control") != f"'{answers.NO_STORE}'":
            broken.append(f"{kind}: may be kept")
        problem = json.loads(answer["ResponseTemplates"]["application/json"])
        slug, status = problem["type"].removeprefix("/problems/"), answer.get("StatusCode")
        declared = problem_types.STATUS | (
            {"unavailable": status} if status in (500, 502, 504) else {"bad-request": 400}
        )
        if not status or problem["status"] != status or declared.get(slug) != status:
            broken.append(f"{kind}: {slug} is not declared with status {status}")
    return broken


@rule
def handlers_are_doors_of_rooms(template: Template) -> list[str]:
    broken = []
    for name, properties in functions(template):
        service, door, attribute = properties["Handler"].split(".")
        if attribute != "handler" or not (sam.ROOT / "functions" / service / f"{door}.py").is_file():
            broken.append(f"{name}: {properties['Handler']} is no door")
        if name.lower() != (service + door).replace("_", "").lower():
            broken.append(f"{name}: not named after {properties['Handler']}")
    return broken


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_template_keeps_the_rule(name: str) -> None:
    assert RULES[name](sam.load()) == []
