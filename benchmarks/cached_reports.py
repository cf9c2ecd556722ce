"""Key figures of a year from the cache, exact, against the database: on a generated group."""

from __future__ import annotations

from statistics import median
from time import perf_counter_ns

from benchmarks.figure import Figure
from benchmarks.helpers import PLACE, YEAR
from benchmarks.hotels import settings
from benchmarks.million import Groups
from vacancy.bootstrap import open_house
from vacancy.db.database import Reader
from vacancy.db.statement import Engine
from vacancy.hotel.queries import get_kpi_report

COMMAND = "make bench ARGS='cached_reports --bookings 1000000'"
REPORTS = 200


async def measure(groups: Groups, engines: tuple[Engine, ...], rounds: int) -> list[Figure]:
    figures = []
    for engine in engines:
        url = await groups.url(engine, groups.bookings)
        async with open_house(settings(url)) as house:
            await _mean_us(house.reads, 1)
            pairs = [
                (await _mean_us(house.db, REPORTS), await _mean_us(house.reads, REPORTS))
                for _ in range(rounds)
            ]
        times = median(database / cached for database, cached in pairs)
        database_us = median(pair[0] for pair in pairs)
        cached_us = median(pair[1] for pair in pairs)
        figures.append(
            Figure(
                what="a yearly report from the cache, exact, against the database,"
                f" {groups.bookings:,} bookings",
                engine=engine,
                measured=f"{times:.0f} times faster ({cached_us:,.0f} µs against"
                f" {database_us:,.0f} µs)",
                goal="5 times" if engine == "postgresql" else "",
                reached=times >= 5 if engine == "postgresql" else None,
                command=COMMAND,
            )
        )
    return figures


async def _mean_us(reads: Reader, reports: int) -> float:
    started_ns = perf_counter_ns()
    for _ in range(reports):
        await get_kpi_report(reads, PLACE, *YEAR)
    return (perf_counter_ns() - started_ns) / reports / 1000
