"""Helpers that ask one by one, or part by part, what one statement answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from tests.seeds.seed import HelperFault, Kind
from vacancy.db.database import Database
from vacancy.hotel import queries
from vacancy.hotel.model import Actor, Booking
from vacancy.hotel.queries import (
    Availability,
    BookingPage,
    CheckedStay,
    KpiReport,
    RoomTypeInventory,
    StayCheck,
)
from vacancy.hotel.queries.reports import MonthKpi
from vacancy.hotel.statements.bookings_parts import BookingUser

# The real ones, by names that no fault takes their place under.
_all_rooms = queries.get_all_room_availability
_batch = queries.batch_check_availability
_by_ids = queries.get_bookings_by_ids
_check = queries.check_room_availability
_desk = queries.get_bookings_for_date_range
_details = queries.get_booking_details
_kpi = queries.get_kpi_report
_night_of_types = queries.get_room_types_with_inventory
_nights_of_type = queries.get_room_type_with_inventory
_property_of = queries.find_booking_property
_room_types = queries.list_room_types
_user = queries.get_user
_user_bookings = queries.get_user_bookings_with_room_type

_HOUSE = Actor(0, "superadmin")
_PART = 100
"""So many at once, where somebody thought that more are never asked for."""


async def _rooms_type_by_type(
    db: Database, property_code: str, check_in: date, check_out: date, rooms: int = 1
) -> list[Availability]:
    kinds = await _room_types(db, property_code)
    return [
        await _check(db, property_code, kind.code, check_in, check_out, rooms) for kind in kinds
    ]


async def _rooms_side_by_side(
    db: Database, property_code: str, check_in: date, check_out: date, rooms: int = 1
) -> list[Availability]:
    kinds = await _room_types(db, property_code)
    found = []
    for first in range(0, len(kinds), 4):
        found += await asyncio.gather(
            *(
                _check(db, property_code, kind.code, check_in, check_out, rooms)
                for kind in kinds[first : first + 4]
            )
        )
    return found


async def _room_night_by_night(
    db: Database,
    property_code: str,
    room_type: str,
    check_in: date,
    check_out: date,
    rooms: int = 1,
) -> Availability:
    nights = [
        await _check(db, property_code, room_type, night, night + timedelta(days=1), rooms)
        for night in (check_in + timedelta(days=n) for n in range((check_out - check_in).days))
    ]
    return msgspec.structs.replace(
        nights[0],
        available=min(night.available for night in nights),
        sellable=all(night.sellable for night in nights),
        total_minor=sum(night.total_minor for night in nights),
    )


async def _checks_one_by_one(db: Database, checks: Sequence[StayCheck]) -> list[CheckedStay]:
    return [(await _batch(db, [check]))[0] for check in checks]


async def _checks_room_by_room(db: Database, checks: Sequence[StayCheck]) -> list[CheckedStay]:
    found = []
    for check in checks:
        one = await _check(
            db, check.property, check.room_type, check.check_in, check.check_out, check.rooms
        )
        found.append(
            CheckedStay(
                check.property,
                one.room_type,
                one.available,
                one.sellable,
                one.total_minor,
                one.currency,
            )
        )
    return found


async def _types_one_by_one(
    db: Database, property_code: str, night: date, *, actor: Actor | None = None
) -> list[RoomTypeInventory]:
    found = []
    for kind in await _room_types(db, property_code):
        stay = (night, night + timedelta(days=1))
        shown = await _nights_of_type(db, property_code, kind.code, *stay, actor=actor)
        numbers = msgspec.structs.asdict(shown.nights[0])
        del numbers["night"]
        found.append(
            RoomTypeInventory(kind.code, kind.name, kind.price_minor, shown.currency, **numbers)
        )
    return found


async def _bookings_one_by_one(db: Database, ids: Sequence[int], actor: Actor) -> list[Booking]:
    return [booking for one in ids for booking in await _by_ids(db, [one], actor)]


async def _bookings_by_their_details(
    db: Database, ids: Sequence[int], actor: Actor
) -> list[Booking]:
    whole = [await _details(db, one, actor) for one in ids]
    return [
        Booking(**{name: getattr(one, name) for name in Booking.__struct_fields__}) for one in whole
    ]


async def _bookings_and_where_they_are(
    db: Database, ids: Sequence[int], actor: Actor
) -> list[Booking]:
    return [
        msgspec.structs.replace(booking, property=await _property_of(db, int(booking.id)))
        for booking in await _by_ids(db, ids, actor)
    ]


async def _payments_of_each(
    db: Database, user_id: int, *, include_payments: bool = False, **asked: Any
) -> BookingPage:
    page = await _user_bookings(db, user_id, **asked)
    if not include_payments:
        return page
    items = []
    for item in page.items:
        found = await _user_bookings(
            db, user_id, limit=1, cursor=str(int(item.id) + 1), include_payments=True
        )
        items.append(msgspec.structs.replace(item, payments=found.items[0].payments))
    return BookingPage(items, page.next)


async def _user_of_each(
    db: Database, *place: Any, include_user: bool = False, **asked: Any
) -> BookingPage:
    page = await _desk(db, *place, **asked)
    if not include_user:
        return page
    items = []
    for item in page.items:
        user = await _user(db, int(item.user_id))
        shown = BookingUser(user.name, user.email, user.guest_type)
        items.append(msgspec.structs.replace(item, user=shown))
    return BookingPage(items, page.next)


async def _months_one_by_one(
    db: Database, property_code: str, from_date: date, to_date: date, **asked: Any
) -> KpiReport:
    by = asked.pop("by", None)
    whole = await _kpi(db, property_code, from_date, to_date, **asked)
    if by is None:
        return whole
    items, first = [], from_date
    while first < to_date:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        one = await _kpi(db, property_code, first, min(following, to_date), **asked)
        figures = {
            name: getattr(one, name) for name in MonthKpi.__struct_fields__ if name != "month"
        }
        items.append(MonthKpi(month=f"{first:%Y-%m}", **figures))
        first = following
    return msgspec.structs.replace(whole, items=tuple(items))


async def _bookings_in_parts(db: Database, ids: Sequence[int], actor: Actor) -> list[Booking]:
    parts = [ids[first : first + _PART] for first in range(0, len(ids), _PART)]
    return [booking for part in parts for booking in await _by_ids(db, part, actor)]


async def _checks_in_parts(db: Database, checks: Sequence[StayCheck]) -> list[CheckedStay]:
    parts = [checks[first : first + _PART] for first in range(0, len(checks), _PART)]
    return [found for part in parts for found in await _batch(db, part)]


async def _page_in_parts(
    db: Database, user_id: int, *, limit: int = 20, cursor: str | None = None, **asked: Any
) -> BookingPage:
    page = await _user_bookings(db, user_id, limit=min(limit, _PART), cursor=cursor, **asked)
    if page.next is None or limit <= _PART:
        return page
    rest = await _user_bookings(db, user_id, limit=limit - _PART, cursor=page.next, **asked)
    return BookingPage([*page.items, *rest.items], rest.next)


_GROWS: tuple[Kind, ...] = ("STATEMENTS_GROW", "REPEATED_STATEMENT")

LOOPS = (
    HelperFault(
        name="rooms-type-by-type",
        family="loop",
        why="A hotel of fifty room types is fifty-one questions for each look at it.",
        at="get_all_room_availability",
        expects=_GROWS,
        faulty=_rooms_type_by_type,
    ),
    HelperFault(
        name="rooms-side-by-side",
        family="loop",
        why="The same four at a time: no fewer questions, and one visitor takes all connections.",
        at="get_all_room_availability",
        expects=_GROWS,
        faulty=_rooms_side_by_side,
    ),
    HelperFault(
        name="room-night-by-night",
        family="loop",
        why="A week is seven questions, of seven moments: a room may be sold between them.",
        at="check_room_availability",
        expects=("REPEATED_STATEMENT", "STATEMENTS_OVER"),
        faulty=_room_night_by_night,
    ),
    HelperFault(
        name="checks-one-by-one",
        family="loop",
        why="A search over five hundred stays waits for five hundred round trips.",
        at="batch_check_availability",
        expects=_GROWS,
        faulty=_checks_one_by_one,
    ),
    HelperFault(
        name="checks-room-by-room",
        family="loop",
        why="The same by way of the helper for one room type, which is easier to write.",
        at="batch_check_availability",
        expects=_GROWS,
        faulty=_checks_room_by_room,
    ),
    HelperFault(
        name="a-night-type-by-type",
        family="loop",
        why="The plan of the house asks once for each room type.",
        at="get_room_types_with_inventory",
        expects=_GROWS,
        faulty=_types_one_by_one,
    ),
    HelperFault(
        name="bookings-one-by-one",
        family="loop",
        why="A page of a hundred bookings is a hundred questions.",
        at="get_bookings_by_ids",
        expects=_GROWS,
        faulty=_bookings_one_by_one,
    ),
    HelperFault(
        name="bookings-by-their-details",
        family="loop",
        why="The same, and each brings payments, invoices and history that nobody asked for.",
        at="get_bookings_by_ids",
        expects=_GROWS,
        faulty=_bookings_by_their_details,
    ),
    HelperFault(
        name="bookings-and-where-they-are",
        family="loop",
        why="The bookings come at once, and then the hotel of each of them.",
        at="get_bookings_by_ids",
        expects=_GROWS,
        faulty=_bookings_and_where_they_are,
    ),
    HelperFault(
        name="payments-of-each-booking",
        family="loop",
        why="The N+1 of every booking site: a list, and then the payments of each line of it.",
        at="get_user_bookings_with_room_type",
        expects=_GROWS,
        faulty=_payments_of_each,
    ),
    HelperFault(
        name="user-of-each-booking",
        family="loop",
        why="The desk looks every guest up, the same one again and again.",
        at="get_bookings_for_date_range",
        expects=_GROWS,
        faulty=_user_of_each,
    ),
    HelperFault(
        name="months-one-by-one",
        family="loop",
        why="A report of ten years is 242 questions, of as many moments.",
        at="get_kpi_report",
        expects=("REPEATED_STATEMENT", "STATEMENTS_OVER"),
        faulty=_months_one_by_one,
    ),
)

LATE = (
    HelperFault(
        name="bookings-in-parts",
        family="grows late",
        why="One question in every test; five for whoever asks for five hundred.",
        at="get_bookings_by_ids",
        expects=_GROWS,
        faulty=_bookings_in_parts,
    ),
    HelperFault(
        name="checks-in-parts",
        family="grows late",
        why="The same for checks, and the parts are of different moments.",
        at="batch_check_availability",
        expects=_GROWS,
        faulty=_checks_in_parts,
    ),
    HelperFault(
        name="a-page-in-parts",
        family="grows late",
        why="Only the longest pages ask twice: nobody sees it before an agency does.",
        at="get_user_bookings_with_room_type",
        expects=_GROWS,
        faulty=_page_in_parts,
    ),
)

LOOP_FAULTS: tuple[HelperFault, ...] = (*LOOPS, *LATE)
