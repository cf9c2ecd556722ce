"""The tables, once for both databases. Loaded by the commands that migrate, never by a server.

Every table carries its property where that is its natural shard key. What each index is for
stands in docs/indexes.md.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from vacancy.hotel.columns import (
    CLUSTERED,
    DATE,
    EMPTY,
    INSTANT,
    INTEGER,
    JSON,
    NAMES,
    STRICT,
    TEXT,
    ZERO,
    column,
    entry,
    key,
)
from vacancy.hotel.schema_around import add_tables_around
from vacancy.hotel.schema_changes import add_change_tables

metadata = MetaData(naming_convention=NAMES)

installation = Table(
    "installation",
    metadata,
    key("only_row", INTEGER, CheckConstraint("only_row = 1", name="one")),
    column("next_node", INTEGER, server_default=ZERO),
    **STRICT,
)

properties = Table(
    "properties",
    metadata,
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

room_types = Table(
    "room_types",
    metadata,
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

room_inventory = Table(
    "room_inventory",
    metadata,
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

users = Table(
    "users",
    metadata,
    key("id", INTEGER),
    column("name", TEXT),
    column("email", TEXT),
    column("guest_type", TEXT, server_default=text("'regular'")),
    column("created_at", INSTANT),
    CheckConstraint("guest_type IN ('regular', 'vip', 'corporate')", name="guest_type"),
    UniqueConstraint("email"),
    **STRICT,
)

api_keys = Table(
    "api_keys",
    metadata,
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

bookings = Table(
    "bookings",
    metadata,
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
Index("ix_bookings_user", bookings.c.user_id, bookings.c.id)
Index("ix_bookings_user_status", bookings.c.user_id, bookings.c.status, bookings.c.id)
Index(
    "ix_bookings_arrival",
    bookings.c.property_id,
    bookings.c.check_in,
    bookings.c.id,
    bookings.c.check_out,
    bookings.c.status,
)
Index(
    "ix_bookings_due",
    bookings.c.property_id,
    bookings.c.expires_at,
    sqlite_where=text("status = 'provisional' AND expires_at IS NOT NULL"),
    postgresql_where=text("status = 'provisional' AND expires_at IS NOT NULL"),
)
Index(
    "uq_bookings_source_ref",
    bookings.c.property_id,
    bookings.c.source_ref,
    unique=True,
    sqlite_where=text("source_ref <> ''"),
    postgresql_where=text("source_ref <> ''"),
)

# From here on, tables that only admission and bulk loads write, many rows at once, for things that
# they hold locked. Foreign keys would cost a look-up and a shared row lock for each row on
# PostgreSQL; `verify-inventory` finds what they would. Room stays alone keep one, to their booking.

room_stays = Table(
    "room_stays",
    metadata,
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
Index(
    "ix_room_stays_room_type",
    room_stays.c.room_type_id,
    room_stays.c.check_in,
    room_stays.c.booking_id,
    room_stays.c.check_out,
)

night_ledger = Table(
    "night_ledger",
    metadata,
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

# A room type of 0 is the whole booking, whatever its rooms. The arrival comes before the room type:
# all that a sale counts is then on one page.
booking_counts = Table(
    "booking_counts",
    metadata,
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

lead_time_counts = Table(
    "lead_time_counts",
    metadata,
    key("property_id", INTEGER),
    key("month", DATE),
    key("lead_days", INTEGER),
    column("bookings", INTEGER),
    **CLUSTERED,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
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

audit_entries = Table(
    "audit_entries",
    metadata,
    entry(),
    column("property_id", INTEGER),
    column("actor_id", INTEGER),
    column("action", TEXT),
    column("subject_id", INTEGER),
    column("detail", JSON),
    column("at", INSTANT),
    **STRICT,
)
Index("ix_audit_entries_subject", audit_entries.c.subject_id, audit_entries.c.entry)

outbox_events = Table(
    "outbox_events",
    metadata,
    entry(),
    column("property_id", INTEGER),
    column("kind", TEXT),
    column("subject_id", INTEGER),
    column("payload", JSON),
    column("created_at", INSTANT),
    **STRICT,
)

add_tables_around(metadata)
add_change_tables(metadata)
