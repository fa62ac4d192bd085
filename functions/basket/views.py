"""What the basket's door takes and gives."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from basket.basket import Opened
from commerce import clock, markets, pricing
from commerce.baskets import Dot
from commerce.types import Body, Id, MoneyView, Quantity, Sku, View

Channel = Literal["web", "app", "till", "kiosk", "chat"]
QuantityOrNone = Annotated[int, Field(ge=0, le=99_999, strict=True)]
DotName = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
MarketId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,20}$")]

MAX_OPERATIONS = 25


UUID7_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
"""Ids that clients make for baskets."""


class NewBasket(Body):
    """A new guest basket."""

    basket_id: Annotated[str, StringConstraints(pattern=UUID7_PATTERN)] | None = Field(
        None,
        description="a UUIDv7 of the client's own, so that a device without a connection can begin a basket; then an "
        "Idempotency-Key is required, and only who sends both again is answered the basket and its token again",
    )
    channel: Channel
    market: MarketId = markets.DEFAULT
    location_id: Id | None = None


class AddLine(Body):
    """Add pieces of a product. Whatever else is going on in the basket, these are added."""

    sku: Sku
    quantity: Quantity
    channel: Channel | None = Field(None, description="where the shopper is adding from, if not the basket's channel")


class SetLine(Body):
    """The quantity a line shall have; 0 removes it."""

    quantity: QuantityOrNone
    channel: Channel | None = None


class BasketOperation(Body):
    """One entry of a device's log."""

    seq: Annotated[int, Field(ge=1, le=10**12, strict=True)] = Field(description="1, 2, 3 ... per device and basket")
    op: Literal["add", "set", "remove", "save_for_later", "move_to_basket"]
    sku: Sku
    quantity: QuantityOrNone | None = Field(None, description="for `add` and `set`; `set` to 0 removes")
    seen: Annotated[list[DotName], Field(max_length=500)] | None = Field(
        None,
        description="ids (`added[].id`) of what the device knew of this line; its own are `<device_id>|<seq>`. "
        "Only these are set, removed or moved. Left out: the line as it is when the operation arrives.",
    )
    at: AwareDatetime = Field(description="by the device's clock; shown, never compared")

    @model_validator(mode="after")
    def _quantity_where_it_belongs(self) -> Self:
        if (self.quantity is not None) != (self.op in ("add", "set")):
            raise ValueError("quantity belongs to add and set, and only there")
        if self.op == "add" and not self.quantity:
            raise ValueError("add at least one")
        return self


class BasketOperations(Body):
    """The next part of a device's log; parts that were sent before may be in it."""

    device_id: Id = Field(
        description="the name of this log and no other: a second installation, a restored backup or a tab with a log "
        "of its own takes another (409 `sequence-conflict` tells when one did not)"
    )
    operations: Annotated[list[BasketOperation], Field(min_length=1, max_length=MAX_OPERATIONS)]

    @model_validator(mode="after")
    def _in_sequence(self) -> Self:
        first = self.operations[0].seq
        if [operation.seq for operation in self.operations] != [*range(first, first + len(self.operations))]:
            raise ValueError("operations must follow each other without a gap")
        return self


class ClaimBasket(Body):
    """The guest basket to take in."""

    basket_token: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class BasketAddView(View):
    """One accepted add that is part of a line."""

    id: str = Field(description="to be named in `seen`")
    quantity: int
    via: str
    at: str
    location_id: str | None = None
    by: str | None = Field(None, description="who added it for the shopper; told to staff and tills only")
    from_basket_id: str | None = Field(None, description="the claimed basket it came with")


class BasketLineView(View):
    """A line. Without prices when the product is not (or no longer) sold in this market."""

    sku: str
    name: str
    quantity: int
    unit_price: MoneyView | None
    line_total: MoneyView | None
    unavailable: bool
    added_via: str = Field(description="channel of the first add")
    added: list[BasketAddView]


class BasketTotalsView(View):
    """`subtotal - discount = total`; `tax` is the part of the total that is tax."""

    subtotal: MoneyView
    discount: MoneyView
    tax: MoneyView
    total: MoneyView


class PriceReceiptView(View):
    """A promise: ordered before `expires_at`, these lines cost this much."""

    id: str
    expires_at: str
    signature: str


class BasketView(View):
    """A basket, priced now."""

    basket_id: str
    version: int
    channel: str
    market: str
    location_id: str | None = None
    customer_id: str | None = None
    lines: list[BasketLineView]
    saved_for_later: list[BasketLineView]
    totals: BasketTotalsView
    price_receipt: PriceReceiptView

    @classmethod
    def of(cls, opened: Opened, *, serving: bool) -> Self:
        """Price what the caller sees: products from the warm cache, the others in one batch read."""
        item, dots = opened.item, opened.dots
        market = markets.get(item["market"])
        products = pricing.products(sorted({dot.sku for dot in dots.values()}))
        lines, priced = _lines(opened, dots, products, market, serving, saved=False)
        saved, _ = _lines(opened, dots, products, market, serving, saved=True)
        totals = pricing.totals(priced)
        receipt = pricing.receipt(opened.basket_id, priced, market)
        return cls(
            basket_id=opened.basket_id,
            version=item["version"],
            channel=item["channel"],
            market=item["market"],
            location_id=None if opened.partial else item.get("location_id"),
            customer_id=None if opened.partial else item.get("customer_id"),
            lines=lines,
            saved_for_later=saved,
            totals=BasketTotalsView(
                **{name: MoneyView(amount=amount, currency=market.currency) for name, amount in totals.as_map().items()}
            ),
            price_receipt=PriceReceiptView.model_validate(receipt),
        )


def _lines(
    opened: Opened,
    dots: Mapping[str, Dot],
    products: Mapping[str, Mapping[str, Any]],
    market: markets.Market,
    serving: bool,
    *,
    saved: bool,
) -> tuple[list[BasketLineView], list[pricing.PricedLine]]:
    """The lines in or beside the basket, in order of their first add, and those of them that have a price."""
    adds: dict[str, list[BasketAddView]] = {}
    for name, dot in dots.items():
        if dot.saved == saved:
            adds.setdefault(dot.sku, []).append(_add(opened, name, dot, serving))
    quantities = {sku: sum(add.quantity for add in each) for sku, each in adds.items()}
    priced, _ = pricing.price_lines(quantities, products, market)
    prices = {line.sku: line for line in priced}

    def money(amount: int) -> MoneyView:
        return MoneyView(amount=amount, currency=market.currency)

    def view(sku: str) -> BasketLineView:
        price = prices.get(sku)
        return BasketLineView(
            sku=sku,
            name=products[sku]["name"] if sku in products else sku,
            quantity=quantities[sku],
            unit_price=money(price.unit_price) if price else None,
            line_total=money(price.line_total) if price else None,
            unavailable=price is None,
            added_via=adds[sku][0].via,
            added=adds[sku],
        )

    return [view(sku) for sku in adds], priced


def _add(opened: Opened, name: str, dot: Dot, serving: bool) -> BasketAddView:
    return BasketAddView(
        id=opened.name_there(name),
        quantity=dot.quantity,
        via=dot.via or opened.item["channel"],
        at=clock.iso(datetime.fromtimestamp(dot.at / 1000, UTC)),
        location_id=dot.location_id,
        by=dot.by if serving else None,
        from_basket_id=opened.origin_of(dot),
    )


class BasketCreatedView(View):
    """A new basket, and the token that opens it."""

    basket: BasketView
    token: str


class OperationsView(View):
    """How far the device's log is applied, and the basket then."""

    applied_seq: int
    basket: BasketView


class MergedLineView(View):
    """A line that moved with a merge."""

    sku: str
    quantity: int


class BasketMergeView(View):
    """What a claim did, and its undo."""

    merge_id: str
    from_basket_id: str
    merged_at: str
    state: Literal["merged", "undone"]
    lines_added: list[MergedLineView]
    lines_returned: list[MergedLineView]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """The view of a merge record."""
        return cls(
            merge_id=record["merge_id"],
            from_basket_id=record["from_basket_id"],
            merged_at=record["merged_at"],
            state=record["state"],
            lines_added=_moved(record["lines"]),
            lines_returned=_moved(record.get("lines_returned", {})),
        )


def _moved(lines: Mapping[str, int]) -> list[MergedLineView]:
    return [MergedLineView(sku=sku, quantity=quantity) for sku, quantity in lines.items()]


class ClaimedView(View):
    """The owner's basket after a claim or its undo."""

    basket: BasketView
    merge: BasketMergeView
