"""What PostgreSQL alone needs: repeats, timeouts, a pool, and a server that syncs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.runnable import Statement
from tests.servers import postgres_server
from tests.things import (
    ADD,
    INSERT,
    LIST,
    Number,
    Thing,
    a_database,
    count,
    insert,
    values_of,
)
from vacancy.bootstrap import open_house
from vacancy.config import Settings
from vacancy.db.connect import connect
from vacancy.db.database import ATTEMPTS, Transaction
from vacancy.db.migration_door import open_migration_door
from vacancy.db.postgres import database as postgres_module
from vacancy.errors import Unavailable, Unsupported
from vacancy.hotel.migrating import migrate_database


def _crossing(
    first: asyncio.Event, second: asyncio.Event, one: int, other: int, attempts: list[int]
) -> Any:
    """A unit that locks one row, waits until another unit has locked the other, and wants both."""

    async def unit(tx: Transaction) -> None:
        attempts.append(one)
        await tx.execute(ADD, id=one, by=1)
        first.set()
        await second.wait()
        await tx.execute(ADD, id=other, by=1)

    return unit


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_deadlock_is_repeated_where_the_unit_allows_it(
    postgres_url: str, repeatable: bool
) -> None:
    async def story() -> None:
        async with a_database(postgres_url) as db:
            await insert(db, Thing(1, 0), Thing(2, 0))
            left, right = asyncio.Event(), asyncio.Event()
            attempts: list[int] = []
            ends = await asyncio.gather(
                db.transact(_crossing(left, right, 1, 2, attempts), repeatable=repeatable),
                db.transact(_crossing(right, left, 2, 1, attempts), repeatable=repeatable),
                return_exceptions=True,
            )
            if repeatable:
                assert list(ends) == [None, None]
                assert sorted(attempts) in ([1, 1, 2], [1, 2, 2])
            else:
                (lost,) = [end for end in ends if end is not None]
                assert isinstance(lost, Unavailable)
                assert lost.code == "DATABASE_BUSY"
                assert sorted(attempts) == [1, 2]
            done = 2 if repeatable else 1
            assert [thing.number for thing in await db.fetch_all(LIST)] == [done, done]

    asyncio.run(story())


def test_a_serialization_failure_is_repeated(postgres_url: str) -> None:
    fail = Statement("test.fail", "", postgresql="SELECT fail_to_serialize()::bigint", row=Number)
    function = """
    CREATE FUNCTION fail_to_serialize() RETURNS bigint LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END$$
    """

    async def story() -> None:
        async with a_database(postgres_url) as db:
            connection = await asyncpg.connect(postgres_url)
            await connection.execute(function)
            await connection.close()
            attempts = 0

            async def unit(tx: Transaction) -> None:
                nonlocal attempts
                attempts += 1
                await tx.execute_set(INSERT, [values_of(Thing(attempts))])
                if attempts < 3:
                    await tx.fetch_one(fail)

            await db.transact(unit)
            assert [thing.id for thing in await db.fetch_all(LIST)] == [3]

            async def never(tx: Transaction) -> None:
                nonlocal attempts
                attempts += 1
                await tx.fetch_one(fail)

            attempts = 0
            with pytest.raises(Unavailable) as gave_up:
                await db.transact(never)
            assert (gave_up.value.code, attempts) == ("DATABASE_BUSY", ATTEMPTS)

    asyncio.run(story())


def test_a_statement_has_its_time(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_module, "STATEMENT_TIMEOUT_MS", 50)
    sleep = Statement("test.sleep", "", postgresql="SELECT 1 FROM pg_sleep(20)", row=Number)

    async def story() -> None:
        async with a_database(postgres_url) as db:
            with pytest.raises(Unavailable, match="longer than it may") as refused:
                await db.fetch_one(sleep)
            assert refused.value.code == "DATABASE_BUSY"
            assert await count(db) == 0

    asyncio.run(story())


def test_a_server_that_is_only_read_is_503_until_it_is_the_primary(postgres_url: str) -> None:
    async def set_read_only(state: str) -> None:
        connection = await asyncpg.connect(postgres_url)
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = {state}'
        )
        await connection.close()

    async def story() -> None:
        async with a_database(postgres_url) as db:
            await insert(db, Thing(1))
        await set_read_only("on")
        with pytest.raises(Unavailable, match="DATABASE_UNAVAILABLE") as migrating:
            await migrate_scratch_table(postgres_url)
        standby = await connect(postgres_url)
        with pytest.raises(Unavailable, match="only lets itself be read") as refused:
            await insert(standby, Thing(2))
        for error in (migrating.value, refused.value):
            assert "primary" in error.hint
        assert await count(standby) == 1
        await standby.close()
        await set_read_only("off")
        primary = await connect(postgres_url)
        await insert(primary, Thing(2))
        assert await count(primary) == 2
        await primary.close()

    asyncio.run(story())


async def migrate_scratch_table(url: str) -> None:
    door = await open_migration_door(url)
    try:
        await door.run(["CREATE TABLE more (id bigint)"], transactional=True)
    finally:
        await door.close()


def test_a_pool_that_is_used_up_says_so(postgres_url: str) -> None:
    async def story() -> None:
        async with a_database(postgres_url, connections=1) as db:
            begun, go_on = asyncio.Event(), asyncio.Event()

            async def hold(tx: Transaction) -> None:
                begun.set()
                await go_on.wait()

            async def late(tx: Transaction) -> None:
                raise AssertionError("never begun")

            holding = asyncio.ensure_future(db.transact(hold))
            await begun.wait()
            with pytest.raises(Unavailable) as refused:
                await db.transact(late, wait_s=0.05)
            assert refused.value.code == "DATABASE_BUSY"
            go_on.set()
            await holding
            assert await count(db) == 0

    asyncio.run(story())


def test_production_wants_what_is_acknowledged_on_disk(postgres_url: str, tmp_path: Path) -> None:
    async def opened(url: str, **settings: Any) -> str:
        try:
            async with open_house(Settings(database_url=url, **settings)):
                return "opened"
        except Unsupported as refused:
            return f"{refused.code} {refused.detail}"

    async def story(url: str, setting: str) -> None:
        await migrate_database(url)
        assert await opened(url, env="test") == "opened"
        assert await opened(url, env="production", allow_unsafe_durability=True) == "opened"
        refused = await opened(url, env="production")
        assert refused.startswith("DURABILITY_OFF ")
        assert f"{setting} off" in refused

    async def safe_until_told_otherwise() -> None:
        await migrate_database(postgres_url)
        assert await opened(postgres_url, env="production") == "opened"
        connection = await asyncpg.connect(postgres_url)
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        await connection.close()
        await story(postgres_url, "synchronous_commit")

    asyncio.run(safe_until_told_otherwise())
    with postgres_server(tmp_path / "unsafe", {"fsync": "off"}) as server:
        asyncio.run(story(server.url(), "fsync"))
