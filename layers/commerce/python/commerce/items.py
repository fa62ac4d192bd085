"""Between Python values and DynamoDB's attribute values. Integers stay integers; floats are refused."""

from typing import Any

Item = dict[str, Any]


def to_attribute(value: Any) -> dict[str, Any]:
    """One attribute value. Raises TypeError for floats: no money or stock may pass through one."""
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case None:
            return {"NULL": True}
        case bytes():
            return {"B": value}
        case dict():
            return {"M": {key: to_attribute(member) for key, member in value.items()}}
        case list() | tuple():
            return {"L": [to_attribute(member) for member in value]}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def from_attribute(attribute: dict[str, Any]) -> Any:
    """The Python value of one attribute value, also in the shape DynamoDB Streams deliver."""
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return int(value)
        case "M":
            return {key: from_attribute(member) for key, member in value.items()}
        case "L":
            return [from_attribute(member) for member in value]
        case "NULL":
            return None
    return value


def to_item(values: dict[str, Any]) -> Item:
    """A whole item. Members that are None are left out."""
    return {key: to_attribute(value) for key, value in values.items() if value is not None}


def from_item(item: Item | None) -> dict[str, Any] | None:
    """A whole item, or None if there was none."""
    return None if item is None else {key: from_attribute(value) for key, value in item.items()}


def size(value: Any) -> int:
    """Bytes DynamoDB counts for a value or a whole item (its published rules, numbers rounded up): 400 KB an item."""
    match value:
        case bool() | None:
            return 1
        case str():
            return len(value) if value.isascii() else len(value.encode())
        case int():
            return len(str(abs(value))) // 2 + 2
        case bytes():
            return len(value)
        case dict():
            return 3 + sum(1 + size(key) + size(member) for key, member in value.items())
        case list() | tuple():
            return 3 + sum(1 + size(member) for member in value)
    raise TypeError(f"{type(value).__name__} cannot be stored")
