"""Which day it is at a property. The server's own zone is never asked."""

from __future__ import annotations

from datetime import date, datetime
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
