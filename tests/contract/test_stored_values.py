"""Values as they go into a database and come back, and what it refuses, on both."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from tests.runnable import Statement
from tests.things import (
    FIND,
    GET,
    INSERT,
    INSERT_ONE,
    INSERT_OWNERS,
    LIST,
    NO_TABLE,
    THING,
    Thing,
    a_database,
    count,
    insert,
    values_of,
)
from vacancy.db.database import Transaction
from vacancy.errors import Conflict, Invalid, VacancyError


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 1000])
def test_sets_of_any_size(database_url: str, size: int) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            things = [Thing(n, n * n + 1000, f"thing {n}") for n in range(size)]
            assert await insert(db, *things) == size
            assert await count(db) == size
            found = await db.fetch_set(FIND, [(n,) for n in range(size)])
            assert sorted(found, key=lambda thing: thing.id) == things
            assert await db.fetch_set(FIND, [(-n,) for n in range(1, size + 1)]) == []

    asyncio.run(story())


EDGES = [
    Thing(1),
    Thing(-(2**63), 2**63 - 1),
    Thing(2**63 - 1, -(2**63)),
    Thing(2, 0, ""),
    Thing(3, name="NULL"),
    Thing(4, name="a,b{c}\"d\\e'f\n\t:g $1 ?"),
    Thing(5, name="Zoë 東京 \U0001f3e8 e\u0301 \u202e"),
    Thing(6, day=date(1, 1, 1)),
    Thing(7, day=date(9999, 12, 31)),
    Thing(8, day=date(2028, 2, 29)),
    Thing(9, at=datetime(1, 1, 1, tzinfo=UTC)),
    Thing(10, at=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    Thing(11, at=datetime(2027, 3, 1, 10, 0, 0, 1, tzinfo=UTC)),
    Thing(12, at=datetime(2027, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=14)))),
    Thing(13, at=datetime(2027, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=-11, minutes=-30)))),
    Thing(14, doc={}),
    Thing(15, doc={"a": [1, 2.5, None, True], "b": {"c": 'd"\\'}, "e": "ü東\n"}),
]


def test_values_come_back_as_they_went_in(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            assert await insert(db, *EDGES) == len(EDGES)
            for thing in EDGES:
                found = await db.fetch_one(GET, id=thing.id)
                assert found == thing
                if found.at is not None:
                    assert found.at.utcoffset() == timedelta(0)
            by_set = await db.fetch_set(FIND, [(thing.id,) for thing in EDGES])
            assert {thing.id: thing for thing in by_set} == {thing.id: thing for thing in EDGES}

    asyncio.run(story())


def test_named_parameters_carry_the_same_values(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            # The driver of PostgreSQL takes the very first and last moment for infinity.
            alike = [thing for thing in EDGES if thing.doc is None and thing.id not in (7, 9, 10)]

            async def unit(tx: Transaction) -> None:
                for thing in alike:
                    await tx.execute(
                        INSERT_ONE,
                        id=thing.id,
                        number=thing.number,
                        name=thing.name,
                        day=thing.day,
                        at=thing.at,
                    )

            await db.transact(unit)
            assert await db.fetch_all(LIST) == sorted(alike, key=lambda thing: thing.id)

    asyncio.run(story())


def test_instants_sort_as_time_goes(database_url: str) -> None:
    in_order = Statement(
        "test.in_order", f"SELECT {THING} FROM things ORDER BY at", row=Thing, reads=("things",)
    )

    async def story() -> None:
        async with a_database(database_url) as db:
            start = datetime(2027, 10, 31, tzinfo=UTC)
            east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-11))
            steps = [timedelta(0), timedelta(microseconds=1), timedelta(hours=5), timedelta(days=1)]
            zones = [east, UTC, west, east]
            things = [
                Thing(n, at=(start + step).astimezone(zone))
                for n, (step, zone) in enumerate(zip(steps, zones, strict=True))
            ]
            await insert(db, *reversed(things))
            assert [thing.id for thing in await db.fetch_all(in_order)] == [0, 1, 2, 3]

    asyncio.run(story())


def test_several_changes_at_once(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:

            async def unit(tx: Transaction) -> list[int | None]:
                owners = [(n,) for n in range(300)]
                things = [values_of(Thing(n, n, None)) for n in (1, 2)]
                return await tx.execute_sets([(INSERT_OWNERS, owners), (INSERT, things)])

            assert await db.transact(unit) == [300, 2]
            assert await count(db) == 2

            async def with_none(tx: Transaction) -> list[list[int | None]]:
                one = [values_of(Thing(3))]
                return [
                    await tx.execute_sets([]),
                    await tx.execute_sets([(INSERT_OWNERS, [])]),
                    await tx.execute_sets([(INSERT_OWNERS, []), (INSERT, one)]),
                ]

            assert await db.transact(with_none) == [[], [0], [0, 1]]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("thing", "kind", "code"),
    [
        (Thing(1), Conflict, "CONSTRAINT_VIOLATED"),
        (Thing(2, name="taken"), Conflict, "CONSTRAINT_VIOLATED"),
        (Thing(2, -13), Conflict, "CONSTRAINT_VIOLATED"),
        (Thing(2, owner_id=7), Conflict, "CONSTRAINT_VIOLATED"),
        (Thing(2**63), Invalid, "VALUE_REFUSED"),
    ],
    ids=["primary key", "unique", "check", "foreign key", "too many bits"],
)
def test_what_the_database_refuses_is_one_of_our_errors(
    database_url: str, thing: Thing, kind: type[VacancyError], code: str
) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            await insert(db, Thing(1, name="taken"))
            with pytest.raises(kind) as refused:
                await insert(db, thing)
            assert refused.value.code == code
            assert INSERT.name in refused.value.detail
            # The handle goes on working.
            await insert(db, Thing(3))
            assert await count(db) == 2

    asyncio.run(story())


def test_a_wrong_type_and_a_missing_table(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:

            async def unit(tx: Transaction) -> None:
                await tx.execute(INSERT_ONE, id=1, number="many", name="", day=None, at=None)

            with pytest.raises(Invalid) as refused:
                await db.transact(unit)
            assert refused.value.code == "VALUE_REFUSED"
            with pytest.raises(VacancyError, match=r"test\.no_table") as missing:
                await db.fetch_all(NO_TABLE)
            # SQLite has one code for every mistake in a text, and texts of errors are not read.
            wanted = {"sqlite": "STATEMENT_FAILED", "postgresql": "SCHEMA_MISMATCH"}
            assert missing.value.code == wanted[db.engine]

    asyncio.run(story())
