"""Door: the contract as `openapi.json` and as a page. Both are files that `make docs` wrote from the code."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from commerce import answers, log, problems, received

_HERE = Path(__file__).parent
_TYPES = {"openapi.json": "application/json", "docs.html": "text/html; charset=utf-8"}
_MAX_BODY = 1024
_FILES = {"/openapi.json": "openapi.json", "/docs": "docs.html"}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer the file behind the route."""
    answer = answers.finished(event, _answer(event))
    log.outcome("request", route=f"GET {event['resource']}", status=answer["statusCode"])
    return answer


def _answer(event: dict[str, Any]) -> dict[str, Any]:
    if refusal := received.refused(event, _MAX_BODY):
        return answers.of_problem(refusal)
    event = received.tidied(event)
    if undeclared := received.undeclared_query(event, ()) + received.undeclared_body(event):
        return answers.of_problem(problems.Problem(422, "validation", "The request is not valid", errors=undeclared))
    name = _FILES[event["resource"]]
    text = (_HERE / name).read_text(encoding="utf-8")
    headers = {"Content-Type": [_TYPES[name]], "X-Content-Type-Options": ["nosniff"]}
    if name == "docs.html":
        headers |= {"Content-Security-Policy": [_policy(text)], "Referrer-Policy": ["no-referrer"]}
    return {"statusCode": 200, "multiValueHeaders": headers, "body": text, "isBase64Encoded": False}


def _policy(page: str) -> str:
    """Nothing from anywhere, and only the page's own script."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'; form-action 'none'"
