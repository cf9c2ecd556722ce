"""What the record of statements and requests costs, which is always on: in process, and over HTTP
against a server that counts nothing."""

from __future__ import annotations

import gc
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import NamedTuple

from benchmarks.figure import Figure
from benchmarks.hotels import PROPERTIES, ROOM_TYPES, first_night, fresh_hotels
from benchmarks.http import CONNECTIONS, Server, serving
from benchmarks.load import run_apart
from benchmarks.server_that_forgets import COUNTS, FORGETS
from vacancy.db.statement import NoRow, Statement
from vacancy.db.trace import Trace
from vacancy.perf.queries.slow_log import watch_slow

COMMAND = "make bench ARGS=record"
CALLS = 100_000
ROUND_S = 10
GOAL_US = 1.0
GOAL_PERCENT = 2.0

_ASKED: Statement[NoRow] = Statement("bench.asked", "SELECT 1", row=NoRow)


async def measure(urls: dict[str, str], rounds: int) -> list[Figure]:
    figures = [_in_process(rounds)]
    if "sqlite" in urls:
        await fresh_hotels(urls["sqlite"])
        figures.append(_over_http(urls["sqlite"], rounds))
    return figures


def _in_process(rounds: int) -> Figure:
    """Two looks at the clock, the counts, the bucket and the comparison with `slow_ms`, for
    durations as they come."""
    trace = Trace("sqlite")
    watch_slow(trace, 100.0)
    params = {"property": "hotel0"}

    def with_record() -> None:
        add = trace.add
        for call in range(CALLS):
            started_ns = perf_counter_ns()
            add(_ASKED, params, call & 7, perf_counter_ns() - started_ns + (call << 5))

    def without() -> None:
        for call in range(CALLS):
            call & 7, call << 5

    costs_us = sorted((_us(with_record) - _us(without)) / CALLS for _ in range(max(rounds, 5)))
    cost_us = statistics.median(costs_us)
    assert trace.calls == CALLS * max(rounds, 5)
    return Figure(
        what="the always-on record, in process: a statement's share",
        engine="both",
        measured=f"{cost_us:.2f} µs ({costs_us[0]:.2f}–{costs_us[-1]:.2f})",
        goal=f"at most {GOAL_US:g} µs",
        reached=cost_us <= GOAL_US,
        command=COMMAND,
    )


def _us(loop: Callable[[], None]) -> float:
    """What this process computes; when others are at work it waits, and that does not count."""
    gc.disable()
    try:
        started_ns = process_time_ns()
        loop()
        return (process_time_ns() - started_ns) / 1_000
    finally:
        gc.enable()


def _over_http(url: str, rounds: int) -> Figure:
    """One server under one load, which counts and forgets in turns. Slices of time next to each
    other are compared: what else the machine does comes and goes more slowly. What is not shown is
    not reached: the whole interval of the median must be under the goal."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "slices"
        command = (sys.executable, "-m", "benchmarks.server_that_forgets", str(file))
        with serving(url, cache=False, command=command) as server:
            _load(server, rounds * ROUND_S)
        turns = _turns(file.read_text())
    lost = sorted(100 * (1 - one.per_s / other.per_s) for one, other in turns)
    more_us = sorted(one.cpu_us - other.cpu_us for one, other in turns)
    low, high = _interval(lost)
    per_s = [statistics.median(turn[side].per_s for turn in turns) for side in (0, 1)]
    return Figure(
        what="the always-on record, over HTTP: GET availability, uncached, with it and without",
        engine="sqlite",
        measured=f"{statistics.median(lost):+.1f} % of the throughput (95 % of {low:+.1f} to"
        f" {high:+.1f}, {len(turns)} turns; {per_s[0]:,.0f}/s against {per_s[1]:,.0f}/s);"
        f" {statistics.median(more_us):+.2f} µs CPU a request",
        goal=f"at most {GOAL_PERCENT:g} %",
        reached=high <= GOAL_PERCENT,
        command=COMMAND,
    )


def _interval(ordered: Sequence[float]) -> tuple[float, float]:
    """Where the median lies, 95 times of 100, by order statistics; few turns give all of them."""
    count = len(ordered)
    skipped = max(0, math.floor(count / 2 - 0.98 * math.sqrt(count)))
    return ordered[skipped], ordered[count - 1 - skipped]


class _Slice(NamedTuple):
    per_s: float
    cpu_us: float
    """Of the server, for each answer."""


def _turns(lines: str) -> list[tuple[_Slice, _Slice]]:
    """Pairs of slices under load: one that counts, one that forgets."""
    slices = []
    for line in lines.splitlines():
        way, *numbers = line.split()
        answers, wall_ns, cpu_ns = map(int, numbers)
        slices.append((way, answers, wall_ns, cpu_ns))
    busy = statistics.median(answers for _, answers, _, _ in slices) / 2
    turns = []
    for pair in zip(slices[::2], slices[1::2], strict=False):
        if all(answers > busy for _, answers, _, _ in pair):
            found = {
                way: _Slice(answers * 1e9 / wall_ns, cpu_ns / 1e3 / answers)
                for way, answers, wall_ns, cpu_ns in pair
            }
            turns.append((found[COUNTS], found[FORGETS]))
    return turns


def _load(server: Server, seconds: int) -> None:
    arguments = ["--connections", str(CONNECTIONS), "--seconds", str(seconds), "--warmup", "0"]
    for number in range(32):
        check_in = first_night() + timedelta(days=number * 10)
        arguments += [
            "--url",
            f"http://127.0.0.1:{server.port}/v1/properties/hotel{number % PROPERTIES}/availability"
            f"?check_in={check_in}&check_out={check_in + timedelta(days=7)}&rooms=1"
            f"&room_type=type{number % ROOM_TYPES}",
        ]
    result = run_apart(arguments)
    assert set(result.statuses) == {200}, result.statuses
