"""What a command may ask a running worker. Every question stands here, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from vacancy.cache.report import CacheRecord, record_of
from vacancy.contracts.guard import LOOPS
from vacancy.perf.queries.record import StatementRecord
from vacancy.perf.queries.record import record_of as statements_of
from vacancy.web.figures import Figures, Worker, figures_of
from vacancy.web.route_record import RouteRecord

Question: TypeAlias = Callable[[Worker], Awaitable[object]]
"""Answers from what the worker knows, with a value that can be written as JSON."""


async def cache_stats(worker: Worker) -> CacheRecord:
    return record_of(worker.house.cache)


async def routes(worker: Worker) -> tuple[RouteRecord, ...]:
    return worker.requests.all()


async def statements(worker: Worker) -> list[StatementRecord]:
    return statements_of(worker.house.db.trace, LOOPS)


async def figures(worker: Worker) -> Figures:
    return figures_of(worker)


QUESTIONS: Mapping[str, Question] = {
    "cache-stats": cache_stats,
    "routes": routes,
    "statements": statements,
    "figures": figures,
}
