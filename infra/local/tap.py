"""Listen in on the bus of the running platform: a rule that copies every event into a queue of our own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.client import emulator


class Tap:
    """Events since the tap was opened, oldest first."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs, self._url = sqs, url

    def drain(self, wait_s: int = 0) -> list[dict[str, Any]]:
        """The `detail` (CloudEvents) of everything published since the last call."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=0 if found else wait_s
            )
            messages = answer.get("Messages", [])
            if not messages:
                return sorted(found, key=lambda event: str(event["time"]))
            for message in messages:
                found.append(json.loads(message["Body"])["detail"])
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])


@contextmanager
def tapped(platform: dict[str, Any], name: str) -> Iterator[Tap]:
    """Open a tap on the platform's bus and remove it afterwards."""
    sqs, bus = emulator(platform, "sqs"), emulator(platform, "events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus.put_rule(Name=name, EventBusName=platform["bus"], EventPattern=json.dumps({"source": [{"prefix": "mandje."}]}))
    bus.put_targets(Rule=name, EventBusName=platform["bus"], Targets=[{"Id": "tap", "Arn": arn}])
    try:
        yield Tap(sqs, url)
    finally:
        bus.remove_targets(Rule=name, EventBusName=platform["bus"], Ids=["tap"])
        bus.delete_rule(Name=name, EventBusName=platform["bus"])
        sqs.delete_queue(QueueUrl=url)
