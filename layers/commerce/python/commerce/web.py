"""Calls to the outside world (payment providers, the token issuer). One port, replaceable by tests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Unreachable(Exception):
    """The request was never sent: nothing happened there."""


class UnknownOutcome(Exception):
    """The request may have been carried out: ask what became of it, never send it under a new key."""


Transport = Callable[[str, str, Mapping[str, str], bytes | None, float], Response]
_pool: Any = None


def _over_sockets(method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Response:
    import urllib3  # only doors that call out pay for it

    global _pool
    if _pool is None:
        _pool = urllib3.PoolManager(num_pools=4, maxsize=4, retries=False)
    limits = urllib3.Timeout(connect=min(2, timeout), read=timeout)
    try:
        answer = _pool.request(method, url, headers=dict(headers), body=body, timeout=limits, redirect=False)
    except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
        raise Unreachable(str(error)) from error
    except urllib3.exceptions.HTTPError as error:
        raise UnknownOutcome(str(error)) from error
    return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)


transport: Transport = _over_sockets
"""Replaceable. Raises `Unreachable` or `UnknownOutcome`; any HTTP status is a `Response`."""


def send(
    method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None, timeout: float = 8.0
) -> Response:
    """One request, no redirects, no retries: whether to repeat it is the caller's business decision."""
    return transport(method, url, headers or {}, body, timeout)
