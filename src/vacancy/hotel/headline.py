"""The five operations of the headline, as they are asked before and after, on whatever a database
holds: for `vacancy perf bench`."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import msgspec

from vacancy.db.database import ClockedReader, Database, Transaction, utc_now
from vacancy.errors import Missing
from vacancy.hotel import naive, queries
from vacancy.hotel.accounts import ensure_users, take_node
from vacancy.hotel.admission.requests import CreateBooking, Idempotency, Outcome, RoomsWanted
from vacancy.hotel.ids import IdSource
from vacancy.hotel.migrations.r0003_add_composite_indexes_for_performance import INDEXES
from vacancy.hotel.model import Actor, Booking, Guest
from vacancy.hotel.samples import Sample, find_sample
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property
from vacancy.perf.bench.measure import Ask, Operation, Way
from vacancy.perf.bench.report import BenchReport

PAGE = 20
CLIENTS = 64
_NIGHTS = 7
PATIENCE_S = 120.0
_PLACE = "vacancy-bench"
_EMAIL = "bench@vacancy.invalid"
_SOLD_NIGHTS = 30

ADDED_INDEXES = (*INDEXES, "ix_bookings_user", "ix_bookings_user_status", "ix_payments_booking")
"""What a schema without composite indexes has not: the brief's, those that stood for one of the
brief's before, and the one by which a booking finds its payments."""

# Numbers of bookings begin behind `generated:`. What costs nothing is not paid for.
ADD_PAYMENTS = """
    INSERT INTO payments (
        id, property_id, booking_id, user_id, status, method, amount_minor, refunded_minor,
        currency, created_at, changed_at
    )
    SELECT
        b.id,
        b.property_id,
        b.id,
        b.user_id,
        CASE WHEN b.status = 'cancelled' THEN 'refunded' ELSE 'succeeded' END,
        'card',
        b.total_minor,
        CASE WHEN b.status = 'cancelled' THEN b.total_minor ELSE 0 END,
        p.currency,
        b.created_at,
        b.changed_at
    FROM bookings AS b
    JOIN properties AS p ON p.id = b.property_id
    WHERE b.total_minor > 0
        AND CAST(substr(b.source_ref, 11) AS integer) % 5 <> 0
        AND NOT EXISTS (SELECT 1 FROM payments)
    """
"""For a generated group: four of five bookings are paid for, those cancelled are paid back."""

Submit = Callable[[CreateBooking], Awaitable[Outcome]]


class HeadlineReport(BenchReport, frozen=True, kw_only=True, rename={"size": "bookings"}):
    """A run on a database of so many bookings."""

    size: int


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked about: a hotel, a night of it, and a user with a page of bookings."""

    bookings: int
    sample: Sample
    user_id: int


async def find_subject(db: Database) -> Subject:
    """Raises `Missing` BENCH_NOTHING_TO_ASK for a database without bookings."""
    ((bookings,),) = await db.adhoc("SELECT COUNT(*) FROM bookings", limit=1)
    sample = await find_sample(db)
    if sample is None:
        raise Missing(
            "BENCH_NOTHING_TO_ASK",
            "The database holds no bookings, so there is nothing to measure.",
            hint="Give --bookings N: a database of that size is made, and goes when it is done.",
        )
    return Subject(bookings=bookings, sample=sample, user_id=await _find_user(db))


async def _find_user(db: Database) -> int:
    """The user with the fewest bookings of those who have more than a page; where nobody has, the
    one with the most."""
    of_users = "SELECT user_id FROM bookings GROUP BY user_id"
    found = await db.adhoc(
        f"{of_users} HAVING COUNT(*) > :page ORDER BY COUNT(*), user_id", limit=1, page=PAGE
    ) or await db.adhoc(f"{of_users} ORDER BY COUNT(*) DESC, user_id", limit=1)
    return int(found[0][0])


async def headline(
    subject: Subject, before: Database, after: Database, reads: ClockedReader, submit: Submit
) -> list[Operation]:
    """The operations. `before` has no composite indexes; `reads` has the cache in front of it;
    `submit` is admission's. Both databases get one more hotel, whose nights are still to come."""
    naive.introduce()
    place, night = subject.sample.property, subject.sample.night
    week = (night, night + timedelta(days=min(_NIGHTS, subject.sample.max_stay_nights)))
    year = (date(night.year, 1, 1), date(night.year + 1, 1, 1))
    user_id = subject.user_id

    async def report(db: Any) -> Any:
        return (
            await queries.get_booking_statistics(db, place, *year),
            await queries.get_occupancy_rate(db, place, *year),
        )

    def reading(name: str, naively: Callable[[Any], Any], ask: Callable[[Any], Any]) -> Operation:
        return Operation(
            name=name,
            before=Way(partial(naively, before), before),
            after=Way(partial(ask, after), after),
            cached=Way(partial(ask, reads), after),
        )

    return [
        reading(
            "room_types",
            lambda db: naive.get_room_types_with_inventory(db, place, night),
            lambda db: queries.get_room_types_with_inventory(db, place, night),
        ),
        reading(
            "availability",
            lambda db: naive.get_all_room_availability(db, place, *week),
            lambda db: queries.get_all_room_availability(db, place, *week),
        ),
        reading(
            "user_bookings",
            lambda db: naive.get_user_bookings_with_room_type(db, user_id, limit=PAGE),
            lambda db: queries.get_user_bookings_with_room_type(
                db, user_id, limit=PAGE, include_payments=True
            ),
        ),
        reading("report", lambda db: naive.get_report(db, place, *year), report),
        *await _bookings(before, after, submit),
    ]


async def _bookings(before: Database, after: Database, submit: Submit) -> list[Operation]:
    next_id = IdSource(await take_node(before), utc_now).next
    actors = [await _open_hotel(before), await _open_hotel(after)]

    async def naively(request: CreateBooking) -> Outcome:
        return await naive.create_booking(before, next_id, request, wait_s=PATIENCE_S)

    sides = (
        Way(_booking(naively, actors[0]), before),
        Way(_booking(submit, actors[1]), after),
    )
    return [
        Operation(
            name="create_booking" if clients == 1 else f"create_booking_{clients}_clients",
            before=sides[0],
            after=sides[1],
            clients=clients,
            same_answer=False,
        )
        for clients in (1, CLIENTS)
    ]


def _booking(submit: Submit, actor: Actor) -> Ask:
    """A booking of the same three nights each time: everybody wants these."""
    numbers = itertools.count()
    night = utc_now().date() + timedelta(days=2)

    async def book() -> None:
        request = CreateBooking(
            property=_PLACE,
            check_in=night,
            check_out=night + timedelta(days=3),
            rooms=(RoomsWanted("room", 1, 2),),
            guest=Guest("Ada Lovelace", _EMAIL),
            user_id=actor.user_id,
            actor=actor,
            idempotency=Idempotency(f"bench-{next(numbers)}", "0" * 64),
        )
        outcome = await submit(request)
        assert isinstance(outcome.answer, Booking), outcome.answer

    return book


async def _open_hotel(db: Database) -> Actor:
    ids = IdSource(await take_node(db), utc_now)
    wanted = NewProperty(
        code=_PLACE,
        name="Bench",
        currency="EUR",
        time_zone="UTC",
        first_night=utc_now().date() + timedelta(days=1),
        nights=_SOLD_NIGHTS,
        room_types=(
            NewRoomType(
                code="room", name="Room", price_minor=9000, max_adults=2, capacity=1_000_000
            ),
        ),
    )

    async def unit(tx: Transaction) -> Actor:
        await create_property(tx, wanted, ids.next)
        users = await ensure_users(tx, {_EMAIL: "Bench"}, ids.next)
        return Actor(users[_EMAIL].id, "staff")

    return await db.transact(unit)
