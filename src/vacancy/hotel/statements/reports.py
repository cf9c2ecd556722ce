"""Sums for reports, by calendar month or for the whole period (then `month` is empty).

They read nights and counts, never bookings: their cost does not grow with the number of bookings.
"""

from __future__ import annotations

import msgspec

from vacancy.db.statement import Statement


class NightSums(msgspec.Struct, frozen=True):
    """Room nights and money, by the night."""

    month: str
    capacity: int
    out_of_order: int
    rooms_sold: int
    room_revenue_minor: int


class ArrivalSums(msgspec.Struct, frozen=True):
    """Bookings, by their arrival."""

    month: str
    bookings: int
    cancellations: int
    no_shows: int
    stays: int
    room_nights: int


class LeadTimeSums(msgspec.Struct, frozen=True):
    """Lead times by arrival: their sum, and the one or two in the middle when all stand in a
    row. The period as a whole is the row without a month."""

    month: str
    bookings: int
    days: int
    lower_median_days: int
    upper_median_days: int


def _month(column: str) -> tuple[str, str]:
    """The month of a date as text, on SQLite and on PostgreSQL."""
    return f"substr({column}, 1, 7)", f"to_char({column}, 'YYYY-MM')"


def _nights(month: str) -> str:
    return f"""
    SELECT
        CASE WHEN :by_month = 1 THEN {month} ELSE '' END AS month,
        CAST(SUM(capacity) AS bigint),
        CAST(SUM(out_of_order) AS bigint),
        CAST(SUM(rooms_sold) AS bigint),
        CAST(SUM(room_revenue_minor) AS bigint)
    FROM room_inventory
    WHERE property_id = :property_id
        AND night >= :from_date
        AND night < :to_date
    GROUP BY 1
    ORDER BY 1
    """


SUM_NIGHTS = Statement(
    "reports.sum_nights",
    _nights(_month("night")[0]),
    postgresql=_nights(_month("night")[1]),
    row=NightSums,
    reads=("room_inventory",),
)


# A hold that ended by itself never became a booking.
def _arrivals(month: str) -> str:
    return f"""
    SELECT
        CASE WHEN :by_month = 1 THEN {month} ELSE '' END AS month,
        CAST(SUM(bookings) AS bigint),
        CAST(SUM(CASE WHEN status = 'cancelled' THEN bookings ELSE 0 END) AS bigint),
        CAST(SUM(CASE WHEN status = 'no_show' THEN bookings ELSE 0 END) AS bigint),
        CAST(SUM(stays) AS bigint),
        CAST(SUM(room_nights) AS bigint)
    FROM arrival_counts
    WHERE property_id = :property_id
        AND arrival >= :from_date
        AND arrival < :to_date
        AND status <> 'expired'
    GROUP BY 1
    ORDER BY 1
    """


SUM_ARRIVALS = Statement(
    "reports.sum_arrivals",
    _arrivals(_month("arrival")[0]),
    postgresql=_arrivals(_month("arrival")[1]),
    row=ArrivalSums,
    reads=("arrival_counts",),
)


# Of n lead times in a row, the middle ones stand at (n+1)/2 and n/2+1, both rounded down: the first
# whose running count reaches half of all, and the first whose running count is over half.
def _lead_times(month: str) -> str:
    return f"""
    WITH monthly AS (
        SELECT
            {month} AS month,
            lead_days,
            SUM(bookings) AS bookings
        FROM lead_time_counts
        WHERE property_id = :property_id
            AND arrival >= :from_date
            AND arrival < :to_date
        GROUP BY 1, 2
        HAVING SUM(bookings) > 0
    ),
    counted AS (
        SELECT month, lead_days, bookings
        FROM monthly
        WHERE :by_month = 1
        UNION ALL
        SELECT '', lead_days, SUM(bookings)
        FROM monthly
        GROUP BY lead_days
    ),
    ranked AS (
        SELECT
            month,
            lead_days,
            bookings,
            SUM(bookings) OVER (PARTITION BY month ORDER BY lead_days) AS running,
            SUM(bookings) OVER (PARTITION BY month) AS total
        FROM counted
    )
    SELECT
        month,
        CAST(SUM(bookings) AS bigint),
        CAST(SUM(bookings * lead_days) AS bigint),
        CAST(MIN(CASE WHEN 2 * running >= total THEN lead_days END) AS bigint),
        CAST(MIN(CASE WHEN 2 * running > total THEN lead_days END) AS bigint)
    FROM ranked
    GROUP BY month
    ORDER BY month
    """


SUM_LEAD_TIMES = Statement(
    "reports.sum_lead_times",
    _lead_times(_month("arrival")[0]),
    postgresql=_lead_times(_month("arrival")[1]),
    row=LeadTimeSums,
    reads=("lead_time_counts",),
)
