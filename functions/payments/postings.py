"""Working off one stored webhook: what does it say, about which payment of ours, and into the books with it."""

from typing import Any

from commerce import log
from payments import books, closing, exchange, mollie, recording, stripe
from payments.ledger import Fact


def work_off(item: dict[str, Any]) -> str:
    """Do what an inbox item asks for. Returns how it ended: `done`, `nothing`, `foreign`, `other-mode` or `orphan`.

    An orphan names a payment of ours that is not there (yet): it has to be tried again. Raises `exchange.NotDone` when
    the provider has to be asked and cannot be.
    """
    try:
        payment_id, facts, proof = _mollie(item) if item["provider"] == "mollie" else _stripe(item)
    except exchange.OtherMode as error:  # play money is never booked next to real money
        log.failure("webhook of the other mode", error, inbox=item["pk"])
        return "other-mode"
    if not facts:
        return "nothing"
    if payment_id is None:
        return "foreign"
    kept = books.read(payment_id)
    if kept is None:
        return "orphan"
    mine = (kept.payment["provider"], kept.payment["account"]) == (item["provider"], item["account"])
    if not mine or (proof and not mollie.made_through(kept.payment, proof)):
        return "foreign"
    payment = recording.apply(payment_id, facts, kept)
    if payment.get("superseded") and payment.get("captured"):
        closing.others(payment)
    return "done"


def _stripe(item: dict[str, Any]) -> tuple[str | None, list[Fact], str | None]:
    payment_id, facts = stripe.of_event(item)
    if facts and payment_id is None:
        payment_id = stripe.payment_id_of(item)
    return payment_id, facts, None


def _mollie(item: dict[str, Any]) -> tuple[str | None, list[Fact], str | None]:
    """The webhook said only that something changed: ask.

    A payment made through a link has no metadata. The address it reported to names a payment of ours, but anybody can
    post to an address, so that has to be proved by Mollie's own list of the link's payments.
    """
    made = mollie.reported(item["account"], item["reference"])
    if made is None:
        return None, [], None
    named = mollie.payment_id_of(made)
    if named:
        return named, mollie.of_payment(made), None
    return item.get("payment_id"), mollie.of_payment(made), item["reference"]
