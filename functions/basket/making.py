"""Store: new guest baskets, made once however often they are asked for.

A client may name the basket itself (a UUIDv7), so that a till without a connection can begin one. Who sends the same id
with the same Idempotency-Key made it, and is answered its token again; ids are no secret, so nobody else is. The basket
keeps `maker`: a mark of that key, a digest of the request, and until when the token is good.
Why: docs/decisions/basket-makers.md.
"""

from dataclasses import dataclass, replace
from typing import Any

from basket import owners, table
from basket.basket import Opened
from basket.parts import GUEST_KEPT_S, GUEST_TOKEN_S
from commerce import clock, problems, requests, tokens, writes
from commerce.principal import Principal
from commerce.requests import Request

Item = dict[str, Any]

ANYBODY = Principal("guest", "new")
"""Who asks for a new basket: nobody we know, so a key alone tells one request from another."""


@dataclass(frozen=True)
class Made:
    """A basket as its maker meets it, the token that opens it, and whether it was there before."""

    opened: Opened
    token: str
    replayed: bool = False


class Exists(Exception):
    """There is a basket under this id. `basket` is what it is now."""

    def __init__(self, basket: Item) -> None:
        super().__init__(basket["basket_id"])
        self.basket = basket


def make(
    channel: str, market: str, location_id: str | None, basket_id: str | None = None, request: Request | None = None
) -> Made:
    """A new guest basket, or the one this request made before.

    With `basket_id` a request is needed. Raises 409 `basket-exists` for an id that somebody else has used, 422 for a
    key that was used for something else.
    """
    until = clock.epoch_after(GUEST_TOKEN_S)
    item = owners.fresh(channel, market, location_id, basket_id) | {"ttl": clock.epoch_after(GUEST_KEPT_S)}
    if request is None:
        writes.commit(writes.put("BASKET", item))
        return Made(Opened(item), _token(item["basket_id"], until))
    # The key opens a basket for as long as it is there, so it is nowhere kept as it is.
    hidden = replace(request, key=tokens.digest(request.key))
    if basket_id:
        item["maker"] = "~".join([tokens.mark(_purpose(basket_id), request.key), request.body_hash[:12], str(until)])
    try:
        writes.commit(
            writes.put("BASKET", item, refused=lambda old: Exists(old or item)),
            requests.done("BASKET", hidden, basket_id=item["basket_id"], until=until),
        )
    except writes.Refused as refused:
        if exists := refused.first(Exists):
            return _made_before(exists.basket, request)
        if done := refused.first(requests.AlreadyDone):
            marker = hidden.same(done.marker)
            return _again(marker["basket_id"], table.read(marker["basket_id"]), int(marker["until"]))
        raise
    return Made(Opened(item), _token(item["basket_id"], until))


def _made_before(basket: Item, request: Request) -> Made:
    """The basket again, if this request made it."""
    mark, _, rest = basket.get("maker", "").partition("~")
    body, _, until = rest.partition("~")
    if not tokens.is_marked(_purpose(basket["basket_id"]), request.key, mark):
        raise _exists()
    if body != request.body_hash[:12]:
        raise requests.reused()
    return _again(basket["basket_id"], basket, int(until))


def _again(basket_id: str, basket: Item | None, until: int) -> Made:
    """What its token shows of it now, wherever it is."""
    try:
        opened = table.opened(Principal("guest", basket_id), basket_id, basket)
    except problems.Problem as problem:
        raise _exists() if problem.slug == "not-found" else problem from None
    return Made(opened, _token(basket_id, until), replayed=True)


def _token(basket_id: str, until: int) -> str:
    return tokens.sign("basket", {"basket_id": basket_id, "exp": until})


def _purpose(basket_id: str) -> str:
    return f"maker of {basket_id}"


def _exists() -> problems.Problem:
    return problems.conflict("basket-exists", "There is a basket with this id already. Make another id.")
