"""A database that is somebody else's: refused, and left as it was by whatever looks at it."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import apsw
import asyncpg
import pytest

from tests.scratch_migrations import tables_of
from vacancy.db.connect import connect, engine_of, sqlite_path
from vacancy.db.migrate import BASE
from vacancy.db.read_revision import read_revision
from vacancy.db.revision import get_revision
from vacancy.errors import Missing, Unsupported
from vacancy.hotel.migrating import migrate_database, plan_migration
from vacancy.hotel.revisions import REVISIONS

TABLES = ("CREATE TABLE invoices (id integer)", "INSERT INTO invoices VALUES (7)")


async def make_foreign(url: str, *, journal_mode: str = "delete") -> None:
    """The database of some other program."""
    if engine_of(url) == "sqlite":
        with closing(apsw.Connection(str(sqlite_path(url)))) as file:
            for sql in (f"PRAGMA journal_mode = {journal_mode}", *TABLES):
                file.execute(sql)
        return
    connection = await asyncpg.connect(url)
    for sql in TABLES:
        await connection.execute(sql)
    await connection.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_a_foreign_database_is_refused_and_stays_as_it_was(
    database_url: str, tmp_path: Path, journal_mode: str
) -> None:
    async def story() -> None:
        await make_foreign(database_url, journal_mode=journal_mode)
        before = contents(tmp_path)
        for attempt in (read_revision, plan_migration, migrate_database):
            with pytest.raises(Unsupported, match="invoices") as refused:
                await attempt(database_url)
            assert refused.value.code == "DATABASE_FOREIGN"
        assert contents(tmp_path) == before
        assert await tables_of(database_url) == ["invoices"]

    asyncio.run(story())


def test_opening_a_database_changes_no_byte_of_it(tmp_path: Path) -> None:
    """WAL mode stands in the file: it is chosen by the first write, not by a look."""
    url = f"sqlite:///{tmp_path / 'foreign.db'}"

    async def story() -> None:
        await make_foreign(url)
        before = sqlite_path(url).read_bytes()
        db = await connect(url)
        with pytest.raises(Unsupported, match="DATABASE_FOREIGN"):
            await get_revision(db)
        await db.close()
        assert sqlite_path(url).read_bytes() == before

    asyncio.run(story())


def test_looking_at_ours_leaves_it_as_it_was(database_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        await migrate_database(database_url)
        before = contents(tmp_path)
        assert await read_revision(database_url) == REVISIONS.newest
        assert await plan_migration(database_url) == []
        assert contents(tmp_path) == before

        # What a server has open is read as it is now, the log beside the file included.
        db = await connect(database_url)
        await migrate_database(database_url, BASE)
        assert await read_revision(database_url) is None
        await db.close()

    asyncio.run(story())


def test_an_empty_database_is_nobody_s(database_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        if engine_of(database_url) == "sqlite":
            with pytest.raises(Missing, match="DATABASE_MISSING"):
                await read_revision(database_url)
            assert contents(tmp_path) == {}
            sqlite_path(database_url).touch()
        assert await read_revision(database_url) is None
        await migrate_database(database_url)
        assert await read_revision(database_url) == REVISIONS.newest

    asyncio.run(story())


def test_tables_of_an_extension_or_of_another_schema_are_not_in_the_way(postgres_url: str) -> None:
    async def story() -> None:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute("CREATE SCHEMA other; CREATE TABLE other.invoices (id integer)")
        # An extension owns its tables; this is how it says so.
        await connection.execute(
            "CREATE TABLE of_extension (id integer);ALTER EXTENSION plpgsql ADD TABLE of_extension"
        )
        await connection.close()
        assert await read_revision(postgres_url) is None
        assert len(await migrate_database(postgres_url)) == len(REVISIONS.known)

    asyncio.run(story())
