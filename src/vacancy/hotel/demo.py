"""A small demo: two hotels with guests and bookings in every status. Made so that a run that was
killed half-way can be run again, and then completes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta

from vacancy.db.database import Database, Transaction
from vacancy.errors import Conflict
from vacancy.hotel.accounts import ensure_users
from vacancy.hotel.admission.batches import Admission
from vacancy.hotel.admission.requests import CreateBooking, Idempotency, RoomsWanted
from vacancy.hotel.admission.state import Line
from vacancy.hotel.booking import booking_of, change_status, create_booking
from vacancy.hotel.bulk import PastBooking, Step, write_past_bookings
from vacancy.hotel.calendar import business_date, zone
from vacancy.hotel.model import Actor, Guest, Property, RoomType, Verb
from vacancy.hotel.queries import (
    get_user_bookings_with_room_type,
    list_properties,
    list_room_types,
)
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property
from vacancy.hotel.statements.accounts import User

NIGHTS_AHEAD = 400
NIGHTS_BACK = 30
"""The demo has a past, so that reports have something to show."""

DEMO_EMAIL = "demo@example.org"
"""Whose key the demo prints."""
_AGENCY = "agency@example.org"
_USERS = {
    DEMO_EMAIL: "Demo User",
    "ada@example.org": "Ada Lovelace",
    "grace@example.org": "Grace Hopper",
    "alan@example.org": "Alan Turing",
}
_GUESTS = (
    Guest("Ada Lovelace", "ada@example.org"),
    Guest("Grace Hopper", "grace@example.org"),
    Guest("Alan Turing", "alan@example.org"),
    Guest("Emmy Noether", "emmy@example.org"),
    Guest("Srinivasa Ramanujan", "srinivasa@example.org"),
)
_HOLD = timedelta(hours=24)
_STORIES: tuple[tuple[timedelta | None, tuple[Verb, ...]], ...] = (
    (None, ("confirm",)),
    (None, ()),
    (None, ("confirm",)),
    (None, ("confirm", "cancel")),
    (_HOLD, ()),
    (None, ("confirm",)),
    (None, ("cancel",)),
)
"""How long a booking is held, and what is done with it then."""
_STORIES_IN_A_PROPERTY = 21
_ARRIVALS_A_DAY = 2

_HOTELS = (
    NewProperty(
        code="alpine",
        name="Hotel Alpine",
        currency="EUR",
        time_zone="Europe/Vienna",
        room_types=(
            NewRoomType(code="single", name="Single", price_minor=6000, max_adults=1, capacity=8),
            NewRoomType(code="double", name="Double", price_minor=9000, max_adults=2, capacity=20),
            NewRoomType(code="suite", name="Suite", price_minor=21000, max_adults=4, capacity=4),
        ),
        first_night=date.min,
        nights=NIGHTS_BACK + NIGHTS_AHEAD,
    ),
    NewProperty(
        code="harbour",
        name="Harbour House",
        currency="NZD",
        time_zone="Pacific/Auckland",
        room_types=(
            NewRoomType(code="double", name="Double", price_minor=18500, max_adults=2, capacity=12),
            NewRoomType(code="family", name="Family", price_minor=26000, max_adults=4, capacity=5),
            NewRoomType(code="dorm", name="Dormitory", price_minor=4500, max_adults=6, capacity=4),
        ),
        first_night=date.min,
        nights=NIGHTS_BACK + NIGHTS_AHEAD,
    ),
)
"""`first_night` is set when they are made: the demo begins at each property's own today."""

DEMO_PROPERTIES = tuple(hotel.code for hotel in _HOTELS)


async def make_demo(db: Database, admission: Admission, next_id: Callable[[], int]) -> None:
    """Makes what is missing of the demo; changes nothing when it stands.

    Raises `Conflict` DEMO_REFUSED for a database that holds other properties.
    """
    users = await _make_hotels(db, next_id)
    agency = Actor(users[_AGENCY].id, "guest")
    # The bookings with a past are written last, in one transaction: where one is, all is.
    if (await get_user_bookings_with_room_type(db, agency.user_id, limit=1)).items:
        return
    places = [place for place in await list_properties(db) if place.code in DEMO_PROPERTIES]
    types = {place.code: await list_room_types(db, place.code) for place in places}
    booker_ids = [users[email].id for email in _USERS]
    staff = Actor(users[DEMO_EMAIL].id, "superadmin")
    await asyncio.gather(
        *(
            _play(admission, place, types[place.code], number, booker_ids, staff, db.clock())
            for place in places
            for number in range(_STORIES_IN_A_PROPERTY)
        )
    )

    async def unit(tx: Transaction) -> None:
        past = [
            booking
            for place in places
            for booking in _past(place, types[place.code], [*booker_ids, agency.user_id], tx.now)
        ]
        await write_past_bookings(tx, past, next_id, action="demo.made", actor_id=staff.user_id)

    await db.transact(unit)


async def _make_hotels(db: Database, next_id: Callable[[], int]) -> dict[str, User]:
    async def unit(tx: Transaction) -> dict[str, User]:
        codes = {place.code for place in await list_properties(tx)}
        foreign = sorted(codes - set(DEMO_PROPERTIES))
        if foreign:
            raise Conflict(
                "DEMO_REFUSED",
                f"The database holds the property {foreign[0]!r}, which is not the demo's;"
                " nothing was changed.",
                hint="Run the demo in a data directory of its own: vacancy demo --data-dir DIR.",
            )
        for hotel in _HOTELS:
            if hotel.code not in codes:
                await create_property(tx, _from_today(hotel, tx.now), next_id)
        return await ensure_users(tx, {**_USERS, _AGENCY: "Summit Travel"}, next_id)

    return await db.transact(unit)


def _from_today(hotel: NewProperty, now: datetime) -> NewProperty:
    today = business_date(now, hotel.time_zone)
    return NewProperty(
        code=hotel.code,
        name=hotel.name,
        currency=hotel.currency,
        time_zone=hotel.time_zone,
        room_types=hotel.room_types,
        first_night=today - timedelta(days=NIGHTS_BACK),
        nights=hotel.nights,
    )


async def _play(
    admission: Admission,
    place: Property,
    types: list[RoomType],
    number: int,
    booker_ids: list[int],
    staff: Actor,
    now: datetime,
) -> None:
    """One booking through the verbs. Its keys make a second run find it instead of a second one."""
    hold_for, verbs = _STORIES[number % len(_STORIES)]
    room_type = types[number % len(types)]
    check_in = business_date(now, place.time_zone) + timedelta(days=1 + number * 3)
    key = f"demo-{place.code}-{number}"
    request = CreateBooking(
        property=place.code,
        check_in=check_in,
        check_out=check_in + timedelta(days=1 + number % 5),
        rooms=(RoomsWanted(room_type.code, 1 + number % 2, 1 + number % 2),),
        guest=_GUESTS[number % len(_GUESTS)],
        user_id=booker_ids[number % len(booker_ids)],
        actor=staff,
        hold_for=hold_for,
        segment="direct",
        channel="web",
        idempotency=Idempotency(key, key),
    )
    booking = booking_of(await create_booking(admission, request))
    for verb in verbs:
        done = Idempotency(f"{key}-{verb}", key)
        booking_of(await change_status(admission, verb, int(booking.id), place.code, staff, done))


def _past(
    place: Property, types: list[RoomType], booker_ids: list[int], now: datetime
) -> Iterator[PastBooking]:
    """What has no verb yet, and what takes time: stays that have begun or ended, guests who did
    not come, holds that ended by themselves."""
    today = business_date(now, place.time_zone)

    def at(day: date, hour: int) -> datetime:
        local = datetime.combine(day, time(hour), tzinfo=zone(place.time_zone))
        return min(local.astimezone(now.tzinfo), now)

    for number in range(_ARRIVALS_A_DAY * (NIGHTS_BACK - 1)):
        room_type = types[number % len(types)]
        rooms = 1 + number % 6 if room_type.code == "double" else 1
        check_in = today - timedelta(days=NIGHTS_BACK - 1 - number // _ARRIVALS_A_DAY)
        check_out = check_in + timedelta(days=2 + (number + number // 3) % 4)
        lead_days = 3 + number % 40
        booked_at = at(check_in - timedelta(days=lead_days), 12)
        steps: tuple[Step, ...] = (("confirmed", booked_at),)
        if check_out > today:
            steps += (("checked_in", at(check_in, 15)),)
        elif number % 11 == 5:
            steps += (("cancelled", at(check_in - timedelta(days=2), 9)),)
        elif number % 17 == 8:
            steps += (("no_show", at(check_in + timedelta(days=1), 3)),)
        elif number % 13 == 4:
            # A hold of 15 minutes that nobody confirmed.
            ended_at = booked_at + timedelta(minutes=15)
            steps = (("provisional", booked_at), ("expired", ended_at))
        else:
            steps += (("checked_out", at(check_out, 10)),)
        guest = _GUESTS[number % len(_GUESTS)]
        yield PastBooking(
            property_id=place.id,
            user_id=booker_ids[number % len(booker_ids)],
            check_in=check_in,
            check_out=check_out,
            lines=(
                Line(
                    room_type.id,
                    rooms,
                    rooms,
                    (room_type.price_minor,) * (check_out - check_in).days,
                ),
            ),
            steps=steps,
            guest_name=guest.name,
            guest_email=guest.email,
            segment=("direct", "corporate", "leisure")[number % 3],
            channel=("web", "phone", "agency")[number % 3],
            lead_days=lead_days,
            source_ref=f"demo:{number}",
            expires_at=steps[-1][1] if steps[-1][0] == "expired" else None,
        )
