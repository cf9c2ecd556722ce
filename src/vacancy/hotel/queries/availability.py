"""How many rooms are left over a stay, and what they cost."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from vacancy.db.database import Database
from vacancy.errors import Invalid
from vacancy.hotel import refusals
from vacancy.hotel.calendar import business_date
from vacancy.hotel.model import MAX_ROOMS_IN_A_BOOKING, Property
from vacancy.hotel.queries.catalogue import get_property
from vacancy.hotel.statements import availability as sql
from vacancy.hotel.statements.availability import AvailableRooms

MAX_NIGHTS = 366
"""The longest stay that inventory is read for, whatever the property allows."""


class Availability(msgspec.Struct, frozen=True):
    """One room type over a stay, for a number of rooms."""

    room_type: str
    name: str
    available: int
    """The fewest rooms left on any night."""
    sellable: bool
    """Whether as many rooms as asked for are left on every night, and none of them is past."""
    total_minor: int
    """All rooms, all nights."""
    currency: str


async def get_all_room_availability(
    db: Database, property_code: str, check_in: date, check_out: date, rooms: int = 1
) -> list[Availability]:
    """All room types of a property, by code. Nights without inventory count as sold out.

    The past can be looked at; it is not sellable. Raises `Missing` PROPERTY_UNKNOWN, `Invalid`
    STAY_INVALID, STAY_TOO_LONG, VALUE_OUT_OF_RANGE.
    """
    nights = _check(check_in, check_out, rooms)
    if nights > MAX_NIGHTS:
        raise await _far_too_long(db, property_code, nights)
    found = await db.fetch_all(
        sql.GET_ALL_ROOM_AVAILABILITY,
        property=property_code,
        check_in=check_in,
        check_out=check_out,
        nights=nights,
    )
    place = found[0] if found else await get_property(db, property_code)
    _check_length(place, nights)
    past = found and _is_past(found[0], check_in, db.clock())
    return [_shown(row, rooms, nights, sellable=not past) for row in found]


async def check_room_availability(
    db: Database,
    property_code: str,
    room_type: str,
    check_in: date,
    check_out: date,
    rooms: int = 1,
) -> Availability:
    """One room type. Raises as `get_all_room_availability`, and `Missing` ROOM_TYPE_UNKNOWN."""
    nights = _check(check_in, check_out, rooms)
    if nights > MAX_NIGHTS:
        raise await _far_too_long(db, property_code, nights)
    row = await db.fetch_one(
        sql.CHECK_ROOM_AVAILABILITY,
        property=property_code,
        room_type=room_type,
        check_in=check_in,
        check_out=check_out,
        nights=nights,
    )
    if row is None:
        await get_property(db, property_code)
        raise refusals.unknown_room_type(property_code, room_type)
    _check_length(row, nights)
    return _shown(row, rooms, nights, sellable=not _is_past(row, check_in, db.clock()))


def _check(check_in: date, check_out: date, rooms: int) -> int:
    nights = (check_out - check_in).days
    if nights < 1:
        raise refusals.stay_reversed(check_in, check_out)
    if not 1 <= rooms <= MAX_ROOMS_IN_A_BOOKING:
        raise refusals.out_of_range("rooms", rooms, 1, MAX_ROOMS_IN_A_BOOKING)
    return nights


async def _far_too_long(db: Database, property_code: str, nights: int) -> Invalid:
    place = await get_property(db, property_code)
    return refusals.stay_too_long(nights, min(place.max_stay_nights, MAX_NIGHTS))


def _check_length(place: AvailableRooms | Property, nights: int) -> None:
    if nights > place.max_stay_nights:
        raise refusals.stay_too_long(nights, place.max_stay_nights)


def _is_past(place: AvailableRooms, check_in: date, now: datetime) -> bool:
    # No zone is a whole day ahead of UTC: what begins after the UTC date is past nowhere, and the
    # zone need not be asked.
    return check_in <= now.date() and check_in < business_date(now, place.time_zone)


def _shown(row: AvailableRooms, rooms: int, nights: int, *, sellable: bool) -> Availability:
    return Availability(
        row.room_type,
        row.name,
        row.available,
        sellable and row.available >= rooms,
        row.price_minor * nights * rooms,
        row.currency,
    )
