"""The way in that migrations have for themselves: raw SQL, long timeouts, one at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import apsw
import asyncpg

from vacancy.db.changes import LOG_EVERYTHING, LOG_TABLE
from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.postgres.database import CONNECT_TIMEOUT_S, SILENT_S, PostgresSession
from vacancy.db.postgres.errors import CONNECTING_ERRORS, CONNECTION_ERRORS, DRIVER_ERRORS
from vacancy.db.postgres.errors import translated as postgres_translated
from vacancy.db.read_revision import read_revision
from vacancy.db.revision import get_revision
from vacancy.db.sqlite.database import SqliteTransaction
from vacancy.db.sqlite.locks import PresenceLock, WriteTurn
from vacancy.db.sqlite.session import SqliteSession, open_connection, use_wal
from vacancy.db.sqlite.session import translated as sqlite_translated
from vacancy.db.statement import Engine
from vacancy.db.trace import Trace
from vacancy.errors import Conflict, Unavailable, VacancyError

LOCK_WAIT_S = 60.0
_LOCK_POLL_S = 0.2
_ADVISORY_LOCK = 0x7661636D  # "vacm"
_LOCK_TIMEOUT = "5s"
_STATEMENT_TIMEOUT = "15min"
_STATEMENT_S = 16 * 60
_INDEX_S = 24 * 3600
"""How long we listen to a server that says nothing; its own timeouts are shorter, if it has any."""
_NO_INSTANT = datetime.min.replace(tzinfo=UTC)
"""A migration is at no instant; none of the statements that read the revision asks for one."""
_LOG_EVERYTHING_IF_LOGGED = f"""
DO $$ BEGIN
    IF to_regclass('{LOG_TABLE}') IS NOT NULL THEN
        {LOG_EVERYTHING};
    END IF;
END $$
"""
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

    async def run(self, statements: Sequence[str], *, transactional: bool) -> None:
        """Where changes are logged afterwards, the log says that everything has changed: no trigger
        tells what becomes of a table."""
        ...

    async def close(self) -> None: ...


async def open_migration_door(url: str) -> MigrationDoor:
    """Opens the door of the database that a URL names. A SQLite file is made if it is missing; one
    that is not ours is refused as it is, with `Unsupported` DATABASE_FOREIGN."""
    if engine_of(url) == "sqlite":
        path = sqlite_path(url)
        if path.exists():
            await read_revision(url)
        return SqliteMigrationDoor(path)
    try:
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=_STATEMENT_S,
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
        try:
            self._turn = WriteTurn(self._path)
        except BaseException:
            self._presence.release()
            raise
        try:
            self._connection = open_connection(self._path)
            self._connection.execute("PRAGMA foreign_keys = OFF")
        except BaseException:
            self._turn.close()
            self._presence.release()
            raise
        self._reader = SqliteTransaction(
            SqliteSession(self._connection, Trace("sqlite")), _NO_INSTANT
        )

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
        return await get_revision(self._reader)

    async def run(self, statements: Sequence[str], *, transactional: bool) -> None:
        # SQLite has nothing that cannot be part of a transaction: every revision is one.
        use_wal(self._connection)
        doing = "BEGIN IMMEDIATE"
        try:
            for doing in ("BEGIN IMMEDIATE", *statements):
                self._connection.execute(doing)
            self._refuse_orphans()
            doing = LOG_EVERYTHING
            if self._connection.table_exists("main", LOG_TABLE):
                self._connection.execute(doing)
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
        self._reader = PostgresSession(connection, Trace("postgresql"), _NO_INSTANT)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        await _poll(self._take_lock)
        try:
            yield
        finally:
            await self._quietly("SELECT pg_advisory_unlock($1)", _ADVISORY_LOCK)

    async def _take_lock(self) -> bool:
        sql = "SELECT pg_try_advisory_lock($1)"
        try:
            return bool(await self._connection.fetchval(sql, _ADVISORY_LOCK, timeout=SILENT_S))
        except DRIVER_ERRORS as error:
            raise postgres_translated(error, "taking the lock of migrations") from error

    async def _quietly(self, sql: str, *arguments: object) -> None:
        """What sets the connection to rights again. A connection that was lost has nothing to set
        right, and what went wrong before is what must be told."""
        if self._connection.is_closed():
            return
        try:
            await self._connection.fetchval(sql, *arguments, timeout=SILENT_S)
        except DRIVER_ERRORS:
            self._connection.terminate()

    async def revision(self) -> str | None:
        return await get_revision(self._reader)

    async def run(self, statements: Sequence[str], *, transactional: bool) -> None:
        if not transactional:
            for statement in (*statements, _LOG_EVERYTHING_IF_LOGGED):
                await self._run_alone(statement)
            return
        doing = "BEGIN"
        try:
            for doing in ("BEGIN", *statements, _LOG_EVERYTHING_IF_LOGGED, "COMMIT"):
                await self._connection.execute(doing)
        except DRIVER_ERRORS as error:
            await self._quietly("ROLLBACK")
            if doing == "COMMIT" and isinstance(error, CONNECTION_ERRORS):
                raise _outcome_unknown(error, doing) from error
            raise postgres_translated(error, _first_line(doing)) from error

    async def _run_alone(self, statement: str) -> None:
        try:
            concurrent = _CONCURRENTLY.match(statement)
            if concurrent is None:
                await self._connection.execute(statement)
            else:
                await self._run_concurrently(statement, concurrent["verb"], concurrent["index"])
        except CONNECTION_ERRORS as error:
            raise _outcome_unknown(error, _first_line(statement)) from error
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
                drop = f"DROP INDEX CONCURRENTLY {index}"
                await self._connection.execute(drop, timeout=_INDEX_S)
            is_done = valid is True if creating else valid is None
            if not is_done:
                await self._connection.execute(statement, timeout=_INDEX_S)
        finally:
            for setting in ("statement_timeout", "lock_timeout"):
                await self._quietly(f"RESET {setting}")

    async def close(self) -> None:
        try:
            await self._connection.close(timeout=CONNECT_TIMEOUT_S)
        except DRIVER_ERRORS:
            self._connection.terminate()


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


def _outcome_unknown(error: BaseException, doing: str) -> VacancyError:
    return Unavailable(
        "OUTCOME_UNKNOWN",
        f"The connection was lost ({type(error).__name__}), and whether this was done cannot be"
        f" told: {doing}.",
        hint="`vacancy db status` tells how far it came; `vacancy db migrate` does what is left.",
    )


def _first_line(sql: str) -> str:
    return sql.strip().splitlines()[0][:80]
