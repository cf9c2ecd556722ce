"""Every table of the hotel is logged or has a reason not to be, and nobody writes past the log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from tests.hotels import FIRST_NIGHT, Hotel, a_hotel
from tests.outside import an_outsider
from tests.shelves import Watched
from vacancy.db.catalog import Catalog
from vacancy.db.change_triggers import create_triggers
from vacancy.db.changes import LOG_TABLE
from vacancy.db.connect import connect, engine_of
from vacancy.db.read_catalog import read_catalog
from vacancy.errors import Missing
from vacancy.hotel.booking import booking_of
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.migrations import r0005_change_log, r0006_counts_on_one_page
from vacancy.hotel.revisions import REVISIONS
from vacancy.hotel.tracked import TRACKED, UNTRACKED

LOGGED = {"0005": r0005_change_log.TRACKED, "0006": TRACKED}
"""What is logged from each revision on."""


def test_every_table_has_its_triggers_after_every_revision(database_url: str) -> None:
    async def story() -> None:
        known = REVISIONS.known
        for revision in known[known.index(min(LOGGED)) :]:
            tracked = LOGGED[max(since for since in LOGGED if since <= revision)]
            await migrate_database(database_url, revision)
            catalog = await read_catalog(database_url)
            tables = {table.name for table in catalog.tables}
            assert tables <= {one.table for one in tracked} | set(UNTRACKED), revision
            expected = list(create_triggers(catalog.engine, tracked))
            assert _triggers(catalog) == _names_in(expected), revision
            if catalog.engine == "postgresql":
                texts = [one.definition for one in catalog.others if one.kind == "trigger"]
                assert all(text.endswith(" enabled always") for text in texts)
                functions = [one.definition for one in catalog.others if one.kind == "function"]
                assert len(functions) == len(tracked)
                assert all("SECURITY DEFINER" in text for text in functions)
                assert all("SET search_path TO 'public', 'pg_temp'" in text for text in functions)

    asyncio.run(story())


def _triggers(catalog: Catalog) -> set[str]:
    return {one.name.split(".")[-1] for one in catalog.others if one.kind == "trigger"}


def _names_in(statements: list[str]) -> set[str]:
    return {sql.split()[2] for sql in statements if sql.startswith("CREATE TRIGGER ")}


def test_the_newest_schema_has_all_that_is_tracked_and_no_more(database_url: str) -> None:
    async def story() -> None:
        await migrate_database(database_url)
        catalog = await read_catalog(database_url)
        tracked = {one.table for one in TRACKED}
        assert {table.name for table in catalog.tables} == tracked | set(UNTRACKED)
        assert not tracked & set(UNTRACKED)
        assert all(UNTRACKED.values())

    asyncio.run(story())


def test_the_revisions_made_what_is_tracked_today() -> None:
    """A later revision that changes what is tracked changes this test."""
    made = {one.table: one for one in r0005_change_log.TRACKED}
    del made["arrival_counts"]  # 0006 took the table away
    made |= {one.table: one for one in r0006_counts_on_one_page.TRACKED}
    assert tuple(made.values()) == TRACKED


def test_a_disabled_trigger_is_a_difference(postgres_url: str) -> None:
    async def story() -> None:
        await migrate_database(postgres_url)
        before = await read_catalog(postgres_url)
        async with an_outsider(postgres_url) as outside:
            await outside.run("ALTER TABLE users DISABLE TRIGGER change_log_users_insert")
        after = await read_catalog(postgres_url)
        (changed,) = set(after.others) - set(before.others)
        assert changed.definition.endswith(" disabled")

    asyncio.run(story())


def test_every_tracked_column_is_there_and_never_empty(database_url: str) -> None:
    async def story() -> None:
        await migrate_database(database_url)
        catalog = await read_catalog(database_url)
        for one in TRACKED:
            columns = {column.name: column for column in catalog.table(one.table).columns}
            for part in one.parts:
                name = part if isinstance(part, str) else part.column
                assert not columns[name].nullable, f"{one.table}.{name}"
            for key in one.replaced_by:
                assert set(key.columns) <= columns.keys()

    asyncio.run(story())


def test_each_way_a_row_may_be_replaced_is_known(tmp_path: Path) -> None:
    """All unique keys of a tracked table, but for those whose columns make the tag."""
    url = f"sqlite:///{tmp_path / 'vacancy.db'}"

    async def story() -> None:
        await migrate_database(url)
        catalog = await read_catalog(url)
        for one in TRACKED:
            table = catalog.table(one.table)
            keys = {
                constraint.columns
                for constraint in table.constraints
                if constraint.kind in ("primary key", "unique")
            } | {index.columns for index in table.indexes if index.unique}
            parts = {part if isinstance(part, str) else part.column for part in one.parts}
            other = {columns for columns in keys if not parts <= set(columns)}
            assert {key.columns for key in one.replaced_by} == other, one.table

    asyncio.run(story())


async def _watch(hotel: Hotel, url: str, outside: object) -> Watched:
    watched = Watched(url, hotel.house.db, hotel.house.db.open_feed(), outside)  # type: ignore[arg-type]
    await watched.look_all()
    return watched


def test_a_booking_is_told_by_what_it_touches_and_no_more(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel, an_outsider(database_url) as outside:
            watched = await _watch(hotel, database_url, outside)
            rows = await hotel.house.db.adhoc(
                "SELECT p.id, t.id FROM properties AS p JOIN room_types AS t"
                " ON t.property_id = p.id WHERE t.code = 'double'"
            )
            place, double = rows[0]
            request = hotel.request(FIRST_NIGHT.replace(day=30), 4)
            booking = booking_of(await hotel.book(request))
            touched = {
                f"bookings/{hotel.guest.user_id}",
                f"room_inventory/{place}/2027-01/{double}",
                f"room_inventory/{place}/2027-02/{double}",
                f"booking_counts/{place}/2027-01",
                f"lead_time_counts/{place}/2027-01",
            }
            assert await watched.look() == touched | {f"room_stays/{booking.id}"}
            await hotel.change("cancel", booking.id)
            # Its lines stay as they are, and so does how long before the arrival it was made.
            assert await watched.look() <= touched
            # One room type's night is not another's.
            assert await watched.seen_after(
                f"UPDATE room_inventory SET capacity = 7 WHERE room_type_id <> {double}"
                " AND night = '2027-03-05'"
            ) == {f"room_inventory/{place}/2027-03/{single}" for single in [await _single(hotel)]}

    asyncio.run(story())


async def _single(hotel: Hotel) -> int:
    ((single,),) = await hotel.house.db.adhoc("SELECT id FROM room_types WHERE code = 'single'")
    return int(single)


@pytest.mark.parametrize("session", ["replica", "stranger", "decoy"])
def test_nobody_writes_past_the_log(postgres_url: str, session: str) -> None:
    """A session that replays, one that may not write the log, one that has a log of its own."""

    async def story() -> None:
        async with a_hotel(postgres_url) as hotel, an_outsider(postgres_url) as outside:
            watched = await _watch(hotel, postgres_url, outside)
            match session:
                case "replica":
                    await outside.run("SET session_replication_role = replica")
                case "stranger":
                    await outside.run(
                        "DROP ROLE IF EXISTS stranger",
                        "CREATE ROLE stranger",
                        "GRANT ALL ON users TO stranger",
                        "SET ROLE stranger",
                    )
                case "decoy":
                    await outside.run(
                        "CREATE TEMP TABLE change_log (tag text)",
                        "CREATE SCHEMA aside",
                        "CREATE TABLE aside.change_log (tag text)",
                        "SET search_path = aside, public",
                    )
            who = hotel.guest.user_id
            told = await watched.seen_after(f"UPDATE users SET name = 'x' WHERE id = {who}")
            assert told == {f"users/{who}"}
            if session == "stranger":
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await outside.run("DELETE FROM change_log")
                await outside.run("RESET ROLE", "DROP OWNED BY stranger", "DROP ROLE stranger")

    asyncio.run(story())


def test_the_log_follows_tables_into_another_schema(postgres_url: str) -> None:
    url = f"{postgres_url}?options=-csearch_path%3Dhotels"

    async def story() -> None:
        async with an_outsider(postgres_url) as outside:
            await outside.run("CREATE SCHEMA hotels")
        await migrate_database(url)
        with pytest.raises(Missing):
            (await read_catalog(postgres_url)).table(LOG_TABLE)
        db = await connect(url)
        async with an_outsider(postgres_url) as outside:
            watched = Watched(url, db, db.open_feed(), outside)
            assert await watched.look_all() == "the first look"
            told = await watched.seen_after(
                "INSERT INTO hotels.users (id, name, email, created_at) VALUES (5, 'a', 'b', now())"
            )
            assert told == {"users/5"}
        await db.close()
        await migrate_database(url, "base")

    asyncio.run(story())


def test_a_server_of_the_revision_before_is_logged(database_url: str) -> None:
    """What it writes are the same statements: triggers ask nobody which version he is."""

    async def story() -> None:
        await migrate_database(database_url, "0004")
        db = await connect(database_url)
        await migrate_database(database_url)
        async with an_outsider(database_url) as outside:
            watched = Watched(database_url, db, db.open_feed(), outside)
            await watched.look_all()
            sql = "INSERT INTO users (id, name, email, created_at) VALUES (5, 'a', 'b', '{}')"
            instant = "2026-12-01T12:00:00.000000Z"
            assert await watched.seen_after(sql.format(instant)) == {"users/5"}
        await db.close()
        assert engine_of(database_url) == db.engine

    asyncio.run(story())
