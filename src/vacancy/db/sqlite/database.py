"""SQLite behind the database protocol.

Reads run at once on the caller's thread: they take microseconds, a thread hop costs more. Writes
take turns on one connection. Their statements run on the caller's thread too; what may wait, the
turn to write and the disk's sync at commit, happens on the writer thread; the sync not where other
processes queue for the turn. Measured against running whole transactions on that thread: the same
rate and a third less delay at p99, because two busy threads do not fight for the interpreter at
each statement.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from pathlib import Path
from time import monotonic, perf_counter_ns
from typing import Any, TypeVar

import apsw

from vacancy.db.adhoc import (
    ADHOC_ROWS,
    ADHOC_S,
    AnyRow,
    require_question,
    require_single,
    too_slow,
)
from vacancy.db.database import (
    ATTEMPTS,
    Clock,
    Repeat,
    SetChange,
    Unit,
    utc_now,
)
from vacancy.db.gate import COUNT, IN_UNIT, Counted, admit, request_id_now
from vacancy.db.sqlite.changes import SqliteFeed
from vacancy.db.sqlite.checkpoints import Checkpoints
from vacancy.db.sqlite.locks import PresenceLock, WriteTurn
from vacancy.db.sqlite.session import (
    BUSY_TIMEOUT_MS,
    DRIVER_ERRORS,
    SqliteSession,
    map_pages,
    open_connection,
    translated,
    use_wal,
)
from vacancy.db.sqlite.writer_thread import WriterThread
from vacancy.db.statement import Engine, Row, SetStatement, Statement
from vacancy.db.trace import Trace
from vacancy.db.values import sqlite_parameters
from vacancy.db.waits import PoolRecord, Waits, pool_record
from vacancy.errors import Misconfigured, Unavailable, VacancyError

T = TypeVar("T")

WAIT_S = 30.0
"""How long a unit waits for the turn to write if it does not say."""


class SqliteTransaction:
    """The writer's connection between BEGIN and COMMIT."""

    engine: Engine = "sqlite"

    def __init__(self, session: SqliteSession, now: datetime) -> None:
        self.now = now
        self._session = session

    async def fetch_all(self, statement: Statement[Row], **params: Any) -> list[Row]:
        return self._session.fetch_all(statement, params)

    async def fetch_one(self, statement: Statement[Row], **params: Any) -> Row | None:
        rows = self._session.fetch_all(statement, params)
        return rows[0] if rows else None

    async def fetch_set(
        self, statement: SetStatement[Row], rows: Sequence[Sequence[Any]]
    ) -> list[Row]:
        return self._session.run_set(statement, rows)[0]

    async def execute(self, statement: Statement[Any], **params: Any) -> int:
        return self._session.execute(statement, params)

    async def execute_set(self, statement: SetStatement[Any], rows: Sequence[Sequence[Any]]) -> int:
        return self._session.run_set(statement, rows)[1]

    async def execute_sets(self, changes: Sequence[SetChange]) -> list[int | None]:
        return [self._session.run_set(statement, rows)[1] for statement, rows in changes]


class SqliteDatabase:
    """One SQLite file, for one event loop. Open as many as there are loops or processes."""

    engine: Engine = "sqlite"

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock = utc_now,
        vfs: str | None = None,
        synchronous: str = "FULL",
    ) -> None:
        self.path = path.resolve()
        self.clock = clock
        self.trace = Trace(self.engine)
        self.commits = 0
        self._presence = PresenceLock(self.path)
        try:
            self._turn = WriteTurn(self.path)
        except BaseException:
            self._presence.release()
            raise
        self.after_commit: Callable[[], Awaitable[None]] | None = None
        self._open: Callable[[bool], SqliteSession] = lambda create: SqliteSession(
            open_connection(self.path, vfs=vfs, create=create, synchronous=synchronous), self.trace
        )
        self._checkpoints = Checkpoints(
            lambda: open_connection(self.path, vfs=vfs, synchronous=synchronous)
        )
        try:
            self._writer = self._open_writer(create=True)
            self._reader = self._open(False)
            map_pages(self._reader.connection)
        except BaseException:
            self._turn.close()
            self._presence.release()
            raise
        self._heavy_reader: SqliteSession | None = None
        self._heavy_thread = ThreadPoolExecutor(1, "sqlite-heavy")
        self._writer_thread = WriterThread("sqlite-writer")
        self._writing = asyncio.Lock()
        self._waits = Waits()
        self._abandoned: asyncio.Future[None] | None = None
        self._units: set[asyncio.Task[Any]] = set()
        self._is_wal = False
        self._reader_follows = False
        self._feeds: list[SqliteFeed] = []
        self._closed = False

    def _open_writer(self, *, create: bool) -> SqliteSession:
        session = self._open(create)
        self._checkpoints.begin(session.connection)
        return session

    async def fetch_all(self, statement: Statement[Row], **params: Any) -> list[Row]:
        if statement.heavy:
            self._require_open(statement.name)
            admit(statement)  # here, where the request is known that asks for it
            # The thread knows whose request it works for, and counts nothing a second time.
            context = copy_context()
            context.run(COUNT.set, Counted(request_id_now()))
            return await asyncio.get_running_loop().run_in_executor(
                self._heavy_thread, context.run, self._fetch_heavy, statement, params
            )
        return self._reader.fetch_all(statement, params)

    async def fetch_one(self, statement: Statement[Row], **params: Any) -> Row | None:
        # Not through `fetch_all`: one coroutine less, for what is asked most.
        rows = (
            await self.fetch_all(statement, **params)
            if statement.heavy
            else self._reader.fetch_all(statement, params)
        )
        return rows[0] if rows else None

    async def fetch_set(
        self, statement: SetStatement[Row], rows: Sequence[Sequence[Any]]
    ) -> list[Row]:
        if not rows or statement.chunk(len(rows)) == len(rows):
            return self._reader.run_set(statement, rows)[0]
        # Several statements: another process may commit between two of them.
        self._reader.command("BEGIN")
        try:
            return self._reader.run_set(statement, rows)[0]
        finally:
            self._reader.command("ROLLBACK")

    async def adhoc(self, sql: str, *, limit: int = ADHOC_ROWS, **params: Any) -> list[AnyRow]:
        require_question(sql, limit)
        self._require_open("adhoc")
        # On a thread of its own: heavy reads of the server do not wait for a tool.
        return await asyncio.to_thread(self._fetch_adhoc, sql, limit, params)

    def _require_open(self, doing: str) -> None:
        if self._closed:
            # The descriptors of the turn may be another file's by now.
            raise Misconfigured("DATABASE_CLOSED", f"The database is closed ({doing}).")

    def _fetch_adhoc(self, sql: str, limit: int, params: dict[str, Any]) -> list[AnyRow]:
        connection = open_connection(self.path, read_only=True)
        deadline = monotonic() + ADHOC_S
        # Asked every few thousand steps of SQLite's machine: true ends the statement.
        connection.set_progress_handler(lambda: monotonic() > deadline, 10_000)
        # The driver would run one after the other, VACUUM INTO and ATTACH as well.
        questions: list[str] = []

        def begin(cursor: apsw.Cursor, text: str, values: object) -> bool:
            if cursor.has_vdbe:  # more than a comment
                questions.append(text)
            return require_single(questions)

        connection.exec_trace = begin
        try:
            cursor = connection.execute(sql, sqlite_parameters(params))
            return list(itertools.islice(cursor, limit))
        except apsw.InterruptError as error:
            raise too_slow() from error
        except DRIVER_ERRORS as error:
            raise translated(error, "adhoc") from error
        finally:
            connection.close(force=True)

    def _fetch_heavy(self, statement: Statement[Row], params: dict[str, Any]) -> list[Row]:
        if self._heavy_reader is None or self._heavy_reader.has_moved():
            self._heavy_reader = self._open_anew(self._heavy_reader)
            map_pages(self._heavy_reader.connection)
        return self._heavy_reader.fetch_all(statement, params)

    async def settle(self) -> None:
        """Nothing waits for a commit here: every exact read looks."""

    def pool_record(self) -> PoolRecord:
        return pool_record(
            self._waits,
            engine="sqlite",
            size=1,
            opened=1,
            idle=int(not self._units),
            waiting=max(len(self._units) - 1, 0),
        )

    def open_feed(self) -> SqliteFeed:
        feed = SqliteFeed(self.path, on_opened=self._renew_reader)
        self._feeds.append(feed)
        return feed

    def _renew_reader(self) -> None:
        """Reads the file that stands at the path, should another one have been put there."""
        if not self._closed and self._reader.has_moved():
            self._reader = self._open_anew(self._reader)
            map_pages(self._reader.connection)

    def _open_anew(self, session: SqliteSession | None) -> SqliteSession:
        """In the place of a session on a file that is gone. Makes none: where no file stands, one
        is about to be put there."""
        opened = self._open(False)
        if session is not None:
            session.connection.close(force=True)
        return opened

    async def transact(
        self,
        unit: Unit[T],
        *,
        repeatable: bool = True,
        wait_s: float | None = None,
    ) -> T:
        self._require_open("transaction")
        task = asyncio.get_running_loop().create_task(
            self._transact(unit, repeatable, WAIT_S if wait_s is None else wait_s)
        )
        self._units.add(task)
        task.add_done_callback(self._units.discard)
        return await asyncio.shield(task)

    async def _transact(self, unit: Unit[T], repeatable: bool, wait_s: float) -> T:
        IN_UNIT.set(True)  # of this task alone
        wanted_at_ns = perf_counter_ns()
        async with self._writing:
            for attempt in range(1, ATTEMPTS + 1):
                waited = await self._begin(wait_s)
                if attempt == 1:
                    self._waits.add(perf_counter_ns() - wanted_at_ns)
                try:
                    if self._reader_follows:
                        self._renew_reader()
                        self._reader_follows = False
                    result = await unit(SqliteTransaction(self._writer, self.clock()))
                except Repeat:
                    self._roll_back()
                    if not repeatable or attempt == ATTEMPTS:
                        raise
                except BaseException:
                    self._roll_back()
                    raise
                else:
                    # Where processes queue for the turn, the two hops to the thread and back cost
                    # all of them more than the sync costs this loop.
                    if waited:
                        self._commit()
                    else:
                        await self._on_writer_thread(self._commit)
                    return result
        raise AssertionError("unreachable")

    def _commit(self) -> None:
        """Commits and gives the turn back on the same thread, not when the loop comes round to it:
        another process waits for it."""
        try:
            self._writer.command("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        try:
            self._checkpoints.after_commit(self._writer.connection)
        finally:
            self.commits += 1
        self._turn.give_back()

    def _roll_back(self) -> None:
        """Whatever happens to the transaction, the turn goes on to the others."""
        try:
            if self._writer.connection.in_transaction:
                self._writer.command("ROLLBACK")
        except VacancyError:
            # What cannot even be undone goes with its connection: SQLite undoes it on opening.
            self._writer.connection.close(force=True)
            self._writer = self._open_writer(create=False)
        finally:
            self._turn.give_back()

    async def _begin(self, wait_s: float) -> bool:
        """Answers whether the turn had to be waited for."""
        while self._abandoned is not None:
            await self._wait(self._abandoned, wait_s)
        if self._begin_at_once():
            return False
        beginning = asyncio.ensure_future(self._on_writer_thread(self._begin_by_waiting))
        try:
            await self._wait(beginning, wait_s)
        except Unavailable:
            self._abandoned = beginning
            beginning.add_done_callback(self._undo_abandoned)
            raise
        beginning.result()
        return True

    async def _wait(self, beginning: asyncio.Future[None], wait_s: float) -> None:
        done, _ = await asyncio.wait({beginning}, timeout=wait_s)
        if not done:
            self._waits.timeouts += 1
            raise Unavailable(
                "DATABASE_BUSY",
                f"Another process has been writing for over {wait_s} s.",
                hint="Nothing was changed. Try again.",
            )

    def _undo_abandoned(self, beginning: asyncio.Future[None]) -> None:
        # The thread got its turn after everybody had stopped waiting for it. If the loop is ending
        # instead, the thread will find a closed connection and give the turn back.
        if beginning.cancelled():
            return
        self._abandoned = None
        if beginning.exception() is None:
            self._writer.command("ROLLBACK")
            self._turn.give_back()

    def _begin_at_once(self) -> bool:
        if not self._turn.take_at_once():
            return False
        try:
            self._renew_writer()
            connection = self._writer.connection
            connection.set_busy_timeout(0)
            try:
                self._begin_immediate()
            finally:
                connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        except Unavailable:
            self._turn.give_back()
            return False
        except BaseException:
            self._turn.give_back()
            raise
        return True

    def _begin_by_waiting(self) -> None:
        self._turn.take()
        try:
            self._renew_writer()
            self._begin_immediate()
        except BaseException:
            self._turn.give_back()
            raise

    def _renew_writer(self) -> None:
        """What is written must not go to a file that nobody finds any more: a restore by hand has
        put another one in its place."""
        if self._writer.has_moved():
            self._writer = self._open_anew(self._writer)
            self._checkpoints.begin(self._writer.connection)
            self._is_wal = False
            self._reader_follows = True  # on its own thread, not on the one that waits

    def _begin_immediate(self) -> None:
        # Not on opening: a file that turns out to be none of ours stays as it is.
        if not self._is_wal:
            use_wal(self._writer.connection)
            self._is_wal = True
        self._writer.command("BEGIN IMMEDIATE")

    async def _on_writer_thread(self, work: Callable[..., Any], *args: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer_thread, work, *args)

    async def close(self) -> None:
        """Lets the units under way end, then closes. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if self._units:
            await asyncio.wait(self._units)
        self._writer_thread.shutdown(wait=self._abandoned is None)
        self._heavy_thread.shutdown()
        for feed in self._feeds:
            await feed.close()
        self._checkpoints.close()
        for session in (self._writer, self._reader, self._heavy_reader):
            if session is not None:
                await self._close_session(session)
        if self._abandoned is None:
            self._turn.close()
        self._presence.release()

    async def _close_session(self, session: SqliteSession) -> None:
        try:
            session.connection.close()
        except apsw.ThreadingViolationError:
            # The thread that nobody waits for has its turn at just this moment: it ends by itself.
            if self._abandoned is not None:
                await asyncio.wait({self._abandoned}, timeout=BUSY_TIMEOUT_MS / 1000)
            session.connection.close()
