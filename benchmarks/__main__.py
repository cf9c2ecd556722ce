"""Measures and prints the table of figures.

python -m benchmarks [availability admission hot_nights http cached cache_hits cache_policies
                      imports record helpers headline cached_reports bench_agrees]
                     [--engine sqlite] [--rounds 3] [--write docs/benchmarks.md]
                     [--bookings 1000000] [--sizes 100000 5000000] [--keep DIR]

The last line is for `helpers`, `headline` and `cached_reports`, which measure on generated hotel
groups: how many bookings, the sizes between which reports shall cost the same, and where groups
stay for the next run.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks import (
    admission,
    availability,
    bench_agrees,
    cache_hits,
    cache_policies,
    cached,
    cached_reports,
    headline,
    helpers,
    hot_nights,
    http,
    imports,
    record,
)
from benchmarks.figure import Figure
from benchmarks.hotels import ENGINES, database_urls
from benchmarks.machine import Machine, machine
from benchmarks.million import BOOKINGS, SIZES, open_groups
from benchmarks.stats import markdown_table, text_table

MEASURES = {
    "availability": availability.measure,
    "admission": admission.measure,
    "hot_nights": hot_nights.measure,
    "http": http.measure,
    "cached": cached.measure,
    "cache_hits": cache_hits.measure,
    "cache_policies": cache_policies.measure,
    "imports": imports.measure,
    "record": record.measure,
}
GROUP_MEASURES = {
    "helpers": helpers.measure,
    "headline": headline.measure,
    "cached_reports": cached_reports.measure,
    "bench_agrees": bench_agrees.measure,
}
NAMES = (*MEASURES, *GROUP_MEASURES)
REACHED = {True: "yes", False: "no", None: ""}
HEADERS = ("What", "Database", "Measured", "Goal", "Reached", "Command")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--engine", action="append", choices=ENGINES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="also as Markdown into this file")
    parser.add_argument("--bookings", type=int, default=BOOKINGS)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--keep", type=Path, metavar="DIR")
    options = parser.parse_args()
    names = options.names or list(NAMES)
    with tempfile.TemporaryDirectory() as folder:
        host = machine(Path(folder))
        engines = tuple(options.engine or ENGINES)
        with (
            database_urls(Path(folder), engines) as urls,
            open_groups(
                Path(folder),
                keep=options.keep,
                bookings=options.bookings,
                sizes=tuple(sorted(options.sizes)),
            ) as groups,
        ):
            figures: list[Figure] = []
            for name in names:
                print(f"measuring {name} …", flush=True)
                if name in MEASURES:
                    figures += asyncio.run(MEASURES[name](urls, options.rounds))
                else:  # on the server's own loop
                    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                        measuring = GROUP_MEASURES[name](groups, engines, options.rounds)
                        figures += runner.run(measuring)
    rows = [
        (f.what, f.engine, f.measured, f.goal, REACHED[f.reached], f"`{f.command}`")
        for f in figures
    ]
    print(text_table(HEADERS[:-1], [row[:-1] for row in rows]))
    print(_conditions(host))
    if options.write:
        options.write.write_text(_page(host, rows))


def _conditions(host: Machine) -> str:
    return (
        f"{host.cpu}, {host.cores} cores, Python {host.python}, SQLite {host.sqlite}, {host.os};"
        f" fsync p50 {host.fsync_p50_us:.0f} µs, p99 {host.fsync_p99_us:.0f} µs;"
        f" noise {host.noise:.2f}"
    )


def _page(host: Machine, rows: Sequence[tuple[str, ...]]) -> str:
    return (
        "# Benchmarks\n\n"
        "Written by `make bench ARGS='--write docs/benchmarks.md'`. Both sides of a comparison run"
        " in one go, in turns; figures are medians of the rounds. The machine is shared and noisy:"
        " ratios say more than rates.\n\n"
        f"Machine: {_conditions(host)} (1.0 is quiet).\n\n"
        f"{markdown_table(HEADERS, rows)}\n"
        "\nHow much these move with the machine, and what was tried where they fall short:"
        " [figures](figures.md).\n"
    )


if __name__ == "__main__":
    main()
