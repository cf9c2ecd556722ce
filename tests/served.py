"""Which statement each index is for: the list that docs/indexes.md tells in words.

Statements that no helper has yet stand here as text, under the name that they will have.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from vacancy.db.statement import NoRow, Statement
from vacancy.hotel.statements import (
    availability,
    bookings,
    bookings_desk,
    bookings_details,
    payments,
    upkeep,
)

Fault = Literal["scans", "sorts"]


class Served(msgspec.Struct, frozen=True):
    """A statement and the index that must be able to serve it."""

    index: str
    statement: Statement[Any]
    may: tuple[Fault, ...] = ()
    """What is no fault of it: to sort the few rows of one user, to look at every property."""


def _text(index: str, name: str, sql: str, *may: Fault) -> Served:
    return Served(index, Statement(name, sql, row=NoRow), may)


SERVED = (
    Served("ix_bookings_user", bookings.GET_USER_BOOKINGS_WITH_ROOM_TYPE),
    Served("ix_bookings_user_status", bookings.GET_USER_BOOKINGS_OF_STATUS),
    Served("ix_bookings_due", upkeep.LIST_DUE, ("scans", "sorts")),
    Served("pk_room_inventory", availability.CHECK_ROOM_AVAILABILITY),
    Served("ix_bookings_arrival", bookings_desk.GET_BOOKINGS_FOR_DATE_RANGE, ("sorts",)),
    Served("ix_bookings_arrival", bookings_desk.GET_BOOKINGS_FOR_DATE_RANGE_OF_STATUS, ("sorts",)),
    Served(
        "ix_room_stays_room_type",
        bookings_desk.GET_BOOKINGS_FOR_DATE_RANGE_OF_ROOM_TYPE,
        ("sorts",),
    ),
    Served("ix_payments_booking", bookings_details.GET_BOOKING_DETAILS),
    Served("ix_refunds_payment", bookings_details.GET_BOOKING_DETAILS),
    Served("ix_invoices_booking", bookings_details.GET_BOOKING_DETAILS),
    Served("ix_credit_notes_invoice", bookings_details.GET_BOOKING_DETAILS),
    Served("ix_audit_entries_subject", bookings_details.GET_BOOKING_DETAILS),
    _text(
        "ix_payments_status",
        "payments.list_payments",
        """
        SELECT
            id,
            booking_id,
            amount_minor,
            created_at
        FROM payments
        WHERE property_id = :property_id
            AND status = :status
            AND (created_at, id) < (:before_at, :before_id)
        ORDER BY created_at DESC, id DESC
        LIMIT :limit
        """,
    ),
    _text(
        "ix_payments_user",
        "payments.get_user_payments_of_status",
        """
        SELECT
            id,
            booking_id,
            amount_minor,
            created_at
        FROM payments
        WHERE user_id = :user_id
            AND status = :status
            AND id < :before_id
        ORDER BY id DESC
        LIMIT :limit
        """,
    ),
    Served("ix_payments_user", payments.GET_USER_PAYMENT_SUMMARY, ("sorts",)),
    _text(
        "ix_waitlist_status",
        "waitlist.list_entries",
        """
        SELECT
            id,
            room_type_id,
            user_id,
            check_in,
            check_out,
            rooms
        FROM waitlist
        WHERE property_id = :property_id
            AND status = :status
            AND check_in >= :earliest
            AND check_in < :to_date
            AND (check_in, id) > (:after_check_in, :after_id)
            AND check_out > :from_date
        ORDER BY check_in, id
        LIMIT :limit
        """,
    ),
    _text(
        "ix_waitlist_queue",
        "waitlist.get_queue",
        """
        SELECT
            id,
            user_id,
            check_in,
            check_out,
            rooms
        FROM waitlist
        WHERE room_type_id = :room_type_id
            AND status = 'active'
            AND id > :after_id
            AND check_in < :to_date
            AND check_out > :from_date
        ORDER BY id
        LIMIT :limit
        """,
    ),
    _text(
        "ix_waitlist_user",
        "waitlist.get_user_entries",
        """
        SELECT
            id,
            status,
            check_in
        FROM waitlist
        WHERE user_id = :user_id
            AND id < :before_id
        ORDER BY id DESC
        LIMIT :limit
        """,
    ),
    _text(
        "uq_waitlist_booking",
        "waitlist.find_entry_of_booking",
        "SELECT id, status FROM waitlist WHERE booking_id = :booking_id",
    ),
    _text(
        "ix_notifications_due",
        "notifications.list_due",
        """
        SELECT
            id,
            kind,
            channel,
            recipient
        FROM notifications
        WHERE property_id = :property_id
            AND status = 'queued'
            AND scheduled_at <= :now
        ORDER BY scheduled_at, id
        LIMIT :limit
        """,
    ),
    _text(
        "ix_notifications_user",
        "notifications.get_user_notifications",
        """
        SELECT
            id,
            subject_id,
            scheduled_at
        FROM notifications
        WHERE user_id = :user_id
            AND kind = :kind
            AND status = :status
            AND id < :before_id
        ORDER BY id DESC
        LIMIT :limit
        """,
    ),
)
