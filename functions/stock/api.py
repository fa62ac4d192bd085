"""Door: availability, movements, counts and locations over HTTPS."""

from typing import Any

from commerce import door
from stock.routes import app, availability, counts, locations, movements

__all__ = ["app", "availability", "counts", "handler", "locations", "movements"]

_usual = door.handler(app)
_import = door.handler(app, max_body=door.MAX_IMPORT)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One request. A count brings up to 10,000 tags, so it may be larger than others."""
    return (_import if event.get("resource") == "/stock/counts" else _usual)(event, context)
