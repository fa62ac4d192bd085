"""Opening hours: `{"mon": [["10:00", "18:00"]], ..., "exceptions": [{"date", "hours"}], "timezone"}`.

A weekday that is not named is closed; an exception replaces its day.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from dateutil import tz

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Span = Sequence[str]
"""`["10:00", "18:00"]`, local time, the end excluded; `24:00` is midnight at the end of the day."""


def in_order(spans: Sequence[Span]) -> bool:
    """Whether the spans of a day each end after they begin and do not touch one another."""
    times = [time for span in spans for time in span]
    return all(earlier < later for earlier, later in pairwise(times))


def known_zone(name: str) -> bool:
    """Whether `name` is a time zone of the IANA database."""
    return tz.gettz(name) is not None


def today(opening_hours: Mapping[str, Any], now: datetime) -> list[Span]:
    """The spans of the day that it is there."""
    local = now.astimezone(tz.gettz(opening_hours["timezone"]))
    for exception in opening_hours.get("exceptions", []):
        if exception["date"] == local.date().isoformat():
            return list(exception["hours"])
    return list(opening_hours.get(WEEKDAYS[local.weekday()], []))


def is_open(opening_hours: Mapping[str, Any], now: datetime) -> bool:
    """Whether it is open at this moment."""
    local = now.astimezone(tz.gettz(opening_hours["timezone"])).strftime("%H:%M")
    return any(start <= local < end for start, end in today(opening_hours, now))
