"""A small database of things and owners, on which `db` is tested without any hotel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

import msgspec

from tests.runnable import SetStatement, Statement
from vacancy.db.connect import connect
from vacancy.db.database import Database, Transaction
from vacancy.db.migration_door import open_migration_door
from vacancy.db.statement import NoRow

SQLITE_TABLES = (
    "CREATE TABLE owners (id INTEGER PRIMARY KEY) STRICT",
    """CREATE TABLE things (
        id INTEGER PRIMARY KEY,
        number INTEGER CHECK (number <> -13),
        name TEXT UNIQUE,
        day TEXT,
        at TEXT,
        doc TEXT,
        owner_id INTEGER REFERENCES owners (id)
    ) STRICT""",
)
POSTGRES_TABLES = (
    "CREATE TABLE owners (id bigint PRIMARY KEY)",
    """CREATE TABLE things (
        id bigint PRIMARY KEY,
        number bigint CHECK (number <> -13),
        name text UNIQUE,
        day date,
        at timestamptz,
        doc jsonb,
        owner_id bigint REFERENCES owners (id)
    )""",
)


class Thing(msgspec.Struct, frozen=True):
    id: int
    number: int | None = None
    name: str | None = None
    day: date | None = None
    at: datetime | None = None
    doc: dict[str, Any] | None = None
    owner_id: int | None = None


class Number(msgspec.Struct, frozen=True):
    number: int


THING = "id, number, name, day, at, doc, owner_id"
INSERT = SetStatement(
    "test.insert_things",
    f"INSERT INTO things ({THING})\n{{rows}}",
    columns={
        "id": "integer",
        "number": "integer",
        "name": "text",
        "day": "date",
        "at": "instant",
        "doc": "json",
        "owner_id": "integer",
    },
    row=NoRow,
    writes=("things",),
)
INSERT_OWNERS = SetStatement(
    "test.insert_owners",
    "INSERT INTO owners (id)\n{rows}",
    columns={"id": "integer"},
    row=NoRow,
    writes=("owners",),
)
INSERT_ONE = Statement(
    "test.insert_one",
    "INSERT INTO things (id, number, name, day, at) VALUES (:id, :number, :name, :day, :at)",
    row=NoRow,
    writes=("things",),
)
GET = Statement(
    "test.get_thing", f"SELECT {THING} FROM things WHERE id = :id", row=Thing, reads=("things",)
)
LIST = Statement(
    "test.list_things", f"SELECT {THING} FROM things ORDER BY id", row=Thing, reads=("things",)
)
FIND = SetStatement(
    "test.find_things",
    f"""
    WITH wanted (id) AS ({{rows}})
    SELECT {", ".join(f"t.{column}" for column in THING.split(", "))}
    FROM wanted AS w
    JOIN things AS t ON t.id = w.id
    ORDER BY t.id
    """,
    columns={"id": "integer"},
    row=Thing,
    reads=("things",),
)
COUNT = Statement("test.count", "SELECT COUNT(*) FROM things", row=Number, reads=("things",))
ADD = Statement(
    "test.add",
    "UPDATE things SET number = number + :by WHERE id = :id",
    row=NoRow,
    writes=("things",),
)
NO_TABLE = Statement("test.no_table", "SELECT id FROM nowhere", row=Number)
SLOW = Statement(
    "test.slow",
    """
    WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT 2000000)
    SELECT COUNT(*) FROM n
    """,
    postgresql="SELECT 2000000 FROM pg_sleep(0.5)",
    row=Number,
    heavy=True,
)


@asynccontextmanager
async def a_database(url: str, **options: Any) -> AsyncIterator[Database]:
    """The database of the URL with the two empty tables in it."""
    door = await open_migration_door(url)
    tables = SQLITE_TABLES if door.engine == "sqlite" else POSTGRES_TABLES
    await door.run(tables, transactional=True)
    await door.close()
    db = await connect(url, **options)
    try:
        yield db
    finally:
        await db.close()


async def insert(db: Database, *things: Thing) -> int:
    async def unit(tx: Transaction) -> int:
        return await tx.execute_set(INSERT, [values_of(thing) for thing in things])

    return await db.transact(unit)


def values_of(thing: Thing) -> tuple[Any, ...]:
    doc = None if thing.doc is None else msgspec.json.encode(thing.doc).decode()
    return (thing.id, thing.number, thing.name, thing.day, thing.at, doc, thing.owner_id)


async def count(db: Database) -> int:
    row = await db.fetch_one(COUNT)
    assert row is not None
    return row.number


async def number_of(db: Database, thing: int) -> int | None:
    row = await db.fetch_one(GET, id=thing)
    assert row is not None
    return row.number
