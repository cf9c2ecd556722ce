"""The indexes: each can serve its statement at a million rows, and a server does without the new
ones while a deployment rolls."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import msgspec
import pytest

from tests.hotels import FIRST_NIGHT, HandClock, a_hotel, join_hotel
from tests.scratch_migrations import a_door, revision_of
from tests.served import SERVED, Served
from vacancy.bootstrap import open_house
from vacancy.config import Settings
from vacancy.db.connect import sqlite_path
from vacancy.db.read_catalog import read_catalog
from vacancy.hotel.booking import booking_of
from vacancy.hotel.migrating import migrate_database, our_migrations
from vacancy.hotel.migrations import r0003_add_composite_indexes_for_performance as composite
from vacancy.hotel.revisions import REVISIONS
from vacancy.hotel.schema import metadata

REPOSITORY = Path(__file__).parents[2]
MILLION = 1_000_000

DISTINCT = {
    "property_id": 20,
    "room_type_id": 1_000,
    "user_id": 100_000,
    "booking_id": 800_000,
    "status": 5,
    "check_in": 1_100,
    "check_out": 1_100,
    "expires_at": 1_000,
    "kind": 8,
}
"""How many values a column has among a million rows; all are different where it is not named."""

SESSION = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan", "jit": "off"}
"""What decides on plans in `open_postgres`."""

# A few of the rows in the same proportions; their statistics are then raised to a million.
ROWS = """
    INSERT INTO properties (id, code, name, currency, time_zone, max_stay_nights, created_at)
    SELECT n, 'p' || n, 'n', 'EUR', 'UTC', 90, now() FROM generate_series(0, 19) AS n;
    INSERT INTO room_types (id, property_id, code, name, price_minor, max_adults, created_at)
    SELECT n, n % 20, 't' || n, 'n', 1, 2, now() FROM generate_series(0, 999) AS n;
    INSERT INTO users (id, name, email, created_at)
    SELECT n, 'n', 'e' || n, now() FROM generate_series(0, 9999) AS n;
    INSERT INTO room_inventory (property_id, room_type_id, night, capacity)
    SELECT n % 20, n % 1000, date '2027-01-01' + n / 1000, 1 FROM generate_series(0, 29999) AS n;
    INSERT INTO bookings (id, property_id, user_id, status, check_in, check_out, guest_name,
        guest_email, total_minor, segment, channel, lead_days, created_at, changed_at, expires_at)
    SELECT n, n % 20, n % 9973, (ARRAY['provisional', 'confirmed', 'checked_out', 'cancelled',
        'no_show'])[1 + n % 5], date '2027-01-01' + n % 1100, date '2027-01-03' + n % 1100, 'n',
        'e', 1, 'd', 'a', 1, now(), now(), now() + n * interval '1 minute'
    FROM generate_series(0, 29999) AS n;
    INSERT INTO room_stays (booking_id, line, property_id, room_type_id, check_in, check_out,
        rooms, adults, prices_minor)
    SELECT n, 1, n % 20, n % 1000, date '2027-01-01' + n % 1100, date '2027-01-03' + n % 1100, 1,
        1, '[1, 1]' FROM generate_series(0, 29999) AS n;
    INSERT INTO payments (id, property_id, booking_id, user_id, status, method, amount_minor,
        currency, created_at, changed_at)
    SELECT n, n % 20, n, n % 9973, (ARRAY['pending', 'succeeded', 'failed'])[1 + n % 3], 'card', 1,
        'EUR', now() + n * interval '1 minute', now() FROM generate_series(0, 29999) AS n;
    INSERT INTO refunds (id, property_id, payment_id, status, amount_minor, created_at, changed_at)
    SELECT n, n % 20, n, 'succeeded', 1, now(), now() FROM generate_series(0, 19999) AS n;
    INSERT INTO invoices (id, property_id, booking_id, number, billed_to, lines, total_minor,
        currency, issued_at)
    SELECT n, n % 20, n, n + 1, 'n', '[]', 1, 'EUR', now() FROM generate_series(0, 19999) AS n;
    INSERT INTO credit_notes (id, property_id, invoice_id, number, lines, total_minor, issued_at)
    SELECT n, n % 20, n, n + 1, '[]', 1, now() FROM generate_series(0, 19999) AS n;
    INSERT INTO waitlist (id, property_id, room_type_id, user_id, status, check_in, check_out,
        rooms, adults, guest_name, guest_email, booking_id, created_at, changed_at)
    SELECT n, n % 20, n % 1000, n % 9973, (ARRAY['active', 'expired', 'cancelled'])[1 + n % 3],
        date '2027-01-01' + n % 1100, date '2027-01-03' + n % 1100, 1, 1, 'n', 'e', n, now(), now()
    FROM generate_series(0, 19999) AS n;
    INSERT INTO notifications (id, property_id, user_id, kind, subject_id, channel, recipient,
        payload, status, scheduled_at, created_at, changed_at)
    SELECT n, n % 20, n % 9973, 'kind ' || n % 8, n, 'email', 'e', '{}',
        (ARRAY['queued', 'sent', 'failed'])[1 + n % 3], now() + n * interval '1 minute', now(),
        now()
    FROM generate_series(0, 19999) AS n;
    ANALYZE;
"""
RAISE_TO_A_MILLION = f"""
    SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', c.relname::text,
        'relpages', c.relpages, 'reltuples', {MILLION}::real)
    FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace
        AND c.relkind IN ('r', 'i')
        AND c.reltuples >= 20000
"""


class Plan(msgspec.Struct):
    """How a database would run a statement."""

    indexes: list[str] = []
    faults: list[str] = []
    """What it scans (nothing that it reads by is bound to a value) and what it sorts."""

    def broken(self, served: Served) -> list[str]:
        wrong = [one for one in self.faults if one.split(maxsplit=1)[0] not in served.may]
        if served.index not in self.indexes:
            wrong.append(f"not served by {served.index} but by {self.indexes}")
        return wrong


class Planner(msgspec.Struct):
    """Both databases with the newest schema and the statistics of a million rows."""

    sqlite: apsw.Connection
    postgresql: asyncpg.Connection[Any]
    loop: asyncio.AbstractEventLoop

    def plans(self, served: Served) -> dict[str, Plan]:
        return {
            "sqlite": _sqlite_plan(self.sqlite, served),
            "postgresql": self.loop.run_until_complete(_postgres_plan(self.postgresql, served)),
        }

    def without(self, served: Served) -> dict[str, Plan]:
        """The plans that would be left without the index, which then stands again."""
        drop = f"DROP INDEX {served.index}"
        self.sqlite.execute("BEGIN")
        self.sqlite.execute(drop)
        sqlite = _sqlite_plan(self.sqlite, served)
        self.sqlite.execute("ROLLBACK")

        async def elsewhere() -> Plan:
            unit = self.postgresql.transaction()
            await unit.start()
            try:
                await self.postgresql.execute(drop)
                return await _postgres_plan(self.postgresql, served)
            finally:
                await unit.rollback()

        return {"sqlite": sqlite, "postgresql": self.loop.run_until_complete(elsewhere())}


@pytest.fixture(scope="module")
def planner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Planner]:
    spare = request.getfixturevalue("spare_databases")
    name = spare.take()
    postgres_url = request.getfixturevalue("postgres").url(name)
    url = f"sqlite:///{tmp_path_factory.mktemp('indexes') / 'vacancy.db'}"
    loop = asyncio.new_event_loop()
    loop.run_until_complete(migrate_database(url))
    loop.run_until_complete(migrate_database(postgres_url))
    sqlite = apsw.Connection(str(sqlite_path(url)))
    _inject_sqlite_statistics(sqlite)

    async def fill() -> asyncpg.Connection[Any]:
        connection = await asyncpg.connect(postgres_url, server_settings=SESSION)
        await connection.execute(ROWS)
        await connection.execute(RAISE_TO_A_MILLION)
        return connection

    postgresql = loop.run_until_complete(fill())
    yield Planner(sqlite, postgresql, loop)
    sqlite.close()
    loop.run_until_complete(postgresql.close())
    loop.close()
    spare.give_back(name)


def _inject_sqlite_statistics(connection: apsw.Connection) -> None:
    """What ANALYZE would find in tables of a million rows: of each index, how many rows share its
    first column, its first two, and so on."""
    connection.execute("ANALYZE")
    for table in metadata.tables:
        indexes: list[Any] = connection.execute(
            "SELECT name, origin FROM pragma_index_list(?)", (table,)
        ).fetchall()
        for index, origin in indexes:
            columns: list[Any] = connection.execute(
                "SELECT name FROM pragma_index_info(?) ORDER BY seqno", (index,)
            ).fetchall()
            values, shares = 1, [MILLION]
            for (column,) in columns:
                values = min(MILLION, values * DISTINCT.get(column, MILLION))
                shares.append(max(1, MILLION // values))
            # The key of a table without row numbers goes by the table's name.
            known_as = table if origin == "pk" else index
            connection.execute(
                "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)",
                (table, known_as, " ".join(map(str, shares))),
            )
    connection.execute("ANALYZE sqlite_schema")


def _sqlite_plan(connection: apsw.Connection, served: Served) -> Plan:
    sql = served.statement.sqlite
    plan = Plan()
    made: set[str] = set()
    explained = connection.execute(
        f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys(served.statement.order, 1)
    )
    for *_, line in explained:
        if found := re.match(r"(?:CO-ROUTINE|MATERIALIZE) (\w+)", line):
            made.add(found[1])
        elif found := re.search(r"USING (?:COVERING )?INDEX (\w+)", line):
            plan.indexes.append(found[1])
        elif found := re.match(r"SEARCH (\w+) USING PRIMARY KEY", line):
            named = re.search(rf"(\w+) AS {found[1]}\b", sql)
            plan.indexes.append(f"pk_{named[1] if named else found[1]}")
        scanned = re.match(r"SCAN (\w+)", line)
        by_number = re.search(r"INTEGER PRIMARY KEY \(rowid[<>]", line)
        if by_number or (scanned and scanned[1] not in made):
            plan.faults.append(f"scans {line}")
        if "TEMP B-TREE" in line:
            plan.faults.append(f"sorts {line}")
    return plan


async def _postgres_plan(connection: asyncpg.Connection[Any], served: Served) -> Plan:
    text = served.statement.postgresql
    prepared = await connection.prepare(text)
    values = ", ".join(["NULL"] * len(prepared.get_parameters()))
    await connection.execute(f"PREPARE one AS {text}")
    try:
        asked = f"EXPLAIN (FORMAT JSON) EXECUTE one{f' ({values})' if values else ''}"
        top = json.loads(await connection.fetchval(asked))[0]["Plan"]
    finally:
        await connection.execute("DEALLOCATE one")
    plan = Plan()
    for node in _nodes(top):
        kind, index = node["Node Type"], node.get("Index Name")
        if index is not None:
            plan.indexes.append(index)
            if "=" not in re.sub("[<>]=", "", node.get("Index Cond", "")):
                plan.faults.append(f"scans {index}")
        if kind == "Seq Scan":
            plan.faults.append(f"scans {node['Relation Name']}")
        if kind in ("Sort", "Incremental Sort"):
            plan.faults.append(f"sorts by {node['Sort Key']}")
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


@pytest.mark.parametrize("served", SERVED, ids=lambda one: one.statement.name)
def test_an_index_can_serve_its_statement(planner: Planner, served: Served) -> None:
    broken = {engine: plan.broken(served) for engine, plan in planner.plans(served).items()}
    assert broken == {"sqlite": [], "postgresql": []}


@pytest.mark.parametrize(
    "served",
    [one for one in SERVED if one.index in composite.INDEXES],
    ids=lambda one: one.statement.name,
)
def test_without_its_index_a_statement_scans_or_sorts(planner: Planner, served: Served) -> None:
    for engine, plan in planner.without(served).items():
        assert plan.faults, f"{engine} does as well by {plan.indexes}"
    assert planner.plans(served)["postgresql"].broken(served) == []


def test_every_index_serves_a_statement_and_the_page_names_both() -> None:
    """What is unique is also there to refuse."""
    indexes = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    served = {one.index for one in SERVED}
    not_for_reading = {"ix_audit_entries_subject"}
    assert {name for name in indexes if name.startswith("ix_")} - not_for_reading <= served
    page = (REPOSITORY / "docs" / "indexes.md").read_text()
    named = set(re.findall(r"`([a-z_.0-9]+)`", page))
    assert indexes <= named, f"docs/indexes.md does not name {sorted(indexes - named)}"
    statements = {one.statement.name for one in SERVED}
    assert statements <= named, f"docs/indexes.md does not name {sorted(statements - named)}"


def test_composite_indexes_are_built_beside_the_writers(postgres_url: str) -> None:
    async def story() -> None:
        await migrate_database(postgres_url, "0002")
        (step,) = our_migrations().plan("postgresql", "0002", "0003")
        builds = step.statements[:-1]
        assert len(builds) == len(composite.INDEXES)
        assert all(sql.startswith("CREATE INDEX CONCURRENTLY ") for sql in builds)
        assert not step.transactional
        (down,) = our_migrations().plan("postgresql", "0003", "0002")
        assert all(sql.startswith("DROP INDEX CONCURRENTLY ") for sql in down.statements[:-1])

        writer = await asyncpg.connect(postgres_url)
        try:
            unit = writer.transaction()
            await unit.start()
            await writer.execute(
                "INSERT INTO users (id, name, email, created_at) VALUES (1, 'n', 'e', now())"
            )
            await writer.execute("LOCK TABLE bookings IN ROW EXCLUSIVE MODE")
            building = asyncio.ensure_future(migrate_database(postgres_url, "0003"))
            # Whoever writes bookings meanwhile is not held up by the build that waits.
            other = await asyncpg.connect(postgres_url)
            try:
                await _until_building(other)
                await other.execute("UPDATE bookings SET guest_name = '' WHERE id = 1", timeout=30)
            finally:
                await other.close()
            assert not building.done()
            await unit.commit()
            assert [done.revision for done in await building] == ["0003"]
        finally:
            await writer.close()
        found = await read_catalog(postgres_url)
        valid = {index.name: index.valid for table in found.tables for index in table.indexes}
        assert all(valid[name] for name in composite.INDEXES)

    asyncio.run(story())


async def _until_building(connection: asyncpg.Connection[Any]) -> None:
    sql = """
    SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'
        AND datname = current_database()
    """
    deadline = asyncio.get_running_loop().time() + 30
    while not await connection.fetchval(sql):
        assert asyncio.get_running_loop().time() < deadline, "the build does not wait"
        await asyncio.sleep(0.01)


def test_a_server_works_on_every_revision_that_it_accepts(database_url: str) -> None:
    """Booking goes on while the schema goes down to the oldest and up again under open houses."""
    accepted = REVISIONS.known[REVISIONS.known.index(REVISIONS.oldest_accepted) :]

    async def story() -> None:
        settings = Settings(database_url=database_url, env="test")
        async with a_hotel(database_url, capacity=50) as hotel:
            for revision in accepted:
                await migrate_database(database_url, revision)
                assert await revision_of(database_url) == revision
                async with open_house(settings, HandClock()) as house:
                    for place in (hotel, join_hotel(house, hotel)):
                        booked = booking_of(await place.book(place.request(nights=2)))
                        hold = place.request(hold_for=timedelta(minutes=5))
                        held = booking_of(await place.book(hold))
                        await place.change("confirm", held.id)
                        await place.change("cancel", booked.id)
            rows = await _stays(database_url)
            assert rows == 4 * len(accepted)

    asyncio.run(story())


async def _stays(url: str) -> int:
    sql = f"SELECT count(*) FROM bookings WHERE check_in = '{FIRST_NIGHT}'"
    async with a_door(url):
        if url.startswith("sqlite"):
            connection = apsw.Connection(str(sqlite_path(url)))
            try:
                return int(connection.execute(sql).get)
            finally:
                connection.close()
        other = await asyncpg.connect(url)
        try:
            return int(await other.fetchval(sql))
        finally:
            await other.close()
