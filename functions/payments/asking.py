"""What to do next about something we asked a provider for, and of which we do not know what became. Pure.

First it is looked for under our id in what the provider has. Only what is not there is asked for again: under the same
key, and only as long as the provider remembers keys, because after that the same key would do it a second time. Then
the provider is only looked at. What is still not there well after the key died, when nothing of ours can be on its way
any more, was not done.
"""

from typing import Literal

KEY_LIVES_S = {"stripe": 24 * 3600, "mollie": 3600}
"""How long a provider remembers an Idempotency-Key."""

_MARGIN_S = 300
"""Sent again no later than this before the key dies: a request may take its time."""
_QUIET_S = 3600
"""How long after the key died the provider's lists are looked at before they are believed."""

Step = Literal["send", "look", "drop"]


def step(provider: str, asked_at: float | None, now: float) -> Step:
    """Send it (again), look whether it turns up, or drop it. `asked_at`: when it was first sent, None for never."""
    if asked_at is None or key_lives(provider, asked_at, now):
        return "send"
    return "look" if now < asked_at + KEY_LIVES_S[provider] + _QUIET_S else "drop"


def key_lives(provider: str, asked_at: float, now: float) -> bool:
    """Whether the provider still answers a repeat under the same key as it answered the first time."""
    return now < asked_at + KEY_LIVES_S[provider] - _MARGIN_S
