"""The stream door: stored webhooks become facts.

A batch is worked off in order. What cannot be worked off now (the provider does not answer, the payment is not there
yet) is put off with a `due` of its own, so that one bad webhook never holds up those behind it. Only when even that
cannot be written is the batch given back, from that record on.
"""

from typing import Any

from commerce import events, log
from commerce.items import from_item
from payments import mailbox, postings


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Work off a batch of stream records of inbox items; returns the partial batch response."""
    given_back = []
    for record in event["Records"]:
        item = _to_work_off(record)
        if item is None:
            continue
        try:
            work_off(item)
        except Exception as error:  # given back: the stream delivers it and those behind it again
            log.failure("webhook given back", error, inbox=item["pk"])
            given_back = [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]
            break
    log.outcome("postings", records=len(event["Records"]), given_back=len(given_back))
    return {"batchItemFailures": given_back}


def work_off(item: dict[str, Any]) -> str:
    """Work one inbox item off, or put it off. Returns how that ended."""
    events.Cause.correlation_id, events.Cause.causation_id = item["pk"], ""
    try:
        ended = postings.work_off(item)
    except Exception as error:  # this item is tried again, the others have their turn
        log.failure("webhook put off", error, inbox=item["pk"])
        mailbox.put_off(item, type(error).__name__)
        return "put off"
    if ended == "orphan":
        mailbox.put_off(item, "orphan")
    elif ended == "other-mode":
        mailbox.finished(item, ended)
    log.outcome("posting", ended=ended, inbox=item["pk"], type=item.get("type"))
    return ended


def _to_work_off(record: dict[str, Any]) -> dict[str, Any] | None:
    """The inbox item, if this record means that a provider posted something (and not that we put it off)."""
    new = from_item(record["dynamodb"].get("NewImage"))
    if new is None or not new["pk"].startswith(mailbox.PREFIX):
        return None
    old = from_item(record["dynamodb"].get("OldImage"))
    return new if old is None or new.get("hits") != old.get("hits") else None
