"""All counts of an arrival in one table and side by side, lead times by month; counted anew from
the bookings.

A sale then changes one page of counts where it changed four. Nobody asked for arrivals by segment
and channel, which stand in the bookings.
"""

from __future__ import annotations

from typing import cast

from alembic import op

from vacancy.db.change_triggers import Month, Tracked, create_triggers, drop_triggers
from vacancy.db.statement import Engine
from vacancy.hotel.columns import CLUSTERED, DATE, INTEGER, TEXT, column, key
from vacancy.hotel.migrations import r0004_booking_counts as before

revision = "0006"
down_revision = "0005"

TRACKED = (
    Tracked("booking_counts", ("property_id", Month("arrival"))),
    Tracked("lead_time_counts", ("property_id", Month("month"))),
)
_TRACKED_BEFORE = (
    Tracked("arrival_counts", ("property_id", Month("arrival"))),
    Tracked("booking_counts", ("property_id", Month("arrival"))),
    Tracked("lead_time_counts", ("property_id", Month("arrival"))),
)

_PRICES_SQLITE = {
    "nights": "json_array_length(s.prices_minor)",
    "price_sum": "(SELECT COALESCE(SUM(value), 0) FROM json_each(s.prices_minor))",
    "paid": "(SELECT COUNT(*) FROM json_each(s.prices_minor) WHERE value <> 0)",
}
_PRICES_POSTGRESQL = {
    "nights": "jsonb_array_length(s.prices_minor)",
    "price_sum": "(SELECT COALESCE(SUM(CAST(value AS bigint)), 0)"
    " FROM jsonb_array_elements_text(s.prices_minor) AS price (value))",
    "paid": "(SELECT COUNT(*) FROM jsonb_array_elements_text(s.prices_minor) AS price (value)"
    " WHERE value <> '0')",
}
_SOLD = "b.status IN ('confirmed', 'checked_in', 'checked_out')"

# A room type of 0 is the whole booking, whatever its rooms.
_COUNT_BOOKINGS = f"""
    INSERT INTO booking_counts (
        property_id, arrival, room_type_id, status,
        bookings, room_nights, value_minor, stays, nights_sold
    )
    WITH lines AS (
        SELECT
            s.booking_id,
            s.room_type_id,
            s.rooms,
            {{nights}} AS nights,
            {{price_sum}} AS price_sum,
            {{paid}} AS paid
        FROM room_stays AS s
    ),
    by_type AS MATERIALIZED (
        SELECT
            b.id,
            b.property_id,
            b.check_in AS arrival,
            l.room_type_id,
            b.status,
            SUM(l.rooms * l.nights) AS room_nights,
            SUM(l.rooms * l.price_sum) AS value_minor,
            SUM(CASE WHEN {_SOLD} AND l.paid > 0 THEN l.rooms ELSE 0 END) AS stays,
            SUM(CASE WHEN {_SOLD} THEN l.rooms * l.paid ELSE 0 END) AS nights_sold
        FROM bookings AS b
        JOIN lines AS l ON l.booking_id = b.id
        GROUP BY b.id, b.property_id, b.check_in, l.room_type_id, b.status
    )
    SELECT
        property_id,
        arrival,
        room_type_id,
        status,
        COUNT(*),
        SUM(room_nights),
        SUM(value_minor),
        SUM(stays),
        SUM(nights_sold)
    FROM by_type
    GROUP BY property_id, arrival, room_type_id, status
    UNION ALL
    SELECT
        property_id,
        arrival,
        0,
        status,
        COUNT(DISTINCT id),
        SUM(room_nights),
        SUM(value_minor),
        SUM(stays),
        SUM(nights_sold)
    FROM by_type
    GROUP BY property_id, arrival, status
    """

_COUNT_ARRIVALS = f"""
    INSERT INTO arrival_counts (
        property_id, arrival, status, segment, channel, bookings, stays, room_nights
    )
    WITH lines AS (
        SELECT s.booking_id, s.rooms, {{paid}} AS paid FROM room_stays AS s
    )
    SELECT
        b.property_id,
        b.check_in,
        b.status,
        b.segment,
        b.channel,
        COUNT(DISTINCT b.id),
        SUM(CASE WHEN {_SOLD} AND l.paid > 0 THEN l.rooms ELSE 0 END),
        SUM(CASE WHEN {_SOLD} THEN l.rooms * l.paid ELSE 0 END)
    FROM bookings AS b
    JOIN lines AS l ON l.booking_id = b.id
    GROUP BY b.property_id, b.check_in, b.status, b.segment, b.channel
    """

_COUNT_LEAD_TIMES = """
    INSERT INTO lead_time_counts (property_id, {name}, lead_days, bookings)
    SELECT
        property_id,
        {day},
        lead_days,
        COUNT(*)
    FROM bookings
    WHERE status <> 'expired'
    GROUP BY 1, 2, 3
    """


def upgrade() -> None:
    engine = _engine()
    postgresql = engine == "postgresql"
    for statement in drop_triggers(engine, _TRACKED_BEFORE):
        op.execute(statement)
    for table in ("booking_counts", "arrival_counts", "lead_time_counts"):
        op.drop_table(table)
    op.create_table(
        "booking_counts",
        key("property_id", INTEGER),
        key("arrival", DATE),
        key("room_type_id", INTEGER),
        key("status", TEXT),
        column("bookings", INTEGER),
        column("room_nights", INTEGER),
        column("value_minor", INTEGER),
        column("stays", INTEGER),
        column("nights_sold", INTEGER),
        **CLUSTERED,
    )
    op.execute(_COUNT_BOOKINGS.format(**_PRICES_POSTGRESQL if postgresql else _PRICES_SQLITE))
    _create_lead_time_counts("month")
    month = "CAST(date_trunc('month', check_in) AS date)"
    first_day = month if postgresql else "substr(check_in, 1, 8) || '01'"
    op.execute(_COUNT_LEAD_TIMES.format(name="month", day=first_day))
    for statement in create_triggers(engine, TRACKED):
        op.execute(statement)


def downgrade() -> None:
    engine = _engine()
    postgresql = engine == "postgresql"
    for statement in drop_triggers(engine, TRACKED):
        op.execute(statement)
    for table in ("booking_counts", "lead_time_counts"):
        op.drop_table(table)
    before.upgrade()
    op.create_table(
        "arrival_counts",
        key("property_id", INTEGER),
        key("arrival", DATE),
        key("status", TEXT),
        key("segment", TEXT),
        key("channel", TEXT),
        column("bookings", INTEGER),
        column("stays", INTEGER),
        column("room_nights", INTEGER),
        **CLUSTERED,
    )
    op.execute(_COUNT_ARRIVALS.format(**_PRICES_POSTGRESQL if postgresql else _PRICES_SQLITE))
    _create_lead_time_counts("arrival")
    op.execute(_COUNT_LEAD_TIMES.format(name="arrival", day="check_in"))
    for statement in create_triggers(engine, _TRACKED_BEFORE):
        op.execute(statement)


def _engine() -> Engine:
    return cast(Engine, op.get_context().dialect.name)


def _create_lead_time_counts(by: str) -> None:
    op.create_table(
        "lead_time_counts",
        key("property_id", INTEGER),
        key(by, DATE),
        key("lead_days", INTEGER),
        column("bookings", INTEGER),
        **CLUSTERED,
    )
