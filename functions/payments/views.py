"""What the payments API takes and gives."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from commerce import clock
from commerce.types import MAX_AMOUNT, Body, Id, MoneyBody, MoneyView, Text, View
from payments import books, claims, ledger

ReturnUrl = Annotated[
    str,
    StringConstraints(max_length=1000, pattern=r"^https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[\x21-\x7e]*)?$"),
]


def _moment(text: str) -> str:
    clock.parse(text)
    return text


Moment = Annotated[str, StringConstraints(max_length=40), AfterValidator(_moment)]
_STATUSES = (
    "created, unknown, open, pending, authorized, captured, refunded, failed, expired, canceled, released or foreign "
    "(money came, but in another currency)"
)


class StartPayment(Body):
    """How an order is to be paid. Several payments may make up one order."""

    provider: Literal["stripe", "mollie", "cash"]
    account: Id | None = Field(None, description="Only staff with `payments:account` name one; else it is configured")
    method: Literal["online", "link", "qr", "terminal", "cash", "gift_card"]
    amount: MoneyBody | None = Field(None, description="All that is still open, unless given")
    capture: Literal["automatic", "manual"] = Field("automatic", description="`manual` only holds the amount")
    terminal_id: Id | None = None
    return_url: ReturnUrl | None = Field(None, description="Where the shopper goes after paying; it decides nothing")


class CapturePayment(Body):
    """How much of what is held is taken; all of it, unless given."""

    amount: MoneyBody | None = None


class RefundMoney(Body):
    """A positive amount in minor units, in a currency that was paid: it may be one that we do not sell in."""

    amount: Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True)]
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]


class RefundPayment(Body):
    """How much goes back, and why."""

    amount: RefundMoney
    reason: Text


class PaidOut(Body):
    """A cash refund was handed over."""

    drawer_id: Id | None = None
    at: Moment | None = Field(None, description="When, for a till that was offline; now, unless given")


class PaymentStarted(View):
    """A payment and what the shopper needs to make it."""

    payment_id: str
    order_id: str
    status: str
    amount: MoneyView
    redirect_url: str | None = Field(None, description="The provider's page")
    client_secret: str | None = Field(None, description="For the provider's form on a page of your own")
    qr: str | None = Field(None, description="Address of a QR code to scan with a banking app")
    link: str | None = Field(None, description="A page that can be sent to somebody")


class ForeignView(View):
    """Money that came in another currency: it pays nothing and goes back as it came."""

    amount: int = Field(description="What is still here, minor units")
    currency: str
    captured: MoneyView
    refunded: MoneyView
    refund_pending: MoneyView
    charged_back: MoneyView


class PaymentView(View):
    """A payment and its balance. Amounts follow from what the provider reported, not from what was asked for."""

    payment_id: str
    order_id: str
    provider: str
    method: str
    status: str = Field(description=_STATUSES)
    amount: MoneyView = Field(description="What was asked for")
    captured: MoneyView
    refunded: MoneyView
    refund_pending: MoneyView
    authorized: MoneyView
    charged_back: MoneyView
    foreign: list[ForeignView] = Field([], description="What came in other currencies, counted apart")
    superseded: bool = Field(False, description="Another attempt took its place; what is paid here goes back")
    created_at: str


class RefundView(View):
    """One refund of a payment."""

    refund_id: str
    status: str = Field(description="owed (cash that nobody paid out yet), pending, succeeded, failed")
    amount: MoneyView
    reason: str | None = None
    paid_out_at: str | None = Field(None, description="When a cash refund was handed over")
    drawer_id: str | None = Field(None, description="The drawer it came from")


class ChargebackView(View):
    """Money the payer's bank took back."""

    chargeback_id: str
    status: str = Field(description="opened, withdrawn, closed, lost, won, reinstated")
    amount: MoneyView


class PaymentDetails(PaymentView):
    """A payment with its refunds and chargebacks."""

    refunds: list[RefundView]
    chargebacks: list[ChargebackView]
    fees: MoneyView = Field(description="What the provider charged for disputes; the order neither pays nor keeps it")


class PaymentPage(View):
    """A page of the payments of an order."""

    items: list[PaymentView]
    next_cursor: str | None


class RefundMade(View):
    """A refund that was asked for."""

    refund_id: str
    payment_id: str
    status: str = Field(description="pending until the provider says that it succeeded or failed; owed in cash")
    amount: MoneyView


class RefundPaidOut(RefundView):
    """A cash refund that was handed over."""

    payment_id: str


class OwedView(View):
    """Money that has to go back and is not on its way."""

    payment_id: str
    order_id: str
    provider: str
    method: str
    state: Literal["owed", "failed"] = Field(description="`failed`: it was tried, and the refund failed")
    amount: MoneyView
    since: str
    refund_id: str | None = Field(None, description="The one to pay out in cash first, else that failed last")
    reason: str | None = None
    refunds: list[RefundView] = Field([], description="All that wait for a drawer or failed, oldest first")


class OwedPage(View):
    """A page of what is owed, longest first."""

    items: list[OwedView]
    next_cursor: str | None


class CaptureMade(View):
    """A capture, and what the payment has captured by now."""

    capture_id: str
    payment_id: str
    status: str = Field(description="The payment's; pending while the provider has not said what became of it")
    amount: MoneyView
    captured: MoneyView


def of_payment(payment: dict[str, Any]) -> PaymentView:
    """A stored payment as callers see it."""
    return PaymentView(**_members(payment))


def of_kept(kept: books.Kept) -> PaymentDetails:
    """A payment and its facts as callers see them."""
    refunds = [of_refund(fact) for fact in kept.facts if fact.kind == "refund"]
    chargebacks = [
        ChargebackView(chargeback_id=fact.object_id, status=fact.status, amount=_money(fact.amount, fact.currency))
        for fact in kept.facts
        if fact.kind == "chargeback"
    ]
    currency = kept.payment["currency"]
    fees = _money(sum(fact.amount for fact in kept.facts if (fact.kind, fact.currency) == ("fee", currency)), currency)
    return PaymentDetails(**_members(kept.payment), refunds=refunds, chargebacks=chargebacks, fees=fees)


def of_refund(fact: ledger.Fact) -> RefundView:
    """A refund fact as callers see it. That we have asked for it and not heard yet is `pending` to them."""
    status = "pending" if fact.status == "requested" else fact.status
    money = _money(fact.amount, fact.currency)
    more = {"reason": fact.more.get("reason"), "drawer_id": fact.more.get("drawer_id")}
    more["paid_out_at"] = _iso(fact.at) if "paid_out_by" in fact.more else None
    return RefundView(refund_id=fact.object_id, status=status, amount=money, **more)


def of_owed(kept: books.Kept) -> OwedView:
    """A payment of which something is owed, with the refunds that somebody can do something about."""
    payment = kept.payment
    failed = claims.failed(payment, kept.facts)
    in_cash = sorted(claims.waiting_for_a_drawer(payment, kept.facts), key=lambda fact: fact.at)
    named = in_cash[0] if in_cash else failed[-1] if failed else None
    return OwedView(
        **{name: payment[name] for name in ("payment_id", "order_id", "provider", "method")},
        state="failed" if failed and payment.get("owed") else "owed",
        amount=_money(payment.get("owed", 0) + payment.get("owed_in_cash", 0), payment["currency"]),
        since=payment["owed_since"],
        refund_id=named.object_id if named else None,
        reason=named.more.get("reason") if named else None,
        refunds=[of_refund(fact) for fact in sorted([*in_cash, *failed], key=lambda fact: fact.at)],
    )


def _members(payment: dict[str, Any]) -> dict[str, Any]:
    plain = ("payment_id", "order_id", "provider", "method", "status", "created_at")
    amounts = ("amount", "captured", "refunded", "refund_pending", "authorized", "charged_back")
    members: dict[str, Any] = {name: payment[name] for name in plain}
    members["superseded"] = bool(payment.get("superseded"))
    members["foreign"] = [_foreign(code, sums) for code, sums in sorted(payment.get("foreign", {}).items())]
    return members | {name: _money(payment.get(name, 0), payment["currency"]) for name in amounts}


def _foreign(code: str, sums: dict[str, int]) -> ForeignView:
    left = ledger.Balance("", foreign={code: sums}).held.get(code, 0)
    return ForeignView(amount=left, currency=code, **{name: _money(amount, code) for name, amount in sums.items()})


def _iso(at: int) -> str:
    return clock.iso(datetime.fromtimestamp(at, UTC))


def _money(amount: int, currency: str) -> MoneyView:
    return MoneyView(amount=amount, currency=currency)
