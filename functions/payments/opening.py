"""What a provider is told about an order, and what the shopper gets to pay with."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Order:
    """What a provider shows or needs besides the amount. `webhooks` is the base address of our webhooks."""

    number: str
    return_url: str | None = None
    webhooks: str = ""


@dataclass(frozen=True)
class Opened:
    """A payment the shopper can make now: by a page, a link, a QR code, or a client secret for the shop's own page."""

    ref: str
    redirect_url: str | None = None
    link: str | None = None
    qr: str | None = None
    client_secret: str | None = None

    def kept(self) -> dict[str, Any]:
        """What may be stored to answer again: not the client secret, which belongs to the shopper alone."""
        found = {"redirect_url": self.redirect_url, "link": self.link, "qr": self.qr}
        return {name: value for name, value in found.items() if value is not None}
