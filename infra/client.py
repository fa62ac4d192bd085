"""A small client of Mandje's own API: what a frontend would write, used by the demo, the replay and the tests.

It does what every client of the API should: one Idempotency-Key per intention, kept over retries; retries only on
no answer, 429, 502, 503 and 504.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import urllib3

from infra.say import Sorry

_RETRIED = {429, 502, 503, 504}
_pool = urllib3.PoolManager(num_pools=8, maxsize=64, retries=False)


class Unexpected(Exception):
    """The API answered something else than was asked for."""

    def __init__(self, method: str, path: str, status: int, body: Any) -> None:
        super().__init__(f"{method} {path} answered {status}: {json.dumps(body)[:300]}")
        self.status, self.body = status, body


@dataclass(frozen=True)
class Answer:
    """Status, lower-case headers and the parsed body (None if it is not JSON)."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Api:
    """The API as one caller sees it."""

    url: str
    token: str | None = None
    patience_s: float = 60.0
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        """One request, repeated while the platform is busy. Raises urllib3 errors only after `patience_s`."""
        headers = {"Content-Type": "application/json"} | self.headers
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        data = None if body is None else json.dumps(body).encode()
        give_up = time.monotonic() + self.patience_s
        pause = 0.05
        while True:
            try:
                raw = _pool.request(method, self.url + path, body=data, headers=headers, timeout=35)
                if raw.status not in _RETRIED or time.monotonic() > give_up:
                    return Answer(raw.status, {k.lower(): v for k, v in raw.headers.items()}, _json(raw.data))
            except urllib3.exceptions.HTTPError:
                # Without a key a POST might act twice; with one, or with an idempotent method, repeating is safe.
                if (method == "POST" and key is None) or time.monotonic() > give_up:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 2.0)

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """The body of a 2xx answer. Raises `Unexpected` otherwise. A POST gets a fresh key unless one is given."""
        if method == "POST" and key is None:
            key = str(uuid.uuid4())
        answer = self.call(method, path, body, key=key)
        if not 200 <= answer.status < 300:
            raise Unexpected(method, path, answer.status, answer.body)
        return answer.body

    def get(self, path: str) -> Any:
        """GET, 2xx or `Unexpected`."""
        return self.ask("GET", path)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """POST, 2xx or `Unexpected`."""
        return self.ask("POST", path, body, key=key)

    def put(self, path: str, body: Any) -> Any:
        """PUT, 2xx or `Unexpected`."""
        return self.ask("PUT", path, body)


def running_platform() -> dict[str, Any]:
    """What `make up` wrote. Raises `Sorry` if nothing runs here."""
    from infra.local import laptop

    try:
        platform: dict[str, Any] = json.loads(laptop.PLATFORM.read_text())
    except FileNotFoundError:
        raise Sorry("nothing is running here: start the platform with `make up` first.") from None
    try:
        _pool.request("GET", platform["api_url"] + "/products?limit=1", timeout=10)
    except urllib3.exceptions.HTTPError:
        raise Sorry(f"the platform does not answer at {platform['api_url']}: start it with `make up`.") from None
    return platform


def emulator(platform: dict[str, Any], service: str) -> Any:
    """A boto3 client of the local cloud. It takes any credentials."""
    import boto3

    options = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=platform["aws_endpoint"], region_name=platform["region"], **options)


def outputs_of(stack: str) -> dict[str, str]:
    """The outputs of a stack on AWS, by name. Needs cloudformation:DescribeStacks."""
    import boto3

    described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in described["Outputs"]}


def confirm_stripe(url: str, client_secret: str, method: str = "pm_card_visa") -> None:
    """What Stripe.js does in the browser: confirm a PaymentIntent with its client secret."""
    intent = client_secret.split("_secret_")[0]
    fields = {"client_secret": client_secret, "payment_method": method}
    answer = _pool.request(
        "POST", f"{url}/v1/payment_intents/{intent}/confirm", fields=fields, encode_multipart=False,
        headers={"Authorization": "Bearer pk_test_mandje"}, timeout=20,
    )  # fmt: skip
    if answer.status != 200:
        raise Unexpected("POST", f"/v1/payment_intents/{intent}/confirm", answer.status, _json(answer.data))


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
