"""Durable bookings a second: 64 waiting clients on one process, and on four processes."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from benchmarks.figure import Figure
from benchmarks.hotels import fresh_hotels
from benchmarks.stats import Summary, median_summary

COMMAND = "make bench ARGS=admission"
CLIENTS = 64
BOOKINGS = 20_000
PROCESSES = 4


async def measure(urls: dict[str, str], rounds: int) -> list[Figure]:
    figures = []
    for engine, url in urls.items():
        await fresh_hotels(url)
        alone: list[Summary] = []
        each: list[list[Summary]] = []
        hot: list[Summary] = []
        for _ in range(rounds):
            alone += book_apart(url, 1, CLIENTS, BOOKINGS)
            each.append(book_apart(url, PROCESSES, CLIENTS // PROCESSES, BOOKINGS // PROCESSES))
            hot += book_apart(url, 1, CLIENTS, BOOKINGS, "--hot")
        figures += [_alone(engine, alone), _hot(engine, hot), _together(engine, alone, each)]
    return figures


def book_apart(
    url: str, processes: int, clients: int, bookings: int, *options: str
) -> list[Summary]:
    """Runs so many booking processes at once and waits for all."""
    command = [sys.executable, "-m", "benchmarks.booker", "--url", url]
    command += ["--clients", str(clients), "--bookings", str(bookings), *options]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    summaries = []
    for child in children:
        output, _ = child.communicate(timeout=300)
        assert child.returncode == 0, output
        summaries.append(msgspec.json.decode(output, type=Summary))
    return summaries


def _alone(engine: str, runs: list[Summary]) -> Figure:
    run = median_summary(runs)
    return Figure(
        what=f"durable bookings, {CLIENTS} waiting clients, all rows written",
        engine=engine,
        measured=f"{run.per_s:,.0f}/s, p99 {run.p99_us / 1000:.1f} ms",
        goal="10,000/s, p99 under 15 ms",
        reached=run.per_s >= 10_000 and run.p99_us < 15_000,
        command=COMMAND,
    )


def _hot(engine: str, runs: list[Summary]) -> Figure:
    run = median_summary(runs)
    return Figure(
        what=f"the same, all {CLIENTS} on the same three nights",
        engine=engine,
        measured=f"{run.per_s:,.0f}/s, p99 {run.p99_us / 1000:.1f} ms",
        goal="",
        reached=None,
        command=COMMAND,
    )


def _together(engine: str, alone: list[Summary], each: list[list[Summary]]) -> Figure:
    one = median_summary(alone).per_s
    totals = sorted(sum(run.per_s for run in runs) for runs in each)
    total = totals[len(totals) // 2]
    worst = sorted(max(run.p99_us for run in runs) for runs in each)[len(each) // 2]
    return Figure(
        what=f"{PROCESSES} processes on one database against one, {CLIENTS} clients in all",
        engine=engine,
        measured=f"{total / one:.0%} of the rate, slowest p99 {worst / 1000:.1f} ms",
        goal="70 %, p99 under 50 ms in each",
        reached=total >= 0.7 * one and worst < 50_000,
        command=COMMAND,
    )
