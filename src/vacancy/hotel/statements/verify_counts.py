"""What the counts of arrivals and of lead times must be, recomputed from bookings and their lines.
In the manner of `statements/verify_bookings.py`."""

from __future__ import annotations

from vacancy.db.statement import Statement
from vacancy.hotel.statements.verify import READS_ALL, RESERVED, SCOPE, FoundDifference
from vacancy.hotel.statements.verify_bookings import LINES_POSTGRESQL, LINES_SQLITE

_FIELDS = ("bookings", "room_nights", "value_minor", "stays", "nights_sold")
_DIFFERING = "\n        UNION ALL\n        ".join(
    f"""SELECT property_id, room_type_id, arrival, status, '{field}' AS field,
            {field} AS stored, due_{field} AS expected
        FROM differing
        WHERE {field} <> due_{field}"""
    for field in _FIELDS
)


def _due(room_type_id: str) -> str:
    """Each booking once by this room type. Stays and nights sold are without day use and
    complimentary rooms (see `Changes.count`)."""
    return f"""
        SELECT
            b.id,
            b.property_id,
            {room_type_id} AS room_type_id,
            b.check_in,
            b.status,
            SUM(l.rooms * l.priced_nights) AS room_nights,
            SUM(l.rooms * l.price_sum_minor) AS value_minor,
            SUM(
                CASE WHEN b.status IN ({RESERVED}) AND l.nights_sold > 0 THEN l.rooms ELSE 0 END
            ) AS stays,
            SUM(
                CASE WHEN b.status IN ({RESERVED}) THEN l.rooms * l.nights_sold ELSE 0 END
            ) AS nights_sold
        FROM bookings AS b
        JOIN lines AS l ON l.booking_id = b.id
        WHERE (CAST(:property_id AS bigint) = 0 OR b.property_id = :property_id)
        GROUP BY b.id, b.property_id, {room_type_id}, b.check_in, b.status"""


# A booking counts once for each of its room types, and once as a whole under a room type of 0.
_COUNTS_AGAINST_BOOKINGS = f"""
    due AS ({_due("l.room_type_id")}
        UNION ALL{_due("CAST(0 AS bigint)")}
    ),
    pile AS (
        SELECT
            property_id, arrival, room_type_id, status,
            bookings, room_nights, value_minor, stays, nights_sold,
            0 AS due_bookings, 0 AS due_room_nights, 0 AS due_value_minor, 0 AS due_stays,
            0 AS due_nights_sold
        FROM booking_counts
        WHERE {SCOPE}
        UNION ALL
        SELECT
            property_id, check_in, room_type_id, status,
            0, 0, 0, 0, 0,
            1, room_nights, value_minor, stays, nights_sold
        FROM due
    ),
    differing AS (
        SELECT
            property_id,
            arrival,
            room_type_id,
            status,
            CAST(SUM(bookings) AS bigint) AS bookings,
            CAST(SUM(room_nights) AS bigint) AS room_nights,
            CAST(SUM(value_minor) AS bigint) AS value_minor,
            CAST(SUM(stays) AS bigint) AS stays,
            CAST(SUM(nights_sold) AS bigint) AS nights_sold,
            CAST(SUM(due_bookings) AS bigint) AS due_bookings,
            CAST(SUM(due_room_nights) AS bigint) AS due_room_nights,
            CAST(SUM(due_value_minor) AS bigint) AS due_value_minor,
            CAST(SUM(due_stays) AS bigint) AS due_stays,
            CAST(SUM(due_nights_sold) AS bigint) AS due_nights_sold
        FROM pile
        GROUP BY property_id, arrival, room_type_id, status
        HAVING SUM(bookings) <> SUM(due_bookings)
            OR SUM(room_nights) <> SUM(due_room_nights)
            OR SUM(value_minor) <> SUM(due_value_minor)
            OR SUM(stays) <> SUM(due_stays)
            OR SUM(nights_sold) <> SUM(due_nights_sold)
    ),
    fields AS (
        {_DIFFERING}
    )
    SELECT
        COALESCE(p.code, ''),
        COALESCE(t.code, ''),
        f.arrival,
        f.status,
        f.field,
        f.stored,
        f.expected,
        COUNT(*) OVER ()
    FROM fields AS f
    LEFT JOIN properties AS p ON p.id = f.property_id
    LEFT JOIN room_types AS t ON t.id = f.room_type_id
    ORDER BY f.property_id, f.room_type_id, f.arrival, f.status, f.field
    LIMIT :limit
    """

COUNTS_AGAINST_BOOKINGS = Statement(
    "verify.counts_against_bookings",
    LINES_SQLITE + _COUNTS_AGAINST_BOOKINGS,
    postgresql=LINES_POSTGRESQL + _COUNTS_AGAINST_BOOKINGS,
    row=FoundDifference,
    reads=("booking_counts", "bookings", "room_stays", "properties", "room_types"),
    heavy=True,
    access=READS_ALL,
)

_LEAD_TIMES = f"""
    WITH pile AS (
        SELECT property_id, month, lead_days, bookings, 0 AS due_bookings
        FROM lead_time_counts
        WHERE {SCOPE}
        UNION ALL
        SELECT property_id, {{month}}, lead_days, 0, 1
        FROM bookings
        WHERE status <> 'expired'
            AND {SCOPE}
    ),
    differing AS (
        SELECT
            property_id,
            month,
            lead_days,
            CAST(SUM(bookings) AS bigint) AS bookings,
            CAST(SUM(due_bookings) AS bigint) AS due_bookings
        FROM pile
        GROUP BY property_id, month, lead_days
        HAVING SUM(bookings) <> SUM(due_bookings)
    )
    SELECT
        COALESCE(p.code, ''),
        '',
        d.month,
        d.lead_days || ' days ahead',
        'bookings',
        d.bookings,
        d.due_bookings,
        COUNT(*) OVER ()
    FROM differing AS d
    LEFT JOIN properties AS p ON p.id = d.property_id
    ORDER BY d.property_id, d.month, d.lead_days
    LIMIT :limit
    """

LEAD_TIMES_AGAINST_BOOKINGS = Statement(
    "verify.lead_times_against_bookings",
    _LEAD_TIMES.format(month="substr(check_in, 1, 8) || '01'"),
    postgresql=_LEAD_TIMES.format(month="CAST(date_trunc('month', check_in) AS date)"),
    row=FoundDifference,
    reads=("lead_time_counts", "bookings", "properties"),
    heavy=True,
    access=READS_ALL,
)
