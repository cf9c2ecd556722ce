"""`vacancy perf top`: what the running server does now, request by request and statement by
statement."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
import msgspec

from vacancy.cli.command import Seconds, run_async, settings_given, shared_options
from vacancy.cli.output import listing, show_error, table, wants_json
from vacancy.cli.screen import draw
from vacancy.errors import Unavailable

if TYPE_CHECKING:
    from vacancy.config import Settings
    from vacancy.db.waits import PoolRecord
    from vacancy.hotel.admission.record import AdmissionRecord
    from vacancy.perf.queries.record import StatementRecord
    from vacancy.web.ask_workers import Answered, Silent
    from vacancy.web.figures import Figures
    from vacancy.web.route_record import RouteRecord

Workers = Sequence["Answered[Figures] | Silent"]

_ROUTES = ("route", "per_s", "p50_ms", "p95_ms", "2xx", "3xx", "4xx", "5xx", "statements", "over")
_STATEMENTS = ("statement", "per_s", "total_ms", "p50_ms", "p95_ms", "rows", "errors")
_SHOWN = 15
"""So many statements are shown to people; `--json` has all."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `--json`: counts of the time between two looks, sizes of the second."""

    interval_s: float
    workers: list[dict[str, Any]]
    requests_per_s: float
    routes: list[dict[str, Any]]
    statements: list[dict[str, Any]]
    pool: dict[str, Any]
    admission: dict[str, Any]
    cache: dict[str, Any]
    refusals: dict[str, int]


@click.command("top")
@click.option(
    "--interval",
    "interval_s",
    type=Seconds(min=0.1),
    default=2.0,
    metavar="SECONDS",
    help="Between two looks.  [2]",
)
@click.option("--once", is_flag=True, help="The figures of one interval, then end.")
@shared_options
def top(interval_s: float, once: bool) -> None:
    """What the running server does now: requests, statements, connections, admission, cache.

    Asks all workers of the server of this data directory, again and again until Ctrl-C, and shows
    what was counted in between. On a terminal it draws in place.

    \b
    vacancy perf top
    vacancy perf top --once --interval 10 --json
    """
    settings = settings_given()
    with suppress(KeyboardInterrupt):
        _watch(settings, interval_s, once)


def _watch(settings: Settings, interval_s: float, once: bool) -> None:
    in_place = sys.stdout.isatty() and not wants_json() and not once
    before, looked_at = run_async(_look(settings)), time.monotonic()
    first = True
    while True:
        time.sleep(interval_s)
        try:
            workers, now = run_async(_look(settings)), time.monotonic()
        except Unavailable as error:  # the next look may find the workers well
            if once:
                raise
            show_error(error, as_json=wants_json())
            continue
        report = report_of(before, workers, now - looked_at)
        before, looked_at = workers, now
        if wants_json():
            click.echo(_json(report, indent=2 if once else -1))
        elif in_place:
            draw(shown(report), first=first)
        else:
            click.echo(("" if first else "\n") + shown(report))
        if once:
            return
        first = False


def _json(report: Report, indent: int) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=indent).decode()


async def _look(settings: Settings) -> Workers:
    from vacancy.web.ask_workers import Answered, Silent, ask_workers
    from vacancy.web.figures import Figures

    workers = await ask_workers(settings.data_dir, "figures", Figures)
    if not any(isinstance(worker, Answered) for worker in workers):
        silent = [worker for worker in workers if isinstance(worker, Silent)]
        raise Unavailable(
            "WORKERS_SILENT",
            "No worker of the server has answered: "
            + "; ".join(f"{worker.pid}: {worker.why.rstrip('.')}" for worker in silent)
            + ".",
            hint="Try again; a worker that stays silent is stopped or too busy to answer anybody.",
        )
    return workers


# -- the report


def report_of(before: Workers, after: Workers, interval_s: float) -> Report:
    """What has happened between two looks. A worker that was silent at the first counts from the
    next one on; one that has begun since counts whole."""
    from vacancy.web.ask_workers import Answered
    from vacancy.web.figures import total_of
    from vacancy.web.figures_change import change

    known = {
        worker.answer.worker: worker.answer for worker in before if isinstance(worker, Answered)
    }
    answers = [worker.answer for worker in after if isinstance(worker, Answered)]
    changes = [
        # Who was silent before is compared with himself: sizes, and no counts.
        change(
            known.get(answer.worker) or (None if answer.age_ms <= interval_s * 1_000 else answer),
            answer,
        )
        for answer in answers
    ]
    total = total_of(changes)
    routes = [_route(record, interval_s) for record in total.routes if record.calls]
    refusals: dict[str, int] = {}
    for record in total.routes:
        for code, number in record.refusals.items():
            refusals[code] = refusals.get(code, 0) + number
    return Report(
        interval_s=round(interval_s, 3),
        workers=[_worker(worker) for worker in after],
        requests_per_s=round(sum(record.calls for record in total.routes) / interval_s, 1),
        routes=sorted(routes, key=lambda row: (-row["total_ms"], row["route"])),
        statements=sorted(
            (_statement(record, interval_s) for record in total.statements if record.calls),
            key=lambda row: (-row["total_ms"], row["statement"]),
        ),
        pool=_pool(total.pool),
        admission=_admission(total.admission, interval_s),
        cache=_cache(total),
        refusals=dict(sorted(refusals.items(), key=lambda item: (-item[1], item[0]))),
    )


def _worker(worker: Answered[Figures] | Silent) -> dict[str, Any]:
    from vacancy.web.ask_workers import Silent

    if isinstance(worker, Silent):
        return {"pid": worker.pid, "answered": False, "why": worker.why}
    return {"pid": worker.pid, "answered": True, "uptime_s": worker.uptime_s}


def _route(record: RouteRecord, interval_s: float) -> dict[str, Any]:
    classes = {f"{number}xx": 0 for number in (2, 3, 4, 5)}
    for status, number in record.requests.items():
        classes[f"{status // 100}xx"] = classes.get(f"{status // 100}xx", 0) + number
    return {
        "route": record.route,
        "requests": record.calls,
        "per_s": round(record.calls / interval_s, 1),
        "total_ms": _ms(record.total_ns),
        **_percentiles(record.buckets),
        **classes,
        "statements": round(record.statements / record.calls, 2),
        "over": record.over_budget,
    }


def _statement(record: StatementRecord, interval_s: float) -> dict[str, Any]:
    return {
        "statement": record.name,
        "calls": record.calls,
        "per_s": round(record.calls / interval_s, 1),
        "total_ms": _ms(record.total_ns),
        **_percentiles(record.buckets or ()),
        "rows": record.rows,
        "errors": record.errors,
    }


def _pool(record: PoolRecord) -> dict[str, Any]:
    return {
        "engine": record.engine,
        "size": record.size,
        "open": record.open,
        "idle": record.idle,
        "waiting": record.waiting,
        "waits": record.waits,
        "wait_p95_ms": _percentiles(record.wait_buckets)["p95_ms"],
        "timeouts": record.timeouts,
    }


def _admission(record: AdmissionRecord, interval_s: float) -> dict[str, Any]:
    return {
        "waiting": record.waiting,
        "requests_per_s": round(record.requests / interval_s, 1),
        "batches": record.batches,
        "batch_size": round(record.requests / record.batches, 1) if record.batches else None,
        "wait_p95_ms": _percentiles(record.wait_buckets)["p95_ms"],
        "batch_p95_ms": _percentiles(record.batch_buckets)["p95_ms"],
        "refusals": record.refusals,
    }


def _cache(total: Figures) -> dict[str, Any]:
    hits = sum(stats.hits for stats in total.cache.names.values())
    misses = sum(stats.misses for stats in total.cache.names.values())
    sizes = total.cache.cache
    return {
        "hits": hits,
        "misses": misses,
        "hit_rate": round(hits / (hits + misses), 4) if hits + misses else None,
        "entries": sizes.entries if sizes else None,
        "size_bytes": sizes.size_bytes if sizes else None,
    }


def _percentiles(buckets: Sequence[int]) -> dict[str, float | None]:
    from vacancy.db.durations import percentile_ns

    return {f"p{percent}_ms": _ms(percentile_ns(buckets, percent)) for percent in (50, 95)}


def _ms(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else round(duration_ns / 1_000_000, 3)


# -- for people


def shown(report: Report) -> str:
    """The report as text, under the keys of the document."""
    missing = [
        f"worker {worker['pid']} is not in these figures: {worker['why']}"
        for worker in report.workers
        if not worker["answered"]
    ]
    answered = len(report.workers) - len(missing)
    parts = [
        "\n".join(
            [
                f"{report.requests_per_s:,} requests a second over {report.interval_s:g} s,"
                f" {answered} of {len(report.workers)} workers",
                *missing,
            ]
        ),
        _rows(_ROUTES, report.routes, "No request was answered."),
        _rows(_STATEMENTS, report.statements[:_SHOWN], "No statement ran."),
        listing(
            {
                "pool": _line(report.pool),
                "admission": _line(report.admission),
                "cache": _line(report.cache),
                "refusals": _line(report.refusals),
            }
        ),
    ]
    return "\n\n".join(parts)


def _rows(keys: Sequence[str], rows: Sequence[Mapping[str, Any]], none: str) -> str:
    return table(keys, [[row[key] for key in keys] for row in rows]) if rows else none


def _line(document: Mapping[str, Any]) -> list[str]:
    """Keys and values in one line; what there is none of is left out."""
    return [
        f"{key} {_line(value) if isinstance(value, dict) else value}"
        for key, value in document.items()
        if value not in (None, {}, "")
    ]
