"""Door: the contract as `openapi.json` and as a page. Both are files that `make docs` wrote from the code."""

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import Any

from commerce import log

_HERE = Path(__file__).parent
_TYPES = {"openapi.json": "application/json", "docs.html": "text/html; charset=utf-8"}
_FILES = {"/openapi.json": "openapi.json", "/docs": "docs.html"}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer the file behind the route."""
    name = _FILES[event["resource"]]
    text = (_HERE / name).read_text(encoding="utf-8")
    headers = {
        "Content-Type": _TYPES[name],
        "Cache-Control": "public, max-age=300",
        "X-Content-Type-Options": "nosniff",
        "Access-Control-Allow-Origin": os.environ.get("CORS_ORIGIN", "*"),
    }
    if name == "docs.html":
        headers |= {"Content-Security-Policy": _policy(text), "Referrer-Policy": "no-referrer"}
    log.outcome("request", route=f"GET {event['resource']}", status=200)
    return {"statusCode": 200, "headers": headers, "body": text, "isBase64Encoded": False}


def _policy(page: str) -> str:
    """Nothing from anywhere, and only the page's own script."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'; form-action 'none'"
