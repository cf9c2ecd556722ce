"""What the counts by room type must be, recomputed from bookings and their lines. In the manner of
`statements/verify_bookings.py`."""

from __future__ import annotations

from vacancy.db.statement import Statement
from vacancy.hotel.statements.verify import READS_ALL, SCOPE, FoundDifference
from vacancy.hotel.statements.verify_bookings import LINES_POSTGRESQL, LINES_SQLITE

# A booking counts once for each of its room types, and once as a whole under a room type of 0.
_COUNTS_AGAINST_BOOKINGS = f"""
    due AS (
        SELECT
            b.id,
            b.property_id,
            l.room_type_id,
            b.check_in,
            b.status,
            SUM(l.rooms * l.priced_nights) AS room_nights,
            SUM(l.rooms * l.price_sum_minor) AS value_minor
        FROM bookings AS b
        JOIN lines AS l ON l.booking_id = b.id
        WHERE (CAST(:property_id AS bigint) = 0 OR b.property_id = :property_id)
        GROUP BY b.id, b.property_id, l.room_type_id, b.check_in, b.status
        UNION ALL
        SELECT
            b.id,
            b.property_id,
            0,
            b.check_in,
            b.status,
            SUM(l.rooms * l.priced_nights),
            SUM(l.rooms * l.price_sum_minor)
        FROM bookings AS b
        JOIN lines AS l ON l.booking_id = b.id
        WHERE (CAST(:property_id AS bigint) = 0 OR b.property_id = :property_id)
        GROUP BY b.id, b.property_id, b.check_in, b.status
    ),
    pile AS (
        SELECT
            property_id, room_type_id, arrival, status,
            bookings, room_nights, value_minor,
            0 AS due_bookings, 0 AS due_nights, 0 AS due_value
        FROM booking_counts
        WHERE {SCOPE}
        UNION ALL
        SELECT
            property_id, room_type_id, check_in, status,
            0, 0, 0,
            1, room_nights, value_minor
        FROM due
    ),
    differing AS (
        SELECT
            property_id,
            room_type_id,
            arrival,
            status,
            CAST(SUM(bookings) AS bigint) AS bookings,
            CAST(SUM(room_nights) AS bigint) AS room_nights,
            CAST(SUM(value_minor) AS bigint) AS value_minor,
            CAST(SUM(due_bookings) AS bigint) AS due_bookings,
            CAST(SUM(due_nights) AS bigint) AS due_nights,
            CAST(SUM(due_value) AS bigint) AS due_value
        FROM pile
        GROUP BY property_id, room_type_id, arrival, status
        HAVING SUM(bookings) <> SUM(due_bookings)
            OR SUM(room_nights) <> SUM(due_nights)
            OR SUM(value_minor) <> SUM(due_value)
    ),
    fields AS (
        SELECT property_id, room_type_id, arrival, status, 'bookings' AS field,
            bookings AS stored, due_bookings AS expected
        FROM differing
        WHERE bookings <> due_bookings
        UNION ALL
        SELECT property_id, room_type_id, arrival, status, 'room_nights', room_nights, due_nights
        FROM differing
        WHERE room_nights <> due_nights
        UNION ALL
        SELECT property_id, room_type_id, arrival, status, 'value_minor', value_minor, due_value
        FROM differing
        WHERE value_minor <> due_value
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
