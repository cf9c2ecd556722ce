"""Bookings with their rooms, in one statement however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import msgspec

from vacancy.db.database import Reader
from vacancy.hotel import refusals
from vacancy.hotel.ids import parse_id
from vacancy.hotel.model import Actor, BookedRooms, Booking, Guest, NightPrice, Status, nights_of
from vacancy.hotel.statements import bookings as sql
from vacancy.hotel.statements.bookings import BookingLine

MAX_PAGE = 200
_NEWEST = (1 << 63) - 1


class BookingPage(msgspec.Struct, frozen=True):
    """Some bookings, newest first, and where the next page begins; None after the last."""

    items: list[Booking]
    next: str | None


async def get_booking_details(db: Reader, booking_id: int, actor: Actor) -> Booking:
    """One booking. Raises `Missing` BOOKING_UNKNOWN also for what the actor may not know of."""
    lines = await db.fetch_all(sql.GET_BOOKING_DETAILS, booking_id=booking_id)
    if not lines or not actor.may_see(lines[0].property_id, lines[0].user_id):
        raise refusals.unknown_booking(booking_id)
    return _booking(lines)


async def find_booking_property(db: Reader, booking_id: int) -> str:
    """The code of the property where a booking is, which never changes: admission loads its batch
    by property. Raises `Missing` BOOKING_UNKNOWN."""
    found = await db.fetch_one(sql.FIND_BOOKING_PROPERTY, booking_id=booking_id)
    if found is None:
        raise refusals.unknown_booking(booking_id)
    return found.code


async def get_user_bookings_with_room_type(
    db: Reader,
    user_id: int,
    *,
    status: Status | None = None,
    limit: int = 20,
    cursor: str | None = None,
    property_id: int | None = None,
) -> BookingPage:
    """A user's bookings, newest first, by cursor on their unique id: stable while others are made.

    Raises `Invalid` VALUE_OUT_OF_RANGE for the limit, CURSOR_INVALID.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise refusals.out_of_range("limit", limit, 1, MAX_PAGE)
    before_id = _NEWEST if cursor is None else parse_id(cursor)
    if before_id is None:
        raise refusals.cursor_invalid(cursor)
    page: dict[str, int | str] = {
        "user_id": user_id,
        "before_id": before_id,
        "property_id": property_id or 0,
        "limit": limit + 1,  # one more than the page, to know whether there is a next one
    }
    if status is None:
        lines = await db.fetch_all(sql.GET_USER_BOOKINGS_WITH_ROOM_TYPE, **page)
    else:
        lines = await db.fetch_all(sql.GET_USER_BOOKINGS_OF_STATUS, status=status, **page)
    bookings = [_booking(list(group)) for _, group in groupby(lines, lambda line: line.id)]
    more = len(bookings) > limit
    return BookingPage(bookings[:limit], bookings[limit - 1].id if more else None)


def _booking(lines: list[BookingLine]) -> Booking:
    first = lines[0]
    return Booking(
        id=str(first.id),
        status=first.status,
        property=first.property,
        user_id=str(first.user_id),
        check_in=first.check_in,
        check_out=first.check_out,
        rooms=tuple(_rooms(lines)),
        guest=Guest(first.guest_name, first.guest_email),
        total_minor=first.total_minor,
        currency=first.currency,
        segment=first.segment,
        channel=first.channel,
        created_at=first.created_at,
        expires_at=first.expires_at if first.status == "provisional" else None,
    )


def _rooms(lines: Iterable[BookingLine]) -> Iterable[BookedRooms]:
    for line in lines:
        nights = nights_of(line.check_in, line.check_out)
        yield BookedRooms(
            line.room_type,
            line.rooms,
            line.adults,
            tuple(map(NightPrice, nights, line.prices_minor)),
        )
