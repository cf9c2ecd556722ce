"""Bookings, read for people and programs."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from vacancy.db.statement import Statement
from vacancy.hotel.model import Status


class BookingLine(msgspec.Struct, frozen=True):
    """One line of a booking beside the booking itself: a booking of two room types is two rows."""

    id: int
    property_id: int
    property: str
    currency: str
    user_id: int
    status: Status
    check_in: date
    check_out: date
    guest_name: str
    guest_email: str
    total_minor: int
    segment: str
    channel: str
    created_at: datetime
    expires_at: datetime | None
    line: int
    room_type: str
    rooms: int
    adults: int
    prices_minor: tuple[int, ...]


_LINE = """
        b.id,
        b.property_id,
        p.code,
        p.currency,
        b.user_id,
        b.status,
        b.check_in,
        b.check_out,
        b.guest_name,
        b.guest_email,
        b.total_minor,
        b.segment,
        b.channel,
        b.created_at,
        b.expires_at,
        s.line,
        t.code,
        s.rooms,
        s.adults,
        s.prices_minor"""

_JOINS = """
    JOIN properties AS p ON p.id = b.property_id
    JOIN room_stays AS s ON s.booking_id = b.id
    JOIN room_types AS t ON t.id = s.room_type_id"""

# Without statistics PostgreSQL would read whole indexes here; OFFSET 0 keeps it to look-ups.
_JOINS_POSTGRESQL = """
    CROSS JOIN LATERAL (SELECT * FROM properties WHERE id = b.property_id OFFSET 0) AS p
    CROSS JOIN LATERAL (SELECT * FROM room_stays WHERE booking_id = b.id OFFSET 0) AS s
    CROSS JOIN LATERAL (SELECT * FROM room_types WHERE id = s.room_type_id OFFSET 0) AS t"""


def _booking_details(joins: str) -> str:
    return f"""
    SELECT{_LINE}
    FROM bookings AS b{joins}
    WHERE b.id = :booking_id
    ORDER BY s.line
    """


GET_BOOKING_DETAILS = Statement(
    "bookings.get_booking_details",
    _booking_details(_JOINS),
    postgresql=_booking_details(_JOINS_POSTGRESQL),
    row=BookingLine,
    reads=("bookings", "properties", "room_stays", "room_types"),
)


# The page is cut before the join, so that a limit of 20 means 20 bookings and not 20 lines.
def _user_bookings(joins: str, condition: str = "") -> str:
    return f"""
    SELECT{_LINE}
    FROM (
        SELECT *
        FROM bookings
        WHERE user_id = :user_id{condition}
            AND id < :before_id
            AND (property_id = :property_id OR :property_id = 0)
        ORDER BY id DESC
        LIMIT :limit
    ) AS b{joins}
    ORDER BY b.id DESC, s.line
    """


GET_USER_BOOKINGS_WITH_ROOM_TYPE = Statement(
    "bookings.get_user_bookings_with_room_type",
    _user_bookings(_JOINS),
    postgresql=_user_bookings(_JOINS_POSTGRESQL),
    row=BookingLine,
    reads=("bookings", "properties", "room_stays", "room_types"),
)

# A statement of its own: one text for both could not be served by the index of either.
_OF_STATUS = "\n            AND status = :status"

GET_USER_BOOKINGS_OF_STATUS = Statement(
    "bookings.get_user_bookings_of_status",
    _user_bookings(_JOINS, _OF_STATUS),
    postgresql=_user_bookings(_JOINS_POSTGRESQL, _OF_STATUS),
    row=BookingLine,
    reads=("bookings", "properties", "room_stays", "room_types"),
)


class FoundProperty(msgspec.Struct, frozen=True):
    code: str


FIND_BOOKING_PROPERTY = Statement(
    "bookings.find_booking_property",
    """
    SELECT p.code
    FROM bookings AS b
    JOIN properties AS p ON p.id = b.property_id
    WHERE b.id = :booking_id
    """,
    row=FoundProperty,
    reads=("bookings", "properties"),
)
