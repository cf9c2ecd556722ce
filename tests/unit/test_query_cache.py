"""The cache of queries: what is stored, for how long, for whom, and what is never given out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.cache_world import TTL_S, World, quiet
from tests.memory_source import MemorySource
from vacancy.cache.looks import REST_S
from vacancy.cache.query_cache import Limits, Miss, QueryCache, boot_clock
from vacancy.cache.scopes import bypassed
from vacancy.db.gate import IN_UNIT
from vacancy.errors import Internal, Unavailable


@pytest.fixture(params=[True, False], ids=["instant", "waiting"])
def instant(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


# Stored and given out.


def test_a_value_is_asked_for_once_and_again_when_it_has_changed(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        world.source.write("a", 1)
        assert [await world.read(), await world.read()] == [1, 1]
        assert world.queries == 1
        world.source.write("a", 2)
        assert [await world.read(), await world.read()] == [2, 2]
        assert world.queries == 2
        stats = world.cache.stats()
        assert (stats.hits, stats.misses, stats.hit_rate) == (2, 2, 0.5)
        assert stats.fills == 2 and stats.invalidations == 1
        assert stats.invalidations_by_tag == {"a": 1}

    asyncio.run(story())


@pytest.mark.parametrize("value", [None, (), 0, ""])
def test_that_there_is_nothing_is_stored_too(instant: bool, value: Any) -> None:
    async def story() -> None:
        world = World(instant=instant)
        world.source.write("a", value)
        assert [await world.read(), await world.read()] == [value, value]
        assert world.queries == 1

    asyncio.run(story())


def test_a_change_of_one_key_leaves_the_others(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        await world.read("a/1")
        await world.read("a/2")
        world.source.write("a/1", 1)
        await world.read("a/2")
        assert world.queries == 2
        assert await world.read("a/1") == 1

    asyncio.run(story())


def test_when_everything_has_changed_everything_goes(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        await world.read("a")
        await world.read("b")
        world.source.write_everything("restored")
        await world.read("a")
        await world.read("b")
        assert world.queries == 4
        assert world.cache.stats().last_clear == "restored"

    asyncio.run(story())


def test_a_value_lives_as_long_as_it_is_said_and_no_longer(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        await world.read()
        world.clock.now += TTL_S - 0.001
        await world.read()
        assert world.queries == 1
        world.clock.now += 0.001
        await world.read()
        assert world.queries == 2
        assert world.cache.stats().evictions_ttl == 1

    asyncio.run(story())


def test_the_time_to_live_begins_when_the_value_is_there(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        world.source.reading.clear()
        reading = world.begin()
        await quiet()
        world.clock.now += TTL_S
        world.source.reading.set()
        await reading
        world.clock.now += TTL_S / 2
        await world.read()
        assert world.queries == 1

    asyncio.run(story())


def test_the_limits_hold_and_what_goes_is_counted(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant, limits=Limits(max_entries=2))
        for key in ("a", "b", "a", "c", "a"):
            await world.read(key)
        assert world.queries == 3, "b was asked for longest ago"
        await world.read("b")
        assert world.queries == 4
        stats = world.cache.stats()
        assert stats.entries == 2 and stats.evictions_size == 2

    asyncio.run(story())


def test_a_value_that_is_too_large_is_given_and_not_stored(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant, limits=Limits(max_bytes=5_000))
        world.source.write("a", "x" * 10_000)
        assert await world.read() == await world.read() == "x" * 10_000
        assert world.queries == 2
        stats = world.cache.stats()
        assert stats.entries == 0 and stats.fills == 0 and stats.misses == 2

    asyncio.run(story())


@pytest.mark.parametrize("value", [[1], {"a": 1}, ({1},)])
def test_a_value_that_callers_could_change_is_refused(instant: bool, value: Any) -> None:
    async def story() -> None:
        world = World(instant=instant)
        world.source.write("a", value)
        with pytest.raises(Internal) as raised:
            await world.read()
        assert raised.value.code == "CACHE_VALUE_CHANGEABLE"
        world.source.write("a", 1)
        assert await world.read() == 1, "nobody waits for the one that was refused"

    asyncio.run(story())


def test_tags_and_the_time_to_live_may_depend_on_the_value() -> None:
    async def story() -> None:
        world = World()
        cache, source = world.cache, world.source
        source.write("current", "a/7")

        async def read() -> Any:
            found = await cache.find("k", 0.0, "read")
            if isinstance(found, Miss):
                found = await cache.fill(
                    found,
                    "k",
                    lambda: source.query("current"),
                    lambda value: float(len(value)),
                    tags=lambda value: ["current", value],
                    name="read",
                )
            return found.value

        assert await read() == "a/7"
        source.write("a/7", "something of it", "a/7")
        await read()
        assert world.queries == 2
        world.clock.now += 3
        await read()
        assert world.queries == 3

    asyncio.run(story())


def test_tags_may_say_that_it_is_not_to_be_stored() -> None:
    async def story() -> None:
        world = World()
        for _ in range(2):
            miss = await world.cache.find("k", 0.0, "read")
            assert miss is Miss.ABSENT
            entry = await world.cache.fill(
                miss, "k", lambda: world.source.query("k"), TTL_S, tags=lambda _: None, name="read"
            )
            assert not entry.alive
        assert world.queries == 2

    asyncio.run(story())


# Past the cache.


def test_bypassed_is_asked_of_the_source_and_not_stored(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        await world.read()
        with bypassed():
            await world.read()
            await world.read("b")
        assert world.queries == 3
        await world.read("b")
        assert world.queries == 4
        await world.read()
        assert world.queries == 4, "what was stored stays"
        assert world.cache.stats().bypasses == 2

    asyncio.run(story())


def test_inside_a_unit_of_work_nothing_is_taken_or_stored(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        await world.read()

        async def unit() -> None:
            IN_UNIT.set(True)
            await world.read()
            await world.read("b")

        await asyncio.create_task(unit())
        await world.read("b")
        assert world.queries == 4
        assert world.cache.stats().bypasses == 2

    asyncio.run(story())


# Many callers.


def test_a_key_is_filled_once_however_many_ask(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        world.source.write("a", 1)
        world.source.reading.clear()
        reads = [world.begin() for _ in range(50)]
        await quiet()
        world.source.reading.set()
        assert [await read for read in reads] == [1] * 50
        assert world.queries == 1
        stats = world.cache.stats()
        assert stats.coalesced_waits == 49 and stats.misses == 50 and stats.fills == 1

    asyncio.run(story())


def test_a_fill_that_began_before_a_write_is_not_stored(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        world.source.write("a", 1)
        world.source.reading.clear()
        early = world.begin()
        await quiet()
        world.source.write("a", 2)
        late = world.begin()
        await quiet()
        assert world.queries == 1, "the late one waits for the early one"
        world.source.reading.set()
        assert await early == 1, "who asked before the write may get what was before it"
        assert await late == 2
        assert await world.read() == 2
        assert world.queries == 2
        assert world.cache.stats().fills_superseded == 1

    asyncio.run(story())


def test_a_fill_that_began_before_the_caller_asked_is_shared_when_nothing_has_changed(
    instant: bool,
) -> None:
    async def story() -> None:
        world = World(instant=instant)
        world.source.reading.clear()
        early = world.begin()
        await quiet()
        world.source.write("b", 2)
        late = world.begin()
        await quiet()
        world.source.reading.set()
        await early
        await late
        assert world.queries == 1

    asyncio.run(story())


def test_who_has_waited_in_vain_too_often_asks_himself(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        world.source.reading.clear()
        reads = [world.begin() for _ in range(8)]
        for version in range(1, 7):
            await quiet()
            world.source.write("a", version)
            await world.cache.look()
            world.source.reading.set()
            await asyncio.sleep(0)
            world.source.reading.clear()
        world.source.reading.set()
        values = [await read for read in reads]
        assert world.queries < 20 and max(values, key=lambda v: v or 0) <= 6
        assert await world.read() == 6
        stats = world.cache.stats()
        assert stats.coalesced_waits == 7, "callers, not times"

    asyncio.run(story())


def test_when_the_filler_gives_up_another_one_fills(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        world.source.write("a", 1)
        world.source.reading.clear()
        first = world.begin()
        await quiet()
        others = [world.begin() for _ in range(3)]
        await quiet()
        first.cancel()
        await quiet()
        world.source.reading.set()
        assert [await other for other in others] == [1] * 3
        assert first.cancelled() and world.queries == 2

    asyncio.run(story())


def test_a_waiter_who_gives_up_takes_it_from_nobody(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        world.source.reading.clear()
        first, gone, stays = world.begin(), world.begin(), world.begin()
        await quiet()
        gone.cancel()
        await quiet()
        world.source.reading.set()
        await first
        await stays
        assert gone.cancelled() and world.queries == 1

    asyncio.run(story())


def test_a_query_that_fails_fails_for_its_caller_alone(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        failing = asyncio.Event()

        async def fail() -> Any:
            await failing.wait()
            raise Unavailable("DATABASE_BUSY", "It is busy.")

        async def ask(query: Callable[[], Awaitable[Any]]) -> Any:
            return await world.cache.with_cache("a", query, TTL_S, tags=["a"])

        first = asyncio.create_task(ask(fail))
        await quiet()
        second = asyncio.create_task(ask(lambda: world.source.query("a")))
        await quiet()
        failing.set()
        with pytest.raises(Unavailable):
            await first
        assert await second is None
        assert world.queries == 1
        assert world.cache.stats().fills == 1

    asyncio.run(story())


# Saying oneself what changes.


def test_without_a_feed_what_was_invalidated_goes() -> None:
    async def story() -> None:
        cache, source = QueryCache(), MemorySource()

        async def read(key: str) -> Any:
            return await cache.with_cache(key, lambda: source.query(key), TTL_S, tags=[key])

        for key in ("a/1", "a/2", "b"):
            await read(key)
        cache.invalidate("a/1")
        for key in ("a/1", "a/2", "b"):
            await read(key)
        assert source.queries == 4
        cache.invalidate("a/*")
        for key in ("a/1", "a/2", "b"):
            await read(key)
        assert source.queries == 6
        cache.invalidate("*")
        for key in ("a/1", "a/2", "b"):
            await read(key)
        assert source.queries == 9
        await cache.close()

    asyncio.run(story())


@pytest.mark.parametrize("mark", ["a/7", "a/7/x", "a/*", "a/7/*", "*"])
def test_while_it_is_changing_nothing_of_it_is_given_out_or_stored(mark: str) -> None:
    async def story() -> None:
        cache, source = QueryCache(), MemorySource()

        async def read(key: str) -> Any:
            return await cache.with_cache(key, lambda: source.query(key), TTL_S, tags=[key])

        source.write("a/7", 1)
        await read("a/7")
        await read("b")
        with cache.changing(mark):
            source.write("a/7", 2)
            assert [await read("a/7"), await read("a/7")] == [2, 2]
            source.write("a/7", 3)
            assert await read("a/7") == 3, "nothing was stored"
        queries = source.queries
        assert [await read("a/7"), await read("a/7")] == [3, 3]
        assert source.queries == queries + 1
        await read("b")
        assert source.queries == queries + (2 if mark == "*" else 1)

    asyncio.run(story())


def test_marks_may_overlap_and_end_with_an_error() -> None:
    async def story() -> None:
        cache, source = QueryCache(), MemorySource()

        async def read() -> Any:
            return await cache.with_cache("a", lambda: source.query("a"), TTL_S, tags=["a"])

        await read()
        with cache.changing("a"):
            with pytest.raises(ZeroDivisionError), cache.changing("a"):
                raise ZeroDivisionError
            await read()
            await read()
            assert source.queries == 3, "the outer one still stands"
        await read()
        await read()
        assert source.queries == 4

    asyncio.run(story())


def test_a_query_from_before_the_mark_is_not_stored_after_it() -> None:
    async def story() -> None:
        cache, source = QueryCache(), MemorySource()

        async def read() -> Any:
            return await cache.with_cache("a", lambda: source.query("a"), TTL_S, tags=["a"])

        source.write("a", 1)
        source.reading.clear()
        early = asyncio.create_task(read())
        await quiet()
        with cache.changing("a"):
            source.write("a", 2)
        source.reading.set()
        assert await early == 1
        assert await read() == 2

    asyncio.run(story())


# What is known about it.


def test_every_read_is_a_hit_a_miss_or_a_bypass(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant, limits=Limits(max_entries=3))
        asked = 0
        for number in range(200):
            if number % 17 == 0:
                world.source.write(f"k{number % 5}", number)
            world.source.down = 100 <= number < 110
            if number == 110:
                world.clock.now += REST_S
            reads = [world.begin(f"k{(number * 7 + part) % 5}") for part in range(number % 4)]
            asked += len(reads)
            if number % 23 == 0:
                with bypassed():
                    await world.read()
                asked += 1
            await asyncio.gather(*reads)
            world.clock.now += 1
        stats = world.cache.stats()
        assert stats.hits + stats.misses + stats.bypasses == asked
        assert stats.hits and stats.misses and stats.bypasses and stats.evictions_size
        assert stats.fills + stats.fills_superseded <= stats.misses
        names = world.cache.counting.names
        assert names["read"].hits == stats.hits and set(names) == {"read"}
        assert stats.look_us is None or stats.look_us >= 0

    asyncio.run(story())


def test_the_clock_goes_on_and_close_gives_the_feed_back(instant: bool) -> None:
    assert boot_clock() <= boot_clock()

    async def story() -> None:
        world = World(instant=instant)
        await world.read()
        await world.cache.close()
        assert world.source.closed

    asyncio.run(story())
