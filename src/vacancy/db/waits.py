"""How long callers have waited for a connection, or for their turn to write. One flat record for
each database handle."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from vacancy.db.durations import BUCKETS, bucket_of, sum_buckets
from vacancy.db.statement import Engine


class Waits(msgspec.Struct):
    """Counts of one process, since it began."""

    waits: int = 0
    """PostgreSQL: callers who found no free connection. SQLite: units that wanted to write."""
    timeouts: int = 0
    """Those who gave up."""
    total_ns: int = 0
    most_ns: int = 0
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * BUCKETS)
    """Durations, as in `db.trace`."""

    def add(self, duration_ns: int) -> None:
        self.waits += 1
        self.total_ns += duration_ns
        if duration_ns > self.most_ns:
            self.most_ns = duration_ns
        self.buckets[bucket_of(duration_ns)] += 1


class PoolRecord(msgspec.Struct, kw_only=True):
    """The connections of one process as they are now, and how long callers have waited for one.
    On SQLite the one connection is the writer's: who waits for it waits for the turn to write."""

    engine: Engine
    size: int
    """The most there may be."""
    open: int
    idle: int
    waiting: int
    waits: int
    timeouts: int
    wait_total_ns: int
    wait_most_ns: int
    wait_buckets: list[int]


def pool_record(
    waits: Waits, *, engine: Engine, size: int, opened: int, idle: int, waiting: int
) -> PoolRecord:
    return PoolRecord(
        engine=engine,
        size=size,
        open=opened,
        idle=idle,
        waiting=waiting,
        waits=waits.waits,
        timeouts=waits.timeouts,
        wait_total_ns=waits.total_ns,
        wait_most_ns=waits.most_ns,
        wait_buckets=list(waits.buckets),
    )


def merge_pools(records: Sequence[PoolRecord]) -> PoolRecord:
    """The pools of several processes as if they were one; there must be one at least."""
    return PoolRecord(
        engine=records[0].engine,
        size=sum(record.size for record in records),
        open=sum(record.open for record in records),
        idle=sum(record.idle for record in records),
        waiting=sum(record.waiting for record in records),
        waits=sum(record.waits for record in records),
        timeouts=sum(record.timeouts for record in records),
        wait_total_ns=sum(record.wait_total_ns for record in records),
        wait_most_ns=max(record.wait_most_ns for record in records),
        wait_buckets=sum_buckets(record.wait_buckets for record in records),
    )
