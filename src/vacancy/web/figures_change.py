"""What has been counted between two looks at the same worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from vacancy.cache.report import CacheRecord
from vacancy.cache.stats import NameStats
from vacancy.db.waits import PoolRecord
from vacancy.hotel.admission.record import AdmissionRecord
from vacancy.perf.queries.record import StatementRecord
from vacancy.web.figures import Figures
from vacancy.web.route_record import RouteRecord

K = TypeVar("K")


def change(before: Figures | None, after: Figures) -> Figures:
    """The counts of the time between; sizes, and the most of anything, stay those of `after`.
    Without `before` the worker is new, and all of it counts."""
    if before is None:
        return after
    return msgspec.structs.replace(
        after,
        routes=_routes(before.routes, after.routes),
        statements=_statements(before.statements, after.statements),
        pool=_pool(before.pool, after.pool),
        admission=_admission(before.admission, after.admission),
        cache=_cache(before.cache, after.cache),
    )


def _routes(before: Sequence[RouteRecord], after: Sequence[RouteRecord]) -> list[RouteRecord]:
    known = {record.route: record for record in before}
    return [
        msgspec.structs.replace(
            record,
            requests=_less(was.requests, record.requests),
            statements=record.statements - was.statements,
            over_budget=record.over_budget - was.over_budget,
            total_ns=record.total_ns - was.total_ns,
            buckets=_buckets(was.buckets, record.buckets),
            refusals=_less(was.refusals, record.refusals),
        )
        if (was := known.get(record.route)) is not None
        else record
        for record in after
    ]


def _statements(
    before: Sequence[StatementRecord], after: Sequence[StatementRecord]
) -> list[StatementRecord]:
    known = {record.name: record for record in before}
    return [
        msgspec.structs.replace(
            record,
            calls=record.calls - was.calls,
            rows=record.rows - was.rows,
            errors=record.errors - was.errors,
            total_ns=record.total_ns - was.total_ns,
            buckets=tuple(_buckets(was.buckets or (), record.buckets or ())),
        )
        if (was := known.get(record.name)) is not None
        else record
        for record in after
    ]


def _pool(before: PoolRecord, after: PoolRecord) -> PoolRecord:
    return msgspec.structs.replace(
        after,
        waits=after.waits - before.waits,
        timeouts=after.timeouts - before.timeouts,
        wait_total_ns=after.wait_total_ns - before.wait_total_ns,
        wait_buckets=_buckets(before.wait_buckets, after.wait_buckets),
    )


def _admission(before: AdmissionRecord, after: AdmissionRecord) -> AdmissionRecord:
    return msgspec.structs.replace(
        after,
        batches=after.batches - before.batches,
        requests=after.requests - before.requests,
        batch_sizes=_buckets(before.batch_sizes, after.batch_sizes),
        wait_total_ns=after.wait_total_ns - before.wait_total_ns,
        wait_buckets=_buckets(before.wait_buckets, after.wait_buckets),
        batch_total_ns=after.batch_total_ns - before.batch_total_ns,
        batch_buckets=_buckets(before.batch_buckets, after.batch_buckets),
        refusals=_less(before.refusals, after.refusals),
    )


def _cache(before: CacheRecord, after: CacheRecord) -> CacheRecord:
    """By name alone: what there is of the whole cache stays as it is."""
    nothing = NameStats()
    return CacheRecord(
        cache=after.cache,
        names={
            name: NameStats(
                **{
                    field: getattr(stats, field) - getattr(before.names.get(name, nothing), field)
                    for field in NameStats.__struct_fields__
                }
            )
            for name, stats in after.names.items()
        },
    )


def _less(before: Mapping[K, int], after: Mapping[K, int]) -> dict[K, int]:
    found = {key: number - before.get(key, 0) for key, number in after.items()}
    return {key: number for key, number in found.items() if number}


def _buckets(before: Sequence[int], after: Sequence[int]) -> list[int]:
    return [now - was for was, now in zip(before, after, strict=True)]
