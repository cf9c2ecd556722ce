"""`vacancy perf bench`: the headline, before and after, on the user's own machine and data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from vacancy.cli.command import Seconds, run_async, settings_given, shared_options
from vacancy.cli.output import answer, note, table
from vacancy.errors import Misconfigured

if TYPE_CHECKING:
    from vacancy.bootstrap import House
    from vacancy.config import Settings
    from vacancy.db.statement import Engine
    from vacancy.hotel.headline import HeadlineReport, Subject
    from vacancy.perf.bench.compare import Slower
    from vacancy.perf.bench.copies import Copies

_PROPERTIES = 10
_SEED = 1
_MOST = 20_000_000


@click.command()
@click.option(
    "--bookings",
    type=click.IntRange(100, _MOST),
    help="Make a database with so many; without it, a copy of the configured one is used.",
)
@click.option(
    "--engine",
    type=click.Choice(["sqlite", "postgresql"]),
    help="With --bookings.  [that of the configured database]",
)
@click.option(
    "--seconds",
    type=Seconds(0, 60),
    default=0.3,
    show_default=True,
    help="For each side of each operation, five times; one call takes what it takes.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write one page to look at.",
)
@click.option(
    "--compare",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Say what is slower than in this file, which --json has written; then end with 1.",
)
@shared_options
def bench(
    bookings: int | None,
    engine: Engine | None,
    seconds: float,
    html: Path | None,
    compare: Path | None,
) -> None:
    """Before and after: five operations asked row by row without the composite indexes, through
    the helpers, and from the cache.

    It measures in databases that it makes and drops: files in a temporary folder, or databases
    beside the configured one. The configured database is only read, and only to be copied.

    \b
    vacancy perf bench --bookings 100000
    vacancy perf bench --json > today.json
    vacancy perf bench --html bench.html --compare today.json
    """
    from vacancy.hotel.headline import HeadlineReport
    from vacancy.perf.bench.compare import read_report, slower

    earlier = None if compare is None else read_report(compare, HeadlineReport)
    if html is not None and not html.parent.is_dir():
        raise click.BadParameter(f"there is no folder {html.parent}", param_hint="'--html'")
    report = run_async(_bench(settings_given(), bookings, engine, seconds, earlier))
    found = () if earlier is None else slower(earlier, report)
    answer(msgspec.to_builtins(report), _shown(report, None if earlier is None else found))
    if html is not None:
        from vacancy.perf.bench.page import page_of

        html.write_text(page_of(report, "bookings"), encoding="utf-8")
        note(f"The page is {html}.")
    if found:
        for one in found:
            note(str(one))
        raise click.exceptions.Exit(1)


async def _bench(
    settings: Settings,
    bookings: int | None,
    engine: Engine | None,
    seconds: float,
    earlier: HeadlineReport | None,
) -> HeadlineReport:
    from vacancy.bootstrap import tune_runtime
    from vacancy.db.connect import engine_of
    from vacancy.hotel.headline import ADDED_INDEXES, HeadlineReport, find_subject, headline
    from vacancy.perf.bench.compare import require_comparable
    from vacancy.perf.bench.copies import change_copy, learn_sizes, open_as_others, open_copies
    from vacancy.perf.bench.machine import read_machine
    from vacancy.perf.bench.measure import ROUNDS, measure

    url = settings.direct_url  # a pooler knows nothing of databases that are made beside it
    chosen = engine or engine_of(url)
    if earlier is not None:
        require_comparable(earlier, chosen)
    if chosen != engine_of(url) and (bookings is None or chosen == "postgresql"):
        raise Misconfigured(
            "BENCH_ENGINE_ELSEWHERE",
            f"The configured database is no {chosen}, so there is none to copy or to work beside.",
            hint="Name one with --database-url; for --engine sqlite give --bookings N.",
        )
    async with open_copies(chosen, url) as copies:
        if bookings is None:
            note("copying the database")
            after = await copies.copy_live(url, "after")
        else:
            after = await _generated(settings, copies, bookings)
        note("copying it for the side before")
        before = await copies.copy(after, "before")
        await change_copy(before, *(f"DROP INDEX IF EXISTS {name}" for name in ADDED_INDEXES))
        for url in (before, after):
            await learn_sizes(url)
        async with open_as_others(before) as theirs, _house(settings, after) as house:
            subject: Subject = await find_subject(house.db)
            if earlier is not None:
                require_comparable(earlier, chosen, subject.bookings)
            operations = await headline(
                subject, theirs, house.db, house.reads, house.admission.submit
            )
            tune_runtime()
            figures, noise = await measure(
                operations, seconds=seconds, rounds=ROUNDS, progress=note
            )
            return HeadlineReport(
                engine=chosen,
                size=subject.bookings,
                machine=await read_machine(house.db, rounds=ROUNDS, seconds=seconds),
                noise=noise,
                operations=figures,
            )


async def _generated(settings: Settings, copies: Copies, bookings: int) -> str:
    """A group that is paid for."""
    import gc

    from vacancy.bootstrap import open_database
    from vacancy.hotel.generate.group import generate_group
    from vacancy.hotel.generate.plan import GroupPlan, written_at
    from vacancy.hotel.headline import ADD_PAYMENTS
    from vacancy.hotel.migrating import migrate_database
    from vacancy.perf.bench.copies import change_copy

    note(f"making {bookings:,} bookings")
    url = await copies.make("after")
    await migrate_database(url)
    plan = GroupPlan(properties=_PROPERTIES, bookings=bookings, seed=_SEED)
    gc.disable()  # millions of rows come and go and make no cycles
    try:
        async with open_database(_at(settings, url), clock=lambda: written_at(plan)) as db:
            await generate_group(db, plan)
    finally:
        gc.enable()
    await change_copy(url, ADD_PAYMENTS)
    return url


@asynccontextmanager
async def _house(settings: Settings, url: str) -> AsyncIterator[House]:
    from vacancy.bootstrap import open_house

    async with open_house(_at(settings, url)) as house:
        yield house


def _at(settings: Settings, url: str) -> Settings:
    """The settings, on a copy: nothing else of the user's is touched. What could refuse a client,
    or ask the database behind the cache, would weigh on one side alone."""
    from vacancy.hotel.headline import CLIENTS, PATIENCE_S

    return msgspec.structs.replace(
        settings,
        database_url=url,
        database_direct_url=url,
        env="test",
        cache=True,
        cache_shadow_every=0,
        queue_requests=max(settings.queue_requests, CLIENTS),
        queue_wait_s=PATIENCE_S,
    )


def _shown(report: HeadlineReport, found: Sequence[Slower] | None) -> str:
    from vacancy.perf.bench.page import shown_ratio, shown_us, sides

    rows: list[list[Any]] = []
    for operation in report.operations:
        for name, side in sides(operation):
            times = [shown_us(us) for us in (side.p50_us, side.p95_us, side.p99_us)]
            gain = "" if name == "before" else shown_ratio(operation.before, side)
            first = operation.name if name == "before" else ""
            rows.append([first, name, *times, side.statements, side.rows, gain])
    heads = ("operation", "side", "p50", "p95", "p99", "statements", "rows", "as fast")
    machine = report.machine
    lines = [
        table(heads, rows),
        "",
        f"{report.size:,} bookings, {machine.database}, {machine.cpu}, {machine.cores} cores;"
        f" noise {report.noise:.2f}.",
    ]
    if found is not None:
        told = f"{len(found)} figures are worse than they were." if found else "Nothing is slower."
        lines.append(told)
    return "\n".join(lines)
