"""The reader answers cached statements from the cache and all others from the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.memory_source import Clock, MemorySource
from tests.runnable import SetStatement, Statement
from vacancy.cache.query_cache import QueryCache
from vacancy.cache.reader import USED, Cached, CachedReader, Used
from vacancy.cache.scopes import bypassed
from vacancy.db.gate import COUNT, IN_UNIT
from vacancy.errors import Internal


class Article(msgspec.Struct, frozen=True):
    id: int
    title: str


class Loose(msgspec.Struct, frozen=True):
    id: int
    words: list[str]


GET = Statement("test.get_article", "SELECT id, title FROM articles WHERE id = :id", row=Article)
LIST = Statement("test.list_articles", "SELECT id, title FROM articles", row=Article)
UNCACHED = Statement("test.uncached", "SELECT id, title FROM articles LIMIT :id", row=Article)
LOOSE = Statement("test.loose", "SELECT id, words FROM articles", row=Loose)
TWO_TEXTS = Statement(
    "test.two_texts",
    "SELECT id, title FROM articles WHERE id = :id AND :extra",
    postgresql="SELECT id, title FROM articles WHERE id = :id",
    row=Article,
)
FIND = SetStatement(
    "test.find", "SELECT id, title FROM ({rows})", columns={"id": "integer"}, row=Article
)
TABLE = (
    Cached(
        statement=GET,
        ttl_s=60,
        bound_ms=1_000,
        tags=lambda params, rows: [
            f"articles/{params['id']}",
            *(f"titles/{r.title}" for r in rows),
        ],
        unless=lambda params: params["id"] < 0,
    ),
    Cached(statement=LIST, ttl_s=60, tags=lambda _, __: ["articles"]),
    Cached(statement=LOOSE, ttl_s=60, tags=lambda _, __: ["articles"]),
    Cached(statement=TWO_TEXTS, ttl_s=60, tags=lambda _, __: ["articles"]),
)


class MemoryDatabase:
    """Articles by id, asked with the statements above."""

    engine = "sqlite"

    def __init__(self, source: MemorySource) -> None:
        self.source = source
        self.asked: list[str] = []

    def clock(self) -> datetime:
        return datetime(2027, 1, 1, tzinfo=UTC)

    async def fetch_all(self, statement: Any, **params: Any) -> list[Any]:
        self.asked.append(statement.name)
        count = COUNT.get()
        if count is not None:
            count(statement)
        if statement is LOOSE:
            return [Loose(1, ["a"])]
        if statement is LIST:
            rows = [row for row in self.source.values.values() if row]
            await self.source.reading.wait()
            return rows
        found = await self.source.query(params["id"])
        return [found] if found else []

    async def fetch_set(self, statement: Any, rows: Sequence[Sequence[Any]]) -> list[Any]:
        self.asked.append(statement.name)
        return []


class World:
    def __init__(self, *, instant: bool, shadow_every: int = 0) -> None:
        self.clock = Clock()
        self.source = MemorySource(instant=instant)
        self.db = MemoryDatabase(self.source)
        self.cache = QueryCache(self.source, clock=self.clock, shadow_every=shadow_every)
        database: Any = self.db
        self.reader = CachedReader(database, self.cache, TABLE)

    def write(self, id: int, title: str) -> None:
        self.source.write(id, Article(id, title), f"articles/{id}", f"titles/{title}")

    async def settle(self) -> None:
        for _ in range(40):
            await asyncio.sleep(0)


@pytest.fixture(params=[True, False], ids=["instant", "waiting"])
def instant(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@asynccontextmanager
async def a_world(instant: bool, **options: Any) -> AsyncIterator[World]:
    world = World(instant=instant, **options)
    yield world
    await world.cache.close()


def test_it_answers_as_the_database_does_and_asks_once(instant: bool) -> None:
    async def story() -> None:
        async with a_world(instant) as world:
            world.write(1, "one")
            reader = world.reader
            assert await reader.fetch_all(GET, id=1) == [Article(1, "one")]
            assert await reader.fetch_one(GET, id=1) == Article(1, "one")
            assert await reader.fetch_one(GET, id=2) is None
            assert await reader.fetch_one(GET, id=2) is None
            assert await reader.fetch_all(LIST) == await reader.fetch_all(LIST)
            assert world.db.asked == [GET.name, GET.name, LIST.name]
            assert reader.engine == "sqlite" and reader.clock().year == 2027

    asyncio.run(story())


def test_tags_follow_the_parameters_and_the_rows(instant: bool) -> None:
    async def story() -> None:
        async with a_world(instant) as world:
            world.write(1, "one")
            world.write(2, "two")
            for _ in range(2):
                await world.reader.fetch_all(GET, id=1)
                await world.reader.fetch_all(GET, id=2)
                await world.reader.fetch_all(LIST)
            world.source.write(3, None, "titles/one")
            await world.cache.look()
            for _ in range(2):
                await world.reader.fetch_all(GET, id=1)
                await world.reader.fetch_all(GET, id=2)
            assert world.db.asked == [GET.name, GET.name, LIST.name, GET.name]

    asyncio.run(story())


def test_each_caller_has_a_list_of_his_own(instant: bool) -> None:
    async def story() -> None:
        async with a_world(instant) as world:
            world.write(1, "one")
            (await world.reader.fetch_all(GET, id=1)).clear()
            (await world.reader.fetch_all(GET, id=1)).clear()
            assert len(await world.reader.fetch_all(GET, id=1)) == 1

    asyncio.run(story())


def test_what_is_not_in_the_table_goes_to_the_database(instant: bool) -> None:
    async def story() -> None:
        async with a_world(instant) as world:
            for _ in range(2):
                await world.reader.fetch_all(UNCACHED, id=1)
                await world.reader.fetch_all(GET, id=-1)
                await world.reader.fetch_set(FIND, [(1,)])
            assert world.db.asked == [UNCACHED.name, GET.name, FIND.name] * 2
            assert world.cache.stats().misses == 0

    asyncio.run(story())


def test_parameters_of_either_text_are_of_the_key(instant: bool) -> None:
    async def story() -> None:
        async with a_world(instant) as world:
            await world.reader.fetch_all(TWO_TEXTS, id=1, extra=0)
            await world.reader.fetch_all(TWO_TEXTS, id=1, extra=1)
            assert world.db.asked == [TWO_TEXTS.name] * 2

    asyncio.run(story())


def test_rows_that_callers_could_change_are_refused(instant: bool) -> None:
    async def story() -> None:
        async with a_world(instant) as world:
            with pytest.raises(Internal) as raised:
                await world.reader.fetch_all(LOOSE)
            assert raised.value.code == "CACHE_VALUE_CHANGEABLE"

    asyncio.run(story())


def test_inside_a_unit_and_bypassed_the_database_answers(instant: bool) -> None:
    async def story() -> None:
        async with a_world(instant) as world:
            world.write(1, "one")
            await world.reader.fetch_all(GET, id=1)
            with bypassed():
                await world.reader.fetch_all(GET, id=1)
            token = IN_UNIT.set(True)
            await world.reader.fetch_all(GET, id=1)
            IN_UNIT.reset(token)
            await world.reader.fetch_all(GET, id=1)
            assert len(world.db.asked) == 3

    asyncio.run(story())


def test_a_bound_holds_where_looking_takes_a_while() -> None:
    async def story() -> None:
        async with a_world(False) as world:
            world.write(1, "one")
            await world.reader.fetch_all(GET, id=1)
            world.write(1, "uno")
            assert await world.reader.fetch_one(GET, id=1) == Article(1, "one")
            world.clock.now += 1.001
            assert await world.reader.fetch_one(GET, id=1) == Article(1, "uno")

    asyncio.run(story())


def test_it_tells_what_an_answer_was_made_of(instant: bool) -> None:
    async def story() -> None:
        async with a_world(instant) as world:
            world.write(1, "one")
            used = Used()
            USED.set(used)
            await world.reader.fetch_all(GET, id=1)
            await world.reader.fetch_all(LIST)
            assert used.complete and used.tags() == ["articles/1", "titles/one", "articles"]
            assert used.expires_at == world.clock.now + 60
            world.write(1, "uno")
            await world.cache.look()
            assert used.tags() is None, "it is not true any more"
            for statement in (UNCACHED, GET):
                USED.set(used := Used())
                await world.reader.fetch_all(statement, id=-1)
                assert not used.complete and used.tags() is None
            USED.set(used := Used())
            await world.reader.fetch_set(FIND, [(1,)])
            assert used.tags() is None

    asyncio.run(story())


def test_one_hit_in_so_many_is_timed(instant: bool) -> None:
    async def story() -> None:
        async with a_world(instant) as world:
            for _ in range(129):
                await world.reader.fetch_all(GET, id=1)
            stats = world.cache.counting.names[GET.name]
            assert stats.hits == 128 and stats.hits_timed == 2 and stats.hit_ns > 0

    asyncio.run(story())


# The shadow check.


def test_it_finds_a_difference_and_throws_all_away(
    instant: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with a_world(instant, shadow_every=1) as world:
            world.write(1, "one")
            await world.reader.fetch_all(GET, id=1)
            world.source.values[1] = Article(1, "unseen")  # and no tag was told
            assert await world.reader.fetch_one(GET, id=1) == Article(1, "one")
            await world.settle()
            stats = world.cache.stats()
            assert stats.shadow_checks == 1 and stats.shadow_mismatches == 1
            assert await world.reader.fetch_one(GET, id=1) == Article(1, "unseen")

    with caplog.at_level(logging.ERROR):
        asyncio.run(story())
    assert GET.name in caplog.text


def test_it_raises_no_false_alarm_while_others_write(instant: bool) -> None:
    async def story() -> None:
        async with a_world(instant, shadow_every=1) as world:
            for number in range(400):
                world.source.reading.set()
                reads = [
                    asyncio.create_task(world.reader.fetch_all(GET, id=number % 3)),
                    asyncio.create_task(world.reader.fetch_all(LIST)),
                ]
                for _ in range(number % 5):
                    await asyncio.sleep(0)
                if number % 2:
                    world.source.reading.clear()
                if number % 3:
                    world.write(number % 3, f"title {number}")
                world.clock.now += 0.3
                for _ in range(number % 7):
                    await asyncio.sleep(0)
                if number % 4 == 1:
                    world.write((number + 1) % 3, f"title {number}")
                world.source.reading.set()
                await asyncio.gather(*reads)
            await world.settle()
            stats = world.cache.stats()
            assert stats.shadow_checks > 20 and stats.shadow_mismatches == 0

    asyncio.run(story())


def test_it_compares_nothing_when_it_cannot_tell_what_has_changed() -> None:
    """The look fails, and what the database says is newer than what was stored."""

    async def story() -> None:
        async with a_world(True, shadow_every=1) as world:
            world.write(1, "one")
            await world.reader.fetch_all(GET, id=1)
            await world.reader.fetch_all(GET, id=1)
            world.write(1, "uno")
            world.source.down = True
            await world.settle()
            stats = world.cache.stats()
            assert stats.shadow_checks == stats.shadow_mismatches == 0

    asyncio.run(story())


def test_it_compares_nothing_that_is_just_changing() -> None:
    async def story() -> None:
        source = MemorySource()
        database: Any = MemoryDatabase(source)
        cache = QueryCache(shadow_every=1)
        reader = CachedReader(database, cache, TABLE)
        source.values[1] = Article(1, "one")
        await reader.fetch_all(GET, id=1)
        await reader.fetch_all(GET, id=1)
        with cache.changing("articles/1"):
            source.values[1] = Article(1, "uno")
            for _ in range(20):
                await asyncio.sleep(0)
        assert cache.stats().shadow_mismatches == 0

    asyncio.run(story())


def test_it_does_not_count_among_the_statements_of_whoever_asked(instant: bool) -> None:
    async def story() -> None:
        async with a_world(instant, shadow_every=1) as world:
            counted: list[str] = []
            COUNT.set(lambda statement: counted.append(statement.name))
            await world.reader.fetch_all(GET, id=1)
            await world.reader.fetch_all(GET, id=1)
            await world.settle()
            assert world.cache.stats().shadow_checks == 1
            assert counted == [GET.name]

    asyncio.run(story())


def test_close_ends_the_comparisons_under_way(instant: bool) -> None:
    async def story() -> None:
        world = World(instant=instant, shadow_every=1)
        await world.reader.fetch_all(GET, id=1)
        world.source.reading.clear()
        await world.reader.fetch_all(GET, id=1)
        await world.settle()
        await world.cache.close()
        assert world.cache.stats().shadow_checks == 0

    asyncio.run(story())
