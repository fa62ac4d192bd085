"""What the template's policies allow a function to do, decided for every request as IAM would.

A permission that is missing in the template fails here, not after the deployment; an explicit `Deny` wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.intrinsics import ACCOUNT, REGION
from infra.template_model import Function, Table

from .calls import Call

_TRANSACTION_ACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


@dataclass(frozen=True)
class Need:
    """One permission a request needs. `context` has the condition keys we know, each with its values."""

    action: str
    resource: str
    context: dict[str, list[str]]


def needs(call: Call, tables: dict[str, Table]) -> Iterator[Need]:
    """The permissions a request needs: one for each item of a transaction."""
    params = call.params
    match call.service, call.operation:
        case "dynamodb", "TransactWriteItems" | "TransactGetItems":
            for item in params["TransactItems"]:
                ((kind, request),) = item.items()
                yield _item(_TRANSACTION_ACTIONS[kind], tables[request["TableName"]], request)
        case "dynamodb", "BatchGetItem" | "BatchWriteItem":
            for name in params["RequestItems"]:
                yield Need(f"dynamodb:{call.operation}", tables[name].arn, {})
        case "dynamodb", _ if params.get("TableName") in tables:
            yield _item(call.operation, tables[params["TableName"]], params)
        case "ssm", "GetParameters":
            for name in params["Names"]:
                yield Need("ssm:GetParameters", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}", {})
        case "ssm", _:
            yield Need(f"ssm:{call.operation}", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{params.get('Name', '')}", {})
        case "eventbridge", "PutEvents":
            for entry in params["Entries"]:
                bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{entry.get('EventBusName', 'default')}"
                sources = {
                    "events:source": [entry.get("Source", "")],
                    "events:detail-type": [entry.get("DetailType", "")],
                }
                yield Need("events:PutEvents", bus, sources)
        case _:
            yield Need(f"{call.service}:{call.operation}", "*", {})


def _item(operation: str, table: Table, request: dict[str, Any]) -> Need:
    index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
    key = (request.get("Key") or request.get("Item") or {}).get(table.hash_key)
    return Need(f"dynamodb:{operation}", table.arn + index, {"dynamodb:LeadingKeys": list(key.values()) if key else []})


def resources(function: Function, action: str) -> list[str]:
    """The resources on which the function's policies allow an action."""
    return [
        resource
        for statement in _statements(function)
        if statement["Effect"] == "Allow" and any(_like(each, action) for each in _list(statement["Action"]))
        for resource in _list(statement["Resource"])
    ]


def refused(function: Function, need: Need) -> bool:
    """Whether the function's own policies do not allow this (or deny it)."""
    return {statement["Effect"] for statement in _statements(function) if _applies(statement, need)} != {"Allow"}


def _statements(function: Function) -> Iterator[dict[str, Any]]:
    for policy in function.properties.get("Policies", ()):
        yield from policy.get("Statement", ()) if isinstance(policy, dict) else ()


def _applies(statement: dict[str, Any], need: Need) -> bool:
    return (
        any(_like(action.lower(), need.action.lower()) for action in _list(statement["Action"]))
        and any(_like(resource, need.resource) for resource in _list(statement["Resource"]))
        and all(_holds(operator, wanted, need) for operator, wanted in statement.get("Condition", {}).items())
    )


def _holds(operator: str, wanted: dict[str, Any], need: Need) -> bool:
    """One condition operator; only those the template uses are understood."""
    quantifier, _, comparison = operator.rpartition(":")
    if comparison not in ("StringLike", "StringEquals"):
        raise ValueError(f"policy condition {operator} is not understood")
    for key, patterns in wanted.items():
        values = need.context.get(key, [])
        hits = [any(_like(str(pattern), value) for pattern in _list(patterns)) for value in values]
        # ForAllValues holds for a request without the key; the others do not
        if not (all(hits) if quantifier == "ForAllValues" else any(hits)):
            return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _like(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None
