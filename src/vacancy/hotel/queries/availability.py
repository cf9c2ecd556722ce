"""How many rooms are left over a stay, and what they cost."""

from __future__ import annotations

from datetime import date

import msgspec

from vacancy.db.database import Reader
from vacancy.hotel import refusals
from vacancy.hotel.model import MAX_ROOMS_IN_A_BOOKING
from vacancy.hotel.queries.catalogue import get_property
from vacancy.hotel.statements import availability as sql
from vacancy.hotel.statements.availability import AvailableRooms

MAX_NIGHTS = 366
"""The longest stay that may be asked about; what may be booked is the property's own limit."""


class Availability(msgspec.Struct, frozen=True):
    """One room type over a stay, for a number of rooms."""

    room_type: str
    name: str
    available: int
    """The fewest rooms left on any night."""
    sellable: bool
    """Whether as many rooms as asked for are left on every night."""
    total_minor: int
    """All rooms, all nights."""
    currency: str


async def get_all_room_availability(
    db: Reader, property_code: str, check_in: date, check_out: date, rooms: int = 1
) -> list[Availability]:
    """All room types of a property, by code. Nights without inventory count as sold out.

    Raises `Missing` PROPERTY_UNKNOWN, `Invalid` STAY_INVALID, STAY_TOO_LONG, VALUE_OUT_OF_RANGE.
    """
    nights = _check(check_in, check_out, rooms)
    found = await db.fetch_all(
        sql.GET_ALL_ROOM_AVAILABILITY,
        property=property_code,
        check_in=check_in,
        check_out=check_out,
        nights=nights,
    )
    if not found:
        await get_property(db, property_code)
    return [_shown(row, rooms, nights) for row in found]


async def check_room_availability(
    db: Reader, property_code: str, room_type: str, check_in: date, check_out: date, rooms: int = 1
) -> Availability:
    """One room type. Raises as `get_all_room_availability`, and `Missing` ROOM_TYPE_UNKNOWN."""
    nights = _check(check_in, check_out, rooms)
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
    return _shown(row, rooms, nights)


def _check(check_in: date, check_out: date, rooms: int) -> int:
    nights = (check_out - check_in).days
    if nights < 1:
        raise refusals.stay_reversed(check_in, check_out)
    if nights > MAX_NIGHTS:
        raise refusals.stay_too_long(nights, MAX_NIGHTS)
    if not 1 <= rooms <= MAX_ROOMS_IN_A_BOOKING:
        raise refusals.out_of_range("rooms", rooms, 1, MAX_ROOMS_IN_A_BOOKING)
    return nights


def _shown(row: AvailableRooms, rooms: int, nights: int) -> Availability:
    return Availability(
        row.room_type,
        row.name,
        row.available,
        row.available >= rooms,
        row.price_minor * nights * rooms,
        row.currency,
    )
