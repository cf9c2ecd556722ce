"""Bookings counted by arrival, status and room type; those that stand already are counted here.

Statistics read these counts and never bookings.
"""

from __future__ import annotations

from alembic import op

from vacancy.hotel.columns import CLUSTERED, DATE, INTEGER, TEXT, column, key

revision = "0004"
down_revision = "0003"

# A room type of 0 is the whole booking, whatever its rooms.
_COUNT = """
    INSERT INTO booking_counts (
        property_id, room_type_id, arrival, status, bookings, room_nights, value_minor
    )
    SELECT
        property_id,
        room_type_id,
        arrival,
        status,
        COUNT(*),
        SUM(room_nights),
        SUM(value_minor)
    FROM (
        SELECT
            b.property_id,
            s.room_type_id,
            b.check_in AS arrival,
            b.status,
            SUM(s.rooms * {nights}) AS room_nights,
            SUM(s.rooms * {price_sum}) AS value_minor
        FROM bookings AS b
        JOIN room_stays AS s ON s.booking_id = b.id
        GROUP BY b.id, b.property_id, s.room_type_id, b.check_in, b.status
        UNION ALL
        SELECT
            b.property_id,
            0,
            b.check_in,
            b.status,
            SUM(s.rooms * {nights}),
            b.total_minor
        FROM bookings AS b
        JOIN room_stays AS s ON s.booking_id = b.id
        GROUP BY b.id, b.property_id, b.check_in, b.status, b.total_minor
    ) AS one
    GROUP BY property_id, room_type_id, arrival, status
    """
_SQLITE = _COUNT.format(
    nights="json_array_length(s.prices_minor)",
    price_sum="(SELECT COALESCE(SUM(value), 0) FROM json_each(s.prices_minor))",
)
_POSTGRESQL = _COUNT.format(
    nights="jsonb_array_length(s.prices_minor)",
    price_sum="(SELECT COALESCE(SUM(CAST(value AS bigint)), 0)"
    " FROM jsonb_array_elements_text(s.prices_minor) AS price (value))",
)


def upgrade() -> None:
    op.create_table(
        "booking_counts",
        key("property_id", INTEGER),
        key("room_type_id", INTEGER),
        key("arrival", DATE),
        key("status", TEXT),
        column("bookings", INTEGER),
        column("room_nights", INTEGER),
        column("value_minor", INTEGER),
        **CLUSTERED,
    )
    op.execute(_POSTGRESQL if op.get_context().dialect.name == "postgresql" else _SQLITE)


def downgrade() -> None:
    op.drop_table("booking_counts")
