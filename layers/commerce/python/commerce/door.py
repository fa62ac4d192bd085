"""The HTTPS door: a Powertools resolver with the house's conventions.

Validation errors, business refusals and contention become problem+json; anything unforeseen is logged and raised, so
that Lambda counts it and API Gateway answers 502. Each invocation logs one line.
"""

import base64
import json
import os
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestUnsupportedContentType, RequestValidationError
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection
from pydantic import BaseModel

from commerce import clock, events, ids, log, problems
from commerce.principal import Principal
from commerce.requests import Request, request

MAX_BODY = 64 * 1024
MAX_IMPORT = 1024 * 1024
_MAX_DEPTH = 16
_PROBLEM = "application/problem+json"
_EXPOSED = "Idempotent-Replayed,Retry-After"
_THROTTLED = {"ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
              "TransactionInProgressException", "InternalServerError", "ServiceUnavailable"}  # fmt: skip

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

Route = TypeVar("Route", bound=Callable[..., Any])


def raises(*slugs: str) -> Callable[[Route], Route]:
    """Say which problems of its own a route answers, by slug: the contract lists them, and the tests hold it to that.

    Each is declared in `commerce.problem_types`. What every route may answer (no token, not valid, too large, busy ...)
    is not named.

        @app.post("/checkouts", ...)
        @door.raises("out-of-stock", "price-changed")
        def place_order(...)
    """

    def mark(route: Route) -> Route:
        route.__dict__["raises"] = slugs
        return route

    return mark


def rest() -> APIGatewayRestResolver:
    """A resolver that validates by type and answers problem+json."""
    app = APIGatewayRestResolver(enable_validation=True, json_body_deserializer=_read_json)

    @app.exception_handler(problems.Problem)
    def _refused(problem: problems.Problem) -> Response[Any]:
        return _write(problem)

    @app.exception_handler(RequestValidationError)
    def _not_valid(error: RequestValidationError) -> Response[Any]:
        # Only where and why, never the value: it may be a secret somebody put in the wrong place.
        found = [{"loc": list(e["loc"]), "msg": str(e.get("msg", "")), "type": e["type"]} for e in error.errors()]
        return _write(problems.Problem(422, "validation", "The request is not valid", errors=found[:50]))

    @app.exception_handler(RequestUnsupportedContentType)
    def _not_json(error: RequestUnsupportedContentType) -> Response[Any]:
        return _write(problems.Problem(415, "unsupported-media-type", "Send application/json"))

    @app.not_found
    def _no_such_route(error: NotFoundError) -> Response[Any]:
        return _write(problems.Problem(404, "not-found", "Not found", "There is no such address."))

    @app.exception_handler([ClientError, NoConnection, HTTPClientError])
    def _dependency(error: Exception) -> Response[Any]:
        # Throttled, or no answer in time: the caller may try again with the same Idempotency-Key.
        if isinstance(error, ClientError) and error.response["Error"]["Code"] not in _THROTTLED:
            raise error
        log.failure("dependency", error)
        return _write(problems.busy())

    return app


def handler(app: APIGatewayRestResolver, max_body: int = MAX_BODY) -> Handler:
    """The Lambda handler of a resolver."""

    def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
        started = clock.source()
        ctx = event.get("requestContext") or {}
        events.Cause.correlation_id = ctx.get("requestId") or ids.new()
        events.Cause.causation_id = ""
        who = ctx.get("authorizer") or {}
        members = {
            "route": f"{event.get('httpMethod')} {event.get('resource')}",
            "caller": who.get("kind"),
            # Staff and devices by name, for whoever asks later who did it; shoppers never.
            "by": who.get("id") if who.get("kind") in ("staff", "device") else None,
            "correlation_id": events.Cause.correlation_id,
        }
        limit = max_body * 4 // 3 if event.get("isBase64Encoded") else max_body
        if len((event.get("body") or "").encode(errors="replace")) > limit:
            too_large = problems.Problem(413, "body-too-large", "Too large", f"A body has at most {max_body} bytes.")
            answer = _plain(too_large)
        else:
            try:
                answer = app.resolve(_with_text_body(event), context)
            except Exception as error:
                log.failure("request failed", error, **members)
                raise
        log.outcome("request", status=answer["statusCode"], ms=round((clock.source() - started) * 1000), **members)
        return _for_browsers(answer)

    return handle


def caller(app: APIGatewayRestResolver) -> Principal:
    """Who is calling. 401 if no authorizer ran."""
    return Principal.of_event(app.current_event.raw_event)


def idempotent(app: APIGatewayRestResolver, principal: Principal, asked: BaseModel | None) -> Request:
    """The identity of this request, from its Idempotency-Key. 400 without one."""
    event = app.current_event
    parameters = event.get("pathParameters") or {}
    body = asked.model_dump(mode="json", exclude_unset=True) if asked is not None else None
    route = f"{event.get('httpMethod')} {event.get('resource')}"
    return request(principal, route, event.headers.get("Idempotency-Key"), [parameters, body])


def answer(view: BaseModel | dict[str, Any], status: int = 200, *, replayed: bool = False) -> Response[Any]:
    """An answer with a status; `replayed` tells the client that this request had been carried out before."""
    headers: dict[str, str | list[str]] = {"Idempotent-Replayed": "true"} if replayed else {}
    body = view.model_dump(mode="json") if isinstance(view, BaseModel) else view
    return Response(status_code=status, content_type="application/json", body=body, headers=headers)


def header(app: APIGatewayRestResolver, name: str) -> str | None:
    """A request header, whatever its case."""
    headers: Mapping[str, str] = app.current_event.headers
    return headers.get(name)


def _write(problem: problems.Problem) -> Response[Any]:
    plain = _plain(problem)
    headers = {name: values[0] for name, values in plain["multiValueHeaders"].items() if name != "Content-Type"}
    return Response(status_code=problem.status, content_type=_PROBLEM, body=plain["body"], headers=headers)


def _plain(problem: problems.Problem) -> dict[str, Any]:
    headers = {"Content-Type": [_PROBLEM]}
    if problem.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry-After"] = ["1"]
    body = json.dumps(problem.as_map(instance=events.Cause.correlation_id or None), ensure_ascii=False)
    return {"statusCode": problem.status, "multiValueHeaders": headers, "body": body, "isBase64Encoded": False}


def _for_browsers(answer: dict[str, Any]) -> dict[str, Any]:
    """API Gateway answers preflights itself, but what passes through it must say itself who may read it."""
    origin = os.environ.get("CORS_ORIGIN")
    if origin:
        allowed = {"Access-Control-Allow-Origin": [origin], "Access-Control-Expose-Headers": [_EXPOSED]}
        answer["multiValueHeaders"] = (answer.get("multiValueHeaders") or {}) | allowed
    return answer


def _with_text_body(event: dict[str, Any]) -> dict[str, Any]:
    """Bodies arrive base64-encoded when the gateway took them for binary; JSON is text."""
    if not event.get("isBase64Encoded") or not event.get("body"):
        return event
    try:
        return event | {"body": base64.b64decode(event["body"]).decode(), "isBase64Encoded": False}
    except ValueError:
        return event | {"body": "\x00", "isBase64Encoded": False}


def _read_json(text: str | None) -> Any:
    """Strict JSON: no NaN, no absurd numbers or nesting; whatever is wrong is one kind of error."""
    try:
        value = json.loads(text or "", parse_constant=_no_constant)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError(type(error).__name__, "", 0) from None
    if _depth(value) > _MAX_DEPTH:
        raise json.JSONDecodeError("nested too deeply", "", 0)
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


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
