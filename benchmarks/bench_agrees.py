"""Whether `vacancy perf bench` can be believed: the same operations on databases of our own, in
another process, with another clock and another reckoning.

The bench takes the median of single answers. Here whole blocks of answers are timed from outside:
a block's time by the number of its answers, and the median of the blocks; for many clients that
wait, Little's law: clients times time, by answers. They agree where their ratio, whichever way, is
within the noise that the bench has told of itself.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from time import monotonic
from typing import Any

import msgspec

from benchmarks.figure import Figure
from benchmarks.headline import open_as_others, open_hotel, rows_of
from benchmarks.hotels import booking_request, settings
from benchmarks.million import Groups, drop_added_indexes
from tests.servers import postgres_programs
from vacancy.bootstrap import open_house, tune_runtime
from vacancy.db.database import utc_now
from vacancy.db.statement import Engine
from vacancy.hotel import naive
from vacancy.hotel.accounts import take_node
from vacancy.hotel.admission.requests import CreateBooking, Outcome
from vacancy.hotel.headline import HeadlineReport, find_subject
from vacancy.hotel.ids import IdSource
from vacancy.hotel.model import Actor, Booking
from vacancy.perf.bench.copies import learn_sizes

COMMAND = "make bench ARGS='bench_agrees --bookings 1000000'"
GOAL_S = 300.0
CLIENTS = 64
BLOCK_S = 0.05
BLOCKS = 15
_OPERATIONS = ("room_types", "availability", "user_bookings", "report")
_PATIENCE_S = 120.0


async def measure(groups: Groups, engines: tuple[Engine, ...], rounds: int) -> list[Figure]:
    figures = []
    for engine in engines:
        url = await groups.copy(engine, groups.bookings, "copied")
        report, _ = await _bench("--database-url", url)
        ours = await _ours(groups, engine, max(rounds, 1))
        figures.append(_compared(report, ours))
        _, took_s = await _bench("--bookings", str(groups.bookings), "--database-url", url)
        figures.append(_took(engine, groups.bookings, took_s))
        await groups.throw_away(engine, "copied")
    return figures


async def _bench(*options: str) -> tuple[HeadlineReport, float]:
    """The command, as users run it, and how long it took."""
    path = f"{postgres_programs()}{os.pathsep}{os.environ['PATH']}"
    started_s = monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vacancy", "perf", "bench", "--json", *options,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PATH": path},
    )  # fmt: skip
    told, _ = await process.communicate()
    assert process.returncode == 0
    return msgspec.json.decode(told, type=HeadlineReport), monotonic() - started_s


async def _ours(groups: Groups, engine: Engine, rounds: int) -> dict[tuple[str, str], float]:
    """Microseconds an answer, by operation and side."""
    naive.introduce()
    urls = {name: await groups.copy(engine, groups.bookings, name) for name in ("before", "after")}
    await drop_added_indexes(urls["before"])
    for url in urls.values():
        await learn_sizes(url)
    found: dict[tuple[str, str], float] = {}
    async with (
        open_as_others(urls["before"]) as theirs,
        open_house(settings(urls["after"])) as house,
    ):
        tune_runtime()
        subject = await find_subject(house.db)
        sample = subject.sample
        rows = rows_of(
            subject.user_id, sample.property, sample.night, min(7, sample.max_stay_nights)
        )
        for name, row in zip(_OPERATIONS, rows, strict=True):
            found[name, "before"] = await _blocks_us(partial(row.before, theirs), rounds)
            found[name, "after"] = await _blocks_us(partial(row.after, house.db), rounds)
            found[name, "cached"] = await _blocks_us(partial(row.after, house.reads), rounds)
        next_id = IdSource(await take_node(theirs), utc_now).next

        async def naively(request: CreateBooking) -> Outcome:
            return await naive.create_booking(theirs, next_id, request, wait_s=_PATIENCE_S)

        for side, submit, db in (
            ("before", naively, theirs),
            ("after", house.admission.submit, house.db),
        ):
            book = _booking(submit, await open_hotel(db), side)
            found["create_booking", side] = await _blocks_us(book, rounds)
            found[f"create_booking_{CLIENTS}_clients", side] = await _waiting_us(book, rounds)
    for name in urls:
        await groups.throw_away(engine, name)
    return found


def _booking(
    submit: Callable[[CreateBooking], Awaitable[Outcome]], actor: Actor, run: str
) -> Callable[[], Awaitable[Any]]:
    numbers, rng = itertools.count(), Random(1)

    async def book() -> None:
        outcome = await submit(booking_request(actor, rng, f"{run}-{next(numbers)}", hot=True))
        assert isinstance(outcome.answer, Booking), outcome.answer

    return book


async def _blocks_us(ask: Callable[[], Awaitable[Any]], rounds: int) -> float:
    started_s = monotonic()
    await ask()
    calls = max(1, int(BLOCK_S / (monotonic() - started_s)))
    blocks_us = []
    for _ in range(BLOCKS * rounds if calls > 1 else 3 * rounds):
        started_s = monotonic()
        for _ in range(calls):
            await ask()
        blocks_us.append((monotonic() - started_s) * 1e6 / calls)
    return statistics.median(blocks_us)


async def _waiting_us(ask: Callable[[], Awaitable[Any]], rounds: int) -> float:
    """How long one of many clients waits, by Little's law."""
    answers = 0

    async def client(until_s: float) -> None:
        nonlocal answers
        while monotonic() < until_s:
            await ask()
            answers += 1

    waits_us = []
    for _ in range(rounds):
        answers, started_s = 0, monotonic()
        await asyncio.gather(*(client(started_s + 2.0) for _ in range(CLIENTS)))
        waits_us.append(CLIENTS * (monotonic() - started_s) * 1e6 / answers)
    return statistics.median(waits_us)


def _compared(report: HeadlineReport, ours: dict[tuple[str, str], float]) -> Figure:
    ratios: dict[str, float] = {}
    for operation in report.operations:
        for side in ("before", "after", "cached"):
            theirs = getattr(operation, side)
            if theirs is not None:
                ratio = ours[operation.name, side] / theirs.p50_us
                ratios[f"{operation.name} {side}"] = max(ratio, 1 / ratio)
    for name, ratio in ratios.items():
        print(f"  {name}: {ratio:.2f}", flush=True)
    worst = max(ratios, key=lambda name: ratios[name])
    agreed = sum(ratio <= report.noise for ratio in ratios.values())
    return Figure(
        what=f"perf bench against another clock, {report.size:,} bookings",
        engine=report.engine,
        measured=f"{agreed} of {len(ratios)} sides agree; median"
        f" {statistics.median(ratios.values()):.2f} times, worst {worst} {ratios[worst]:.2f} times;"
        f" noise told {report.noise:.2f}",
        goal="all within the noise that it tells",
        reached=agreed == len(ratios),
        command=COMMAND,
    )


def _took(engine: Engine, bookings: int, seconds: float) -> Figure:
    return Figure(
        what=f"perf bench, the whole run, {bookings:,} bookings made first",
        engine=engine,
        measured=f"{seconds:.0f} s",
        goal=f"under {GOAL_S:.0f} s at 1,000,000 bookings",
        reached=seconds < GOAL_S if bookings >= 1_000_000 else None,
        command=COMMAND,
    )
