"""PostgreSQL behind the database protocol: asyncpg with a pool, timeouts, and repeats."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from time import perf_counter_ns
from typing import Any, TypeVar

import asyncpg

from vacancy.db.adhoc import ADHOC_ROWS, ADHOC_S, AnyRow, numbered, require_question, too_slow
from vacancy.db.database import (
    ATTEMPTS,
    Clock,
    Repeat,
    SetChange,
    Transaction,
    Unit,
    utc_now,
)
from vacancy.db.gate import IN_UNIT, admit
from vacancy.db.postgres.changes import PostgresFeed
from vacancy.db.postgres.errors import (
    CONNECTING_ERRORS,
    CONNECTION_ERRORS,
    DRIVER_ERRORS,
    READ_ONLY,
    REPEATABLE,
    outcome_unknown,
    sqlstate,
    translated,
)
from vacancy.db.postgres.pool import Connection, ConnectionPool
from vacancy.db.statement import (
    AnyStatement,
    Engine,
    Row,
    SetStatement,
    Statement,
    together,
)
from vacancy.db.trace import Given, Trace
from vacancy.db.values import decoder, postgres_columns
from vacancy.db.waits import PoolRecord
from vacancy.errors import VacancyError

T = TypeVar("T")
_log = logging.getLogger(__name__)

STATEMENT_TIMEOUT_MS = 10_000
LOCK_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000
"""A unit whose process hangs must not keep its locks for ever."""
CONNECT_TIMEOUT_S = 5.0
SILENT_S = 12.0
"""A server that says nothing for so long is taken for gone: its own timeouts are shorter."""
HEAVY_S = 900
HEAVY_SETTINGS = f"SET LOCAL statement_timeout = '{HEAVY_S}s'; SET LOCAL enable_seqscan = on"
"""A heavy statement reads whole tables and takes its time."""


class PostgresSession:
    """Runs statements on one connection, counts them and translates errors."""

    engine: Engine = "postgresql"

    def __init__(self, connection: Connection, trace: Trace, now: datetime) -> None:
        self.now = now
        self.has_changed = False
        """Whether a change was sent, whatever it has found."""
        self._connection = connection
        self._trace = trace

    async def fetch_all(self, statement: Statement[Row], **params: Any) -> list[Row]:
        admit(statement)
        if statement.writes:
            self.has_changed = True
        arguments = [params[name] for name in statement.order]
        started_ns = perf_counter_ns()
        try:
            found = await self._connection.fetch(
                statement.postgresql, *arguments, timeout=HEAVY_S if statement.heavy else None
            )
        except DRIVER_ERRORS as error:
            self._trace.fail([(statement, params)], perf_counter_ns() - started_ns)
            raise translated(error, statement.name) from error
        rows = decoder(statement.row, "postgresql")(found)
        self._trace.add(statement, params, len(rows), perf_counter_ns() - started_ns)
        return rows

    async def fetch_one(self, statement: Statement[Row], **params: Any) -> Row | None:
        rows = await self.fetch_all(statement, **params)
        return rows[0] if rows else None

    async def fetch_set(
        self, statement: SetStatement[Row], rows: Sequence[Sequence[Any]]
    ) -> list[Row]:
        if not rows:
            return []
        admit(statement)
        if statement.writes:
            self.has_changed = True
        started_ns = perf_counter_ns()
        columns, same = postgres_columns(statement, rows)
        try:
            found = await self._connection.fetch(_set_text(statement, same), *columns)
        except DRIVER_ERRORS as error:
            self._trace.fail([(statement, rows)], perf_counter_ns() - started_ns)
            raise translated(error, statement.name) from error
        result = decoder(statement.row, "postgresql")(found)
        self._trace.add(statement, rows, len(result), perf_counter_ns() - started_ns)
        return result

    async def execute(self, statement: Statement[Any], **params: Any) -> int:
        admit(statement)
        arguments = [params[name] for name in statement.order]
        return await self._change(statement, params, statement.postgresql, arguments)

    async def execute_set(self, statement: SetStatement[Any], rows: Sequence[Sequence[Any]]) -> int:
        if not rows:
            return 0
        admit(statement)
        columns, same = postgres_columns(statement, rows)
        return await self._change(statement, rows, _set_text(statement, same), columns)

    async def execute_sets(self, changes: Sequence[SetChange]) -> list[int | None]:
        given = [change for change in changes if change[1]]
        if not given:
            return [0] * len(changes)
        statements = tuple(statement for statement, _ in given)
        for statement in statements:
            admit(statement)
        numbers: dict[tuple[object, ...], int] = {}
        sets: list[int] = []
        arguments: list[str | None] = []
        same: list[frozenset[int]] = []
        for statement, rows in given:
            number = numbers.setdefault((id(rows), *statement.columns), len(numbers))
            sets.append(number)
            if number == len(same):
                columns, alike = postgres_columns(statement, rows)
                arguments += columns
                same.append(alike)
        text = _together(statements, tuple(sets), tuple(same))
        self.has_changed = True
        started_ns = perf_counter_ns()
        try:
            counts = await self._connection.fetchrow(text, *arguments)
        except DRIVER_ERRORS as error:
            self._trace.fail(given, perf_counter_ns() - started_ns)
            raise translated(error, ", ".join(s.name for s in statements)) from error
        self._trace.add_together(given, perf_counter_ns() - started_ns)
        counted = iter(counts)
        return [
            0 if not rows else next(counted) if statement.counted else None
            for statement, rows in changes
        ]

    async def allow_heavy(self) -> None:
        """For the rest of this transaction."""
        await _command(self._connection, HEAVY_SETTINGS)

    async def _change(
        self, statement: AnyStatement, given: Given, sql: str, arguments: Sequence[Any]
    ) -> int:
        self.has_changed = True
        started_ns = perf_counter_ns()
        try:
            status: str = await self._connection.execute(sql, *arguments)
        except DRIVER_ERRORS as error:
            self._trace.fail([(statement, given)], perf_counter_ns() - started_ns)
            raise translated(error, statement.name) from error
        changed = int(status.rpartition(" ")[2] or 0) if status[-1].isdigit() else 0
        self._trace.add(statement, given, changed, perf_counter_ns() - started_ns)
        return changed


class PostgresDatabase:
    """A pool of connections to one PostgreSQL database, for one event loop."""

    engine: Engine = "postgresql"

    def __init__(
        self,
        pool: ConnectionPool,
        *,
        clock: Clock = utc_now,
        connect_feed: Callable[[], Awaitable[Connection]] | None = None,
    ) -> None:
        self.clock = clock
        self.trace = Trace(self.engine)
        self.commits = 0
        self.after_commit: Callable[[], Awaitable[None]] | None = None
        self._pool = pool
        self._connect_feed = connect_feed
        self._feeds: list[PostgresFeed] = []
        self._units: set[asyncio.Task[Any]] = set()

    async def fetch_all(self, statement: Statement[Row], **params: Any) -> list[Row]:
        if statement.heavy:
            return await self._fetch_heavy(statement, params)
        connection = self._pool.take() or await self._acquire()
        try:
            rows = await PostgresSession(connection, self.trace, _NEVER).fetch_all(
                statement, **params
            )
        except BaseException as error:
            self._pool.release(connection, sound=_is_sound(error))
            raise
        self._pool.release(connection)
        return rows

    async def fetch_one(self, statement: Statement[Row], **params: Any) -> Row | None:
        rows = await self.fetch_all(statement, **params)
        return rows[0] if rows else None

    async def fetch_set(
        self, statement: SetStatement[Row], rows: Sequence[Sequence[Any]]
    ) -> list[Row]:
        connection = self._pool.take() or await self._acquire()
        try:
            found = await PostgresSession(connection, self.trace, _NEVER).fetch_set(statement, rows)
        except BaseException as error:
            self._pool.release(connection, sound=_is_sound(error))
            raise
        self._pool.release(connection)
        return found

    async def _fetch_heavy(self, statement: Statement[Row], params: dict[str, Any]) -> list[Row]:
        async def unit(tx: Transaction) -> list[Row]:
            assert isinstance(tx, PostgresSession)
            await tx.allow_heavy()
            return await tx.fetch_all(statement, **params)

        return await self.transact(unit)

    async def adhoc(self, sql: str, *, limit: int = ADHOC_ROWS, **params: Any) -> list[AnyRow]:
        require_question(sql, limit)
        text, values = numbered(sql, params)
        connection = await self._acquire()
        try:
            # A cursor takes one statement and no more, and fetches what is asked for.
            look = connection.transaction(readonly=True)
            await look.start()
            try:
                await connection.execute(
                    f"SET LOCAL statement_timeout = '{ADHOC_S:g}s'; SET LOCAL enable_seqscan = on"
                )
                cursor = await connection.cursor(text, *values)
                found = await cursor.fetch(limit, timeout=ADHOC_S + 1)
            finally:
                # A commit would leave to others what the question has set in this session.
                await look.rollback()
                await connection.execute("SELECT pg_advisory_unlock_all()")
        except asyncpg.QueryCanceledError as error:
            raise too_slow() from error
        except DRIVER_ERRORS as error:
            if not isinstance(error, asyncpg.PostgresError):
                connection.terminate()
            raise translated(error, "adhoc") from error
        finally:
            self._pool.release(connection)
        return [tuple(row) for row in found]

    async def transact(
        self, unit: Unit[T], *, repeatable: bool = True, wait_s: float | None = None
    ) -> T:
        task = asyncio.get_running_loop().create_task(self._transact(unit, repeatable, wait_s))
        self._units.add(task)
        task.add_done_callback(self._units.discard)
        return await asyncio.shield(task)

    async def _transact(self, unit: Unit[T], repeatable: bool, wait_s: float | None) -> T:
        IN_UNIT.set(True)  # of this task alone
        for attempt in range(1, ATTEMPTS + 1):
            connection = await self._acquire(wait_s)
            try:
                result, has_changed = await self._attempt(unit, connection)
            except (VacancyError, Repeat) as error:
                if sqlstate(error.__cause__) == READ_ONLY:
                    connection.terminate()
                again = isinstance(error, Repeat) or sqlstate(error.__cause__) in REPEATABLE
                if not again or not repeatable or attempt == ATTEMPTS:
                    raise
                continue
            finally:
                self._pool.release(connection)
            self.commits += 1
            if has_changed:
                await self.settle()
            return result
        raise AssertionError("unreachable")

    async def settle(self) -> None:
        if self.after_commit is None:
            return
        try:
            await self.after_commit()
        except Exception:  # noqa: BLE001 - the unit is committed, and its caller must learn that
            _log.exception("after a commit")

    async def _attempt(self, unit: Unit[T], connection: Connection) -> tuple[T, bool]:
        """What the unit answers, and whether it has changed anything."""
        session = PostgresSession(connection, self.trace, self.clock())
        await _command(connection, "BEGIN")
        try:
            result = await unit(session)
        except BaseException:
            # The connection may be what was lost; then the server undoes the unit by itself, and
            # the unit's own error is the one to tell.
            try:
                await connection.execute("ROLLBACK")
            except DRIVER_ERRORS:
                connection.terminate()
            raise
        try:
            await connection.execute("COMMIT")
        except CONNECTION_ERRORS as error:
            connection.terminate()
            raise outcome_unknown(error) from error
        except asyncpg.PostgresError as error:
            raise translated(error, "COMMIT") from error
        return result, session.has_changed

    def pool_record(self) -> PoolRecord:
        return self._pool.record()

    def open_feed(self) -> PostgresFeed:
        assert self._connect_feed is not None, "this database was opened without an address"
        feed = PostgresFeed(self._connect_feed)
        self._feeds.append(feed)
        return feed

    async def _acquire(self, wait_s: float | None = None) -> Connection:
        try:
            return await self._pool.acquire(wait_s or CONNECT_TIMEOUT_S)
        except CONNECTING_ERRORS as error:
            raise translated(error, "connecting") from error

    async def close(self) -> None:
        """Lets the units under way end, then closes every connection."""
        if self._units:
            await asyncio.wait(self._units)
        for feed in self._feeds:
            await feed.close()
        await self._pool.close(CONNECT_TIMEOUT_S)


@cache
def _set_text(statement: SetStatement[Any], same: frozenset[int]) -> str:
    return statement.postgresql_given(statement.postgresql_rows(1, same))


_together = cache(together)
"""There are few combinations of changes; each text stays prepared on its connection."""

_NEVER = datetime.min.replace(tzinfo=UTC)
"""Reads outside a transaction have no fixed instant; none of them asks for it."""


async def _command(connection: Connection, word: str) -> None:
    try:
        await connection.execute(word)
    except DRIVER_ERRORS as error:
        connection.terminate()
        raise translated(error, word) from error


def _is_sound(error: BaseException) -> bool:
    """Whether a connection can be used again: the server itself has refused the statement, and not
    because it may only read (after a failover the new primary is somewhere else)."""
    return sqlstate(error.__cause__) not in ("", READ_ONLY)


async def open_postgres(
    url: str, *, clock: Clock = utc_now, connections: int = 8
) -> PostgresDatabase:
    """Connects to a database, with at most so many connections. The first one is made at once, so
    that a wrong address is told here."""

    async def connect(name: str = "vacancy", **settings: str) -> Connection:
        return await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=SILENT_S,
            server_settings={
                "application_name": name,
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
                "timezone": "UTC",
                "jit": "off",
                # Every quick statement of ours is served by an index. A plan that was made while a
                # table was small must not read all of it once it is large.
                "enable_seqscan": "off",
                "plan_cache_mode": "force_generic_plan",
                **settings,
            },
        )

    async def connect_feed() -> Connection:
        # A look that is far behind reads no more of the index than it may answer.
        return await connect("vacancy-changes", enable_bitmapscan="off")

    pool = ConnectionPool(connect, connections)
    try:
        pool.release(await pool.acquire(CONNECT_TIMEOUT_S))
    except CONNECTING_ERRORS as error:
        raise translated(error, "connecting") from error
    return PostgresDatabase(pool, clock=clock, connect_feed=connect_feed)
