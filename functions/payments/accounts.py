"""Which account at a provider takes a payment: the stack's configuration, never the shopper's choice.

`PAYMENT_ACCOUNTS` is a JSON document; every member may be left out:

    {"accounts":  {"stripe/default": {"livemode": true}, "mollie/amsterdam": {"livemode": true}},
     "default":   {"stripe": "default"},
     "markets":   {"uk": {"stripe": "uk"}},
     "channels":  {"kiosk": {"mollie": "kiosk"}},
     "locations": {"ams-kalverstraat": {"mollie": "amsterdam"}}}

The most exact choice holds: location, channel, market, default. `{}` means the account `default` of each provider,
everywhere. `PAYMENT_MODE` is `test` or `live`; an account of the other mode is no account of this stack, so play money
never pays a real order. Names that are not configured cost nothing: nobody looks for their secrets.

Light imports: the webhook door asks here first.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from commerce import log, secrets
from payments import exchange

PROVIDERS = ("stripe", "mollie")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LIVE_KEY, _TEST_KEY = re.compile(r"((sk|rk)_)?live_"), re.compile(r"((sk|rk)_)?test_")
_CHOICES = ("default", "markets", "channels", "locations")


@dataclass(frozen=True)
class Accounts:
    """The accounts of this stack (`stripe/default`), and by provider which one is chosen where."""

    known: frozenset[str]
    default: Mapping[str, str]
    markets: Mapping[str, Mapping[str, str]]
    channels: Mapping[str, Mapping[str, str]]
    locations: Mapping[str, Mapping[str, str]]

    def choose(self, provider: str, market: str | None, channel: str | None, location_id: str | None) -> str | None:
        """The account that takes this provider's payments there; None if there is none."""
        places = (
            self.locations.get(location_id or ""),
            self.channels.get(channel or ""),
            self.markets.get(market or ""),
            self.default,
        )
        name = next((place[provider] for place in places if place and provider in place), None)
        return name if f"{provider}/{name}" in self.known else None


def read(document: str, live: bool) -> Accounts:
    """The configuration of a stack. Raises ValueError for a document that is not as described above."""
    given = json.loads(document)
    if not isinstance(given, dict) or set(given) - {"accounts", *_CHOICES}:
        raise ValueError("PAYMENT_ACCOUNTS has members nobody knows")
    modes = _modes(given.get("accounts", {f"{provider}/default": {"livemode": live} for provider in PROVIDERS}))
    default = dict.fromkeys({name.split("/")[0] for name in modes if name.endswith("/default")}, "default")
    chosen = {name: given.get(name, {}) for name in _CHOICES}
    chosen["default"] = default | chosen["default"]
    for choice in (chosen["default"], *(each for name in _CHOICES[1:] for each in chosen[name].values())):
        if missing := {f"{provider}/{name}" for provider, name in choice.items()} - set(modes):
            raise ValueError(f"PAYMENT_ACCOUNTS chooses {sorted(missing)}, which it does not list")
    for name in (other := {name for name, livemode in modes.items() if livemode != live}):
        log.failure("payment account of the other mode", exchange.OtherMode(), account=name)
    return Accounts(frozenset(set(modes) - other), **chosen)


def _modes(listed: Mapping[str, Any]) -> dict[str, bool]:
    """`livemode` by account."""
    found = {}
    for name, more in listed.items():
        provider, _, account = name.partition("/")
        if provider not in PROVIDERS or not _NAME.fullmatch(account):
            raise ValueError(f"PAYMENT_ACCOUNTS lists {name!r}, which is no <provider>/<account>")
        if not isinstance(more, dict) or set(more) != {"livemode"} or not isinstance(more["livemode"], bool):
            raise ValueError(f"PAYMENT_ACCOUNTS must say of {name} whether it is live, and nothing else")
        found[name] = more["livemode"]
    return found


_configured = cache(read)


def configured() -> Accounts:
    """The configuration of this stack."""
    return _configured(os.environ.get("PAYMENT_ACCOUNTS") or "{}", live())


def live() -> bool:
    """Whether this stack takes real money."""
    return os.environ.get("PAYMENT_MODE", "test") == "live"


def secret(provider: str, account: str, *, anew: bool = False) -> dict[str, Any] | None:
    """The secret of an account of this stack, None for any other. A name that is not configured is not looked up.

    `anew`: it may just have been rotated, so the store is asked again (see `secrets.renewed`).
    """
    name = f"{provider}/{account}"
    if name not in configured().known:
        return None
    found = secrets.renewed(name) if anew else secrets.read(name)
    return found if found and _fits(name, found) else None


def key(provider: str, account: str, member: str) -> str:
    """The API key of the account a payment was started with.

    Raises exchange.NotDone if it cannot be read, or is of the other mode: without it nobody can be asked.
    """
    name = f"{provider}/{account}"
    try:
        found = secrets.required(name)
    except secrets.NOT_READ as error:
        raise exchange.NotDone("the account's key cannot be read") from error
    if not _fits(name, found):
        raise exchange.NotDone("the account's key is of the other mode")
    return str(found[member])


def _fits(name: str, found: Mapping[str, Any]) -> bool:
    """Whether a secret is of this stack's mode, by what it says and by what its key looks like."""
    api_key = str(found.get("secret_key") or found.get("api_key") or "")
    says = {found["livemode"]} if isinstance(found.get("livemode"), bool) else set()
    says |= {mode for looks, mode in ((_LIVE_KEY, True), (_TEST_KEY, False)) if looks.match(api_key)}
    if says <= {live()}:
        return True
    log.failure("payment account of the other mode", exchange.OtherMode(), account=name)
    return False
