"""The event door: a basket is found by any profile of its owner, and goes when the owner is erased."""

from typing import Any

from basket import claiming, owners
from commerce import consumer, events


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take a batch of bus events."""
    return consumer.consume(event, context, handle)


def handle(message: events.Envelope) -> None:
    """A profile got an account, two profiles became one person (and maybe not, after all), or somebody is erased."""
    match message.type:
        case "profile.identified":
            said = events.ProfileIdentified.model_validate(message.data)
            if said.customer_id and said.customer_id != said.profile_id:
                claiming.belongs_to(said.profile_id, said.customer_id)
        case "profile.merged":
            merge = events.ProfileMerged.model_validate(message.data)
            owners.alias(merge.absorbed_id, merge.merge_id, merge.survivor_id)
        case "profile.unmerged":
            undone = events.ProfileUnmerged.model_validate(message.data)
            owners.alias(undone.absorbed_id, undone.merge_id, None)
        case "profile.erased":
            owners.forget(events.ProfileErased.model_validate(message.data).profile_id, message.id)
