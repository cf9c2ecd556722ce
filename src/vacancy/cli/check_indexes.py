"""`vacancy perf check-indexes`: whether the indexes of a database are those that its statements
need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from vacancy.cli.command import run_async, settings_given, shared_options
from vacancy.cli.output import answer
from vacancy.errors import Unsupported

if TYPE_CHECKING:
    from vacancy.perf.indexes.finding import IndexFinding, IndexReport, Proof

_MOST_CHANGES = 3
"""So many statements are told under a finding; --json has all."""


@click.command("check-indexes")
@click.option(
    "--database",
    "other_url",
    metavar="URL",
    help="Another database than the configured one, ours or not.",
)
@click.option(
    "--queries",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Judge by these statements: SQL with ; between, named by lines `-- name: x`.",
)
@shared_options
def check_indexes(other_url: str | None, queries: Path | None) -> None:
    """Indexes that are missing, not needed, or in another shape than their statements need, each
    tried on a copy of the schema.

    Reads the database, a live one too, and changes nothing. Ends with 1 when something has to be
    mended, so that it may stand in a deployment. A database that is not ours is judged by what
    pg_stat_statements has counted or by a file of queries; without them by what stands in it.

    \b
    vacancy perf check-indexes
    vacancy perf check-indexes --json
    vacancy perf check-indexes --database sqlite:///shop.db --queries shop.sql
    """
    url = other_url or settings_given().direct_url
    report = run_async(_report(url, queries, foreign=other_url is not None))
    answer(msgspec.to_builtins(report), _shown(report))
    if not report.ok:
        raise click.exceptions.Exit(1)


async def _report(url: str, queries: Path | None, *, foreign: bool) -> IndexReport:
    from vacancy.db.connect import engine_of
    from vacancy.perf.indexes.check import check_indexes as check
    from vacancy.perf.indexes.read_workload import read_counted_statements, read_query_file
    from vacancy.perf.indexes.workload import NO_WORKLOAD

    engine = engine_of(url)
    if queries is not None:
        return await check(url, workload=read_query_file(queries, engine))
    if await _is_ours(url, may_be_foreign=foreign):
        return await check_ours(url)
    counted = engine == "postgresql"
    return await check(url, workload=await read_counted_statements(url) if counted else NO_WORKLOAD)


async def _is_ours(url: str, *, may_be_foreign: bool) -> bool:
    """Raises `Unsupported` for one of ours that this version does not work on."""
    from vacancy.db.read_revision import read_revision
    from vacancy.db.revision import require_accepted
    from vacancy.hotel.revisions import REVISIONS

    try:
        revision = await read_revision(url)
    except Unsupported as error:
        if error.code == "DATABASE_FOREIGN":
            return False
        raise
    if may_be_foreign and REVISIONS.standing(revision) in ("empty", "ahead"):
        return False
    require_accepted(revision, REVISIONS)
    return True


async def check_ours(url: str) -> IndexReport:
    """Looks at a database of ours: what its schema declares, by the statements that are
    registered, at the size of a million bookings."""
    from vacancy.db.connect import engine_of
    from vacancy.db.gate import registered_statements
    from vacancy.hotel.declared import declared_indexes
    from vacancy.hotel.sizes import SIZES
    from vacancy.hotel.wiring import introduce
    from vacancy.perf.indexes.check import check_indexes as check
    from vacancy.perf.indexes.workload import workload_of_statements

    introduce()
    engine = engine_of(url)
    workload = workload_of_statements(engine, registered_statements())
    return await check(
        url,
        workload=workload,
        declared=declared_indexes(engine),
        sizes=SIZES,
        parents_changed=workload.deletes,
    )


def _shown(report: IndexReport) -> str:
    lines: list[str] = []
    for title, ok in (("To be mended:", False), ("Worth knowing:", True)):
        told = [finding for finding in report.findings if finding.ok is ok]
        if told:
            lines.append(title)
            for finding in told:
                lines += _finding(finding)
            lines.append("")
    lines.append(_verdict(report))
    return "\n".join(lines)


def _finding(finding: IndexFinding) -> list[str]:
    lines = [f"  {finding.name}: {finding.sentence}"]
    if finding.proof is not None:
        lines += _proof(finding.proof)
    lines += [f"      {line}" for line in finding.fix.splitlines()]
    return lines


def _proof(proof: Proof) -> list[str]:
    """What came of trying it, a statement a line, and what it costs."""
    told = f"    tried: {len(proof.changed)} of {proof.statements} statements take another plan"
    if proof.size_bytes is not None:
        does = "gives back" if proof.size_bytes >= 0 else "takes about"
        told = f"{told}; it {does} {abs(proof.size_bytes):,} bytes"
    lines = [told]
    for change in proof.changed[:_MOST_CHANGES]:
        lines.append(f"    {change.statement}")
        lines.append(f"      before: {change.before}")
        lines.append(f"      after:  {change.after}")
    if len(proof.changed) > _MOST_CHANGES:
        lines.append(f"    and {len(proof.changed) - _MOST_CHANGES} more; --json has all.")
    return lines


def _verdict(report: IndexReport) -> str:
    failing = sum(not finding.ok for finding in report.findings)
    notes = len(report.findings) - failing
    by = f"Judged by {report.workload}." if report.workload else "No statements were known."
    if failing:
        said = f"{failing} of {len(report.findings)} findings must be mended."
    elif notes:
        said = f"Nothing must be mended; {notes} worth knowing."
    else:
        said = "Nothing to say: what is needed is there, and nothing else."
    return f"{report.engine}, {report.indexes} indexes. {by} {said}"
