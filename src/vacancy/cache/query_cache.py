"""Results of queries, kept as long as they are true.

Before a stored value is given out, the cache looks at the source: what has been committed since the
last look? What depends on it goes; what is left is as fresh as the look. A query that was under way
while something it depends on changed is not stored. See decision 0013 for why nothing else is
needed, and docs/cache.md for use.

For one event loop. Nothing here locks: between two awaits nobody else runs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from time import perf_counter_ns
from typing import Any, TypeVar, final

import msgspec

from vacancy.cache.fills import Fill, Fills
from vacancy.cache.looks import Looks
from vacancy.cache.scopes import BYPASS, SCOPE
from vacancy.cache.shadow import Shadows
from vacancy.cache.sizes import bytes_of
from vacancy.cache.stats import CacheStats, Counting
from vacancy.cache.store import Entry, Key, Store
from vacancy.cache.tags import table_of
from vacancy.db.changes import EVERYTHING, Changes, Feed, is_instant
from vacancy.db.gate import IN_UNIT
from vacancy.errors import VacancyError

T = TypeVar("T")
_log = logging.getLogger(__name__)

EXACT_S = 0.0
"""The bound of a read that may be no older than its own beginning."""
_SHARED_FILLS = 3
"""So often a caller waits for another's query that turns out to be of no use to him."""
_TIMED = 64
"""One look in so many is timed where looks are quick."""


def boot_clock() -> float:
    """Seconds by a clock that nobody sets and that goes on while the machine sleeps."""
    return time.clock_gettime(_CLOCK)


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Limits(msgspec.Struct, frozen=True):
    """How much a cache keeps."""

    max_entries: int = 1_000
    max_bytes: int = 64 * 1024 * 1024
    policy: str = "lru"
    """`lru` or one that a scan cannot empty: see `store.POLICIES`."""


@final
class Miss(Enum):
    """Why there is no entry."""

    ABSENT = "not there"
    UNSURE = "nothing may be taken"
    """The source cannot be asked, or the caller must not be answered from here."""


class QueryCache:
    """Stored results, kept fresh by a feed of what was committed; without one, by those who say
    what they change (`changing`, `invalidate`)."""

    def __init__(
        self,
        feed: Feed | None = None,
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = boot_clock,
        shadow_every: int = 0,
        commits: Callable[[], int] = int,
    ) -> None:
        """One hit in `shadow_every` is to be held against the source; 0 for none. `commits` tells
        how many this process has made, for statistics alone."""
        self.limits = limits or Limits()
        self.counting = Counting()
        self._feed = feed
        self._instant_feed = feed if feed is not None and is_instant(feed) else None
        self.clock = clock
        """Seconds; what entries' ends are told by."""
        self._store = Store(
            self.limits.max_entries, self.limits.max_bytes, self.limits.policy, self._evicted
        )
        self._fills = Fills()
        self._marked: dict[str, int] = {}
        self._looks = Looks(self._look, clock)
        self._looked = 0
        self._commits = commits
        self._commits_seen = commits()
        self.shadows = Shadows(self, shadow_every)
        self.instant = feed is None or self._instant_feed is not None
        """Whether a look takes no waiting, so that `find_now` may be asked."""

    async def with_cache(
        self,
        key: Hashable,
        query: Callable[[], Awaitable[T]],
        ttl_s: float,
        *,
        tags: Iterable[str] | Callable[[T], Iterable[str]] = (),
        bound_s: float = EXACT_S,
        name: str = "",
    ) -> T:
        """What the query answers, from the store where it is there and fresh.

        `tags` say what the answer depends on, or how to tell from it. `bound_s` lets a stored
        answer be so many seconds old where looking takes a while; it is 0 unless said. `name` is
        what statistics call it. Raises what the query raises, and `Internal`
        CACHE_VALUE_CHANGEABLE.
        """
        found = await self.find(key, bound_s, name)
        if isinstance(found, Miss):
            found = await self.fill(found, key, query, ttl_s, tags=tags, name=name)
        value: T = found.value
        return value

    async def find(self, key: Key, bound_s: float, name: str) -> Entry | Miss:
        """The entry of a key, if it is there and as fresh as asked for. Counts a hit or a miss."""
        if self.instant:
            return self.find_now(key, name)
        if BYPASS.get() or IN_UNIT.get() or not await self._is_fresh(bound_s):
            return Miss.UNSURE
        return self._take(key, name)

    def find_now(self, key: Key, name: str) -> Entry | Miss:
        """`find` where the source can be looked at without waiting: always exact."""
        if BYPASS.get() or IN_UNIT.get() or not self._look_now():
            return Miss.UNSURE
        return self._take(key, name)

    async def fill(
        self,
        miss: Miss,
        key: Key,
        query: Callable[[], Awaitable[T]],
        ttl_s: float | Callable[[T], float],
        *,
        tags: Iterable[str] | Callable[[T], Iterable[str] | None],
        name: str,
        value_bytes: Callable[[T], int] | None = None,
    ) -> Entry:
        """Runs the query of a key that `find` did not find, or shares another's, and stores what it
        answers, unless `tags` says with None that it must not be stored. The entry that comes back
        is not alive when it was not stored."""
        stats = self.counting.names[name]
        if miss is Miss.UNSURE:
            stats.bypasses += 1
            value = await query()
            self._forget_scope()
            return self._unstored(key, value, name)
        for waited in range(_SHARED_FILLS):
            other = self._fills.under_way(key)
            if other is None:
                break
            stats.coalesced_waits += not waited
            shared = await other.result()
            if shared is not None:
                return shared
        fill = None if self._fills.under_way(key) else self._fills.begin(key)
        started_ns = perf_counter_ns()
        entry = None
        try:
            value = await query()
            stats.queries += 1
            stats.fill_ns += perf_counter_ns() - started_ns
            known = tags(value) if callable(tags) else tags
            if fill is None:
                self._forget_scope()
            elif known is not None:
                entry = self._store_filled(
                    fill,
                    value,
                    tuple(dict.fromkeys(known)),
                    ttl_s(value) if callable(ttl_s) else ttl_s,
                    name,
                    (value_bytes or bytes_of)(value),
                )
        finally:
            if fill is not None:
                self._fills.end(fill, entry)
        return entry or self._unstored(key, value, name)

    def _store_filled(
        self,
        fill: Fill,
        value: Any,
        tags: tuple[str, ...],
        ttl_s: float,
        name: str,
        value_bytes: int,
    ) -> Entry | None:
        stats = self.counting.names[name]
        # Where it costs nothing, one more look: what is stored is then never newer than what the
        # cache has seen, and a restore of an older state is noticed by the store alone.
        if self.instant and not self._look_now():
            return None
        if self._fills.is_superseded(fill, tags) or self._is_marked(tags):
            stats.fills_superseded += 1
            return None
        entry = Entry(
            fill.key,
            value,
            tags,
            name=name,
            expires_at=self.clock() + ttl_s,
            value_bytes=value_bytes,
        )
        if self._store.put(entry):
            stats.fills += 1
        return entry

    def _unstored(self, key: Key, value: Any, name: str) -> Entry:
        entry = Entry(key, value, (), name=name, expires_at=float("-inf"), value_bytes=0)
        entry.alive = False
        return entry

    def _take(self, key: Key, name: str) -> Entry | Miss:
        entry = self._store.find(key)
        stats = self.counting.names[name]
        if entry is None:
            stats.misses += 1
            return Miss.ABSENT
        if entry.expires_at <= self.clock():
            self._store.remove(entry)
            stats.evictions_ttl += 1
            stats.misses += 1
            return Miss.ABSENT
        if self._marked and self._is_marked(entry.tags):
            stats.misses += 1
            return Miss.ABSENT
        stats.hits += 1
        return entry

    # Looking at the source.

    async def _is_fresh(self, bound_s: float) -> bool:
        """Whether what is stored is now as fresh as asked for. Looks where it must."""
        looks = self._looks
        if bound_s:
            age_s = self.clock() - looks.sent_at
            if age_s <= bound_s:
                if age_s > bound_s / 2:
                    looks.begin()
                return True
        scope = SCOPE.get()
        if scope is not None and self in scope.looked and not scope.is_over:
            return True
        fresh = await looks.after_now()
        if fresh and scope is not None:
            scope.looked.add(self)
        return fresh

    def _forget_scope(self) -> None:
        """For an answer that comes past the store: it may be newer than what is stored, and the
        next read of the scope must not go back behind it."""
        scope = SCOPE.get()
        if scope is not None:
            scope.looked.discard(self)

    def _look_now(self) -> bool:
        feed = self._instant_feed
        if feed is None:
            return True
        self._looked += 1
        started_ns = 0 if self._looked % _TIMED else perf_counter_ns()
        try:
            changes = feed.look_now()
        except Exception as error:  # noqa: BLE001 - no read may fail for want of a look
            self._lose(error)
            return False
        if started_ns:
            self.counting.time_look(perf_counter_ns() - started_ns)
        if changes is not None:
            self._apply(changes)
        return True

    async def _look(self) -> None:
        assert self._feed is not None
        self._looked += 1
        started_ns = perf_counter_ns()
        try:
            changes = await self._feed.look()
        except Exception as error:
            self._lose(error)
            raise
        self.counting.time_look(perf_counter_ns() - started_ns)
        self._apply(changes)

    async def look(self) -> bool:
        """Looks at the source; False when it could not be asked."""
        return self._look_now() if self.instant else await self._looks.after_now()

    async def settle(self) -> None:
        """For who has just committed: waits until what he changed cannot be given out any more.
        Where looks are instant there is nothing to wait for, every read looks; nor where nothing is
        stored or being filled."""
        if self.instant or self._is_empty():
            return
        if not await self._looks.after_now():
            # A look that began before the commit may still come back, and a query as well: neither
            # counts any more. What is stored from here on was asked for after the commit.
            self.clear("the database could not be asked what a commit of this process has changed")

    def _is_empty(self) -> bool:
        return not len(self._store) and self._fills.are_idle()

    def _apply(self, changes: Changes) -> None:
        commits = self._commits()
        source = "own" if commits != self._commits_seen else "other"
        self._commits_seen = commits
        if changes.everything:
            self.clear(changes.everything)
        elif changes.tags:
            self._invalidate(changes.tags, source)

    def _lose(self, error: Exception) -> None:
        """The source cannot be asked: nothing that is stored can be trusted."""
        self.counting.looks_failed += 1
        if isinstance(error, VacancyError):
            why = error.code
        else:
            why = type(error).__name__
            _log.error("a look failed as it must not", exc_info=error)
        self.clear(f"the database could not be asked what has changed: {why}")

    # Saying what has changed.

    def invalidate(self, *tags: str) -> None:
        """What depends on one of these tags, or on what stands beneath `…/*`, is given out no more,
        and what is being filled is not stored. `*` is everything."""
        if EVERYTHING in tags:
            self.clear("invalidated by hand")
        else:
            self._invalidate(tags, "told")

    @contextmanager
    def changing(self, *tags: str) -> Iterator[None]:
        """For a source that no feed watches: change it inside, commit included. Until the end
        nothing of these tags is given out or stored, so that nobody sees the new and then the old
        value; at the end, however it comes, they count as changed."""
        for tag in tags:
            self._marked[tag] = self._marked.get(tag, 0) + 1
        try:
            yield
        finally:
            for tag in tags:
                self._marked[tag] -= 1
                if not self._marked[tag]:
                    del self._marked[tag]
            self.invalidate(*tags)

    def clear(self, reason: str) -> None:
        """Empties the store; what is being filled is not stored."""
        self._fills.supersede_all()
        self._store.clear()
        self.counting.clears += 1
        self.counting.last_clear = reason

    def _invalidate(self, tags: Iterable[str], source: str) -> None:
        self._fills.supersede(tags)
        for tag, entry in self._store.remove_touched(tags):
            self.counting.by_table[table_of(tag)] += 1
            self.counting.by_source[source] += 1
            self.counting.names[entry.name].invalidations += 1

    def is_given(self, entry: Entry) -> bool:
        """Whether an entry would still be given out, as far as the last look tells."""
        return entry.alive and not self._is_marked(entry.tags)

    def _is_marked(self, tags: tuple[str, ...]) -> bool:
        return any(_touches(marked, tag) for marked in self._marked for tag in tags)

    def _evicted(self, entry: Entry) -> None:
        self.counting.names[entry.name].evictions_size += 1

    # What is known about it.

    def stats(self) -> CacheStats:
        """One flat record. `counting.names` has the same by statement."""
        self.counting.looks = self._looked
        return self.counting.record(
            entries=len(self._store),
            max_entries=self.limits.max_entries,
            size_bytes=self._store.size_bytes,
            max_bytes=self.limits.max_bytes,
        )

    async def close(self) -> None:
        """Waits for the looks under way and gives the feed's connection back."""
        await self.shadows.close()
        await self._looks.finish()
        if self._feed is not None:
            await self._feed.close()


def _touches(changed: str, tag: str) -> bool:
    """Whether a change of the one is a change of the other: see `tags`."""
    if changed.endswith("/*"):
        return tag.startswith(changed[:-1]) or _touches(changed[:-2], tag)
    return changed in (tag, EVERYTHING) or changed.startswith(f"{tag}/")
