"""What totals and ledger must be, recomputed from bookings and their lines, beside what is
stored. In the manner of `statements/verify.py`."""

from __future__ import annotations

from vacancy.db.statement import Statement
from vacancy.hotel.statements.verify import HELD, READS_ALL, RESERVED, SCOPE, FoundDifference


def _lines(priced_nights: str, nights_sold: str, price_sum: str) -> str:
    """Every line of every booking with what it comes to."""
    return f"""
    WITH lines AS (
        SELECT
            s.booking_id,
            s.property_id,
            s.room_type_id,
            s.check_in,
            s.check_out,
            s.rooms,
            {priced_nights} AS priced_nights,
            CAST({nights_sold} AS bigint) AS nights_sold,
            CAST({price_sum} AS bigint) AS price_sum_minor
        FROM room_stays AS s
        WHERE (CAST(:property_id AS bigint) = 0 OR s.property_id = :property_id)
    ),"""


LINES_SQLITE = _lines(
    "json_array_length(s.prices_minor)",
    "(SELECT COUNT(*) FROM json_each(s.prices_minor) WHERE value <> 0)",
    "(SELECT COALESCE(SUM(value), 0) FROM json_each(s.prices_minor))",
)
LINES_POSTGRESQL = _lines(
    "jsonb_array_length(s.prices_minor)",
    "(SELECT COUNT(*) FROM jsonb_array_elements_text(s.prices_minor) AS price (value)"
    " WHERE value <> '0')",
    "(SELECT COALESCE(SUM(CAST(value AS bigint)), 0)"
    " FROM jsonb_array_elements_text(s.prices_minor) AS price (value))",
)

_BOOKINGS_AGAINST_LINES = """
    summed AS (
        SELECT
            booking_id,
            CAST(SUM(rooms * price_sum_minor) AS bigint) AS total_minor,
            COUNT(*) AS lines,
            MIN(check_in) AS first_check_in,
            MAX(check_in) AS last_check_in,
            MIN(check_out) AS first_check_out,
            MAX(check_out) AS last_check_out,
            MIN(priced_nights) AS fewest_prices,
            MAX(priced_nights) AS most_prices
        FROM lines
        GROUP BY booking_id
    ),
    compared AS (
        SELECT
            b.id,
            b.property_id,
            b.check_in,
            b.total_minor,
            COALESCE(l.total_minor, 0) AS due_total,
            COALESCE(l.lines, 0) AS lines,
            CASE
                WHEN b.check_in <> l.first_check_in OR b.check_in <> l.last_check_in
                    OR b.check_out <> l.first_check_out OR b.check_out <> l.last_check_out
                THEN 1 ELSE 0
            END AS other_dates,
            COALESCE(l.fewest_prices, 0) AS fewest_prices,
            COALESCE(l.most_prices, 0) AS most_prices,
            {nights} AS nights
        FROM bookings AS b
        LEFT JOIN summed AS l ON l.booking_id = b.id
        WHERE (CAST(:property_id AS bigint) = 0 OR b.property_id = :property_id)
    ),
    fields AS (
        SELECT id, property_id, check_in, 'lines' AS field, 0 AS stored, 1 AS expected
        FROM compared
        WHERE lines = 0
        UNION ALL
        SELECT id, property_id, check_in, 'total_minor', total_minor, due_total
        FROM compared
        WHERE total_minor <> due_total
        UNION ALL
        SELECT id, property_id, check_in, 'lines_with_other_dates', other_dates, 0
        FROM compared
        WHERE other_dates <> 0
        UNION ALL
        SELECT id, property_id, check_in, 'nights_with_a_price', fewest_prices, nights
        FROM compared
        WHERE lines <> 0 AND (fewest_prices <> nights OR most_prices <> nights)
        UNION ALL
        SELECT booking_id, property_id, first_check_in, 'booking', 0, 1
        FROM (
            SELECT l.booking_id, l.property_id, MIN(l.check_in) AS first_check_in
            FROM lines AS l
            LEFT JOIN bookings AS b ON b.id = l.booking_id
            WHERE b.id IS NULL
            GROUP BY l.booking_id, l.property_id
        ) AS orphans
    )
    SELECT
        COALESCE(p.code, ''),
        '',
        f.check_in,
        CAST(f.id AS text),
        f.field,
        f.stored,
        f.expected,
        COUNT(*) OVER ()
    FROM fields AS f
    LEFT JOIN properties AS p ON p.id = f.property_id
    ORDER BY f.id, f.field
    LIMIT :limit
    """

BOOKINGS_AGAINST_LINES = Statement(
    "verify.bookings_against_lines",
    LINES_SQLITE
    + _BOOKINGS_AGAINST_LINES.format(
        nights="CAST(julianday(b.check_out) - julianday(b.check_in) AS integer)"
    ),
    postgresql=LINES_POSTGRESQL
    + _BOOKINGS_AGAINST_LINES.format(nights="CAST(b.check_out - b.check_in AS bigint)"),
    row=FoundDifference,
    reads=("bookings", "room_stays", "properties"),
    heavy=True,
    access=READS_ALL,
)

# By booking, so that two wrong entries which cancel each other out on a night are found as well.
# Every line leaves at least one entry: day use is a row of no rooms.
_LEDGER_AGAINST_BOOKINGS = f"""
    pile AS (
        SELECT
            booking_id, property_id,
            1 AS entries, 0 AS due_lines,
            held, reserved, rooms_sold, room_revenue_minor,
            0 AS due_held, 0 AS due_reserved, 0 AS due_sold, 0 AS due_revenue
        FROM night_ledger
        WHERE {SCOPE}
        UNION ALL
        SELECT
            l.booking_id, l.property_id,
            0, 1,
            0, 0, 0, 0,
            CASE WHEN b.status IN ({HELD}) THEN l.rooms * l.priced_nights ELSE 0 END,
            CASE WHEN b.status IN ({RESERVED}) THEN l.rooms * l.priced_nights ELSE 0 END,
            CASE WHEN b.status IN ({RESERVED}) THEN l.rooms * l.nights_sold ELSE 0 END,
            CASE WHEN b.status IN ({RESERVED}) THEN l.rooms * l.price_sum_minor ELSE 0 END
        FROM lines AS l
        JOIN bookings AS b ON b.id = l.booking_id
    ),
    differing AS (
        SELECT
            booking_id,
            property_id,
            CAST(SUM(entries) AS bigint) AS entries,
            CAST(SUM(due_lines) AS bigint) AS due_lines,
            CAST(SUM(held) AS bigint) AS held,
            CAST(SUM(reserved) AS bigint) AS reserved,
            CAST(SUM(rooms_sold) AS bigint) AS sold,
            CAST(SUM(room_revenue_minor) AS bigint) AS revenue,
            CAST(SUM(due_held) AS bigint) AS due_held,
            CAST(SUM(due_reserved) AS bigint) AS due_reserved,
            CAST(SUM(due_sold) AS bigint) AS due_sold,
            CAST(SUM(due_revenue) AS bigint) AS due_revenue
        FROM pile
        GROUP BY booking_id, property_id
        HAVING SUM(entries) < SUM(due_lines)
            OR SUM(due_lines) = 0
            OR SUM(held) <> SUM(due_held)
            OR SUM(reserved) <> SUM(due_reserved)
            OR SUM(rooms_sold) <> SUM(due_sold)
            OR SUM(room_revenue_minor) <> SUM(due_revenue)
    ),
    fields AS (
        SELECT booking_id, property_id, 'entries' AS field, entries AS stored,
            due_lines AS expected
        FROM differing
        WHERE entries < due_lines OR due_lines = 0
        UNION ALL
        SELECT booking_id, property_id, 'held', held, due_held
        FROM differing
        WHERE held <> due_held
        UNION ALL
        SELECT booking_id, property_id, 'reserved', reserved, due_reserved
        FROM differing
        WHERE reserved <> due_reserved
        UNION ALL
        SELECT booking_id, property_id, 'rooms_sold', sold, due_sold
        FROM differing
        WHERE sold <> due_sold
        UNION ALL
        SELECT booking_id, property_id, 'room_revenue_minor', revenue, due_revenue
        FROM differing
        WHERE revenue <> due_revenue
    )
    SELECT
        COALESCE(p.code, ''),
        '',
        CAST(NULL AS date),
        CAST(f.booking_id AS text),
        f.field,
        f.stored,
        f.expected,
        COUNT(*) OVER ()
    FROM fields AS f
    LEFT JOIN properties AS p ON p.id = f.property_id
    ORDER BY f.booking_id, f.field
    LIMIT :limit
    """

LEDGER_AGAINST_BOOKINGS = Statement(
    "verify.ledger_against_bookings",
    LINES_SQLITE + _LEDGER_AGAINST_BOOKINGS,
    postgresql=LINES_POSTGRESQL + _LEDGER_AGAINST_BOOKINGS,
    row=FoundDifference,
    reads=("night_ledger", "bookings", "room_stays", "properties"),
    heavy=True,
    access=READS_ALL,
)
