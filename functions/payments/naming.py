"""Ids that follow from what was asked, so that asking twice names the same thing.

A request's payment is named after who asked, by which route and under which Idempotency-Key, and a request's refund or
capture after its payment too; a refund that an order asks for, after the order, the payment and the total asked. The
thing itself is then the marker: it is put only if absent, and it keeps the hash of what was asked. That saves an item
per request, and the same name is the key at the provider.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from commerce.requests import Request

_SPACE = uuid.UUID("0f2b6d58-93a7-5c1e-8d6c-6d616e646a65")


def of_request(request: Request, payment_id: str = "") -> str:
    """The id of what this request makes: a payment, or a refund or capture of the payment `payment_id`.

    A key that a client uses for two payments names two things, or the provider would take the second for a repeat.
    """
    return str(uuid.uuid5(_SPACE, f"{request.pk} {payment_id}" if payment_id else request.pk))


def of_refund(payment: Mapping[str, Any], of: str, tries: int) -> str:
    """The id of the refund that makes up what an order has asked back in all, after so many that failed.

    `of` is the provider's payment that bears it: a payment link may have several.
    """
    asked = f"{payment['order_id']}#{payment['payment_id']}#{payment.get('asked', 0)}"
    return str(uuid.uuid5(_SPACE, f"refund {asked} {of} {tries}"))


def of_foreign(payment_id: str, of: str, currency: str, amount: int, tries: int) -> str:
    """The id of the refund of what a provider payment holds in another currency, after so many that failed."""
    return str(uuid.uuid5(_SPACE, f"foreign {payment_id} {of} {currency} {amount} {tries}"))


def same(request: Request, kept: dict[str, Any]) -> None:
    """Raises 422 if what was made under this Idempotency-Key was made for another request."""
    request.same({"body_hash": kept.get("body_hash")})
