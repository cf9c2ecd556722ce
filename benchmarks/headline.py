"""The brief's headline, before and after: the same questions asked row by row and summed in Python
on the schema without composite indexes (`hotel/naive`), and asked through the helpers. Nothing is
cached on either side.

Kind to the side before: it runs on our own driver and queue, without an ORM, and with no other
index missing than those of `million.ADDED_INDEXES`. On PostgreSQL its sessions have the server's
own settings, as ours keep planners off the scans that are all that is left to it; JIT alone is off.
Both sides answer the same, or the bench stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from functools import partial
from itertools import count
from random import Random
from time import perf_counter_ns
from typing import Any

import asyncpg
import msgspec

from benchmarks.figure import Figure
from benchmarks.hotels import EMAIL, NIGHTS, booking_request, first_night, settings
from benchmarks.million import Groups, drop_added_indexes, find_user
from benchmarks.stats import NS_PER_S, Summary, median_summary, summarise
from vacancy.bootstrap import open_database, open_house, tune_runtime
from vacancy.db.database import Database, Transaction, utc_now
from vacancy.db.postgres.database import PostgresDatabase
from vacancy.db.postgres.pool import ConnectionPool
from vacancy.db.statement import Engine
from vacancy.hotel import naive, queries
from vacancy.hotel.accounts import ensure_users, take_node
from vacancy.hotel.admission.requests import CreateBooking, Outcome
from vacancy.hotel.ids import IdSource
from vacancy.hotel.model import Actor, Booking
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property

COMMAND = "make bench ARGS=headline"
PLACE = "hotel-001"
NIGHT = date(2024, 6, 3)
PAGE = 20
CLIENTS = 64
CONNECTIONS = 8
"""To PostgreSQL, on each side: as many as a server has by default."""

BEFORE_S = 1.0
AFTER_S = 0.3
"""So long each side is asked again and again in each round, and once at least."""
BOOKING_S = 2.0
MOST_CALLS = 2_000
_PATIENCE_S = 120.0

Ask = Callable[[Any], Awaitable[Any]]
"""Of a database, or of what stands in front of one."""


class Row(msgspec.Struct, frozen=True):
    """One row of the headline."""

    what: str
    goal: float
    """So much less time, of 1."""
    before: Ask
    after: Ask


async def measure(groups: Groups, engines: tuple[Engine, ...], rounds: int) -> list[Figure]:
    naive.introduce()
    figures = []
    for engine in engines:
        before = await groups.copy(engine, groups.bookings, "before")
        after = await groups.copy(engine, groups.bookings, "after")
        await drop_added_indexes(before)
        figures += await _measure_reads(engine, groups.bookings, before, after, rounds)
        figures.append(await _measure_booking(engine, groups.bookings, before, after, rounds))
        for name in ("before", "after"):
            await groups.throw_away(engine, name)
    return figures


async def _measure_reads(
    engine: Engine, bookings: int, before: str, after: str, rounds: int
) -> list[Figure]:
    figures = []
    async with open_as_others(before) as theirs, open_database(settings(after)) as ours:
        for row in rows_of(await find_user(ours, PAGE + 1)):
            assert await row.before(theirs) == await row.after(ours), row.what
            theirs_ns: list[int] = []
            ours_ns: list[int] = []
            for _ in range(rounds):
                theirs_ns += await _time(partial(row.before, theirs), BEFORE_S)
                ours_ns += await _time(partial(row.after, ours), AFTER_S)
            runs = (summarise(theirs_ns), summarise(ours_ns))
            figures.append(_figure(f"{row.what}, {bookings:,} bookings", engine, *runs, row.goal))
    return figures


def rows_of(user_id: int, place: str = PLACE, night: date = NIGHT, nights: int = 7) -> list[Row]:
    """The reads, about a user, a hotel and a night."""
    week = (night, night + timedelta(days=nights))
    year = (date(night.year, 1, 1), date(night.year + 1, 1, 1))

    async def report(db: Any) -> Any:
        return (
            await queries.get_booking_statistics(db, place, *year),
            await queries.get_occupancy_rate(db, place, *year),
        )

    return [
        Row(
            "before and after: room types with a night's inventory",
            0.9,
            lambda db: naive.get_room_types_with_inventory(db, place, night),
            lambda db: queries.get_room_types_with_inventory(db, place, night),
        ),
        Row(
            "before and after: availability, 7 nights, all room types",
            0.999,
            lambda db: naive.get_all_room_availability(db, place, *week),
            lambda db: queries.get_all_room_availability(db, place, *week),
        ),
        Row(
            f"before and after: a user's bookings with payments, page of {PAGE}",
            0.99,
            lambda db: naive.get_user_bookings_with_room_type(db, user_id, limit=PAGE),
            lambda db: queries.get_user_bookings_with_room_type(
                db, user_id, limit=PAGE, include_payments=True
            ),
        ),
        Row(
            "before and after: report, statistics and occupancy of a year",
            0.99,
            lambda db: naive.get_report(db, place, *year),
            report,
        ),
    ]


async def _time(ask: Callable[[], Awaitable[Any]], seconds: float) -> list[int]:
    durations_ns: list[int] = []
    until_ns = perf_counter_ns() + int(seconds * NS_PER_S)
    while not durations_ns or (perf_counter_ns() < until_ns and len(durations_ns) < MOST_CALLS):
        started_ns = perf_counter_ns()
        await ask()
        durations_ns.append(perf_counter_ns() - started_ns)
    return durations_ns


async def _measure_booking(
    engine: Engine, bookings: int, before: str, after: str, rounds: int
) -> Figure:
    """Both sides write the same rows, durably; each client waits for its answer."""
    theirs: list[Summary] = []
    ours: list[Summary] = []
    async with open_as_others(before) as db, open_house(settings(after)) as house:
        next_id = IdSource(await take_node(db), utc_now).next
        actors = [await open_hotel(one) for one in (db, house.db)]

        async def one_by_one(request: CreateBooking) -> Outcome:
            return await naive.create_booking(db, next_id, request, wait_s=_PATIENCE_S)

        tune_runtime()
        for turn in range(rounds):
            theirs.append(await _book(one_by_one, actors[0], f"before-{turn}"))
            ours.append(await _book(house.admission.submit, actors[1], f"after-{turn}"))
    what = f"before and after: create a booking, {CLIENTS} clients on the same 3 nights"
    return _figure(
        f"{what}, {bookings:,} bookings",
        engine,
        median_summary(theirs),
        median_summary(ours),
        0.9,
        by="p95",
    )


async def _book(
    submit: Callable[[CreateBooking], Awaitable[Outcome]], actor: Actor, run: str
) -> Summary:
    numbers = count()
    durations_ns: list[int] = []
    started_ns = perf_counter_ns()
    until_ns = started_ns + int(BOOKING_S * NS_PER_S)

    async def client(number: int) -> None:
        rng = Random(number)
        while perf_counter_ns() < until_ns:
            request = booking_request(actor, rng, f"{run}-{next(numbers)}", hot=True)
            begun_ns = perf_counter_ns()
            outcome = await submit(request)
            durations_ns.append(perf_counter_ns() - begun_ns)
            assert isinstance(outcome.answer, Booking), outcome.answer

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return summarise(durations_ns, perf_counter_ns() - started_ns)


async def open_hotel(db: Database) -> Actor:
    """One more hotel in the group, whose nights are still to come, and who books in it."""
    ids = IdSource(await take_node(db), utc_now)
    wanted = NewProperty(
        code="hotel0",
        name="Hotel 0",
        currency="EUR",
        time_zone="Europe/Lisbon",
        first_night=first_night(),
        nights=NIGHTS,
        room_types=(
            NewRoomType(
                code="type0", name="Type 0", price_minor=9000, max_adults=2, capacity=1_000_000
            ),
        ),
    )

    async def unit(tx: Transaction) -> Actor:
        await create_property(tx, wanted, ids.next)
        users = await ensure_users(tx, {EMAIL: "Bench"}, ids.next)
        return Actor(users[EMAIL].id, "staff")

    return await db.transact(unit)


@asynccontextmanager
async def open_as_others(url: str) -> AsyncIterator[Database]:
    """A database as it is opened by those who know nothing of us: PostgreSQL without our
    settings."""
    if url.startswith("sqlite"):
        async with open_database(settings(url)) as db:
            yield db
        return

    async def connect() -> Any:
        return await asyncpg.connect(url, server_settings={"timezone": "UTC", "jit": "off"})

    postgres = PostgresDatabase(ConnectionPool(connect, CONNECTIONS))
    try:
        yield postgres
    finally:
        await postgres.close()


def _figure(
    what: str, engine: str, before: Summary, after: Summary, goal: float, *, by: str = "p50"
) -> Figure:
    less = 1 - getattr(after, f"{by}_us") / getattr(before, f"{by}_us")
    return Figure(
        what=what,
        engine=engine,
        measured=f"{less:.2%} less at {by} ({_shown(before)}; {_shown(after)})",
        goal=f"at least {goal * 100:g} % less",
        reached=less >= goal,
        command=COMMAND,
    )


def _shown(run: Summary) -> str:
    return f"p50 {_time_shown(run.p50_us)}, p95 {_time_shown(run.p95_us)}"


def _time_shown(us: float) -> str:
    if us >= 1e6:
        return f"{us / 1e6:.2f} s"
    return f"{us / 1000:.3g} ms" if us >= 1000 else f"{us:.0f} µs"
