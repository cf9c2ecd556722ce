"""Builds everything a process needs, in order. No import connects to anything; this does."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from vacancy.cache.query_cache import Limits as CacheLimits
from vacancy.cache.query_cache import QueryCache
from vacancy.cache.reader import CachedReader
from vacancy.config import Settings
from vacancy.contracts.guard import Mode
from vacancy.db.connect import connect, engine_of
from vacancy.db.database import Clock, ClockedReader, Database, utc_now
from vacancy.db.durability import require_durability
from vacancy.db.read_revision import read_revision
from vacancy.db.revision import require_revision
from vacancy.hotel.accounts import take_node
from vacancy.hotel.admission.batches import Admission, Limits
from vacancy.hotel.ids import IdSource
from vacancy.hotel.prewarm import prewarm
from vacancy.hotel.revisions import REVISIONS
from vacancy.hotel.sweep import Sweep
from vacancy.hotel.wiring import CACHED, introduce
from vacancy.perf.queries.slow_log import watch_slow


class House(msgspec.Struct, frozen=True):
    """What a running process works with."""

    settings: Settings
    db: Database
    reads: ClockedReader
    """What is shown is asked of this: the database, with the cache in front of it."""
    cache: QueryCache | None
    ids: IdSource
    admission: Admission
    guard: Mode
    """What happens when a request runs more statements than its route may."""


@asynccontextmanager
async def open_database(settings: Settings, clock: Clock = utc_now) -> AsyncIterator[Database]:
    """The database alone. Raises `Missing` DATABASE_MISSING for a file that is not there."""
    introduce()
    if engine_of(settings.url) == "sqlite":
        await read_revision(settings.url)  # refuses what is not ours before lock files stand by it
    db = await connect(settings.url, clock=clock, connections=settings.database_connections)
    try:
        yield db
    finally:
        await db.close()


def tune_runtime() -> None:
    """For a process that serves: call it once, when everything stands."""
    gc.collect()
    gc.freeze()  # what is here now stays for good; the collector need not look at it again
    # A batch of bookings makes thousands of short-lived objects and no cycles: at the usual
    # thresholds, looking for cycles takes an eighth of the time.
    gc.set_threshold(10_000, 20, 50)
    # The thread that commits wakes often and for a moment; at the usual 5 ms it would wait that
    # long for its turn at the interpreter each time.
    sys.setswitchinterval(0.0005)


@asynccontextmanager
async def open_house(settings: Settings, clock: Clock = utc_now) -> AsyncIterator[House]:
    """The database at a revision that we work on, with ids and admission. What admission has
    accepted is finished before the database closes."""
    async with open_database(settings, clock) as db:
        await require_revision(db, REVISIONS)
        watch_slow(db.trace, settings.slow_ms)
        if settings.env == "production" and not settings.allow_unsafe_durability:
            await require_durability(db)
        ids = IdSource(await take_node(db), clock)
        limits = Limits(
            queue_requests=settings.queue_requests,
            wait_s=settings.queue_wait_s,
            batches_at_once=min(2, settings.database_connections),
        )
        # Where people work on the program a mistake stops them; where guests book it is logged.
        guard: Mode = "log" if settings.env == "production" else "raise"
        admission = Admission(db, ids.next, limits, guard=guard)
        async with _caching(settings, db) as (cache, reads):
            try:
                yield House(settings, db, reads, cache, ids, admission, guard)
            finally:
                await admission.finish()


@asynccontextmanager
async def _caching(
    settings: Settings, db: Database
) -> AsyncIterator[tuple[QueryCache | None, ClockedReader]]:
    if not settings.cache:
        yield None, db
        return
    limits = CacheLimits(
        max_entries=settings.cache_entries,
        max_bytes=settings.cache_mb * 1024 * 1024,
        policy=settings.cache_policy,
    )
    cache = QueryCache(
        db.open_feed(),
        limits=limits,
        shadow_every=settings.cache_shadow_every,
        commits=lambda: db.commits,
    )
    # Who commits is answered when nothing older can be given out any more.
    db.after_commit = cache.settle
    try:
        yield cache, CachedReader(db, cache, CACHED)
    finally:
        db.after_commit = None
        await cache.close()


@asynccontextmanager
async def working(house: House) -> AsyncIterator[None]:
    """While this is open, holds whose time is over end within a second, and old keys go; at its
    beginning the cache is warmed, beside the first requests."""
    sweep = Sweep(house.db, house.admission, keep_h=house.settings.idempotency_keep_h)
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(sweep.run())]
    if house.cache is not None:
        most = house.cache.limits.max_entries // 2
        tasks.append(asyncio.create_task(prewarm(house.reads, most)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
