"""Bounded input: the only shapes a request may carry. Unknown members are refused everywhere."""

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from commerce.money import EXPONENTS

SKU_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
MAX_AMOUNT = 10**12


def _plain(text: str) -> str:
    """NFC, trimmed, no control or invisible format characters: what people can see is what is stored."""
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") for character in text):
        raise ValueError("control characters are not allowed")
    plain = unicodedata.normalize("NFC", text).strip()
    if not plain:
        raise ValueError("must not be blank")
    return plain


def _known_currency(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError(f"unknown currency {code}")
    return code


Text = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_plain)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_plain)]
Sku = Annotated[str, StringConstraints(pattern=SKU_PATTERN)]
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Currency = Annotated[str, StringConstraints(min_length=3, max_length=3), AfterValidator(_known_currency)]
Quantity = Annotated[int, Field(ge=1, le=99_999, strict=True)]
_EMAIL = r"^[^@\s]{1,64}@[^@\s]+\.[^@\s]+$"
Email = Annotated[str, StringConstraints(max_length=254, pattern=_EMAIL), AfterValidator(_plain)]
Phone = Annotated[str, StringConstraints(max_length=20, pattern=r"^\+?[0-9][0-9 ().-]{4,18}$")]


class Body(BaseModel):
    """A request body. What is not named is refused."""

    model_config = ConfigDict(extra="forbid", str_max_length=4000)


class View(BaseModel):
    """An answer. Built from stored values, which may hold more than callers see."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)


class MoneyView(View):
    """An amount in minor units."""

    amount: int = Field(examples=[1299], description="minor units (cents)")
    currency: str = Field(examples=["EUR"], description="ISO 4217")


class MoneyBody(Body):
    """A positive amount in minor units."""

    amount: Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True)]
    currency: Currency


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    """Members that say something."""
    return {key: value for key, value in values.items() if value is not None}
