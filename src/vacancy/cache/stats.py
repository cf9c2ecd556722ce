"""What a cache has done since its process began: one flat record, and one for each name."""

from __future__ import annotations

from collections import Counter, defaultdict

import msgspec


class NameStats(msgspec.Struct):
    """What was asked under one name: a statement's, or that of a query of one's own."""

    hits: int = 0
    misses: int = 0
    fills: int = 0
    """Queries that were run and whose result was stored."""
    fills_superseded: int = 0
    """Queries whose result was not stored, because something of it had changed meanwhile."""
    coalesced_waits: int = 0
    """Callers who waited for the query of another."""
    bypasses: int = 0
    """Callers who were sent past the cache: it could not be sure, or was told not to answer."""
    hit_ns: int = 0
    """Time of the hits that were timed, validation included."""
    hits_timed: int = 0
    fill_ns: int = 0
    """Time of all queries that were run to fill it."""
    queries: int = 0
    """How many those were, stored or not."""
    invalidations: int = 0
    evictions_size: int = 0
    evictions_ttl: int = 0
    shadow_checks: int = 0
    shadow_mismatches: int = 0


class CacheStats(msgspec.Struct, kw_only=True):
    """One flat record of a process's cache. Counts are since its start; sizes are now."""

    hits: int
    misses: int
    hit_rate: float | None
    """Hits of hits and misses; null before the first."""
    fills: int
    fills_superseded: int
    coalesced_waits: int
    bypasses: int
    invalidations: int
    """Entries that left because something they depend on was changed."""
    invalidations_by_tag: dict[str, int]
    """The same by the first part of the tag: the table."""
    invalidations_by_source: dict[str, int]
    """The same by who has committed: `own`, found by a look that followed a commit of this process
    (others' may be among them); `other`, another process or raw SQL; `told`, by `invalidate`."""
    clears: int
    """How often all of it was emptied at once."""
    last_clear: str
    """Why it was emptied last."""
    evictions_size: int
    evictions_ttl: int
    entries: int
    max_entries: int
    size_bytes: int
    max_bytes: int
    looks: int
    """How often the database was asked what has changed."""
    looks_failed: int
    look_us: float | None
    """Mean time of one."""
    shadow_checks: int
    shadow_mismatches: int
    """Must be 0: hits that differed from what the database said at the same moment."""


class Counting:
    """The counts while they are made."""

    def __init__(self) -> None:
        self.names: defaultdict[str, NameStats] = defaultdict(NameStats)
        self.by_table: Counter[str] = Counter()
        self.by_source: Counter[str] = Counter()
        self.clears = 0
        self.last_clear = ""
        self.looks = 0
        self.looks_failed = 0
        self.looks_timed = 0
        self.look_ns = 0

    def time_look(self, duration_ns: int) -> None:
        """Adds the time of one look, of those that are timed."""
        self.looks_timed += 1
        self.look_ns += duration_ns

    def time_hit(self, name: str, duration_ns: int) -> None:
        """Adds the time of one hit, of those few that are timed."""
        stats = self.names[name]
        stats.hits_timed += 1
        stats.hit_ns += duration_ns

    def total(self, field: str) -> int:
        """A count of all names together."""
        return sum(getattr(stats, field) for stats in self.names.values())

    def record(
        self, *, entries: int, max_entries: int, size_bytes: int, max_bytes: int
    ) -> CacheStats:
        hits, misses = self.total("hits"), self.total("misses")
        return CacheStats(
            hits=hits,
            misses=misses,
            hit_rate=hits / (hits + misses) if hits + misses else None,
            fills=self.total("fills"),
            fills_superseded=self.total("fills_superseded"),
            coalesced_waits=self.total("coalesced_waits"),
            bypasses=self.total("bypasses"),
            invalidations=self.total("invalidations"),
            invalidations_by_tag=dict(self.by_table),
            invalidations_by_source=dict(self.by_source),
            clears=self.clears,
            last_clear=self.last_clear,
            evictions_size=self.total("evictions_size"),
            evictions_ttl=self.total("evictions_ttl"),
            entries=entries,
            max_entries=max_entries,
            size_bytes=size_bytes,
            max_bytes=max_bytes,
            looks=self.looks,
            looks_failed=self.looks_failed,
            look_us=self.look_ns / self.looks_timed / 1000 if self.looks_timed else None,
            shadow_checks=self.total("shadow_checks"),
            shadow_mismatches=self.total("shadow_mismatches"),
        )
