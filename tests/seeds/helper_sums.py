"""Helpers that fetch more than they answer, and sum it up or cut it in Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import msgspec

from tests.seeds.seed import HelperFault
from vacancy.db.database import Database
from vacancy.hotel import queries
from vacancy.hotel.model import TAKES
from vacancy.hotel.queries import (
    Availability,
    BookingPage,
    BookingStatistics,
    ListedBooking,
    OccupancyRate,
    PaymentSummary,
    RoomTypeNights,
)
from vacancy.hotel.queries.bookings import booking_of
from vacancy.hotel.queries.figures import ratio, share_minor
from vacancy.hotel.queries.statistics import StatusCount
from vacancy.hotel.statements.bookings import GET_USER_BOOKINGS_WITH_ROOM_TYPE
from vacancy.hotel.statements.bookings_desk import GET_BOOKINGS_FOR_DATE_RANGE
from vacancy.hotel.statements.payments import PaymentTotals

# The real ones, by names that no fault takes their place under.
_all_rooms = queries.get_all_room_availability
_get_property = queries.get_property
_nights_of_type = queries.get_room_type_with_inventory
_room_types = queries.list_room_types

_ALL = 100_000
_LAST_ID = (1 << 63) - 1


async def _all_of_user(db: Database, user_id: int) -> list[ListedBooking]:
    rows = await db.fetch_all(
        GET_USER_BOOKINGS_WITH_ROOM_TYPE,
        user_id=user_id,
        before_id=_LAST_ID,
        property_id=0,
        include_payments=1,
        limit=_ALL,
    )
    return [booking_of(ListedBooking, row, payments=row.payments or ()) for row in rows]


async def _all_at_desk(
    db: Database, property_code: str, from_date: date, to_date: date
) -> list[ListedBooking]:
    rows = await db.fetch_all(
        GET_BOOKINGS_FOR_DATE_RANGE,
        property=property_code,
        from_date=from_date,
        to_date=to_date,
        lookback=1,
        leaves_from=from_date,
        leaves_by=date.max,
        present_from=from_date,
        after_date=date.min,
        after_id=0,
        include_user=1,
        limit=_ALL,
    )
    return [booking_of(ListedBooking, row.booking, user=row.booking.user) for row in rows
            if row.booking is not None and row.booking.user is not None]  # fmt: skip


# Sums that the database should make.


async def _occupancy_over_nights(
    db: Database, property_code: str, from_date: date, to_date: date, room_type: str | None = None
) -> OccupancyRate:
    place = await _get_property(db, property_code)
    kinds = [room_type] if room_type else [k.code for k in await _room_types(db, property_code)]
    nights = [
        night
        for kind in kinds
        for night in (await _nights_of_type(db, property_code, kind, from_date, to_date)).nights
    ]
    capacity = sum(night.capacity for night in nights)
    out_of_order = sum(night.out_of_order for night in nights)
    sold = sum(night.rooms_sold for night in nights)
    return OccupancyRate(
        property=property_code,
        room_type=room_type,
        from_date=from_date,
        to_date=to_date,
        capacity=capacity,
        out_of_order=out_of_order,
        rooms_available=capacity - out_of_order,
        reserved=sum(night.reserved for night in nights),
        rooms_sold=sold,
        rooms_revenue_minor=sum(night.room_revenue_minor for night in nights),
        occupancy=ratio(sold, capacity - out_of_order),
        currency=place.currency,
        basis="sellable",
    )


async def _payments_added_up(db: Database, user_id: int) -> PaymentSummary:
    sums: defaultdict[tuple[Any, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for booking in await _all_of_user(db, user_id):
        for payment in booking.payments or ():
            sum_of = sums[payment.status, payment.currency]
            sum_of[0] += 1
            sum_of[1] += payment.amount_minor
            sum_of[2] += payment.refunded_minor
    return PaymentSummary(
        str(user_id), [PaymentTotals(*key, *sums_of) for key, sums_of in sorted(sums.items())]
    )


async def _statistics_over_bookings(
    db: Database, property_code: str, from_date: date, to_date: date, room_type: str | None = None
) -> BookingStatistics:
    bookings, nights, value_minor = Counter[Any](), Counter[Any](), Counter[Any]()
    currency = ""
    for booking in await _all_at_desk(db, property_code, from_date, to_date):
        rooms = [line for line in booking.rooms if room_type in (None, line.room_type)]
        currency = booking.currency
        if not rooms or booking.check_in < from_date:
            continue
        bookings[booking.status] += 1
        nights[booking.status] += sum(line.count * len(line.nights) for line in rooms)
        value_minor[booking.status] += sum(
            line.count * night.price_minor for line in rooms for night in line.nights
        )
    sold = [status for status in bookings if TAKES[status] == "reserved"]
    revenue_minor, sold_bookings = (
        sum(of[status] for status in sold) for of in (value_minor, bookings)
    )
    return BookingStatistics(
        property=property_code,
        room_type=room_type,
        from_date=from_date,
        to_date=to_date,
        bookings=bookings.total() - bookings["expired"],
        sold_bookings=sold_bookings,
        room_nights=sum(nights[status] for status in sold),
        revenue_minor=revenue_minor,
        mean_value_minor=share_minor(revenue_minor, sold_bookings),
        currency=currency,
        by_status=tuple(
            StatusCount(
                status=status,
                bookings=bookings[status],
                room_nights=nights[status],
                value_minor=value_minor[status],
            )
            for status in sorted(bookings)
        ),
    )


# Pages that the database should cut.


async def _user_bookings_cut(
    db: Database,
    user_id: int,
    *,
    limit: int = 20,
    status: str | None = None,
    include_payments: bool = False,
) -> BookingPage:
    found = [one for one in await _all_of_user(db, user_id) if status in (None, one.status)]
    if not include_payments:
        found = [msgspec.structs.replace(one, payments=msgspec.UNSET) for one in found]
    return _page(found, limit, lambda last: last.id)


async def _desk_cut(
    db: Database,
    property_code: str,
    from_date: date,
    to_date: date,
    *,
    limit: int = 50,
    status: str | None = None,
    room_type: str | None = None,
    include_user: bool = False,
) -> BookingPage:
    found = [
        one if include_user else msgspec.structs.replace(one, user=msgspec.UNSET)
        for one in await _all_at_desk(db, property_code, from_date, to_date)
        if status in (None, one.status)
        and (room_type is None or any(line.room_type == room_type for line in one.rooms))
    ]
    return _page(found, limit, lambda last: f"{last.check_in}.{last.id}")


def _page(
    found: list[ListedBooking], limit: int, cursor: Callable[[ListedBooking], str]
) -> BookingPage:
    items = found[:limit]
    return BookingPage(items, cursor(items[-1]) if len(found) > limit else None)


async def _one_room_of_all(
    db: Database,
    property_code: str,
    room_type: str,
    check_in: date,
    check_out: date,
    rooms: int = 1,
) -> Availability:
    found = await _all_rooms(db, property_code, check_in, check_out, rooms)
    return next(one for one in found if one.room_type == room_type)


async def _nights_of_a_year(
    db: Database, property_code: str, room_type: str, from_date: date, to_date: date
) -> RoomTypeNights:
    year = (from_date, from_date + timedelta(days=366))
    found = await _nights_of_type(db, property_code, room_type, *year)
    return msgspec.structs.replace(
        found, to_date=to_date, nights=[night for night in found.nights if night.night < to_date]
    )


SUM_FAULTS: tuple[HelperFault, ...] = (
    HelperFault(
        name="occupancy-over-nights",
        family="sum in Python",
        why="A year of fifty room types is 18,250 rows for one number.",
        at="get_occupancy_rate",
        expects=("ROWS_OVER", "STATEMENTS_GROW"),
        faulty=_occupancy_over_nights,
    ),
    HelperFault(
        name="payments-added-up",
        family="sum in Python",
        why="An agency's whole history is fetched to show three sums.",
        at="get_user_payment_summary",
        expects=("ROWS_OVER",),
        faulty=_payments_added_up,
    ),
    HelperFault(
        name="statistics-over-bookings",
        family="sum in Python",
        why="A year's numbers fetch a year's bookings, each with its lines.",
        at="get_booking_statistics",
        expects=("ROWS_OVER",),
        faulty=_statistics_over_bookings,
    ),
    HelperFault(
        name="user-bookings-cut-in-python",
        family="cut in Python",
        why="To show twenty bookings, all that the user ever made are fetched.",
        at="get_user_bookings_with_room_type",
        expects=("ROWS_OVER",),
        faulty=_user_bookings_cut,
    ),
    HelperFault(
        name="desk-cut-in-python",
        family="cut in Python",
        why="To show fifty bookings, all of the range are fetched.",
        at="get_bookings_for_date_range",
        expects=("ROWS_OVER",),
        faulty=_desk_cut,
    ),
    HelperFault(
        name="one-room-type-of-all",
        family="cut in Python",
        why="Each look at one room type computes and fetches all of the hotel.",
        at="check_room_availability",
        expects=("ROWS_OVER",),
        faulty=_one_room_of_all,
    ),
    HelperFault(
        name="nights-of-a-year",
        family="cut in Python",
        why="To show a weekend, a year of nights is fetched.",
        at="get_room_type_with_inventory",
        expects=("ROWS_OVER",),
        faulty=_nights_of_a_year,
    ),
)
