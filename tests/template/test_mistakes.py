"""Every rule of the map finds the mistake it is there for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra import sam
from tests.template.test_rules import RULES

Template = dict[str, Any]


def _function(template: Template, name: str) -> dict[str, Any]:
    found: dict[str, Any] = template["Resources"][name]["Properties"]
    return found


def _allow(template: Template, name: str, action: str, resource: Any) -> None:
    statement = {"Effect": "Allow", "Action": [action], "Resource": resource}
    _function(template, name)["Policies"].append({"Version": "2012-10-17", "Statement": [statement]})


def _without_deny(template: Template, name: str = "PaymentsWorker") -> None:
    for policy in _function(template, name)["Policies"]:
        policy["Statement"] = [s for s in policy["Statement"] if s["Effect"] == "Allow"]


def _managed_policy(template: Template) -> None:
    _function(template, "BasketApi")["Policies"].append({"DynamoDBCrudPolicy": {"TableName": "x"}})


def _said(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = template["Resources"]["Api"]["Properties"]["GatewayResponses"]
    return found


def _stream(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = _function(template, "RelayOnStream")["Events"]["Orders"]["Properties"]
    return found


MISTAKES: list[tuple[str, Callable[[Template], Any]]] = [
    ("permissions_are_inline_and_without_wildcards", lambda t: _allow(t, "BasketApi", "dynamodb:*", "arn")),
    ("permissions_are_inline_and_without_wildcards", lambda t: _allow(t, "BasketApi", "dynamodb:GetItem", "*")),
    ("permissions_are_inline_and_without_wildcards", _managed_policy),
    ("nobody_may_scan", lambda t: _allow(t, "CatalogApi", "dynamodb:Scan", "arn")),
    (
        "a_function_may_only_touch_what_it_is_told_about",
        lambda t: _allow(t, "BasketApi", "dynamodb:UpdateItem", {"Fn::GetAtt": ["StockTable", "Arn"]}),
    ),
    ("the_ledger_is_append_only", _without_deny),
    ("the_audit_is_append_only", lambda t: _without_deny(t, "CheckoutApi")),
    ("the_audit_is_append_only", lambda t: _without_deny(t, "ProfilesSweep")),
    ("streams_lose_nothing", lambda t: _stream(t).pop("DestinationConfig")),
    ("streams_lose_nothing", lambda t: _stream(t).update(MaximumRetryAttempts=-1)),
    ("streams_lose_nothing", lambda t: _stream(t).pop("FunctionResponseTypes")),
    ("queues_outlive_their_functions", lambda t: _function(t, "StockEvents").update(VisibilityTimeout=30)),
    ("queues_outlive_their_functions", lambda t: _function(t, "StockEvents").pop("RedrivePolicy")),
    (
        "rules_deliver_to_queues_with_dead_letters",
        lambda t: _function(t, "StockRule")["Targets"][0].pop("DeadLetterConfig"),
    ),
    ("rules_deliver_to_queues_with_dead_letters", lambda t: t["Resources"].pop("StockEventsPolicy")),
    ("tables_can_be_restored", lambda t: _function(t, "OrdersTable").pop("PointInTimeRecoverySpecification")),
    ("tables_can_be_restored", lambda t: t["Resources"]["OrdersTable"].pop("DeletionPolicy")),
    (
        "erased_keys_are_gone_after_a_week",
        lambda t: _function(t, "ProfileKeysTable")["PointInTimeRecoverySpecification"].pop("RecoveryPeriodInDays"),
    ),
    ("logs_end", lambda t: _function(t, "StockLogs").pop("RetentionInDays")),
    ("logs_end", lambda t: _function(t, "StockApi").pop("LoggingConfig")),
    ("requests_end_before_the_gateway_gives_up", lambda t: _function(t, "CheckoutApi").update(Timeout=60)),
    (
        "only_public_routes_are_open",
        lambda t: _function(t, "CheckoutApi")["Events"]["GetOrder"]["Properties"].update(Auth={"Authorizer": "NONE"}),
    ),
    ("the_gateways_own_answers_are_problems_nobody_keeps", lambda t: _said(t).pop("DEFAULT_5XX")),
    ("the_gateways_own_answers_are_problems_nobody_keeps", lambda t: _said(t)["UNAUTHORIZED"].update(StatusCode=403)),
    ("the_gateways_own_answers_are_problems_nobody_keeps", lambda t: _said(t)["DEFAULT_5XX"].pop("StatusCode")),
    (
        "the_gateways_own_answers_are_problems_nobody_keeps",
        lambda t: _said(t)["THROTTLED"]["ResponseParameters"]["Headers"].pop("Cache-Control"),
    ),
    ("handlers_are_doors_of_rooms", lambda t: _function(t, "StockApi").update(Handler="stock.gone.handler")),
]


@pytest.mark.parametrize(("name", "mistake"), MISTAKES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(MISTAKES)])
def test_a_seeded_mistake_is_found(name: str, mistake: Callable[[Template], Any]) -> None:
    template = sam.load()
    before = RULES[name](template)
    mistake(template)
    assert len(RULES[name](template)) > len(before)


def test_every_rule_has_a_mistake() -> None:
    assert {name for name, _ in MISTAKES} == set(RULES)
