"""Migrations on both databases: up, down, together, failing; and what a server refuses."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_mock_engine

from tests.scratch_migrations import (
    a_door,
    migrate_scratch,
    revision_of,
    tables_of,
    write_family,
    write_revision,
)
from vacancy.bootstrap import open_house
from vacancy.config import Settings
from vacancy.db.catalog import Catalog, differences
from vacancy.db.change_triggers import create_triggers
from vacancy.db.connect import engine_of
from vacancy.db.migrate import BASE
from vacancy.db.read_catalog import read_catalog
from vacancy.db.revision import VERSION_TABLE, RevisionRange, require_revision
from vacancy.errors import Invalid, Unsupported, VacancyError
from vacancy.hotel.migrating import migrate_database, our_migrations, plan_migration
from vacancy.hotel.revisions import MIGRATIONS_FOLDER, REVISIONS
from vacancy.hotel.schema import metadata
from vacancy.hotel.tracked import TRACKED

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder with two revisions: parents, and children that refer to them."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    write_family(folder)
    return folder


async def _make_fresh(url: str) -> None:
    """The schema made at once from its tables and what is tracked of them, without migrations."""
    statements: list[str] = []

    def note(made: Any, *_: object, **__: object) -> None:
        statements.append(str(made.compile(dialect=mock.dialect)))

    mock = create_mock_engine(f"{engine_of(url)}://", note)
    metadata.create_all(mock, checkfirst=False)
    statements += create_triggers(engine_of(url), TRACKED)
    async with a_door(url) as door:
        await door.run(statements, transactional=True)


def test_a_fresh_schema_equals_the_sum_of_the_migrations(database_url: str) -> None:
    async def story() -> None:
        await migrate_database(database_url)
        migrated = await read_catalog(database_url)
        assert len(migrated.tables) == len(metadata.tables) + 1

        await migrate_database(database_url, BASE)
        nothing = await read_catalog(database_url)
        assert (nothing.tables, nothing.others) == ((), ())

        await migrate_database(database_url)
        assert differences(migrated, await read_catalog(database_url)) == []

        await migrate_database(database_url, BASE)
        await _make_fresh(database_url)
        fresh = await read_catalog(database_url)
        assert differences(fresh, migrated.without(VERSION_TABLE)) == []
        assert differences(fresh, migrated) == ["Table alembic_version is not expected."]

    asyncio.run(story())


def test_every_step_down_leaves_what_the_step_up_had_found(database_url: str) -> None:
    async def story() -> None:
        line = (BASE, *our_migrations().line)
        found: list[Catalog] = []
        for revision in line[1:]:
            found.append(await _catalog_or_empty(database_url))
            steps = await migrate_database(database_url, revision)
            assert [(step.revision, step.direction) for step in steps] == [(revision, "up")]
        for before, revision in zip(reversed(line[:-1]), reversed(line[1:]), strict=True):
            steps = await migrate_database(database_url, before)
            assert [(step.revision, step.direction) for step in steps] == [(revision, "down")]
            assert differences(found.pop(), await read_catalog(database_url)) == []
        assert found == []

    asyncio.run(story())


async def _catalog_or_empty(url: str) -> Catalog:
    async with a_door(url):
        return await read_catalog(url)


def test_the_program_knows_exactly_its_migrations() -> None:
    assert REVISIONS.known == our_migrations().line
    assert REVISIONS.oldest_accepted in REVISIONS.known
    assert len(list(MIGRATIONS_FOLDER.glob("r*.py"))) == len(REVISIONS.known)


def test_a_server_refuses_what_it_cannot_work_on(database_url: str) -> None:
    async def story() -> None:
        settings = Settings(database_url=database_url, env="test")
        async with a_door(database_url):
            pass  # makes the SQLite file
        await _refused(settings, "SCHEMA_MISSING", "`vacancy db migrate`")

        await migrate_database(database_url)
        async with open_house(settings) as house:
            newest = REVISIONS.newest
            assert await require_revision(house.db, REVISIONS) == newest
            rolling = RevisionRange(known=(newest, "next"), oldest_accepted=newest)
            assert await require_revision(house.db, rolling) == newest
            later = RevisionRange(known=(newest, "next"), oldest_accepted="next")
            with pytest.raises(Unsupported, match=f"stands at revision {newest}") as refused:
                await require_revision(house.db, later)
            assert refused.value.code == "SCHEMA_TOO_OLD"
            assert "`vacancy db migrate`" in refused.value.hint

        async with a_door(database_url) as door:
            await door.run([f"UPDATE {VERSION_TABLE} SET version_num = '9999'"], transactional=True)
        await _refused(settings, "SCHEMA_TOO_NEW", "Install the version")
        with pytest.raises(Unsupported, match="revision 9999") as newer:
            await migrate_database(database_url)
        assert newer.value.code == "SCHEMA_TOO_NEW"

    asyncio.run(story())


async def _refused(settings: Settings, code: str, hint: str) -> None:
    with pytest.raises(Unsupported) as refused:
        async with open_house(settings):
            raise AssertionError("the house must not open")
    assert refused.value.code == code
    assert hint in refused.value.hint


def test_a_revision_that_there_is_not_is_refused(database_url: str) -> None:
    with pytest.raises(Invalid, match="no revision '0815'") as refused:
        asyncio.run(plan_migration(database_url, "0815"))
    assert refused.value.code == "REVISION_UNKNOWN"
    assert REVISIONS.newest in refused.value.hint


def test_a_plan_runs_nothing(database_url: str) -> None:
    async def story() -> None:
        planned = await plan_migration(database_url)
        assert (await _catalog_or_empty(database_url)).tables == ()
        assert [step.revision for step in planned] == list(REVISIONS.known)
        assert any(sql.startswith("CREATE TABLE properties") for sql in planned[0].statements)
        assert await migrate_database(database_url) == planned
        assert await plan_migration(database_url) == []
        assert await migrate_database(database_url) == []
        down = await plan_migration(database_url, BASE)
        assert {step.direction for step in down} == {"down"}
        assert await revision_of(database_url) == REVISIONS.newest

    asyncio.run(story())


def test_of_two_migrators_one_works_and_the_other_finds_nothing_to_do(database_url: str) -> None:
    async def story() -> None:
        both = await asyncio.gather(migrate_database(database_url), migrate_database(database_url))
        ran = sorted(([step.revision for step in steps] for steps in both), key=len)
        assert ran == [[], list(REVISIONS.known)]

    asyncio.run(story())


def test_a_failing_revision_leaves_the_step_before(database_url: str, scratch: Path) -> None:
    bad = 'op.execute("INSERT INTO parents VALUES (1)"); op.execute("INSERT INTO nowhere SELECT 1")'
    write_revision(scratch, 3, bad, "pass")

    async def story() -> None:
        with pytest.raises(VacancyError, match="INSERT INTO nowhere"):
            await migrate_scratch(database_url, scratch)
        assert await revision_of(database_url) == "0002"
        assert await tables_of(database_url) == [VERSION_TABLE, "children", "parents"]

        # The row of the failed revision is gone: the mended one may write the same again.
        write_revision(scratch, 3, 'op.execute("INSERT INTO parents VALUES (1)")', "pass")
        assert [step.revision for step in await migrate_scratch(database_url, scratch)] == ["0003"]
        assert await revision_of(database_url) == "0003"

    asyncio.run(story())


def test_sqlite_rebuilds_a_table_that_others_refer_to(tmp_path: Path, scratch: Path) -> None:
    url = f"sqlite:///{tmp_path / 'rebuilt.db'}"
    rows = 'op.execute("INSERT INTO parents VALUES (1)");'
    rows += 'op.execute("INSERT INTO children VALUES (7, 1)")'
    rebuild = (
        'op.execute("CREATE TABLE parents_new (id INTEGER PRIMARY KEY, name TEXT)");'
        'op.execute("INSERT INTO parents_new (id) SELECT id FROM parents{}");'
        'op.execute("DROP TABLE parents");'
        'op.execute("ALTER TABLE parents_new RENAME TO parents")'
    )
    write_revision(scratch, 3, rows, "pass")
    write_revision(scratch, 4, rebuild.format(" WHERE id > 1"), "pass")

    async def story() -> None:
        with pytest.raises(VacancyError, match=r"row of children \(rowid 7\) without its parents"):
            await migrate_scratch(url, scratch)
        assert await revision_of(url) == "0003"
        write_revision(scratch, 4, rebuild.format(""), "pass")
        await migrate_scratch(url, scratch)
        catalog = await read_catalog(url)
        assert [column.name for column in catalog.table("parents").columns] == ["id", "name"]
        assert "references parents" in catalog.table("children").constraints[0].definition

    asyncio.run(story())


def test_every_table_and_column_is_described() -> None:
    page = (REPOSITORY / "docs" / "schema.md").read_text()
    parts = {part.split("`")[1]: part for part in page.split("\n##") if part.lstrip("# ")[0] == "`"}
    assert parts.keys() == {VERSION_TABLE, *metadata.tables}
    for name, table in metadata.tables.items():
        described = set(re.findall(r"`([a-z_0-9]+)`", parts[name]))
        missing = {column.name for column in table.columns} - described
        assert not missing, f"docs/schema.md does not describe {name}: {sorted(missing)}"
