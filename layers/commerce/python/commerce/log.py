"""One JSON line per invocation outcome, made of named members only: never a body, a header, a token or a query."""

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger


@cache
def logger() -> Logger:
    """This function's logger; `POWERTOOLS_SERVICE_NAME` and `POWERTOOLS_LOG_LEVEL` name and filter it."""
    return Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "mandje"), utc=True)


def outcome(what: str, **members: Any) -> None:
    """Say how an invocation ended."""
    logger().info(what, extra={key: value for key, value in members.items() if value is not None})


def warning(what: str, **members: Any) -> None:
    """Say that something is not as it should be, though nothing failed yet."""
    logger().warning(what, extra={key: value for key, value in members.items() if value is not None})


def alarm(what: str, **members: Any) -> None:
    """Say that somebody has to look: nothing failed here, but something is wrong."""
    logger().error(what, extra={key: value for key, value in members.items() if value is not None})


def failure(what: str, error: BaseException, **members: Any) -> None:
    """Say that it failed: the kind of error and where, not its text, which may quote what somebody sent."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    where = f"{os.path.basename(step.tb_frame.f_code.co_filename)}:{step.tb_lineno}" if step else None
    # An AWS error says what by its code, which quotes nothing.
    code = (getattr(error, "response", None) or {}).get("Error", {}).get("Code")
    kind = f"{type(error).__name__}:{code}" if code else type(error).__name__
    logger().error(what, extra={"error": kind, "where": where} | members)
