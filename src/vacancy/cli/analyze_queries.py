"""`vacancy perf analyze-queries`: what is slow, why, and what to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from vacancy.cli.command import run_async, settings_given, shared_options
from vacancy.cli.explain_query import explain_query
from vacancy.cli.output import answer, note, table

if TYPE_CHECKING:
    from vacancy.cli.queries_seen import Seen
    from vacancy.config import Settings
    from vacancy.perf.queries.analyze import QueryReport
    from vacancy.perf.queries.record import Source

_SHOWN = (
    "calls",
    "total_ms",
    "mean_us",
    "p95_us",
    "rows_per_call",
    "share_percent",
    "contract",
)
_NAME_CHARACTERS = 60


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `--json`."""

    ok: bool
    slow_ms: float
    workers: list[dict[str, Any]]
    statements: list[Any]
    """All that ran, whatever `--top` says; `source` tells who has counted."""
    routes: list[dict[str, Any]]


@click.command("analyze-queries")
@click.option("--explain", "name", metavar="NAME", help="One statement: its text and its plan.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=20,
    metavar="N",
    help="So many statements are shown; --json has all.  [20]",
)
@click.option(
    "--database",
    metavar="URL",
    help="Any PostgreSQL with pg_stat_statements, instead of a server of ours.",
)
@shared_options
def analyze_queries(name: str | None, top: int, database: str | None) -> None:
    """Every statement that ran: what it costs, how the database runs it, and what to change.

    Asks all workers of the running server, and pg_stat_statements where it is. Changes nothing.
    Ends with 1 when a contract does not hold, or a statement is slow at p95.

    \b
    vacancy perf analyze-queries
    vacancy perf analyze-queries --explain catalogue.get_property
    vacancy perf analyze-queries --database postgresql://me@host/name
    """
    settings = settings_given()
    if name is not None:
        explain_query(settings, name, database)
        return
    report, shown = run_async(_report(settings, database, top))
    answer(report, shown)
    if not report.ok:
        raise click.exceptions.Exit(1)


async def _report(settings: Settings, database: str | None, top: int) -> tuple[Report, str]:
    from vacancy.cli.queries_seen import know_seen, look
    from vacancy.perf.queries.analyze import all_ok, analyze

    seen = await look(settings, database)
    known = await know_seen(seen)
    for sentence in seen.notes:
        note(sentence)
    statements = analyze(seen.records, known, slow_ms=settings.slow_ms, table_rows=seen.table_rows)
    report = Report(
        ok=all_ok(statements),
        slow_ms=settings.slow_ms,
        workers=seen.workers,
        statements=statements,
        routes=seen.routes,
    )
    return report, "\n\n".join(_blocks(report, seen, top))


# -- for people


_WHO: Mapping[Source, str] = {
    "server": "Counted by the server:",
    "pg_stat_statements": "Counted by PostgreSQL, whoever asked (it keeps no p95):",
}


def _blocks(report: Report, seen: Seen, top: int) -> list[str]:
    blocks = []
    for source, words in _WHO.items():
        found = [one for one in report.statements if one.source == source]
        if found:
            blocks += [f"{words}\n{_table(found[:top])}", _sentences(found[:top])]
    if not report.statements:
        blocks.append("No statement has run yet.")
    if report.routes:
        blocks.append(_routes(report.routes))
    blocks.append(_summary(report, top))
    return blocks


def _table(statements: Sequence[QueryReport]) -> str:
    rows = [[_short(one), *(getattr(one, key) for key in _SHOWN)] for one in statements]
    return table(("statement", *_SHOWN), rows)


def _sentences(statements: Sequence[QueryReport]) -> str:
    lines = []
    for one in statements:
        number = "" if one.query_id is None else f" ({one.query_id})"
        lines += [f"{one.name}{number}", f"    {one.plan}", f"    {one.finding}"]
    return "\n".join(lines)


def _short(statement: QueryReport) -> str:
    name = statement.name
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"


def _routes(routes: Sequence[Mapping[str, Any]]) -> str:
    rows = [list(route.values()) for route in routes]
    lines = [table(list(routes[0]), rows)]
    lines += [
        f"{route['route']} ran up to {route['statements_most']} statements in one request; its"
        f" budget is {route['budget']}. The log of the server names the statement and the place."
        for route in routes
        if route["over_budget"]
    ]
    return "\n".join(lines)


def _summary(report: Report, top: int) -> str:
    bad = sum(not one.ok for one in report.statements)
    hints = sum(one.ok and one.finding != "nothing to change" for one in report.statements)
    silent = [
        f"Worker {worker['pid']} is not in these figures: {worker['why']}"
        for worker in report.workers
        if not worker["answered"]
    ]
    said = f"{len(report.statements)} statements: {bad} to mend, {hints} worth a look."
    if any(sum(one.source == source for one in report.statements) > top for source in _WHO):
        said += f" Those that cost most are shown; --top shows more than {top}."
    return "\n".join([*silent, said])
