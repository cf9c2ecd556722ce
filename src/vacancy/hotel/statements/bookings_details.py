"""One booking with all that belongs to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from vacancy.db.statement import Access, Engine, Statement
from vacancy.hotel.statements.bookings_parts import (
    BookingRow,
    BookingUser,
    booking_columns,
    columns,
    json_in,
    json_list,
    json_object,
    user_object,
    with_property,
)
from vacancy.hotel.statements.payments import RefundedPayment, refunded_payments_of_booking


class CreditNote(msgspec.Struct, frozen=True, kw_only=True):
    """What an invoice was corrected by."""

    id: str
    number: int
    """Unique in its property, as an invoice's is."""
    total_minor: int
    reason: str
    issued_at: datetime


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """What was billed for a booking; its lines are the invoice's own affair."""

    id: str
    number: int
    billed_to: str
    total_minor: int
    credited_minor: int
    currency: str
    issued_at: datetime
    credit_notes: tuple[CreditNote, ...]


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to the booking."""

    action: str
    actor_id: str | None
    """A user; null where the house did it by itself."""
    detail: dict[str, Any]
    at: datetime


class DetailsRow(BookingRow, frozen=True, array_like=True):
    """A booking and all that belongs to it."""

    user: BookingUser
    payments: tuple[RefundedPayment, ...]
    invoices: tuple[Invoice, ...]
    history: tuple[HistoryEntry, ...] | None


_CREDIT_NOTE = {
    "id": "CAST(c.id AS text)",
    "number": "c.number",
    "total_minor": "c.total_minor",
    "reason": "c.reason",
    "issued_at": "c.issued_at",
}
_INVOICE = {
    "id": "CAST(i.id AS text)",
    "number": "i.number",
    "billed_to": "i.billed_to",
    "total_minor": "i.total_minor",
    "credited_minor": "i.credited_minor",
    "currency": "i.currency",
    "issued_at": "i.issued_at",
}


def _invoices(engine: Engine) -> str:
    credit_notes = json_list(
        engine,
        json_object(engine, _CREDIT_NOTE),
        "credit_notes AS c WHERE c.invoice_id = i.id",
        "c.id",
    )
    invoice = json_object(engine, {**_INVOICE, "credit_notes": json_in(engine, credit_notes)})
    return json_list(engine, invoice, "invoices AS i WHERE i.booking_id = b.id", "i.id")


def _history(engine: Engine) -> str:
    entry = {
        "action": "a.action",
        "actor_id": "CAST(NULLIF(a.actor_id, 0) AS text)",
        "detail": json_in(engine, "a.detail"),
        "at": "a.at",
    }
    source = "audit_entries AS a WHERE a.subject_id = b.id"
    entries = json_list(engine, json_object(engine, entry), source, "a.entry")
    return f"CASE WHEN :include_history = 1 THEN {entries} END"


def _booking_details(engine: Engine) -> str:
    parts = (
        user_object(engine),
        refunded_payments_of_booking(engine),
        _invoices(engine),
        _history(engine),
    )
    return f"""
    SELECT{columns(*booking_columns(engine), *parts)}
    FROM bookings AS b
    {with_property(engine)}
    WHERE b.id = :booking_id
    """


GET_BOOKING_DETAILS = Statement(
    "bookings.get_booking_details",
    _booking_details("sqlite"),
    postgresql=_booking_details("postgresql"),
    row=DetailsRow,
    reads=(
        "audit_entries",
        "bookings",
        "credit_notes",
        "invoices",
        "payments",
        "properties",
        "refunds",
        "room_stays",
        "room_types",
        "users",
    ),
    access=Access(
        served_by={
            "audit_entries": "ix_audit_entries_subject (subject_id)",
            "bookings": "pk_bookings (id)",
            "credit_notes": "ix_credit_notes_invoice (invoice_id)",
            "invoices": "ix_invoices_booking (booking_id)",
            "payments": "ix_payments_booking (booking_id)",
            "properties": "pk_properties (id)",
            "refunds": "ix_refunds_payment (payment_id)",
            "room_stays": "pk_room_stays (booking_id)",
            "room_types": "pk_room_types (id)",
            "users": "pk_users (id)",
        }
    ),
)
