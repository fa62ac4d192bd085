"""The moments an order's rules reckon with."""

from collections.abc import Mapping
from typing import Any

from checkout.money import Moment
from commerce import clock, markets

_TELL_AGAIN_S = 300
_LONGEST_S = 6 * 3600


def of(order: Mapping[str, Any]) -> Moment:
    """Now, as the order's market and what it has told so far see it."""
    hold = markets.get(order["market"]).hold_seconds
    return Moment(clock.iso(), clock.after(hold), clock.after(_TELL_AGAIN_S))


def tell_again(order: Mapping[str, Any]) -> str:
    """When to tell once more: after five minutes, ten, twenty and so on, at last four times a day."""
    return clock.after(min(_TELL_AGAIN_S * 2 ** min(order.get("told", 0), 10), _LONGEST_S))
