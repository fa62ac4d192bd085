"""What is kept of a webhook: a list of allowed members, each of a known shape, and nothing that tells who paid.

Pure, standard library only: the webhook door must start fast.
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

STRIPE_VERSION = "2026-10-28.endive"
"""The one version of Stripe's API that is spoken here: sent with every request, and expected in every event."""

_STRIPE: dict[str, tuple[str, ...]] = {
    "payment_intent": ("id", "status", "amount", "amount_received", "amount_capturable", "currency"),
    "refund": ("id", "status", "amount", "currency", "payment_intent"),
    "dispute": ("id", "status", "amount", "currency", "payment_intent"),
    "checkout.session": ("id", "status", "payment_intent"),
}
"""Stripe object -> members the ledger works with."""

_STRIPE_TYPES = {
    "payment_intent.amount_capturable_updated", "payment_intent.canceled", "payment_intent.payment_failed",
    "payment_intent.processing", "payment_intent.succeeded",
    "refund.created", "refund.failed", "refund.updated",
    "charge.dispute.closed", "charge.dispute.created", "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn", "charge.dispute.updated",
    "checkout.session.expired",
}  # fmt: skip
"""What the ledger works off. Everything else Stripe may be configured to send says the same in other words
(`charge.succeeded`, `charge.refunded`) or moves no money (`payment_intent.created`)."""

_OPTIONAL = {"amount_received", "amount_capturable", "payment_intent"}
_METADATA = ("payment_id", "refund_id", "capture_id")
_EVENT_ID = re.compile(r"[A-Za-z0-9_]{1,128}")
_MOLLIE_PAYMENT = re.compile(r"tr_[A-Za-z0-9]{4,64}")


class Malformed(Exception):
    """The body is not what this provider sends."""


@dataclass(frozen=True)
class StripeEvent:
    """`kept` is None for an event the ledger has no use for. `version` is the one of the API it was written in."""

    id: str
    type: str
    created: int
    livemode: bool
    kept: dict[str, Any] | None
    version: str | None = None


def of_stripe(event: Any) -> StripeEvent:
    """Read a v1 event. Thin (v2) events are understood as events of no use. Raises Malformed.

    Only what is needed is asked for: a signed event is not sent away because a member is missing that its type, or the
    moment of its arrival (`created` 0), says as well. Without a mode it is a test event.
    """
    if not isinstance(event, dict) or not isinstance(event.get("id"), str) or not _EVENT_ID.fullmatch(event["id"]):
        raise Malformed("no event id")
    kind = event.get("type")
    livemode = event.get("livemode", False)
    if not isinstance(kind, str) or not isinstance(livemode, bool):
        raise Malformed("no event type or mode")
    if kind not in _STRIPE_TYPES or event.get("object", "event") != "event":
        return StripeEvent(event["id"], kind[:64], 0, livemode, None)
    data = event.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    created = event.get("created", 0)
    if not isinstance(thing, dict) or type(created) is not int:
        raise Malformed("no object")
    thing = {"object": kind.rpartition(".")[0].removeprefix("charge.")} | thing
    if not isinstance(thing["object"], str) or thing["object"] not in _STRIPE:
        raise Malformed("no object")
    version = event.get("api_version")
    return StripeEvent(event["id"], kind, created, livemode, _kept(thing), version if _small(version) else None)


def _kept(thing: dict[str, Any]) -> dict[str, Any]:
    kept = {name: thing[name] for name in _STRIPE[thing["object"]] if _small(thing.get(name))}
    if missing := set(_STRIPE[thing["object"]]) - _OPTIONAL - set(kept):
        raise Malformed(f"no {min(missing)}")
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


def of_mollie_form(raw: bytes) -> str | None:
    """The payment a classic webhook (`id=tr_..`) is about; None for other objects. Raises Malformed without an id."""
    try:
        fields = dict(parse_qsl(raw.decode("ascii"), max_num_fields=20))
    except ValueError:
        raise Malformed("no form") from None
    if "id" not in fields:
        raise Malformed("no id")
    return _payment(fields["id"])


def of_mollie_event(event: Any) -> str | None:
    """The payment a next-generation event is about, also for its refunds, captures and chargebacks.

    None if it is about something else, or is a simple payload about a refund: the classic webhook tells of that too.
    """
    if not isinstance(event, dict) or event.get("resource") != "event":
        raise Malformed("no event")
    embedded = event.get("_embedded")
    entity = embedded.get("entity") if isinstance(embedded, dict) else None
    parent = entity.get("paymentId") if isinstance(entity, dict) else None
    return _payment(event.get("entityId")) or _payment(parent)


def _payment(text: Any) -> str | None:
    return text if isinstance(text, str) and _MOLLIE_PAYMENT.fullmatch(text) else None
