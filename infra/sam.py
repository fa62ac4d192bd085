"""Reading `template.yaml`, the one map of the system, as plain dictionaries.

Short tags become their long form (`!Ref X` -> `{"Ref": "X"}`, `!GetAtt A.B` -> `{"Fn::GetAtt": ["A", "B"]}`) and dates
stay text, so the result can be written as JSON and handed to CloudFormation as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "template.yaml"

FUNCTION = "AWS::Serverless::Function"
LAYER = "AWS::Serverless::LayerVersion"


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's tags and without implicit dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)


def load(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template as a dictionary; `FileNotFoundError` when there is none."""
    template: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    return template


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Logical id -> properties of every resource of one type."""
    return {
        name: resource.get("Properties") or {}
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def functions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Logical id -> properties of every function, with `Globals` merged in as SAM does (lists and maps add up)."""
    shared = template.get("Globals", {}).get("Function", {})
    return {name: _merge(shared, properties) for name, properties in of_type(template, FUNCTION).items()}


def _merge(shared: Any, own: Any) -> Any:
    if isinstance(shared, dict) and isinstance(own, dict) and not _is_intrinsic(shared) and not _is_intrinsic(own):
        return {**shared, **{key: _merge(shared.get(key), value) for key, value in own.items()}}
    if isinstance(shared, list) and isinstance(own, list):
        return [*shared, *own]
    return own


def _is_intrinsic(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def service_of(properties: dict[str, Any]) -> str:
    """The room a function lives in: `basket` of `basket.api.handler`."""
    handler: str = properties["Handler"]
    return handler.split(".", 1)[0]


def layers_of(template: dict[str, Any], properties: dict[str, Any]) -> list[str]:
    """The layer folders a function loads, in the template's order: `["commerce", "vendor"]`."""
    content = {name: folder_name(layer["ContentUri"]) for name, layer in of_type(template, LAYER).items()}
    return [content[layer["Ref"]] for layer in properties.get("Layers", []) if layer.get("Ref") in content]


def folder_name(uri: str) -> str:
    """Last part of a CodeUri or ContentUri: `vendor` of `layers/vendor/`."""
    return Path(uri).name
