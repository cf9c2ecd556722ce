"""How many bookings arrive in a period, in which statuses, and what they come to."""

from __future__ import annotations

from datetime import date

import msgspec

from vacancy.contracts.contract import contract
from vacancy.db.database import Reader
from vacancy.hotel import refusals
from vacancy.hotel.model import TAKES, Actor, Status
from vacancy.hotel.queries.figures import check_period, share_minor
from vacancy.hotel.queries.inventory import not_to_be_seen, only_property
from vacancy.hotel.statements import statistics as sql

MAX_DAYS = 3_660
"""The longest period: ten years."""


class StatusCount(msgspec.Struct, frozen=True, kw_only=True):
    """The bookings of one status."""

    status: Status
    bookings: int
    room_nights: int
    """Rooms times nights."""
    value_minor: int


class BookingStatistics(
    msgspec.Struct, frozen=True, kw_only=True, rename={"from_date": "from", "to_date": "to"}
):
    """Bookings by arrival in `[from, to)`; of one room type, only what it is booked for.

    Holds that ended by themselves stand under `expired` and are in no sum.
    """

    property: str
    room_type: str | None
    from_date: date
    to_date: date
    """Exclusive."""
    bookings: int
    """Of every status but `expired`; cancelled ones and no-shows too."""
    sold_bookings: int
    """Those that take rooms for good: confirmed, checked in, checked out."""
    room_nights: int
    """Of those sold."""
    revenue_minor: int
    """Of those sold; all their nights, also those after the period."""
    mean_value_minor: int | None
    """Revenue by booking sold, halves to even; null without any."""
    currency: str
    by_status: tuple[StatusCount, ...]
    """By status; those without bookings are left out."""


@contract(
    sql.GET_BOOKING_STATISTICS,
    sql.GET_ROOM_TYPE_STATISTICS,
    statements=1,
    rows=lambda _: len(TAKES),
    rows_in_words="one for each status there is",
)
async def get_booking_statistics(
    db: Reader,
    property_code: str,
    from_date: date,
    to_date: date,
    room_type: str | None = None,
    *,
    actor: Actor | None = None,
) -> BookingStatistics:
    """Counts, revenue and mean value, by status, summed in the database from counts that are kept
    with every booking.

    A booking of several room types counts once for the property and once for each of its types.
    An actor who is bound to a property sees no other. Raises `Missing` PROPERTY_UNKNOWN,
    ROOM_TYPE_UNKNOWN, `Forbidden` PROPERTY_NOT_YOURS, `Invalid` PERIOD_INVALID, PERIOD_TOO_LONG.
    """
    check_period(from_date, to_date, MAX_DAYS)
    period = {
        "property": property_code,
        "from_date": from_date,
        "to_date": to_date,
        "of_property": only_property(actor),
    }
    if room_type is None:
        rows = await db.fetch_all(sql.GET_BOOKING_STATISTICS, **period)
    else:
        of_type = sql.GET_ROOM_TYPE_STATISTICS
        rows = await db.fetch_all(of_type, room_type=room_type, **period)
    if not rows:
        raise await not_to_be_seen(db, property_code)
    if rows[0].room_type_id is None:
        assert room_type is not None
        raise refusals.unknown_room_type(property_code, room_type)
    counts = tuple(
        StatusCount(
            status=row.status,
            bookings=row.bookings,
            room_nights=row.room_nights,
            value_minor=row.value_minor,
        )
        for row in rows
        if row.status is not None and row.bookings
    )
    sold = [count for count in counts if TAKES[count.status] == "reserved"]
    revenue_minor = sum(count.value_minor for count in sold)
    sold_bookings = sum(count.bookings for count in sold)
    return BookingStatistics(
        property=property_code,
        room_type=room_type,
        from_date=from_date,
        to_date=to_date,
        bookings=sum(count.bookings for count in counts if count.status != "expired"),
        sold_bookings=sold_bookings,
        room_nights=sum(count.room_nights for count in sold),
        revenue_minor=revenue_minor,
        mean_value_minor=share_minor(revenue_minor, sold_bookings),
        currency=rows[0].currency,
        by_status=counts,
    )
