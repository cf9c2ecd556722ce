"""Which day it is at a property, and which months a period touches. The server's own zone is never
asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vacancy.errors import Invalid


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises `Invalid` TIME_ZONE_UNKNOWN."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid(
            "TIME_ZONE_UNKNOWN",
            f"There is no time zone {name!r}.",
            hint="Use an IANA name such as Europe/Lisbon.",
        ) from None


def business_date(now: datetime, time_zone: str) -> date:
    """The property's date at that instant."""
    return now.astimezone(zone(time_zone)).date()


def months_between(from_date: date, to_date: date) -> Iterator[str]:
    """The calendar months that `[from_date, to_date)` touches, as `2026-03`."""
    if from_date >= to_date:
        return
    last = to_date - timedelta(days=1)
    first, end = (day.year * 12 + day.month - 1 for day in (from_date, last))
    for number in range(first, end + 1):
        yield f"{number // 12:04}-{number % 12 + 1:02}"
