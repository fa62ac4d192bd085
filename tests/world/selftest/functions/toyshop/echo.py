"""Answers with the event it got; the path `/files/broken/<how>` breaks in known ways."""

import base64
import json
from typing import Any


def handler(event: dict[str, Any], context: Any) -> Any:
    """The whole event as the body, with a repeated header."""
    match (event["pathParameters"] or {}).get("proxy"):
        case "broken/raise":
            raise ValueError("broken on purpose")
        case "broken/shape":
            return {"status": 200}
        case "broken/body":
            return {"statusCode": 200, "body": {"not": "text"}}
        case "picture":
            return {"statusCode": 200, "body": base64.b64encode(b"\x89PNG").decode(), "isBase64Encoded": True}
    repeated = {"Set-Cookie": ["a=1", "b=2"]}
    return {"statusCode": 200, "multiValueHeaders": repeated, "headers": {"X-Time": 5}, "body": json.dumps(event)}
