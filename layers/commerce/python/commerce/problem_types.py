"""Every problem the API answers: its slug, its status, when it happens, and the members it has of its own.

Read when the contract is made and by the tests; no function loads it. To add a problem: one line here, and its slug in
the `@door.raises(...)` of each route that can answer it. What many routes answer alike (a token that is missing, a body
that is too large, a used Idempotency-Key) is named by `infra.openapi_problems`, not by the routes.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from commerce.types import MoneyView


class ProblemView(BaseModel):
    """What all RFC 9457 problem documents have."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str = Field("", description="for people; may change")
    instance: str = Field("", description="names this one request in our logs")


class RequestError(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(extra="forbid")

    loc: list[str | int] = Field(description="where: `body`, `query`, `path` or `header`, then members and places")
    msg: str
    type: str


class Shortage(BaseModel):
    """Less than asked for. `location_id` is null when several locations were looked at."""

    model_config = ConfigDict(extra="forbid")

    sku: str
    location_id: str | None
    requested: int
    available: int


class ShortLine(BaseModel):
    """A SKU and how many of it."""

    model_config = ConfigDict(extra="forbid")

    sku: str
    quantity: int


class AlternativePart(BaseModel):
    """What one part of a split order would be."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    location_id: str = ""
    lines: list[ShortLine]


class Alternative(BaseModel):
    """What could be done instead: pickup elsewhere, delivery, both in parts, or fewer pieces."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(examples=["pickup", "delivery", "split", "lower_quantity"])
    location_id: str | None = None
    name: str = ""
    distance_km: float = 0
    lines: list[ShortLine] = []
    parts: list[AlternativePart] = []


PROBLEMS: dict[str, type[ProblemView]] = {}
"""By slug."""

STATUS: dict[str, int] = {}
"""By slug."""


def _problem(status: int, slug: str, when: str, /, **members: Any) -> None:
    """Declare a problem. A member is `name=type`, or `name=(type, None)` where the answer may leave it out."""
    name = "".join(word.capitalize() for word in slug.split("-")) + "Problem"
    own: dict[str, Any] = {key: said if isinstance(said, tuple) else (said, ...) for key, said in members.items()}
    own["type"] = (str, Field(json_schema_extra={"const": f"/problems/{slug}"}))
    own["status"] = (int, Field(json_schema_extra={"const": status}))
    PROBLEMS[slug] = create_model(name, __base__=ProblemView, __doc__=when, **own)
    STATUS[slug] = status


# ----------------------------------------------------------------------------------------------- what any route may say

_problem(400, "idempotency-key-missing", "This needs an Idempotency-Key header.")
_problem(400, "idempotency-key-invalid", "An Idempotency-Key is 1 to 255 visible ASCII characters, sent once.")
_problem(401, "unauthorized", "No token, or one that is not good.")
_problem(403, "forbidden", "The token is good, but may not do this; often it lacks a scope.")
_problem(404, "not-found", "There is no such thing, or it is somebody else's.")
_problem(413, "body-too-large", "A body has at most 64 KB, an import 1 MB, a webhook 256 KB.")
_problem(415, "unsupported-media-type", "A body is sent as application/json.")
_problem(422, "validation", "The request is not valid; `errors` says where.", errors=list[RequestError])
_problem(422, "idempotency-key-reused", "This Idempotency-Key was used for another request.")
_problem(429, "too-many-requests", "More requests than the API takes; come back a little later.")
_problem(503, "busy", "Too busy right now; `Retry-After` says when to come back. Nothing was changed.")

# --------------------------------------------------------------------------------------------------------------- basket

_problem(409, "basket-full", "The basket would have too many lines.", limit=(int, None))
_problem(409, "quantity-limit", "A line would have too many pieces.", limit=int, sku=str)
_problem(409, "sequence-gap", "Earlier operations of this device are missing.", expected_seq=int, applied_seq=int)
_problem(
    409,
    "sequence-conflict",
    "Another log under this name said something else at place `seq`; all before is the same. Take a new name.",
    seq=int,
    expected_seq=int,
    applied_seq=int,
)
_problem(409, "basket-exists", "There is a basket with this id, and it was not made with this Idempotency-Key.")
_problem(429, "too-many-adds", "A thousand adds were removed again within a day; set quantities instead.")

# ------------------------------------------------------------------------------------------------------------- checkout

_problem(409, "basket-empty", "There is nothing in the basket to order.")
_problem(
    409, "basket-changed", "The basket is not what was seen: look again.", version=(int, None), merged_to=(str, None)
)
_problem(409, "not-sold", "Some things are not sold here (any more).", skus=list[str])
_problem(
    409,
    "location-unable",
    "This location does not serve the order's `reason`: its `fulfilment`, `market` or `channel`.",
    location_id=str,
    reason=str,
)
_problem(409, "price-changed", "The order costs another total than was shown.", total=MoneyView)
_problem(409, "out-of-stock", "Not everything is available.", shortages=list[Shortage], alternatives=list[Alternative])
_problem(409, "in-progress", "This order, or this very request, is being worked on; ask again in a moment.")
_problem(409, "order-state", "The order's state does not allow this.", state=str)
_problem(409, "order-not-covered", "Not all of this order is paid (any more): `short` has to be paid.", short=MoneyView)
_problem(422, "order-too-large", "Too many lines for one order; order them in two parts.")

# ------------------------------------------------------------------------------------------------------------- payments

_problem(409, "order-not-payable", "Nothing can be paid for this order (any more).")
_problem(409, "amount-not-open", "More than is still open of this order.", open=MoneyView)
_problem(409, "not-authorized", "More than is held for this payment.", authorized=MoneyView)
_problem(409, "refund-exceeds-captured", "More than was captured and not given back.", refundable=MoneyView)
_problem(409, "not-a-cash-refund", "The provider pays this refund out, nobody at a drawer.")
_problem(409, "refund-in-parts", "This was paid in parts: refund each part on its own.")
_problem(422, "method-not-supported", "This provider cannot be used for this method.")
_problem(422, "payment-refused", "The provider refused the payment.", code=str)
_problem(422, "capture-refused", "The provider refused the capture.", code=str)
_problem(422, "refund-refused", "The provider refused the refund.", code=str)
_problem(
    503,
    "provider-unavailable",
    "The provider does not answer; send the same request with the same key again.",
    payment_id=(str, None),
)
_problem(400, "malformed-webhook", "This is no webhook of this provider.")
_problem(401, "bad-signature", "Not signed by this provider, or not for an account of ours.")
_problem(401, "wrong-mode", "A test event for a live account, or the other way round.")

# ------------------------------------------------------------------------------------------------------------- profiles

_problem(409, "identity-taken", "Another profile has this identity.", profile_id=(str, None))
_problem(409, "too-many-identities", "A profile has as many identities as it may.")
_problem(409, "too-many-merged", "The person would have too many profiles.")
_problem(409, "profile-being-erased", "This profile is being erased; ask again in a minute.")

# ---------------------------------------------------------------------------------------------------------------- stock

_problem(
    409,
    "not-enough-stock",
    "Less than that can leave this location.",
    sku=str,
    location_id=str,
    requested=int,
    available=int,
)
