"""Warm CPU per call of each HTTP door, without any engine: what AWS answered in one real run is answered again.

The resolver, validation, rules, botocore (building, signing, reading) and the log line are in it; network and database
are not. Each door is a ratio to a route that does nothing, measured in the same rounds.
"""

import io
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from commerce import door
from commerce.types import View
from infra.bench.stage import ANNA, Stage, sku
from tests.world import calls, moto_adapted, runtime

TRIVIAL = "a route that does nothing"
Answer = tuple[int, dict[str, str], str]


class Pong(View):
    """What the trivial route answers."""

    ok: bool = True


@dataclass(frozen=True)
class Warm:
    """CPU of one warm call in milliseconds, as a ratio to the trivial route, and the AWS requests in it."""

    name: str
    ms: float
    ratio: float
    requests: int


@dataclass
class Case:
    """A door with one event, and what AWS answered when it really took it."""

    name: str
    handler: Callable[[dict[str, Any], Any], Any]
    event: dict[str, Any]
    function: Any
    answers: list[Answer]


def measure(rounds: int, times: int, tick: Callable[[], None]) -> list[Warm]:
    """Call every door `times` times in each of `rounds` rounds; the least of the rounds counts."""
    stage = Stage(10)
    cases = _cases(stage)
    least = dict.fromkeys([case.name for case in cases], float("inf"))
    for _ in range(rounds):
        for case in cases:
            with stage.world.runtime.function_environment(case.function), _replayed(case.answers) as rewind:
                for _ in range(3):
                    rewind()
                    case.handler(case.event, _context(case))
                started = time.process_time()
                for _ in range(times):
                    rewind()
                    case.handler(case.event, _context(case))
                least[case.name] = min(least[case.name], (time.process_time() - started) / times * 1000)
            tick()
    return [Warm(case.name, least[case.name], least[case.name] / least[TRIVIAL], len(case.answers)) for case in cases]


def _trivial() -> Callable[[dict[str, Any], Any], Any]:
    app = door.rest()

    @app.get("/ping")
    def ping() -> Pong:
        return Pong()

    return door.handler(app)


def _buy(stage: Stage) -> None:
    stage.place(stage.customer(ANNA, 3))


def _pay(stage: Stage) -> None:
    shopper = stage.customer(ANNA, 3)
    payment = stage.pay(stage.place(shopper), shopper.token, "stripe")
    stage.shopper_pays(payment, "stripe")
    stage.world.settle()
    stage.call("GET", f"/payments/{payment['payment_id']}", shopper.token)


def _read_basket(stage: Stage) -> None:
    shopper = stage.guest(3)
    stage.call("GET", f"/baskets/{shopper.basket_id}", shopper.token)


_ASKED: dict[str, tuple[str, Callable[[Stage], Any]]] = {
    "catalog.api: a product": ("CatalogApi", lambda stage: stage.call("GET", f"/products/{sku(3)}")),
    "stock.api: a SKU at 6 locations": ("StockApi", lambda stage: stage.call("GET", f"/stock/{sku(3)}")),
    "basket.api: add a line": ("BasketApi", lambda stage: stage.add(stage.guest(2), sku(2))),
    "basket.api: read 3 lines": ("BasketApi", _read_basket),
    "checkout.api: place 3 lines": ("CheckoutApi", _buy),
    "payments.api: read a payment": ("PaymentsApi", _pay),
    "payments.webhook: Stripe's": ("PaymentsWebhook", _pay),
    "profiles.api: my record": ("ProfilesApi", lambda stage: stage.call("GET", "/me", _customer(stage))),
    "authorizer: a customer": ("AuthorizerOnRequest", lambda stage: stage.call("GET", "/me", _customer(stage))),
}


def _customer(stage: Stage) -> str:
    token: str = stage.world.token("customer", sub=ANNA)
    return token


def _cases(stage: Stage) -> list[Case]:
    functions = stage.world.template.functions
    cases = []
    for name, (function, ask) in _ASKED.items():
        ask(stage)  # the second time everything is warm
        with _recorded(stage, function) as answers:
            ask(stage)
        event, answered = _most_telling(stage.meter.events[function], answers)
        handler = runtime._load(functions[function].handler)
        cases.append(Case(name, handler, event, functions[function], answered))
    model = stage.meter.events["CatalogApi"][-1]
    event = model | {"path": "/ping", "resource": "/ping", "httpMethod": "GET", "pathParameters": None, "body": None}
    return [Case(TRIVIAL, _trivial(), event, functions["CatalogApi"], []), *cases]


def _most_telling(
    events: list[dict[str, Any]], answers: dict[int, list[Answer]]
) -> tuple[dict[str, Any], list[Answer]]:
    """The latest event of a function that made it ask AWS (its latest at all, if none did), and the answers."""
    number = max(answers, default=len(events))
    return events[number - 1], answers.get(number, [])


@contextmanager
def _recorded(stage: Stage, function: str) -> Iterator[dict[int, list[Answer]]]:
    """What AWS answers to a function meanwhile, by the number of its invocation."""
    answers: dict[int, list[Answer]] = defaultdict(list)
    real = stage.world.aws.answer

    def noted(service: str, operation: str, request: Any, perform: Callable[[], AWSResponse]) -> AWSResponse:
        answer = real(service, operation, request, perform)
        running = calls.current.get()
        if running is None or running.function != function:
            return answer
        answers[len(stage.meter.events[function])].append((answer.status_code, dict(answer.headers), answer.text))
        return AWSResponse("https://aws.test", answer.status_code, answer.headers, MockRawResponse(answer.text))

    moto_adapted.answer = noted
    try:
        yield answers
    finally:
        moto_adapted.answer = real


@contextmanager
def _replayed(answers: list[Answer]) -> Iterator[Callable[[], None]]:
    """Give the recorded answers in their order; the yielded function starts again from the first."""
    place = 0

    def rewind() -> None:
        nonlocal place
        place = 0

    def given(service: str, operation: str, request: Any, perform: Callable[[], AWSResponse]) -> AWSResponse:
        nonlocal place
        status, headers, body = answers[place]
        place += 1
        return AWSResponse("https://aws.test", status, headers, MockRawResponse(body))

    before, sink = moto_adapted.answer, runtime.STREAM.sink
    moto_adapted.answer, runtime.STREAM.sink = given, io.StringIO()
    try:
        yield rewind
    finally:
        moto_adapted.answer, runtime.STREAM.sink = before, sink


def _context(case: Case) -> Any:
    return SimpleNamespace(
        function_name=case.function.name,
        aws_request_id="00000000-0000-4000-8000-000000000000",
        memory_limit_in_mb=case.function.memory,
        invoked_function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{case.function.name}",
        get_remaining_time_in_millis=lambda: 10_000,
    )
