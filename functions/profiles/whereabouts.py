"""The country of a phone number that is written without one: what the request says, else where the caller's till is."""

from collections.abc import Sequence

from commerce import locations, markets, phones, problems
from commerce.principal import Principal
from profiles.table import Claim
from profiles.views import CreateProfile, IdentityBody


def country(caller: Principal, told: str | None, market: str | None) -> str:
    """`told` by the request; else that of the `market` it names, of the caller's location, of the default market.

    Looks a location up (kept for half a minute) only if nothing nearer is said.
    """
    if told is None and market is None and caller.location_id is not None:
        told = locations.country(locations.get(caller.location_id) or {})
    return told or markets.get(market).country


def claim(caller: Principal, body: IdentityBody, market: str | None = None, at: Sequence[str | int] = ()) -> Claim:
    """The identity of a body as it is stored. Raises 422 for an impossible one, and one that is nobody's own."""
    belongs = ""
    if body.kind == "phone" and not phones.names_its_country(body.value):
        belongs = country(caller, body.country, body.market or market)
    try:
        return body.claim(belongs)
    except ValueError as error:
        raise problems.invalid(["body", *at, "value"], str(error)) from error


def claims(caller: Principal, body: CreateProfile) -> list[Claim]:
    """All identities of a new profile."""
    return [
        claim(caller, identity, body.market, ["identities", place]) for place, identity in enumerate(body.identities)
    ]
