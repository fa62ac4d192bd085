"""The event door: an SQS batch of bus events, each acknowledged or given back on its own.

Delivery is at least once and unordered. A record that fails goes back to the queue, and after the queue's
`maxReceiveCount` to its DLQ; the others are done.
"""

import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from commerce import events, inbox, log


def consume(event: dict[str, Any], context: Any, handle: Callable[[events.Envelope], None]) -> dict[str, Any]:
    """Hand every bus event of the batch to `handle`; returns the partial batch response.

    `inbox.AlreadyHandled` counts as done: the first delivery did the work.
    """

    def one(record: SQSRecord) -> None:
        message = events.Envelope.model_validate(json.loads(record.body)["detail"])
        events.Cause.correlation_id = message.correlationid or message.id
        events.Cause.causation_id = message.id
        try:
            handle(message)
        except inbox.AlreadyHandled:
            log.outcome("event", type=message.type, id=message.id, repeat=True)
        except Exception as error:
            log.failure("event failed", error, type=message.type, id=message.id)
            raise
        else:
            log.outcome("event", type=message.type, id=message.id)

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    answer: dict[str, Any] = process_partial_response(  # type: ignore[assignment]
        event=event, record_handler=one, processor=processor, context=context
    )
    return answer
