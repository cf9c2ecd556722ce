"""Counts of bookings by status, summed over a period of arrivals. Their cost grows with the days of
the period, not with the bookings."""

from __future__ import annotations

import msgspec

from vacancy.db.statement import Access, Statement
from vacancy.hotel.model import Status


class StatusSums(msgspec.Struct, frozen=True):
    """What arrives in the period in one status; one row without a status when nothing does."""

    property_id: int
    currency: str
    room_type_id: int | None
    """None when the property has no such room type; 0 for whole bookings."""
    status: Status | None
    bookings: int
    room_nights: int
    """Rooms times nights."""
    value_minor: int
    """What these bookings come to; of one room type, its rooms alone."""


# The outer joins let one statement tell an unknown property (no row), an unknown room type (a row
# without one) and a period without arrivals (a row without a status) from each other.
def _sums(room_type: str, room_type_id: str, of_property: str) -> str:
    return f"""
    SELECT
        p.id,
        p.currency,
        {room_type_id},
        c.status,
        CAST(COALESCE(SUM(c.bookings), 0) AS bigint),
        CAST(COALESCE(SUM(c.room_nights), 0) AS bigint),
        CAST(COALESCE(SUM(c.value_minor), 0) AS bigint)
    FROM properties AS p{room_type}
    LEFT JOIN booking_counts AS c
        ON c.property_id = {of_property}
        AND c.room_type_id = {room_type_id}
        AND c.arrival >= :from_date
        AND c.arrival < :to_date
    WHERE p.code = :property
        AND (p.id = :of_property OR :of_property = 0)
    GROUP BY p.id, p.currency, {room_type_id}, c.status
    ORDER BY c.status
    """


# The room type is judged inside the key: the arrivals of a year are some 10 rows a day, 0.3 ms.
_COUNTS = "pk_booking_counts (property_id, arrival)"

# A room type of 0 counts whole bookings, whatever their rooms.
GET_BOOKING_STATISTICS = Statement(
    "statistics.get_booking_statistics",
    _sums("", "CAST(0 AS bigint)", "p.id"),
    row=StatusSums,
    reads=("properties", "booking_counts"),
    access=Access(
        served_by={"properties": "uq_properties_code (code)", "booking_counts": _COUNTS},
        may_sort="the days of the period, by status",
    ),
)

GET_ROOM_TYPE_STATISTICS = Statement(
    "statistics.get_room_type_statistics",
    _sums(
        "\n    LEFT JOIN room_types AS t ON t.property_id = p.id AND t.code = :room_type",
        "t.id",
        "t.property_id",
    ),
    row=StatusSums,
    reads=("properties", "room_types", "booking_counts"),
    access=Access(
        served_by={
            "properties": "uq_properties_code (code)",
            "room_types": "uq_room_types_property_id_code (property_id, code)",
            "booking_counts": _COUNTS,
        },
        may_sort="the days of the period, by status",
    ),
)
