"""`vacancy perf check-indexes` on databases as users have them: ours, and somebody else's."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import asyncpg

from tests.cli.commands import vacancy
from vacancy.db.connect import engine_of, sqlite_path

KEYS = {"name", "ok", "table", "index", "sentence", "fix", "proof"}

SHOP = (
    "CREATE TABLE shops (id integer PRIMARY KEY, name text NOT NULL)",
    """
    CREATE TABLE orders (
        id integer PRIMARY KEY,
        shop_id integer NOT NULL,
        customer text NOT NULL,
        state text NOT NULL,
        placed_at text NOT NULL
    )
    """,
    "CREATE TABLE parts (order_id integer NOT NULL, article text NOT NULL)",
    "CREATE INDEX ix_orders_state ON orders (state)",
    "CREATE INDEX ix_parts_article ON parts (article)",
    """
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 12000)
    INSERT INTO orders SELECT n, n % 40, 'c' || (n % 3000), 's' || (n % 5), 'd' || n FROM numbers
    """,
    "INSERT INTO parts SELECT id, 'a' || (id % 100) FROM orders",
    "INSERT INTO shops SELECT DISTINCT shop_id, 'shop' FROM orders",
    "ANALYZE",
)
QUERIES = """
-- name: orders_of_customer
SELECT id, state FROM orders WHERE customer = :customer ORDER BY placed_at DESC LIMIT 10;
-- name: orders_of_shop
SELECT o.id, s.name FROM orders AS o JOIN shops AS s ON s.id = o.shop_id WHERE o.shop_id = ?;
-- name: parts_of_order
SELECT p.article FROM orders AS o JOIN parts AS p ON p.order_id = o.id WHERE o.id = $1;
-- name: how_many
SELECT COUNT(*) FROM orders;
-- name: of_a_table_that_is_gone
SELECT id FROM baskets WHERE a = ';';
CREATE TABLE baskets (id integer);
"""


def migrated(url: str) -> tuple[str, ...]:
    assert vacancy("db", "migrate", "--database-url", url).code == 0
    return ("--database-url", url)


def look(*options: str) -> tuple[int, dict[str, Any]]:
    said = vacancy("perf", "check-indexes", *options, "--json")
    assert said.stderr == ""
    return said.code, json.loads(said.stdout)


def change(url: str, *statements: str) -> None:
    """Each by itself, as a person runs them."""
    if engine_of(url) == "sqlite":
        with closing(apsw.Connection(str(sqlite_path(url)))) as file:
            for sql in statements:
                file.execute(sql)
        return

    async def run() -> None:
        connection = await asyncpg.connect(url)
        for sql in statements:
            await connection.execute(sql)
        await connection.close()

    asyncio.run(run())


def failing(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["name"], one["index"]) for one in document["findings"] if not one["ok"]]


def mend(url: str, document: dict[str, Any]) -> None:
    """Runs each line of each fix by itself."""
    for finding in document["findings"]:
        if not finding["ok"]:
            change(url, *finding["fix"].splitlines())


def test_a_migrated_database_has_nothing_to_mend(database_url: str) -> None:
    options = migrated(database_url)
    code, document = look(*options)
    assert (code, document["ok"], failing(document)) == (0, True, [])
    assert document["engine"] == engine_of(database_url)
    assert document["statements"] > 60
    assert document["indexes"] == (21 if document["engine"] == "sqlite" else 22)
    told = vacancy("perf", "check-indexes", *options)
    assert told.code == 0
    assert "Judged by the" in told.stdout.splitlines()[-1]


def test_a_dropped_index_is_told_with_its_fix_and_its_proof(database_url: str) -> None:
    options = migrated(database_url)
    change(database_url, "DROP INDEX ix_bookings_user")
    code, document = look(*options)
    assert (code, failing(document)) == (1, [("index_missing", "ix_bookings_user")])
    finding = document["findings"][0]
    assert finding.keys() == KEYS
    assert finding["table"] == "bookings"
    assert finding["fix"].endswith("ix_bookings_user ON bookings (user_id, id);")
    assert finding["proof"]["statements"] == document["statements"]
    changed = {one["statement"]: one for one in finding["proof"]["changed"]}
    page = changed["bookings.get_user_bookings_with_room_type"]
    assert "bookings by ix_bookings_user_status (user_id);" in page["before"]
    assert "bookings by ix_bookings_user (user_id, id);" in page["after"]
    told = vacancy("perf", "check-indexes", *options)
    assert told.code == 1
    assert f"\n      {finding['fix']}\n" in told.stdout
    assert "must be mended" in told.stdout.splitlines()[-1]
    mend(database_url, document)
    assert failing(look(*options)[1]) == []


def test_columns_in_another_order_and_one_index_too_many(database_url: str) -> None:
    options = migrated(database_url)
    change(database_url, "DROP INDEX ix_bookings_user_status")
    change(database_url, "CREATE INDEX ix_bookings_user_status ON bookings (id, user_id, status)")
    change(database_url, "CREATE INDEX ix_channel ON bookings (channel)")
    code, document = look(*options)
    assert code == 1
    found = dict(failing(document))
    assert found["index_column_order"] == "ix_bookings_user_status"
    assert found["index_unneeded"] == "ix_channel"
    assert len(failing(document)) == 2
    mend(database_url, document)
    assert failing(look(*options)[1]) == []


def test_what_is_longer_and_serves_is_only_worth_knowing(database_url: str) -> None:
    options = migrated(database_url)
    change(database_url, "DROP INDEX ix_bookings_user")
    change(database_url, "CREATE INDEX ix_bookings_user ON bookings (user_id, id, channel)")
    code, document = look(*options)
    told = {one["index"]: one for one in document["findings"]}
    assert code == 0
    assert told["ix_bookings_user"]["name"] == "index_cannot_serve"
    assert "serves its statements all the same" in told["ix_bookings_user"]["sentence"]


def test_a_constraint_that_is_gone_comes_back(postgres_url: str) -> None:
    options = migrated(postgres_url)
    change(postgres_url, "ALTER TABLE users DROP CONSTRAINT uq_users_email")
    code, document = look(*options)
    assert (code, failing(document)) == (1, [("index_missing", "uq_users_email")])
    changed = {one["statement"]: one for one in document["findings"][0]["proof"]["changed"]}
    assert changed["accounts.insert_users"]["before"].startswith("refused: ")
    mend(postgres_url, document)
    assert failing(look(*options)[1]) == []


def test_an_invalid_index_is_built_anew(postgres_url: str) -> None:
    options = migrated(postgres_url)
    for name in ("ix_bookings_user", "ix_bookings_user_status"):
        change(
            postgres_url,
            f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass",
        )
    code, document = look(*options)
    assert code == 1
    assert failing(document) == [
        ("index_invalid", "ix_bookings_user"),
        ("index_invalid", "ix_bookings_user_status"),
    ]
    assert document["findings"][0]["fix"] == "REINDEX INDEX CONCURRENTLY ix_bookings_user;"
    mend(postgres_url, document)
    assert failing(look(*options)[1]) == []


def test_a_file_of_queries_judges_any_database(database_url: str, tmp_path: Path) -> None:
    change(database_url, *SHOP)
    queries = tmp_path / "queries.sql"
    queries.write_text(QUERIES)
    options = ("--database", database_url, "--queries", str(queries))
    code, document = look(*options)
    assert code == 1
    assert document["workload"] == "5 statements of queries.sql, 1 left out"
    scanned = {one["index"]: one for one in document["findings"] if one["name"] == "table_scanned"}
    assert {name for name, one in scanned.items() if not one["ok"]} == {
        "ix_orders_customer_placed_at",
        "ix_orders_shop_id",
        "ix_parts_order_id",
    }
    page = scanned["ix_orders_customer_placed_at"]
    assert page["fix"].endswith("ON orders (customer, placed_at);")
    assert "orders_of_customer" in {one["statement"] for one in page["proof"]["changed"]}
    notes = [(one["name"], one["index"]) for one in document["findings"] if one["ok"]]
    assert ("index_unneeded", "ix_parts_article") in notes
    assert ("statement_refused", "") in notes
    mend(database_url, document)
    assert failing(look(*options)[1]) == []


def test_what_the_server_has_counted_judges_too(postgres_url: str) -> None:
    change(postgres_url, *SHOP)

    async def ask() -> None:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute("CREATE EXTENSION pg_stat_statements")
        for number in range(3):
            await connection.fetch("SELECT id FROM public.orders WHERE customer = $1", f"c{number}")
        await connection.close()

    asyncio.run(ask())
    code, document = look("--database", postgres_url)
    assert code == 1
    assert "pg_stat_statements has counted" in document["workload"]
    assert failing(document) == [("table_scanned", "ix_orders_customer")]
    finding = next(one for one in document["findings"] if not one["ok"])
    assert "about 12,000 rows, 3 times" in finding["sentence"]


def test_without_statements_only_what_stands_is_judged(database_url: str) -> None:
    change(database_url, *SHOP)
    code, document = look("--database", database_url)
    assert (code, document["statements"], document["workload"]) == (0, 0, "")
    # It is not ours, and that need not be said.
    assert look("--database-url", database_url) == (code, document)


def test_what_cannot_be_looked_at_is_refused(database_url: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty.sql"
    empty.write_text("-- nothing\nCREATE TABLE t (a integer);")
    change(database_url, *SHOP)
    said = vacancy(
        *("perf", "check-indexes", "--database", database_url, "--queries", str(empty), "--json")
    )
    assert (said.code, said.refusal["code"]) == (3, "QUERIES_UNREADABLE")
    missing = f"sqlite:///{tmp_path / 'no.db'}"
    said = vacancy("perf", "check-indexes", "--database-url", missing, "--json")
    assert (said.code, said.refusal["code"]) == (4, "DATABASE_MISSING")


def test_an_empty_database_of_ours_has_to_be_migrated_first(postgres_url: str) -> None:
    said = vacancy("perf", "check-indexes", "--database-url", postgres_url, "--json")
    assert said.refusal["code"] == "SCHEMA_MISSING"
