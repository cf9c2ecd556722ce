"""Stories of looks on PostgreSQL: late, lost, shared, and how long one is good for."""

from __future__ import annotations

import asyncio
import time
from unittest.mock import patch

from tests.cache.stage import HandClock, Stage, scenario, until
from tests.cache.tables import BOUND_MS, SHELF, SHELF_BOUNDED, log_ddl, table_ddl
from vacancy.cache.scopes import bypassed, one_look
from vacancy.db.changes import LOG_TABLE, STATE_TABLE

BOUND_S = BOUND_MS / 1000


@scenario("postgresql")
async def somebody_asks_while_a_look_is_under_way(stage: Stage) -> None:
    async with stage.server() as server:
        await server.warm()
        server.feed.hold()
        early = asyncio.create_task(server.shelf())
        await until(lambda: server.feed.held == 1)
        await stage.set_shelf(2)
        late = asyncio.create_task(server.shelf())
        await asyncio.sleep(0)
        server.feed.let_go()
        await early
        found = await late
        assert found == 2, f"answered by a look that began before he asked: {found}"


@scenario("postgresql")
async def a_bound_ends(stage: Stage) -> None:
    clock = HandClock()
    async with stage.server(clock=clock) as server:
        for version in range(2, 6):
            await server.shelf(1, SHELF_BOUNDED)
            await stage.set_shelf(version)
            clock.now_s += BOUND_S * 1.05
            found = await server.shelf(1, SHELF_BOUNDED)
            assert found == version, f"older than its bound: {found}"


@scenario("postgresql")
async def a_look_whose_answer_comes_late(stage: Stage) -> None:
    clock = HandClock()
    async with stage.server(clock=clock) as server:
        await server.shelf(1, SHELF_BOUNDED)
        clock.now_s += 2 * BOUND_S
        server.feed.hold()
        reading = asyncio.create_task(server.shelf(1, SHELF_BOUNDED))
        await until(lambda: server.feed.held == 1)
        await stage.set_shelf(2)
        clock.now_s += 0.9 * BOUND_S
        server.feed.let_go()
        await reading
        clock.now_s += 0.2 * BOUND_S
        found = await server.shelf(1, SHELF_BOUNDED)
        assert found == 2, f"a look counts from when it came back: {found}"


@scenario("postgresql")
async def a_process_that_stands_still(stage: Stage) -> None:
    """Really: nobody here does anything, as in a process that was stopped. And the wall clock is
    set back meanwhile."""
    async with stage.server() as server:
        await server.shelf(1, SHELF_BOUNDED)
        await stage.set_shelf(2)
        before_s = time.time()
        # Not to let things happen: this is how long the bound lasts.
        await asyncio.to_thread(time.sleep, BOUND_S * 1.1)
        with patch.object(time, "time", lambda: before_s - 3_600):
            found = await server.shelf(1, SHELF_BOUNDED)
        assert found == 2, f"the bound stood still: {found}"


@scenario("postgresql")
async def looks_that_fail(stage: Stage) -> None:
    async with stage.server() as server:
        await server.warm()
        await stage.set_shelf(2)
        server.feed.failures = 8
        for version in (2, 3, 4):
            await stage.set_shelf(version)
            for _ in range(2):
                found = await server.shelf()
                assert found == version, f"while looks fail: {found}, not {version}"
        server.feed.failures = 0
        await stage.set_shelf(5)
        await stage.must_be_true(server, "after looks have failed")


@scenario("postgresql")
async def a_rest_after_a_look_that_failed(stage: Stage) -> None:
    async with stage.server(clock=HandClock()) as server:
        server.feed.failures = 1
        await server.shelf()
        server.feed.hold()
        for version in (2, 3):
            await server.shelf()  # a look is under way beside it, and nobody waits
            await stage.set_shelf(version)
            found = await server.shelf()
            assert found == version, f"given out while nobody has looked: {found}"


@scenario("postgresql")
async def one_look_and_no_more(stage: Stage) -> None:
    async with stage.server() as server:
        await server.warm()
        with one_look():
            assert await server.shelf() == 1
            await stage.set_shelf(2)
            await server.shelf()  # as fresh as the first
        found = await server.shelf()
        assert found == 2, f"the one look is over: {found}"
        with one_look():
            await server.shelf()
            await stage.set_shelf(3)
            with bypassed():
                seen = await server.shelf()
            found = await server.shelf()
            assert found >= seen, f"back from {seen} to {found} in one scope"


@scenario("postgresql")
async def commits_that_become_visible_out_of_order(stage: Stage) -> None:
    late = stage.another_shell()
    async with stage.server() as server:
        for version in (2, 3):
            await server.warm()
            await late.do("BEGIN", f"UPDATE shelves SET version = {version} WHERE id = 1")
            await server.warm()
            await stage.set_shelf(version, shelf=2)
            await server.warm()
            await stage.must_be_true(server, "while a transaction is under way")
            await late.do("COMMIT")
            await stage.must_be_true(server, "after the first transaction came last")


@scenario("postgresql")
async def the_connection_that_looks_is_ended(stage: Stage) -> None:
    async with stage.server() as server:
        for version in (2, 3):
            await server.warm()
            await stage.change(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'vacancy-changes' AND datname = current_database()"
            )
            await stage.set_shelf(version)
            connection = getattr(server.feed._feed, "_connection")  # noqa: B009
            await until(lambda: connection.is_closed())  # noqa: B023
            found = await server.shelf()
            assert found == version, f"after a new connection: {found}"


@scenario("postgresql")
async def the_log_is_pruned_while_somebody_lags(stage: Stage) -> None:
    async with stage.server() as server:
        for version in (2, 3):
            await server.warm()
            await stage.set_shelf(version)
            await stage.set_shelf(version, shelf=2)
            await stage.change(
                "BEGIN",
                # What goes is below all that is under way, in other databases of the server too.
                f"UPDATE {STATE_TABLE} SET pruned_below = pg_snapshot_xmin(pg_current_snapshot())",
                f"DELETE FROM {LOG_TABLE} WHERE mark < (SELECT pruned_below FROM {STATE_TABLE})",
                "COMMIT",
            )
            await stage.must_be_true(server, "after a prune")


@scenario("postgresql", destroys=True)
async def tables_are_restored_from_a_dump(stage: Stage) -> None:
    saved = ("shelves", "books", "leaves", LOG_TABLE, STATE_TABLE)
    async with stage.server() as server:
        await server.warm()
        await stage.change(*(f"CREATE TABLE saved_{table} AS TABLE {table}" for table in saved))
        await stage.set_shelf(2)
        await stage.change("UPDATE books SET version = 2, shelf_id = 3 WHERE id = 101")
        await server.warm()
        await stage.change(
            "BEGIN",
            f"DROP TABLE {', '.join(saved)} CASCADE",
            *table_ddl("postgresql"),
            *log_ddl("postgresql"),
            *(
                f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM saved_{table}"
                if table == LOG_TABLE
                else f"INSERT INTO {table} SELECT * FROM saved_{table}"
                for table in saved
            ),
            "COMMIT",
        )
        assert (await server.rows(SHELF, shelf=1)) == {1: 1}, "what was undone is given out"
        await stage.must_be_true(server, "after a restore")
