"""The stack of connections: at most so many, first come first served, none lost on the way."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from vacancy.db.postgres.pool import Connection, ConnectionPool
from vacancy.errors import Unavailable


def pool_of(url: str, size: int) -> tuple[ConnectionPool, list[Connection]]:
    made: list[Connection] = []

    async def connect() -> Connection:
        made.append(await asyncpg.connect(url))
        return made[-1]

    return ConnectionPool(connect, size), made


def test_who_waits_is_served_in_turn_and_nobody_overtakes(postgres_url: str) -> None:
    async def story() -> None:
        pool, made = pool_of(postgres_url, 1)
        first = await pool.acquire(5)
        served: list[int] = []

        async def wait(number: int) -> None:
            connection = await pool.acquire(5)
            served.append(number)
            assert await connection.fetchval("SELECT 1") == 1
            pool.release(connection)

        waiting = [asyncio.create_task(wait(number)) for number in range(5)]
        await asyncio.sleep(0)
        assert pool.take() is None
        pool.release(first)
        assert pool.take() is None, "the place belongs to who waits"
        await asyncio.gather(*waiting)
        assert served == [0, 1, 2, 3, 4]
        assert len(made) == 1
        again = pool.take()
        assert again is made[0]
        pool.release(again)
        await pool.close(5)

    asyncio.run(story())


def test_whoever_stops_waiting_leaves_the_place_to_the_next(postgres_url: str) -> None:
    async def story() -> None:
        pool, _ = pool_of(postgres_url, 1)
        held = await pool.acquire(5)
        for _ in range(3):
            gone = asyncio.create_task(pool.acquire(5))
            late = asyncio.create_task(pool.acquire(5))
            await asyncio.sleep(0)
            pool.release(held)  # the place is given to `gone`, which is cancelled before it wakes
            gone.cancel()
            held = await late
            assert gone.cancelled() or (await asyncio.gather(gone, return_exceptions=True))
        with pytest.raises(Unavailable, match="DATABASE_BUSY"):
            await pool.acquire(0.01)
        pool.release(held)
        pool.release(await pool.acquire(5))
        await pool.close(5)

    asyncio.run(story())


def test_a_failure_to_connect_gives_the_place_back(postgres_url: str) -> None:
    async def story() -> None:
        failures = [OSError("no route"), None]

        async def connect() -> Connection:
            failure = failures.pop(0)
            if failure:
                raise failure
            return await asyncpg.connect(postgres_url)

        pool = ConnectionPool(connect, 1)
        with pytest.raises(OSError, match="no route"):
            await pool.acquire(5)
        connection = await pool.acquire(5)
        pool.release(connection, sound=False)
        assert connection.is_closed()
        assert pool.take() is None
        await pool.close(5)

    asyncio.run(story())
