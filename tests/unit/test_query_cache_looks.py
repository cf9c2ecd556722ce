"""How fresh what is given out is: looks, bounds, our own commits, one look for a request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.cache_world import TTL_S, World, quiet
from vacancy.cache.looks import REST_S
from vacancy.cache.scopes import one_look


@pytest.fixture(params=[True, False], ids=["instant", "waiting"])
def instant(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


# Looks.


def test_a_look_that_fails_empties_the_store_and_reads_go_to_the_source(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        await world.read()
        world.source.down = True
        world.source.write("a", 2)
        assert [await world.read(), await world.read()] == [2, 2]
        stats = world.cache.stats()
        assert stats.bypasses == 2 and stats.entries == 0 and stats.looks_failed >= 1
        assert "DATABASE_DOWN" in stats.last_clear
        await quiet()
        world.source.down = False
        world.clock.now += REST_S
        assert [await world.read(), await world.read()] == [2, 2]
        assert world.queries == 4, "it is stored again"

    asyncio.run(story())


def test_no_read_fails_for_want_of_a_look(instant: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours in the feed: nothing is trusted, the source answers, the log has it."""

    async def story() -> None:
        world = World(instant=instant)
        await world.read()
        world.source.fault = ZeroDivisionError("a fault of ours")
        world.source.write("a", 2)
        assert [await world.read(), await world.read()] == [2, 2]
        await world.cache.settle()
        await quiet()
        stats = world.cache.stats()
        assert stats.bypasses == 2 and stats.entries == 0
        assert "ZeroDivisionError" in stats.last_clear

    asyncio.run(story())
    assert "a look failed as it must not" in caplog.text


def test_a_fill_whose_look_fails_at_its_end_is_not_stored(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant)
        world.source.reading.clear()
        reading = world.begin()
        await quiet()
        world.source.down = True
        await world.cache.look()
        world.source.reading.set()
        await reading
        assert world.cache.stats().entries == 0

    asyncio.run(story())


def test_a_thousand_reads_at_once_share_their_look() -> None:
    async def story() -> None:
        world = World()
        await world.read()
        looks = world.source.looks
        await asyncio.gather(*(world.begin() for _ in range(1_000)))
        assert world.source.looks == looks + 1

    asyncio.run(story())


def test_a_look_that_was_under_way_does_not_answer_for_who_came_later() -> None:
    async def story() -> None:
        world = World()
        await world.read()
        world.source.looking.clear()
        early = world.begin()
        await quiet()
        world.source.write("a", 2)  # after the early look's snapshot
        late = world.begin()
        await quiet()
        world.source.looking.set()
        assert await early in (None, 2)
        assert await late == 2

    asyncio.run(story())


# Bounded reads.


def test_a_bounded_read_takes_what_is_stored_until_it_is_too_old() -> None:
    async def story() -> None:
        world = World()
        await world.read(bound_s=1.0)
        looks = world.source.looks
        world.source.write("a", 2)
        world.clock.now += 0.5
        assert await world.read(bound_s=1.0) is None
        await quiet()
        assert world.source.looks == looks, "at half its bound nothing is done yet"
        world.clock.now += 0.51
        assert await world.read(bound_s=1.0) == 2
        assert world.source.looks == looks + 1

    asyncio.run(story())


def test_past_half_the_bound_a_look_is_begun_beside() -> None:
    async def story() -> None:
        world = World()
        await world.read(bound_s=1.0)
        looks = world.source.looks
        world.source.write("a", 2)
        world.clock.now += 0.6
        assert await world.read(bound_s=1.0) is None, "it does not wait for it"
        await quiet()
        assert world.source.looks == looks + 1
        assert await world.read(bound_s=1.0) == 2

    asyncio.run(story())


def test_the_age_is_counted_from_when_the_look_was_sent() -> None:
    async def story() -> None:
        world = World()
        world.source.looking.clear()
        reading = world.begin(bound_s=1.0)
        await quiet()
        world.clock.now += 0.9
        world.source.looking.set()
        await reading
        looks = world.source.looks
        world.clock.now += 0.2
        await world.read(bound_s=1.0)
        assert world.source.looks == looks + 1

    asyncio.run(story())


def test_after_a_failure_no_bounded_read_takes_what_is_stored() -> None:
    async def story() -> None:
        world = World()
        await world.read(bound_s=10.0)
        world.source.down = True
        await world.cache.look()
        world.source.write("a", 2)
        assert await world.read(bound_s=10.0) == 2
        assert world.cache.stats().bypasses == 1

    asyncio.run(story())


def test_an_exact_read_beside_a_bounded_one_looks() -> None:
    async def story() -> None:
        world = World()
        await world.read(bound_s=10.0)
        world.source.write("a", 2)
        assert await world.read(bound_s=10.0) is None
        assert await world.read() == 2

    asyncio.run(story())


# Our own commits.


def test_after_settling_a_bounded_read_sees_the_commit() -> None:
    async def story() -> None:
        world = World()
        await world.read(bound_s=10.0)
        world.source.write("a", 2)
        await world.cache.settle()
        assert await world.read(bound_s=10.0) == 2

    asyncio.run(story())


def test_settling_waits_for_a_look_that_began_after_the_commit() -> None:
    async def story() -> None:
        world = World()
        await world.read(bound_s=10.0)
        world.source.looking.clear()
        looking = asyncio.create_task(world.cache.look())
        await quiet()
        world.source.write("a", 2)  # after that look's snapshot
        settling = asyncio.create_task(world.cache.settle())
        await quiet()
        assert not settling.done()
        world.source.looking.set()
        await settling
        assert await looking
        assert await world.read(bound_s=10.0) == 2

    asyncio.run(story())


def test_a_look_from_before_the_commit_does_not_count_when_settling_fails() -> None:
    async def story() -> None:
        world = World()
        world.source.down = True
        await world.cache.look()
        world.source.down = False
        await world.read(bound_s=10.0)  # past the cache; a good look follows beside it
        await quiet()
        await world.read(bound_s=10.0)
        assert world.cache.stats().entries == 1
        world.source.looking.clear()
        looking = asyncio.create_task(world.cache.look())
        await quiet()
        world.source.write("a", 2)
        world.source.down = True
        settling = asyncio.create_task(world.cache.settle())
        await quiet()
        world.source.looking.set()
        await settling
        await looking
        world.source.down = False
        assert await world.read(bound_s=10.0) == 2

    asyncio.run(story())


def test_a_scope_sees_its_own_commit_even_when_settling_fails() -> None:
    """The last look has failed just now, and so settling does not wait for another one. What was
    being filled meanwhile is from before the commit."""

    async def story() -> None:
        world = World()
        world.source.write("a", 1)
        with one_look():
            await world.read("b")  # the scope has looked
            world.source.down = True
            await world.cache.look()  # the store is empty, and nobody waits for looks
            world.source.reading.clear()
            filling = world.begin()
            await quiet()
            world.source.write("a", 2)
            await world.cache.settle()
            world.source.reading.set()
            assert await filling == 1
            assert await world.read() == 2

    asyncio.run(story())


# One look for a request.


def test_in_a_scope_one_look_is_enough() -> None:
    async def story() -> None:
        world = World()
        await world.read("a")
        await world.read("b")
        looks = world.source.looks
        with one_look():
            await world.read("a")
            await world.read("b")
            world.source.write("a", 2)
            assert await world.read("a") is None, "as fresh as the first of them"
        assert world.source.looks == looks + 1
        assert await world.read("a") == 2

    asyncio.run(story())


def test_a_scope_whose_look_has_failed_looks_again() -> None:
    async def story() -> None:
        world = World()
        with one_look():
            world.source.down = True
            await world.read()
            world.source.down = False
            await quiet()
            world.clock.now += REST_S
            await world.read()
            world.source.write("a", 2)
            await world.read()
        assert world.cache.stats().bypasses == 1

    asyncio.run(story())


def test_what_was_begun_in_a_scope_looks_itself_when_the_scope_is_over() -> None:
    async def story() -> None:
        world = World()
        going_on = asyncio.Event()

        async def later() -> list[Any]:
            await going_on.wait()
            first = await world.read()
            world.source.write("a", 3)
            return [first, await world.read()]

        with one_look():
            await world.read()
            task = asyncio.create_task(later())
        world.source.write("a", 2)
        going_on.set()
        assert await task == [2, 3]

    asyncio.run(story())


def test_in_a_scope_nobody_goes_back_behind_an_answer_that_came_past_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """He has waited for others in vain and asks himself; one that began before is then stored."""
    monkeypatch.setattr("vacancy.cache.query_cache._SHARED_FILLS", 1)

    async def story() -> None:
        world = World()
        cache, values = world.cache, world.source.values
        world.source.write("a", 1)
        let_go = {name: asyncio.Event() for name in ("first", "second", "third")}

        async def early(name: str) -> Any:
            value = values["a"]
            await let_go[name].wait()
            return value

        async def late() -> Any:
            await let_go["third"].wait()
            return values["a"]

        async def read(query: Callable[[], Awaitable[Any]]) -> Any:
            return await cache.with_cache("a", query, TTL_S, tags=["a"])

        async def read_twice() -> list[Any]:
            with one_look():
                return [await read(late), await read(late)]

        first = asyncio.create_task(read(lambda: early("first")))
        await quiet()
        second = asyncio.create_task(read(lambda: early("second")))
        third = asyncio.create_task(read_twice())
        await quiet()
        cache.invalidate("a")
        let_go["first"].set()
        await first
        await quiet()  # now the second fills, and the third has had enough of waiting
        world.source.write("a", 2)
        let_go["second"].set()
        assert await second == 1
        assert cache.stats().entries == 1
        let_go["third"].set()
        assert await third == [2, 2]

    asyncio.run(story())
