"""The token issuer's public keys: discovered, kept, and asked for again rarely, whatever tokens arrive.

    asked again      when the keys are ten minutes old, or a token names a key that is not among them;
                     at most once a minute, and after a failure only when a pause is over (PAUSES_S)
    while it fails   the keys it gave last are good for an hour after it gave them; then nobody gets in

An issuer that cannot be reached is a fault of ours or the issuer's, not of the token: `IssuerUnavailable`.
"""

import json
import threading
from dataclasses import dataclass, field
from typing import Any

import jwt

from commerce import clock, log, web

ALGORITHMS = ("RS256", "ES256")
"""Pinned. Never `none`, never an HMAC: a public key must not work as a shared secret."""

FRESH_S = 600.0
ASK_AGAIN_S = 60.0
"""Unknown key ids make us ask the issuer at most this often: garbage must not become a flood of requests."""
PAUSES_S = (2.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""How long nobody asks after the first, second, ... failure in a row: an issuer that hangs costs one request its
timeout, not every request. Short at first, for the one answer that got lost when a function started."""
USABLE_S = 3600.0
"""How long the last known keys verify tokens while the issuer does not answer; a withdrawn key lives no longer."""

_TIMEOUT_S = 1.0
"""Of each of the two requests it takes."""
_FLIGHT_S = 2 * _TIMEOUT_S
"""How long somebody without a usable key waits for the answer to another's question."""


class IssuerUnavailable(Exception):
    """The issuer did not answer, or its answer makes no sense."""


@dataclass
class _Keys:
    by_id: dict[str, jwt.PyJWK] = field(default_factory=dict)
    given_at: float = float("-inf")
    """When the issuer last said which its keys are."""
    asked_at: float = float("-inf")
    failures: int = 0
    """How often in a row it has failed to answer."""
    flight: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever is asking; a second question waits for the first one's answer."""

    def find(self, key_id: str) -> jwt.PyJWK | None:
        return self.by_id.get(key_id) if clock.source() - self.given_at < USABLE_S else None

    def wanted(self, key_id: str) -> bool:
        """Whether the issuer is to be asked, for a token that names this key."""
        now = clock.source()
        pause = PAUSES_S[min(self.failures, len(PAUSES_S)) - 1] if self.failures else ASK_AGAIN_S
        return now - self.asked_at >= pause and (now - self.given_at >= FRESH_S or key_id not in self.by_id)


_kept: dict[str, _Keys] = {}


def key(issuer: str, key_id: str) -> jwt.PyJWK | None:
    """The issuer's public key of that id, or None if it has none such. Raises `IssuerUnavailable`."""
    kept = _kept.setdefault(issuer, _Keys())
    # Whoever holds a usable key does not wait for somebody else's question.
    patience = _FLIGHT_S if kept.find(key_id) is None else 0
    if kept.wanted(key_id) and kept.flight.acquire(timeout=patience):
        try:
            if kept.wanted(key_id):
                _ask(issuer, kept)
        finally:
            kept.flight.release()
    found = kept.find(key_id)
    if found is None and (kept.failures or clock.source() - kept.given_at >= USABLE_S):
        raise IssuerUnavailable("no answer")
    return found


def forget() -> None:
    """Drop the cache (tests)."""
    _kept.clear()


def _ask(issuer: str, kept: _Keys) -> None:
    """Renew the keys; if that fails, remember the failure and keep what is known."""
    try:
        by_id = _fetch(issuer)
    except IssuerUnavailable as error:
        kept.failures += 1
        log.failure("issuer unavailable", error)
    else:
        kept.by_id, kept.given_at, kept.failures = by_id, clock.source(), 0
    # Counted from the end: an issuer that hangs for longer than the pause is still asked only now and then.
    kept.asked_at = clock.source()


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
    except (web.Unreachable, web.UnknownOutcome, ValueError, RecursionError) as error:
        raise IssuerUnavailable("no answer") from error
    if not isinstance(value, dict):
        raise IssuerUnavailable("no answer")
    return value
