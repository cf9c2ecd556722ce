"""Each of the twelve helpers beside what a careful program does without any of our layers: the same
SQL with its parameters made afresh, the rows as the statement's structs, and from them the answer
that the helper gives, through the helper's own assembling function where it has one.

What the bare side leaves out is what is to be measured: the gate, the trace, the guard, the pool,
the checks of the question.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import msgspec

from vacancy.db.database import Database
from vacancy.db.statement import Engine, Statement
from vacancy.hotel import queries
from vacancy.hotel.model import TAKES, Actor, Booking
from vacancy.hotel.queries import (
    BookingDetails,
    BookingPage,
    BookingStatistics,
    CheckedStay,
    ListedBooking,
    NightInventory,
    OccupancyRate,
    PaymentSummary,
    RoomTypeNights,
    StayCheck,
)
from vacancy.hotel.queries.availability import _shown as availability_of
from vacancy.hotel.queries.bookings import booking_of
from vacancy.hotel.queries.bookings_details import _in_order as in_order
from vacancy.hotel.queries.figures import ratio, share_minor
from vacancy.hotel.queries.statistics import StatusCount
from vacancy.hotel.statements import (
    availability,
    bookings,
    bookings_desk,
    bookings_details,
    inventory,
    occupancy,
    payments,
    statistics,
)

NIGHTS = 7
USER_PAGE = 20
DESK_PAGE = 50
CHECKS = 100
IDS = 50
_NEWEST = (1 << 63) - 1
_encode = msgspec.json.Encoder().encode


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What the questions are about."""

    property: str
    room_type: str
    night: date
    from_date: date
    to_date: date
    """A year."""
    user_id: int
    booking_ids: list[int]


class Question(msgspec.Struct, frozen=True):
    """One question, asked in both ways."""

    helper: str
    ask: Callable[[Database], Awaitable[Any]]
    statement: Statement[Any]
    params: Callable[[], dict[str, Any]]
    """As the driver takes them: dates as text on SQLite."""
    answer: Callable[[list[Any]], Any]
    """The helper's answer from the statement's rows."""


def questions(engine: Engine, sample: Sample) -> list[Question]:
    """The twelve."""
    day: Callable[[date], Any] = date.isoformat if engine == "sqlite" else lambda value: value
    return [
        *_night_questions(day, sample),
        *_availability_questions(day, sample),
        *_booking_questions(day, sample),
        *_figure_questions(day, sample),
    ]


def _night_questions(day: Callable[[date], Any], sample: Sample) -> list[Question]:
    place, kind, first = sample.property, sample.room_type, sample.night
    after = first + timedelta(days=NIGHTS)

    def nights(rows: list[inventory.RoomTypeNight]) -> RoomTypeNights:
        head = rows[0]
        return RoomTypeNights(
            place,
            head.room_type,
            head.name,
            head.price_minor,
            head.currency,
            head.max_adults,
            first,
            after,
            [
                NightInventory(
                    row.night,
                    row.capacity,
                    row.out_of_order,
                    row.sell_limit,
                    row.reserved,
                    row.held,
                    row.available,
                    row.rooms_sold,
                    row.room_revenue_minor,
                )
                for row in rows
                if row.night is not None
            ],
        )

    return [
        Question(
            "get_room_types_with_inventory",
            lambda db: queries.get_room_types_with_inventory(db, place, first),
            inventory.GET_ROOM_TYPES_WITH_INVENTORY,
            lambda: {"property": place, "night": day(first), "of_property": 0},
            lambda rows: rows,
        ),
        Question(
            "get_room_type_with_inventory",
            lambda db: queries.get_room_type_with_inventory(db, place, kind, first, after),
            inventory.GET_ROOM_TYPE_WITH_INVENTORY,
            lambda: {
                "property": place,
                "room_type": kind,
                "from_date": day(first),
                "to_date": day(after),
                "of_property": 0,
            },
            nights,
        ),
    ]


def _availability_questions(day: Callable[[date], Any], sample: Sample) -> list[Question]:
    place, kind, first = sample.property, sample.room_type, sample.night
    after = first + timedelta(days=NIGHTS)
    checks = [
        StayCheck(place, kind, first + timedelta(days=n), first + timedelta(days=n + NIGHTS))
        for n in range(CHECKS)
    ]

    def stay() -> dict[str, Any]:
        return {
            "property": place,
            "check_in": day(first),
            "check_out": day(after),
            "nights": NIGHTS,
        }

    def wanted() -> dict[str, Any]:
        asked = [
            (
                check.property,
                check.room_type,
                check.check_in,
                check.check_out,
                (check.check_out - check.check_in).days,
            )
            for check in checks
        ]
        return {"checks": _encode(asked).decode()}

    def checked(rows: list[availability.CheckedRooms]) -> list[CheckedStay]:
        by_position = {row.position: row for row in rows}
        answers = []
        for position, check in enumerate(checks):
            row = by_position[position]
            assert row.price_minor is not None
            answers.append(
                CheckedStay(
                    check.property,
                    check.room_type,
                    row.available,
                    False,  # the group's nights are past
                    row.price_minor * NIGHTS * check.rooms,
                    row.currency,
                )
            )
        return answers

    return [
        Question(
            "check_room_availability",
            lambda db: queries.check_room_availability(db, place, kind, first, after),
            availability.CHECK_ROOM_AVAILABILITY,
            lambda: {**stay(), "room_type": kind},
            lambda rows: availability_of(rows[0], 1, NIGHTS, True),
        ),
        Question(
            "get_all_room_availability",
            lambda db: queries.get_all_room_availability(db, place, first, after),
            availability.GET_ALL_ROOM_AVAILABILITY,
            stay,
            lambda rows: [availability_of(row, 1, NIGHTS, True) for row in rows],
        ),
        Question(
            "batch_check_availability",
            lambda db: queries.batch_check_availability(db, checks),
            availability.BATCH_CHECK_AVAILABILITY,
            wanted,
            checked,
        ),
    ]


def _booking_questions(day: Callable[[date], Any], sample: Sample) -> list[Question]:
    place, first, user_id = sample.property, sample.night, sample.user_id
    after = first + timedelta(days=NIGHTS)
    ids, looks_on = sample.booking_ids, Actor(0, "superadmin")

    def user_page(rows: list[bookings.ListedRow]) -> BookingPage:
        items = [booking_of(ListedBooking, row, payments=row.payments) for row in rows[:USER_PAGE]]
        return BookingPage(items, items[-1].id if len(rows) > USER_PAGE else None)

    def desk_page(rows: list[bookings_desk.DeskRow]) -> BookingPage:
        found = [row.booking for row in rows if row.booking is not None]
        items = [booking_of(ListedBooking, one, user=one.user) for one in found[:DESK_PAGE]]
        last = items[-1]
        more = len(found) > DESK_PAGE
        return BookingPage(items, f"{last.check_in}.{last.id}" if more else None)

    def details(rows: list[bookings_details.DetailsRow]) -> BookingDetails:
        row = rows[0]
        return booking_of(
            BookingDetails,
            row,
            user=row.user,
            payments=row.payments,
            invoices=row.invoices,
            history=tuple(map(in_order, row.history or ())),
        )

    def by_ids(rows: list[Any]) -> list[Booking]:
        found = {row.id: row for row in rows}
        return [booking_of(Booking, found[one]) for one in ids]

    return [
        Question(
            "get_user_bookings_with_room_type",
            lambda db: queries.get_user_bookings_with_room_type(
                db, user_id, limit=USER_PAGE, include_payments=True
            ),
            bookings.GET_USER_BOOKINGS_WITH_ROOM_TYPE,
            lambda: {
                "user_id": user_id,
                "before_id": _NEWEST,
                "property_id": 0,
                "include_payments": 1,
                "limit": USER_PAGE + 1,
            },
            user_page,
        ),
        Question(
            "get_bookings_for_date_range",
            lambda db: queries.get_bookings_for_date_range(
                db, place, first, after, include_user=True, limit=DESK_PAGE
            ),
            bookings_desk.GET_BOOKINGS_FOR_DATE_RANGE,
            lambda: {
                "property": place,
                "from_date": day(first),
                "to_date": day(after),
                "lookback": 1,
                "leaves_from": day(first),
                "leaves_by": day(date.max),
                "present_from": day(first),
                "after_date": day(date.min),
                "after_id": 0,
                "include_user": 1,
                "limit": DESK_PAGE + 1,
            },
            desk_page,
        ),
        Question(
            "get_booking_details",
            lambda db: queries.get_booking_details(db, ids[0], looks_on),
            bookings_details.GET_BOOKING_DETAILS,
            lambda: {"booking_id": ids[0], "include_history": 1},
            details,
        ),
        Question(
            "get_bookings_by_ids",
            lambda db: queries.get_bookings_by_ids(db, ids, looks_on),
            bookings.GET_BOOKINGS_BY_IDS,
            lambda: {"ids": _encode(ids).decode(), "user_id": 0, "property_id": 0},
            by_ids,
        ),
    ]


def _figure_questions(day: Callable[[date], Any], sample: Sample) -> list[Question]:
    place, from_date, to_date, user_id = (
        sample.property,
        sample.from_date,
        sample.to_date,
        sample.user_id,
    )

    def year() -> dict[str, Any]:
        return {
            "property": place,
            "from_date": day(from_date),
            "to_date": day(to_date),
            "of_property": 0,
        }

    def statistics_of(rows: list[statistics.StatusSums]) -> BookingStatistics:
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
        sold = [one for one in counts if TAKES[one.status] == "reserved"]
        revenue_minor = sum(one.value_minor for one in sold)
        sold_bookings = sum(one.bookings for one in sold)
        return BookingStatistics(
            property=place,
            room_type=None,
            from_date=from_date,
            to_date=to_date,
            bookings=sum(one.bookings for one in counts if one.status != "expired"),
            sold_bookings=sold_bookings,
            room_nights=sum(one.room_nights for one in sold),
            revenue_minor=revenue_minor,
            mean_value_minor=share_minor(revenue_minor, sold_bookings),
            currency=rows[0].currency,
            by_status=counts,
        )

    def occupancy_of(rows: list[occupancy.NightSums]) -> OccupancyRate:
        sums = rows[0]
        assert sums.currency is not None
        available = sums.capacity - sums.out_of_order
        return OccupancyRate(
            property=place,
            room_type=None,
            from_date=from_date,
            to_date=to_date,
            capacity=sums.capacity,
            out_of_order=sums.out_of_order,
            rooms_available=available,
            reserved=sums.reserved,
            rooms_sold=sums.rooms_sold,
            rooms_revenue_minor=sums.room_revenue_minor,
            occupancy=ratio(sums.rooms_sold, available),
            currency=sums.currency,
            basis="sellable",
        )

    return [
        Question(
            "get_booking_statistics",
            lambda db: queries.get_booking_statistics(db, place, from_date, to_date),
            statistics.GET_BOOKING_STATISTICS,
            year,
            statistics_of,
        ),
        Question(
            "get_occupancy_rate",
            lambda db: queries.get_occupancy_rate(db, place, from_date, to_date),
            occupancy.SUM_NIGHTS,
            year,
            occupancy_of,
        ),
        Question(
            "get_user_payment_summary",
            lambda db: queries.get_user_payment_summary(db, user_id),
            payments.GET_USER_PAYMENT_SUMMARY,
            lambda: {"user_id": user_id, "property_id": 0},
            lambda rows: PaymentSummary(str(user_id), rows),
        ),
    ]
