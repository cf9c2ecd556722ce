"""What is wrong with the indexes for a closed workload: each that is declared is there and serves
its statements, and nothing else is there. Every judgement is tried on the copy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from vacancy.contracts.access import check_statement, declared_ways
from vacancy.contracts.finding import Finding
from vacancy.db.catalog import Catalog, Index, Table
from vacancy.db.plan import Plan
from vacancy.db.statement import AnyStatement, Engine
from vacancy.db.witness import Touched
from vacancy.errors import Internal
from vacancy.perf.indexes.as_declared import Fault, fault_of, find_standing, may_serve
from vacancy.perf.indexes.finding import IndexFinding, PlanChange, Proof, Rule
from vacancy.perf.indexes.trial import (
    NOTHING,
    Change,
    IndexMade,
    Look,
    Trial,
    made_from,
)
from vacancy.perf.indexes.workload import Workload

_LEFT_BY_REBUILD = ("_ccnew", "_ccold")
"""What a concurrent rebuild that failed calls its half-made index."""


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that does not keep to what it declares."""

    statement: AnyStatement
    findings: tuple[Finding, ...]


class _Told:
    """A witness that answers from plans that are made already."""

    def __init__(self, trial: Trial, look: Look) -> None:
        self.engine = trial.engine
        self.catalog = look.catalog
        self._look = look
        self._trial = trial

    async def plan(self, statement: AnyStatement) -> Plan:
        planned = self._look.plans[statement.name]
        if planned.plan is None:
            raise Internal("STATEMENT_FAILED", planned.refusal)
        return planned.plan

    async def touched(self, statement: AnyStatement) -> Touched:
        """As declared: whether that is so is the affair of `perf contracts`."""
        writes = frozenset(statement.writes)
        width = len(msgspec.structs.fields(statement.row))
        return Touched(frozenset(statement.reads) - writes, writes, width)

    def known_rows(self, table: str) -> int | None:
        return self._trial.known_rows(table)


async def broken_statements(trial: Trial, look: Look, workload: Workload) -> dict[str, Broken]:
    """The statements that do not hold, by name."""
    told = _Told(trial, look)
    found = {}
    for statement in workload.statements:
        findings = await check_statement(told, statement)
        if findings:
            found[statement.name] = Broken(statement=statement, findings=tuple(findings))
    return found


async def declared_faults(
    trial: Trial, before: Look, workload: Workload, declared: Sequence[IndexMade]
) -> list[Fault]:
    """What is declared and is not there, or is there in another shape."""
    tables = {table.name: table for table in before.catalog.tables}
    wanted = [one for one in declared if one.table in tables]
    standing = {one.name: find_standing(before.catalog, one) for one in wanted}
    ideal = None
    if trial.tries:
        # In the database's own words both can be compared.
        drops = tuple(one.made for one in standing.values() if one is not None)
        creates = tuple(
            one for one in wanted if one.kind == "index" or trial.engine == "postgresql"
        )
        ideal = await trial.look(workload.questions, Change(drops=drops, creates=creates))
    broken = await broken_statements(trial, before, workload)
    faults = []
    for one in wanted:
        found = standing[one.name]
        meant = None if ideal is None else find_standing(ideal.catalog, one)
        fault = fault_of(trial.engine, one, found, meant)
        if fault is None:
            continue
        proof, after = await prove(trial, before, workload, fault.change)
        finding = msgspec.structs.replace(fault.finding, proof=proof)
        if after is not None and found is not None and found.valid and may_serve(one, found, meant):
            mended = set(broken) - set(await broken_statements(trial, after, workload))
            asked = ideal is not None and _names(ideal, one)
            if asked and not mended and not before.worse_than(after):
                finding = msgspec.structs.replace(
                    finding,
                    ok=True,
                    sentence=f"{finding.sentence} It serves its statements all the same.",
                )
        faults.append(msgspec.structs.replace(fault, finding=finding))
    return faults


def invalid_faults(engine: Engine, catalog: Catalog, declared: Sequence[IndexMade]) -> list[Fault]:
    """What a failed build has left behind, and no one has declared."""
    names = {one.name for one in declared}
    faults = []
    for table, index in _indexes(catalog):
        if index.valid or index.name in names:
            continue
        change = Change(drops=(made_from(engine, table, index),))
        rebuilt = index.name.rstrip("0123456789").endswith(_LEFT_BY_REBUILD)
        left = "A rebuild" if rebuilt else "A build"
        faults.append(
            Fault(
                finding=IndexFinding(
                    name="index_invalid",
                    ok=False,
                    table=table.name,
                    index=index.name,
                    sentence=f"{left} has failed and left {index.name} behind: it serves nothing,"
                    " and every change of a row pays for it.",
                    fix=change.sql(engine),
                ),
                change=change,
            )
        )
    return faults


async def unneeded_faults(
    trial: Trial,
    mending: Change,
    workload: Workload,
    declared: Sequence[IndexMade],
    parents_changed: frozenset[str] | None,
    sizes_bytes: Mapping[str, int],
) -> list[Fault]:
    """Indexes that nobody has declared and no statement needs, once what is declared stands."""
    mended = await trial.look(workload.questions, mending)
    held = set(await broken_statements(trial, mended, workload))
    names = {one.name for one in declared} | _named_by_contracts(trial.engine, workload)
    ours = {one.table for one in declared} or {table.name for table in mended.catalog.tables}
    faults = []
    for table, index in _indexes(mended.catalog):
        if index.name in names or not index.valid or table.name not in ours:
            continue
        if not may_go(mended.catalog, table, index, parents_changed):
            continue
        drop = Change(drops=(made_from(trial.engine, table, index),))
        look = await trial.look(workload.questions, mending.then(drop))
        if set(await broken_statements(trial, look, workload)) - held:
            continue
        finding = IndexFinding(
            name="index_unneeded",
            ok=False,
            table=table.name,
            index=index.name,
            sentence=f"No statement needs {index.name} ({', '.join(index.columns)}): without it"
            f" all {len(workload.questions)} keep to the indexes that they declare.",
            fix=drop.sql(trial.engine),
            proof=Proof(
                change=drop.sql(trial.engine),
                statements=len(workload.questions),
                changed=plan_changes(mended, look),
                size_bytes=sizes_bytes.get(index.name),
            ),
        )
        faults.append(Fault(finding=finding, change=drop))
    return faults


async def left_over(
    trial: Trial, look: Look, workload: Workload, before: Look
) -> list[IndexFinding]:
    """Statements that still do not hold when all that is advised is done."""
    findings: dict[tuple[Rule, str, str], IndexFinding] = {}
    for name, broken in (await broken_statements(trial, look, workload)).items():
        planned = before.plans[name]
        if planned.plan is None:
            table = next(iter((*broken.statement.writes, *broken.statement.reads)), "")
            found = IndexFinding(
                name="statement_refused",
                ok=False,
                table=table,
                sentence=f"The database does not take {name}: {planned.refusal}",
            )
            findings["statement_refused", table, name] = found
            continue
        for finding in broken.findings:
            for one in _told_by(trial.engine, broken.statement, finding, planned.plan):
                findings.setdefault((one.name, one.table, name), one)
    return list(findings.values())


async def prove(
    trial: Trial,
    before: Look,
    workload: Workload,
    change: Change,
    size_bytes: int | None = None,
    done: Change = NOTHING,
) -> tuple[Proof | None, Look | None]:
    """Tries a change, after what is `done` when `before` was looked at; nothing where none can be
    tried, or the copy refuses it."""
    if not trial.tries:
        return None, None
    after = await trial.look(workload.questions, done.then(change))
    if any(one.name in after.refused for one in (*change.drops, *change.creates)):
        return None, None
    proof = Proof(
        change=change.sql(trial.engine),
        statements=len(workload.questions),
        changed=plan_changes(before, after),
        size_bytes=size_bytes,
    )
    return proof, after


def plan_changes(before: Look, after: Look) -> tuple[PlanChange, ...]:
    """The statements whose plan is another one."""
    return tuple(
        PlanChange(statement=name, before=planned.in_words(), after=after.plans[name].in_words())
        for name, planned in before.plans.items()
        if not planned.same_as(after.plans[name])
    )


def _names(look: Look, index: IndexMade) -> bool:
    return any(
        way.index == index.name
        for planned in look.plans.values()
        if planned.plan is not None
        for way in planned.plan.ways
    )


# -- what is not


def _named_by_contracts(engine: Engine, workload: Workload) -> set[str]:
    return {
        way.index
        for statement in workload.statements
        if statement.access is not None
        for ways in declared_ways(statement.access, engine).values()
        for way in ways
    }


def may_go(
    catalog: Catalog, table: Table, index: Index, parents_changed: frozenset[str] | None
) -> bool:
    """Whether an index has no other task than to be searched: it holds no rule of its own, no
    reference needs it to be unique, and no parent's rows are looked for by it."""
    keys = [
        _folded(one.columns) for one in table.constraints if one.kind in ("primary key", "unique")
    ]
    if index.unique and not (
        not index.predicate and any(key <= _folded(index.columns) for key in keys)
    ):
        return False
    if index.unique and any(
        (_parent(one.definition), _parent_columns(one.definition))
        == (table.name.lower(), _folded(index.columns))
        for other in catalog.tables
        for one in other.constraints
        if one.kind == "foreign key"
    ):
        return False
    return not any(
        one.kind == "foreign key"
        and _folded(index.columns[: len(one.columns)]) == _folded(one.columns)
        and (parents_changed is None or _parent(one.definition) in parents_changed)
        for one in table.constraints
    )


def _parent(definition: str) -> str:
    """`references parent (id)`, or PostgreSQL's `FOREIGN KEY (a) REFERENCES parent(id)`."""
    _, _, after = definition.lower().partition("references ")
    return after.partition("(")[0].strip().strip('"')


def _folded(columns: Iterable[str]) -> set[str]:
    """To compare names as SQLite does. On PostgreSQL two that differ in case alone are rare."""
    return {column.lower() for column in columns}


def _parent_columns(definition: str) -> set[str]:
    """Those that are referred to; none where it is the primary key, unsaid."""
    _, _, after = definition.lower().partition("references ")
    columns = after.partition("(")[2].partition(")")[0]
    return {column.strip().strip('"') for column in columns.split(",") if column.strip()}


def _indexes(catalog: Catalog) -> Iterable[tuple[Table, Index]]:
    return (
        (table, index)
        for table in catalog.tables
        if "." not in table.name
        for index in table.indexes
    )


# -- what is left


def _told_by(
    engine: Engine, statement: AnyStatement, finding: Finding, plan: Plan
) -> Iterable[IndexFinding]:
    """A promise that is not kept, as findings about tables."""
    access = statement.access
    declared = {} if access is None else declared_ways(access, engine)
    subject = f"{statement.name}: {finding.sentence}"
    if finding.kind == "ROWS_SORTED":
        table = next((way.table for way in plan.ways), "")
        yield IndexFinding(name="rows_sorted", ok=False, table=table, sentence=subject)
    elif finding.kind == "INDEX_MISSING":
        for table, ways in declared.items():
            for way in ways:
                if f" {way.index}." in finding.sentence:
                    made = IndexMade(
                        name=way.index, table=table, body=f"({', '.join(way.columns)})"
                    )
                    yield IndexFinding(
                        name="index_missing",
                        ok=False,
                        table=table,
                        index=way.index,
                        sentence=subject,
                        fix=Change(creates=(made,)).sql(engine),
                    )
    elif finding.kind in ("TABLE_SCANNED", "INDEX_NOT_USED"):
        for table, ways in declared.items():
            if f"comes to {table} by" in finding.sentence or any(
                finding.sentence.startswith(f"{way.index} is on") for way in ways
            ):
                reads_all = any(way.table == table and way.reads_all for way in plan.ways)
                yield IndexFinding(
                    name="table_scanned" if reads_all else "index_cannot_serve",
                    ok=False,
                    table=table,
                    index=ways[0].index,
                    sentence=subject,
                )
