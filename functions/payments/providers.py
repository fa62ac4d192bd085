"""The providers behind one port. Everything they answer is a `ledger.Fact`, or what the shopper needs to pay."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from payments import mollie, stripe
from payments.ledger import Fact
from payments.opening import Opened, Order


class Provider(Protocol):
    """What every provider module offers. Requests raise `Refused`, `NotDone`, `Unknown` or `Missing` (`exchange`)."""

    METHODS: set[str]

    def needs_return_url(self, method: str) -> bool:
        """Whether the shopper has to be sent somewhere after paying."""

    def start(self, payment: Mapping[str, Any], order: Order) -> Opened:
        """Make the payment at the provider, under our payment id as the key."""

    def client_secret(self, payment: Mapping[str, Any]) -> str | None:
        """The client secret of a payment that was started before, if it has one."""

    def find(self, payment: Mapping[str, Any]) -> Opened | None:
        """What became of a start with an unknown outcome."""

    def fetch(self, payment: Mapping[str, Any]) -> list[Fact]:
        """Everything the provider says about the payment now."""

    def capture(self, payment: Mapping[str, Any], asked: Fact) -> list[Fact]:
        """Take what is held, under the id of the request as the key."""

    def refund(self, payment: Mapping[str, Any], asked: Fact) -> list[Fact]:
        """Carry out a refund, under its id as the key."""

    def not_before(self, asked: Fact, known: Iterable[Fact]) -> float:
        """When a refund may be asked for (epoch seconds), beside the others of the payment."""

    def cancel(self, payment: Mapping[str, Any]) -> list[Fact]:
        """Let nobody pay it any more."""


_BY_NAME: dict[str, Provider] = {"stripe": stripe, "mollie": mollie}


def of(payment: Mapping[str, Any]) -> Provider:
    """The provider of a payment. Cash has none."""
    return _BY_NAME[payment["provider"]]
