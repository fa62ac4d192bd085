"""Working off one stored webhook: which payment of ours is it about, what is true of it, and into the books with it.

An event counts by the object it names, not by its type: types come and go, and say the same thing in several words. A
snapshot that is complete is taken at its word. For anything else that names a payment of ours the provider is asked.
"""

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
        return _mollie(item) if item["provider"] == "mollie" else _stripe(item)
    except exchange.OtherMode as error:  # play money is never booked next to real money
        log.failure("webhook of the other mode", error, inbox=item["pk"])
        return "other-mode"


def _stripe(item: dict[str, Any]) -> str:
    facts, complete = stripe.of_event(item)
    if complete and not facts:
        return "nothing"
    payment_id, reference = stripe.named(item)
    if payment_id is None:
        return "foreign"
    kept = books.read(payment_id)
    if kept is None:
        return "orphan"
    if not _mine(item, kept):
        return "foreign"
    if not complete:
        told = stripe.of_event(item, reference)[0]
        try:
            facts = told + recording.fetched(kept, reference)
        except (exchange.NotDone, exchange.Missing) as error:
            if told:
                recording.apply(payment_id, told, kept)  # the event's own word is enough for that much
            if not told or isinstance(error, exchange.NotDone):
                raise  # and the rest is asked for again
            return "done"
    recording.apply(payment_id, facts, kept)
    return "done"


def _mollie(item: dict[str, Any]) -> str:
    """The webhook said only that something changed: ask. What it names is a payment, or something of one."""
    reference, hint = item.get("reference", ""), item.get("payment_id")
    if reference.startswith("pl_"):
        reference, hint = "", mollie.payment_of_link(item["account"], reference)
    elif reference and not reference.startswith("tr_"):
        reference = mollie.payment_behind(item["account"], reference) or ""
    if reference:
        return _mollie_payment(item, reference, hint)
    kept = books.read(hint) if hint else None
    if kept is None:
        return "orphan" if hint else "foreign"
    if not _mine(item, kept) or "provider_ref" not in kept.payment:
        return "foreign"
    recording.apply(kept.id, recording.fetched(kept), kept)
    return "done"


def _mollie_payment(item: dict[str, Any], reference: str, hint: str | None) -> str:
    """A payment made through a link has no metadata. The address it reports to names a payment of ours; that Mollie
    payment and ours belong together has to be proved by Mollie's own list of the link's payments.
    """
    made = mollie.reported(item["account"], reference)
    if made is None:
        return "nothing"
    named = mollie.payment_id_of(made)
    payment_id = named or hint or mollie.payment_of_address(item["account"], made)
    facts: list[Fact] = mollie.of_payment(made)
    if payment_id is None or not facts:
        return "nothing" if payment_id else "foreign"
    kept = books.read(payment_id)
    if kept is None:
        return "orphan"
    if not _mine(item, kept) or (named is None and not mollie.made_through(kept.payment, reference)):
        return "foreign"
    payment = recording.apply(payment_id, facts, kept)
    if payment.get("superseded") and payment.get("captured"):
        closing.others(payment)
    return "done"


def _mine(item: dict[str, Any], kept: books.Kept) -> bool:
    return (kept.payment["provider"], kept.payment["account"]) == (item["provider"], item["account"])
