"""Memory stays within its bound, however many keys there are."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vacancy.cache.query_cache import Limits, QueryCache
from vacancy.cache.store import POLICIES

ROOT = Path(__file__).parents[2]
MB = 1024 * 1024
LIMITS = Limits(max_entries=1_000, max_bytes=4 * MB)


class Article(msgspec.Struct, frozen=True):
    id: int
    title: str
    words: int


def articles(number: int) -> tuple[Article, ...]:
    return tuple(Article(number + part, f"title {number} {part}", part) for part in range(20))


async def ask(cache: QueryCache, first: int, last: int) -> None:
    """So many distinct keys; one in ten is changed while it is asked for."""
    for number in range(first, last):
        tags = [f"articles/{number}", f"authors/{number % 5_000}"]

        async def query(number: int = number, tags: list[str] = tags) -> tuple[Article, ...]:
            if number % 10 == 0:
                cache.invalidate(*tags)
            return articles(number)

        await cache.with_cache(("articles.get_article", (number,)), query, 60, tags=tags)


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_what_is_kept_is_what_python_says_is_taken(policy: str) -> None:
    async def story() -> None:
        limits = Limits(max_entries=1_000, max_bytes=2 * MB, policy=policy)
        await ask(QueryCache(limits=limits), 0, 500)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        cache = QueryCache(limits=limits)
        await ask(cache, 0, 2_500)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        stats = cache.stats()
        assert stats.size_bytes <= limits.max_bytes
        assert stats.evictions_size > 1_000
        assert 0.3 * stats.size_bytes < taken <= stats.size_bytes + 50_000

    asyncio.run(story())


def grown_bytes(keys: int) -> dict[str, int]:
    """What a process of its own grows by from its first 20,000 keys to the last."""
    said = subprocess.run(
        [sys.executable, "-m", "tests.unit.test_cache_memory", str(keys)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found: dict[str, int] = json.loads(said)
    return found


def test_a_process_does_not_grow_with_its_keys() -> None:
    found = grown_bytes(80_000)
    assert found["entries"] <= 1_000 and found["size_bytes"] <= LIMITS.max_bytes
    assert found["tags"] <= 2_000
    assert found["grown_bytes"] < 2 * MB


@pytest.mark.soak
def test_a_process_does_not_grow_with_a_million_keys() -> None:
    found = grown_bytes(1_000_000)
    assert found["entries"] <= 1_000 and found["grown_bytes"] < 2 * MB


def _main(keys: int) -> None:
    import psutil

    process = psutil.Process()
    cache = QueryCache(limits=LIMITS)

    async def story() -> dict[str, Any]:
        await ask(cache, 0, 20_000)
        gc.collect()
        before = process.memory_info().rss
        await ask(cache, 20_000, keys)
        gc.collect()
        stats = cache.stats()
        return {
            "grown_bytes": process.memory_info().rss - before,
            "entries": stats.entries,
            "size_bytes": stats.size_bytes,
            "tags": len(cache._store._by_tag),
        }

    print(json.dumps(asyncio.run(story())))  # noqa: T201


if __name__ == "__main__":
    _main(int(sys.argv[1]))
