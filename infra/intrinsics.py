"""CloudFormation's intrinsic functions, resolved to plain values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

REGION = "eu-west-1"
ACCOUNT = "123456789012"
NO_VALUE = object()

_PSEUDO: dict[str, Any] = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::StackName": "mandje",
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/mandje/0",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": NO_VALUE,
}


class Resolver:
    """Turns intrinsic functions into values. Names and ARNs of resources come from `name(logical_id)`."""

    def __init__(self, document: dict[str, Any], parameters: dict[str, str], name: Callable[[str], str]) -> None:
        declared = document.get("Parameters", {})
        unknown = set(parameters) - set(declared)
        if unknown:
            raise KeyError(f"the template has no parameter {', '.join(sorted(unknown))}")
        self.parameters = {key: parameters.get(key, spec.get("Default", "")) for key, spec in declared.items()}
        self.resources: dict[str, dict[str, Any]] = document["Resources"]
        self.conditions: dict[str, Any] = document.get("Conditions", {})
        self.mappings: dict[str, Any] = document.get("Mappings", {})
        self._name = name

    def name(self, logical_id: str) -> str:
        """The physical name: what the resource calls itself, else what the caller calls it."""
        properties = self.resources[logical_id].get("Properties", {})
        for key in ("TableName", "QueueName", "Name", "TopicName"):
            if key in properties:
                return str(self.value(properties[key]))
        return self._name(logical_id)

    def condition(self, name: str) -> bool:
        """Whether a named condition holds with these parameters."""
        return bool(self.value(self.conditions[name]))

    def value(self, node: Any) -> Any:
        """`node` with every intrinsic function replaced; members set to `AWS::NoValue` disappear."""
        if isinstance(node, list):
            return [item for item in map(self.value, node) if item is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (function, argument), *_ = node.items()
            if function in ("Ref", "Condition") or function.startswith("Fn::"):
                return self._call(function, argument)
        resolved = {key: self.value(item) for key, item in node.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def _call(self, function: str, argument: Any) -> Any:
        match function.removeprefix("Fn::"):
            case "Ref":
                return self.ref(argument)
            case "Condition":
                return self.condition(argument)
            case "GetAtt":
                logical_id, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
                return self.attribute(logical_id, attribute)
            case "Sub":
                return self._sub(*(argument if isinstance(argument, list) else (argument, {})))
            case "Join":
                return str(argument[0]).join(str(item) for item in self.value(argument[1]))
            case "If":
                return self.value(argument[1] if self.condition(argument[0]) else argument[2])
            case "Equals":
                left, right = self.value(argument)
                return str(left) == str(right)
            case "Not":
                return not self.value(argument[0])
            case "And":
                return all(self.value(argument))
            case "Or":
                return any(self.value(argument))
            case "Select":
                return self.value(argument[1])[int(self.value(argument[0]))]
            case "Split":
                return self.value(argument[1]).split(argument[0])
            case "FindInMap":
                mapping, first, second = self.value(argument)
                return self.mappings[mapping][first][second]
            case "ToJsonString":
                return self.value(argument)
        raise ValueError(f"intrinsic function {function} is not understood")

    def _sub(self, text: str, variables: dict[str, Any]) -> str:
        def one(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in variables:
                return str(self.value(variables[name]))
            logical_id, dot, attribute = name.partition(".")
            is_attribute = dot and logical_id in self.resources and name not in self.parameters
            return str(self.attribute(logical_id, attribute) if is_attribute else self.ref(name))

        return re.sub(r"\$\{([^}]+)\}", one, text)

    def ref(self, name: str) -> Any:
        """What `!Ref` answers: a parameter's value, a pseudo parameter, or a resource's name (a queue: its URL)."""
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self.parameters:
            return self.parameters[name]
        logical_id = name.removesuffix(".Stage")
        if logical_id not in self.resources:
            raise KeyError(f"!Ref {name}: no such parameter or resource")
        if name != logical_id:
            return self.value(self.resources[logical_id]["Properties"]["StageName"])
        if self.resources[name]["Type"] == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.name(name)}"
        return self.name(name)

    def attribute(self, logical_id: str, attribute: str) -> str:
        """What `!GetAtt` answers for the resource types in use; other attributes get a recognisable stand-in."""
        if logical_id not in self.resources:
            raise KeyError(f"!GetAtt {logical_id}.{attribute}: no such resource")
        kind, name = self.resources[logical_id]["Type"], self.name(logical_id)
        if attribute in ("Name", "QueueName", "TableName"):
            return name
        service, prefix = {
            "AWS::DynamoDB::Table": ("dynamodb", "table/"),
            "AWS::SQS::Queue": ("sqs", ""),
            "AWS::Events::EventBus": ("events", "event-bus/"),
            "AWS::Serverless::Function": ("lambda", "function:"),
            "AWS::Lambda::Function": ("lambda", "function:"),
            "AWS::Logs::LogGroup": ("logs", "log-group:"),
        }.get(kind, ("cloudformation", ""))
        arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{prefix}{name}"
        if attribute == "Arn":
            return arn
        if attribute == "StreamArn":
            return f"{arn}/stream/2026-01-01T00:00:00.000"
        return f"{logical_id}.{attribute}"
