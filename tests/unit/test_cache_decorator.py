"""The decorator: one key for one set of arguments, and tags that follow them."""

from __future__ import annotations

import asyncio

import pytest

from vacancy.cache.decorator import cached
from vacancy.cache.query_cache import QueryCache


def test_the_same_arguments_are_one_key_however_they_are_passed() -> None:
    cache, asked = QueryCache(), []

    @cached(cache, ttl_s=60)
    async def load(a: int, b: int = 2, *, c: int = 3) -> tuple[int, int, int]:
        """Three numbers."""
        asked.append((a, b, c))
        return a, b, c

    async def story() -> None:
        for answer in (load(1), load(1, 2), load(a=1), load(b=2, a=1), load(1, c=3)):
            assert await answer == (1, 2, 3)
        assert len(asked) == 1
        assert await load(1, c=4) == (1, 2, 4)
        assert await load(2) == (2, 2, 3)
        assert len(asked) == 3

    asyncio.run(story())
    assert load.__name__ == "load" and load.__doc__ == "Three numbers."
    assert [name.rpartition(".")[2] for name in cache.counting.names] == ["load"]


def test_two_functions_do_not_share_their_keys() -> None:
    cache = QueryCache()

    @cached(cache, ttl_s=60)
    async def one(number: int) -> int:
        return number

    @cached(cache, ttl_s=60, name="two")
    async def two(number: int) -> int:
        return -number

    async def story() -> None:
        assert [await one(1), await two(1), await one(1), await two(1)] == [1, -1, 1, -1]

    asyncio.run(story())
    assert cache.counting.names["two"].hits == 1


def test_tags_are_texts_or_follow_the_arguments() -> None:
    cache, asked = QueryCache(), []

    @cached(cache, ttl_s=60, tags=["readers"])
    async def count() -> int:
        asked.append("count")
        return len(asked)

    @cached(cache, ttl_s=60, tags=lambda id, lang="en": [f"articles/{id}", f"languages/{lang}"])
    async def article(id: int, lang: str = "en") -> int:
        asked.append(f"article {id}")
        return len(asked)

    async def story() -> None:
        await count()
        await article(7)
        await article(8, lang="de")
        cache.invalidate("articles/7")
        await article(7)
        await article(8, lang="de")
        await count()
        assert asked == ["count", "article 7", "article 8", "article 7"]
        cache.invalidate("readers", "languages/de")
        await count()
        await article(8, lang="de")
        await article(7)
        assert asked[4:] == ["count", "article 8"]

    asyncio.run(story())


def test_what_the_function_raises_is_raised_and_not_stored() -> None:
    cache, asked = QueryCache(), []

    @cached(cache, ttl_s=60)
    async def fail(number: int) -> int:
        asked.append(number)
        raise ZeroDivisionError

    async def story() -> None:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await fail(1)
        with pytest.raises(TypeError):
            await fail([])  # type: ignore[arg-type]

    asyncio.run(story())
    assert asked == [1, 1]
