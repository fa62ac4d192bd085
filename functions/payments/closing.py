"""Closing what may not be paid any more: the order ended or is covered, or another attempt took its place.

Who takes a place is at the till or on the page now, so the other attempts are closed at their providers in the same
request. That is the quick way, and may fail: their payments are due in any case, and the sweep closes them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from commerce import clock, log, problems, writes
from payments import exchange, providers, recording, table, tenders

_EACH_S = 2.5
_ALL_S = 6.0
"""How long the caller is kept waiting for what the sweep could do as well."""
_NOT_CLOSED = (exchange.Refused, exchange.Unknown)
"""Money is on its way, this kind of payment cannot be cancelled, or nobody knows: the next look will tell."""


def close(payment: Mapping[str, Any]) -> None:
    """Close an open payment at its provider, and keep what it says. Raises exchange.NotDone or Missing."""
    try:
        recording.apply(payment["payment_id"], providers.of(payment).cancel(payment))
    except _NOT_CLOSED as error:
        log.failure("payment not closed", error, payment_id=payment["payment_id"])


def at_once(payments: Iterable[Mapping[str, Any]]) -> None:
    """Close payments whose place was taken, as far as that goes quickly."""
    until = clock.source() + _ALL_S
    for payment in payments:
        if "provider_ref" in payment and clock.source() < until:
            try:
                with exchange.patience(_EACH_S):
                    close(payment)
            except (exchange.NotDone, exchange.Missing, problems.Problem) as error:
                log.failure("payment not closed", error, payment_id=payment["payment_id"])


def others(payment: Mapping[str, Any]) -> None:
    """A payment that had been replaced was paid all the same: what replaced it has lost its place in turn."""
    payable, known = table.payable(payment["order_id"])
    if payable is None:
        return
    for each in tenders.needless(payable["amount"], table.payments(known)):
        try:
            writes.commit(table.superseded(dict(each)))
        except writes.Refused:
            continue  # it has moved on; should it be paid too, checkout gives that back
