"""A user's bookings, and what belongs to each of them, one question after the other."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from vacancy.db.database import Reader
from vacancy.db.statement import Statement
from vacancy.hotel.model import BookedRooms, Guest, NightPrice, Status, nights_of
from vacancy.hotel.queries import BookingPage, ListedBooking
from vacancy.hotel.statements.payments import Payment, PaymentMethod, PaymentStatus


class UserBooking(msgspec.Struct, frozen=True):
    """A booking beside its property."""

    id: int
    property: str
    currency: str
    user_id: int
    status: Status
    check_in: date
    check_out: date
    guest_name: str
    guest_email: str
    total_minor: int
    segment: str
    channel: str
    created_at: datetime
    expires_at: datetime | None


LIST_USER_BOOKINGS = Statement(
    "naive.list_user_bookings",
    """
    SELECT
        b.id,
        p.code,
        p.currency,
        b.user_id,
        b.status,
        b.check_in,
        b.check_out,
        b.guest_name,
        b.guest_email,
        b.total_minor,
        b.segment,
        b.channel,
        b.created_at,
        b.expires_at
    FROM bookings AS b
    JOIN properties AS p ON p.id = b.property_id
    WHERE b.user_id = :user_id
    ORDER BY b.created_at DESC, b.id DESC
    LIMIT :limit
    """,
    row=UserBooking,
    reads=("bookings", "properties"),
)


class Stay(msgspec.Struct, frozen=True):
    """So many rooms of one type."""

    room_type_id: int
    rooms: int
    adults: int
    prices_minor: tuple[int, ...]


LIST_STAYS = Statement(
    "naive.list_stays",
    """
    SELECT
        room_type_id,
        rooms,
        adults,
        prices_minor
    FROM room_stays
    WHERE booking_id = :booking_id
    ORDER BY line
    """,
    row=Stay,
    reads=("room_stays",),
)


class RoomTypeCode(msgspec.Struct, frozen=True):
    code: str


GET_ROOM_TYPE = Statement(
    "naive.get_room_type",
    "SELECT code FROM room_types WHERE id = :room_type_id",
    row=RoomTypeCode,
    reads=("room_types",),
)


class PaymentRow(msgspec.Struct, frozen=True):
    """A payment of one booking."""

    id: int
    status: PaymentStatus
    method: PaymentMethod
    amount_minor: int
    refunded_minor: int
    currency: str
    created_at: datetime


LIST_PAYMENTS = Statement(
    "naive.list_payments",
    """
    SELECT
        id,
        status,
        method,
        amount_minor,
        refunded_minor,
        currency,
        created_at
    FROM payments
    WHERE booking_id = :booking_id
    ORDER BY id
    """,
    row=PaymentRow,
    reads=("payments",),
)

STATEMENTS = (LIST_USER_BOOKINGS, LIST_STAYS, GET_ROOM_TYPE, LIST_PAYMENTS)


async def get_user_bookings_with_room_type(
    db: Reader, user_id: int, *, limit: int = 20
) -> BookingPage:
    """As the helper of this name with `include_payments`, its first page: the bookings, then for
    each its lines, for each line its room type, and the booking's payments."""
    found = await db.fetch_all(LIST_USER_BOOKINGS, user_id=user_id, limit=limit + 1)
    items = [await _with_relations(db, booking) for booking in found[:limit]]
    return BookingPage(items, items[-1].id if len(found) > limit else None)


async def _with_relations(db: Reader, booking: UserBooking) -> ListedBooking:
    nights = nights_of(booking.check_in, booking.check_out)
    rooms = []
    for stay in await db.fetch_all(LIST_STAYS, booking_id=booking.id):
        kind = await db.fetch_one(GET_ROOM_TYPE, room_type_id=stay.room_type_id)
        assert kind is not None
        prices = tuple(map(NightPrice, nights, stay.prices_minor))
        rooms.append(BookedRooms(kind.code, stay.rooms, stay.adults, prices))
    payments = [
        Payment(
            id=str(row.id),
            status=row.status,
            method=row.method,
            amount_minor=row.amount_minor,
            refunded_minor=row.refunded_minor,
            currency=row.currency,
            created_at=row.created_at,
        )
        for row in await db.fetch_all(LIST_PAYMENTS, booking_id=booking.id)
    ]
    return ListedBooking(
        id=str(booking.id),
        status=booking.status,
        property=booking.property,
        user_id=str(booking.user_id),
        check_in=booking.check_in,
        check_out=booking.check_out,
        rooms=tuple(rooms),
        guest=Guest(booking.guest_name, booking.guest_email),
        total_minor=booking.total_minor,
        currency=booking.currency,
        segment=booking.segment,
        channel=booking.channel,
        created_at=booking.created_at,
        expires_at=booking.expires_at if booking.status == "provisional" else None,
        payments=tuple(payments),
    )
