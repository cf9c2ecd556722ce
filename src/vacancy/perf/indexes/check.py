"""One whole look at the indexes of a database: what its workload says, and what stands in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from vacancy.db.catalog import Catalog
from vacancy.db.plan import Sizes
from vacancy.perf.indexes.facts import Facts
from vacancy.perf.indexes.finding import IndexFinding, IndexReport
from vacancy.perf.indexes.open_rules import open_findings, unneeded_notes
from vacancy.perf.indexes.open_trial import open_trial
from vacancy.perf.indexes.read_facts import read_facts
from vacancy.perf.indexes.standing import invalid_indexes, standing_findings
from vacancy.perf.indexes.trial import (
    NOTHING,
    Change,
    IndexMade,
    Look,
    Trial,
    made_from,
)
from vacancy.perf.indexes.workload import NO_WORKLOAD, Workload
from vacancy.perf.indexes.workload_rules import (
    declared_faults,
    invalid_faults,
    left_over,
    prove,
    unneeded_faults,
)

_BY_STANDING = ("index_duplicate", "index_prefix", "index_unused")
"""What is said of an index that stands, and is tried like everything else."""


async def check_indexes(
    url: str,
    *,
    workload: Workload = NO_WORKLOAD,
    declared: Sequence[IndexMade] | None = None,
    sizes: Sizes | None = None,
    parents_changed: frozenset[str] | None = None,
) -> IndexReport:
    """Looks at the database of the URL and changes nothing in it.

    With `declared`, all that a fresh database has, the workload decides what is missing and what
    is not needed. Plans are made for tables of these sizes; where none are given, for what the
    database knows of its own. `parents_changed` are the tables whose rows somebody deletes, or
    whose keys change; None: any.

    Raises `Missing` DATABASE_MISSING, `Unsupported` POSTGRESQL_TOO_OLD, and what connecting raises.
    """
    facts = await read_facts(url)
    async with open_trial(url, sizes) as trial:
        before = await trial.look(workload.questions)
        standing = standing_findings(facts, parents_changed=parents_changed)
        if workload.closed:
            findings = await _closed(
                trial, before, workload, declared or (), facts, parents_changed
            )
            names = {one.name for one in declared or ()}
            standing = tuple(one for one in standing if not _decided(one, names))
        else:
            findings = await open_findings(trial, before, workload, _rows_of(facts).get)
            findings += invalid_indexes(facts)
        standing, advised = await _tried(trial, before, workload, standing, facts)
        if not workload.closed:
            # Who follows all that is advised must lose nothing by it either.
            findings += await unneeded_notes(
                trial, workload, _bytes_of(facts), advised, _held(facts)
            )
        findings = _merged(findings, standing)
        why_not = trial.why_not
    source = workload.source
    if source and why_not:
        source = f"{source}; nothing could be tried: {why_not}"
    return IndexReport(
        engine=trial.engine,
        ok=all(finding.ok for finding in findings),
        statements=len(workload.questions),
        workload=source,
        indexes=_count(before.catalog),
        findings=tuple(sorted(findings, key=_rank)),
    )


async def _closed(
    trial: Trial,
    before: Look,
    workload: Workload,
    declared: Sequence[IndexMade],
    facts: Facts,
    parents_changed: frozenset[str] | None,
) -> list[IndexFinding]:
    """All that a closed workload decides."""
    faults = await declared_faults(trial, before, workload, declared)
    faults += invalid_faults(trial.engine, before.catalog, declared)
    building = {index.name for index in facts.indexes if index.is_being_built}
    faults = [
        one
        for one in faults
        if one.finding.name != "index_invalid" or one.finding.index not in building
    ]
    mending = _together(fault.change for fault in faults)
    after = before
    if trial.tries:
        unneeded = await unneeded_faults(
            trial, mending, workload, declared, parents_changed, _bytes_of(facts)
        )
        faults += unneeded
        mending = mending.then(_together(fault.change for fault in unneeded))
        after = before if mending == NOTHING else await trial.look(workload.questions, mending)
    findings = [fault.finding for fault in faults]
    told = {(finding.name, finding.table, finding.index) for finding in findings}
    told |= {(finding.name, finding.table, "") for finding in findings}
    for finding in await left_over(trial, after, workload, before):
        if (finding.name, finding.table, finding.index) not in told:
            findings.append(finding)
    return findings


def _decided(finding: IndexFinding, declared: set[str]) -> bool:
    """Whether the workload has the last word on it: what is declared stays, whatever else stands
    beside it, and whether a server has used it since it started is no question."""
    return finding.name == "index_unused" or (
        finding.name in _BY_STANDING and finding.index in declared
    )


async def _tried(
    trial: Trial,
    before: Look,
    workload: Workload,
    standing: Iterable[IndexFinding],
    facts: Facts,
) -> tuple[tuple[IndexFinding, ...], Change]:
    """Findings that would have an index dropped, each with what came of it, on top of those before
    it; without those that would make a statement read or sort more. And all these drops."""
    indexes = {
        index.name: made_from(trial.engine, table, index)
        for table in before.catalog.tables
        for index in table.indexes
    }
    sizes_bytes = _bytes_of(facts)
    kept = []
    advised, base = NOTHING, before
    for finding in standing:
        made = indexes.get(finding.index)
        if made is not None and made.table != finding.table:
            made = None  # one of its name in another schema
        if finding.name in _BY_STANDING and made and workload.questions:
            drop = Change(drops=(made,))
            proof, after = await prove(
                trial, base, workload, drop, sizes_bytes.get(finding.index), advised
            )
            if after is not None:
                if after.worse_than(base):
                    continue
                advised, base = advised.then(drop), after
            finding = msgspec.structs.replace(finding, proof=proof)
        kept.append(finding)
    return tuple(kept), advised


def _merged(
    findings: Sequence[IndexFinding], standing: Sequence[IndexFinding]
) -> list[IndexFinding]:
    """One finding for one index that may go: what it is the same as says more than that it is not
    needed, and the proof goes with it."""
    unneeded = {one.index: one for one in findings if one.name == "index_unneeded"}
    merged = []
    told: set[str] = set()
    missing = {(one.table, one.index) for one in findings if one.name == "index_missing"}
    for one in standing:
        proven = unneeded.get(one.index) if one.name in _BY_STANDING else None
        if proven is not None and proven.table == one.table:
            if one.index in told:
                continue
            told.add(one.index)
            one = msgspec.structs.replace(
                one, ok=one.ok and proven.ok, fix=proven.fix, proof=proven.proof
            )
        if (one.table, one.index) in missing and one.index:
            continue
        merged.append(one)
    return [one for one in findings if one.index not in told or one.name != "index_unneeded"] + (
        merged
    )


def _together(changes: Iterable[Change]) -> Change:
    whole = NOTHING
    for change in changes:
        whole = whole.then(change)
    return whole


def _bytes_of(facts: Facts) -> Mapping[str, int]:
    """How large each index is, where that is known."""
    return {one.name: one.size_bytes for one in facts.indexes if one.size_bytes is not None}


def _held(facts: Facts) -> frozenset[str]:
    """Indexes that something else than a search needs, or that belong to a partitioned table."""
    return frozenset(one.name for one in facts.indexes if one.is_held or one.is_partitioned)


def _rows_of(facts: Facts) -> Mapping[str, int]:
    """About how many rows each table has, where that is known."""
    return {one.name: one.rows for one in facts.tables if one.rows is not None}


def _count(catalog: Catalog) -> int:
    return sum(len(table.indexes) for table in catalog.tables)


def _rank(finding: IndexFinding) -> tuple[bool, str, str, str]:
    """What fails comes first."""
    return (finding.ok, finding.table, finding.index, finding.name)
