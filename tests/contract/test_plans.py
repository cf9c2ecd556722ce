"""PostgreSQL serves every quick statement by an index's condition, whatever it knows of the tables.

Our sessions plan once for all values. A plan made before a table had statistics must not read a
whole index once the table is large.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Iterator
from typing import Any

import apsw
import asyncpg

from vacancy.db.connect import sqlite_path
from vacancy.db.statement import SetStatement, Statement
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.statements.bookings import GET_USER_BOOKINGS_OF_STATUS

AnyStatement = Statement[Any] | SetStatement[Any]

SESSION = {
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
"""What decides on plans in `open_postgres`."""

MODULES = (
    "availability",
    "bookings",
    "bookings_desk",
    "bookings_details",
    "imports",
    "payments",
    "users",
)
"""Whose statements keep to their indexes' conditions with no statistics at all; the others do with
those that autovacuum makes within a minute."""

FEW = """
    INSERT INTO properties (id, code, name, currency, time_zone, max_stay_nights, created_at)
    SELECT n, 'p' || n, 'n', 'EUR', 'UTC', 90, now() FROM generate_series(1, 3) AS n;
    INSERT INTO room_types (id, property_id, code, name, price_minor, max_adults, created_at)
    SELECT n, n, 'double', 'n', 1, 2, now() FROM generate_series(1, 3) AS n;
    INSERT INTO users (id, name, email, created_at)
    SELECT n, 'n', 'e' || n, now() FROM generate_series(1, 3) AS n;
"""
MANY = """
    INSERT INTO properties (id, code, name, currency, time_zone, max_stay_nights, created_at)
    SELECT n, 'p' || n, 'n', 'EUR', 'UTC', 90, now() FROM generate_series(4, 2000) AS n;
    INSERT INTO room_types (id, property_id, code, name, price_minor, max_adults, created_at)
    SELECT n, n, 'double', 'n', 1, 2, now() FROM generate_series(4, 2000) AS n;
    INSERT INTO users (id, name, email, created_at)
    SELECT n, 'n', 'e' || n, now() FROM generate_series(4, 2000) AS n;
    INSERT INTO room_inventory (property_id, room_type_id, night, capacity)
    SELECT p, p, date '2027-01-01' + d, 1
    FROM generate_series(1, 200) AS p, generate_series(0, 99) AS d;
    INSERT INTO bookings (id, property_id, user_id, status, check_in, check_out, guest_name,
        guest_email, total_minor, segment, channel, source_ref, lead_days, created_at, changed_at)
    SELECT n, 1 + n % 2000, 1 + n % 20, 'confirmed', '2027-01-01', '2027-01-02', 'n', 'e', 1, 'd',
        'a', 'line:' || n, 1, now(), now()
    FROM generate_series(1, 20000) AS n;
    INSERT INTO room_stays (booking_id, line, property_id, room_type_id, check_in, check_out,
        rooms, adults, prices_minor)
    SELECT n, 1, 1 + n % 2000, 1 + n % 2000, '2027-01-01', '2027-01-02', 1, 1, '[1]'
    FROM generate_series(1, 20000) AS n;
    INSERT INTO idempotency_keys (user_id, key, request_sha256, refused, answer, created_at)
    SELECT 1 + n % 20, 'k' || n, '', 0, '{}', now() FROM generate_series(1, 20000) AS n;
"""


def _quick_statements() -> Iterator[AnyStatement]:
    for module in MODULES:
        home = importlib.import_module(f"vacancy.hotel.statements.{module}")
        for value in vars(home).values():
            if isinstance(value, SetStatement) or (
                isinstance(value, Statement) and not value.heavy
            ):
                yield value


def test_no_plan_reads_a_whole_index(postgres_url: str) -> None:
    async def story() -> None:
        await migrate_database(postgres_url)
        connection = await asyncpg.connect(postgres_url, server_settings=SESSION)
        try:
            found = {"empty": await _whole_reads(connection)}
            await connection.execute(FEW)
            await connection.execute("ANALYZE")
            found["few rows"] = await _whole_reads(connection)
            await connection.execute(MANY)
            found["many rows, statistics of a few"] = await _whole_reads(connection)
            await connection.execute("ANALYZE")
            found["many rows"] = await _whole_reads(connection)
        finally:
            await connection.close()
        problems = [f"{state}: {one}" for state, whole in found.items() for one in whole]
        assert problems == [], "\n".join(problems)

    asyncio.run(story())


async def _whole_reads(connection: asyncpg.Connection[Any]) -> list[str]:
    """Which statement would read which index or table from end to end."""
    whole = []
    for statement in _quick_statements():
        prepared = await connection.prepare(statement.postgresql)
        values = ", ".join(["NULL"] * len(prepared.get_parameters()))
        await connection.execute(f"PREPARE one AS {statement.postgresql}")
        asked = f"EXPLAIN (FORMAT JSON) EXECUTE one{f'({values})' if values else ''}"
        plan = json.loads(await connection.fetchval(asked))[0]["Plan"]
        await connection.execute("DEALLOCATE one")
        for node in _nodes(plan):
            kind = node["Node Type"]
            if kind == "Seq Scan" or ("Index" in kind and "Index Cond" not in node):
                whole.append(f"{statement.name}: {kind} {node.get('Index Name', '')}")
    return whole


def test_the_bookings_of_one_status_have_their_index(database_url: str) -> None:
    """Else a page of the few cancelled ones would read all bookings of a user."""

    async def story() -> str:
        await migrate_database(database_url)
        statement = GET_USER_BOOKINGS_OF_STATUS
        if database_url.startswith("sqlite"):
            connection = apsw.Connection(str(sqlite_path(database_url)))
            rows = connection.execute(
                f"EXPLAIN QUERY PLAN {statement.sqlite}", dict.fromkeys(statement.order, 1)
            ).fetchall()
            connection.close()
            return str(rows)
        other = await asyncpg.connect(database_url, server_settings=SESSION)
        try:
            await other.execute(FEW + MANY)
            await other.execute(f"PREPARE one AS {statement.postgresql}")
            values = ", ".join(["NULL"] * len(statement.order))
            return "".join(row[0] for row in await other.fetch(f"EXPLAIN EXECUTE one ({values})"))
        finally:
            await other.close()

    assert "ix_bookings_user_status" in asyncio.run(story())


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
