"""The five headline operations as they are written without care: a query for each thing, sums in
Python, a transaction for each booking. For the bench alone, which shows what the helpers save.

They answer what the helpers answer. Nothing of the server knows them: their statements are let in
by `introduce`, which only the bench and its tests call.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import msgspec

from vacancy.db.database import Database, Reader, Transaction
from vacancy.db.gate import register
from vacancy.db.statement import Statement
from vacancy.hotel.admission.decide import decide
from vacancy.hotel.admission.load import load_state
from vacancy.hotel.admission.requests import CreateBooking, Outcome
from vacancy.hotel.admission.write import rows_to_write
from vacancy.hotel.model import (
    TAKES,
    BookedRooms,
    Guest,
    NightPrice,
    Property,
    RoomType,
    Status,
    nights_of,
)
from vacancy.hotel.queries import BookingStatistics, RoomTypeInventory
from vacancy.hotel.queries.bookings import ListedBooking
from vacancy.hotel.queries.catalogue import get_property, list_room_types
from vacancy.hotel.queries.figures import share_minor
from vacancy.hotel.queries.statistics import StatusCount
from vacancy.hotel.statements.payments import Payment


class _Night(msgspec.Struct, frozen=True):
    night: date
    capacity: int
    out_of_order: int
    sell_limit: int
    reserved: int
    held: int
    available: int
    rooms_sold: int
    room_revenue_minor: int


class _Taken(msgspec.Struct, frozen=True):
    rooms: int
    status: Status


class _Booked(msgspec.Struct, frozen=True):
    id: int
    property_id: int
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


class _Stay(msgspec.Struct, frozen=True):
    room_type_id: int
    rooms: int
    adults: int
    prices_minor: tuple[int, ...]


_NIGHT = "night, capacity, out_of_order, sell_limit, reserved, held, available, rooms_sold,"
_BOOKED = (
    "id, property_id, user_id, status, check_in, check_out, guest_name, guest_email,"
    " total_minor, segment, channel, created_at, expires_at"
)

LOAD_NIGHTS = Statement(
    "naive.load_nights",
    f"SELECT {_NIGHT} room_revenue_minor FROM room_inventory WHERE room_type_id = :room_type_id",
    row=_Night,
    reads=("room_inventory",),
)
LIST_OVERLAPPING = Statement(
    "naive.list_overlapping",
    """
    SELECT s.rooms, b.status
    FROM room_stays AS s
    JOIN bookings AS b ON b.id = s.booking_id
    WHERE s.room_type_id = :room_type_id
        AND s.check_in <= :night
        AND s.check_out > :night
    """,
    row=_Taken,
    reads=("room_stays", "bookings"),
)
LIST_BOOKINGS_OF_USER = Statement(
    "naive.list_bookings_of_user",
    f"""
    SELECT {_BOOKED}
    FROM bookings
    WHERE user_id = :user_id
    ORDER BY created_at DESC, id DESC
    LIMIT :limit
    """,
    row=_Booked,
    reads=("bookings",),
)
LIST_ARRIVALS = Statement(
    "naive.list_arrivals",
    f"""
    SELECT {_BOOKED}
    FROM bookings
    WHERE property_id = :property_id
        AND check_in >= :from_date
        AND check_in < :to_date
    """,
    row=_Booked,
    reads=("bookings",),
)
LIST_STAYS = Statement(
    "naive.list_stays",
    """
    SELECT room_type_id, rooms, adults, prices_minor
    FROM room_stays
    WHERE booking_id = :booking_id
    ORDER BY line
    """,
    row=_Stay,
    reads=("room_stays",),
)
GET_ROOM_TYPE = Statement(
    "naive.get_room_type",
    "SELECT id, property_id, code, name, price_minor, max_adults FROM room_types WHERE id = :id",
    row=RoomType,
    reads=("room_types",),
)
GET_PROPERTY = Statement(
    "naive.get_property",
    """
    SELECT id, code, name, currency, time_zone, max_stay_nights
    FROM properties
    WHERE id = :id
    """,
    row=Property,
    reads=("properties",),
)
LIST_PAYMENTS = Statement(
    "naive.list_payments",
    """
    SELECT
        CAST(id AS text),
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
    row=Payment,
    reads=("payments",),
)


def introduce() -> None:
    """Lets the statements of this file run in this process."""
    register(value for value in globals().values() if isinstance(value, Statement))


async def room_types(db: Reader, property_code: str, night: date) -> list[RoomTypeInventory]:
    """A query for each room type, which loads all nights that it has; one of them is wanted."""
    place = await get_property(db, property_code)
    found = []
    for kind in await list_room_types(db, property_code):
        nights = await db.fetch_all(LOAD_NIGHTS, room_type_id=kind.id)
        of_night = [row for row in nights if row.night == night]
        numbers = msgspec.structs.astuple(of_night[0])[1:] if of_night else (0,) * 8
        found.append(
            RoomTypeInventory(kind.code, kind.name, kind.price_minor, place.currency, *numbers)
        )
    return found


async def availability(
    db: Reader, property_code: str, check_in: date, check_out: date
) -> dict[str, int]:
    """Rooms left by room type: a query for each room type and night, which looks through the
    bookings for those that stay; rooms are counted here."""
    left = {}
    for kind in await list_room_types(db, property_code):
        nights = await db.fetch_all(LOAD_NIGHTS, room_type_id=kind.id)
        rooms = []
        for night in nights_of(check_in, check_out):
            of_night = [row for row in nights if row.night == night]
            taken = await db.fetch_all(LIST_OVERLAPPING, room_type_id=kind.id, night=night)
            booked = sum(row.rooms for row in taken if TAKES[row.status])
            rooms.append(
                of_night[0].capacity - of_night[0].out_of_order + of_night[0].sell_limit - booked
                if of_night
                else 0
            )
        left[kind.code] = min(rooms)
    return left


async def user_bookings(db: Reader, user_id: int, limit: int = 20) -> list[ListedBooking]:
    """A query for the bookings, and for each of them one for its property, its rooms, the type of
    each room, and its payments."""
    found = []
    for row in await db.fetch_all(LIST_BOOKINGS_OF_USER, user_id=user_id, limit=limit):
        place = await db.fetch_one(GET_PROPERTY, id=row.property_id)
        assert place is not None
        nights = nights_of(row.check_in, row.check_out)
        rooms = []
        for stay in await db.fetch_all(LIST_STAYS, booking_id=row.id):
            kind = await db.fetch_one(GET_ROOM_TYPE, id=stay.room_type_id)
            assert kind is not None
            prices = tuple(map(NightPrice, nights, stay.prices_minor))
            rooms.append(BookedRooms(kind.code, stay.rooms, stay.adults, prices))
        found.append(
            ListedBooking(
                id=str(row.id),
                status=row.status,
                property=place.code,
                user_id=str(row.user_id),
                check_in=row.check_in,
                check_out=row.check_out,
                rooms=tuple(rooms),
                guest=Guest(row.guest_name, row.guest_email),
                total_minor=row.total_minor,
                currency=place.currency,
                segment=row.segment,
                channel=row.channel,
                created_at=row.created_at,
                expires_at=row.expires_at if row.status == "provisional" else None,
                payments=tuple(await db.fetch_all(LIST_PAYMENTS, booking_id=row.id)),
            )
        )
    return found


async def report(
    db: Reader, property_code: str, from_date: date, to_date: date
) -> BookingStatistics:
    """Fetches every booking that arrives, asks for the rooms of each, and sums here."""
    place = await get_property(db, property_code)
    sums: dict[Status, list[int]] = {}
    arrivals = await db.fetch_all(
        LIST_ARRIVALS, property_id=place.id, from_date=from_date, to_date=to_date
    )
    for row in arrivals:
        counted = sums.setdefault(row.status, [0, 0, 0])
        counted[0] += 1
        for stay in await db.fetch_all(LIST_STAYS, booking_id=row.id):
            counted[1] += stay.rooms * len(stay.prices_minor)
            counted[2] += stay.rooms * sum(stay.prices_minor)
    sold = [counted for status, counted in sums.items() if TAKES[status] == "reserved"]
    bookings, revenue_minor = sum(one[0] for one in sold), sum(one[2] for one in sold)
    return BookingStatistics(
        property=place.code,
        room_type=None,
        from_date=from_date,
        to_date=to_date,
        bookings=sum(counted[0] for status, counted in sums.items() if status != "expired"),
        sold_bookings=bookings,
        room_nights=sum(one[1] for one in sold),
        revenue_minor=revenue_minor,
        mean_value_minor=share_minor(revenue_minor, bookings),
        currency=place.currency,
        by_status=tuple(
            StatusCount(
                status=status,
                bookings=counted[0],
                room_nights=counted[1],
                value_minor=counted[2],
            )
            for status, counted in sorted(sums.items())
        ),
    )


async def create_booking(
    db: Database, request: CreateBooking, next_id: Callable[[], int]
) -> Outcome:
    """A transaction for one booking, which holds its locks while it writes row after row with a
    statement each."""

    async def unit(tx: Transaction) -> Outcome:
        state = await load_state(tx, [request])
        outcomes, changes = decide(state, [request], next_id)
        for statement, rows in rows_to_write(changes):
            for row in rows:
                await tx.execute_set(statement, [row])
        return outcomes[0]

    return await db.transact(unit)
