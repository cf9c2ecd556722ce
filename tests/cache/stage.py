"""Where the scenarios play: three small tables, a server's cache wired as in the product, and a
foreign program that changes things behind its back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from tests.cache.shell import Shell
from tests.cache.tables import (
    ALL_BOOKS,
    ALL_TABLES,
    BOOKS,
    BOTH,
    CACHED,
    LEAF,
    LEAVES,
    SHELF,
    Found,
    make_tables,
)
from vacancy.cache.query_cache import Limits, QueryCache, boot_clock
from vacancy.cache.reader import CachedReader
from vacancy.db.changes import Changes, Feed, is_instant
from vacancy.db.connect import connect, engine_of
from vacancy.db.database import Database
from vacancy.db.statement import Engine, Statement
from vacancy.errors import Unavailable

SHELVES = (1, 2, 3)
LEAF_IDS = (1, 2, 3)
FIRST_ROWS = (
    "DELETE FROM books",
    "DELETE FROM shelves",
    "DELETE FROM leaves",
    "INSERT INTO shelves (id, version) VALUES (1, 1), (2, 1), (3, 1)",
    "INSERT INTO books (id, shelf_id, code, version)"
    " VALUES (101, 1, 'a', 1), (102, 1, 'b', 1), (103, 2, 'c', 1), (104, 3, 'd', 1)",
    "INSERT INTO leaves (id, version) VALUES (1, 1), (2, 1), (3, 1)",
)
QUESTIONS: tuple[tuple[Statement[Found], dict[str, int]], ...] = (
    *((SHELF, {"shelf": shelf}) for shelf in SHELVES),
    *((BOOKS, {"shelf": shelf}) for shelf in SHELVES),
    *((BOTH, {"shelf": shelf}) for shelf in SHELVES),
    *((LEAF, {"leaf": leaf}) for leaf in LEAF_IDS),
    (ALL_BOOKS, {}),
    (LEAVES, {}),
)


class HandClock:
    """A clock that is set by hand, in seconds."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class HeldFeed:
    """The real feed, whose answers come late or not at all when a scenario says so."""

    def __init__(self, feed: Feed) -> None:
        self.instant = feed.instant
        self.failures = 0
        """So many of the next looks are lost."""
        self.held = 0
        """So many looks have been made and wait to be let through."""
        self._feed = feed
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def let_go(self) -> None:
        self._open.set()

    def look_now(self) -> Changes | None:
        assert is_instant(self._feed)
        return self._feed.look_now()

    async def look(self) -> Changes:
        if self.failures:
            self.failures -= 1
            raise Unavailable("DATABASE_UNREACHABLE", "The network swallowed it.")
        changes = await self._feed.look()
        self.held += 1
        await self._open.wait()
        self.held -= 1
        return changes

    async def close(self) -> None:
        await self._feed.close()


class Server(msgspec.Struct):
    """One process of ours: its database, its cache, and what stands before both."""

    db: Database
    cache: QueryCache
    reader: CachedReader
    feed: HeldFeed

    async def rows(self, statement: Statement[Found], **params: int) -> dict[int, int]:
        """Versions by id."""
        return versions(await self.reader.fetch_all(statement, **params))

    async def shelf(self, shelf: int = 1, statement: Statement[Found] = SHELF) -> int:
        """The version of a shelf."""
        return (await self.rows(statement, shelf=shelf))[shelf]

    async def warm(self) -> None:
        """Everything is asked twice: it is stored then."""
        for _ in range(2):
            for statement, params in QUESTIONS:
                await self.rows(statement, **params)


def versions(rows: list[Found] | tuple[Found, ...]) -> dict[int, int]:
    return {row.id: row.version for row in rows}


class Stage:
    """One database on which scenarios play one after the other."""

    def __init__(self, url: str, more: Sequence[str] = ()) -> None:
        """`more` is DDL that is run after the tables were made."""
        self.url = url
        self.engine: Engine = engine_of(url)
        self._more = more
        self.shell = Shell(url)
        self._shells = [self.shell]

    def another_shell(self) -> Shell:
        """A second foreign program, or one in the place of the first."""
        shell = Shell(self.url)
        self._shells.append(shell)
        return shell

    def reopen_shell(self) -> None:
        """The foreign program ends and is started again."""
        self.shell.__exit__(None, None, None)
        self.shell = self.another_shell()

    async def change(self, *statements: str) -> None:
        """The foreign program does this and is told that it is committed."""
        await self.shell.do(*statements)

    async def set_shelf(self, version: int, shelf: int = 1) -> None:
        await self.change(f"UPDATE shelves SET version = {version} WHERE id = {shelf}")

    @asynccontextmanager
    async def server(
        self, *, limits: Limits | None = None, clock: Callable[[], float] = boot_clock
    ) -> AsyncIterator[Server]:
        """Wired as `bootstrap` does it."""
        options: dict[str, Any] = {"synchronous": "OFF"} if self.engine == "sqlite" else {}
        db = await connect(self.url, connections=4, **options)
        try:
            feed = HeldFeed(db.open_feed())
            cache = QueryCache(feed, limits=limits, clock=clock)
            db.after_commit = cache.settle
            reader = CachedReader(db, cache, CACHED)
            try:
                yield Server(db, cache, reader, feed)
            finally:
                feed.let_go()
                await cache.close()
        finally:
            await db.close()

    async def must_be_true(self, server: Server, when: str) -> None:
        """Whatever is asked of the server is what the foreign program finds."""
        for statement, params in QUESTIONS:
            sql = statement.sqlite
            for name, value in params.items():
                sql = sql.replace(f":{name}", str(value))
            (truth,) = await self.shell.do(sql)
            found = await server.rows(statement, **params)
            expected = {row[0]: row[1] for row in truth}
            assert found == expected, f"{when}: {statement.name} {params}: {found}, not {expected}"

    async def begin_anew(self) -> None:
        """The first rows again."""
        await self.change(*FIRST_ROWS)

    async def rebuild(self) -> None:
        """Another database at the same place, with tables and rows."""
        await self.clear_away()
        await make_tables(self.url, self._more)
        await self.begin_anew()

    async def clear_away(self) -> None:
        """No tables are left."""
        drops = [f"DROP TABLE IF EXISTS {table}" for table in ALL_TABLES]
        if self.engine == "postgresql":
            drops = ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"]
        await self.change(*drops)

    def close(self) -> None:
        for shell in self._shells:
            shell.__exit__(None, None, None)


Play = Callable[[Stage], Awaitable[None]]


class Scenario(msgspec.Struct, frozen=True):
    """A short story whose assertions hold unless the cache breaks a promise."""

    play: Play
    engines: tuple[Engine, ...]
    destroys: bool
    """The tables are not what they were afterwards."""

    @property
    def name(self) -> str:
        return getattr(self.play, "__name__", "?").replace("_", " ")


SCENARIOS: list[Scenario] = []


def scenario(*engines: Engine, destroys: bool = False) -> Callable[[Play], Play]:
    """Adds a story to the list; on both databases unless it says on which."""

    def add(play: Play) -> Play:
        SCENARIOS.append(Scenario(play, engines or ("sqlite", "postgresql"), destroys))
        return play

    return add


async def until(condition: Callable[[], bool]) -> None:
    """Lets others go on until it holds; a few seconds at most."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is awaited is in another process
            await asyncio.sleep(0.001)
