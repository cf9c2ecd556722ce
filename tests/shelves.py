"""A small database of shelves and books whose changes are logged, on which feeds are tested without
any hotel. A book's tag is its shelf, the month in which it came, and its kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.outside import Outside, an_outsider
from tests.runnable import SetStatement, Statement
from tests.scratch_migrations import a_door
from tests.things import Number
from vacancy.db.change_triggers import Key, Month, Tracked, create_triggers
from vacancy.db.changes import NOTHING, Changes, Feed, is_instant
from vacancy.db.connect import connect, engine_of
from vacancy.db.database import Database
from vacancy.db.statement import NoRow
from vacancy.hotel.migrating import migrate_database

SHELVES = Tracked("shelves", ("id",), (Key(("name",)),))
BOOKS = Tracked(
    "books",
    ("shelf_id", Month("day"), "kind"),
    (Key(("id",)), Key(("shelf_id", "code"), "{row}.code <> ''")),
)
_TABLES = (
    "CREATE TABLE shelves (id {integer} PRIMARY KEY, name text NOT NULL UNIQUE)",
    """CREATE TABLE books (
        id {integer} PRIMARY KEY,
        shelf_id {integer} NOT NULL REFERENCES shelves (id) ON DELETE CASCADE ON UPDATE CASCADE,
        day {date} NOT NULL,
        kind {integer} NOT NULL,
        code text NOT NULL DEFAULT '',
        price {integer} NOT NULL DEFAULT 0
    )""",
    "CREATE UNIQUE INDEX uq_books_code ON books (shelf_id, code) WHERE code <> ''",
)
_ROWS = (
    "INSERT INTO shelves VALUES (1, 'one'), (2, 'two'), (3, 'three')",
    "INSERT INTO books VALUES (10, 1, '2026-03-01', 5, 'a', 0), (11, 1, '2026-03-31', 5, 'b', 0),"
    " (12, 1, '2026-04-01', 6, '', 0), (20, 2, '2026-03-01', 5, '', 0)",
)
ADD_BOOKS = SetStatement(
    "test.add_books",
    "INSERT INTO books (id, shelf_id, day, kind)\n{rows}",
    columns={"id": "integer", "shelf_id": "integer", "day": "date", "kind": "integer"},
    row=NoRow,
    writes=("books",),
)
RAISE_PRICES = Statement(
    "test.raise_prices",
    "UPDATE books SET price = price + 1 WHERE shelf_id = :shelf",
    row=NoRow,
    writes=("books",),
)

_SUM = "SELECT CAST(SUM(price) AS bigint) AS number FROM books"
SUM_PRICES = Statement("test.sum_prices", _SUM, row=Number, reads=("books",))
SUM_PRICES_HEAVILY = Statement(
    "test.sum_prices_heavily", _SUM, row=Number, reads=("books",), heavy=True
)


async def make_shelves(url: str) -> None:
    """The two tables with some rows, beside the log of the newest schema."""
    engine = engine_of(url)
    names = {"integer": "integer", "date": "text"}
    if engine == "postgresql":
        names = {"integer": "bigint", "date": "date"}
    await migrate_database(url)
    async with a_door(url) as door:
        tables = [text.format(**names) for text in _TABLES]
        triggers = create_triggers(engine, (SHELVES, BOOKS))
        await door.run([*tables, *triggers, *_ROWS], transactional=True)


class Watched:
    """A database, a feed that has had its first look, and somebody else who writes."""

    def __init__(self, url: str, db: Database, feed: Feed, outside: Outside) -> None:
        self.url = url
        self.db = db
        self.feed = feed
        self.outside = outside

    async def look(self) -> set[str]:
        """The tags of a look that does not answer everything."""
        changes = await look(self.feed)
        assert not changes.everything, changes
        return set(changes.tags)

    async def look_all(self) -> str:
        """Why a look answers everything; and the one after it nothing."""
        changes = await look(self.feed)
        assert changes.everything and not changes.tags, changes
        assert await look(self.feed) == NOTHING
        return changes.everything

    async def settle(self) -> None:
        await look(self.feed)
        assert await look(self.feed) == NOTHING

    async def seen_after(self, *statements: str) -> set[str]:
        """The tags of what somebody else does."""
        await self.outside.run(*statements)
        return await self.look()


async def look(feed: Feed) -> Changes:
    """In the quick way where there is one."""
    if is_instant(feed):
        return feed.look_now() or NOTHING
    return await feed.look()


@asynccontextmanager
async def watched_shelves(url: str) -> AsyncIterator[Watched]:
    await make_shelves(url)
    db = await connect(url)
    try:
        async with an_outsider(url) as outside:
            watched = Watched(url, db, db.open_feed(), outside)
            assert await watched.look_all() == "the first look"
            yield watched
    finally:
        await db.close()
