"""PostgreSQL behind the database protocol: asyncpg with a pool, timeouts, and repeats."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import Any, TypeVar

import asyncpg

from vacancy.db.database import Clock, Repeat, Unit, utc_now
from vacancy.db.postgres_errors import (
    CONNECTING_ERRORS,
    CONNECTION_ERRORS,
    DRIVER_ERRORS,
    REPEATABLE,
    outcome_unknown,
    sqlstate,
    translated,
)
from vacancy.db.statement import Engine, Row, SetStatement, Statement
from vacancy.db.trace import Trace
from vacancy.db.values import decoder
from vacancy.errors import VacancyError

T = TypeVar("T")

STATEMENT_TIMEOUT_MS = 10_000
LOCK_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000
"""A unit whose process hangs must not keep its locks for ever."""
CONNECT_TIMEOUT_S = 5.0
ATTEMPTS = 5
"""How often a repeatable unit is run before the caller is told that the database is busy."""

Connection = Any  # asyncpg's pool hands out a proxy that has the methods of its connection


class PostgresSession:
    """Runs statements on one connection, counts them and translates errors."""

    engine: Engine = "postgresql"

    def __init__(self, connection: Connection, trace: Trace, now: datetime) -> None:
        self.now = now
        self._connection = connection
        self._stats = trace.statements

    async def fetch_all(self, statement: Statement[Row], **params: Any) -> list[Row]:
        arguments = [params[name] for name in statement.order]
        started_ns = perf_counter_ns()
        try:
            found = await self._connection.fetch(statement.postgresql, *arguments)
        except DRIVER_ERRORS as error:
            self._stats[statement.name].errors += 1
            raise translated(error, statement.name) from error
        rows = decoder(statement.row, "postgresql")(found)
        self._stats[statement.name].add(len(rows), perf_counter_ns() - started_ns)
        return rows

    async def fetch_one(self, statement: Statement[Row], **params: Any) -> Row | None:
        rows = await self.fetch_all(statement, **params)
        return rows[0] if rows else None

    async def fetch_set(
        self, statement: SetStatement[Row], rows: Sequence[Sequence[Any]]
    ) -> list[Row]:
        if not rows:
            return []
        started_ns = perf_counter_ns()
        columns = [list(column) for column in zip(*rows, strict=True)]
        try:
            found = await self._connection.fetch(statement.postgresql, *columns)
        except DRIVER_ERRORS as error:
            self._stats[statement.name].errors += 1
            raise translated(error, statement.name) from error
        result = decoder(statement.row, "postgresql")(found)
        self._stats[statement.name].add(len(rows), perf_counter_ns() - started_ns)
        return result

    async def execute(self, statement: Statement[Any], **params: Any) -> int:
        arguments = [params[name] for name in statement.order]
        return await self._change(statement.name, statement.postgresql, arguments)

    async def execute_set(self, statement: SetStatement[Any], rows: Sequence[Sequence[Any]]) -> int:
        if not rows:
            return 0
        columns = [list(column) for column in zip(*rows, strict=True)]
        return await self._change(statement.name, statement.postgresql, columns)

    async def _change(self, name: str, sql: str, arguments: list[Any]) -> int:
        started_ns = perf_counter_ns()
        try:
            status: str = await self._connection.execute(sql, *arguments)
        except DRIVER_ERRORS as error:
            self._stats[name].errors += 1
            raise translated(error, name) from error
        changed = int(status.rpartition(" ")[2] or 0) if status[-1].isdigit() else 0
        self._stats[name].add(changed, perf_counter_ns() - started_ns)
        return changed


class PostgresDatabase:
    """A pool of connections to one PostgreSQL database, for one event loop."""

    engine: Engine = "postgresql"

    def __init__(self, pool: Any, *, clock: Clock = utc_now) -> None:
        self.clock = clock
        self.trace = Trace()
        self._pool = pool
        self._units: set[asyncio.Task[Any]] = set()

    async def fetch_all(self, statement: Statement[Row], **params: Any) -> list[Row]:
        connection = await self._acquire()
        try:
            session = PostgresSession(connection, self.trace, _NEVER)
            return await session.fetch_all(statement, **params)
        finally:
            await self._release(connection)

    async def fetch_one(self, statement: Statement[Row], **params: Any) -> Row | None:
        rows = await self.fetch_all(statement, **params)
        return rows[0] if rows else None

    async def fetch_set(
        self, statement: SetStatement[Row], rows: Sequence[Sequence[Any]]
    ) -> list[Row]:
        connection = await self._acquire()
        try:
            return await PostgresSession(connection, self.trace, _NEVER).fetch_set(statement, rows)
        finally:
            await self._release(connection)

    async def transact(
        self, unit: Unit[T], *, repeatable: bool = True, wait_s: float | None = None
    ) -> T:
        task = asyncio.get_running_loop().create_task(self._transact(unit, repeatable, wait_s))
        self._units.add(task)
        task.add_done_callback(self._units.discard)
        return await asyncio.shield(task)

    async def _transact(self, unit: Unit[T], repeatable: bool, wait_s: float | None) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            connection = await self._acquire(wait_s)
            try:
                return await self._attempt(unit, connection)
            except (VacancyError, Repeat) as error:
                again = isinstance(error, Repeat) or sqlstate(error.__cause__) in REPEATABLE
                if not again or not repeatable or attempt == ATTEMPTS:
                    raise
            finally:
                await self._release(connection)
        raise AssertionError("unreachable")

    async def _attempt(self, unit: Unit[T], connection: Connection) -> T:
        await _command(connection, "BEGIN")
        try:
            result = await unit(PostgresSession(connection, self.trace, self.clock()))
        except BaseException:
            if not connection.is_closed():
                await _command(connection, "ROLLBACK")
            raise
        try:
            await connection.execute("COMMIT")
        except CONNECTION_ERRORS as error:
            raise outcome_unknown(error) from error
        except asyncpg.PostgresError as error:
            raise translated(error, "COMMIT") from error
        return result

    async def _acquire(self, wait_s: float | None = None) -> Connection:
        try:
            return await self._pool.acquire(timeout=wait_s or CONNECT_TIMEOUT_S)
        except CONNECTING_ERRORS as error:
            raise translated(error, "connecting") from error

    async def _release(self, connection: Connection) -> None:
        await self._pool.release(connection)

    async def close(self) -> None:
        """Lets the units under way end, then closes every connection."""
        if self._units:
            await asyncio.wait(self._units)
        try:
            await asyncio.wait_for(self._pool.close(), CONNECT_TIMEOUT_S)
        except TimeoutError:
            self._pool.terminate()


_NEVER = datetime.min.replace(tzinfo=UTC)
"""Reads outside a transaction have no fixed instant; none of them asks for it."""


async def _command(connection: Connection, word: str) -> None:
    try:
        await connection.execute(word)
    except DRIVER_ERRORS as error:
        raise translated(error, word) from error


async def _keep_as_it_is(connection: Connection) -> None:
    """The pool would reset each connection when it comes back, at the price of a round trip. We
    change no setting on a connection, and `_attempt` leaves no transaction open."""
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


async def open_postgres(
    url: str, *, clock: Clock = utc_now, connections: int = 8
) -> PostgresDatabase:
    """Connects to a database; `connections` is the pool's largest size."""
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=connections,
            reset=_keep_as_it_is,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=60,
            server_settings={
                "application_name": "vacancy",
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
                "timezone": "UTC",
                "jit": "off",
                "enable_seqscan": "off",
            },
        )
    except CONNECTING_ERRORS as error:
        raise translated(error, "connecting") from error
    return PostgresDatabase(pool, clock=clock)
