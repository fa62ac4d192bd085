"""What arrived at a door: can it be read, and does it say only what its route declares?

Whatever is odd about a request is an answer (413, 415, 422), never an exception of a library. Plain functions over the
proxy event; doors without a resolver use them too.
"""

import base64
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from commerce.problems import Problem

JSON = "application/json"
_MAX_DEPTH = 16
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

Event = dict[str, Any]
Error = dict[str, Any]
"""`{loc, msg, type}`, as in the `errors` of a 422."""


def tidied(event: Event) -> Event:
    """The event with a text body and without nulls where there should be maps of text."""
    query = {name: value or "" for name, value in (event.get("queryStringParameters") or {}).items()}
    headers = {name: value for name, value in (event.get("headers") or {}).items() if name.lower() != "content-type"}
    # What is no JSON has been refused; how a client spells the type, and a type without a body, mean nothing from here.
    event = event | {"queryStringParameters": query, "headers": headers | {"content-type": JSON}}
    if not event.get("isBase64Encoded") or not event.get("body"):
        return event
    # Bodies arrive base64-encoded when the gateway took them for binary; JSON is text.
    try:
        text = base64.b64decode(event["body"], validate=True).decode()
    except ValueError:
        text = "\x00"  # no JSON, and told so where JSON is read
    return event | {"body": text, "isBase64Encoded": False}


def refused(event: Event, max_body: int) -> Problem | None:
    """413 for a body that is too large, 415 for one that is not JSON. No body needs no type."""
    body = event.get("body") or ""
    limit = max_body * 4 // 3 if event.get("isBase64Encoded") else max_body
    if len(body.encode(errors="replace")) > limit:
        return Problem(413, "body-too-large", "Too large", f"A body has at most {max_body} bytes.")
    if body and {_media_type(each) for each in header(event, "content-type") or [""]} != {JSON}:
        return Problem(415, "unsupported-media-type", "Not JSON", f"Send a body as {JSON}.")
    return None


def header(event: Event, name: str) -> list[str]:
    """All values of a header, whatever its case and whichever way the gateway passed it."""
    repeated = event.get("multiValueHeaders") or {}
    found = [value for key, values in repeated.items() if key.lower() == name for value in values or []]
    plain = event.get("headers") or {}
    return found or [value for key, value in plain.items() if key.lower() == name and value is not None]


def read_json(text: str | None) -> Any:
    """Strict JSON, always an object: no NaN, no absurd numbers or nesting, no member twice.

    Whatever is wrong is one kind of error.
    """
    try:
        value = json.loads(text or "", parse_constant=_no_constant, object_pairs_hook=_each_once)
        _only_characters(text or "", value)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError(str(error) or type(error).__name__, "", 0) from None
    if not isinstance(value, dict):
        raise json.JSONDecodeError("no object", "", 0)
    if _depth(value) > _MAX_DEPTH:
        raise json.JSONDecodeError("nested too deeply", "", 0)
    return value


def no_json(error: json.JSONDecodeError) -> Error:
    """What a caller is told who sent no JSON object."""
    at = f" (at character {error.pos})" if error.pos else ""
    return {"loc": ["body"], "msg": f"This is no JSON object: {error.msg}{at}", "type": "json_invalid"}


def undeclared_query(event: Event, declared: Collection[str]) -> list[Error]:
    """Query members that the route does not know: a misspelt `cursor` must not give page one for ever."""
    said = {**(event.get("queryStringParameters") or {}), **(event.get("multiValueQueryStringParameters") or {})}
    return [_undeclared("query", name) for name in said if name not in declared]


def repeated_query(event: Event, lists: Mapping[str, bool]) -> list[Error]:
    """Query members that were sent twice and are no lists. `lists`: by name, whether the route takes a list."""
    said = event.get("multiValueQueryStringParameters") or {}
    twice = [name for name, values in said.items() if len(values or ()) > 1 and not lists.get(name, True)]
    return [{"loc": ["query", name], "msg": "This may be sent only once", "type": "repeated"} for name in twice]


def undeclared_body(event: Event) -> list[Error]:
    """Anything said to a route that takes no body. Nothing, or `{}`, is as good."""
    if not event.get("body"):
        return []
    try:
        return [_undeclared("body", name) for name in read_json(event["body"])]
    except json.JSONDecodeError as error:
        return [no_json(error)]


def place(loc: Sequence[str | int], body: Any, kind: str, failed: Any = None) -> list[str | int]:
    """Where an error is, in names of the contract only: without what pydantic puts in for itself.

    Pydantic's places also name validators (`function-after[...]`), the branches of unions and the tags of models. What
    is a member or a position of the body itself stays; `failed` is the value pydantic was looking at, and tells a tag
    from a member of the same name.
    """
    if not loc or loc[0] != "body":
        return [*loc[:2], *(each for each in loc[2:] if isinstance(each, int))]
    ways = _ways(loc[1:], body, kind == "missing")
    return ["body", *next((way for way, there in ways if there is failed), ways[0][0])]


def _ways(loc: Sequence[str | int], here: Any, missing: bool) -> list[tuple[list[str | int], Any]]:
    """Each reading of the place with the value it leads to, the likeliest first."""
    if not loc:
        return [([], here)]
    first, rest = loc[0], loc[1:]
    if missing and not rest and isinstance(here, dict):
        return [([first], here)]
    without = _ways(rest, here, missing)
    there = isinstance(here, dict) if isinstance(first, str) else isinstance(here, list) and first < len(here)
    if not there or (isinstance(first, str) and first not in here):
        return without
    return [([first, *way], value) for way, value in _ways(rest, here[first], missing)] + without


def _undeclared(part: str, name: str) -> Error:
    return {"loc": [part, name], "msg": "There is no such member here", "type": "extra_forbidden"}


def _media_type(content_type: str) -> str:
    return content_type.split(";")[0].strip(" \t").lower()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A member that is there twice means two things, and one of them would be ignored."""
    value = dict(members)
    if len(value) != len(members):
        raise ValueError("a member is there twice")
    return value


def _only_characters(text: str, value: Any) -> None:
    """Half a surrogate pair is no character, and could not be stored or answered. Raises ValueError."""
    text.encode()
    if _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()


def _depth(value: Any) -> int:
    level, deep = [value], 0
    while level and deep <= _MAX_DEPTH + 1:
        level = [
            member
            for outer in level
            if isinstance(outer, dict | list)
            for member in (outer.values() if isinstance(outer, dict) else outer)
        ]
        deep += 1
    return deep
