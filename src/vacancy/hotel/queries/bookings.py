"""Bookings with their rooms, in one statement however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from vacancy.contracts.contract import contract
from vacancy.db.database import Reader
from vacancy.hotel import refusals
from vacancy.hotel.ids import parse_id
from vacancy.hotel.model import Actor, BookedRooms, Booking, Guest, NightPrice, Status, nights_of
from vacancy.hotel.statements import bookings as sql
from vacancy.hotel.statements.bookings_parts import BookingRow, BookingUser
from vacancy.hotel.statements.payments import Payment

MAX_PAGE = 200
MAX_IDS = 500
_NEWEST = (1 << 63) - 1

B = TypeVar("B", bound=Booking)
_encode = msgspec.json.Encoder().encode


class ListedBooking(Booking, frozen=True, kw_only=True):
    """A booking in a list, with what was asked for beside it."""

    user: BookingUser | UnsetType = UNSET
    payments: tuple[Payment, ...] | UnsetType = UNSET
    """Oldest first."""


class BookingPage(msgspec.Struct, frozen=True):
    """Some bookings in the order of their list, and where the next page begins; None after the
    last."""

    items: list[ListedBooking]
    next: str | None


@contract(
    sql.GET_USER_BOOKINGS_WITH_ROOM_TYPE,
    sql.GET_USER_BOOKINGS_OF_STATUS,
    statements=1,
    rows=lambda page: len(page.items) + 1,
    rows_in_words="one for each booking, and one to know whether more follow",
)
async def get_user_bookings_with_room_type(
    db: Reader,
    user_id: int,
    *,
    status: Status | None = None,
    limit: int = 20,
    cursor: str | None = None,
    property_id: int | None = None,
    include_payments: bool = False,
) -> BookingPage:
    """A user's bookings, newest first, by cursor on their unique id: stable while others are made.

    Raises `Invalid` VALUE_OUT_OF_RANGE for the limit, CURSOR_INVALID.
    """
    check_limit(limit)
    before_id = _NEWEST if cursor is None else parse_id(cursor)
    if before_id is None:
        raise refusals.cursor_invalid(cursor)
    page: dict[str, Any] = {
        "user_id": user_id,
        "before_id": before_id,
        "property_id": property_id or 0,
        "include_payments": int(include_payments),
        "limit": limit + 1,  # one more than the page, to know whether there is a next one
    }
    if status is None:
        rows = await db.fetch_all(sql.GET_USER_BOOKINGS_WITH_ROOM_TYPE, **page)
    else:
        rows = await db.fetch_all(sql.GET_USER_BOOKINGS_OF_STATUS, status=status, **page)
    more = len(rows) > limit
    items = [
        booking_of(ListedBooking, row, payments=UNSET if row.payments is None else row.payments)
        for row in rows[:limit]
    ]
    return BookingPage(items, items[-1].id if more else None)


@contract(
    sql.GET_BOOKINGS_BY_IDS,
    statements=1,
    rows=len,
    rows_in_words="one for each booking",
)
async def get_bookings_by_ids(db: Reader, ids: Sequence[int], actor: Actor) -> list[Booking]:
    """Many bookings at once, in the order of their ids, each once. What does not exist, and what
    the actor may not see, is left out. Raises `Invalid` VALUE_OUT_OF_RANGE over `MAX_IDS`."""
    if len(ids) > MAX_IDS:
        raise refusals.out_of_range("ids", len(ids), 0, MAX_IDS)
    rows = await db.fetch_all(
        sql.GET_BOOKINGS_BY_IDS,
        ids=_encode(list(dict.fromkeys(ids))).decode(),
        user_id=actor.user_id if actor.role == "guest" else 0,
        property_id=actor.property_id or 0,
    )
    found = {row.id: row for row in rows}
    return [booking_of(Booking, found[one]) for one in dict.fromkeys(ids) if one in found]


@contract(
    sql.FIND_BOOKING_PROPERTY,
    statements=1,
    rows=lambda found: 1,
    rows_in_words="one",
)
async def find_booking_property(db: Reader, booking_id: int) -> str:
    """The code of the property where a booking is, which never changes: admission loads its batch
    by property. Raises `Missing` BOOKING_UNKNOWN."""
    found = await db.fetch_one(sql.FIND_BOOKING_PROPERTY, booking_id=booking_id)
    if found is None:
        raise refusals.unknown_booking(booking_id)
    return found.code


def check_limit(limit: int) -> None:
    """How many may be on a page. Raises `Invalid` VALUE_OUT_OF_RANGE."""
    if not 1 <= limit <= MAX_PAGE:
        raise refusals.out_of_range("limit", limit, 1, MAX_PAGE)


def booking_of(kind: type[B], row: BookingRow, **beside: Any) -> B:
    """The booking of a row, with what that kind of booking has beside."""
    nights = nights_of(row.check_in, row.check_out)
    return kind(
        id=str(row.id),
        status=row.status,
        property=row.property,
        user_id=str(row.user_id),
        check_in=row.check_in,
        check_out=row.check_out,
        rooms=tuple(
            [
                BookedRooms(
                    line.room_type,
                    line.rooms,
                    line.adults,
                    tuple(map(NightPrice, nights, line.prices_minor)),
                )
                for line in row.stays
            ]
        ),
        guest=Guest(row.guest_name, row.guest_email),
        total_minor=row.total_minor,
        currency=row.currency,
        segment=row.segment,
        channel=row.channel,
        created_at=row.created_at,
        expires_at=row.expires_at if row.status == "provisional" else None,
        **beside,
    )
