"""The reference as one HTML page: works offline, without JavaScript too, in light and dark, with any screen reader."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

_SHELL = Path(__file__).parent / "openapi_page.html"
_METHODS = ("get", "put", "post", "delete")
_VALUES = {
    "sku": "TEE-NAVY-M",
    "location_id": "ams-kalverstraat",
    "basket_id": "0190a1b2-0000-7000-8000-0000000000b1",
    "customer_id": "0190a1b2-0000-7000-8000-000000000001",
    "profile_id": "0190a1b2-0000-7000-8000-000000000001",
    "account": "default",
    "channel": "web",
    "currency": "EUR",
    "amount": 1299,
    "quantity": 1,
    "device_id": "till-ams-1",
    "at": "2026-11-21T10:00:00Z",
    "contact": {"name": "Anna de Vries", "email": "anna@example.com"},
}
"""Values of the demo retailer, for the curl lines: what is named so is shown, required or not."""


def page(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document, always the same for the same document."""
    return (
        _SHELL.read_text(encoding="utf-8")
        .replace("{{title}}", escape(document["info"]["title"]))
        .replace("{{version}}", escape(document["info"]["version"]))
        .replace("{{summary}}", escape(document["info"]["summary"]))
        .replace("{{description}}", _prose(document["info"]["description"]))
        .replace("{{contents}}", "".join(_contents(document)))
        .replace("{{operations}}", "".join(_operations(document)))
        .replace("{{schemas}}", "".join(_schemas(document)))
    )


# ----------------------------------------------------------------------------------------------------- operations


def _by_tag(document: dict[str, Any]) -> Iterator[tuple[dict[str, str], list[tuple[str, str, dict[str, Any]]]]]:
    for tag in document["tags"]:
        found = [
            (method, path, operations[method])
            for path, operations in document["paths"].items()
            for method in _METHODS
            if method in operations and tag["name"] in operations[method]["tags"]
        ]
        yield tag, found


def _contents(document: dict[str, Any]) -> Iterator[str]:
    for tag, operations in _by_tag(document):
        yield f'<li><a href="#{tag["name"]}">{escape(tag["name"])}</a><ul>'
        for method, path, operation in operations:
            yield f'<li><a href="#{operation["operationId"]}">{_verb(method)} {_path(path)}</a></li>'
        yield "</ul></li>\n"


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for tag, operations in _by_tag(document):
        yield f'<section aria-labelledby="{tag["name"]}"><h2 id="{tag["name"]}">{escape(tag["name"])}</h2>'
        yield f"<p>{escape(tag['description'])}</p>\n"
        for method, path, operation in operations:
            yield from _operation(document, method, path, operation)
        yield "</section>\n"


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    name = operation["operationId"]
    yield f'<article id="{name}" aria-labelledby="{name}-title"><h3 id="{name}-title">{_verb(method)} {_path(path)} '
    yield f"<small>{escape(operation['summary'])}</small></h3>"
    yield _prose(operation.get("description", ""))
    yield f"<p class=access>{'Needs a bearer token.' if operation['security'] else 'Public.'}</p>"
    if operation.get("parameters"):
        yield "<table><caption>Parameters</caption><thead><tr><th scope=col>Name</th><th scope=col>In</th>"
        yield "<th scope=col>Type</th><th scope=col>Meaning</th></tr></thead><tbody>"
        for each in operation["parameters"]:
            need = " <b>required</b>" if each.get("required") else ""
            meaning = each.get("description") or each["schema"].get("description", "")
            yield f"<tr><td><code>{escape(each['name'])}</code>{need}</td><td>{each['in']}</td>"
            yield f"<td>{_type(each['schema'])}</td><td>{_inline(meaning)}</td></tr>"
        yield "</tbody></table>"
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h4>Body <small>{escape(kind)}</small></h4>{_type(media['schema'])}"
    yield "<h4>Answers</h4><dl>"
    for status, response in operation["responses"].items():
        models = [_type(media["schema"]) for media in response.get("content", {}).values() if "schema" in media]
        yield f"<dt><code>{status}</code></dt><dd>{_inline(response['description'])} {' '.join(models)}</dd>"
    curl = escape(_curl(document, method, path, operation))
    yield f'</dl><h4>Try it</h4><pre tabindex=0 aria-label="curl line for {name}"><code>{curl}</code></pre></article>\n'


def _curl(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> str:
    address = re.sub(r"{(.*?)}", lambda name: sample(name[1]), path) + _query(operation)
    lines = [f'curl -X {method.upper()} "$API{address}"']
    if operation["security"]:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    for each in operation.get("parameters", []):
        if each["in"] == "header" and each.get("required"):
            value = "$(uuidgen)" if each["name"] == "Idempotency-Key" else "..."
            lines.append(f'-H "{each["name"]}: {value}"')
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        lines.append(f'-H "Content-Type: {kind}"')
        body = example(document, media["schema"])
        text = "&".join(f"{k}={v}" for k, v in body.items()) if "form" in kind else json.dumps(body, ensure_ascii=False)
        lines.append(f"-d '{text}'")
    return " \\\n  ".join(lines)


def _query(operation: dict[str, Any]) -> str:
    asked = [
        f"{each['name']}={each['schema'].get('examples', ['...'])[0]}"
        for each in operation.get("parameters", [])
        if each["in"] == "query" and each.get("required")
    ]
    return f"?{'&'.join(asked)}" if asked else ""


def sample(name: str) -> str:
    """A value for a path parameter: the demo retailer's, or the name of a shell variable."""
    return str(_VALUES.get(name, f"${name.upper()}"))


def example(document: dict[str, Any], schema: dict[str, Any], name: str = "", depth: int = 0) -> Any:
    """A value that the schema allows: its own example, or the least that is required."""
    if "examples" in schema:
        return schema["examples"][0]
    if name in _VALUES:
        return _money_or(_VALUES[name], schema)
    if "$ref" in schema:
        return example(document, document["components"]["schemas"][schema["$ref"].split("/")[-1]], name, depth + 1)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    for choice in schema.get("anyOf", schema.get("oneOf", [])):
        return example(document, choice, name, depth + 1)
    match schema.get("type"):
        case "object":
            required = schema.get("required", [])
            told = {
                key: each
                for key, each in schema.get("properties", {}).items()
                if key in required or "examples" in each or key in ("quantity", "contact")
            }
            return {key: example(document, each, key, depth + 1) for key, each in told.items()} if depth < 8 else {}
        case "array":
            return [example(document, schema.get("items", {}), name, depth + 1)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
    return "..."


def _money_or(value: Any, schema: dict[str, Any]) -> Any:
    """`amount` is a number inside of money, and money elsewhere."""
    if value == _VALUES["amount"] and schema.get("type") != "integer":
        return {"amount": value, "currency": _VALUES["currency"]}
    return value


# -------------------------------------------------------------------------------------------------------- schemas


def _schemas(document: dict[str, Any]) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        yield f'<article id="schema-{name}"><h3>{escape(name)}</h3>{_prose(schema.get("description", ""))}'
        required = schema.get("required", [])
        rows = [
            f"<tr><td><code>{escape(key)}</code>{' <b>required</b>' if key in required else ''}</td>"
            f"<td>{_type(each)}</td><td>{_inline(each.get('description', ''))}</td></tr>"
            for key, each in schema.get("properties", {}).items()
        ]
        if rows:
            yield f"<table><caption>Members of {escape(name)}</caption><thead><tr><th scope=col>Name</th>"
            yield f"<th scope=col>Type</th><th scope=col>Meaning</th></tr></thead><tbody>{''.join(rows)}</tbody>"
            yield "</table>"
        yield "</article>\n"


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words, with links to the models it names."""
    if "$ref" in schema:
        name = schema["$ref"].split("/")[-1]
        return f'<a href="#schema-{name}">{escape(name)}</a>'
    for key, between in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if key in schema:
            return between.join(_type(each) for each in schema[key])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"<code>{escape(json.dumps(each))}</code>" for each in values)
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}{_bounds(schema)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map of text to {_type(schema['additionalProperties'])}"
    words = kind if isinstance(kind, str) else " or ".join(kind)
    return {"string": "text", "null": "nothing"}.get(words, words) + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    parts = []
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        if low in schema or high in schema:
            parts.append(f"{schema.get(low, '')}–{schema.get(high, '')}{unit}")
    if "pattern" in schema:
        parts.append(f"<code>{escape(schema['pattern'])}</code>")
    if schema.get("default") is not None:
        parts.append(f"default <code>{escape(json.dumps(schema['default']))}</code>")
    return f" <small>({', '.join(parts)})</small>" if parts else ""


# ----------------------------------------------------------------------------------------------------------- text


def _verb(method: str) -> str:
    return f'<span class="verb {method}">{method.upper()}</span>'


def _path(path: str) -> str:
    """A path that may break after its slashes on a narrow screen."""
    return f"<code>{escape(path).replace('/', '/<wbr>')}</code>"


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph.strip())


def _inline(text: str) -> str:
    return re.sub(r"`(.+?)`", r"<code>\1</code>", escape(text))
