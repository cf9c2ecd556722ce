"""Sums for reports, by calendar month or for the whole period (then `month` is empty).

They read nights and counts, and so cost the same however many bookings there are. Only where a
period cuts a month are the arrivals of that part looked at one by one, for their lead times.
"""

from __future__ import annotations

import msgspec

from vacancy.db.statement import Access, Statement


class PeriodSums(msgspec.Struct, frozen=True):
    """What nights, arrivals and lead times come to."""

    month: str
    capacity: int
    """This and the next three by the night."""
    out_of_order: int
    rooms_sold: int
    room_revenue_minor: int
    bookings: int
    """This and all that follow by the arrival."""
    cancellations: int
    no_shows: int
    stays: int
    room_nights: int
    lead_times: int
    """So many bookings have one. Beside months, the row without a month has these alone."""
    lead_days: int
    lower_median_days: int | None
    """The one or two lead times in the middle when all stand in a row; none without bookings."""
    upper_median_days: int | None


# One statement, so that nights and arrivals are of one snapshot while a server goes on selling.
#
# A hold that ended by itself never became a booking. Lead times are counted by month; what the
# period has of a month that it cuts comes from the bookings. Of n lead times in a row, the middle
# ones stand at (n+1)/2 and n/2+1, both rounded down: the first whose running count reaches half of
# all, and the first whose running count is over half. Medians cannot be added up, so the whole
# period has its own beside those of the months.
def _period(night_month: str, arrival_month: str) -> str:
    return f"""
    WITH night_sums AS (
        SELECT
            CASE WHEN :by_month = 1 THEN {night_month} ELSE '' END AS month,
            SUM(i.capacity) AS capacity,
            SUM(i.out_of_order) AS out_of_order,
            SUM(i.rooms_sold) AS rooms_sold,
            SUM(i.room_revenue_minor) AS room_revenue_minor
        FROM room_types AS t
        JOIN room_inventory AS i
            ON i.property_id = t.property_id
            AND i.room_type_id = t.id
            AND i.night >= :from_date
            AND i.night < :to_date
        WHERE t.property_id = :property_id
        GROUP BY 1
    ),
    arrival_sums AS (
        SELECT
            CASE WHEN :by_month = 1 THEN {arrival_month} ELSE '' END AS month,
            SUM(bookings) AS bookings,
            SUM(CASE WHEN status = 'cancelled' THEN bookings ELSE 0 END) AS cancellations,
            SUM(CASE WHEN status = 'no_show' THEN bookings ELSE 0 END) AS no_shows,
            SUM(stays) AS stays,
            SUM(nights_sold) AS room_nights
        FROM booking_counts
        WHERE property_id = :property_id
            AND arrival >= :from_date
            AND arrival < :to_date
            AND room_type_id = 0
            AND status <> 'expired'
        GROUP BY 1
    ),
    lead_times AS (
        SELECT
            month AS arrival,
            lead_days,
            bookings
        FROM lead_time_counts
        WHERE property_id = :property_id
            AND month >= :first_month
            AND month < :end_month
        UNION ALL
        SELECT check_in, lead_days, 1
        FROM bookings
        WHERE property_id = :property_id
            AND check_in >= :from_date
            AND check_in < :first_month
            AND status <> 'expired'
        UNION ALL
        SELECT check_in, lead_days, 1
        FROM bookings
        WHERE property_id = :property_id
            AND check_in >= :end_month
            AND check_in < :to_date
            AND status <> 'expired'
    ),
    counted AS (
        SELECT
            {arrival_month} AS month,
            lead_days,
            SUM(bookings) AS bookings
        FROM lead_times
        WHERE :by_month = 1
        GROUP BY 1, 2
        HAVING SUM(bookings) > 0
        UNION ALL
        SELECT '', lead_days, SUM(bookings)
        FROM lead_times
        GROUP BY lead_days
        HAVING SUM(bookings) > 0
    ),
    ranked AS (
        SELECT
            month,
            lead_days,
            bookings,
            SUM(bookings) OVER (PARTITION BY month ORDER BY lead_days) AS running,
            SUM(bookings) OVER (PARTITION BY month) AS total
        FROM counted
    ),
    lead_sums AS (
        SELECT
            month,
            SUM(bookings) AS bookings,
            SUM(bookings * lead_days) AS days,
            MIN(CASE WHEN 2 * running >= total THEN lead_days END) AS lower_median,
            MIN(CASE WHEN 2 * running > total THEN lead_days END) AS upper_median
        FROM ranked
        GROUP BY month
    ),
    months AS (
        SELECT month FROM night_sums
        UNION
        SELECT month FROM arrival_sums
        UNION
        SELECT month FROM lead_sums
    )
    SELECT
        m.month,
        CAST(COALESCE(n.capacity, 0) AS bigint),
        CAST(COALESCE(n.out_of_order, 0) AS bigint),
        CAST(COALESCE(n.rooms_sold, 0) AS bigint),
        CAST(COALESCE(n.room_revenue_minor, 0) AS bigint),
        CAST(COALESCE(a.bookings, 0) AS bigint),
        CAST(COALESCE(a.cancellations, 0) AS bigint),
        CAST(COALESCE(a.no_shows, 0) AS bigint),
        CAST(COALESCE(a.stays, 0) AS bigint),
        CAST(COALESCE(a.room_nights, 0) AS bigint),
        CAST(COALESCE(l.bookings, 0) AS bigint),
        CAST(COALESCE(l.days, 0) AS bigint),
        CAST(l.lower_median AS bigint),
        CAST(l.upper_median AS bigint)
    FROM months AS m
    LEFT JOIN night_sums AS n ON n.month = m.month
    LEFT JOIN arrival_sums AS a ON a.month = m.month
    LEFT JOIN lead_sums AS l ON l.month = m.month
    ORDER BY m.month
    """


SUM_PERIOD = Statement(
    "reports.sum_period",
    _period("substr(i.night, 1, 7)", "substr(arrival, 1, 7)"),
    postgresql=_period("to_char(i.night, 'YYYY-MM')", "to_char(arrival, 'YYYY-MM')"),
    row=PeriodSums,
    reads=("room_types", "room_inventory", "booking_counts", "lead_time_counts", "bookings"),
    heavy=True,  # milliseconds for each year: bookings must not wait behind it
    access=Access(
        served_by={
            "room_types": "uq_room_types_property_id_code (property_id)",
            "room_inventory": "pk_room_inventory (property_id, room_type_id, night)",
            "booking_counts": "pk_booking_counts (property_id, arrival)",
            "lead_time_counts": "pk_lead_time_counts (property_id, month)",
            "bookings": "ix_bookings_arrival (property_id, check_in)",
        },
        # Of a property with few nights it reads all at once.
        postgresql_served_by={"room_inventory": "pk_room_inventory (property_id)"},
        may_sort="the sums of the period, by month and by lead time",
    ),
)
