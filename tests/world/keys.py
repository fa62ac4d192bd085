"""Reading DynamoDB requests: which items does a request touch, and which table is it about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType

from infra.template_model import Table

READS = {
    ("dynamodb", operation)
    for operation in ("GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems", "DescribeTable")
} | {("ssm", "GetParameter"), ("ssm", "GetParameters"), ("ssm", "GetParametersByPath"), ("kms", "Decrypt")}


@dataclass(frozen=True)
class Key:
    """One item's address. `hash` and `range` are moto's key objects, `text` is for people."""

    table: str
    text: str
    hash: Any = field(compare=False, repr=False)
    range: Any = field(compare=False, repr=False)

    @classmethod
    def of(cls, table: Table, values: dict[str, Any]) -> Key:
        """The key of an item, or of a request's `Key` member."""
        parts = [values[table.hash_key], *([values[table.range_key]] if table.range_key else [])]
        text = "/".join(str(next(iter(part.values()))) for part in parts)
        return cls(table.name, text, DynamoType(parts[0]), DynamoType(parts[1]) if len(parts) > 1 else None)


def keys_of(operation: str, params: dict[str, Any], tables: dict[str, Table]) -> list[Key]:
    """The items a DynamoDB request names, in its order; for a query or scan none (they have no fixed footprint)."""
    return [
        Key.of(tables[table], values)
        for table, values in _named(operation, params)
        if table in tables and _complete(tables[table], values)
    ]


def _complete(table: Table, values: dict[str, Any]) -> bool:
    return table.hash_key in values and (table.range_key is None or table.range_key in values)


def _named(operation: str, params: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    match operation:
        case "PutItem":
            return [(params["TableName"], params["Item"])]
        case "GetItem" | "UpdateItem" | "DeleteItem":
            return [(params["TableName"], params["Key"])]
        case "TransactWriteItems" | "TransactGetItems":
            actions = [next(iter(item.values())) for item in params["TransactItems"]]
            return [(action["TableName"], action.get("Key") or action.get("Item", {})) for action in actions]
        case "BatchGetItem":
            return [(table, key) for table, want in params["RequestItems"].items() for key in want["Keys"]]
        case "BatchWriteItem":
            writes = [(t, next(iter(w.values()))) for t, each in params["RequestItems"].items() for w in each]
            return [(table, write.get("Key") or write.get("Item", {})) for table, write in writes]
    return []


def eventual_tables(operation: str, params: dict[str, Any]) -> list[str]:
    """The tables a request reads with eventual consistency."""
    if operation in ("GetItem", "Query", "Scan"):
        return [] if params.get("ConsistentRead") else [params["TableName"]]
    if operation == "BatchGetItem":
        return [table for table, want in params["RequestItems"].items() if not want.get("ConsistentRead")]
    return []


def target_of(params: dict[str, Any]) -> str:
    """What a request is about, for people: `OrdersTable+StockTable`, a parameter's name, or nothing."""
    if "TransactItems" in params:
        actions = [next(iter(item.values())) for item in params["TransactItems"]]
        return "+".join(sorted({action["TableName"] for action in actions}))
    if "RequestItems" in params:
        return "+".join(sorted(params["RequestItems"]))
    if "IndexName" in params:
        return f"{params['TableName']}.{params['IndexName']}"
    return str(params.get("TableName") or params.get("Name") or "")
