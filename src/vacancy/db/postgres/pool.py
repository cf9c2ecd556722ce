"""Open PostgreSQL connections, handed out last in, first out.

The driver's own pool puts a task and two timers around every hand-over, half the time of a quick
read; a connection that is free here is taken without one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from vacancy.errors import Misconfigured, Unavailable

Connection = Any  # asyncpg publishes no types


class ConnectionPool:
    """At most `size` connections; for one event loop."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int) -> None:
        self._connect = connect
        self._size = size
        self._places = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._closed = False

    async def acquire(self, wait_s: float) -> Connection:
        """A connection of the caller's alone. Raises `Unavailable` DATABASE_BUSY when none is free
        in time, `Misconfigured` DATABASE_CLOSED after `close`, and what connecting raises."""
        if self._closed:
            raise Misconfigured("DATABASE_CLOSED", "The database is closed.")
        if not self._places.locked():
            await self._places.acquire()
        else:
            await self._wait(wait_s)
        try:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    break
            else:
                connection = await self._connect()
        except BaseException:
            self._places.release()
            raise
        self._busy.add(connection)
        return connection

    async def _wait(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise Unavailable(
                "DATABASE_BUSY",
                f"All {self._size} connections to PostgreSQL were in use for {wait_s} s.",
                hint="Try again; if it stays, raise VACANCY_DATABASE_CONNECTIONS.",
            ) from None

    def release(self, connection: Connection, *, sound: bool = True) -> None:
        """Takes it back. One that is not `sound` (a caller gave up in the middle of a statement),
        or that was left inside a transaction, is not given to anybody again."""
        self._busy.discard(connection)
        if not connection.is_closed():
            if sound and not connection.is_in_transaction():
                self._idle.append(connection)
            else:
                connection.terminate()
        self._places.release()

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
