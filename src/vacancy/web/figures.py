"""All that a worker has counted, and what several workers have counted together."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import msgspec

from vacancy import __version__
from vacancy.bootstrap import House
from vacancy.cache.report import CacheRecord, add_up, add_up_names
from vacancy.cache.report import record_of as cache_record_of
from vacancy.db.waits import PoolRecord, merge_pools
from vacancy.hotel.admission.record import AdmissionRecord, merge_admission
from vacancy.perf.alerts import AlertRecord
from vacancy.perf.queries.record import StatementRecord, merge, record_of
from vacancy.web.route_record import RouteRecord, RouteRecords, merge_routes


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker can tell of."""

    house: House
    requests: RouteRecords
    alerts: AlertRecord


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts are since the worker began; sizes are now."""

    pid: int
    began_ms: int
    """Since 1970: with its number it tells a worker from all others."""
    age_ms: int
    """Since it began, by a clock that nobody sets: of two figures of a worker, which are later."""
    version: str
    routes: list[RouteRecord]
    statements: list[StatementRecord]
    pool: PoolRecord
    admission: AdmissionRecord
    cache: CacheRecord
    alerts: AlertRecord

    @property
    def worker(self) -> str:
        """A name that no other worker has had."""
        return f"{self.pid}-{self.began_ms}"


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What several workers come to: counts of all that there were, sizes of those that answered."""

    counts: Figures
    sizes: Figures
    began_ms: int
    """Since 1970: when the first of those that live began, also where it did not answer."""
    workers: int
    workers_silent: int


def figures_of(worker: Worker) -> Figures:
    """The figures as they are now."""
    house = worker.house
    return Figures(
        pid=os.getpid(),
        began_ms=worker.requests.began_ms,
        age_ms=(time.monotonic_ns() - worker.requests.began_monotonic_ns) // 1_000_000,
        version=__version__,
        routes=list(worker.requests.all()),
        statements=record_of(house.db.trace),
        pool=house.db.pool_record(),
        admission=house.admission.record(),
        cache=cache_record_of(house.cache),
        alerts=worker.alerts,
    )


def total_of(workers: Sequence[Figures]) -> Figures:
    """All workers as if they were one; there must be one at least. Its number is 0, and it began
    with the first of them."""
    caches = [worker.cache for worker in workers]
    return Figures(
        pid=0,
        began_ms=min(worker.began_ms for worker in workers),
        age_ms=max(worker.age_ms for worker in workers),
        version=workers[-1].version,
        routes=merge_routes(worker.routes for worker in workers),
        statements=merge(worker.statements for worker in workers),
        pool=merge_pools([worker.pool for worker in workers]),
        admission=merge_admission([worker.admission for worker in workers]),
        cache=CacheRecord(cache=add_up(caches), names=add_up_names(caches)),
        alerts=AlertRecord(
            **{
                name: sum(getattr(worker.alerts, name) for worker in workers)
                for name in AlertRecord.__struct_fields__
            }
        ),
    )
