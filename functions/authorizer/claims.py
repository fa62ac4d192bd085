"""What a verified token says about its bearer, and when it says nothing good. Pure: the time is passed in.

Three dialects of the same thing are understood: plain OIDC (`aud`, `kind`), and Cognito's access tokens (`client_id`
in place of `aud`, `cognito:groups` in place of `kind`, scopes prefixed with the resource server's name).
"""

from collections.abc import Mapping
from typing import Any

from commerce import ids
from commerce.principal import Kind, Principal

LEEWAY_S = 30.0
"""How far the clocks of issuer and verifier may be apart."""

_MAX_SUBJECT = 255
_RESOURCE_SERVER = "mandje/"


class NotGood(Exception):
    """This token is worth nothing here. The text is a fixed word for the log, never part of the token."""


def principal_of(claims: Mapping[str, Any], *, issuer: str, audience: str, now: float) -> Principal:
    """The bearer of a token whose signature is known to be right. Raises `NotGood`."""
    if claims.get("iss") != issuer:
        raise NotGood("issuer")
    if not _is_for(claims, audience):
        raise NotGood("audience")
    # Written so that a missing, odd or NaN time fails.
    if not _time(claims.get("exp")) > now - LEEWAY_S:
        raise NotGood("expired")
    if "nbf" in claims and not _time(claims["nbf"]) <= now + LEEWAY_S:
        raise NotGood("not-yet")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT or not subject.isprintable():
        raise NotGood("subject")
    kind = _kind(claims)
    if kind == "customer":
        return Principal(kind, ids.customer_id(issuer, subject))
    if "#" in subject:  # separates the parts of stored keys
        raise NotGood("subject")
    return Principal(kind, subject, _scopes(claims), _location(claims))


def _is_for(claims: Mapping[str, Any], audience: str) -> bool:
    named = claims.get("aud", claims.get("client_id"))
    return audience in named if isinstance(named, list) else named == audience


def _time(value: Any) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def _kind(claims: Mapping[str, Any]) -> Kind:
    if "kind" in claims:
        match claims["kind"]:
            case "customer" | "staff" | "device" as kind:
                return kind  # type: ignore[no-any-return]
        raise NotGood("kind")
    groups = claims.get("cognito:groups")
    for kind in ("staff", "device"):
        if isinstance(groups, list) and kind in groups:
            return kind  # type: ignore[return-value]
    return "customer"


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    scope = claims.get("scope", "")
    if not isinstance(scope, str):
        raise NotGood("scope")
    return frozenset(each.removeprefix(_RESOURCE_SERVER) for each in scope.split())


def _location(claims: Mapping[str, Any]) -> str | None:
    location = claims.get("location_id")
    if location is not None and not isinstance(location, str):
        raise NotGood("location")
    return location or None
