"""Migrations that are interrupted, and indexes that are built while others write."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from tests.scratch_migrations import (
    a_door,
    migrate_scratch,
    revision_of,
    write_family,
    write_revision,
)
from vacancy.db import migration_door
from vacancy.db.connect import connect, sqlite_path
from vacancy.db.read_catalog import read_catalog
from vacancy.db.revision import VERSION_TABLE, get_revision
from vacancy.errors import VacancyError

WAIT_S = 30.0
REPOSITORY = Path(__file__).parents[2]

# Migrates the database argv[1] with the revisions of the folder argv[2].
MIGRATE_PROGRAM = """
import asyncio, sys
from pathlib import Path
from vacancy.db.migrate import Migrations, migrate
from vacancy.db.migration_door import open_migration_door

async def main():
    door = await open_migration_door(sys.argv[1])
    await migrate(door, Migrations(Path(sys.argv[2]), {}))

asyncio.run(main())
"""


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder with two revisions: parents, and children that refer to them."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    write_family(folder)
    return folder


async def _index_is_valid(url: str, table: str, index: str) -> bool | None:
    found = (await read_catalog(url)).table(table).indexes
    return next((one.valid for one in found if one.name == index), None)


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {WAIT_S} s"
        await asyncio.sleep(0.01)


CONCURRENT = """op.create_index(
        "ix_children_parent", "children", ["parent_id"], postgresql_concurrently=True
    )
    op.create_index("ix_parents_id", "parents", ["id"], postgresql_concurrently=True)"""
NOT_CONCURRENT = """op.drop_index("ix_parents_id", "parents", postgresql_concurrently=True)
    op.drop_index("ix_children_parent", "children", postgresql_concurrently=True)"""


def test_an_index_is_built_beside_the_writers(database_url: str, scratch: Path) -> None:
    """On SQLite the same revision is an ordinary one."""
    write_revision(scratch, 3, CONCURRENT, NOT_CONCURRENT, transactional=False)

    async def story() -> None:
        await migrate_scratch(database_url, scratch)
        assert await _index_is_valid(database_url, "children", "ix_children_parent") is True
        assert await _index_is_valid(database_url, "parents", "ix_parents_id") is True
        await migrate_scratch(database_url, scratch, "0002")
        assert await _index_is_valid(database_url, "children", "ix_children_parent") is None
        assert await revision_of(database_url) == "0002"

    asyncio.run(story())


def test_a_concurrent_build_waits_for_writers_and_holds_up_none(
    postgres_url: str, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The build waits longer than any other statement of a migration may.
    monkeypatch.setattr(migration_door, "_LOCK_TIMEOUT", "500ms")
    monkeypatch.setattr(migration_door, "_STATEMENT_TIMEOUT", "500ms")
    write_revision(scratch, 3, CONCURRENT, NOT_CONCURRENT, transactional=False)

    async def story() -> None:
        await migrate_scratch(postgres_url, scratch, "0002")
        writer = await asyncpg.connect(postgres_url)
        other = await asyncpg.connect(postgres_url)
        try:
            unit = writer.transaction()
            await unit.start()
            await writer.execute("INSERT INTO parents VALUES (1)")
            await writer.execute("INSERT INTO children VALUES (1, 1)")
            building = asyncio.ensure_future(migrate_scratch(postgres_url, scratch))
            await _until_waiting(other, "CREATE INDEX CONCURRENTLY%", at_least_ms=800)
            # A second migrator polls meanwhile: it holds no snapshot that the build waits for.
            second = asyncio.ensure_future(migrate_scratch(postgres_url, scratch))
            await other.execute("INSERT INTO parents VALUES (2)", timeout=WAIT_S)
            await other.execute("INSERT INTO children VALUES (2, 2)", timeout=WAIT_S)
            assert not building.done()
            await unit.commit()
            assert [step.revision for step in await building] == ["0003"]
            assert await second == []
        finally:
            await writer.close()
            await other.close()
        assert await _index_is_valid(postgres_url, "children", "ix_children_parent") is True

    asyncio.run(story())


async def _until_waiting(
    connection: asyncpg.Connection, like: str, *, at_least_ms: int = 0
) -> None:
    deadline = time.monotonic() + WAIT_S
    sql = """
    SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE $1 AND wait_event_type = 'Lock' AND datname = current_database()
        AND clock_timestamp() - query_start >= make_interval(secs => $2 / 1000.0)
    """
    while not await connection.fetchval(sql, like, at_least_ms):
        assert time.monotonic() < deadline, f"nobody waits in {like}"
        await asyncio.sleep(0.01)


def test_an_invalid_leftover_goes_before_the_build(postgres_url: str, scratch: Path) -> None:
    twice = 'op.execute("INSERT INTO parents VALUES (1), (2)");'
    twice += 'op.execute("INSERT INTO children VALUES (1, 1), (2, 1)")'
    unique = CONCURRENT.replace('["parent_id"],', '["parent_id"], unique=True,')
    write_revision(scratch, 3, twice, "pass")
    write_revision(scratch, 4, unique, NOT_CONCURRENT, transactional=False)

    async def story() -> None:
        with pytest.raises(VacancyError) as refused:
            await migrate_scratch(postgres_url, scratch)
        assert refused.value.code == "CONSTRAINT_VIOLATED"
        assert await _index_is_valid(postgres_url, "children", "ix_children_parent") is False
        assert await revision_of(postgres_url) == "0003"

        connection = await asyncpg.connect(postgres_url)
        await connection.execute("UPDATE children SET parent_id = id")
        await connection.close()
        assert [step.revision for step in await migrate_scratch(postgres_url, scratch)] == ["0004"]
        assert await _index_is_valid(postgres_url, "children", "ix_children_parent") is True

        # As if the last try had been killed between its second index and the version.
        async with a_door(postgres_url) as door:
            back = f"UPDATE {VERSION_TABLE} SET version_num = '0003'"
            await door.run([back, "DROP INDEX ix_parents_id"], transactional=True)
        assert [step.revision for step in await migrate_scratch(postgres_url, scratch)] == ["0004"]
        assert await _index_is_valid(postgres_url, "parents", "ix_parents_id") is True

    asyncio.run(story())


def _start_migrating(url: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", MIGRATE_PROGRAM, url, str(folder)], cwd=REPOSITORY
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(WAIT_S) == -signal.SIGKILL


def test_killed_on_postgresql_and_run_again(postgres_url: str, scratch: Path) -> None:
    work = 'op.execute("INSERT INTO parents VALUES (1)"); op.execute("LOCK TABLE children")'
    write_revision(scratch, 3, work, "pass")

    async def story() -> None:
        await migrate_scratch(postgres_url, scratch, "0002")
        holder = await asyncpg.connect(postgres_url)
        watcher = await asyncpg.connect(postgres_url)
        try:
            async with holder.transaction():
                await holder.execute("LOCK TABLE children")
                process = _start_migrating(postgres_url, scratch)
                await _until_waiting(watcher, "LOCK TABLE children")
                _kill(process)
                assert await watcher.fetchval("SELECT count(*) FROM parents") == 0
        finally:
            await holder.close()
            await watcher.close()
        assert [step.revision for step in await migrate_scratch(postgres_url, scratch)] == ["0003"]
        assert await revision_of(postgres_url) == "0003"

    asyncio.run(story())


def test_killed_on_sqlite_and_run_again(tmp_path: Path, scratch: Path) -> None:
    url = f"sqlite:///{tmp_path / 'killed.db'}"
    # More than the page cache holds, so that the log grows long before the commit.
    work = (
        'op.execute("WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n'
        ' LIMIT 3000000) INSERT INTO parents SELECT id FROM n")'
    )
    write_revision(scratch, 3, work, "pass")

    async def story() -> None:
        await migrate_scratch(url, scratch, "0002")
        log = Path(f"{sqlite_path(url)}-wal")
        process = _start_migrating(url, scratch)
        await _until(lambda: log.exists() and log.stat().st_size > 1_000_000)
        _kill(process)
        assert await revision_of(url) == "0002"
        assert [step.revision for step in await migrate_scratch(url, scratch)] == ["0003"]
        db = await connect(url)
        assert await get_revision(db) == "0003"
        await db.close()

    asyncio.run(story())
