"""`vacancy perf cache-stats`: what the caches of the running server do, and whether they pay."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
import msgspec

from vacancy.cli.command import Seconds, run_async, settings_given, shared_options
from vacancy.cli.output import answer, listing, show_error, table, wants_json
from vacancy.cli.screen import draw
from vacancy.errors import Unavailable

if TYPE_CHECKING:
    from vacancy.cache.report import CacheRecord
    from vacancy.cache.stats import CacheStats, NameStats
    from vacancy.cache.verdict import Verdict
    from vacancy.config import Settings
    from vacancy.web.ask_workers import Answered, Silent

_OF_WORKER = (
    "hits",
    "misses",
    "hit_rate",
    "invalidations",
    "entries",
    "size_bytes",
    "shadow_mismatches",
)
"""What is shown of each worker in a line; the record of all has the rest."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `--json`."""

    workers: list[dict[str, Any]]
    total: CacheStats | None
    """None where the server keeps no cache."""
    statements: list[dict[str, Any]]


@click.command("cache-stats")
@click.option("--watch", is_flag=True, help="Again and again, until Ctrl-C.")
@click.option(
    "--interval",
    "interval_s",
    type=Seconds(min=0.1),
    default=2.0,
    metavar="SECONDS",
    help="Between two looks of --watch.  [2]",
)
@shared_options
def cache_stats(watch: bool, interval_s: float) -> None:
    """What the cache of the running server has done, and whether it pays, statement by statement.

    Asks all workers of the server of this data directory. Ends with 1 when a stored answer was
    found to differ from the database's.

    \b
    vacancy perf cache-stats
    vacancy perf cache-stats --watch --interval 5
    """
    settings = settings_given()
    if watch:
        mismatches = _watch(settings, interval_s)
    else:
        report = run_async(_report(settings))
        answer(report, "\n\n".join(_blocks(report)))
        mismatches = _mismatches(report)
    if mismatches:
        raise click.exceptions.Exit(1)


def _watch(settings: Settings, interval_s: float) -> int:
    """Shows a report at every interval until Ctrl-C; answers the mismatches of the last one."""
    in_place = sys.stdout.isatty() and not wants_json()
    mismatches = 0
    first = True
    with suppress(KeyboardInterrupt):
        while True:
            try:
                report = run_async(_report(settings))
            except Unavailable as error:  # the next look may find the workers well
                show_error(error, as_json=wants_json())
            else:
                mismatches = _mismatches(report)
                if in_place:
                    _draw(_blocks(report), first)
                elif wants_json():
                    click.echo(msgspec.json.encode(report))
                else:
                    click.echo(("" if first else "\n") + "\n\n".join(_blocks(report)))
                first = False
            time.sleep(interval_s)
    return mismatches


def _draw(blocks: Sequence[str], first: bool) -> None:
    """In place, sentences before the record."""
    record, *rest = blocks
    draw("\n\n".join((*rest, record)), first=first)


# -- the report


async def _report(settings: Settings) -> Report:
    from vacancy.cache.report import CacheRecord, add_up, add_up_names, judge_all
    from vacancy.web.ask_workers import Answered, ask_workers

    workers = await ask_workers(settings.data_dir, "cache-stats", CacheRecord)
    records = [worker.answer for worker in workers if isinstance(worker, Answered)]
    if not records:
        raise Unavailable(
            "WORKERS_SILENT",
            "No worker of the server has answered: "
            + "; ".join(f"{worker.pid}: {worker.why.rstrip('.')}" for worker in _silent(workers))
            + ".",
            hint="Try again; a worker that stays silent is stopped or too busy to answer anybody.",
        )
    names = add_up_names(records)
    return Report(
        workers=[_worker(worker) for worker in workers],
        total=add_up(records),
        statements=[_statement(verdict, names[verdict.name]) for verdict in judge_all(names)],
    )


def _silent(workers: Sequence[Answered[CacheRecord] | Silent]) -> list[Silent]:
    from vacancy.web.ask_workers import Silent

    return [worker for worker in workers if isinstance(worker, Silent)]


def _worker(worker: Answered[CacheRecord] | Silent) -> dict[str, Any]:
    from vacancy.web.ask_workers import Silent

    if isinstance(worker, Silent):
        return {"pid": worker.pid, "answered": False, "why": worker.why}
    return {
        "pid": worker.pid,
        "answered": True,
        "uptime_s": worker.uptime_s,
        "cache": worker.answer.cache,
    }


def _statement(verdict: Verdict, stats: NameStats) -> dict[str, Any]:
    return {**msgspec.structs.asdict(verdict), **msgspec.structs.asdict(stats)}


def _mismatches(report: Report) -> int:
    return report.total.shadow_mismatches if report.total else 0


# -- for people


def _blocks(report: Report) -> list[str]:
    """The record of all workers, the workers, the statements."""
    if report.total is None:
        return ["The server keeps no cache: its setting `cache` is off.", _workers(report)]
    record = {key: _shown(value) for key, value in msgspec.structs.asdict(report.total).items()}
    sentences = [statement["sentence"] for statement in report.statements]
    found = _mismatches(report)
    if found:
        sentences.append(
            f"{found} of {report.total.shadow_checks:,} hits that were compared differed from the"
            " database's answer: this must not be. The log of the server names them; please"
            " report it."
        )
    return [
        listing(record),
        _workers(report),
        "\n".join(sentences) or "No cached statement has been asked for yet.",
    ]


def _workers(report: Report) -> str:
    rows = [
        [
            worker["pid"],
            worker["uptime_s"],
            *(_shown(getattr(worker["cache"], key, None)) for key in _OF_WORKER),
        ]
        for worker in report.workers
        if worker["answered"]
    ]
    missing = [
        f"worker {worker['pid']} is not in these figures: {worker['why']}"
        for worker in report.workers
        if not worker["answered"]
    ]
    return "\n".join([table(("worker", "uptime_s", *_OF_WORKER), rows), *missing])


def _shown(value: Any) -> Any:
    """Numbers without their last digits, counts by name in one line."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return [f"{name} {count}" for name, count in value.items()]
    return value
