"""What the benches do with durations: percentiles, medians of runs, fair pairs, and tables.

Durations go in as whole nanoseconds and come out as microseconds.
"""

from __future__ import annotations

import gc
import inspect
import math
import statistics
from collections.abc import Awaitable, Callable, Sequence
from fractions import Fraction
from time import perf_counter_ns
from typing import Any

import msgspec

NS_PER_US = 1_000
NS_PER_S = 1_000_000_000

Cell = str | int | float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One run: how many answers, how long each took, how many there were in a second."""

    count: int
    p50_us: float
    p95_us: float
    p99_us: float
    max_us: float
    mean_us: float
    per_s: float


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """One run over another: 2.0 at `p50` is twice as slow, at `per_s` twice as many."""

    p50: float
    p95: float
    p99: float
    mean: float
    per_s: float


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two sides timed in turns.

    `ratio` is the median over the rounds of a's time divided by b's time in the same round;
    `ratio_low` and `ratio_high` are the smallest and the largest. `a_us` and `b_us` are the median
    time of one call.
    """

    ratio: float
    ratio_low: float
    ratio_high: float
    a_us: float
    b_us: float
    rounds: int
    iterations: int


def percentile(ordered: Sequence[int], percent: float) -> int:
    """The nearest-rank percentile of values in ascending order: one of them, never a mean of two.

    It is the smallest value that at least `percent` of them do not exceed; 0 gives the first.
    Raises ValueError when there are no values or `percent` is outside 0 to 100.
    """
    if not ordered:
        raise ValueError("a percentile needs at least one value; got none")
    if not 0 <= percent <= 100:
        raise ValueError(f"a percentile lies between 0 and 100; got {percent}")
    # 99.9 has no exact float: 99.9 / 100 * 1000 rounds up to a rank too many. Its decimal text is
    # exact.
    rank = math.ceil(Fraction(str(percent)) * len(ordered) / 100)
    return ordered[max(rank, 1) - 1]


def summarise(durations_ns: Sequence[int], elapsed_ns: int | None = None) -> Summary:
    """The figures of one run.

    `elapsed_ns` is the time on the wall; without it the calls are taken to have followed each
    other, and their sum stands for it. No durations give a summary of zeros, so that a run in which
    nothing was answered can still be shown.
    """
    if not durations_ns:
        return Summary(count=0, p50_us=0, p95_us=0, p99_us=0, max_us=0, mean_us=0, per_s=0)
    ordered = sorted(durations_ns)
    total_ns = sum(ordered)
    wall_ns = total_ns if elapsed_ns is None else elapsed_ns
    return Summary(
        count=len(ordered),
        p50_us=percentile(ordered, 50) / NS_PER_US,
        p95_us=percentile(ordered, 95) / NS_PER_US,
        p99_us=percentile(ordered, 99) / NS_PER_US,
        max_us=ordered[-1] / NS_PER_US,
        mean_us=total_ns / len(ordered) / NS_PER_US,
        per_s=len(ordered) * NS_PER_S / wall_ns if wall_ns > 0 else 0,
    )


def median_summary(runs: Sequence[Summary]) -> Summary:
    """Several runs as one: the median of each figure, so the parts may come from different runs.

    Raises ValueError when there are no runs.
    """
    if not runs:
        raise ValueError("a median needs at least one run; got none")
    return Summary(
        count=statistics.median_low(run.count for run in runs),
        p50_us=statistics.median(run.p50_us for run in runs),
        p95_us=statistics.median(run.p95_us for run in runs),
        p99_us=statistics.median(run.p99_us for run in runs),
        max_us=statistics.median(run.max_us for run in runs),
        mean_us=statistics.median(run.mean_us for run in runs),
        per_s=statistics.median(run.per_s for run in runs),
    )


def ratio(run: Summary, base: Summary) -> Ratio:
    """`run` over `base`. Raises ValueError when either has no answers to compare."""
    if not run.count or not base.count:
        raise ValueError(
            f"a ratio needs answers on both sides; got {run.count} against {base.count}"
        )
    return Ratio(
        p50=_over(run.p50_us, base.p50_us),
        p95=_over(run.p95_us, base.p95_us),
        p99=_over(run.p99_us, base.p99_us),
        mean=_over(run.mean_us, base.mean_us),
        per_s=_over(run.per_s, base.per_s),
    )


async def measure_pair(
    a: Callable[[], Any], b: Callable[[], Any], rounds: int, iterations: int
) -> Pair:
    """Time `a` against `b`, `iterations` calls each in every round, in the order a b, b a, a b, …

    Each side is a plain function or one that gives something to await; the two may differ. Turning
    the order round lets a machine that grows warmer or busier weigh on both sides alike. Before the
    first round each side runs once through `iterations` calls that do not count. Raises ValueError
    when `rounds` or `iterations` is below 1.
    """
    if rounds < 1 or iterations < 1:
        raise ValueError(
            f"rounds and iterations are at least 1; got {rounds} rounds of {iterations}"
        )
    time_a = await _timer(a)
    time_b = await _timer(b)
    await time_a(iterations)
    await time_b(iterations)
    a_ns: list[int] = []
    b_ns: list[int] = []
    for turn in range(rounds):
        # Each round begins without the other side's garbage. The collector itself stays on: a side
        # that makes more objects has to pay for them here as it would in service.
        gc.collect()
        if turn % 2 == 0:
            a_ns.append(await time_a(iterations))
            b_ns.append(await time_b(iterations))
        else:
            b_ns.append(await time_b(iterations))
            a_ns.append(await time_a(iterations))
    ratios = [_over(one, other) for one, other in zip(a_ns, b_ns, strict=True)]
    return Pair(
        ratio=statistics.median(ratios),
        ratio_low=min(ratios),
        ratio_high=max(ratios),
        a_us=statistics.median(a_ns) / iterations / NS_PER_US,
        b_us=statistics.median(b_ns) / iterations / NS_PER_US,
        rounds=rounds,
        iterations=iterations,
    )


def text_table(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """An aligned table for a terminal: numbers to the right, words to the left."""
    shown = _shown(headers, rows)
    widths = [max(len(row[column]) for row in shown) for column in range(len(headers))]
    right = _number_columns(headers, rows)
    lines = ["  ".join(_aligned(row, widths, right)).rstrip() for row in shown]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """The same table in Markdown, its source aligned too; the docs take their figures from it."""
    shown = [[cell.replace("|", "\\|") for cell in row] for row in _shown(headers, rows)]
    # Three is the least a rule of dashes may have in every Markdown dialect.
    widths = [max(3, *(len(row[column]) for row in shown)) for column in range(len(headers))]
    right = _number_columns(headers, rows)
    lines = ["| " + " | ".join(_aligned(row, widths, right)) + " |" for row in shown]
    rules = [
        "-" * (width - 1) + (":" if is_right else "-")
        for width, is_right in zip(widths, right, strict=True)
    ]
    lines.insert(1, "| " + " | ".join(rules) + " |")
    return "\n".join(lines)


def show(cell: Cell) -> str:
    """A cell as text: numbers to about three figures with thousands marked, words as they are."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"


Timer = Callable[[int], Awaitable[int]]


async def _timer(call: Callable[[], Any]) -> Timer:
    """The loop that times `call`, with `await` where a first call shows that it is needed."""
    first = call()
    if not inspect.isawaitable(first):

        async def time_plain(iterations: int) -> int:
            started_ns = perf_counter_ns()
            for _ in range(iterations):
                call()
            return perf_counter_ns() - started_ns

        return time_plain

    await first

    async def time_awaited(iterations: int) -> int:
        started_ns = perf_counter_ns()
        for _ in range(iterations):
            await call()
        return perf_counter_ns() - started_ns

    return time_awaited


def _over(one: float, other: float) -> float:
    return one / other if other else math.inf


def _shown(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    for row in rows:
        if len(row) != len(headers):
            raise ValueError(
                f"every row has a cell for each of {len(headers)} headers; got {list(row)}"
            )
    return [list(headers), *([show(cell) for cell in row] for row in rows)]


def _number_columns(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[bool]:
    """Which columns hold a number; a dash for "not measured" leaves a column one of numbers."""
    return [any(not isinstance(row[column], str) for row in rows) for column in range(len(headers))]


def _aligned(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    return [
        cell.rjust(width) if is_right else cell.ljust(width)
        for cell, width, is_right in zip(row, widths, right, strict=True)
    ]
