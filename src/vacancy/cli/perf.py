"""`vacancy perf`: what the database costs, and whether it keeps its promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from vacancy.cli.analyze_queries import analyze_queries
from vacancy.cli.bench import bench
from vacancy.cli.cache_stats import cache_stats
from vacancy.cli.check_indexes import check_indexes
from vacancy.cli.command import run_async, settings_given, shared_options
from vacancy.cli.output import answer, table
from vacancy.cli.top import top

if TYPE_CHECKING:
    from vacancy.config import Settings
    from vacancy.contracts.report import ContractsReport, HelperReport


@click.group()
def perf() -> None:
    """Performance: promises, and what they come to."""


perf.add_command(analyze_queries)
perf.add_command(bench)
perf.add_command(cache_stats)
perf.add_command(check_indexes)
perf.add_command(top)


@perf.command()
@shared_options
def contracts() -> None:
    """Every helper: its statements, its rows, the index behind each table, and whether it holds.

    Reads the database that is configured, a live one too, and changes nothing. Ends with 1 when
    something does not hold.

    \b
    vacancy perf contracts
    vacancy perf contracts --json
    """
    found = run_async(_report(settings_given()))
    answer(msgspec.to_builtins(found), _shown(found))
    if not found.holds:
        raise click.exceptions.Exit(1)


async def _report(settings: Settings) -> ContractsReport:
    from vacancy.cli.opening import open_ready
    from vacancy.contracts.report import report_contracts
    from vacancy.db.gate import registered_statements
    from vacancy.db.open_witness import open_witness
    from vacancy.hotel.samples import sample_calls
    from vacancy.hotel.sizes import SIZES
    from vacancy.hotel.wiring import CONTRACTS

    async with open_ready(settings) as db, open_witness(settings.url, SIZES) as witness:
        return await report_contracts(
            witness, db, CONTRACTS, registered_statements(), await sample_calls(db)
        )


def _shown(report: ContractsReport) -> str:
    rows = [
        [
            helper.name,
            helper.statements,
            helper.rows,
            _measured(helper),
            "holds" if helper.holds else "does not hold",
        ]
        for helper in report.helpers
    ]
    lines = [table(("helper", "statements", "rows", "measured", report.engine), rows), ""]
    for helper in report.helpers:
        lines += _indexes(report, helper)
    for finding in report.findings:
        lines.append(f"{finding.kind} {finding.subject}: {finding.sentence} {finding.fix}".rstrip())
    told = "all hold" if report.holds else f"{len(report.findings)} findings"
    lines.append(f"{len(report.helpers)} helpers, {report.statements_checked} statements: {told}.")
    return "\n".join(lines)


def _measured(helper: HelperReport) -> str:
    """Statements and rows of one call; nothing where the database holds nothing to ask for."""
    if helper.measured is None:
        return ""
    return f"{helper.measured.statements} / {helper.measured.rows}"


def _indexes(report: ContractsReport, helper: HelperReport) -> list[str]:
    lines = []
    for statement in helper.uses:
        lines.append(f"{helper.name}: {statement.name}")
        for place, ways in statement.indexes.get(report.engine, {}).items():
            lines.append(f"    {place}: {', '.join(ways)}")
        for place, reason in statement.may_scan.items():
            lines.append(f"    {place}: read whole, {reason}")
        if statement.may_sort:
            lines.append(f"    sorts {statement.may_sort}")
    return [*lines, ""]
