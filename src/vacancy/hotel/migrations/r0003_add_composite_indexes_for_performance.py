"""The composite indexes: each made for one statement, built beside the writers on PostgreSQL.

Each bears the name of its statement; docs/indexes.md tells which index of the brief it stands for.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
transactional = False

INDEXES: dict[str, tuple[str, tuple[str, ...]]] = {
    # bookings.get_bookings_for_date_range, …_of_status, bookings.list_departures: check_out and
    # status are judged inside. A user's bookings have had theirs since the first revision.
    "ix_bookings_arrival": (
        "bookings",
        ("property_id", "check_in", "id", "check_out", "status"),
    ),
    # bookings.get_bookings_for_date_range_of_room_type
    "ix_room_stays_room_type": (
        "room_stays",
        ("room_type_id", "check_in", "booking_id", "check_out"),
    ),
    # waitlist.list_entries
    "ix_waitlist_status": (
        "waitlist",
        ("property_id", "status", "check_in", "id", "check_out"),
    ),
    # waitlist.get_queue: who came first, first; their stays are judged inside.
    "ix_waitlist_queue": (
        "waitlist",
        ("room_type_id", "status", "id", "check_in", "check_out"),
    ),
    # payments.list_payments
    "ix_payments_status": ("payments", ("property_id", "status", "created_at", "id")),
    # payments.get_user_payments_of_status, payments.get_user_payment_summary
    "ix_payments_user": ("payments", ("user_id", "status", "id")),
    # notifications.list_due
    "ix_notifications_due": ("notifications", ("property_id", "status", "scheduled_at", "id")),
    # notifications.get_user_notifications
    "ix_notifications_user": ("notifications", ("user_id", "kind", "status", "id")),
}
"""Name, table, columns. They begin with what a statement compares for equality, then come the
columns of its order, then what it judges without reading the row."""


def upgrade() -> None:
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, list(columns), postgresql_concurrently=True)


def downgrade() -> None:
    for name, (table, _) in reversed(INDEXES.items()):
        op.drop_index(name, table, postgresql_concurrently=True)
