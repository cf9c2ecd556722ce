"""The way in that migrations have for themselves: raw SQL, long timeouts, one at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import apsw
import asyncpg

from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.postgres.database import CONNECT_TIMEOUT_S
from vacancy.db.postgres.errors import CONNECTING_ERRORS, DRIVER_ERRORS
from vacancy.db.postgres.errors import translated as postgres_translated
from vacancy.db.revision import VERSION_TABLE
from vacancy.db.sqlite.locks import PresenceLock, WriteTurn
from vacancy.db.sqlite.session import open_connection
from vacancy.db.sqlite.session import translated as sqlite_translated
from vacancy.db.statement import Engine
from vacancy.errors import Conflict, Unavailable

LOCK_WAIT_S = 60.0
_LOCK_POLL_S = 0.2
_ADVISORY_LOCK = 0x7661636D  # "vacm"
_LOCK_TIMEOUT = "5s"
_STATEMENT_TIMEOUT = "15min"
_CONCURRENTLY = re.compile(
    r"(?P<verb>CREATE|DROP)\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+"
    r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?P<index>[\w.\"]+)",
    re.IGNORECASE,
)


class MigrationDoor(Protocol):
    """What a migration needs of a database."""

    engine: Engine

    def locked(self) -> AbstractAsyncContextManager[None]: ...

    async def revision(self) -> str | None: ...

    async def run(self, statements: Sequence[str], *, transactional: bool) -> None: ...

    async def close(self) -> None: ...


async def open_migration_door(url: str) -> MigrationDoor:
    """Opens the door of the database that a URL names. A SQLite file is made if it is missing."""
    if engine_of(url) == "sqlite":
        return SqliteMigrationDoor(sqlite_path(url))
    try:
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            server_settings={
                "application_name": "vacancy-migrate",
                "lock_timeout": _LOCK_TIMEOUT,
                "statement_timeout": _STATEMENT_TIMEOUT,
            },
        )
    except CONNECTING_ERRORS as error:
        raise postgres_translated(error, "connecting") from error
    return PostgresMigrationDoor(connection)


class SqliteMigrationDoor:
    """One writer's turn for the whole migration.

    Foreign keys are off, because dropping a table that is being rebuilt would delete its children
    or be refused; each revision is checked for rows without their parent before it is committed.
    """

    engine: Engine = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._presence = PresenceLock(self._path)
        self._turn = WriteTurn(self._path)
        try:
            self._connection = open_connection(self._path)
            self._connection.execute("PRAGMA foreign_keys = OFF")
        except BaseException:
            self._turn.close()
            self._presence.release()
            raise

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        async def take() -> bool:
            return self._turn.take_at_once()

        await _poll(take)
        try:
            yield
        finally:
            self._turn.give_back()

    async def revision(self) -> str | None:
        try:
            if not self._connection.table_exists(None, VERSION_TABLE):
                return None
            sql = f"SELECT version_num FROM {VERSION_TABLE}"
            row = self._connection.execute(sql).fetchone()
        except apsw.Error as error:
            raise sqlite_translated(error, "reading the revision") from error
        return str(row[0]) if row else None

    async def run(self, statements: Sequence[str], *, transactional: bool) -> None:
        # SQLite has nothing that cannot be part of a transaction: every revision is one.
        doing = "BEGIN IMMEDIATE"
        try:
            for doing in ("BEGIN IMMEDIATE", *statements):
                self._connection.execute(doing)
            self._refuse_orphans()
            doing = "COMMIT"
            self._connection.execute(doing)
        except apsw.Error as error:
            raise sqlite_translated(error, _first_line(doing)) from error
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _refuse_orphans(self) -> None:
        orphan = self._connection.execute("PRAGMA foreign_key_check").fetchone()
        if orphan is not None:
            table, rowid, parent, _ = orphan
            raise Conflict(
                "CONSTRAINT_VIOLATED",
                f"The revision leaves a row of {table} (rowid {rowid}) without its {parent}.",
                hint="Nothing of this revision was changed. Mend the rows, then migrate again.",
            )

    async def close(self) -> None:
        self._connection.close()
        self._turn.close()
        self._presence.release()


class PostgresMigrationDoor:
    """One connection with an advisory lock, polled: a session that waits *inside* the lock call
    holds a snapshot, and CREATE INDEX CONCURRENTLY waits for every snapshot: a deadlock."""

    engine: Engine = "postgresql"

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        async def take() -> bool:
            return bool(
                await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", _ADVISORY_LOCK)
            )

        await _poll(take)
        try:
            yield
        finally:
            await self._connection.fetchval("SELECT pg_advisory_unlock($1)", _ADVISORY_LOCK)

    async def revision(self) -> str | None:
        try:
            there = await self._connection.fetchval(f"SELECT to_regclass('{VERSION_TABLE}')::text")
            if there is None:
                return None
            sql = f"SELECT version_num FROM {VERSION_TABLE}"
            revision = await self._connection.fetchval(sql)
        except DRIVER_ERRORS as error:
            raise postgres_translated(error, "reading the revision") from error
        return str(revision) if revision else None

    async def run(self, statements: Sequence[str], *, transactional: bool) -> None:
        if not transactional:
            for statement in statements:
                await self._run_alone(statement)
            return
        doing = "BEGIN"
        try:
            for doing in ("BEGIN", *statements, "COMMIT"):
                await self._connection.execute(doing)
        except DRIVER_ERRORS as error:
            if not self._connection.is_closed():
                await self._connection.execute("ROLLBACK")
            raise postgres_translated(error, _first_line(doing)) from error

    async def _run_alone(self, statement: str) -> None:
        try:
            concurrent = _CONCURRENTLY.match(statement)
            if concurrent is None:
                await self._connection.execute(statement)
            else:
                await self._run_concurrently(statement, concurrent["verb"], concurrent["index"])
        except DRIVER_ERRORS as error:
            raise postgres_translated(error, _first_line(statement)) from error

    async def _run_concurrently(self, statement: str, verb: str, index: str) -> None:
        """A build that failed or was killed leaves an INVALID index, which writers keep up to date
        and no reader may use: it goes before the next try. What an earlier try has finished is not
        done again."""
        creating = verb.upper() == "CREATE"
        valid = await self._connection.fetchval(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", index
        )
        # It waits for every transaction that may see the table, and nobody has to wait for it.
        await self._connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        try:
            if creating and valid is False:
                await self._connection.execute(f"DROP INDEX CONCURRENTLY {index}")
            is_done = valid is True if creating else valid is None
            if not is_done:
                await self._connection.execute(statement)
        finally:
            if not self._connection.is_closed():
                await self._connection.execute("RESET statement_timeout; RESET lock_timeout")

    async def close(self) -> None:
        await self._connection.close()


async def _poll(take: Callable[[], Awaitable[bool]]) -> None:
    deadline = asyncio.get_running_loop().time() + LOCK_WAIT_S
    while not await take():
        if asyncio.get_running_loop().time() >= deadline:
            raise Unavailable(
                "MIGRATION_RUNNING",
                f"Another migration has been running for over {LOCK_WAIT_S:.0f} s.",
                hint="Wait for it to end; `vacancy db status` shows how far it is.",
            )
        await asyncio.sleep(_LOCK_POLL_S)


def _first_line(sql: str) -> str:
    return sql.strip().splitlines()[0][:80]
