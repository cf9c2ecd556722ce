"""What is cached of the hotel, on both databases: whatever column of whatever row is changed, by
whomever, every cached answer is the database's own; and what was not touched stays."""

from __future__ import annotations

import asyncio
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import apsw
import asyncpg
import msgspec
import pytest

from tests.hotels import FIRST_NIGHT, Hotel, a_hotel
from vacancy.cache.query_cache import QueryCache
from vacancy.cache.reader import CachedReader
from vacancy.db.connect import sqlite_path
from vacancy.db.database import ClockedReader
from vacancy.errors import Internal, Missing, VacancyError
from vacancy.hotel.model import Status
from vacancy.hotel.queries import (
    check_room_availability,
    find_property,
    get_all_room_availability,
    get_booking_statistics,
    get_kpi_report,
    get_occupancy_rate,
    get_user_bookings_with_room_type,
    list_properties,
    list_room_types,
)
from vacancy.hotel.tracked import TRACKED
from vacancy.hotel.wiring import CACHED, NEVER_CACHED, STATEMENTS

EXACT = tuple(msgspec.structs.replace(cached, bound_ms=0) for cached in CACHED)
"""The same table with every answer exact, so that PostgreSQL can be held to it at once."""
NIGHT = timedelta(days=1)
UNTIL = FIRST_NIGHT + timedelta(days=120)

Question = Callable[[ClockedReader], Awaitable[Any]]


def _questions(hotel: Hotel) -> dict[str, Question]:
    """Every cached statement, asked for what is there and for what is not."""
    guest, nobody = hotel.guest.user_id, 99
    first, third = FIRST_NIGHT, FIRST_NIGHT + 2 * NIGHT
    confirmed: Status = "confirmed"
    return {
        "properties": list_properties,
        "property": lambda db: find_property(db, "alpine"),
        "no property": lambda db: find_property(db, "nowhere"),
        "room types": lambda db: list_room_types(db, "alpine"),
        "all rooms": lambda db: get_all_room_availability(db, "alpine", first, third),
        "double": lambda db: check_room_availability(db, "alpine", "double", first, third),
        "single": lambda db: check_room_availability(db, "alpine", "single", first, third),
        "no type": lambda db: check_room_availability(db, "alpine", "suite", first, third),
        "later": lambda db: check_room_availability(db, "alpine", "double", UNTIL, UNTIL + NIGHT),
        "bookings": lambda db: get_user_bookings_with_room_type(db, guest),
        "confirmed": lambda db: get_user_bookings_with_room_type(db, guest, status=confirmed),
        "no bookings": lambda db: get_user_bookings_with_room_type(db, nobody),
        "report": lambda db: get_kpi_report(db, "alpine", first, UNTIL, by="month"),
        "cut": lambda db: get_kpi_report(db, "alpine", first + NIGHT, UNTIL + NIGHT),
        "ten years": lambda db: get_kpi_report(db, "alpine", first, date(2036, 1, 1)),
        "occupancy": lambda db: get_occupancy_rate(db, "alpine", first, UNTIL),
        "of double": lambda db: get_occupancy_rate(db, "alpine", first, UNTIL, "double"),
        "statistics": lambda db: get_booking_statistics(db, "alpine", first, UNTIL),
        "of single": lambda db: get_booking_statistics(db, "alpine", first, UNTIL, "single"),
    }


async def _answer(question: Question, reads: ClockedReader) -> Any:
    """The answer, or the refusal; of rows that a stranger has made unreadable, that they are."""
    try:
        return await question(reads)
    except Missing as error:
        return error.to_refusal()
    except (Internal, msgspec.ValidationError, ValueError, KeyError) as error:
        return type(error)


class World:
    """A hotel with some bookings, a cached reader of it, and a stranger who changes rows."""

    def __init__(self, hotel: Hotel, reads: CachedReader, stranger: Stranger) -> None:
        self.hotel = hotel
        self.reads = reads
        self.stranger = stranger
        self.questions = _questions(hotel)

    async def answers(self) -> dict[str, Any]:
        return {name: await _answer(ask, self.reads) for name, ask in self.questions.items()}

    async def truths(self) -> dict[str, Any]:
        db = self.hotel.house.db
        return {name: await _answer(ask, db) for name, ask in self.questions.items()}

    async def missed(self) -> set[str]:
        """Asks everything again; the names of what was not answered by the cache alone."""
        names = set()
        for name, ask in self.questions.items():
            before = self.reads.cache.stats().misses
            await _answer(ask, self.reads)
            if self.reads.cache.stats().misses != before:
                names.add(name)
        return names


class Stranger:
    """A program that is none of ours: bare SQL, foreign keys off, one transaction for each text."""

    def __init__(self, connection: apsw.Connection | asyncpg.Connection[Any]) -> None:
        self._connection = connection
        self.engine = "sqlite" if isinstance(connection, apsw.Connection) else "postgresql"

    async def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Raises `VacancyError` when the database refuses it."""
        try:
            if isinstance(self._connection, apsw.Connection):
                return list(self._connection.execute(sql))
            return [tuple(row) for row in await self._connection.fetch(sql)]
        except (apsw.ConstraintError, apsw.MismatchError, asyncpg.PostgresError) as error:
            raise VacancyError("REFUSED", str(error)) from error

    async def columns(self, table: str) -> dict[str, str]:
        """Name to type, generated columns and identities left out."""
        if self.engine == "sqlite":
            rows = await self.run(f"SELECT name, lower(type) FROM pragma_table_info('{table}')")
        else:
            rows = await self.run(
                "SELECT column_name, data_type FROM information_schema.columns"
                f" WHERE table_name = '{table}' AND is_generated = 'NEVER'"
            )
        return {str(name): str(kind) for name, kind in rows}


@asynccontextmanager
async def a_world(url: str) -> AsyncIterator[World]:
    async with a_hotel(url) as hotel:
        await hotel.book(hotel.request(nights=2, rooms=2))
        await hotel.book(hotel.request(FIRST_NIGHT + NIGHT, 3, room_type="single"))
        held = await hotel.book(hotel.request(nights=1))
        await hotel.change("confirm", held.answer.id)  # type: ignore[union-attr]
        stranger = await _stranger(url)
        db = hotel.house.db
        cache = QueryCache(db.open_feed(), commits=lambda: db.commits)
        try:
            yield World(hotel, CachedReader(db, cache, EXACT), stranger)
        finally:
            await cache.close()
            if isinstance(stranger._connection, apsw.Connection):
                stranger._connection.close()
            else:
                await stranger._connection.close()


async def _stranger(url: str) -> Stranger:
    if url.startswith("sqlite"):
        # The same library, for the same process; but none of our settings.
        return Stranger(apsw.Connection(str(sqlite_path(url))))
    connection = await asyncpg.connect(url)
    await connection.execute("SET session_replication_role = replica")  # no foreign keys
    return Stranger(connection)


def _others(kind: str) -> tuple[str, ...]:
    """What a column of this type may be set to, as SQL; `{old}` is what it is."""
    if kind in ("integer", "bigint", "int"):
        return ("{old} + 1", "{old} - 1")
    if kind == "text":
        return ("{old} || '1'", "'confirmed'", "'cancelled'", "'USD'", "'2027-02-01'")
    if kind == "date":
        return ("{old} + 1", "{old} - 1")
    if kind == "jsonb":
        return ("""'[1, 2]'""",)
    return ()


async def _undone(world: World, table: str, change: str, rows: list[tuple[Any, ...]]) -> None:
    """Every row of the table as it was before."""
    run = world.stranger.run
    await run(f"DELETE FROM {table}")
    await run(f"INSERT INTO {table} ({change}) SELECT {change} FROM kept_{table}")


@pytest.mark.parametrize("tracked", TRACKED, ids=lambda tracked: tracked.table)
def test_whatever_is_changed_every_cached_answer_is_the_databases_own(
    database_url: str, tracked: Any
) -> None:
    async def story() -> None:
        async with a_world(database_url) as world:
            table, run = tracked.table, world.stranger.run
            columns = await world.stranger.columns(table)
            names = ", ".join(columns)
            await run(f"CREATE TABLE kept_{table} AS SELECT {names} FROM {table}")
            done = 0
            for column, kind in columns.items():
                for other in _others(kind):
                    before = await world.answers()
                    assert before == await world.truths()
                    assert await world.missed() == set()
                    value = other.format(old=column)
                    try:
                        await run(f"UPDATE {table} SET {column} = {value}")
                    except VacancyError:
                        continue  # a rule of the table forbids it
                    done += 1
                    truths = await world.truths()
                    assert await world.answers() == truths, f"{table}.{column} = {value}"
                    await _undone(world, table, names, [])
                    assert await world.answers() == before
            await run(f"DELETE FROM {table}")
            assert await world.answers() == await world.truths()
            await run(f"INSERT INTO {table} ({names}) SELECT {names} FROM kept_{table}")
            assert await world.answers() == await world.truths()
            if world.stranger.engine == "postgresql":
                await run(f"TRUNCATE {table} CASCADE")
                assert await world.answers() == await world.truths()
            assert done >= 2

    asyncio.run(story())


def test_what_was_not_touched_stays(database_url: str) -> None:
    async def story() -> None:
        async with a_world(database_url) as world:
            hotel = world.hotel

            async def missed_after(sql: str) -> set[str]:
                await world.answers()
                assert await world.missed() == set()
                await world.stranger.run(sql)
                return await world.missed()

            kinds = dict(await world.stranger.run("SELECT code, id FROM room_types"))
            night = f"UPDATE room_inventory SET out_of_order = 1 WHERE night = '{FIRST_NIGHT}'"
            of_nights = {"all rooms", "report", "cut", "ten years", "occupancy", "of double"}
            assert await missed_after(f"{night} AND room_type_id = {kinds['double']}") == {
                "double",
                *of_nights,
            }
            assert await missed_after(f"{night} AND room_type_id = {kinds['single']}") == {
                "single",
                *of_nights,
            }
            far = f"UPDATE room_inventory SET out_of_order = 1 WHERE night = '{UNTIL}'"
            assert await missed_after(far) == {"later", "cut", "ten years"}
            users = f"UPDATE bookings SET guest_name = 'A' WHERE user_id = {hotel.other.user_id}"
            assert await missed_after(users) == set()
            users = f"UPDATE bookings SET guest_name = 'A' WHERE user_id = {hotel.guest.user_id}"
            assert await missed_after(users) == {"bookings", "confirmed", "cut"}
            counts = "UPDATE booking_counts SET bookings = bookings + 1"
            assert await missed_after(counts) == {
                "statistics",
                "of single",
                "report",
                "cut",
                "ten years",
            }

            # A booking through our own path touches its night, its guest and the sums.
            await world.answers()
            await hotel.book(hotel.request(nights=1, actor=hotel.other))
            assert await world.missed() == {"double", "statistics", "of single", *of_nights}
            assert await world.answers() == await world.truths()
            by_source = world.reads.cache.stats().invalidations_by_source
            assert set(by_source) == {"own", "other"}
            assert sum(by_source.values()) == world.reads.cache.stats().invalidations

    asyncio.run(story())


def test_the_table_of_what_is_cached_is_whole() -> None:
    cached = {row.statement.name: row for row in CACHED}
    assert len(cached) == len(CACHED)
    of_cached = set()
    for module in STATEMENTS:
        names = {
            value.name for value in vars(module).values() if getattr(value, "name", "") in cached
        }
        of_cached |= names
        assert not (names and module in NEVER_CACHED), module.__name__
        assert names or module in NEVER_CACHED, f"{module.__name__}: cached or not, and why?"
    assert of_cached == set(cached)


def test_cached_statements_read_only_what_is_tracked() -> None:
    tracked = {one.table for one in TRACKED}
    for row in CACHED:
        # Payments are read where they were asked for, and then nothing is cached.
        beside = {"payments"} if row.unless is not None else set()
        assert set(row.statement.reads) - beside <= tracked, row.statement.name
        assert not row.statement.writes


def test_cached_rows_cannot_be_changed() -> None:
    def parts(kind: Any) -> Iterator[Any]:
        yield kind
        for part in typing.get_args(kind):
            yield from parts(part)

    def require_frozen(row: type[msgspec.Struct]) -> None:
        assert row.__struct_config__.frozen, row
        for hint in typing.get_type_hints(row).values():
            for kind in parts(hint):
                assert kind not in (list, dict, set), (row, hint)
                assert typing.get_origin(kind) not in (list, dict, set), (row, hint)
                if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                    require_frozen(kind)

    for cached in CACHED:
        require_frozen(cached.statement.row)
