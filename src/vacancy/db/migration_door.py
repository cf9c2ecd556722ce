"""The way in that migrations have for themselves: raw SQL, long timeouts, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import apsw
import asyncpg

from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.postgres import CONNECT_TIMEOUT_S
from vacancy.db.postgres_errors import CONNECTING_ERRORS, DRIVER_ERRORS
from vacancy.db.postgres_errors import translated as postgres_translated
from vacancy.db.revision import VERSION_TABLE
from vacancy.db.sqlite_file import PresenceLock, WriteTurn
from vacancy.db.sqlite_session import open_connection
from vacancy.db.sqlite_session import translated as sqlite_translated
from vacancy.db.statement import Engine
from vacancy.errors import Unavailable

LOCK_WAIT_S = 60.0
_LOCK_POLL_S = 0.2
_ADVISORY_LOCK = 0x7661636D  # "vacm"
_LOCK_TIMEOUT = "5s"
_STATEMENT_TIMEOUT = "15min"


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
    """One writer's turn for the whole migration."""

    engine: Engine = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._presence = PresenceLock(self._path)
        self._turn = WriteTurn(self._path)
        try:
            self._connection = open_connection(self._path)
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
        doing = "BEGIN IMMEDIATE"
        try:
            if transactional:
                self._connection.execute(doing)
            for doing in statements:
                self._connection.execute(doing)
            if transactional:
                doing = "COMMIT"
                self._connection.execute(doing)
        except apsw.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise sqlite_translated(error, _first_line(doing)) from error

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
        doing = "BEGIN"
        try:
            if transactional:
                await self._connection.execute(doing)
            else:
                await self._connection.execute("SET statement_timeout = 0")
            for doing in statements:
                await self._connection.execute(doing)
            doing = "COMMIT"
            if transactional:
                await self._connection.execute(doing)
            else:
                await self._connection.execute(f"SET statement_timeout = '{_STATEMENT_TIMEOUT}'")
        except DRIVER_ERRORS as error:
            if transactional and not self._connection.is_closed():
                await self._connection.execute("ROLLBACK")
            raise postgres_translated(error, _first_line(doing)) from error

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
