"""Stories of fills, stores and units: a write comes in the middle of everything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from tests.cache.stage import QUESTIONS, HandClock, Server, Stage, scenario, versions
from tests.cache.tables import BOTH, LEAF, SET_SHELF, SHELF
from vacancy.cache.query_cache import Limits, QueryCache
from vacancy.cache.scopes import bypassed
from vacancy.db.database import Transaction

KEY = "shelf 1"
TAGS = ("shelves/1",)


class Held:
    """A query that has its answer and does not give it before it is let go."""

    def __init__(self, query: Callable[[], Awaitable[int]]) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self._query = query

    async def __call__(self) -> int:
        answer = await self._query()
        self.asked.set()
        await self.go.wait()
        return answer


def _from_database(server: Server) -> Callable[[], Awaitable[int]]:
    async def query() -> int:
        return versions(await server.db.fetch_all(SHELF, shelf=1))[1]

    return query


async def _ask(server: Server, query: Callable[[], Awaitable[int]]) -> int:
    return await server.cache.with_cache(KEY, query, 60, tags=TAGS)


async def _write_during_a_fill(stage: Stage, *changes: str) -> None:
    async with stage.server() as server:
        await server.shelf(2)
        query = Held(_from_database(server))
        filling = asyncio.create_task(_ask(server, query))
        await query.asked.wait()
        await stage.change(*changes)
        await server.shelf(2)  # somebody looks
        query.go.set()
        await filling
        found = await _ask(server, _from_database(server))
        assert found == 2, f"a fill from before a write was stored after it: {found}"


@scenario()
async def a_write_falls_into_a_fill(stage: Stage) -> None:
    await _write_during_a_fill(stage, "UPDATE shelves SET version = 2 WHERE id = 1")


@scenario("postgresql")
async def an_own_write_falls_into_the_only_fill(stage: Stage) -> None:
    """Nothing is stored yet, and what is read may be old; but not older than our own write."""
    async with stage.server() as server:

        async def ask(query: Callable[[], Awaitable[int]]) -> int:
            return await server.cache.with_cache(KEY, query, 60, tags=TAGS, bound_s=60)

        async def write(tx: Transaction) -> None:
            await tx.execute(SET_SHELF, id=1, version=2)

        held = Held(_from_database(server))
        filling = asyncio.create_task(ask(held))
        await held.asked.wait()
        await server.db.transact(write)
        held.go.set()
        await filling
        found = await ask(_from_database(server))
        assert found == 2, f"a fill from before our own write is given out after it: {found}"


@scenario()
async def everything_changes_during_a_fill(stage: Stage) -> None:
    await _write_during_a_fill(
        stage,
        "BEGIN",
        "UPDATE shelves SET version = 2 WHERE id = 1",
        "DELETE FROM change_log WHERE tag = 'shelves/1'",
        "INSERT INTO change_log (tag) VALUES ('*')",
        "COMMIT",
    )


@scenario("postgresql")
async def a_table_is_emptied_during_a_fill(stage: Stage) -> None:
    async with stage.server() as server:

        async def query() -> int:
            return len(await server.db.fetch_all(LEAF, leaf=1))

        async def ask(query: Callable[[], Awaitable[int]]) -> int:
            return await server.cache.with_cache(KEY, query, 60, tags=("leaves/1",))

        held = Held(query)
        filling = asyncio.create_task(ask(held))
        await held.asked.wait()
        await stage.change("TRUNCATE leaves")
        await server.shelf(2)  # somebody looks
        held.go.set()
        await filling
        found = await ask(query)
        assert found == 0, f"a fill from before a TRUNCATE was stored after it: {found} rows"


@scenario()
async def somebody_joins_a_fill_that_began_before_a_write(stage: Stage) -> None:
    async with stage.server() as server:
        query = Held(_from_database(server))
        first = asyncio.create_task(_ask(server, query))
        await query.asked.wait()
        await stage.set_shelf(2)
        second = asyncio.create_task(_ask(server, _from_database(server)))
        await server.shelf(2)
        query.go.set()
        await first
        found = await second
        assert found == 2, f"who asked after the write shares what was read before it: {found}"


@scenario()
async def everything_changes(stage: Stage) -> None:
    async with stage.server() as server:
        await server.warm()
        await stage.change(
            "BEGIN",
            "UPDATE shelves SET version = 2",
            "DELETE FROM change_log WHERE tag LIKE 'shelves/%'",
            "INSERT INTO change_log (tag) VALUES ('*')",
            "COMMIT",
        )
        await stage.must_be_true(server, "after the log said everything")


@scenario()
async def a_unit_sees_its_own_change_and_nobody_its_rollback(stage: Stage) -> None:
    async with stage.server() as server:
        await server.warm()
        assert await _ask(server, _from_database(server)) == 1

        async def unit(tx: Transaction) -> None:
            await tx.execute(SET_SHELF, id=1, version=-2)

            async def query() -> int:
                return versions(await tx.fetch_all(SHELF, shelf=1))[1]

            found = await server.cache.with_cache(KEY, query, 60, tags=TAGS)
            assert found == -2, f"a unit that has written was answered from the cache: {found}"
            await server.cache.with_cache("other key", query, 60, tags=TAGS)
            raise LookupError

        with contextlib.suppress(LookupError):
            await server.db.transact(unit, repeatable=False)
        await stage.must_be_true(server, "after a rollback")
        for key in (KEY, "other key"):
            found = await server.cache.with_cache(key, _from_database(server), 60, tags=TAGS)
            assert found == 1, f"what was rolled back is given out: {found}"


@scenario()
async def what_goes_past_the_cache_leaves_nothing_in_it(stage: Stage) -> None:
    async with stage.server() as server:
        with bypassed():
            await server.shelf(1)
            await server.shelf(2)
        assert server.cache.stats().entries == 0, "a bypass has stored something"
        await server.warm()
        hits = server.cache.stats().hits
        with bypassed():
            await server.shelf(1)
        assert server.cache.stats().hits == hits, "a bypass was answered from the store"


@scenario()
async def a_store_that_is_too_small(stage: Stage) -> None:
    async with stage.server(limits=Limits(max_entries=5)) as server:
        for version in range(2, 10):
            for statement, params in QUESTIONS:
                await server.rows(statement, **params)
            await stage.set_shelf(version)
            for _ in range(2):
                assert await server.shelf() == version, "after evictions"
        await stage.must_be_true(server, "after evictions")
        assert server.cache.stats().entries <= 5
        await stage.change("UPDATE shelves SET version = 50", "UPDATE books SET version = 50")
        await stage.must_be_true(server, "after more evictions")
        await stage.change("INSERT INTO change_log (tag) VALUES ('*')")
        await server.shelf()
        stats = server.cache.stats()
        assert stats.entries == 1, f"{stats.entries} entries after everything went"
        await stage.change("INSERT INTO change_log (tag) VALUES ('shelves/1')")
        assert await server.cache.look()
        stats = server.cache.stats()
        assert (stats.entries, stats.size_bytes) == (0, 0), "the empty store takes memory"


@scenario()
async def a_time_to_live_ends(stage: Stage) -> None:
    clock = HandClock()
    async with stage.server(clock=clock) as server:
        for wanted in (1, 2):
            # A source that no tag tells of: only its time ends it.
            async def query(wanted: int = wanted) -> int:
                return wanted

            found = await server.cache.with_cache("hour", query, 10)
            assert found == wanted, f"given out beyond its time: {found}"
            clock.now_s += 10.5


@scenario()
async def a_source_without_a_feed_is_being_changed(stage: Stage) -> None:
    cache = QueryCache()
    source = 1

    async def query() -> int:
        return source

    async def ask() -> int:
        return await cache.with_cache(KEY, query, 60, tags=TAGS)

    assert await ask() == 1
    with cache.changing("shelves/1"):
        late = Held(query)
        filling = asyncio.create_task(cache.with_cache("late", late, 60, tags=TAGS))
        await late.asked.wait()
        source = 2
        assert await ask() == 2, "given out while it is being changed"
    late.go.set()
    await filling
    assert await ask() == 2
    found = await cache.with_cache("late", query, 60, tags=TAGS)
    assert found == 2, "what was read during a change was stored after it"


@scenario()
async def several_tables_in_one_answer(stage: Stage) -> None:
    async with stage.server() as server:
        for version, table in enumerate(("shelves", "books", "shelves", "books"), 2):
            await server.warm()
            await stage.change(f"UPDATE {table} SET version = {version}")
            for shelf in (1, 2, 3):
                found = await server.rows(BOTH, shelf=shelf)
                assert version in found.values(), f"{table} was changed: {found}"
