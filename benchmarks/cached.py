"""What the cache gives and what it costs: a cached answer over HTTP against a constant one, and
bookings with the log of changes against bookings without."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from statistics import median
from urllib.request import urlopen

import apsw
import asyncpg

from benchmarks.admission import CLIENTS, book_apart
from benchmarks.figure import Figure
from benchmarks.hotels import PROPERTIES, ROOM_TYPES, first_night, fresh_hotels
from benchmarks.http import CONNECTIONS, SECONDS, serving
from benchmarks.load import LoadResult, run_apart
from vacancy.db.change_triggers import drop_triggers
from vacancy.hotel.tracked import TRACKED

COMMAND = "make bench ARGS=cached"
BOOKINGS = 12_000


async def measure(urls: dict[str, str], rounds: int) -> list[Figure]:
    figures = []
    for engine, url in urls.items():
        await fresh_hotels(url)
        figures.append(_over_http(engine, url, rounds))
    for engine, url in urls.items():
        figures.append(await _cost_of_writing(engine, url, rounds))
    return figures


def _over_http(engine: str, url: str, rounds: int) -> Figure:
    check_in = first_night() + timedelta(days=30)
    paths = [
        f"/v1/properties/hotel{number % PROPERTIES}/availability?check_in={check_in}"
        f"&check_out={check_in + timedelta(days=7)}&rooms=1&room_type=type{number % ROOM_TYPES}"
        for number in range(32)
    ]
    command = [sys.executable, "-m", "benchmarks.constant_server"]
    os.environ["CONSTANT_BYTES"] = "210"
    with serving(url, command=command) as server:
        base = f"http://127.0.0.1:{server.port}"
        with urlopen(base + paths[0], timeout=5) as answer:  # noqa: S310 - our own server
            size = len(answer.read())
        assert abs(size - 210) < 30, size
        cached, constant = [], []
        for _ in range(rounds):
            cached.append(_load([base + path for path in paths]))
            constant.append(_load([base + "/constant"]))
    cached_per_s = median(run.summary.per_s for run in cached)
    constant_per_s = median(run.summary.per_s for run in constant)
    share = median(a.summary.per_s / b.summary.per_s for a, b in zip(cached, constant, strict=True))
    return Figure(
        what=f"GET of a cached availability against a constant answer, {CONNECTIONS} connections",
        engine=engine,
        measured=f"{share:.0%} ({cached_per_s:,.0f}/s against {constant_per_s:,.0f}/s)",
        goal="at least 80 %",
        reached=share >= 0.8,
        command=COMMAND,
    )


def _load(urls: list[str]) -> LoadResult:
    arguments = [part for url in urls for part in ("--url", url)]
    result = run_apart([*arguments, "--connections", str(CONNECTIONS), "--seconds", str(SECONDS)])
    assert set(result.statuses) <= {200}, result.statuses
    return result


async def _cost_of_writing(engine: str, url: str, rounds: int) -> Figure:
    """Bookings with the triggers, the feed and what follows a commit, and without all of it."""
    shares = []
    rates: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds):
        turn: dict[bool, float] = {}
        for logged in (True, False) if number % 2 else (False, True):
            await fresh_hotels(url)
            if not logged:
                await _silence_triggers(url)
            os.environ["VACANCY_CACHE"] = str(logged).lower()
            turn[logged] = book_apart(url, 1, CLIENTS, BOOKINGS)[0].per_s
            rates[logged].append(turn[logged])
        shares.append(1 - turn[True] / turn[False])
    del os.environ["VACANCY_CACHE"]
    cost = median(shares)
    return Figure(
        what=f"cost to bookings of keeping the cache exact, {CLIENTS} waiting clients",
        engine=engine,
        measured=f"{cost:.1%} ({median(rates[True]):,.0f}/s against {median(rates[False]):,.0f}/s)",
        goal="at most 10 %",
        reached=cost <= 0.1,
        command=COMMAND,
    )


async def _silence_triggers(url: str) -> None:
    if url.startswith("sqlite"):
        connection = apsw.Connection(url.removeprefix("sqlite:///"))
        for text in drop_triggers("sqlite", TRACKED):
            connection.execute(text)
        connection.close()
        return
    postgres = await asyncpg.connect(url)
    for one in TRACKED:  # the way down to an empty database needs them
        await postgres.execute(f"ALTER TABLE {one.table} DISABLE TRIGGER USER")
    await postgres.close()
