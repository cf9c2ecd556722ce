"""What both databases tell of themselves: a clean schema raises nothing, faults are read right."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit, urlunsplit

import apsw
import asyncpg
import pytest

from tests.servers import PostgresServer
from vacancy.db.connect import engine_of, sqlite_path
from vacancy.errors import Missing
from vacancy.hotel.migrating import migrate_database
from vacancy.perf.indexes.facts import Facts, IndexFacts
from vacancy.perf.indexes.finding import IndexFinding
from vacancy.perf.indexes.read_facts import read_facts
from vacancy.perf.indexes.standing import invalid_indexes, standing_findings


def run(url: str, *steps: str) -> None:
    """Runs the steps for good, each by itself."""
    if engine_of(url) == "sqlite":
        file = apsw.Connection(str(sqlite_path(url)))
        for sql in steps:
            file.execute(sql)
        file.close()
        return

    async def on_postgres() -> None:
        connection = await asyncpg.connect(url)
        try:
            for sql in steps:
                await connection.execute(sql)
            await connection.execute("SELECT pg_stat_force_next_flush()")
        finally:
            await connection.close()

    asyncio.run(on_postgres())


def facts(url: str) -> Facts:
    return asyncio.run(read_facts(url))


def told(url: str, parents_changed: Iterable[str] | None = None) -> list[tuple[str, str, str]]:
    changed = None if parents_changed is None else frozenset(parents_changed)
    return [
        (one.name, one.table, one.index)
        for one in standing_findings(facts(url), parents_changed=changed)
    ]


def index(of: Facts, name: str) -> IndexFacts:
    (found,) = (one for one in of.indexes if one.name == name)
    return found


def test_nothing_is_found_in_our_clean_schema(database_url: str) -> None:
    asyncio.run(migrate_database(database_url))
    assert told(database_url, ["idempotency_keys", "change_log"]) == []
    assert [one for one in standing_findings(facts(database_url)) if not one.ok] == []


def test_reading_takes_less_than_a_second(database_url: str) -> None:
    asyncio.run(migrate_database(database_url))
    started = perf_counter()
    read = facts(database_url)
    assert perf_counter() - started < 1.0
    assert {table.name for table in read.tables} == {table.name for table in read.catalog.tables}


def test_a_sqlite_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "vacancy.db"
    asyncio.run(migrate_database(f"sqlite:///{path}"))
    before = (path.read_bytes(), sorted(tmp_path.iterdir()))
    assert facts(f"sqlite:///{path}").engine == "sqlite"
    assert (path.read_bytes(), sorted(tmp_path.iterdir())) == before


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="There is no database"):
        facts(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


MIXED = (
    'CREATE TABLE "Guest Book" ("Id" integer PRIMARY KEY, "E Mail" text NOT NULL UNIQUE,'
    ' "Order" integer, at integer)',
    'CREATE TABLE "Lines" (id integer PRIMARY KEY, "Guest" integer REFERENCES "Guest Book" ("Id"))',
    'CREATE INDEX "Ix Mail" ON "Guest Book" ("E Mail")',
    'CREATE INDEX "Ix Lower" ON "Guest Book" (lower("E Mail"), "Order")',
    'CREATE INDEX "Ix Lower2" ON "Guest Book" (lower("E Mail"))',
    'CREATE INDEX "Ix Upper" ON "Guest Book" (upper("E Mail"))',
    'CREATE INDEX "Ix Some" ON "Guest Book" ("Order") WHERE at > 5',
    'CREATE INDEX "Ix Others" ON "Guest Book" ("Order", at) WHERE at > 6',
    'CREATE INDEX "Ix Down" ON "Guest Book" ("Order" DESC, at)',
)


def test_a_foreign_schema_with_quoted_names(database_url: str) -> None:
    run(database_url, *MIXED)
    found = {
        (one.name, one.index): one
        for one in standing_findings(facts(database_url))
        if one.name != "statistics_stale"
    }
    assert set(found) == {
        ("index_duplicate", "Ix Mail"),
        ("index_prefix", "Ix Lower2"),
        ("foreign_key_unindexed", ""),
    }
    assert found["foreign_key_unindexed", ""].table == "Lines"
    run(database_url, *(one.fix.rstrip(";") for one in found.values()))
    assert told(database_url) == []


def test_twins_of_keys_and_of_unique_constraints(database_url: str) -> None:
    run(
        database_url,
        "CREATE TABLE a (x integer NOT NULL, y integer NOT NULL, z integer UNIQUE,"
        " PRIMARY KEY (x, y))",
        "CREATE TABLE b (id INTEGER PRIMARY KEY, y integer)",
        "CREATE INDEX of_key ON a (x, y)",
        "CREATE INDEX before_key ON a (x)",
        "CREATE INDEX of_unique ON a (z)",
        "CREATE UNIQUE INDEX of_other ON b (id)",
        "CREATE INDEX apart ON a (y)",
    )
    assert sorted(told(database_url)) == [
        ("index_duplicate", "a", "of_key"),
        ("index_duplicate", "a", "of_unique"),
        ("index_duplicate", "b", "of_other"),
        ("index_prefix", "a", "before_key"),
    ]


def test_a_reference_of_two_columns_is_served_in_either_order(database_url: str) -> None:
    run(
        database_url,
        "CREATE TABLE a (x integer NOT NULL, y integer NOT NULL, PRIMARY KEY (x, y))",
        "CREATE TABLE b (id integer PRIMARY KEY, y integer, x integer,"
        " FOREIGN KEY (x, y) REFERENCES a (x, y))",
        "CREATE INDEX other_way ON b (y, x, id)",
    )
    assert told(database_url) == []
    run(database_url, "DROP INDEX other_way", "CREATE INDEX gap ON b (y, id, x)")
    assert told(database_url) == [("foreign_key_unindexed", "b", "")]
    assert told(database_url, ["b"]) == []


ROWS = 30_000


def _filled(url: str) -> None:
    """A table of 30,000 rows of 200 bytes, analyzed, that nothing vacuums by itself."""
    sqlite = (
        "CREATE TABLE readings (id INTEGER PRIMARY KEY, meter integer, note text)",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        f" WHERE i < {ROWS}) INSERT INTO readings SELECT i, i * 7919 % 10007,"
        " printf('%.*c', 200, 'x') FROM n",
        "CREATE INDEX ix_readings ON readings (meter, id)",
        "ANALYZE readings",
    )
    postgres = (
        "CREATE TABLE readings (id bigint PRIMARY KEY, meter bigint, note text)"
        " WITH (autovacuum_enabled = off)",
        "INSERT INTO readings SELECT i, i * 7919 % 10007, repeat('x', 200)"
        f" FROM generate_series(1, {ROWS}) AS i",
        "CREATE INDEX ix_readings ON readings (meter, id)",
        "VACUUM ANALYZE readings",
    )
    run(url, *(sqlite if engine_of(url) == "sqlite" else postgres))


def test_sizes_are_estimated_and_full_pages_are_no_bloat(database_url: str) -> None:
    _filled(database_url)
    read = facts(database_url)
    table = read.table("readings")
    assert ROWS * 0.8 < (table.rows or 0) < ROWS * 1.2
    assert 5_000_000 < (table.size_bytes or 0) < 9_000_000
    assert table.has_statistics
    assert standing_findings(read) == ()


def test_what_was_deleted_leaves_empty_pages(database_url: str) -> None:
    _filled(database_url)
    run(database_url, "DELETE FROM readings WHERE id % 20 > 0")
    if engine_of(database_url) == "postgresql":
        run(database_url, "VACUUM ANALYZE readings")
    else:
        run(database_url, "ANALYZE readings")
    found = [one for one in standing_findings(facts(database_url)) if one.name == "table_bloated"]
    # SQLite puts pages that are nearly empty together: what was left free is the file's.
    where = "" if engine_of(database_url) == "sqlite" else "readings"
    assert [(one.ok, one.table) for one in found] == [(True, where)]
    run(database_url, found[0].fix.rstrip(";"))
    assert [one for one in told(database_url) if one[0] == "table_bloated"] == []


def test_rows_that_came_after_the_statistics(database_url: str) -> None:
    _filled(database_url)
    run(
        database_url,
        f"INSERT INTO readings SELECT id + {ROWS}, meter, note FROM readings",
        f"INSERT INTO readings SELECT id + {2 * ROWS}, meter, note FROM readings",
    )
    (one,) = standing_findings(facts(database_url))
    assert (one.name, one.ok, one.fix) == ("statistics_stale", False, "ANALYZE readings;")
    run(database_url, "ANALYZE readings")
    assert told(database_url) == []


# -- SQLite alone


def test_a_file_tells_of_its_pages_its_log_and_its_numbers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'one.db'}"
    writer = apsw.Connection(str(tmp_path / "one.db"))
    for sql in (
        "PRAGMA journal_mode = WAL",
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, rowid TEXT)",
        "CREATE TABLE u (rowid TEXT, _rowid_ TEXT, oid TEXT)",
        "CREATE TABLE w (a TEXT PRIMARY KEY, b TEXT REFERENCES t) WITHOUT ROWID",
        "INSERT INTO t VALUES (9000000000000000000, 'x')",
        "DELETE FROM t",
    ):
        writer.execute(sql)
    read = facts(url)
    writer.close()
    assert read.file is not None
    assert (read.file.journal_mode, read.file.log_bytes > 0) == ("wal", True)
    assert {one.table: one.largest_used for one in read.keys} == {
        "t": 9_000_000_000_000_000_000,
        "u": None,
    }
    assert [(one.parent, one.columns) for one in read.foreign_keys] == [("t", ("b",))]
    (near, unindexed) = sorted(standing_findings(read), key=lambda one: one.name, reverse=True)
    assert (near.name, near.table, near.ok) == ("key_near_end", "t", False)
    assert unindexed.name == "foreign_key_unindexed"


def test_a_tree_is_reckoned_by_its_first_pages(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'many.db'}"
    run(
        url,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a integer, b text)",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
        " INSERT INTO t SELECT i, i % 100, 'some text for row ' || i FROM n",
        "CREATE INDEX ix_t ON t (a, b)",
    )
    read = facts(url)
    assert read.file is not None
    assert 170_000 < (read.table("t").rows or 0) < 230_000
    whole = (read.table("t").size_bytes or 0) + (index(read, "ix_t").size_bytes or 0)
    assert abs(whole / (read.file.pages * read.file.page_bytes) - 1) < 0.15


# -- PostgreSQL alone


def test_postgres_tells_what_is_wrong(postgres_url: str) -> None:
    run(
        postgres_url,
        "CREATE TABLE p (id integer PRIMARY KEY)",
        "CREATE TABLE c (id serial PRIMARY KEY, p_id integer, day date)",
        "SELECT setval('c_id_seq', 2000000000)",
        "INSERT INTO p VALUES (2147483000)",
        'ALTER TABLE c ADD CONSTRAINT "Fk" FOREIGN KEY (p_id) REFERENCES p NOT VALID',
        "CREATE INDEX broken ON c (p_id)",
        "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'broken'::regclass",
    )
    read = facts(postgres_url)
    found: dict[str, IndexFinding] = {one.name: one for one in standing_findings(read)}
    assert [one.index for one in invalid_indexes(read)] == ["broken"]
    assert set(found) == {"key_near_end", "constraint_not_valid", "foreign_key_unindexed"}
    ends = [one for one in standing_findings(read) if one.name == "key_near_end"]
    assert [(one.table, one.ok) for one in ends] == [("c", False), ("p", False)]
    run(postgres_url, "REINDEX INDEX CONCURRENTLY broken")
    run(postgres_url, *(one.fix for one in ends), found["constraint_not_valid"].fix)
    assert told(postgres_url) == []


def test_what_autovacuum_sees_to_may_have_been_loaded_a_moment_ago(postgres_url: str) -> None:
    run(
        postgres_url,
        "CREATE TABLE loaded (id bigint) WITH (autovacuum_enabled = off)",
        f"INSERT INTO loaded SELECT generate_series(1, {ROWS})",
    )
    (one,) = standing_findings(facts(postgres_url))
    assert (one.name, one.ok, one.table) == ("statistics_stale", False, "loaded")
    run(postgres_url, "ALTER TABLE loaded RESET (autovacuum_enabled)")
    assert [one for one in standing_findings(facts(postgres_url)) if not one.ok] == []


def test_parts_of_a_partitioned_table_are_told_once(postgres_url: str) -> None:
    run(
        postgres_url,
        "CREATE TABLE p (id bigint PRIMARY KEY)",
        "CREATE TABLE c (id bigint, p_id bigint REFERENCES p, day date) PARTITION BY RANGE (id)",
        "CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE c2 PARTITION OF c FOR VALUES FROM (100) TO (200)",
        "CREATE INDEX one ON c (day, id)",
        "CREATE INDEX two ON c (day)",
    )
    found = standing_findings(facts(postgres_url))
    assert [(one.name, one.table, one.index) for one in found] == [
        ("index_prefix", "c", "two"),
        ("foreign_key_unindexed", "c", ""),
    ]
    run(postgres_url, *(one.fix for one in found))
    assert told(postgres_url) == []


def test_what_differs_by_class_collation_or_nulls_is_no_twin(postgres_url: str) -> None:
    run(
        postgres_url,
        "CREATE TABLE t (a text, b integer, c integer)",
        "CREATE INDEX plain ON t (a)",
        "CREATE INDEX of_patterns ON t (a text_pattern_ops)",
        'CREATE INDEX of_c ON t (a COLLATE "C")',
        "CREATE INDEX nulls_last ON t (b, c)",
        "CREATE INDEX nulls_first ON t (b NULLS FIRST, c)",
        "CREATE INDEX by_hash ON t USING hash (b)",
        "CREATE UNIQUE INDEX strict ON t (c) NULLS NOT DISTINCT",
    )
    assert told(postgres_url) == []
    run(postgres_url, "CREATE INDEX backwards ON t (b DESC NULLS LAST, c DESC)")
    assert told(postgres_url) == [("index_duplicate", "t", "backwards")]


def test_other_schemas_are_read_with_their_names(postgres_url: str) -> None:
    run(
        postgres_url,
        'CREATE SCHEMA "Old Shop"',
        'CREATE TABLE "Old Shop"."T" (id integer PRIMARY KEY,'
        ' "A" integer REFERENCES "Old Shop"."T")',
        'CREATE INDEX "I" ON "Old Shop"."T" ("A", id)',
        'CREATE INDEX "J" ON "Old Shop"."T" ("A")',
    )
    (one,) = standing_findings(facts(postgres_url))
    assert (one.table, one.index) == ("Old Shop.T", "J")
    assert one.fix == 'DROP INDEX CONCURRENTLY "Old Shop"."J";'


def test_an_open_transaction_and_a_slot_are_seen(postgres_url: str) -> None:
    async def story() -> Facts:
        holder = await asyncpg.connect(postgres_url)
        try:
            async with holder.transaction():
                await holder.execute("SELECT 1")
                return await read_facts(postgres_url)
        finally:
            await holder.close()

    server = asyncio.run(story()).server
    assert server is not None
    assert server.running is not None
    assert [one.is_idle for one in server.running] == [True]
    assert server.connections is not None
    assert server.connections_max == 200
    assert server.slots == ()
    assert server.slots_keep_all_log is True
    assert server.replay_behind_s is None
    assert 0 < (server.transaction_age or 0) < 1_000_000_000


def test_a_role_that_may_read_nothing_is_told_the_rest(
    postgres: PostgresServer, postgres_url: str
) -> None:
    name = f"reader_{urlsplit(postgres_url).path.strip('/')}"
    run(
        postgres_url,
        "CREATE TABLE t (id integer PRIMARY KEY, a text)",
        "CREATE TABLE s (id serial PRIMARY KEY)",
        "SELECT setval('s_id_seq', 2100000000)",
        "INSERT INTO t VALUES (2147483000, 'x')",
        "CREATE INDEX one ON t (a, id)",
        "CREATE INDEX two ON t (a)",
        "ANALYZE t",
        f"CREATE ROLE {name} LOGIN",
    )
    parts = urlsplit(postgres_url)
    host = parts.netloc.rpartition("@")[2]
    try:
        read = facts(urlunsplit(parts._replace(netloc=f"{name}@{host}")))
    finally:
        run(postgres_url, f"DROP ROLE {name}")
    assert [one.largest_used for one in read.keys] == [None, None]
    assert read.table("t").wasted_bytes is None
    assert read.server is not None
    assert read.server.running is None
    assert read.server.connections is not None
    assert [(one.name, one.index) for one in standing_findings(read)] == [("index_prefix", "two")]
