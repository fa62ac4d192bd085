"""What the catalog's door takes and gives."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StringConstraints

from catalog.product import RESERVED
from commerce import markets
from commerce.markets import Market
from commerce.pricing import price_at
from commerce.types import Body, LongText, MoneyBody, MoneyView, Sku, Text, View

MAX_BATCH = 100

Attribute = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Whole = Annotated[int, Field(strict=True, ge=-(10**15), le=10**15)]
AttributeValue = LongText | bool | Whole | Annotated[list[Text], Field(max_length=50)]
Image = Annotated[str, StringConstraints(max_length=1000, pattern=r"^(https://|/)[\x21-\x7e]+$")]


def _one_price_a_currency(prices: list[MoneyBody]) -> list[MoneyBody]:
    if len({price.currency for price in prices}) < len(prices):
        raise ValueError("one price per currency")
    return prices


def _no_route(sku: str) -> str:
    if sku in RESERVED:
        raise ValueError("this word is a route of the API and cannot be a SKU")
    return sku


def _known_tax_class(name: str) -> str:
    known = {tax_class for market in markets.every().values() for tax_class in market.taxes}
    if name not in known:
        raise ValueError(f"unknown tax class; known are {', '.join(sorted(known))}")
    return name


class ProductBody(Body):
    """What the PIM says about a product. All of it: what is not said is gone."""

    name: Text = Field(examples=["T-shirt navy, M"])
    prices: Annotated[list[MoneyBody], Field(min_length=1, max_length=20), AfterValidator(_one_price_a_currency)] = (
        Field(
            description="gross prices, tax included; one per currency", examples=[[{"amount": 1995, "currency": "EUR"}]]
        )
    )
    tax_class: Annotated[str, StringConstraints(max_length=40), AfterValidator(_known_tax_class)] = "standard"
    attributes: Annotated[dict[Attribute, AttributeValue], Field(max_length=50)] = Field(
        default_factory=dict, examples=[{"size": "M", "colour": "navy"}]
    )
    image: Image | None = Field(None, examples=["https://img.example/tee-navy.jpg"])

    def said(self, sku: str) -> dict[str, Any]:
        """As the rules take it."""
        prices = {price.currency: price.amount for price in self.prices}
        return self.model_dump(exclude={"sku", "prices"}) | {"sku": sku, "prices": prices}


class ProductInBatch(ProductBody):
    """A product with its SKU."""

    sku: Annotated[Sku, AfterValidator(_no_route)]


class ProductBatch(Body):
    """Up to 100 products. They are all valid, or none is written."""

    products: Annotated[list[ProductInBatch], Field(min_length=1, max_length=MAX_BATCH)]


class ProductView(View):
    """A product, with its price in the asked market if it is sold there."""

    sku: str
    name: str
    prices: list[MoneyView]
    price: MoneyView | None = Field(description="the price in the market's currency; null if it is not sold there")
    tax_class: str
    attributes: dict[str, Any]
    image: str | None

    @classmethod
    def of(cls, product: Mapping[str, Any], market: Market) -> Self:
        """The view of a product item."""
        amount = price_at(product, market.currency)
        return cls(
            sku=product["sku"],
            name=product["name"],
            prices=[
                MoneyView(amount=price["amount"], currency=currency)
                for currency, price in sorted(product["prices"].items())
            ],
            price=None if amount is None else MoneyView(amount=amount, currency=market.currency),
            tax_class=product["tax_class"],
            attributes=product["attributes"],
            image=product.get("image"),
        )


class ProductsView(View):
    """A page of products."""

    items: list[ProductView]
    next_cursor: str | None


class ProductResult(View):
    """What became of one product of a batch."""

    sku: str
    changed: bool = Field(description="false: it was like that already, and nothing was written")
    version: int


class ProductBatchView(View):
    """What became of a batch, in its order."""

    items: list[ProductResult]
