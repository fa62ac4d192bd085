"""Dollars: AWS's published prices in us-east-1, and what a count costs at them, per million operations.

DynamoDB, API Gateway, EventBridge and SQS are counted. Lambda's duration is not measured on AWS: it is assumed from
the number and kind of requests each invocation makes (`WAITS_MS`). Free tiers and volume discounts are left out, and so
are data transfer, storage, backups, cold starts and the payment providers' fees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.bench.counting import Count

REGION = "us-east-1"
AS_OF = "the public price pages of each service as of 2025; DynamoDB's on-demand prices since 1 November 2024"

PER_MILLION = {
    "DynamoDB write units": 0.625,
    "DynamoDB read units": 0.125,
    "API Gateway requests (REST)": 3.50,
    "Lambda requests": 0.20,
    "EventBridge events": 1.00,
    "SQS requests": 0.40,
}
"""Dollars per million."""
GB_SECOND = 0.0000133334
"""Dollars per GB-second of Lambda on arm64."""
LOG_GB = 0.50
"""Dollars per GB of logs taken in."""

SQS_REQUESTS = 3
"""Requests per message at most: sent, received and deleted each alone. Batches of ten need a tenth."""
LINE_BYTES, PLATFORM_BYTES = 260, 700
"""Bytes of one log line of ours (their average here), and of what Lambda itself logs per invocation in JSON format."""
OWN_MS = 8
"""Milliseconds of an invocation's own work at 1 GB of memory: see "warm" in docs/costs.md for the CPU it is made of."""
WAITS_MS = {"TransactWriteItems": 15, "PutEvents": 15, "BatchGetItem": 8, "Query": 7, "GetItem": 5}
"""Assumed milliseconds of waiting per AWS request."""
OTHER_WAIT_MS = 6
PROVIDER_WAIT_MS = 300
"""Assumed milliseconds of waiting per request to a payment provider."""


@dataclass(frozen=True)
class Bill:
    """What a million of something costs, in dollars, by item."""

    items: dict[str, float]

    @property
    def dynamodb(self) -> float:
        """The part that DynamoDB takes."""
        return sum(dollars for item, dollars in self.items.items() if item.startswith("DynamoDB"))

    @property
    def rest(self) -> float:
        """Everything else."""
        return self.total - self.dynamodb

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.items.values())


def bill(count: Count, memory_mb: Mapping[str, int]) -> Bill:
    """A million times `count`. `memory_mb` is each function's memory."""
    used = {
        "DynamoDB write units": count.write_units,
        "DynamoDB read units": count.read_units,
        "API Gateway requests (REST)": count.served.total(),
        "Lambda requests": count.invocations.total(),
        "EventBridge events": count.published,
        "SQS requests": count.queued * SQS_REQUESTS,
    }
    dollars = {item: used[item] * price for item, price in PER_MILLION.items()}
    logged = count.logged.total() * LINE_BYTES + count.invocations.total() * PLATFORM_BYTES
    return Bill(dollars | {
        "Lambda duration": gigabyte_seconds(count, memory_mb) * 1e6 * GB_SECOND,
        "CloudWatch logs": logged * 1e6 / 1e9 * LOG_GB,
    })  # fmt: skip


def gigabyte_seconds(count: Count, memory_mb: Mapping[str, int]) -> float:
    """Lambda's GB-seconds under the assumed durations."""
    total = sum(memory_mb[function] / 1024 * OWN_MS / 1000 * times for function, times in count.invocations.items())
    for call in count.calls:
        total += memory_mb[call.function] / 1024 * wait_ms(call.kind, call.operation) / 1000
    return total


def wait_ms(kind: str, operation: str) -> int:
    """How long a request is assumed to take."""
    return WAITS_MS.get(operation, OTHER_WAIT_MS) if kind == "aws" else PROVIDER_WAIT_MS
