"""What a process remembers, so that it can be made to forget: a dead Lambda starts again without it.

All functions share one Python process here. Right after import this module notes the product's module-level variables,
class variables, caches and resolvers; `cold_start` puts them back. UPPER CASE names never change by themselves, so a
mistake that a test plants there is left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver

# AWS clients hold no state of the product and are slow to make.
KEPT = {("commerce.aws", "_clients")}

class_variables: dict[tuple[type, str], Any] = {}
"""Values kept on the product's classes, as import left them."""
resolvers: list[ApiGatewayResolver] = []
"""The HTTP doors' resolvers: each keeps the request it is working on."""
_variables: dict[tuple[str, str], Any] = {}
_caches: list[Any] = []
_seen: set[str] = set()


def _product_modules() -> Iterator[ModuleType]:
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None) or ""
        if ("/functions/" in path or "/layers/commerce/" in path) and "site-packages" not in path:
            yield module


def remember() -> None:
    """Note what modules imported since the last time hold."""
    for module in _product_modules():
        if module.__name__ in _seen:
            continue
        _seen.add(module.__name__)
        for name, value in vars(module).items():
            _note(module, name, value)


def _note(module: ModuleType, name: str, value: Any) -> None:
    if isinstance(value, type):
        if value.__module__ == module.__name__:
            _note_class(value)
    elif isinstance(value, ApiGatewayResolver):
        resolvers.append(value)
    elif callable(getattr(value, "cache_clear", None)):
        _caches.append(value)
    elif name.islower() and not name.startswith("__") and (module.__name__, name) not in KEPT:
        if isinstance(value, dict | list | set):
            _variables[module.__name__, name] = value, value.copy()
        elif value is None or isinstance(value, int | float | str | bytes):
            _variables[module.__name__, name] = value, None


def _note_class(owner: type) -> None:
    fields = getattr(owner, "__dataclass_fields__", {})
    for name, value in vars(owner).items():
        if name.islower() and not name.startswith("_") and name not in fields and isinstance(value, str | int | None):
            class_variables[owner, name] = value


def cold_start() -> None:
    """Forget what the product kept in memory since import."""
    remember()
    for (owner, name), value in class_variables.items():
        if owner.__dict__[name] is not value:
            setattr(owner, name, value)
    for (module, name), (value, content) in _variables.items():
        if isinstance(value, dict | set):
            value.clear()
            value.update(content)
        elif isinstance(value, list):
            value[:] = content
        setattr(sys.modules[module], name, value)
    for cache in _caches:
        cache.cache_clear()
    for resolver in resolvers:
        resolver.clear_context()
