"""Bounded input: the only shapes a request may carry. Unknown members are refused everywhere."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from commerce import countries
from commerce.money import EXPONENTS
from commerce.text import plain, tidy

SKU_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
MAX_AMOUNT = 10**12


def _as_pasted(given: Any) -> Any:
    """Trimmed and without invisible companions, before anything else looks at it."""
    return tidy(given) if isinstance(given, str) else given


def _in_one_form(longest: int) -> AfterValidator:
    """In one form, and still short enough: NFC may need more characters than what was sent."""

    def formed(text: str) -> str:
        whole = plain(text)
        if len(whole) > longest:
            raise ValueError(f"longer than {longest} characters")
        return whole

    return AfterValidator(formed)


def _an_email(text: str) -> str:
    from commerce import emails  # only doors that take addresses have the library

    emails.spelled(text)
    return text.lower()


def _known_currency(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError(f"unknown currency {code}")
    return code


Text = Annotated[str, StringConstraints(min_length=1, max_length=200), _in_one_form(200)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=1000), _in_one_form(1000)]
Sku = Annotated[str, StringConstraints(pattern=SKU_PATTERN)]
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Currency = Annotated[str, StringConstraints(min_length=3, max_length=3), AfterValidator(_known_currency)]
Quantity = Annotated[int, Field(ge=1, le=99_999, strict=True)]
Country = Annotated[
    str, BeforeValidator(_as_pasted), StringConstraints(max_length=10), AfterValidator(countries.country)
]
"""ISO 3166-1 alpha-2, in upper case however it was sent."""
_EMAIL = r"^[^@\s]{1,64}@[^@\s]+\.[^@\s]+$"
Email = Annotated[
    str, BeforeValidator(_as_pasted), StringConstraints(max_length=254, pattern=_EMAIL), AfterValidator(_an_email)
]
"""Trimmed and in lower case."""
Phone = Annotated[str, BeforeValidator(_as_pasted), StringConstraints(min_length=3, max_length=40)]
"""As people write it; whoever knows the country reads it with `commerce.phones`."""
PostalCode = Annotated[str, BeforeValidator(_as_pasted), StringConstraints(min_length=1, max_length=20)]
"""As people write it; whoever knows the country reads it with `commerce.countries`."""


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
