"""Every mutant can be made, and is a change of the catalogue or of the state: what no longer fits
must not pass for what is found."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import apsw
import asyncpg
import pytest

from tests.conftest import SpareDatabases
from tests.index_advice.clean import Clean, clean_on
from tests.index_advice.mutant import Family, Mutant, apply_mutant
from tests.index_advice.mutants import MUTANTS, mutants_on
from tests.index_advice.unseen import UNSEEN
from tests.servers import PostgresServer
from vacancy.db.connect import engine_of
from vacancy.db.read_catalog import read_catalog
from vacancy.db.statement import Engine
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.schema import metadata

BOTH = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])


def test_the_corpus_is_large_and_broad() -> None:
    assert len(MUTANTS) >= 80
    assert {mutant.family for mutant in MUTANTS} == set(get_args(Family))
    assert min(len(mutants_on("sqlite")), len(mutants_on("postgresql"))) >= 80
    assert all(mutant.why.endswith(".") and mutant.expects for mutant in MUTANTS)
    tables = {mutant.table for mutant in MUTANTS} & set(metadata.tables)
    assert len(tables) >= 18


def test_names_are_unique() -> None:
    names = Counter(mutant.name for mutant in (*MUTANTS, *UNSEEN))
    assert [name for name, times in names.items() if times > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)] == []


def test_every_declared_index_is_dropped_once() -> None:
    declared = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    dropped = {mutant.index for mutant in MUTANTS if mutant.family == "index dropped"}
    assert declared == dropped


def test_every_mutant_applies_on_sqlite(tmp_path: Path) -> None:
    clean = tmp_path / "clean.db"
    broken = tmp_path / "broken.db"
    asyncio.run(migrate_database(f"sqlite:///{clean}"))
    was = asyncio.run(_told(f"sqlite:///{clean}"))
    for mutant in (*mutants_on("sqlite"), *_unseen_on("sqlite")):
        shutil.copyfile(clean, broken)
        asyncio.run(apply_mutant(f"sqlite:///{broken}", mutant))
        assert asyncio.run(_told(f"sqlite:///{broken}")) != was, mutant.name


def test_every_mutant_applies_on_postgresql(postgres_url: str) -> None:
    """Each in a transaction that is rolled back; what no transaction takes, a database of its own
    has to (`test_mutants.py`)."""

    async def story() -> list[str]:
        await migrate_database(postgres_url)
        connection = await asyncpg.connect(postgres_url)
        unchanged = []
        try:
            was = await _state(connection)
            for mutant in (*mutants_on("postgresql"), *_unseen_on("postgresql")):
                steps = [one for one in mutant.ddl_of("postgresql") if "VACUUM" not in one]
                unit = connection.transaction()
                await unit.start()
                for sql in steps:
                    await connection.execute(sql)
                if await _state(connection) == was:
                    unchanged.append(mutant.name)
                await unit.rollback()
        finally:
            await connection.close()
        return unchanged

    assert asyncio.run(story()) == []


@BOTH
def test_every_clean_variant_can_be_made(
    engine: Engine, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The quick ones: `test_mutants.py` makes all."""
    quick = [one for one in clean_on(engine) if not one.name.startswith(("generated", "with-"))]

    async def story(variant: Clean, url: str) -> int:
        await migrate_database(url)
        await variant.make(url)
        return len((await read_catalog(url)).tables)

    for number, variant in enumerate(quick):
        if engine == "sqlite":
            assert asyncio.run(story(variant, f"sqlite:///{tmp_path / f'{number}.db'}")) >= 20
        else:
            spare: SpareDatabases = request.getfixturevalue("spare_databases")
            name = spare.take()
            server: PostgresServer = request.getfixturevalue("postgres")
            assert asyncio.run(story(variant, server.url(name))) >= 20
            spare.give_back(name)


def test_what_must_be_refused_is_refused(postgres_url: str) -> None:
    async def story() -> list[tuple[str, bool]]:
        for mutant in MUTANTS:
            if mutant.refused:
                await apply_mutant(postgres_url, mutant)
        found = await read_catalog(postgres_url)
        return [(index.name, index.valid) for table in found.tables for index in table.indexes]

    assert asyncio.run(story()) == [("uq_vouchers_code", False)]


def _unseen_on(engine: Engine) -> list[Mutant]:
    return [mutant for mutant in UNSEEN if engine in mutant.engines]


async def _told(url: str) -> Sequence[Any]:
    """What stands in a SQLite file: its schema, its size, its statistics and the largest rows."""
    assert engine_of(url) == "sqlite"
    with closing(apsw.Connection(url.removeprefix("sqlite:///"))) as file:
        told = file.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2")
        return [*told.fetchall(), *file.execute("PRAGMA page_count").fetchall(), *_rows(file)]


def _rows(file: apsw.Connection) -> list[Any]:
    tables = ("users", "outbox_events")
    return [file.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]


async def _state(connection: asyncpg.Connection[Any]) -> Sequence[Any]:
    """What PostgreSQL's catalogues say of tables, indexes, constraints and sequences."""
    return [
        *await connection.fetch(
            """
            SELECT c.relname, c.relkind::text, c.relpages, c.reltuples, c.reloptions,
                pg_get_indexdef(i.indexrelid), i.indisvalid, i.indcollation::text
            FROM pg_class AS c
            LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
            WHERE c.relnamespace = 'public'::regnamespace
            ORDER BY 1
            """
        ),
        *await connection.fetch(
            """
            SELECT conname, conrelid::regclass::text, pg_get_constraintdef(oid), convalidated
            FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace
            ORDER BY 1, 2
            """
        ),
        *await connection.fetch("SELECT * FROM pg_sequences ORDER BY sequencename"),
    ]
