"""The tables around a booking: money, the waitlist, notifications. Loaded with `schema.py`.

People and providers write them one row at a time, so that each row refers to its parents. Each of
these references is found from its parent's side by an index that begins with it.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

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


def add_tables_around(metadata: MetaData) -> None:
    """Adds them to the tables that they refer to."""
    _add_payments(metadata)
    _add_invoices(metadata)
    _add_waitlist(metadata)
    _add_notifications(metadata)


def _add_payments(metadata: MetaData) -> None:
    payments = Table(
        "payments",
        metadata,
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
    Index("ix_payments_booking", payments.c.booking_id, payments.c.id)
    Index(
        "ix_payments_status",
        payments.c.property_id,
        payments.c.status,
        payments.c.created_at,
        payments.c.id,
    )
    Index("ix_payments_user", payments.c.user_id, payments.c.status, payments.c.id)
    Index(
        "uq_payments_provider_ref",
        payments.c.provider,
        payments.c.provider_ref,
        unique=True,
        sqlite_where=text("provider_ref <> ''"),
        postgresql_where=text("provider_ref <> ''"),
    )

    # The property and the currency are those of the payment, which alone a refund refers to.
    refunds = Table(
        "refunds",
        metadata,
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
    Index("ix_refunds_payment", refunds.c.payment_id, refunds.c.id)
    Index(
        "uq_refunds_provider_ref",
        refunds.c.payment_id,
        refunds.c.provider_ref,
        unique=True,
        sqlite_where=text("provider_ref <> ''"),
        postgresql_where=text("provider_ref <> ''"),
    )


def _add_invoices(metadata: MetaData) -> None:
    invoices = Table(
        "invoices",
        metadata,
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
    Index("ix_invoices_booking", invoices.c.booking_id, invoices.c.id)

    # A table of its own: as a kind of invoice, the invoice that it credits would have to be empty
    # for all others.
    credit_notes = Table(
        "credit_notes",
        metadata,
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
    Index("ix_credit_notes_invoice", credit_notes.c.invoice_id, credit_notes.c.id)


def _add_waitlist(metadata: MetaData) -> None:
    waitlist = Table(
        "waitlist",
        metadata,
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
    Index("ix_waitlist_user", waitlist.c.user_id, waitlist.c.id)
    Index(
        "uq_waitlist_booking",
        waitlist.c.booking_id,
        unique=True,
        sqlite_where=text("booking_id IS NOT NULL"),
        postgresql_where=text("booking_id IS NOT NULL"),
    )
    Index(
        "ix_waitlist_status",
        waitlist.c.property_id,
        waitlist.c.status,
        waitlist.c.check_in,
        waitlist.c.id,
        waitlist.c.check_out,
    )
    Index(
        "ix_waitlist_queue",
        waitlist.c.room_type_id,
        waitlist.c.status,
        waitlist.c.id,
        waitlist.c.check_in,
        waitlist.c.check_out,
    )


def _add_notifications(metadata: MetaData) -> None:
    notifications = Table(
        "notifications",
        metadata,
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
    Index(
        "ix_notifications_due",
        notifications.c.property_id,
        notifications.c.status,
        notifications.c.scheduled_at,
        notifications.c.id,
    )
    Index(
        "ix_notifications_user",
        notifications.c.user_id,
        notifications.c.kind,
        notifications.c.status,
        notifications.c.id,
    )
