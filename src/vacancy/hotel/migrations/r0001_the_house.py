"""The house: properties, inventory, users, bookings, ledger, counts, keys, audit, outbox."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, Computed, ForeignKey, UniqueConstraint, text

from vacancy.hotel.columns import (
    CLUSTERED,
    DATE,
    EMPTY,
    INSTANT,
    INTEGER,
    JSON,
    STRICT,
    TEXT,
    ZERO,
    column,
    entry,
    key,
)

revision = "0001"
down_revision = None

TABLES = (
    "installation",
    "properties",
    "room_types",
    "room_inventory",
    "users",
    "api_keys",
    "bookings",
    "room_stays",
    "night_ledger",
    "arrival_counts",
    "lead_time_counts",
    "idempotency_keys",
    "audit_entries",
    "outbox_events",
)
"""In the order in which they may be made; undone in the reverse."""


def upgrade() -> None:
    op.create_table(
        "installation",
        key("only_row", INTEGER, CheckConstraint("only_row = 1", name="one")),
        column("next_node", INTEGER, server_default=ZERO),
        **STRICT,
    )

    op.create_table(
        "properties",
        key("id", INTEGER),
        column("code", TEXT),
        column("name", TEXT),
        column("currency", TEXT, CheckConstraint("length(currency) = 3", name="currency")),
        column("time_zone", TEXT),
        column("max_stay_nights", INTEGER, CheckConstraint("max_stay_nights > 0", name="max_stay")),
        column("created_at", INSTANT),
        UniqueConstraint("code"),
        **STRICT,
    )

    op.create_table(
        "room_types",
        key("id", INTEGER),
        column("property_id", INTEGER, ForeignKey("properties.id")),
        column("code", TEXT),
        column("name", TEXT),
        column("price_minor", INTEGER, CheckConstraint("price_minor >= 0", name="price")),
        column("max_adults", INTEGER, CheckConstraint("max_adults > 0", name="max_adults")),
        column("created_at", INSTANT),
        UniqueConstraint("property_id", "code"),
        **STRICT,
    )

    op.create_table(
        "room_inventory",
        key("property_id", INTEGER, ForeignKey("properties.id")),
        key("room_type_id", INTEGER, ForeignKey("room_types.id")),
        key("night", DATE),
        column("capacity", INTEGER, CheckConstraint("capacity >= 0", name="capacity")),
        column("out_of_order", INTEGER, server_default=ZERO),
        column("sell_limit", INTEGER, server_default=ZERO),
        column("reserved", INTEGER, server_default=ZERO),
        column("held", INTEGER, server_default=ZERO),
        column("rooms_sold", INTEGER, server_default=ZERO),
        column("room_revenue_minor", INTEGER, server_default=ZERO),
        column(
            "available",
            INTEGER,
            Computed("capacity - out_of_order + sell_limit - reserved - held", persisted=True),
        ),
        CheckConstraint("reserved >= 0 AND held >= 0", name="taken"),
        CheckConstraint("out_of_order >= 0 AND sell_limit >= 0", name="limits"),
        CheckConstraint("rooms_sold >= 0 AND rooms_sold <= reserved", name="sold"),
        CheckConstraint(
            "reserved + held <= capacity - out_of_order + sell_limit", name="never_oversold"
        ),
        **CLUSTERED,
    )

    op.create_table(
        "users",
        key("id", INTEGER),
        column("name", TEXT),
        column("email", TEXT),
        column("guest_type", TEXT, server_default=text("'regular'")),
        column("created_at", INSTANT),
        CheckConstraint("guest_type IN ('regular', 'vip', 'corporate')", name="guest_type"),
        UniqueConstraint("email"),
        **STRICT,
    )

    op.create_table(
        "api_keys",
        key("id", INTEGER),
        column("user_id", INTEGER, ForeignKey("users.id")),
        column("role", TEXT),
        column("property_id", INTEGER, ForeignKey("properties.id"), nullable=True),
        column("label", TEXT, server_default=EMPTY),
        column("secret_sha256", TEXT),
        column("created_at", INSTANT),
        column("revoked_at", INSTANT, nullable=True),
        CheckConstraint("role IN ('guest', 'staff', 'admin', 'superadmin')", name="role"),
        UniqueConstraint("secret_sha256"),
        **STRICT,
    )

    op.create_table(
        "bookings",
        key("id", INTEGER),
        column("property_id", INTEGER, ForeignKey("properties.id")),
        column("user_id", INTEGER, ForeignKey("users.id")),
        column("status", TEXT),
        column("check_in", DATE),
        column("check_out", DATE),
        column("guest_name", TEXT),
        column("guest_email", TEXT),
        column("total_minor", INTEGER),
        column("segment", TEXT),
        column("channel", TEXT),
        column("source_ref", TEXT, server_default=EMPTY),
        column("lead_days", INTEGER),
        column("created_at", INSTANT),
        column("changed_at", INSTANT),
        column("expires_at", INSTANT, nullable=True),
        CheckConstraint(
            "status IN ('provisional', 'confirmed', 'checked_in', 'checked_out', 'cancelled',"
            " 'no_show', 'expired')",
            name="status",
        ),
        CheckConstraint("check_out >= check_in", name="stay"),
        CheckConstraint("total_minor >= 0", name="total"),
        **STRICT,
    )
    op.create_index(
        "ix_bookings_user",
        "bookings",
        ["user_id", "id"],
    )
    op.create_index(
        "ix_bookings_user_status",
        "bookings",
        ["user_id", "status", "id"],
    )
    op.create_index(
        "ix_bookings_due",
        "bookings",
        ["property_id", "expires_at"],
        sqlite_where=text("status = 'provisional' AND expires_at IS NOT NULL"),
        postgresql_where=text("status = 'provisional' AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "uq_bookings_source_ref",
        "bookings",
        ["property_id", "source_ref"],
        unique=True,
        sqlite_where=text("source_ref <> ''"),
        postgresql_where=text("source_ref <> ''"),
    )

    op.create_table(
        "room_stays",
        key("booking_id", INTEGER, ForeignKey("bookings.id")),
        key("line", INTEGER),
        column("property_id", INTEGER),
        column("room_type_id", INTEGER),
        column("check_in", DATE),
        column("check_out", DATE),
        column("rooms", INTEGER, CheckConstraint("rooms > 0", name="rooms")),
        column("adults", INTEGER, CheckConstraint("adults >= 0", name="adults")),
        column("prices_minor", JSON),
        **CLUSTERED,
    )

    op.create_table(
        "night_ledger",
        entry(),
        column("property_id", INTEGER),
        column("booking_id", INTEGER),
        column("room_type_id", INTEGER),
        column("night", DATE),
        column("held", INTEGER),
        column("reserved", INTEGER),
        column("rooms_sold", INTEGER),
        column("room_revenue_minor", INTEGER),
        column("at", INSTANT),
        **STRICT,
    )

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

    op.create_table(
        "lead_time_counts",
        key("property_id", INTEGER),
        key("arrival", DATE),
        key("lead_days", INTEGER),
        column("bookings", INTEGER),
        **CLUSTERED,
    )

    op.create_table(
        "idempotency_keys",
        entry(),
        column("user_id", INTEGER),
        column("key", TEXT),
        column("request_sha256", TEXT),
        column("refused", INTEGER),
        column("answer", TEXT),
        column("created_at", INSTANT),
        UniqueConstraint("user_id", "key"),
        **STRICT,
    )

    op.create_table(
        "audit_entries",
        entry(),
        column("property_id", INTEGER),
        column("actor_id", INTEGER),
        column("action", TEXT),
        column("subject_id", INTEGER),
        column("detail", JSON),
        column("at", INSTANT),
        **STRICT,
    )
    op.create_index(
        "ix_audit_entries_subject",
        "audit_entries",
        ["subject_id", "entry"],
    )

    op.create_table(
        "outbox_events",
        entry(),
        column("property_id", INTEGER),
        column("kind", TEXT),
        column("subject_id", INTEGER),
        column("payload", JSON),
        column("created_at", INSTANT),
        **STRICT,
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
