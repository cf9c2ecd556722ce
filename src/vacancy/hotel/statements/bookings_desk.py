"""The front desk's view: the bookings of a property that touch a range of dates."""

from __future__ import annotations

import msgspec

from vacancy.db.statement import Access, Engine, Statement
from vacancy.hotel.statements.bookings_parts import (
    BookingRow,
    BookingUser,
    booking_columns,
    json_array,
    json_in,
    user_object,
)


class DeskBooking(BookingRow, frozen=True, array_like=True):
    """A booking, and its user where they were asked for."""

    user: BookingUser | None


class DeskRow(msgspec.Struct, frozen=True):
    """A booking beside its property: one row without a booking when there are none, so that an
    empty page differs from a property that does not exist."""

    property_id: int
    booking: DeskBooking | None


_PROPERTY_ID = "(SELECT id FROM properties WHERE code = :property)"
_ROOM_TYPE_ID = f"""(
                SELECT id FROM room_types WHERE property_id = {_PROPERTY_ID} AND code = :room_type
            )"""

# Only arrivals since the longest stay before the first day are looked at: an overlap has no other
# bound in the past. All of this is judged inside the index.
_RANGE = """{row}.check_in >= (
                SELECT {earliest} FROM properties WHERE code = :property
            )
            AND {row}.check_in < :to_date
            AND ({row}.check_in, {row}.{id}) > (:after_date, :after_id)
            AND {row}.check_out >= :leaves_from
            AND {row}.check_out <= :leaves_by
            AND ({row}.check_out > :present_from OR {row}.check_in >= :present_from)"""

_EARLIEST = "MAX(DATE(:from_date, '-' || (:lookback * max_stay_nights) || ' days'), :after_date)"
_EARLIEST_POSTGRESQL = """GREATEST(
                    CAST(:from_date AS date) - CAST(:lookback * max_stay_nights AS integer),
                    :after_date
                )"""


def _range(engine: Engine, row: str, id_column: str) -> str:
    earliest = _EARLIEST if engine == "sqlite" else _EARLIEST_POSTGRESQL
    return _RANGE.format(row=row, id=id_column, earliest=earliest)


def _of_property(engine: Engine, condition: str = "") -> str:
    return f"""
        SELECT
            o.check_in,
            o.id
        FROM bookings AS o
        WHERE o.property_id = {_PROPERTY_ID}
            AND {_range(engine, "o", "id")}{condition}
        ORDER BY o.check_in, o.id
        LIMIT :limit"""


# A booking with two lines of one room type is found twice; they come one behind the other.
def _of_room_type(engine: Engine, condition: str = "") -> str:
    return f"""
        SELECT DISTINCT
            o.check_in,
            o.booking_id AS id
        FROM room_stays AS o
        WHERE o.room_type_id = {_ROOM_TYPE_ID}
            AND {_range(engine, "o", "booking_id")}{condition}
        ORDER BY o.check_in, o.booking_id
        LIMIT :limit"""


# The page is cut first; then each booking on it is read with all that belongs to it.
def _desk(engine: Engine, page: str, room_type: str = "") -> str:
    user = f"CASE WHEN :include_user = 1 THEN {user_object(engine)} END"
    *plain, stays = booking_columns(engine)
    booking = json_array(engine, *plain, json_in(engine, stays), json_in(engine, user))
    return f"""
    SELECT
        p.id,
        (SELECT {booking} FROM bookings AS b WHERE b.id = page.id)
    FROM properties AS p{room_type}
    LEFT JOIN ({page}
    ) AS page ON TRUE
    WHERE p.code = :property
    ORDER BY page.check_in, page.id
    """


_OF_STATUS = "\n            AND o.status = :status"
_STAY_OF_STATUS = """
            AND (SELECT k.status FROM bookings AS k WHERE k.id = o.booking_id) = :status"""
_WITH_ROOM_TYPE = """
    JOIN room_types AS y ON y.property_id = p.id AND y.code = :room_type"""

_SERVED_BY = {
    "properties": "uq_properties_code (code)",
    "room_stays": "pk_room_stays (booking_id)",
    "room_types": "pk_room_types (id)",
    "users": "pk_users (id)",
}
_BY_ARRIVAL = Access(
    served_by={
        **_SERVED_BY,
        "bookings": ("ix_bookings_arrival (property_id, check_in)", "pk_bookings (id)"),
    },
    may_sort="the bookings of one page",
)
_BY_ROOM_TYPE = Access(
    served_by={
        **_SERVED_BY,
        "bookings": "pk_bookings (id)",
        "room_stays": (
            "ix_room_stays_room_type (room_type_id, check_in)",
            "pk_room_stays (booking_id)",
        ),
        "room_types": ("uq_room_types_property_id_code (property_id, code)", "pk_room_types (id)"),
    },
    may_sort="the bookings of one page",
)
_READS = ("bookings", "properties", "room_stays", "room_types", "users")

GET_BOOKINGS_FOR_DATE_RANGE = Statement(
    "bookings.get_bookings_for_date_range",
    _desk("sqlite", _of_property("sqlite")),
    postgresql=_desk("postgresql", _of_property("postgresql")),
    row=DeskRow,
    reads=_READS,
    access=_BY_ARRIVAL,
)

GET_BOOKINGS_FOR_DATE_RANGE_OF_STATUS = Statement(
    "bookings.get_bookings_for_date_range_of_status",
    _desk("sqlite", _of_property("sqlite", _OF_STATUS)),
    postgresql=_desk("postgresql", _of_property("postgresql", _OF_STATUS)),
    row=DeskRow,
    reads=_READS,
    access=_BY_ARRIVAL,
)

GET_BOOKINGS_FOR_DATE_RANGE_OF_ROOM_TYPE = Statement(
    "bookings.get_bookings_for_date_range_of_room_type",
    _desk("sqlite", _of_room_type("sqlite"), _WITH_ROOM_TYPE),
    postgresql=_desk("postgresql", _of_room_type("postgresql"), _WITH_ROOM_TYPE),
    row=DeskRow,
    reads=_READS,
    access=_BY_ROOM_TYPE,
)

GET_BOOKINGS_FOR_DATE_RANGE_OF_ROOM_TYPE_AND_STATUS = Statement(
    "bookings.get_bookings_for_date_range_of_room_type_and_status",
    _desk("sqlite", _of_room_type("sqlite", _STAY_OF_STATUS), _WITH_ROOM_TYPE),
    postgresql=_desk("postgresql", _of_room_type("postgresql", _STAY_OF_STATUS), _WITH_ROOM_TYPE),
    row=DeskRow,
    reads=_READS,
    access=_BY_ROOM_TYPE,
)
