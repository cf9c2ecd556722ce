"""Open PostgreSQL connections, handed out last in, first out.

The driver's own pool puts a task and two timers around every hand-over, half the time of a quick
read; a connection that is free here is taken without one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Any

from vacancy.db.waits import PoolRecord, Waits, pool_record
from vacancy.errors import Misconfigured, Unavailable

Connection = Any  # asyncpg publishes no types


class ConnectionPool:
    """At most `size` connections; for one event loop."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int) -> None:
        self._connect = connect
        self._size = size
        self._free = size
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._waits = Waits()
        self._closed = False

    def take(self) -> Connection | None:
        """A connection that is open and free now, or None; nobody who waits is overtaken."""
        if self._closed or self._waiters or not self._free:
            return None
        connection = self._pop_idle()
        if connection is not None:
            self._free -= 1
            self._busy.add(connection)
        return connection

    async def acquire(self, wait_s: float) -> Connection:
        """A connection of the caller's alone. Raises `Unavailable` DATABASE_BUSY when none is free
        in time, `Misconfigured` DATABASE_CLOSED after `close`, and what connecting raises."""
        if self._closed:
            raise Misconfigured("DATABASE_CLOSED", "The database is closed.")
        if self._free and not self._waiters:
            self._free -= 1
        else:
            waited_from_ns = perf_counter_ns()
            await self._wait(wait_s)
            self._waits.add(perf_counter_ns() - waited_from_ns)
        try:
            connection = self._pop_idle() or await self._connect()
        except BaseException:
            self._give_place()
            raise
        self._busy.add(connection)
        return connection

    def _pop_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    async def _wait(self, wait_s: float) -> None:
        """Waits until somebody gives a place over to us."""
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(given)
        try:
            async with asyncio.timeout(wait_s):
                await given
        except BaseException as error:
            if given.done() and not given.cancelled():
                self._give_place()  # it came just as we stopped waiting
            elif given in self._waiters:
                self._waiters.remove(given)
            if isinstance(error, TimeoutError):
                self._waits.timeouts += 1
                raise Unavailable(
                    "DATABASE_BUSY",
                    f"All {self._size} connections to PostgreSQL were in use for {wait_s} s.",
                    hint="Try again; if it stays, raise VACANCY_DATABASE_CONNECTIONS.",
                ) from None
            raise

    def _give_place(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    def release(self, connection: Connection, *, sound: bool = True) -> None:
        """Takes it back. One that is not `sound` (a caller gave up in the middle of a statement),
        or that was left inside a transaction, is not given to anybody again."""
        self._busy.discard(connection)
        if not connection.is_closed():
            if sound and not connection.is_in_transaction():
                self._idle.append(connection)
            else:
                connection.terminate()
        self._give_place()

    def record(self) -> PoolRecord:
        """The connections as they are now, and how long callers have waited for one."""
        return pool_record(
            self._waits,
            engine="postgresql",
            size=self._size,
            opened=len(self._busy) + len(self._idle),
            idle=len(self._idle),
            waiting=len(self._waiters),
        )

    async def close(self, wait_s: float) -> None:
        """Closes what is idle politely and the rest at once."""
        self._closed = True
        for connection in self._busy:
            connection.terminate()
        idle, self._idle = self._idle, []
        for connection in idle:
            try:
                await connection.close(timeout=wait_s)
            except (OSError, TimeoutError):
                connection.terminate()
