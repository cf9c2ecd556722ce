"""Times each operation on each of its sides, in turns, and counts what one answer costs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter_ns
from typing import Any

import msgspec

from vacancy.db.database import Database
from vacancy.errors import Internal
from vacancy.perf.bench.report import (
    OperationReport,
    improvement_percent,
    percentile_ns,
    side_of,
)

Ask = Callable[[], Awaitable[Any]]
Progress = Callable[[str], None]

ROUNDS = 5
MOST_CALLS = 2_000
"""Of one side in one round and for one client: more teach nothing."""
_NS_PER_S = 1_000_000_000


class Way(msgspec.Struct, frozen=True):
    """One side of an operation: how it is asked, and the database that counts its statements."""

    ask: Ask
    db: Database


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured."""

    name: str
    before: Way
    after: Way
    cached: Way | None = None
    clients: int = 1
    """So many ask at once, each again when it is answered."""
    same_answer: bool = True
    """Whether all sides must answer the same; what is made has an id each."""


class Measured(msgspec.Struct, frozen=True):
    """An operation's figures, and how far apart the rounds of a side were."""

    report: OperationReport
    noise: float


async def measure(
    operations: Sequence[Operation], *, seconds: float, rounds: int, progress: Progress
) -> tuple[tuple[OperationReport, ...], float]:
    """Every operation's figures, and the noise of the run: see `BenchReport.noise`.

    Raises `Internal` BENCH_ANSWERS_DIFFER where the sides of one do not answer the same.
    """
    found = []
    for number, operation in enumerate(operations, 1):
        progress(f"measuring {operation.name}, {number} of {len(operations)}")
        found.append(await measure_one(operation, seconds=seconds, rounds=rounds))
    return tuple(one.report for one in found), round(max(one.noise for one in found), 3)


async def measure_one(operation: Operation, *, seconds: float, rounds: int) -> Measured:
    """The sides take turns, and the order turns round, so that a machine that grows busier weighs
    on all of them alike."""
    ways = [operation.before, operation.after]
    if operation.cached is not None:
        ways.append(operation.cached)
    await _require_same(operation, ways)
    counts = [await _count(way, operation.clients) for way in ways]
    if len(ways) > 2 and counts[2] == counts[1]:
        ways.pop()  # nothing of it is ever cached
    taken: list[list[list[int]]] = [[] for _ in ways]
    for turn in range(rounds):
        gc.collect()
        order = range(len(ways)) if turn % 2 == 0 else reversed(range(len(ways)))
        for number in order:
            taken[number].append(await _time(ways[number].ask, seconds, operation.clients))
    sides = [
        side_of([one for part in of_rounds for one in part], *counts[number])
        for number, of_rounds in enumerate(taken)
    ]
    report = OperationReport(
        name=operation.name,
        before=sides[0],
        after=sides[1],
        cached=sides[2] if len(sides) > 2 else None,
        improvement_percent=improvement_percent(sides[0], sides[1]),
    )
    return Measured(report, max(_spread(of_rounds) for of_rounds in taken[1:]))


async def _require_same(operation: Operation, ways: Sequence[Way]) -> None:
    answers = [await way.ask() for way in ways]
    if operation.same_answer and any(answer != answers[0] for answer in answers):
        raise Internal(
            "BENCH_ANSWERS_DIFFER",
            f"The sides of {operation.name} do not answer the same; nothing was measured.",
            hint="Report it, with what the database holds.",
        )


async def _time(ask: Ask, seconds: float, clients: int) -> list[int]:
    """How long each answer took; one for each client at least."""
    durations_ns: list[int] = []
    until_ns = perf_counter_ns() + int(seconds * _NS_PER_S)

    async def client() -> None:
        for _ in range(MOST_CALLS):
            started_ns = perf_counter_ns()
            await ask()
            ended_ns = perf_counter_ns()
            durations_ns.append(ended_ns - started_ns)
            if ended_ns >= until_ns:
                return

    await asyncio.gather(*(client() for _ in range(clients)))
    return durations_ns


async def _count(way: Way, clients: int) -> tuple[int, int]:
    way.db.trace.reset()
    await asyncio.gather(*(way.ask() for _ in range(clients)))
    stats = way.db.trace.statements.values()
    return sum(one.calls for one in stats), sum(one.rows for one in stats)


def _spread(rounds: Sequence[Sequence[int]]) -> float:
    """The slowest round over the quickest, by their p50."""
    medians = [percentile_ns(sorted(one), 50) for one in rounds]
    return max(medians) / max(1, min(medians))
