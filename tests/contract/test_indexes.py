"""The indexes: each can serve its statement at a million rows, and a server does without the new
ones while a deployment rolls."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import msgspec
import pytest

from tests.hotels import FIRST_NIGHT, HandClock, a_hotel, join_hotel
from tests.scratch_migrations import a_door, revision_of
from tests.seeds import SchemaFault
from tests.served import SERVED, Served
from tests.shape import Shape, open_shape
from vacancy.bootstrap import open_house
from vacancy.config import Settings
from vacancy.db.connect import sqlite_path
from vacancy.db.plan import Plan
from vacancy.db.read_catalog import read_catalog
from vacancy.hotel.booking import booking_of
from vacancy.hotel.migrating import migrate_database, our_migrations
from vacancy.hotel.migrations import r0003_add_composite_indexes_for_performance as composite
from vacancy.hotel.revisions import REVISIONS
from vacancy.hotel.schema import metadata

REPOSITORY = Path(__file__).parents[2]
Faults = dict[str, list[str]]
"""What is wrong with a statement's plan, by engine."""


class Shapes(msgspec.Struct):
    """Both databases at full size."""

    runner: asyncio.Runner
    shapes: list[Shape]

    def faults(self, served: Served) -> Faults:
        async def look(shape: Shape) -> tuple[str, list[str]]:
            witness = await shape.look()
            return witness.engine, _faults(await witness.plan(served.statement), served)

        return dict(self.runner.run(look(shape)) for shape in self.shapes)

    def faults_without(self, served: Served) -> Faults:
        """Those of the plan that would be left without the index, which then stands again."""
        fault = SchemaFault(
            name="dropped",
            family="index dropped",
            why="A statement has lost its index.",
            at=served.statement.name,
            expects=("INDEX_NOT_USED",),
            ddl=(f"DROP INDEX {served.index}",),
        )

        async def look(shape: Shape) -> tuple[str, list[str]]:
            before = await (await shape.look()).plan(served.statement)
            async with shape.broken(fault) as witness:
                after = await witness.plan(served.statement)
            found = [one for one in _faults(after, served) if not one.startswith("not served")]
            for lost in (way for way in before.ways if way.index == served.index):
                left = [way for way in after.ways if way.table == lost.table]
                if max((len(way.columns) for way in left), default=0) < len(lost.columns):
                    found.append(f"binds less: {', '.join(map(str, left))}")
            return witness.engine, found

        return dict(self.runner.run(look(shape)) for shape in self.shapes)


def _faults(plan: Plan, served: Served) -> list[str]:
    found = []
    if "scans" not in served.may:
        found += [f"scans {way}" for way in plan.ways if way.reads_all]
    if "sorts" not in served.may:
        found += [f"sorts {one}" for one in plan.sorts]
    if not any(way.index == served.index for way in plan.ways):
        found.append(f"not served by {served.index} but by {', '.join(map(str, plan.ways))}")
    return found


@pytest.fixture(scope="module")
def shapes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shapes]:
    spare = request.getfixturevalue("spare_databases")
    name = spare.take()
    urls = (
        f"sqlite:///{tmp_path_factory.mktemp('indexes') / 'vacancy.db'}",
        request.getfixturevalue("postgres").url(name),
    )
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        opened = [runner.run(stack.enter_async_context(open_shape(url))) for url in urls]
        yield Shapes(runner, opened)
        runner.run(stack.aclose())
    spare.give_back(name)


@pytest.mark.parametrize("served", SERVED, ids=lambda one: one.statement.name)
def test_an_index_can_serve_its_statement(shapes: Shapes, served: Served) -> None:
    assert shapes.faults(served) == {"sqlite": [], "postgresql": []}


@pytest.mark.parametrize(
    "served",
    [one for one in SERVED if one.index in composite.INDEXES],
    ids=lambda one: one.statement.name,
)
def test_without_its_index_a_statement_scans_or_sorts(shapes: Shapes, served: Served) -> None:
    for engine, faults in shapes.faults_without(served).items():
        assert faults, f"{engine} does as well without"
    assert shapes.faults(served) == {"sqlite": [], "postgresql": []}


def test_every_index_serves_a_statement_and_the_page_names_both() -> None:
    """What is unique is also there to refuse."""
    indexes = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    served = {one.index for one in SERVED}
    # That of the log is PostgreSQL's alone; test_changes.py holds the looks to it.
    not_for_reading = {"ix_audit_entries_subject", "ix_change_log_mark"}
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
