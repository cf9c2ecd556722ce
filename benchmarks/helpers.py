"""The twelve helpers, each inside the guard and with the trace on, against the same SQL on the bare
driver building the same answer (`bare.py`); then how long the quickest and the heaviest take, and
whether reports cost the same in a small group and in a large one.

The bare side has a connection of its own with the settings of ours: otherwise planners, and not our
layers, would make the difference. Before anything is timed both sides must answer the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from time import perf_counter_ns
from typing import Any

import asyncpg
import msgspec

from benchmarks.bare import IDS, USER_PAGE, Question, Sample, questions
from benchmarks.figure import Figure
from benchmarks.hotels import settings
from benchmarks.million import Groups, find_user
from benchmarks.stats import NS_PER_S, Pair, measure_pair
from vacancy.bootstrap import open_database
from vacancy.contracts.guard import watched
from vacancy.db.connect import sqlite_path
from vacancy.db.database import Database
from vacancy.db.sqlite.session import open_connection
from vacancy.db.statement import Engine
from vacancy.db.values import decoder
from vacancy.hotel.queries import (
    get_booking_statistics,
    get_kpi_report,
    get_occupancy_rate,
)

COMMAND = "make bench ARGS=helpers"
GOALS = {"sqlite": 1.5, "postgresql": 1.2}
BUDGET = 3
"""Statements a request may run, as in the server."""

AVAILABILITY_US = {"sqlite": 15.0, "postgresql": 40.0}
"""On PostgreSQL beyond `SELECT 1`."""
USER_PAGE_US = 100.0
REPORT_MS = 5.0
SAME = 1.25
"""What costs up to so many times as much is the same: the machine alone moves by as much."""
SPARSE = 100_000
"""Below so many bookings, many days have no arrivals in some status: there is less to sum up."""

TURNS = 5
"""Each round is cut into so many turns: many short ones stand a busy machine better."""
TURN_S = 0.02
"""About so long each side is timed in each turn."""
MOST_CALLS = 5_000
PLACE = "hotel-001"
NIGHT = date(2024, 6, 3)
YEAR = (date(2024, 1, 1), date(2025, 1, 1))

Call = Callable[[], Awaitable[Any]]
BareCalls = Callable[[Question], Awaitable[Call]]


async def measure(groups: Groups, engines: tuple[Engine, ...], rounds: int) -> list[Figure]:
    figures = []
    for engine in engines:
        url = await groups.url(engine, groups.bookings)
        async with open_database(settings(url)) as db, _bare_calls(url) as bare:
            asked = questions(engine, await find_sample(db))
            figures += await _measure_helpers(db, bare, asked, rounds, groups.bookings)
            if engine == "postgresql":
                figures.append(await _beyond_select(db, url, asked, rounds, groups.bookings))
        figures += await _measure_reports(groups, engine, rounds)
    return figures


async def find_sample(db: Database) -> Sample:
    """A user with more than a page of bookings, and some of the group's first bookings."""
    ids = [row[0] for row in await db.adhoc("SELECT id FROM bookings ORDER BY id", limit=10_000)]
    return Sample(
        property=PLACE,
        room_type="type-01",
        night=NIGHT,
        from_date=YEAR[0],
        to_date=YEAR[1],
        user_id=await find_user(db, USER_PAGE + 1),
        booking_ids=ids[:: max(1, len(ids) // IDS)][:IDS],
    )


def guarded(db: Database, question: Question) -> Call:
    """The helper as a request runs it."""

    async def call() -> Any:
        with watched("bench", BUDGET, "raise"):
            return await question.ask(db)

    return call


@asynccontextmanager
async def _bare_calls(url: str) -> AsyncIterator[BareCalls]:
    """What makes a bare call of a question, on a connection of its own."""
    if url.startswith("sqlite"):
        connection = open_connection(sqlite_path(url), read_only=True)
        yield _on_sqlite(connection.cursor().execute)
        connection.close()
        return
    postgres = await _connect(url)
    try:
        yield _on_postgres(postgres)
    finally:
        await postgres.close()


def _on_sqlite(execute: Callable[..., Any]) -> BareCalls:
    async def prepare(question: Question) -> Call:
        sql, params, answer = question.statement.sqlite, question.params, question.answer
        decode = _decoder(question, "sqlite")

        async def call() -> Any:
            return answer(decode(execute(sql, params()).fetchall()))

        return call

    return prepare


def _on_postgres(connection: Any) -> BareCalls:
    async def prepare(question: Question) -> Call:
        params, answer = question.params, question.answer
        order = question.statement.order
        decode = _decoder(question, "postgresql")
        prepared = await connection.prepare(question.statement.postgresql)

        async def call() -> Any:
            given = params()
            return answer(decode(await prepared.fetch(*[given[name] for name in order])))

        return call

    return prepare


def _decoder(question: Question, engine: Engine) -> Callable[[list[Any]], list[Any]]:
    row: type[msgspec.Struct] = question.statement.row
    return decoder(row, engine)


async def _connect(url: str) -> Any:
    """With what decides on plans in our sessions."""
    return await asyncpg.connect(
        url,
        server_settings={
            "timezone": "UTC",
            "jit": "off",
            "enable_seqscan": "off",
            "plan_cache_mode": "force_generic_plan",
        },
    )


async def _measure_helpers(
    db: Database, bare: BareCalls, asked: list[Question], rounds: int, bookings: int
) -> list[Figure]:
    figures = []
    for question in asked:
        ours, theirs = guarded(db, question), await bare(question)
        assert await ours() == await theirs(), question.helper
        pair = await _pair(ours, theirs, rounds)
        figures.append(_against_bare(db.engine, question.helper, pair, bookings))
        if db.engine == "sqlite":
            figures += _absolute(question.helper, pair, bookings)
    return figures


async def _pair(a: Call, b: Call, rounds: int) -> Pair:
    """With so many calls in a turn as take about TURN_S."""
    for call in (a, b):  # the first one of each prepares its statement
        await call()
    started_ns = perf_counter_ns()
    await a()
    one_ns = max(1, perf_counter_ns() - started_ns)
    calls = min(MOST_CALLS, max(3, int(TURN_S * NS_PER_S) // one_ns))
    return await measure_pair(a, b, rounds * TURNS, calls)


def _against_bare(engine: Engine, helper: str, pair: Pair, bookings: int) -> Figure:
    return Figure(
        what=f"{helper} against the bare driver, {bookings:,} bookings",
        engine=engine,
        measured=f"{pair.ratio:.2f} times ({pair.a_us:.1f} µs against {pair.b_us:.1f} µs)",
        goal=f"at most {GOALS[engine]} times",
        reached=pair.ratio <= GOALS[engine],
        command=COMMAND,
    )


def _absolute(helper: str, pair: Pair, bookings: int) -> list[Figure]:
    """The figures of SQLite that stand for themselves."""
    wanted = {
        "check_room_availability": ("availability, 7 nights, one type", AVAILABILITY_US["sqlite"]),
        "get_user_bookings_with_room_type": (
            f"a user's bookings with room type and payments, page of {USER_PAGE}",
            USER_PAGE_US,
        ),
    }
    if helper not in wanted:
        return []
    what, goal_us = wanted[helper]
    return [
        Figure(
            what=f"{what}, {bookings:,} bookings",
            engine="sqlite",
            measured=f"{pair.a_us:.1f} µs (bare driver {pair.b_us:.1f} µs)",
            goal=f"{goal_us:.0f} µs",
            reached=pair.a_us <= goal_us,
            command=COMMAND,
        )
    ]


async def _beyond_select(
    db: Database, url: str, asked: list[Question], rounds: int, bookings: int
) -> Figure:
    """What availability takes beyond the way to PostgreSQL and back."""
    question = next(one for one in asked if one.helper == "check_room_availability")
    connection = await _connect(url)
    nothing = await connection.prepare("SELECT 1")
    pair = await _pair(guarded(db, question), nothing.fetch, rounds)
    await connection.close()
    beyond_us = pair.a_us - pair.b_us
    goal_us = AVAILABILITY_US["postgresql"]
    return Figure(
        what=f"availability, 7 nights, one type, beyond SELECT 1, {bookings:,} bookings",
        engine="postgresql",
        measured=f"{beyond_us:.1f} µs ({pair.a_us:.1f} µs; SELECT 1 {pair.b_us:.1f} µs)",
        goal=f"within {goal_us:.0f} µs",
        reached=beyond_us <= goal_us,
        command=COMMAND,
    )


REPORTS: dict[str, Callable[[Database], Awaitable[Any]]] = {
    "occupancy": lambda db: get_occupancy_rate(db, PLACE, *YEAR),
    "booking statistics": lambda db: get_booking_statistics(db, PLACE, *YEAR),
    "revenue and key figures": lambda db: get_kpi_report(db, PLACE, *YEAR),
}


async def _measure_reports(groups: Groups, engine: Engine, rounds: int) -> list[Figure]:
    """The smallest group against the largest, in turns."""
    small, large = groups.sizes[0], groups.sizes[-1]
    urls = [await groups.url(engine, size) for size in (small, large)]
    figures = []
    async with open_database(settings(urls[0])) as few, open_database(settings(urls[1])) as many:
        for name, report in REPORTS.items():
            pair = await _pair(_report(report, many), _report(report, few), rounds)
            quick = max(pair.a_us, pair.b_us) < REPORT_MS * 1000
            same = f", at most {SAME} times" if small >= SPARSE else ""
            figures.append(
                Figure(
                    what=f"{name} of a year, {large:,} bookings against {small:,}",
                    engine=engine,
                    measured=f"{pair.ratio:.2f} times ({pair.a_us / 1000:.2f} ms against"
                    f" {pair.b_us / 1000:.2f} ms)",
                    goal=f"under {REPORT_MS:.0f} ms{same}",
                    reached=quick and (not same or pair.ratio <= SAME),
                    command=COMMAND,
                )
            )
    return figures


def _report(report: Callable[[Database], Awaitable[Any]], db: Database) -> Call:
    async def call() -> Any:
        with watched("bench", BUDGET, "raise"):
            return await report(db)

    return call
