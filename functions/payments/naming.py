"""Ids that follow from what was asked, so that asking twice names the same thing.

A request's payment, refund or capture is named after who asked, by which route and under which Idempotency-Key; a
refund that an event asks for, after the event. The thing itself is then the marker: it is put only if absent, and it
keeps the hash of what was asked. That saves an item per request, and the same name is the key at the provider.
"""

import uuid
from typing import Any

from commerce.requests import Request

_SPACE = uuid.UUID("0f2b6d58-93a7-5c1e-8d6c-6d616e646a65")


def of_request(request: Request) -> str:
    """The id of what this request makes."""
    return str(uuid.uuid5(_SPACE, request.pk))


def of_refund(order_id: str, payment_id: str, event_id: str) -> str:
    """The id of the refund that an order's event asks for."""
    return str(uuid.uuid5(_SPACE, f"refund {order_id} {payment_id} {event_id}"))


def of_foreign(payment_id: str, of: str, currency: str, amount: int, tries: int) -> str:
    """The id of the refund of what a provider payment holds in another currency, after so many that failed."""
    return str(uuid.uuid5(_SPACE, f"foreign {payment_id} {of} {currency} {amount} {tries}"))


def same(request: Request, kept: dict[str, Any]) -> None:
    """Raises 422 if what was made under this Idempotency-Key was made for another request."""
    request.same({"body_hash": kept.get("body_hash")})
