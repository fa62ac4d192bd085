"""How dots and logs are called: after the request or the device they come from, never after somebody else's."""

import base64
import re
from dataclasses import replace

from basket.operations import Operation
from commerce import baskets, clock, ids
from commerce.principal import Principal

_PLAIN = re.compile(r"[A-Za-z0-9~][A-Za-z0-9~_.:-]{0,27}")


def of_key(basket_id: str, caller: Principal, key: str) -> str:
    """The name of what a request adds: a repeat has the same, another caller's key or basket never."""
    return baskets.short_digest(basket_id, caller.key, key)


def fresh() -> str:
    """A name for what needs none to be recognised by."""
    return "=" + base64.urlsafe_b64encode(ids.random_bytes(6)).decode()


def of_log(caller: Principal, device_id: str) -> str:
    """The name of a device's log. No shopper's device can take a till's name, nor one till another's."""
    if not caller.serves:
        return _plain(f"~{device_id}")
    return _plain(device_id if caller.id == device_id else f"{caller.id}~{device_id}")


def of_server(caller: Principal) -> str:
    """Who served the shopper, as a dot remembers it."""
    return _plain(caller.id)


def own_seen(operation: Operation, device_id: str, writer: str) -> Operation:
    """The operation, with the device's own adds called as they are stored: devices know them as `<device_id>|<seq>`."""
    if operation.seen is None:
        return operation
    own = f"{device_id}|"
    return replace(
        operation,
        seen=tuple(f"{writer}|{name.removeprefix(own)}" if name.startswith(own) else name for name in operation.seen),
    )


def hour() -> int:
    """Hours since the epoch."""
    return int(clock.source() // 3600)


def _plain(text: str) -> str:
    """The text if it is short and harmless in a name, otherwise its digest."""
    return text if _PLAIN.fullmatch(text) else f"#{baskets.short_digest(text)}"
