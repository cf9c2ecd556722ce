"""Asks once, in the background of a start, what a booking site shows first, so that the cache has
it before the first visitors come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import date, timedelta

from vacancy.db.database import ClockedReader
from vacancy.errors import VacancyError
from vacancy.hotel.calendar import business_date
from vacancy.hotel.queries import get_all_room_availability, list_properties, list_room_types

DAYS = 7
"""One night from each of the next so many days, and one stay over all of them."""
_PAUSE_S = 0.001
_log = logging.getLogger(__name__)


async def prewarm(reads: ClockedReader, most: int) -> int:
    """Asks for at most so many answers, and rests after each, so that requests go first. Returns
    how many were asked for. What fails is logged and left: the first who wants it will ask."""
    asked = 1
    try:
        places = await list_properties(reads)
        for place in places:
            if asked + 2 + DAYS > most:
                break
            await list_room_types(reads, place.code)
            asked += 1
            for check_in, check_out in _stays(business_date(reads.clock(), place.time_zone)):
                await asyncio.sleep(_PAUSE_S)
                await get_all_room_availability(reads, place.code, check_in, check_out)
                asked += 1
    except VacancyError as error:
        _log.warning("pre-warming ended early: %s", error)
    return asked


def _stays(today: date) -> Iterator[tuple[date, date]]:
    for days in range(DAYS):
        yield today + timedelta(days=days), today + timedelta(days=days + 1)
    yield today, today + timedelta(days=DAYS)
