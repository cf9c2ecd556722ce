"""Collects what `perf analyze-queries` judges: the records of the workers and of PostgreSQL, and
what a witness knows of the statements in them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import msgspec

from vacancy.config import Settings
from vacancy.db.connect import connect, engine_of
from vacancy.db.durations import percentile_ns
from vacancy.db.gate import registered_statements
from vacancy.db.open_witness import open_witness
from vacancy.db.statement import AnyStatement
from vacancy.db.witness import Witness
from vacancy.errors import Unavailable, Unsupported
from vacancy.hotel.sizes import SIZES
from vacancy.hotel.wiring import introduce, uncached
from vacancy.perf.queries.analyze import Known
from vacancy.perf.queries.know import PlanOfText, know_all
from vacancy.perf.queries.record import StatementRecord, merge
from vacancy.perf.queries.stored import has_stored, stored_records, table_rows
from vacancy.web.ask_workers import Answered, Silent, ask_others, ask_workers
from vacancy.web.route_record import RouteRecord, merge_routes

MOST_PLANNED = 200
"""So many texts that are none of ours are planned: those that cost most."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What ran."""

    url: str
    """Of the database on which it ran."""
    records: list[StatementRecord]
    workers: list[dict[str, Any]]
    routes: list[dict[str, Any]]
    table_rows: dict[str, int]
    """About how many rows each table has, where PostgreSQL was asked."""
    notes: list[str]
    """What to know beside it, in sentences."""


async def look(settings: Settings, database: str | None, *, must: bool = True) -> Seen:
    """What ran on the server, and on the database behind it; with a `database` on that one alone.

    Raises, where it `must` find something, `Missing` SERVER_NOT_RUNNING and `Unavailable`
    WORKERS_SILENT where neither has counted, and `Unsupported` STATEMENTS_NOT_RECORDED.
    """
    introduce()
    if database is not None:
        stored, sizes = await _stored(database, must=True)
        return Seen(url=database, records=stored, workers=[], routes=[], table_rows=sizes, notes=[])
    asked = await ask_others(settings.data_dir, "statements", list[StatementRecord])
    answered = [worker.answer for worker in asked if isinstance(worker, Answered)]
    stored, sizes = await _stored(settings.url, must=False)
    if must and not answered and not stored:
        if not asked:
            await ask_workers(settings.data_dir, "statements", list[StatementRecord])
        raise _silent([worker for worker in asked if isinstance(worker, Silent)])
    notes = [] if asked else ["No server runs; this is what PostgreSQL has counted."]
    return Seen(
        url=settings.url,
        records=[*merge(answered), *stored],
        workers=[_worker(worker) for worker in asked],
        routes=await _routes(settings),
        table_rows=sizes,
        notes=notes if stored else [],
    )


async def _stored(url: str, *, must: bool) -> tuple[list[StatementRecord], dict[str, int]]:
    """With the rows of the tables. Where it must not, a database that keeps no record has an empty
    one."""
    if engine_of(url) != "postgresql" and not must:
        return [], {}
    async with AsyncExitStack() as stack:
        db = await connect(url, connections=1)
        stack.push_async_callback(db.close)
        if not must and not await has_stored(db):
            return [], {}
        try:
            return await stored_records(db, registered_statements()), await table_rows(db)
        except Unsupported:
            if must:
                raise
            return [], {}


def _silent(workers: list[Silent]) -> Unavailable:
    return Unavailable(
        "WORKERS_SILENT",
        "No worker of the server has answered: "
        + "; ".join(f"{worker.pid}: {worker.why.rstrip('.')}" for worker in workers)
        + ".",
        hint="Try again; a worker that stays silent is stopped or too busy to answer anybody.",
    )


def _worker(worker: Answered[Any] | Silent) -> dict[str, Any]:
    if isinstance(worker, Silent):
        return {"pid": worker.pid, "answered": False, "why": worker.why}
    return {"pid": worker.pid, "answered": True, "uptime_s": worker.uptime_s}


async def _routes(settings: Settings) -> list[dict[str, Any]]:
    """The routes that were asked, the busiest first, with what each may run and what it ran."""
    asked = await ask_others(settings.data_dir, "routes", list[RouteRecord])
    routes = merge_routes(worker.answer for worker in asked if isinstance(worker, Answered))
    return [
        _route(route)
        for route in sorted(routes, key=lambda one: (-one.statements, one.route))
        if route.calls and route.budget
    ]


def _route(route: RouteRecord) -> dict[str, Any]:
    p95_ns = percentile_ns(route.buckets, 95)
    return {
        "route": route.route,
        "budget": route.budget,
        "requests": route.calls,
        "statements": route.statements,
        "statements_per_request": round(route.statements / route.calls, 2),
        "statements_most": route.statements_most,
        "over_budget": route.over_budget,
        "p95_ms": None if p95_ns is None else round(p95_ns / 1_000_000, 2),
    }


# -- what is known of it


async def know_seen(seen: Seen) -> dict[str, Known]:
    """What is known of each statement that ran, by its name. Only reads."""
    texts = sorted((one for one in seen.records if one.text), key=lambda one: -one.total_ns)
    few = {id(one) for one in texts[:MOST_PLANNED]}
    records = [one for one in seen.records if not one.text or id(one) in few]
    async with AsyncExitStack() as stack:
        try:
            witness = await stack.enter_async_context(open_witness(seen.url, SIZES))
        except Unsupported as error:
            # PostgreSQL before 16: what ran is told without plans.
            unknown = Known(no_plan=error.detail)
            return {record.name: unknown for record in records}
        return await know_all(
            records,
            witness,
            statements_by_name(),
            uncached=uncached(),
            plan_of_text=plan_of_text_by(witness),
        )


def statements_by_name() -> dict[str, AnyStatement]:
    introduce()
    return {statement.name: statement for statement in registered_statements()}


def plan_of_text_by(witness: Witness) -> PlanOfText | None:
    """Plans texts that are none of ours; SQLite records none."""
    return getattr(witness, "plan_of_text", None)
