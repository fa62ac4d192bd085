"""The HTTPS door of payments."""

import os
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import StringConstraints

from commerce import audit, door, payables, problems, tokens
from commerce.principal import Principal
from commerce.types import ID_PATTERN, MoneyBody, MoneyView
from payments import amounts, books, capturing, naming, paying_out, refunding, starting, table, views

app = door.rest()
OrderId = Annotated[str, Path(pattern=ID_PATTERN)]
PaymentId = Annotated[str, Path(pattern=ID_PATTERN)]
RefundId = Annotated[str, Path(pattern=ID_PATTERN)]


@app.post(
    "/orders/<order_id>/payments",
    summary="Start a payment",
    operation_id="startPayment",
    status_code=201,
    tags=["payments"],
)
@door.raises("order-not-payable", "amount-not-open", "method-not-supported", "payment-refused", "provider-unavailable")
def start_payment(order_id: OrderId, asked: views.StartPayment) -> Response[views.PaymentStarted]:
    """Start a payment of an order: one of possibly several. A retry with the same key continues it."""
    principal = door.caller(app)
    if principal.serves:
        principal.need("payments:write")
    if asked.account is not None:
        principal.need("payments:account")  # before anything is looked up: nobody learns which accounts there are
    request = door.idempotent(app, principal, asked)
    amount, currency = _given(asked.amount)
    terms = starting.Terms(
        asked.provider, asked.account, asked.method, amount, currency, asked.capture, asked.return_url
    )
    started = starting.start(principal, order_id, terms, request, _webhooks())
    payment = started.payment
    view = views.PaymentStarted(
        payment_id=payment["payment_id"],
        order_id=order_id,
        amount=MoneyView(amount=payment["amount"], currency=payment["currency"]),
        **started.answer,
    )
    return door.answer(view.model_dump(exclude_none=True), 201, replayed=started.repeat)


@app.get(
    "/orders/<order_id>/payments",
    summary="The payments of an order",
    operation_id="listPayments",
    tags=["payments"],
)
def list_payments(
    order_id: OrderId,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(), StringConstraints(max_length=2000)] = None,
) -> views.PaymentPage:
    """All payments of an order with their balances, oldest first within a page."""
    principal = door.caller(app)
    _staff_need(principal, "payments:read")
    payable = table.payable_alone(order_id)
    if payable is None or not _may_see(principal, payable.get("owner")):
        raise problems.not_found("order")
    principal.need_place_if_any(*payables.places(payable))
    scope = f"payments {order_id} {principal.key}"
    found, more = table.page(order_id, limit, tokens.read_cursor(scope, cursor))
    return views.PaymentPage(items=[views.of_payment(each) for each in found], next_cursor=tokens.cursor(scope, more))


@app.get(
    "/payments/<payment_id>",
    summary="One payment",
    operation_id="getPayment",
    tags=["payments"],
)
def get_payment(payment_id: PaymentId) -> views.PaymentDetails:
    """A payment with its refunds and chargebacks, as its provider reported them so far."""
    principal = door.caller(app)
    _staff_need(principal, "payments:read")
    kept = books.read(payment_id)
    if kept is None or not _may_see(principal, kept.payment.get("owner")):
        raise problems.not_found("payment")
    principal.need_place_if_any(kept.payment.get("location_id"))
    return views.of_kept(kept)


@app.post(
    "/payments/<payment_id>/captures",
    summary="Take money that is held",
    operation_id="capturePayment",
    status_code=201,
    tags=["payments"],
)
@door.raises("not-authorized", "capture-refused", "provider-unavailable")
def capture_payment(payment_id: PaymentId, body: views.CapturePayment | None = None) -> Response[views.CaptureMade]:
    """Capture an authorized payment, in part or in whole. For staff with `payments:write`; a till where it belongs."""
    asked = body or views.CapturePayment()
    principal = door.caller(app)
    principal.need("payments:write")
    request = door.idempotent(app, principal, asked)
    kept = _movable(principal, payment_id, _given(asked.amount)[1])
    request = request.audited(audit.entry(principal, "payment.captured", f"payment/{payment_id}"))
    made = capturing.capture(kept, _given(asked.amount)[0], request)
    currency = kept.payment["currency"]
    view = views.CaptureMade(
        capture_id=made.fact.object_id,
        payment_id=payment_id,
        status="pending" if made.fact.unanswered else made.payment["status"],
        amount=MoneyView(amount=made.fact.amount, currency=currency),
        captured=MoneyView(amount=made.payment["captured"], currency=currency),
    )
    return door.answer(view, 201, replayed=made.repeat)


@app.post(
    "/payments/<payment_id>/refunds",
    summary="Give money back",
    operation_id="refundPayment",
    status_code=201,
    tags=["payments"],
)
@door.raises("refund-exceeds-captured", "refund-in-parts", "refund-refused")
def refund_payment(payment_id: PaymentId, asked: views.RefundPayment) -> Response[views.RefundMade]:
    """Refund a payment, in part or in whole; never more than was captured and not given back.

    For staff with `payments:refund`; a till refunds what was paid in its own store.
    """
    principal = door.caller(app)
    principal.need("payments:refund")
    request = door.idempotent(app, principal, asked)
    currency = asked.amount.currency
    kept = _movable(principal, payment_id, currency, foreign=True)
    if no := amounts.why_not_back(kept.payment["provider"], asked.amount.amount, currency):
        raise problems.invalid(["body", "amount", "amount"], no)
    wish = refunding.Wish(
        naming.of_request(request, payment_id),
        payment_id,
        asked.amount.amount,
        asked.reason,
        principal.key,
        request.body_hash,
        entry=audit.entry(principal, "payment.refunded", f"payment/{payment_id}"),
        currency=currency,
    )
    try:
        made = refunding.refund(wish, kept)
    except refunding.TooMuch as too_much:
        left = {"amount": too_much.refundable, "currency": currency}
        detail = "That is more than can be given back."
        raise problems.conflict("refund-exceeds-captured", detail, refundable=left) from None
    except refunding.InParts:
        raise problems.conflict("refund-in-parts", "This was paid in parts: refund each part on its own.") from None
    if made.repeat:
        naming.same(request, dict(made.fact.more))
    if made.fact.status == "failed" and "code" in made.fact.more:
        detail = "The payment provider refused this refund."
        raise problems.Problem(422, "refund-refused", "Refund refused", detail, code=made.fact.more["code"])
    shown = views.of_refund(made.fact)
    view = views.RefundMade(refund_id=shown.refund_id, payment_id=payment_id, status=shown.status, amount=shown.amount)
    return door.answer(view, 201, replayed=made.repeat)


@app.put(
    "/payments/<payment_id>/refunds/<refund_id>/paid-out",
    summary="Say that a cash refund was handed over",
    operation_id="payOutRefund",
    tags=["payments"],
)
@door.raises("not-a-cash-refund")
def pay_out_refund(
    payment_id: PaymentId, refund_id: RefundId, body: views.PaidOut | None = None
) -> views.RefundPaidOut:
    """A cash refund is owed until a till or a person at its location pays it out. Saying it again changes nothing."""
    asked = body or views.PaidOut(at=None)
    principal = door.caller(app)
    principal.need("payments:refund")
    kept = books.read(payment_id)
    if kept is None:
        raise problems.not_found("payment")
    paid = paying_out.pay_out(kept, refund_id, principal, asked.drawer_id, asked.at)
    return views.RefundPaidOut(payment_id=payment_id, **views.of_refund(paid).model_dump())


@app.get(
    "/refunds",
    summary="Money that has to go back and is not on its way",
    operation_id="listRefunds",
    tags=["payments"],
)
def list_refunds(
    state: Annotated[Literal["owed", "failed"], Query(description="`failed`: only what was tried and failed")],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(), StringConstraints(max_length=2000)] = None,
) -> views.OwedPage:
    """What is owed, longest first. The sweep tries again; a refund by hand, or paying cash out, makes it up at once.

    A till sees those of its own store, so its page may be short while `next_cursor` says that there is more.
    """
    principal = door.caller(app)
    principal.need("payments:read")
    scope = f"refunds {state} {principal.key}"
    found, more = table.owed(state, limit, tokens.read_cursor(scope, cursor))
    items = [views.of_owed(kept) for kept in found if principal.acts_at(kept.payment.get("location_id"))]
    return views.OwedPage(items=items, next_cursor=tokens.cursor(scope, more))


def _given(amount: MoneyBody | None) -> tuple[int | None, str | None]:
    return (amount.amount, amount.currency) if amount else (None, None)


def _movable(principal: Principal, payment_id: str, currency: str | None, *, foreign: bool = False) -> books.Kept:
    """The payment, if the caller may move its money and the amount given is in its currency, or in one it came in."""
    kept = books.read(payment_id)
    if kept is None:
        raise problems.not_found("payment")
    principal.need_place(kept.payment.get("location_id"))
    taken = {kept.payment["currency"], *(kept.payment.get("foreign", {}) if foreign else ())}
    if currency and currency not in taken:
        raise problems.invalid(["body", "amount", "currency"], f"This payment is in {kept.payment['currency']}.")
    return kept


def _staff_need(principal: Principal, scope: str) -> None:
    """Shoppers see what is theirs; staff and tills need a scope."""
    if principal.serves and not principal.has("payments:write"):
        principal.need(scope)


def _may_see(principal: Principal, owner: str | None) -> bool:
    return principal.serves or owner == principal.key


def _webhooks() -> str:
    """Where providers reach us: as configured, or as this request did."""
    configured = os.environ.get("PUBLIC_URL")
    if configured:
        return configured.rstrip("/")
    context = app.current_event.request_context
    return f"https://{context.domain_name}/{context.stage}"


handler = door.handler(app)
