"""The HTTPS door: a Powertools resolver with the house's conventions.

Validation errors, business refusals and contention become problem+json; anything unforeseen is logged and raised, so
that Lambda counts it and API Gateway answers 502. Members that a route does not declare are refused, in the body and in
the query. Each invocation logs one line.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.openapi.compat import field_annotation_is_sequence
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError, ResponseValidationError
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection
from pydantic import BaseModel

from commerce import answers, clock, events, ids, log, problems, received
from commerce.principal import Principal
from commerce.requests import Request, request

MAX_BODY = 64 * 1024
MAX_IMPORT = 1024 * 1024
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
    app = APIGatewayRestResolver(
        enable_validation=True,
        json_body_deserializer=received.read_json,
        response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    app.use(middlewares=[_only_what_is_declared])

    @app.exception_handler(problems.Problem)
    def _refused(problem: problems.Problem) -> Response[Any]:
        return _write(problem)

    @app.exception_handler(RequestValidationError)
    def _not_valid(error: RequestValidationError) -> Response[Any]:
        found = _undeclared(app) or _where_and_why(app, error)
        return _write(problems.Problem(422, "validation", "The request is not valid", errors=found[:50]))

    @app.exception_handler(ResponseValidationError)
    def _our_fault(error: ResponseValidationError) -> Response[Any]:
        raise error

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
        if refusal := received.refused(event, max_body):
            answer = answers.of_problem(refusal, events.Cause.correlation_id)
        else:
            try:
                answer = app.resolve(received.tidied(event), context)
            except Exception as error:
                log.failure("request failed", error, **members)
                raise
        log.outcome("request", status=answer["statusCode"], ms=round((clock.source() - started) * 1000), **members)
        return answers.finished(event, answer)

    return handle


def caller(app: APIGatewayRestResolver) -> Principal:
    """Who is calling. 401 if no authorizer ran."""
    return Principal.of_event(app.current_event.raw_event)


def idempotent(app: APIGatewayRestResolver, principal: Principal, asked: BaseModel | None) -> Request:
    """The identity of this request, from its Idempotency-Key. 400 without one, or with two."""
    event = app.current_event.raw_event
    parameters = event.get("pathParameters") or {}
    query = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters") or {}
    body = asked.model_dump(mode="json", exclude_unset=True) if asked is not None else None
    route = f"{event.get('httpMethod')} {event.get('resource')}"
    keys = received.header(event, "idempotency-key")
    return request(principal, route, ", ".join(keys) if keys else None, [parameters, body, query])


def answer(view: BaseModel | dict[str, Any], status: int = 200, *, replayed: bool = False) -> Response[Any]:
    """An answer with a status; `replayed` tells the client that this request had been carried out before."""
    headers: dict[str, str | list[str]] = {"Idempotent-Replayed": "true"} if replayed else {}
    body = view.model_dump(mode="json") if isinstance(view, BaseModel) else view
    return Response(status_code=status, content_type="application/json", body=body, headers=headers)


def header(app: APIGatewayRestResolver, name: str) -> str | None:
    """A request header, whatever its case."""
    found = received.header(app.current_event.raw_event, name.lower())
    return found[0] if found else None


def _only_what_is_declared(app: Any, next_middleware: NextMiddleware) -> Response[Any]:
    if _undeclared(app):
        raise RequestValidationError([])
    return next_middleware(app)


def _undeclared(app: Any) -> list[received.Error]:
    """What the request says and its route does not know, or says twice though it is one thing."""
    route = app.context["_route"]
    if route.operation_id is None:  # there is no such route
        return []
    event = app.current_event.raw_event
    query = {field.alias: field_annotation_is_sequence(field.type_) for field in route.dependant.query_params}
    found = received.undeclared_query(event, query) + received.repeated_query(event, query)
    return found if route.dependant.body_params else found + received.undeclared_body(event)


def _where_and_why(app: Any, error: RequestValidationError) -> list[received.Error]:
    """Only where and why, never the value: it may be a secret somebody put in the wrong place."""
    event = app.current_event
    try:
        body = event.json_body
    except json.JSONDecodeError as no_json:
        return [received.no_json(no_json)]
    return [
        {
            "loc": received.place(e["loc"], body, e["type"], e.get("input")),
            "msg": str(e.get("msg", "")),
            "type": e["type"],
        }
        for e in error.errors()
    ]


def _write(problem: problems.Problem) -> Response[Any]:
    plain = answers.of_problem(problem, events.Cause.correlation_id or None)
    headers = {name: values[0] for name, values in plain["multiValueHeaders"].items() if name != "Content-Type"}
    return Response(status_code=problem.status, content_type=answers.PROBLEM, body=plain["body"], headers=headers)
