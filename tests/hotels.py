"""Small hotels on a real database, for tests: `async with a_hotel(url) as hotel`."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from vacancy.bootstrap import House, open_house
from vacancy.config import Settings
from vacancy.db.database import Clock, Transaction
from vacancy.hotel.accounts import ensure_users
from vacancy.hotel.admission.requests import CreateBooking, Idempotency, Outcome, RoomsWanted
from vacancy.hotel.booking import change_status, create_booking
from vacancy.hotel.model import Actor, Guest, Verb
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property

FIRST_NIGHT = date(2027, 1, 1)
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


@dataclass
class Hotel:
    """A migrated database with one property `alpine`: room types `single` (10 rooms, 6000 a night)
    and `double` (`capacity` rooms, 9000 a night), nights from 2027-01-01 on."""

    house: House
    staff: Actor
    guest: Actor
    other: Actor
    numbers: Callable[[], int] = field(default_factory=lambda: itertools.count(1).__next__)

    def request(
        self,
        check_in: date = FIRST_NIGHT,
        nights: int = 1,
        *,
        rooms: int = 1,
        room_type: str = "double",
        actor: Actor | None = None,
        hold_for: timedelta | None = None,
        key: str | None = None,
        property_code: str = "alpine",
        body: str = "the same body",
    ) -> CreateBooking:
        """A booking as a guest would ask for it; everything may be said otherwise."""
        who = actor or self.guest
        return CreateBooking(
            property=property_code,
            check_in=check_in,
            check_out=check_in + timedelta(days=nights),
            rooms=(RoomsWanted(room_type, rooms),),
            guest=Guest("Ada Lovelace", "ada@example.org"),
            user_id=who.user_id,
            actor=who,
            hold_for=hold_for,
            idempotency=None if key is None else Idempotency(key, body),
        )

    async def book(self, request: CreateBooking) -> Outcome:
        return await create_booking(self.house.admission, request)

    async def change(self, verb: Verb, booking_id: str, actor: Actor | None = None) -> Outcome:
        """A verb by staff, unless somebody else is named."""
        who = actor or self.staff
        return await change_status(self.house.admission, verb, int(booking_id), "alpine", who)


@asynccontextmanager
async def a_hotel(
    url: str, *, capacity: int = 5, nights: int = 400, clock: Clock | None = None
) -> AsyncIterator[Hotel]:
    """Migrates the database and makes the hotel in it."""
    # Here and not above: the schema tools take half a second of every process that races.
    from vacancy.hotel.migrating import migrate_database

    await migrate_database(url)
    async with open_house(Settings(database_url=url, env="test"), clock or HandClock()) as house:
        yield await make_hotel(house, capacity=capacity, nights=nights)


async def make_hotel(house: House, *, capacity: int = 5, nights: int = 400) -> Hotel:
    """The property, its rooms and three users in a database that is migrated already."""
    wanted = NewProperty(
        code="alpine",
        name="Hotel Alpine",
        currency="EUR",
        time_zone="Europe/Lisbon",
        first_night=FIRST_NIGHT,
        nights=nights,
        room_types=(
            NewRoomType(code="single", name="Single", price_minor=6000, max_adults=1, capacity=10),
            NewRoomType(
                code="double", name="Double", price_minor=9000, max_adults=2, capacity=capacity
            ),
        ),
    )
    emails = ("desk@example.org", "ada@example.org", "eve@example.org")

    async def unit(tx: Transaction) -> list[int]:
        await create_property(tx, wanted, house.ids.next)
        users = await ensure_users(tx, {email: email for email in emails}, house.ids.next)
        return [users[email].id for email in emails]

    desk, ada, eve = await house.db.transact(unit)
    return Hotel(house, Actor(desk, "staff"), Actor(ada, "guest"), Actor(eve, "guest"))


def join_hotel(house: House, hotel: Hotel) -> Hotel:
    """The same hotel through another process's or thread's house."""
    return Hotel(house, hotel.staff, hotel.guest, hotel.other)
