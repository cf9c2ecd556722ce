"""A hit in process, validation included: the store alone, a cached statement before a feed that
sees nothing, and the same with SQLite's own check of other processes."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import perf_counter_ns
from typing import Any

from benchmarks.figure import Figure
from benchmarks.hotels import first_night, fresh_hotels, open_hotels
from vacancy.cache.query_cache import QueryCache
from vacancy.cache.reader import CachedReader
from vacancy.db.changes import NOTHING, Changes
from vacancy.hotel.statements.availability import CHECK_ROOM_AVAILABILITY
from vacancy.hotel.wiring import CACHED

COMMAND = "make bench ARGS=cache_hits"
GOAL_US = 2.0
GOAL_SQLITE_US = 5.0
HITS = 200
RUNS = 301


class SilentFeed:
    """Sees nothing, and at no cost: what is left is ours."""

    instant = True

    def look_now(self) -> Changes | None:
        return None

    async def look(self) -> Changes:
        return NOTHING

    async def close(self) -> None:
        pass


async def measure(urls: dict[str, str], rounds: int) -> list[Figure]:
    if "sqlite" not in urls:
        return []
    url = urls["sqlite"]
    await fresh_hotels(url)
    check_in = first_night() + timedelta(days=30)
    params: dict[str, Any] = {
        "property": "hotel0",
        "room_type": "type0",
        "check_in": check_in,
        "check_out": check_in + timedelta(days=7),
        "nights": 7,
    }
    statement = CHECK_ROOM_AVAILABILITY
    async with open_hotels(url) as (house, _):
        silent = QueryCache(SilentFeed())
        reader = CachedReader(house.db, silent, CACHED)
        watching = QueryCache(house.db.open_feed())
        watched = CachedReader(house.db, watching, CACHED)
        await reader.fetch_all(statement, **params)
        (entry,) = silent._store.entries()
        find, key, name = silent.find_now, entry.key, statement.name

        async def find_now() -> object:
            return find(key, name)

        empty_us = await _median_us(_nothing, rounds)
        found_us = await _median_us(find_now, rounds) - empty_us
        reader_us = await _median_us(lambda: reader.fetch_all(statement, **params), rounds)
        watched_us = await _median_us(lambda: watched.fetch_all(statement, **params), rounds)
        for cache in (silent, watching):
            assert cache.stats().misses <= 1, "all of them were hits"
    return [
        _figure("a hit in process: the look and the store", found_us, GOAL_US),
        _figure("a cached statement, a hit, before a feed that sees nothing", reader_us, GOAL_US),
        _figure("a cached statement, a hit, SQLite's check included", watched_us, GOAL_SQLITE_US),
    ]


async def _nothing() -> object:
    return None


async def _median_us(call: Callable[[], Awaitable[object]], rounds: int) -> float:
    """Of several short runs, so that whoever else is at work spoils few of them."""
    took_us: list[float] = []
    for _ in range(RUNS * rounds):
        started_ns = perf_counter_ns()
        for _ in range(HITS):
            await call()
        took_us.append((perf_counter_ns() - started_ns) / HITS / 1_000)
    return statistics.median(took_us)


def _figure(what: str, measured_us: float, goal_us: float) -> Figure:
    return Figure(
        what=what,
        engine="sqlite",
        measured=f"{measured_us:.1f} µs",
        goal=f"at most {goal_us:.0f} µs",
        reached=measured_us <= goal_us,
        command=COMMAND,
    )
