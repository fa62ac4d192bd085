"""The Lambda runtime of a world: loads handlers, gives each its own environment, crosses the JSON boundary both ways,
captures what is logged, and lets a process that died forget (`memory`).
"""

from __future__ import annotations

import functools
import importlib
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from infra.intrinsics import ACCOUNT, REGION
from infra.template_model import Function, Template

from .calls import Crash, Invocation, current
from .clock import Clock
from .memory import cold_start, remember


class InvocationFailed(Exception):
    """The function raised, answered something that is no JSON, or its process died (`crashed`)."""

    def __init__(self, function: str, error: BaseException) -> None:
        super().__init__(f"{function}: {error!r}")
        self.error = error
        self.crashed = isinstance(error, Crash)


@dataclass(frozen=True)
class LogLine:
    """One line a function wrote to stdout or stderr."""

    function: str
    text: str


@dataclass
class Context:
    """Lambda's context object."""

    function_name: str
    aws_request_id: str
    memory_limit_in_mb: int
    invoked_function_arn: str
    deadline: float
    clock: Clock = field(repr=False)
    function_version: str = "$LATEST"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds of virtual time until the function's timeout."""
        return max(0, int((self.deadline - self.clock.now) * 1000))


class Runtime:
    """Invokes the template's functions by logical id."""

    def __init__(self, template: Template, clock: Clock, random: Random) -> None:
        self.template, self.clock, self.random = template, clock, random
        self.logs: list[LogLine] = []
        self.failures: list[InvocationFailed] = []
        self.environment: dict[str, str] = {}
        """Variables every function sees on top of its own."""
        self.stand_ins: dict[str, Callable[[dict[str, Any], Any], Any]] = {}
        """Handlers that run in place of a function's own, by logical id."""

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Run one invocation. Raises `InvocationFailed` when it cannot start, raises, dies, or answers no JSON."""
        known = self.template.functions[function]
        invocation = Invocation(function, str(UUID(int=self.random.getrandbits(128), version=4)))
        _log_as(function)
        with self.function_environment(known):
            token = current.set(invocation)
            try:
                handler = self.stand_ins.get(function) or _load(known.handler)
                with _captured(self.logs, function):
                    answer = handler(json.loads(json.dumps(event)), self._context(known, invocation))
                return json.loads(json.dumps(answer))
            except Crash as death:
                cold_start()
                raise self._failed(InvocationFailed(function, death)) from death
            except Exception as error:
                raise self._failed(InvocationFailed(function, error)) from error
            finally:
                current.reset(token)

    def _failed(self, failure: InvocationFailed) -> InvocationFailed:
        self.failures.append(failure)
        return failure

    def _context(self, function: Function, invocation: Invocation) -> Context:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}"
        deadline = self.clock.now + function.timeout
        return Context(function.name, invocation.request_id, function.memory, arn, deadline, self.clock)

    @contextmanager
    def function_environment(self, function: Function) -> Iterator[None]:
        """Exactly the environment variables the template gives this function, and those of Lambda itself."""
        names = {name for each in self.template.functions.values() for name in each.env}
        kept = {name: os.environ[name] for name in names if name in os.environ}
        for name in kept:
            del os.environ[name]
        own = {**function.env, "AWS_LAMBDA_FUNCTION_NAME": function.name, **self.environment}
        os.environ.update(own)
        try:
            yield
        finally:
            for name in own:
                os.environ.pop(name, None)
            os.environ.update(kept)


class _Stream(io.TextIOBase):
    """Stands for stdout and stderr: into the log of the running invocation, else to the real one."""

    def __init__(self) -> None:
        self.sink: io.StringIO | None = None

    def write(self, text: str) -> int:
        return (self.sink or sys.__stdout__ or io.StringIO()).write(text)

    def flush(self) -> None:
        pass


STREAM = _Stream()


@contextmanager
def _captured(logs: list[LogLine], function: str) -> Iterator[None]:
    outer, STREAM.sink = STREAM.sink, io.StringIO()
    try:
        with redirect_stdout(STREAM), redirect_stderr(STREAM):  # type: ignore[type-var]
            yield
    finally:
        logs.extend(LogLine(function, line) for line in STREAM.sink.getvalue().splitlines())
        STREAM.sink = outer


@functools.cache
def _load(handler: str) -> Any:
    """Import a handler; loggers made by its import write into the captured stream from now on."""
    module, _, attribute = handler.rpartition(".")
    found = getattr(importlib.import_module(module), attribute)
    for logger in [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]:
        for each in logger.handlers:
            if type(each) is logging.StreamHandler and each.stream in (sys.stdout, sys.stderr, sys.__stdout__):
                each.setStream(STREAM)
    remember()
    return found


_speaker = [""]


def _log_as(function: str) -> None:
    """A logger carries its function's name for the life of a process: make a new one when another function runs."""
    from commerce import log

    if _speaker[0] != function:
        log.logger.cache_clear()
        _speaker[0] = function
