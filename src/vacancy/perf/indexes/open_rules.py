"""What a workload that may be incomplete says of the indexes of any database: which statement reads
a large table from end to end or sorts it, and which index, tried on the copy, saves that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from vacancy.contracts.access import SMALL_ROWS
from vacancy.db.catalog import Catalog, Index, Table
from vacancy.db.plan import indexes_of
from vacancy.db.statement import Engine
from vacancy.perf.indexes.finding import IndexFinding, Proof
from vacancy.perf.indexes.quoting import quoted
from vacancy.perf.indexes.trial import Change, IndexMade, Look, Planned, Trial, made_from
from vacancy.perf.indexes.workload import Question, Workload
from vacancy.perf.indexes.workload_rules import may_go, plan_changes, prove

_LONGEST_NAME = 63
_DOWN = " DESC"
_NAME = r'(?:"(?P<quoted>(?:[^"]|"")+)"|\b(?P<column>[A-Za-z_]\w*))'
_COMPARED = re.compile(
    rf"""(?:\b(?P<of>\w+)\.)?{_NAME}\)?(?:::[\w ]+)?\s*
    (?P<sign>=|<=|>=|<|>|\bIN\b|\bBETWEEN\b|\bIS\b(?!\s+NOT))""",
    re.IGNORECASE | re.VERBOSE,
)
_COMPARED_WITH = re.compile(rf"(?<![<>!])=\s*(?:(?P<of>\w+)\.)?{_NAME}")
_ORDER = re.compile(
    r"\bORDER\s+BY\s+(.+?)(?=\bLIMIT\b|\bOFFSET\b|\bFETCH\b|\bFOR\b|\)|;|$)",
    re.IGNORECASE | re.DOTALL,
)
_ORDERED = re.compile(rf"(?:(?P<of>\w+)\.)?{_NAME}(?:\s+(?P<way>ASC|DESC))?", re.IGNORECASE)


async def open_findings(
    trial: Trial, before: Look, workload: Workload, rows: Callable[[str], int | None]
) -> list[IndexFinding]:
    """`rows` tells about how many a table has; None where nobody knows."""
    findings = list(_refused(before))
    tables = {table.name: table for table in before.catalog.tables}
    settled: set[tuple[str, str]] = set()
    for question in _busiest(workload.questions):
        for table_name, scanned in _costly(before.plans[question.name], tables, rows):
            if (question.name, table_name) in settled:
                continue
            settled.add((question.name, table_name))
            table = tables[table_name]
            best = None
            if trial.tries:
                best = await _best(trial, before, workload, question, table)
            if best is not None:
                change, look = best
                changed = plan_changes(before, look)
                settled |= {
                    (one.statement, table_name)
                    for one in changed
                    if _cost(look.plans[one.statement], table_name)
                    < _cost(before.plans[one.statement], table_name)
                }
                findings.append(
                    _advice(trial, question, table, change, look, before, rows, scanned)
                )
            elif scanned:
                findings.append(
                    IndexFinding(
                        name="table_scanned",
                        ok=True,
                        table=table_name,
                        sentence=f"{question.name} reads all of {table_name}"
                        f"{_so_many(rows(table_name))}{_so_often(question)}. No index that was"
                        " tried saves that.",
                    )
                )
    return findings


async def unneeded_notes(
    trial: Trial,
    workload: Workload,
    sizes_bytes: Mapping[str, int],
    advised: Change,
    held: frozenset[str],
) -> list[IndexFinding]:
    """Indexes without which no plan changes, once what is `advised` is done, and what stands in
    the notes before. Only a note: the workload may not be all. Those that are `held` have another
    task."""
    if not workload.questions or not trial.tries:
        return []
    base = await trial.look(workload.questions, advised)
    used = {
        way.index
        for planned in base.plans.values()
        if planned.plan is not None
        for way in planned.plan.ways
    }
    notes = []
    for table in base.catalog.tables:
        for index in table.indexes if "." not in table.name else ():
            if (
                index.name in used | held
                or not index.valid
                or not may_go(base.catalog, table, index, None)
            ):
                continue
            drop = Change(drops=(made_from(trial.engine, table, index),))
            proof, after = await prove(
                trial, base, workload, drop, sizes_bytes.get(index.name), advised
            )
            if proof is None or after is None or proof.changed or _told_otherwise(base, after):
                continue
            advised, base = advised.then(drop), after
            notes.append(
                IndexFinding(
                    name="index_unneeded",
                    ok=True,
                    table=table.name,
                    index=index.name,
                    sentence=f"None of the {len(workload.questions)} statements that are known"
                    f" needs {index.name} ({', '.join(index.columns)}). Others may.",
                    fix=drop.sql(trial.engine),
                    proof=proof,
                )
            )
    return notes


def _told_otherwise(before: Look, after: Look) -> bool:
    """Whether the database words a plan in another way, be it in one that we cannot read."""
    return any(
        planned.plan and (other := after.plans[name].plan) and planned.plan.text != other.text
        for name, planned in before.plans.items()
    )


def _refused(before: Look) -> Iterator[IndexFinding]:
    """A text that is cut off, or of another database, is no fault of this one."""
    for name, planned in before.plans.items():
        if planned.plan is None:
            yield IndexFinding(
                name="statement_refused",
                ok=True,
                table="",
                sentence=f"{name} could not be planned: {planned.refusal}",
            )


def _busiest(questions: Sequence[Question]) -> list[Question]:
    return sorted(questions, key=lambda one: -(one.calls or 0))


def _costly(
    planned: Planned, tables: Mapping[str, Table], rows: Callable[[str], int | None]
) -> list[tuple[str, bool]]:
    """The large tables that a plan reads whole (True), or else sorts rows of (False)."""
    if planned.plan is None:
        return []
    large = [
        way
        for way in planned.plan.ways
        if way.table in tables
        and (rows(way.table) or 0) >= SMALL_ROWS
        and not _is_partial(tables[way.table], way.index)
    ]
    scanned = [(way.table, True) for way in large if way.reads_all]
    sorted_ = [(way.table, False) for way in large if planned.plan.sorts]
    return list(dict.fromkeys(scanned or sorted_))


def _is_partial(table: Table, name: str) -> bool:
    """Whether it is an index of some rows: what reads all of it does not read the table."""
    return any(index.name == name and index.predicate for index in table.indexes)


def _cost(planned: Planned, table: str) -> tuple[int, int, int]:
    """What an index may save: reads of the whole table, sorts, whole reads of others."""
    if planned.plan is None:
        return (99, 99, 99)
    whole = [way.table for way in planned.plan.ways if way.reads_all]
    return (whole.count(table), len(planned.plan.sorts), len(whole))


async def _best(
    trial: Trial, before: Look, workload: Workload, question: Question, table: Table
) -> tuple[Change, Look] | None:
    """The index that saves this statement most; the shortest of those that save as much."""
    best = None
    least = _cost(before.plans[question.name], table.name)
    for index in _candidates(before, question, table):
        look = await trial.look((question,), Change(creates=(index,)))
        if index.name in look.refused:
            continue
        planned = look.plans[question.name]
        cost = _cost(planned, table.name)
        used = planned.plan is not None and any(
            way.index == index.name for way in planned.plan.ways
        )
        if used and cost < least:
            best, least = index, cost
    if best is None:
        return None
    added = Change(creates=(best,))
    look = await trial.look(workload.questions, added)
    replaced = tuple(
        made_from(trial.engine, table, index)
        for index in table.indexes
        if _begins(trial.engine, best, index) and may_go(before.catalog, table, index, frozenset())
    )
    if replaced:
        instead = msgspec.structs.replace(added, drops=replaced)
        without = await trial.look(workload.questions, instead)
        if not without.worse_than(look):
            return instead, without
    return added, look


def _begins(engine: Engine, longer: IndexMade, index: Index) -> bool:
    """Whether an index that stands is no more than the beginning of one that is advised. Not on
    SQLite: there the shorter one alone gives rows of equal values in the order of the rowid."""
    beginning = ", ".join(quoted(column) for column in index.columns)
    return (
        engine == "postgresql"
        and not index.unique
        and not index.predicate
        and index.definition == f"btree ({beginning})"
        and longer.columns[: len(index.columns)] == index.columns
        and not longer.body.lower().endswith(" desc)")
    )


def _candidates(before: Look, question: Question, table: Table) -> Iterator[IndexMade]:
    """Shortest first: what is compared for equality, then one that is compared otherwise, or the
    columns of the order. None that stands already, or is the beginning of one that does."""
    planned = before.plans[question.name].plan
    lines = planned.text.splitlines() if planned else []
    told = [line for line in lines if f" on {table.name} " in line]
    text = "\n".join([question.sql, *told])
    equal, ranged = _compared(text, table)
    order = _order(question.sql, table)
    standing = indexes_of(table).values()
    seen: set[tuple[str, ...]] = set()
    for parts in (
        equal,
        [*equal, *ranged[:1]],
        [*equal, *(one for one in order if _plain([one])[0] not in equal)],
        [*(one for one in equal if one in _plain(order)), *ranged[:1]],
        order,
        *([one] for one in equal),
    ):
        columns = _plain(parts)
        if not columns or tuple(parts) in seen or len(set(columns)) < len(columns):
            continue
        seen.add(tuple(parts))
        if any(tuple(columns) == known[: len(columns)] for known in standing):
            continue
        name = re.sub(r"\W", "_", f"ix_{table.name}_{'_'.join(columns)}")[:_LONGEST_NAME]
        body = ", ".join(
            quoted(column) + (_DOWN if part.endswith(_DOWN) else "")
            for column, part in zip(columns, parts, strict=True)
        )
        yield IndexMade(
            name=_free(name, before.catalog),
            table=table.name,
            body=f"({body})",
            columns=tuple(columns),
        )


def _compared(text: str, table: Table) -> tuple[list[str], list[str]]:
    """The table's columns that are compared for equality, and otherwise. A guess from the text:
    what is wrong in it is found out by the trial."""
    equal: list[str] = []
    ranged: list[str] = []
    for found in _COMPARED.finditer(text):
        column = _column(found, table)
        if column and _is_of(text, found["of"], table.name):
            to = equal if found["sign"].upper() in ("=", "IN", "IS") else ranged
            to.append(column)
    for found in _COMPARED_WITH.finditer(text):
        column = _column(found, table)
        if column and _is_of(text, found["of"], table.name):
            equal.append(column)
    equal = list(dict.fromkeys(equal))
    return equal, [one for one in dict.fromkeys(ranged) if one not in equal]


def _order(sql: str, table: Table) -> list[str]:
    """The columns of the last ORDER BY, as far as they are the table's; their directions only
    where they differ."""
    clauses = _ORDER.findall(sql)
    found: list[tuple[str, bool]] = []
    for part in clauses[-1].split(",") if clauses else ():
        one = _ORDERED.fullmatch(part.strip())
        column = one and _column(one, table)
        if one is None or not column or not _is_of(sql, one["of"], table.name):
            break
        found.append((column, (one["way"] or "").upper() == "DESC"))
    mixed = len({down for _, down in found}) > 1
    return [f"{column}{_DOWN}" if down and mixed else column for column, down in found]


def _column(found: re.Match[str], table: Table) -> str:
    """The table's column that a text names; empty where it has none of that name. Without quotes
    no database looks at the case."""
    named = (found["quoted"] or "").replace('""', '"')
    for column in table.columns:
        if column.name == named or column.name.lower() == (found["column"] or "").lower():
            return column.name
    return ""


def _is_of(text: str, qualifier: str | None, table: str) -> bool:
    """Whether a name before a column's is that of the table, or one that the text gives it."""
    if qualifier is None or qualifier == table:
        return True
    alias = rf'\b{re.escape(table)}"?\s+(?:AS\s+)?"?{re.escape(qualifier)}\b'
    return re.search(alias, text, re.IGNORECASE) is not None


def _plain(parts: Sequence[str]) -> list[str]:
    return [part.removesuffix(_DOWN) for part in parts]


def _free(name: str, catalog: Catalog) -> str:
    taken = {index.name for table in catalog.tables for index in table.indexes}
    if name not in taken:
        return name
    number = 2
    while f"{name[: _LONGEST_NAME - 3]}_{number}" in taken:
        number += 1
    return f"{name[: _LONGEST_NAME - 3]}_{number}"


def _advice(
    trial: Trial,
    question: Question,
    table: Table,
    change: Change,
    look: Look,
    before: Look,
    rows: Callable[[str], int | None],
    scanned: bool,
) -> IndexFinding:
    does = "reads all of" if scanned else "sorts rows of"
    (index,) = change.creates
    sql = change.sql(trial.engine)
    if "partitioned" in table.options:
        sql = sql.replace(" CONCURRENTLY", "")  # PostgreSQL builds such a one in no other way
    instead = "".join(f" {one.name} is its beginning and may go." for one in change.drops)
    return IndexFinding(
        name="table_scanned" if scanned else "rows_sorted",
        ok=not scanned,
        table=table.name,
        index=index.name,
        sentence=f"{question.name} {does} {table.name}{_so_many(rows(table.name))}"
        f"{_so_often(question)}. An index on ({', '.join(index.columns)}) saves that.{instead}",
        fix=sql,
        proof=Proof(
            change=sql,
            statements=len(look.plans),
            changed=plan_changes(before, look),
        ),
    )


def _so_many(rows: int | None) -> str:
    return "" if rows is None else f", about {rows:,} rows"


def _so_often(question: Question) -> str:
    return "" if question.calls is None else f", {question.calls:,} times"
