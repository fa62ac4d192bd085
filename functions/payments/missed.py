"""What providers would have told us: looked for by the clock, so that no webhook is needed to learn of anything.

Stripe lists its events; each one is put into the inbox as if it had been posted, unless it is there already. Mollie
lists no events, but it lists payments, refunds and chargebacks, newest first, and what one of them has become is as
good as an event. How far the lists were read is kept in an item for each account:

    SINCE#<provider>#<account> / -   since, began, where (to go on), again

A run reads a few pages. Where there is more it goes on from there in the next run, and says so.
"""

from collections.abc import Callable
from typing import Any

from commerce import clock, log, reads, writes
from payments import accounts, books, exchange, mailbox, mollie, stripe
from payments.excerpts import StripeEvent

_EVERY_S = 600
_PAGES = 5
"""Pages of one list that are read in one run."""
_AT_FIRST_S = 24 * 3600
"""How far back a stack looks that has never looked."""
_OVERLAP_S = 900
"""What was made shortly before a run began may not have been in the list yet."""
_STRIPE_KEEPS_S = 29 * 24 * 3600
_MOLLIE_WATCHED_S = {"payments": 2 * 24 * 3600, "refunds": 14 * 24 * 3600, "chargebacks": 180 * 24 * 3600}
"""How long something of Mollie is looked at after it was made. A refund can fail when it had arrived, and a chargeback
be reversed; payments that can still be paid are looked at one by one (see `sweep`)."""
_SETTLED = {"paid", "authorized"}
_AT_ONCE = 100


def look(failed: Callable[[str], bool]) -> None:
    """Look at every account whose time has come. `failed(provider)`: whether that provider is better left alone."""
    for name in sorted(accounts.configured().known):
        provider, _, account = name.partition("/")
        if accounts.secret(provider, account) is None or failed(provider):
            continue
        key = (f"SINCE#{name.replace('/', '#')}", "-")
        state = reads.get(books.PAYMENTS, key) or {"version": 0}
        if state.get("again", "") > clock.iso():
            continue
        try:
            after = (_stripe if provider == "stripe" else _mollie)(account, state)
        except exchange.Missing as error:  # a page that is not there any more: from the start again
            log.failure("list lost its place", error, account=name)
            after = {**state, "where": None}
        _keep(key, state, after | {"again": clock.after(_EVERY_S)})


def _keep(key: tuple[str, str], before: dict[str, Any], after: dict[str, Any]) -> None:
    """The new position, unless somebody else looked meanwhile: what both found is in the inbox once."""
    item = {name: value for name, value in after.items() if value is not None and name not in ("pk", "sk", "version")}
    item |= {"pk": key[0], "sk": key[1], "version": before["version"] + 1}
    when, names, values = "attribute_not_exists(pk)", {}, {}
    if before["version"]:
        when, names, values = "#v = :seen", {"#v": "version"}, {":seen": before["version"]}
    try:
        writes.commit(writes.put(books.PAYMENTS, item, when=when, names=names, values=values))
    except writes.Refused:
        return


# ------------------------------------------------------------------------------------------------- Stripe


def _stripe(account: str, state: dict[str, Any]) -> dict[str, Any]:
    """Events since the last time, newest first. Returns where to go on."""
    now = int(clock.source())
    began = state.get("began", now)
    since = max(state.get("since", now - _AT_FIRST_S), now - _STRIPE_KEEPS_S)
    where = state.get("where")
    for _ in range(_PAGES):
        found, where = stripe.events_since(account, since, where)
        _post_stripe(account, found)
        if where is None:
            return {"since": began - _OVERLAP_S}
    log.outcome("more events than one run reads", provider="stripe", account=account)
    return {"since": since, "began": began, "where": where}


def _post_stripe(account: str, found: list[StripeEvent]) -> None:
    keys = {mailbox.stripe_key(account, event.id): event for event in found}
    known = reads.get_many({books.PAYMENTS: [(key, "-") for key in keys]}, consistent=False)[books.PAYMENTS]
    for key, event in keys.items():
        if (key, "-") not in known:
            log.outcome("event was missed", provider="stripe", type=event.type)
            try:
                mailbox.stripe(account, event.id, event.type, event.created, event.kept)
            except writes.Refused:
                continue  # posted at this very moment


# ------------------------------------------------------------------------------------------------- Mollie


def _mollie(account: str, state: dict[str, Any]) -> dict[str, Any]:
    """What payments, refunds and chargebacks have become since they were last looked at."""
    going_on = state.get("where") or {}
    kinds = going_on or dict.fromkeys(_MOLLIE_WATCHED_S)
    left = {kind: where for kind in kinds if (where := _mollie_list(account, kind, kinds[kind]))}
    if left:
        log.outcome("more changes than one run reads", provider="mollie", account=account, lists=sorted(left))
    return {"where": left or None}


def _mollie_list(account: str, kind: str, where: str | None) -> str | None:
    """A few pages of a list, back to what is watched no more. Returns where to go on, None at its end."""
    oldest = clock.source() - _MOLLIE_WATCHED_S[kind]
    for _ in range(_PAGES):
        found, where = mollie.changes(account, kind, where)
        watched = [change for change in found if change.made_at >= oldest]
        for start in range(0, len(watched), _AT_ONCE):
            _post_mollie(account, watched[start : start + _AT_ONCE])
        if where is None or len(watched) < len(found):
            return None
    return where


def _post_mollie(account: str, found: list[mollie.Change]) -> None:
    """Have the payments fetched that became something nobody told us of.

    A payment is known by what was posted about it. What a refund or chargeback became is noted once it was looked at.
    """
    wanted = [change for change in found if change.id[:3] != "tr_" or change.status in _SETTLED]
    keys = {_noted_as(account, change): change for change in wanted}
    known = reads.get_many({books.PAYMENTS: [(key, "-") for key in keys]}, consistent=False)[books.PAYMENTS]
    for key, change in keys.items():
        if (key, "-") in known:
            continue
        mailbox.mollie(account, change.payment, None, f"missed.{change.status}")
        if change.id != change.payment:
            mailbox.note(key)


def _noted_as(account: str, change: mollie.Change) -> str:
    if change.id == change.payment:
        return mailbox.mollie_key(account, change.id)
    return mailbox.seen_key(account, f"{change.id}.{change.status}")
