"""Bookings, read for people and programs: a user's, some by their ids, the property of one."""

from __future__ import annotations

import msgspec

from vacancy.db.statement import Access, Engine, Statement
from vacancy.hotel.statements.bookings_parts import (
    BookingRow,
    booking_columns,
    columns,
    with_property,
)
from vacancy.hotel.statements.payments import Payment, payments_of_booking


class ListedRow(BookingRow, frozen=True, array_like=True):
    """A booking, and its payments where they were asked for."""

    payments: tuple[Payment, ...] | None


_BY_KEYS = {
    "properties": "pk_properties (id)",
    "room_stays": "pk_room_stays (booking_id)",
    "room_types": "pk_room_types (id)",
}


def _user_bookings(engine: Engine, condition: str = "") -> str:
    payments = f"CASE WHEN :include_payments = 1 THEN {payments_of_booking(engine)} END"
    return f"""
    SELECT{columns(*booking_columns(engine), payments)}
    FROM bookings AS b
    {with_property(engine)}
    WHERE b.user_id = :user_id{condition}
        AND b.id < :before_id
        AND (b.property_id = :property_id OR :property_id = 0)
    ORDER BY b.id DESC
    LIMIT :limit
    """


GET_USER_BOOKINGS_WITH_ROOM_TYPE = Statement(
    "bookings.get_user_bookings_with_room_type",
    _user_bookings("sqlite"),
    postgresql=_user_bookings("postgresql"),
    row=ListedRow,
    reads=("bookings", "payments", "properties", "room_stays", "room_types"),
    access=Access(
        served_by={
            "bookings": "ix_bookings_user (user_id, id)",
            "payments": "ix_payments_booking (booking_id)",
            **_BY_KEYS,
        }
    ),
)

# A statement of its own: one text for both could not be served by the index of either.
_OF_STATUS = "\n        AND b.status = :status"

GET_USER_BOOKINGS_OF_STATUS = Statement(
    "bookings.get_user_bookings_of_status",
    _user_bookings("sqlite", _OF_STATUS),
    postgresql=_user_bookings("postgresql", _OF_STATUS),
    row=ListedRow,
    reads=("bookings", "payments", "properties", "room_stays", "room_types"),
    access=Access(
        served_by={
            "bookings": "ix_bookings_user_status (user_id, status, id)",
            "payments": "ix_payments_booking (booking_id)",
            **_BY_KEYS,
        }
    ),
)


# The ids come as one JSON list, so that hundreds of them are one statement on both databases. What
# the caller may not see is left out here, before its lines are read.
_VISIBLE = """(b.user_id = :user_id OR :user_id = 0)
            AND (b.property_id = :property_id OR :property_id = 0)"""

_BOOKINGS_BY_IDS = f"""
    SELECT{columns(*booking_columns("sqlite"))}
    FROM json_each(:ids) AS wanted
    CROSS JOIN bookings AS b ON b.id = wanted.value
    {with_property("sqlite")}
    WHERE {_VISIBLE}
    """

_BOOKINGS_BY_IDS_POSTGRESQL = f"""
    SELECT{columns(*booking_columns("postgresql"))}
    FROM json_array_elements_text(CAST(:ids AS json)) AS wanted (id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM bookings AS b
        WHERE b.id = CAST(wanted.id AS bigint)
            AND {_VISIBLE}
        OFFSET 0
    ) AS b
    {with_property("postgresql")}
    """

GET_BOOKINGS_BY_IDS = Statement(
    "bookings.get_bookings_by_ids",
    _BOOKINGS_BY_IDS,
    postgresql=_BOOKINGS_BY_IDS_POSTGRESQL,
    row=BookingRow,
    reads=("bookings", "properties", "room_stays", "room_types"),
    access=Access(served_by={"bookings": "pk_bookings (id)", **_BY_KEYS}),
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
    access=Access(served_by={"bookings": "pk_bookings (id)", "properties": "pk_properties (id)"}),
)
