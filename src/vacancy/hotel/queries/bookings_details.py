"""One booking with everything that belongs to it."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from vacancy.contracts.contract import contract
from vacancy.db.database import Reader
from vacancy.hotel import refusals
from vacancy.hotel.model import Actor, Booking
from vacancy.hotel.queries.bookings import booking_of
from vacancy.hotel.statements import bookings_details as sql
from vacancy.hotel.statements.bookings_details import HistoryEntry, Invoice
from vacancy.hotel.statements.bookings_parts import BookingUser
from vacancy.hotel.statements.payments import RefundedPayment


class BookingDetails(Booking, frozen=True, kw_only=True):
    """A booking, who booked it, its money and its history; each list oldest first."""

    user: BookingUser
    payments: tuple[RefundedPayment, ...]
    invoices: tuple[Invoice, ...]
    history: tuple[HistoryEntry, ...] | UnsetType = UNSET
    """The audit; for staff and above."""


@contract(
    sql.GET_BOOKING_DETAILS,
    statements=1,
    rows=lambda found: 1,
    rows_in_words="one",
)
async def get_booking_details(db: Reader, booking_id: int, actor: Actor) -> BookingDetails:
    """One booking with its user, rooms, payments and refunds, invoices and credit notes, and for
    staff its history.

    Raises `Missing` BOOKING_UNKNOWN also for what the actor may not know of.
    """
    is_staff = actor.role != "guest"
    row = await db.fetch_one(
        sql.GET_BOOKING_DETAILS, booking_id=booking_id, include_history=int(is_staff)
    )
    if row is None or not actor.may_see(row.property_id, row.user_id):
        raise refusals.unknown_booking(booking_id)
    return booking_of(
        BookingDetails,
        row,
        user=row.user,
        payments=row.payments,
        invoices=row.invoices,
        history=UNSET if row.history is None else tuple(map(_in_order, row.history)),
    )


def _in_order(entry: HistoryEntry) -> HistoryEntry:
    """PostgreSQL keeps the names of a document in an order of its own; both give the alphabet's."""
    detail = msgspec.to_builtins(entry.detail, order="sorted")
    return msgspec.structs.replace(entry, detail=detail)
