"""The token issuer's public keys: discovered, kept for ten minutes, asked again when a new key signs.

An issuer that cannot be reached is a fault of ours, not of the token: `IssuerUnavailable`, and nobody gets in.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import jwt

from commerce import clock, web

ALGORITHMS = ("RS256", "ES256")
"""Pinned. Never `none`, never an HMAC: a public key must not work as a shared secret."""

KEPT_S = 600.0
ASK_AGAIN_S = 60.0
"""Unknown key ids make us ask the issuer at most this often: garbage must not become a flood of requests."""

_TIMEOUT_S = 3.0


class IssuerUnavailable(Exception):
    """The issuer did not answer, or its answer makes no sense."""


@dataclass
class _Keys:
    fetched_at: float = float("-inf")
    asked_at: float = float("-inf")
    by_id: dict[str, jwt.PyJWK] = field(default_factory=dict)


_kept: dict[str, _Keys] = {}


def key(issuer: str, key_id: str) -> jwt.PyJWK | None:
    """The issuer's public key of that id, or None if it has none such. Raises `IssuerUnavailable`."""
    kept = _kept.setdefault(issuer, _Keys())
    now = clock.source()
    stale = now - kept.fetched_at >= KEPT_S
    if stale or (key_id not in kept.by_id and now - kept.asked_at >= ASK_AGAIN_S):
        kept.asked_at = now
        kept.by_id = _fetch(issuer)
        kept.fetched_at = now
    return kept.by_id.get(key_id)


def forget() -> None:
    """Drop the cache (tests)."""
    _kept.clear()


def _fetch(issuer: str) -> dict[str, jwt.PyJWK]:
    configuration = _get_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    address = configuration.get("jwks_uri")
    # OIDC Discovery 4.3: a configuration that names another issuer is not this issuer's.
    if configuration.get("issuer") != issuer or not isinstance(address, str):
        raise IssuerUnavailable("configuration")
    if not address.startswith("https://") and issuer.startswith("https://"):
        raise IssuerUnavailable("keys in the clear")
    keys = _get_json(address).get("keys")
    if not isinstance(keys, list):
        raise IssuerUnavailable("keys")
    return {each["kid"]: found for each in keys if (found := _usable(each)) is not None}


def _usable(found: Any) -> jwt.PyJWK | None:
    """A key for signatures of the pinned algorithms; others an issuer may publish are passed over."""
    if not isinstance(found, dict) or not isinstance(found.get("kid"), str) or found.get("use", "sig") != "sig":
        return None
    try:
        public = jwt.PyJWK(found)
    except jwt.PyJWTError:
        return None
    return public if public.algorithm_name in ALGORITHMS else None


def _get_json(url: str) -> dict[str, Any]:
    try:
        answer = web.send("GET", url, {"accept": "application/json"}, timeout=_TIMEOUT_S)
        value = json.loads(answer.body) if answer.status == 200 else None
    except (web.Unreachable, web.UnknownOutcome, ValueError) as error:
        raise IssuerUnavailable("no answer") from error
    if not isinstance(value, dict):
        raise IssuerUnavailable("no answer")
    return value
