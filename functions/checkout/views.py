"""What checkout is asked and what it answers."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from checkout import money
from commerce import countries, phones
from commerce.types import Body, Country, Email, Id, MoneyView, Phone, PostalCode, Text, View, without_none

_Ascii = StringConstraints(pattern=r"^[\x21-\x7e]{1,800}$")


class ContactBody(Body):
    """Whom to tell about the order."""

    name: Text
    email: Email | None = None
    phone: Phone | None = Field(
        None, description="in any spelling; without its country it belongs to the address's, else to the market's"
    )

    def as_item(self, *home: str) -> dict[str, Any]:
        """For the order item, the phone number in its one spelling. `home`: the countries it may belong to.

        Raises ValueError for an impossible number.
        """
        spelled = {"phone": phones.spelled(self.phone, *home)} if self.phone else {}
        return without_none(self.model_dump()) | spelled


_SPELLINGS = {"street": "line1", "postcode": "postal_code", "zip": "postal_code"}
"""Members of an address as other systems name them."""


class AddressBody(Body):
    """Where to deliver. `street` and `house_number` together are a `line1`; `postcode` and `zip` are a `postal_code`.

    Coordinates help to choose the nearest location; they are optional and come together.
    """

    name: Text | None = Field(None, description="recipient, if not the contact")
    line1: Text = Field(examples=["Kalverstraat 1"])
    line2: Text | None = None
    postal_code: PostalCode | None = Field(
        None,
        description="as the country's post writes it, or nearly; needed where there are some",
        examples=["1012 AB"],
    )
    city: Text
    region: Text | None = None
    country: Country | None = Field(None, description="ISO 3166-1 alpha-2; the market's country unless given")
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_we_spell_it(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        spelled = {key: value for key, value in given.items() if key not in _SPELLINGS}
        for theirs, ours in _SPELLINGS.items():
            if theirs in given:
                spelled.setdefault(ours, given[theirs])
        if isinstance(given.get("house_number"), str | int) and isinstance(spelled.get("line1"), str):
            spelled["line1"] += f" {spelled.pop('house_number')}"
        return spelled

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude come together")
        return self

    def within(self, market_country: str) -> Self:
        """The address with its country, and the postal code as that country writes it. Raises ValueError."""
        country = self.country or market_country
        if self.postal_code is not None:
            code: str | None = countries.postal_code(self.postal_code, country)
        elif countries.needs_postal_code(country):
            raise ValueError(f"an address in {country} needs a postal code")
        else:
            code = None
        return self.model_copy(update={"country": country, "postal_code": code})

    def as_item(self, country: str) -> dict[str, Any]:
        """For the order item; coordinates as text, because no float is ever stored."""
        plain = without_none(self.model_dump(exclude={"latitude", "longitude"})) | {"country": self.country or country}
        if self.latitude is None:
            return plain
        return plain | {"latitude": f"{self.latitude:.5f}", "longitude": f"{self.longitude:.5f}"}


class FulfilmentBody(Body):
    """How the goods reach the shopper.

    Pickup names its store; carry-out is where the till is, or `location_id`. A delivery leaves from wherever is best,
    or from `location_id`; its address may still be unknown when the order is placed.
    """

    kind: Literal["delivery", "pickup", "carry_out"]
    location_id: Id | None = None
    address: AddressBody | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "pickup" and self.location_id is None:
            raise ValueError("pickup needs a location_id")
        if self.kind != "delivery" and self.address is not None:
            raise ValueError(f"{self.kind} takes no address")
        return self


class PriceReceiptBody(Body):
    """The price receipt exactly as the basket showed it."""

    id: Annotated[str, _Ascii]
    expires_at: Annotated[str, _Ascii]
    signature: Annotated[str, _Ascii]


class PlaceOrder(Body):
    """Place an order from everything in a basket that is not saved for later."""

    basket_id: Id
    basket_version: Annotated[int, Field(ge=1, le=10**15, strict=True)] | None = None
    contact: ContactBody | None = None
    fulfilment: FulfilmentBody
    price_receipt: PriceReceiptBody | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.contact is None and self.fulfilment.kind != "carry_out":
            raise ValueError("contact is needed unless the goods are carried out")
        return self


class OrderTotalsView(View):
    """`subtotal - discount = total`; `tax` is inside the total."""

    subtotal: MoneyView
    discount: MoneyView
    tax: MoneyView
    total: MoneyView


class OrderSourceView(View):
    """How many of a line come from where."""

    location_id: str
    quantity: int


class OrderLineView(View):
    """One SKU of an order."""

    sku: str
    name: str
    quantity: int
    unit_price: MoneyView
    line_total: MoneyView
    tax: MoneyView
    sources: list[OrderSourceView]


class OrderAddressView(View):
    """Where to deliver."""

    name: str | None = None
    line1: str
    line2: str | None = None
    postal_code: str | None = None
    city: str
    region: str | None = None
    country: str
    latitude: float | None = None
    longitude: float | None = None


class OrderFulfilmentView(View):
    """How the goods reach the shopper."""

    kind: Literal["delivery", "pickup", "carry_out"]
    location_id: str | None = None
    address: OrderAddressView | None = None


class OrderContactView(View):
    """Whom to tell about the order. Only its owner and staff can see an order at all."""

    name: str
    email: str | None = None
    phone: str | None = None


class OrderView(View):
    """An order."""

    order_id: str
    order_number: str = Field(examples=["7K2M-9QXD-4TZC"])
    state: Literal["placing", "placed", "authorized", "paid", "fulfilled", "rejected", "expired", "cancelled"]
    channel: str
    market: str
    basket_id: str
    lines: list[OrderLineView]
    totals: OrderTotalsView
    pay_by: str
    capture_before: str | None = Field(None, description="while `authorized`: when the first hold is let go")
    short: MoneyView | None = Field(None, description="of a paid order: what it does not keep (any more)")
    placed_at: str
    paid_at: str | None = None
    fulfilment: OrderFulfilmentView
    contact: OrderContactView | None = None

    @classmethod
    def of(cls, order: Mapping[str, Any]) -> Self:
        """The order as it is now. An order that is being unwound already shows where that ends."""
        shown = {name: value for name, value in order.items() if name != "capture_before"}
        if order["state"] == "authorized":
            shown["capture_before"] = money.capture_before(order)
        if short := money.short_of(order):
            shown["short"] = {"amount": short, "currency": order["currency"]}
        return cls._render(shown, order["lines"], order.get("unwinding") or order["state"], order["pay_by"])

    @classmethod
    def as_placed(cls, order: Mapping[str, Any]) -> Self:
        """The order as the answer to placing it, also when that is asked again after things have moved on."""
        unpaid = {name: value for name, value in order.items() if name not in ("paid_at", "capture_before")}
        lines = order.get("first_lines") or order["lines"]
        return cls._render(unpaid, lines, "placed", order.get("first_pay_by") or order["pay_by"])

    @classmethod
    def _render(cls, order: Mapping[str, Any], lines: list[dict[str, Any]], state: str, pay_by: str) -> Self:
        def in_money(amount: int) -> dict[str, Any]:
            return {"amount": amount, "currency": order["currency"]}

        by_sku: dict[str, dict[str, Any]] = {}
        for line in lines:
            whole = by_sku.setdefault(
                line["sku"],
                {"sku": line["sku"], "name": line["name"], "quantity": 0, "unit_price": in_money(line["unit_price"]),
                 "line_total": in_money(0), "tax": in_money(0), "sources": {}},
            )  # fmt: skip
            whole["quantity"] += line["quantity"]
            whole["line_total"]["amount"] += line["line_total"]
            whole["tax"]["amount"] += line["tax"]
            there = whole["sources"].get(line["location_id"], 0)
            whole["sources"][line["location_id"]] = there + line["quantity"]
        for whole in by_sku.values():
            whole["sources"] = [{"location_id": at, "quantity": many} for at, many in whole["sources"].items()]
        totals = {name: in_money(order[name]) for name in ("subtotal", "discount", "tax", "total")}
        shown = {"lines": list(by_sku.values()), "totals": totals, "state": state, "pay_by": pay_by}
        return cls.model_validate({**order, **shown})


class OrderListView(View):
    """A page of orders, newest first."""

    items: list[OrderView]
    next_cursor: str | None = None


class AtRiskView(View):
    """A paid order that does not keep what it should: money went back or was charged back before the hand-over."""

    order_id: str
    order_number: str
    state: Literal["paid"]
    channel: str
    location_id: str | None = None
    placed_at: str
    at_risk_since: str
    total: MoneyView
    short: MoneyView = Field(description="what has to be paid again before the order may be handed over")

    @classmethod
    def of(cls, order: Mapping[str, Any]) -> Self:
        """The order as it is now."""
        amounts = {"total": order["total"], "short": money.short_of(order)}
        shown = {name: {"amount": amount, "currency": order["currency"]} for name, amount in amounts.items()}
        return cls.model_validate({**order, **shown})


class AtRiskListView(View):
    """A page of orders at risk, longest first."""

    items: list[AtRiskView]
    next_cursor: str | None = None
