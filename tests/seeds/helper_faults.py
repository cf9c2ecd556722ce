"""Faults of helpers: functions that answer right on a bad way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from tests.seeds.helper_loops import LOOP_FAULTS
from tests.seeds.helper_sums import SUM_FAULTS
from tests.seeds.seed import HelperFault
from vacancy.db.database import Database
from vacancy.db.statement import Access, SetStatement, Statement
from vacancy.hotel import queries
from vacancy.hotel.model import Actor, Booking, Property, RoomType
from vacancy.hotel.queries import (
    BookingDetails,
    BookingPage,
    PaymentSummary,
    RoomTypeInventory,
)

# The real ones, by names that no fault takes their place under.
_booking_property = queries.find_booking_property
_by_ids = queries.get_bookings_by_ids
_desk = queries.get_bookings_for_date_range
_details = queries.get_booking_details
_get_property = queries.get_property
_night_of_types = queries.get_room_types_with_inventory
_payment_summary = queries.get_user_payment_summary
_room_types = queries.list_room_types
_statistics = queries.get_booking_statistics
_user = queries.get_user
_user_bookings = queries.get_user_bookings_with_room_type

# One look more than is needed.


async def _property_first(db: Database, property_code: str, night: date) -> list[RoomTypeInventory]:
    await _get_property(db, property_code)
    return await _night_of_types(db, property_code, night)


async def _count_first(
    db: Database, property_code: str, from_date: date, to_date: date, **asked: Any
) -> BookingPage:
    await _statistics(db, property_code, from_date, to_date)
    return await _desk(db, property_code, from_date, to_date, **asked)


async def _is_it_there(db: Database, booking_id: int, actor: Actor) -> BookingDetails:
    await _booking_property(db, booking_id)
    return await _details(db, booking_id, actor)


async def _whose_was_it(db: Database, user_id: int) -> PaymentSummary:
    found = await _payment_summary(db, user_id)
    await _user(db, user_id)
    return found


async def _the_next_page_too(db: Database, user_id: int, **asked: Any) -> BookingPage:
    page = await _user_bookings(db, user_id, **asked)
    await _user_bookings(db, user_id, **{**asked, "cursor": page.next or "1"})
    return page


# Around the register.

_PROPERTY = Statement(
    "seeds.get_property",
    """
    SELECT
        id,
        code,
        name,
        currency,
        time_zone,
        max_stay_nights
    FROM properties
    WHERE code = :property
    """,
    row=Property,
    reads=("properties",),
    access=Access(served_by={"properties": "uq_properties_code (code)"}),
)


class _Found(msgspec.Struct, frozen=True):
    id: int


_IDS = SetStatement(
    "seeds.find_bookings",
    "WITH wanted (id) AS ({rows}) SELECT b.id FROM wanted AS w JOIN bookings AS b ON b.id = w.id",
    columns={"id": "integer"},
    row=_Found,
    reads=("bookings",),
    access=Access(served_by={"bookings": "pk_bookings (id)"}),
)


async def _text_of_its_own(db: Database, code: str) -> Property:
    found = await db.fetch_one(_PROPERTY, property=code)
    assert found is not None
    return found


async def _ids_that_exist(db: Database, ids: Sequence[int], actor: Actor) -> list[Booking]:
    known = await db.fetch_set(_IDS, [(one,) for one in ids])
    return await _by_ids(db, [one.id for one in known], actor)


async def _through_the_side_door(db: Database, property_code: str) -> list[RoomType]:
    await db.adhoc("SELECT COUNT(*) FROM room_types")
    return await _room_types(db, property_code)


async def _promises_nothing(db: Database, code: str) -> Property:
    return await _get_property(db, code)


OTHERS = (
    HelperFault(
        name="property-first",
        family="one more statement",
        why="A round trip to learn what the answer says anyway.",
        at="get_room_types_with_inventory",
        expects=("STATEMENTS_OVER",),
        faulty=_property_first,
    ),
    HelperFault(
        name="count-first",
        family="one more statement",
        why="Each page first counts, for a number that nobody is shown.",
        at="get_bookings_for_date_range",
        expects=("STATEMENTS_OVER",),
        faulty=_count_first,
    ),
    HelperFault(
        name="is-it-there",
        family="one more statement",
        why="Asked whether it exists, then asked for: two round trips, and it may go in between.",
        at="get_booking_details",
        expects=("STATEMENTS_OVER",),
        faulty=_is_it_there,
    ),
    HelperFault(
        name="whose-was-it",
        family="one more statement",
        why="A look-up behind the answer, whose result is thrown away.",
        at="get_user_payment_summary",
        expects=("STATEMENTS_OVER",),
        faulty=_whose_was_it,
    ),
    HelperFault(
        name="the-next-page-too",
        family="one more statement",
        why="Every page costs two: the next one is fetched in case somebody turns to it.",
        at="get_user_bookings_with_room_type",
        expects=("REPEATED_STATEMENT", "STATEMENTS_OVER"),
        faulty=_the_next_page_too,
    ),
    HelperFault(
        name="text-of-its-own",
        family="unregistered",
        why="Nobody explains it, counts it or drops it from the cache.",
        at="get_property",
        expects=("UNREGISTERED_STATEMENT",),
        faulty=_text_of_its_own,
    ),
    HelperFault(
        name="ids-that-exist",
        family="unregistered",
        why="The same with a set of rows, beside a statement that everybody knows.",
        at="get_bookings_by_ids",
        expects=("UNREGISTERED_STATEMENT",),
        faulty=_ids_that_exist,
    ),
    HelperFault(
        name="through-the-side-door",
        family="unregistered",
        why="The door for tools opens a connection for each question, and no count sees it.",
        at="list_room_types",
        expects=("UNREGISTERED_STATEMENT",),
        faulty=_through_the_side_door,
    ),
    HelperFault(
        name="a-helper-that-promises-nothing",
        family="promise lost",
        why="Nobody would notice the day when it begins to ask in a loop.",
        at="get_property",
        expects=("NO_CONTRACT",),
        faulty=_promises_nothing,
        keeps_contract=False,
    ),
)

HELPER_FAULTS: tuple[HelperFault, ...] = (*LOOP_FAULTS, *SUM_FAULTS, *OTHERS)
