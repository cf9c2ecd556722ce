"""A report from its bookings, summed in Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

import msgspec

from vacancy.db.database import Reader
from vacancy.db.statement import Statement
from vacancy.hotel.model import TAKES, Property, Status, nights_of
from vacancy.hotel.naive_availability import LIST_INVENTORY_BETWEEN
from vacancy.hotel.queries import (
    BookingStatistics,
    OccupancyRate,
    get_property,
    list_room_types,
)
from vacancy.hotel.queries.figures import ratio, share_minor
from vacancy.hotel.queries.statistics import StatusCount


class BookedLine(msgspec.Struct, frozen=True):
    """One line of a booking, beside the booking."""

    booking_id: int
    status: Status
    check_in: date
    check_out: date
    rooms: int
    prices_minor: tuple[int, ...]


# The lines come with their bookings, which is kinder than the usual loop: a question for each
# booking would be tens of thousands for a year of one hotel.
LIST_BOOKINGS_WITH_LINES = Statement(
    "naive.list_bookings_with_lines",
    """
    SELECT
        b.id,
        b.status,
        b.check_in,
        b.check_out,
        s.rooms,
        s.prices_minor
    FROM bookings AS b
    JOIN room_stays AS s ON s.booking_id = b.id
    WHERE b.property_id = :property_id
        AND b.check_in < :to_date
        AND (b.check_out > :from_date OR b.check_in >= :from_date)
    """,
    row=BookedLine,
    reads=("bookings", "room_stays"),
)

STATEMENTS = (LIST_BOOKINGS_WITH_LINES,)


async def get_report(
    db: Reader, property_code: str, from_date: date, to_date: date
) -> tuple[BookingStatistics, OccupancyRate]:
    """What `get_booking_statistics` and `get_occupancy_rate` answer for a whole property: every
    booking of the period is loaded, with its lines. Raises `Missing` PROPERTY_UNKNOWN."""
    place = await get_property(db, property_code)
    lines = await db.fetch_all(
        LIST_BOOKINGS_WITH_LINES, property_id=place.id, from_date=from_date, to_date=to_date
    )
    capacity = out_of_order = 0
    for kind in await list_room_types(db, property_code):
        for row in await db.fetch_all(
            LIST_INVENTORY_BETWEEN,
            property_id=place.id,
            room_type_id=kind.id,
            from_date=from_date,
            to_date=to_date,
        ):
            capacity += row.capacity
            out_of_order += row.out_of_order
    statistics = _statistics(place, from_date, to_date, lines)
    return statistics, _occupancy(place, from_date, to_date, lines, capacity, out_of_order)


def _statistics(
    place: Property, from_date: date, to_date: date, lines: Iterable[BookedLine]
) -> BookingStatistics:
    bookings: defaultdict[Status, set[int]] = defaultdict(set)
    room_nights: defaultdict[Status, int] = defaultdict(int)
    value_minor: defaultdict[Status, int] = defaultdict(int)
    for line in lines:
        if line.check_in >= from_date:
            bookings[line.status].add(line.booking_id)
            room_nights[line.status] += line.rooms * len(line.prices_minor)
            value_minor[line.status] += line.rooms * sum(line.prices_minor)
    sold = [status for status in bookings if TAKES[status] == "reserved"]
    revenue_minor = sum(value_minor[status] for status in sold)
    sold_bookings = sum(len(bookings[status]) for status in sold)
    return BookingStatistics(
        property=place.code,
        room_type=None,
        from_date=from_date,
        to_date=to_date,
        bookings=sum(len(ids) for status, ids in bookings.items() if status != "expired"),
        sold_bookings=sold_bookings,
        room_nights=sum(room_nights[status] for status in sold),
        revenue_minor=revenue_minor,
        mean_value_minor=share_minor(revenue_minor, sold_bookings),
        currency=place.currency,
        by_status=tuple(
            StatusCount(
                status=status,
                bookings=len(bookings[status]),
                room_nights=room_nights[status],
                value_minor=value_minor[status],
            )
            for status in sorted(bookings)
        ),
    )


def _occupancy(
    place: Property,
    from_date: date,
    to_date: date,
    lines: Iterable[BookedLine],
    capacity: int,
    out_of_order: int,
) -> OccupancyRate:
    reserved = rooms_sold = revenue_minor = 0
    for line in lines:
        if TAKES[line.status] != "reserved":
            continue
        nights = nights_of(line.check_in, line.check_out)
        for night, price_minor in zip(nights, line.prices_minor, strict=True):
            if from_date <= night < to_date:
                reserved += line.rooms
                if price_minor:
                    rooms_sold += line.rooms
                    revenue_minor += line.rooms * price_minor
    available = capacity - out_of_order
    return OccupancyRate(
        property=place.code,
        room_type=None,
        from_date=from_date,
        to_date=to_date,
        capacity=capacity,
        out_of_order=out_of_order,
        rooms_available=available,
        reserved=reserved,
        rooms_sold=rooms_sold,
        rooms_revenue_minor=revenue_minor,
        occupancy=ratio(rooms_sold, available),
        currency=place.currency,
        basis="sellable",
    )
