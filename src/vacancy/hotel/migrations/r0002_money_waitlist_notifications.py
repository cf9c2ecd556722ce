"""Money, the waitlist and notifications: what stands around a booking."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, text

from vacancy.hotel.columns import (
    DATE,
    EMPTY,
    INSTANT,
    INTEGER,
    JSON,
    STRICT,
    TEXT,
    ZERO,
    column,
    key,
)

revision = "0002"
down_revision = "0001"

TABLES = ("payments", "refunds", "invoices", "credit_notes", "waitlist", "notifications")
"""In the order in which they may be made; undone in the reverse."""


def upgrade() -> None:
    op.create_table(
        "payments",
        key("id", INTEGER),
        column("property_id", INTEGER, ForeignKey("properties.id")),
        column("booking_id", INTEGER, ForeignKey("bookings.id")),
        column("user_id", INTEGER, ForeignKey("users.id")),
        column("status", TEXT),
        column("method", TEXT),
        column("amount_minor", INTEGER, CheckConstraint("amount_minor > 0", name="amount")),
        column("refunded_minor", INTEGER, server_default=ZERO),
        column("currency", TEXT, CheckConstraint("length(currency) = 3", name="currency")),
        column("provider", TEXT, server_default=EMPTY),
        column("provider_ref", TEXT, server_default=EMPTY),
        column("created_at", INSTANT),
        column("changed_at", INSTANT),
        CheckConstraint(
            "status IN ('pending', 'succeeded', 'failed', 'partially_refunded', 'refunded')",
            name="status",
        ),
        CheckConstraint("method IN ('card', 'bank_transfer', 'cash', 'other')", name="method"),
        CheckConstraint(
            "refunded_minor >= 0 AND refunded_minor <= amount_minor", name="never_over_refunded"
        ),
        CheckConstraint(
            "(status = 'refunded') = (refunded_minor = amount_minor)"
            " AND (status = 'partially_refunded')"
            " = (refunded_minor > 0 AND refunded_minor < amount_minor)",
            name="refunded",
        ),
        CheckConstraint("provider_ref = '' OR provider <> ''", name="provider"),
        **STRICT,
    )
    op.create_index("ix_payments_booking", "payments", ["booking_id", "id"])
    op.create_index(
        "uq_payments_provider_ref",
        "payments",
        ["provider", "provider_ref"],
        unique=True,
        sqlite_where=text("provider_ref <> ''"),
        postgresql_where=text("provider_ref <> ''"),
    )

    op.create_table(
        "refunds",
        key("id", INTEGER),
        column("property_id", INTEGER),
        column("payment_id", INTEGER, ForeignKey("payments.id")),
        column("status", TEXT),
        column("amount_minor", INTEGER, CheckConstraint("amount_minor > 0", name="amount")),
        column("reason", TEXT, server_default=EMPTY),
        column("provider_ref", TEXT, server_default=EMPTY),
        column("created_at", INSTANT),
        column("changed_at", INSTANT),
        CheckConstraint("status IN ('pending', 'succeeded', 'failed')", name="status"),
        **STRICT,
    )
    op.create_index("ix_refunds_payment", "refunds", ["payment_id", "id"])
    op.create_index(
        "uq_refunds_provider_ref",
        "refunds",
        ["payment_id", "provider_ref"],
        unique=True,
        sqlite_where=text("provider_ref <> ''"),
        postgresql_where=text("provider_ref <> ''"),
    )

    op.create_table(
        "invoices",
        key("id", INTEGER),
        column("property_id", INTEGER, ForeignKey("properties.id")),
        column("booking_id", INTEGER, ForeignKey("bookings.id")),
        column("number", INTEGER, CheckConstraint("number > 0", name="number")),
        column("billed_to", TEXT),
        column("lines", JSON),
        column("total_minor", INTEGER, CheckConstraint("total_minor >= 0", name="total")),
        column("credited_minor", INTEGER, server_default=ZERO),
        column("currency", TEXT, CheckConstraint("length(currency) = 3", name="currency")),
        column("issued_at", INSTANT),
        CheckConstraint(
            "credited_minor >= 0 AND credited_minor <= total_minor", name="never_over_credited"
        ),
        UniqueConstraint("property_id", "number"),
        **STRICT,
    )
    op.create_index("ix_invoices_booking", "invoices", ["booking_id", "id"])

    op.create_table(
        "credit_notes",
        key("id", INTEGER),
        column("property_id", INTEGER, ForeignKey("properties.id")),
        column("invoice_id", INTEGER, ForeignKey("invoices.id")),
        column("number", INTEGER, CheckConstraint("number > 0", name="number")),
        column("lines", JSON),
        column("total_minor", INTEGER, CheckConstraint("total_minor > 0", name="total")),
        column("reason", TEXT, server_default=EMPTY),
        column("issued_at", INSTANT),
        UniqueConstraint("property_id", "number"),
        **STRICT,
    )
    op.create_index("ix_credit_notes_invoice", "credit_notes", ["invoice_id", "id"])

    op.create_table(
        "waitlist",
        key("id", INTEGER),
        column("property_id", INTEGER, ForeignKey("properties.id")),
        column("room_type_id", INTEGER, ForeignKey("room_types.id")),
        column("user_id", INTEGER, ForeignKey("users.id")),
        column("status", TEXT),
        column("check_in", DATE),
        column("check_out", DATE),
        column("rooms", INTEGER, CheckConstraint("rooms > 0", name="rooms")),
        column("adults", INTEGER, CheckConstraint("adults >= 0", name="adults")),
        column("guest_name", TEXT),
        column("guest_email", TEXT),
        column("booking_id", INTEGER, ForeignKey("bookings.id"), nullable=True),
        column("created_at", INSTANT),
        column("changed_at", INSTANT),
        CheckConstraint(
            "status IN ('active', 'offered', 'converted', 'expired', 'cancelled')", name="status"
        ),
        CheckConstraint("check_out > check_in", name="stay"),
        CheckConstraint(
            "status NOT IN ('offered', 'converted') OR booking_id IS NOT NULL", name="offer"
        ),
        **STRICT,
    )
    op.create_index("ix_waitlist_user", "waitlist", ["user_id", "id"])
    op.create_index(
        "uq_waitlist_booking",
        "waitlist",
        ["booking_id"],
        unique=True,
        sqlite_where=text("booking_id IS NOT NULL"),
        postgresql_where=text("booking_id IS NOT NULL"),
    )

    op.create_table(
        "notifications",
        key("id", INTEGER),
        column("property_id", INTEGER, ForeignKey("properties.id")),
        column("user_id", INTEGER, ForeignKey("users.id")),
        column("kind", TEXT, CheckConstraint("kind <> ''", name="kind")),
        column("subject_id", INTEGER),
        column("channel", TEXT, CheckConstraint("channel IN ('email', 'sms')", name="channel")),
        column("recipient", TEXT),
        column("payload", JSON),
        column("status", TEXT),
        column("attempts", INTEGER, server_default=ZERO),
        column("scheduled_at", INSTANT),
        column("created_at", INSTANT),
        column("changed_at", INSTANT),
        CheckConstraint("status IN ('queued', 'sent', 'failed', 'cancelled')", name="status"),
        CheckConstraint("attempts >= 0", name="attempts"),
        **STRICT,
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
