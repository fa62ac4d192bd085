"""What is kept of a webhook: a list of allowed members, each of a known shape, and nothing that tells who paid.

Pure, standard library only: the webhook door must start fast.
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

STRIPE_VERSION = "2026-10-28.endive"
"""The one version of Stripe's API that is spoken here: sent with every request, and expected in every event."""

_STRIPE = {
    "pi": "payment_intent",
    "ch": "charge",
    "py": "charge",
    "re": "refund",
    "pyr": "refund",
    "du": "dispute",
    "dp": "dispute",
    "cs": "checkout.session",
}
"""Prefix of an id -> kind of object the ledger knows. Anything else is of interest only if it names one of these."""

_MEMBERS = ("id", "status", "amount", "amount_received", "amount_capturable", "currency")
_NAMED = ("payment_intent", "charge")
"""Members that name a payment of Stripe: by id, or by the whole object."""

_METADATA = ("payment_id", "refund_id", "capture_id")
_EVENT_ID = re.compile(r"[A-Za-z0-9_]{1,128}")
_STRIPE_ID = re.compile(r"[a-z]{2,8}_[A-Za-z0-9_]{1,120}")
_MOLLIE_ID = re.compile(r"(tr|pl|re|chb|cpt)_[A-Za-z0-9]{4,64}")
_MOLLIE_IN_LINK = re.compile(r"/payments/(tr_[A-Za-z0-9]{4,64})(?:/|\?|$)")


class Malformed(Exception):
    """The body is not what this provider sends."""


@dataclass(frozen=True)
class StripeEvent:
    """What it is about (`kept`), when it was made (0 if unsaid), and in which version of the API it was written."""

    id: str
    type: str
    created: int
    livemode: bool
    kept: dict[str, Any]
    version: str | None = None


def of_stripe(event: Any) -> StripeEvent:
    """Read an event, of a type that is known or not. Raises Malformed for what is no event at all.

    A signed event is never sent away for what it says of its object: members may be missing or null, and the worker
    asks Stripe then. Without a mode it is a test event. A thin (v2) event only names its object.
    """
    if not isinstance(event, dict) or not isinstance(event.get("id"), str) or not _EVENT_ID.fullmatch(event["id"]):
        raise Malformed("no event id")
    kind, livemode = event.get("type"), event.get("livemode", False)
    if not isinstance(kind, str) or not isinstance(livemode, bool):
        raise Malformed("no event type or mode")
    data = event.get("data")
    thing = data.get("object") if isinstance(data, dict) else event.get("related_object")
    created, version = event.get("created"), event.get("api_version")
    return StripeEvent(
        event["id"],
        kind[:64],
        created if type(created) is int else 0,
        livemode,
        _kept(thing if isinstance(thing, dict) else {}),
        version if _small(version) else None,
    )


def _kept(thing: dict[str, Any]) -> dict[str, Any]:
    name = thing.get("id")
    kind = _STRIPE.get(name.partition("_")[0]) if isinstance(name, str) and _STRIPE_ID.fullmatch(name) else None
    kept: dict[str, Any] = {"object": kind or "other"}
    if kind:
        kept |= {member: thing[member] for member in _MEMBERS if _small(thing.get(member))}
    for member in _NAMED:
        named = thing.get(member)
        named = named.get("id") if isinstance(named, dict) else named
        if isinstance(named, str) and _STRIPE_ID.fullmatch(named):
            kept[member] = named
    metadata = thing.get("metadata")
    if isinstance(metadata, dict):
        kept["metadata"] = {name: metadata[name] for name in _METADATA if _small(metadata.get(name))}
    error = thing.get("last_payment_error")
    if isinstance(error, dict):
        code = error.get("decline_code") or error.get("code")
        kept["last_payment_error"] = {"code": code if _small(code) else "unknown"}
    return kept


def _small(value: Any) -> bool:
    """A short text or a whole number of minor units: the only shapes that may reach the table."""
    if isinstance(value, str):
        return 0 < len(value) <= 128
    return type(value) is int and abs(value) < 10**15


@dataclass(frozen=True)
class MollieEvent:
    """What a webhook of Mollie is about: one of its objects (`tr_..`, `pl_..`, `re_..`, ..), or none we know."""

    reference: str | None
    id: str = ""
    type: str = ""


def of_mollie_form(raw: bytes) -> MollieEvent:
    """A classic webhook (`id=tr_..`). Raises Malformed without an id."""
    try:
        fields = dict(parse_qsl(raw.decode("ascii"), max_num_fields=20))
    except ValueError:
        raise Malformed("no form") from None
    if "id" not in fields:
        raise Malformed("no id")
    return MollieEvent(_object(fields["id"]))


def of_mollie_event(event: Any) -> MollieEvent:
    """A next-generation event: of the payment behind a refund, a capture or a chargeback, if it says which.

    The whole object is embedded, or only linked (simple payloads). Raises Malformed for what is no event.
    """
    if not isinstance(event, dict) or event.get("resource") != "event":
        raise Malformed("no event")
    name, kind = event.get("id"), event.get("type")
    embedded = event.get("_embedded")
    entity = embedded.get("entity") if isinstance(embedded, dict) else None
    entity = entity if isinstance(entity, dict) else {}
    parent = _object(entity.get("paymentId")) or _linked(event.get("_links")) or _linked(entity.get("_links"))
    about = _object(event.get("entityId")) or _object(entity.get("id"))
    reference = about if about and about[:3] in ("tr_", "pl_") else parent or about
    name = name if isinstance(name, str) and _EVENT_ID.fullmatch(name) else ""
    return MollieEvent(reference, name, kind[:64] if isinstance(kind, str) else "")


def _linked(links: Any) -> str | None:
    """The payment in the address of the entity, or of the payment, that an event links to."""
    for name in ("entity", "payment", "self"):
        link = links.get(name) if isinstance(links, dict) else None
        address = link.get("href") if isinstance(link, dict) else None
        if isinstance(address, str) and (found := _MOLLIE_IN_LINK.search(address[:500])):
            return found[1]
    return None


def _object(text: Any) -> str | None:
    return text if isinstance(text, str) and _MOLLIE_ID.fullmatch(text) else None
