"""`vacancy perf check-indexes` on what other people's databases hold: what is advised can be done,
one after the other, and nothing that is needed goes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import pytest

from tests.cli.test_check_indexes import change, look
from vacancy.db.connect import engine_of, sqlite_path

MANY = "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)"


def rows(table: str, values: str) -> str:
    return f"INSERT INTO {table} {MANY} SELECT {values} FROM n)".replace("(WITH", "WITH", 1)[:-1]


def judged(url: str, folder: Path, *queries: str) -> dict[str, Any]:
    file = folder / "queries.sql"
    file.write_text("".join(f"-- name: q{at}\n{sql};\n" for at, sql in enumerate(queries)))
    return look("--database", url, "--queries", str(file))[1]


def advised(document: dict[str, Any], *names: str) -> list[str]:
    """The fixes, line by line: all, or those of these findings."""
    return [
        line
        for finding in document["findings"]
        if not names or finding["name"] in names
        for line in finding["fix"].splitlines()
    ]


def indexes_of(url: str, table: str) -> set[str]:
    if engine_of(url) == "sqlite":
        with closing(apsw.Connection(str(sqlite_path(url)))) as file:
            found: Sequence[Any] = file.execute(
                "SELECT name FROM pragma_index_list(?)", (table,)
            ).fetchall()
        return {str(name) for (name,) in found}

    async def asked() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetch(
                "SELECT indexname FROM pg_indexes WHERE tablename = $1", table
            )
        finally:
            await connection.close()

    return {str(name) for (name,) in asyncio.run(asked())}


@pytest.mark.parametrize("second", ["a", "a, b"])
def test_who_follows_all_that_is_advised_keeps_an_index(
    second: str, database_url: str, tmp_path: Path
) -> None:
    change(
        database_url,
        "CREATE TABLE z (a integer NOT NULL, b integer NOT NULL, c integer NOT NULL)",
        "CREATE INDEX ix_1 ON z (a)",
        f"CREATE INDEX ix_2 ON z ({second})",
        rows("z", "i, i, i"),
        "ANALYZE",
    )
    document = judged(database_url, tmp_path, "SELECT c FROM z WHERE a = $1")
    change(database_url, *advised(document))
    assert len(indexes_of(database_url, "z")) == 1
    assert [
        one
        for one in judged(database_url, tmp_path, "SELECT c FROM z WHERE a = $1")["findings"]
        if not one["ok"]
    ] == []


def test_a_unique_index_that_a_reference_needs_stays(database_url: str, tmp_path: Path) -> None:
    change(
        database_url,
        "CREATE TABLE parent (id integer PRIMARY KEY, tenant integer NOT NULL)",
        "CREATE UNIQUE INDEX ux_parent ON parent (id, tenant)",
        "CREATE TABLE child (pid integer NOT NULL, tenant integer NOT NULL,"
        " FOREIGN KEY (pid, tenant) REFERENCES parent (id, tenant))",
        "CREATE INDEX ix_child ON child (pid, tenant)",
    )
    document = judged(database_url, tmp_path, "SELECT tenant FROM parent WHERE id = $1")
    assert [sql for sql in advised(document) if "ux_parent" in sql] == []


@pytest.mark.parametrize("name", ["index", "order", "group", "user", "2020_x", "my index"])
def test_names_that_are_words_of_sql_are_advised_so_that_they_run(
    name: str, database_url: str, tmp_path: Path
) -> None:
    change(
        database_url,
        f'CREATE TABLE t (id integer PRIMARY KEY, "{name}" integer NOT NULL, c integer NOT NULL)',
        f'CREATE INDEX "{name} one" ON t (c)',
        f'CREATE INDEX "{name} two" ON t (c)',
        rows("t", "i, i, i"),
        "ANALYZE",
    )
    document = judged(
        database_url,
        tmp_path,
        f'SELECT id FROM t WHERE "{name}" = $1',
        "SELECT id FROM t WHERE c = $1",
    )
    found = {finding["name"] for finding in document["findings"] if not finding["ok"]}
    assert found == {"table_scanned", "index_duplicate"}
    change(database_url, *advised(document, *found))
    again = judged(database_url, tmp_path, f'SELECT id FROM t WHERE "{name}" = $1')
    assert [one for one in again["findings"] if not one["ok"]] == []


def test_a_constraint_that_waits_does_not_stand_for_one_that_does_not(
    postgres_url: str, tmp_path: Path
) -> None:
    change(
        postgres_url,
        "CREATE TABLE d (id integer PRIMARY KEY, code text NOT NULL,"
        " CONSTRAINT uq_d UNIQUE (code) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE UNIQUE INDEX ux_d_code ON d (code)",
    )
    document = judged(postgres_url, tmp_path, "SELECT id FROM d WHERE code = $1")
    assert [sql for sql in advised(document) if "ux_d_code" in sql] == []


def test_an_index_that_is_being_built_has_not_failed(postgres_url: str, tmp_path: Path) -> None:
    change(
        postgres_url,
        "CREATE TABLE t (id integer PRIMARY KEY, a integer NOT NULL)",
        "INSERT INTO t SELECT i, i FROM generate_series(1, 100) AS i",
    )

    async def story() -> dict[str, Any]:
        holding = await asyncpg.connect(postgres_url)
        building = await asyncpg.connect(postgres_url)
        # Whoever holds the table for writing keeps the build from going on.
        await holding.execute("BEGIN")
        await holding.execute("UPDATE t SET a = 0 WHERE id = 1")
        build = asyncio.create_task(building.execute("CREATE INDEX CONCURRENTLY ix_t_a ON t (a)"))
        try:
            for _ in range(100):
                found = await holding.fetchval(
                    "SELECT count(*) FROM pg_stat_progress_create_index"
                    " WHERE index_relid = to_regclass('ix_t_a')"
                )
                if found:
                    break
                await asyncio.sleep(0.05)
            return await asyncio.to_thread(
                judged, postgres_url, tmp_path, "SELECT id FROM t WHERE a = $1"
            )
        finally:
            await holding.execute("ROLLBACK")
            await build
            await holding.close()
            await building.close()

    document = asyncio.run(story())
    assert [one for one in document["findings"] if one["name"] == "index_invalid"] == []


def test_tables_are_found_however_they_are_spelled(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    change(
        url,
        "CREATE TABLE Orders (id integer PRIMARY KEY, state text NOT NULL)",
        "CREATE INDEX ix_orders_state ON Orders (state)",
        rows("Orders", "i, 's' || i"),
        "ANALYZE",
    )
    document = judged(url, tmp_path, "SELECT id FROM orders WHERE state = ?")
    assert advised(document) == []


def test_of_a_view_nobody_knows_what_it_needs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    change(
        url,
        "CREATE TABLE t (id integer PRIMARY KEY, a integer NOT NULL)",
        "CREATE INDEX ix_a ON t (a)",
        "CREATE VIEW v AS SELECT id, a FROM t",
    )
    document = judged(url, tmp_path, "SELECT id FROM v WHERE a = ?")
    assert advised(document) == []
