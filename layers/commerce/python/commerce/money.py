"""Money is an integer of minor units and a currency. Floats never touch it."""

from dataclasses import dataclass
from decimal import Decimal

EXPONENTS = {
    "EUR": 2, "GBP": 2, "USD": 2, "CHF": 2, "DKK": 2, "NOK": 2, "SEK": 2, "PLN": 2, "CZK": 2, "HUF": 2,
    "RON": 2, "BGN": 2, "CAD": 2, "AUD": 2, "JPY": 0, "ISK": 0, "KWD": 3,
}  # fmt: skip
"""ISO 4217 decimals of the currencies we sell in. A currency not named here is refused, never guessed."""


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` minor units of `currency` (ISO 4217)."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in EXPONENTS:
            raise ValueError(f"unknown currency {self.currency!r}")

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __mul__(self, times: int) -> "Money":
        return Money(self.amount * times, self.currency)

    def _same(self, other: "Money") -> None:
        if other.currency != self.currency:
            raise ValueError(f"cannot mix {self.currency} and {other.currency}")

    def decimal(self) -> str:
        """`12.99`, `500`: exactly the currency's decimals (Mollie's wire form)."""
        return f"{Decimal(self.amount).scaleb(-EXPONENTS[self.currency]):f}"

    @classmethod
    def of_decimal(cls, text: str, currency: str) -> "Money":
        """Read `12.99`. Raises ValueError when it has more decimals than the currency."""
        minor = Decimal(text).scaleb(EXPONENTS[currency])
        if minor != minor.to_integral_value():
            raise ValueError(f"{text} has more decimals than {currency}")
        return cls(int(minor), currency)

    def as_map(self) -> dict[str, int | str]:
        """The wire and item form: `{"amount": 1299, "currency": "EUR"}`."""
        return {"amount": self.amount, "currency": self.currency}


def tax_included(amount: int, percent: int) -> int:
    """The tax inside a gross amount, minor units, half up: `tax_included(1210, 21) == 210`."""
    base = 100 + percent
    return (2 * amount * percent + base) // (2 * base)
