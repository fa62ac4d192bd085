"""Every event of the house: one pydantic model is its schema, its projection and its consumer's view.

An item that changed carries `event` (type, time, correlation, cause, data). The event's data are the members of the
model, picked from that item and from `event.data`; so an event can only say what a committed item says. Ids only:
no member of any model here is personal.
"""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator

from commerce import clock

BUS_SOURCE = "mandje"


class EventData(BaseModel):
    """Base of all event data. Consumers ignore members they do not know, so producers may add some."""

    model_config = ConfigDict(extra="ignore")
    source: ClassVar[str]
    subject: ClassVar[str]
    """Format of the subject, filled from the data."""

    @classmethod
    def subject_of(cls, data: dict[str, Any]) -> str:
        """What the event is about: one subject for everything that has its own `version`."""
        return cls.subject.format(**data)


class _Catalog(EventData):
    source = "catalog"
    subject = "product/{sku}"
    sku: str


class ProductChanged(_Catalog):
    """A product was added or its master data changed (prices included)."""


class PriceChanged(_Catalog):
    """A price changed. Amounts are minor units by currency."""

    prices: dict[str, int]


class _Stock(EventData):
    source = "stock"
    subject = "stock/{sku}/{location_id}"
    sku: str
    location_id: str


class StockLevelChanged(_Stock):
    """A level is now this. Later versions replace earlier ones. The stock of a place is the sum over its levels."""

    shard: str | None = None
    on_hand: int
    reserved: int
    safety: int
    available: int

    @classmethod
    def subject_of(cls, data: dict[str, Any]) -> str:
        """A part of a split level counts its own versions, so it is a subject of its own."""
        return super().subject_of(data) + (f"/{data['shard']}" if data.get("shard") else "")


class StockOversold(StockLevelChanged):
    """A fact drove `available` below zero: somebody who was promised goods may not get them.

    `missing` is how many promised units are not there (0: only the safety stock is gone); `orders` are those at risk,
    newest first, as far as they are known.
    """

    missing: int = 0
    orders: list[str] = []


class StockMoved(_Stock):
    """Goods moved. `quantity` is what it did to the stock on hand at the location, signed."""

    subject = "movement/{movement_id}"
    movement_id: str
    kind: str
    quantity: int
    to_location_id: str | None = None
    order_id: str | None = None
    reference: str | None = None
    part: int | None = None
    parts: int | None = None
    """Of the order whose goods left or came back: portion `part` of `parts` is booked. Told once a portion."""


class _Basket(EventData):
    source = "basket"
    subject = "basket/{basket_id}"
    basket_id: str
    customer_id: str | None = None
    channel: str | None = None


class BasketChanged(_Basket):
    """Lines changed. `skus` are those touched by this change."""

    skus: list[str] = []
    change: str


class BasketMerged(_Basket):
    """Another basket's lines were taken in."""

    merge_id: str
    from_basket_id: str


class BasketUnmerged(_Basket):
    """A merge was undone."""

    merge_id: str
    from_basket_id: str


class BasketAbandoned(_Basket):
    """Nothing happened to a filled basket for the configured time."""

    silent_since: str


class _ToldAgain(EventData):
    """An obligation that its owner tells until the other side has acknowledged it."""

    again: bool | None = None
    """The totals that were told before, told again because nobody acknowledged them. No news for a history."""


class OrderedLine(BaseModel):
    """What an order takes from one stock level."""

    model_config = ConfigDict(extra="ignore")
    sku: str
    quantity: int
    location_id: str
    shard: str | None = None


class Order(_ToldAgain):
    source = "checkout"
    subject = "order/{order_id}"
    order_id: str
    order_number: str
    market: str
    channel: str
    currency: str
    total: int
    customer_id: str | None = None
    basket_id: str | None = None
    lines: list[OrderedLine]


class OrderPlaced(Order):
    """An order was placed and holds its stock until `pay_by`."""

    pay_by: str


class OrderPaid(Order):
    """Captured payments cover the total."""

    paid_at: str


class OrderExpired(Order):
    """Not paid in time: stock and lines were given back."""


class OrderFulfilled(Order):
    """Handed over or sent."""


class RefundDue(BaseModel):
    """One payment of which money must go back: `total` in all for this order so far, `amount` of it newly told.

    Only the total is acted on, so any number of tellings in any order ask for the same money once.
    """

    payment_id: str
    amount: int
    total: int


class OrderCancelled(Order):
    """Cancelled. `was_paid`: the goods were, or are about to be, sold. `refunds` is what must go back."""

    was_paid: bool = False
    paid_at: str | None = None
    cancelled_at: str | None = None
    refunds: list[RefundDue] = []


class OrderRefundDue(Order):
    """Money was captured that this order must not keep."""

    refunds: list[RefundDue]
    reason: str


class Payment(_ToldAgain):
    """Every event of a payment carries all its totals, so the newest version says everything."""

    source = "payments"
    subject = "payment/{payment_id}"
    payment_id: str
    order_id: str
    provider: str
    method: str
    currency: str
    amount: int
    captured: int
    refunded: int
    charged_back: int = 0
    kept: int = 0
    """What is left of it: captured, and neither refunded nor charged back."""
    outside: int = 0
    """The part of `refunded` that the order did not ask for: by hand, or in the provider's dashboard."""
    asked: int = 0
    """The total the order asked to give back, as far as payments has heard."""
    authorized: int = 0
    capture_before: str | None = None
    """Until when what is authorized can be taken."""
    pending: int = 0
    expected_by: str | None = None
    """By when the provider says whether what is pending came."""
    customer_id: str | None = None

    @model_validator(mode="after")
    def _net(self) -> Self:
        self.kept = self.captured - self.refunded - self.charged_back
        return self


class PaymentPending(Payment):
    """The payer has paid and the bank is busy: firm money is on its way, and comes or fails by `expected_by`."""


class PaymentAuthorized(Payment):
    """Money is reserved, not yet taken."""


class PaymentCaptured(Payment):
    """Money was taken."""


class PaymentFailed(Payment):
    """An attempt failed, expired or was cancelled, or a hold was let go; a later one may still succeed."""

    status: str
    let_go: int = 0
    """What was firm until now (held, or on its way) and is not any more."""


class PaymentRefunded(Payment):
    """Money went back; `refunded` is the total."""


class PaymentRefundFailed(Payment):
    """A refund was refused, possibly after it had been reported as done."""

    refund_id: str


class PaymentReceivedLate(Payment):
    """Captured after the payable was closed. Not published yet: `payment.captured` tells of it, checkout decides."""


class PaymentAmountMismatch(Payment):
    """The provider reports another amount or currency than was asked for."""

    reported_amount: int
    reported_currency: str


class PaymentChargebackOpened(Payment):
    """The payer's bank took money back."""

    chargeback_id: str


class PaymentChargebackClosed(Payment):
    """A chargeback was decided."""

    chargeback_id: str
    outcome: str


class _Profile(EventData):
    source = "profiles"
    subject = "profile/{profile_id}"
    profile_id: str


class ProfileCreated(_Profile):
    """A profile exists."""


class ProfileIdentified(_Profile):
    """An identity was attached or verified. Only its kind and, for accounts, the customer id are told."""

    subject = "profile/{profile_id}/identity/{identity_id}"
    identity_id: str
    kind: str
    customer_id: str | None = None


class ProfileMerged(_Profile):
    """Two profiles are one person. `profile_id` is the survivor's."""

    subject = "merge/{merge_id}"
    merge_id: str
    survivor_id: str
    absorbed_id: str


class ProfileUnmerged(_Profile):
    """That merge never was; other merges may still hold the two together."""

    subject = "merge/{merge_id}"
    merge_id: str
    survivor_id: str
    absorbed_id: str
    separated: bool = True


class ProfileErased(_Profile):
    """Everything personal is gone."""


TYPES: dict[str, type[EventData]] = {
    "product.changed": ProductChanged,
    "price.changed": PriceChanged,
    "stock.moved": StockMoved,
    "stock.level_changed": StockLevelChanged,
    "stock.oversold": StockOversold,
    "basket.changed": BasketChanged,
    "basket.merged": BasketMerged,
    "basket.unmerged": BasketUnmerged,
    "basket.abandoned": BasketAbandoned,
    "order.placed": OrderPlaced,
    "order.paid": OrderPaid,
    "order.expired": OrderExpired,
    "order.cancelled": OrderCancelled,
    "order.refund_due": OrderRefundDue,
    "order.fulfilled": OrderFulfilled,
    "payment.pending": PaymentPending,
    "payment.authorized": PaymentAuthorized,
    "payment.captured": PaymentCaptured,
    "payment.failed": PaymentFailed,
    "payment.refunded": PaymentRefunded,
    "payment.refund_failed": PaymentRefundFailed,
    "payment.received_late": PaymentReceivedLate,
    "payment.amount_mismatch": PaymentAmountMismatch,
    "payment.chargeback_opened": PaymentChargebackOpened,
    "payment.chargeback_closed": PaymentChargebackClosed,
    "profile.created": ProfileCreated,
    "profile.identified": ProfileIdentified,
    "profile.merged": ProfileMerged,
    "profile.unmerged": ProfileUnmerged,
    "profile.erased": ProfileErased,
}
"""Event type -> model."""


class Cause:
    """What the current invocation answers to. Set by the door, written into every event it makes."""

    correlation_id: ClassVar[str] = ""
    causation_id: ClassVar[str] = ""


def of(type: str, **data: Any) -> dict[str, Any]:
    """The `event` attribute of the item version being written: the type, and what the item itself does not say."""
    if type not in TYPES:
        raise ValueError(f"unknown event type {type}")
    event: dict[str, Any] = {"type": type, "time": clock.iso()}
    if data:
        event["data"] = data
    if Cause.correlation_id:
        event["correlation"] = Cause.correlation_id
    if Cause.causation_id:
        event["cause"] = Cause.causation_id
    return event


class Envelope(BaseModel):
    """The CloudEvents 1.0 envelope on the bus. `id` is `subject@version`: a repeat is visible to anyone."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: str
    dataschema: str
    correlationid: str | None = None
    causationid: str | None = None
    data: dict[str, Any]


def version_of(message: Envelope) -> int:
    """Which version of its subject a message tells: later ones replace earlier ones."""
    return int(message.id.rpartition("@")[2].partition("/")[0])


def envelope(item: dict[str, Any]) -> Envelope | None:
    """The event that this version of an item means; None if it means none.

    Raises pydantic.ValidationError if the item does not say what its event type promises.
    """
    event = item.get("event")
    if not event:
        return None
    model = TYPES[event["type"]]
    data = model.model_validate(item | event.get("data", {})).model_dump(exclude_none=True)
    subject = model.subject_of(data)
    return Envelope(
        id=f"{subject}@{item.get('version', 1)}",
        source=f"{BUS_SOURCE}.{model.source}",
        type=event["type"],
        subject=subject,
        time=event["time"],
        dataschema=f"/events/schemas/{event['type']}.json",
        correlationid=event.get("correlation"),
        causationid=event.get("cause"),
        data=data,
    )
