"""Door: a job that was started, or did a step, does the next."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from commerce import log
from stock import working


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch of job items from the stream, those that are in a hurry."""
    processor = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
    answer: dict[str, Any] = process_partial_response(  # type: ignore[assignment]
        event=event, record_handler=_one, processor=processor, context=context
    )
    return answer


def _one(record: DynamoDBRecord) -> None:
    pk = record.raw_event["dynamodb"]["Keys"]["pk"]["S"]
    try:
        working.step(pk)
    except Exception as error:
        log.failure("step failed", error)
        raise
