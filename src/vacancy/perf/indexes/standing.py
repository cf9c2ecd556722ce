"""What stands in a database and should not, or stands there for nothing: rules on its facts alone.

Each rule is a function of the facts and gives a finding for each table or index it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from vacancy.perf.indexes.alike import alike_indexes
from vacancy.perf.indexes.facts import Facts, ForeignKey, IndexFacts, NumberedKey, TableFacts
from vacancy.perf.indexes.finding import IndexFinding
from vacancy.perf.indexes.quoting import quoted
from vacancy.perf.indexes.serving import serving_findings
from vacancy.perf.indexes.thresholds import Thresholds
from vacancy.perf.indexes.words import drop, in_bytes, in_time, rebuild

_LONGEST_NAME = 63
_LEFT_BY_REBUILD = re.compile(r"_ccnew\d*$")


def standing_findings(
    facts: Facts,
    *,
    parents_changed: frozenset[str] | None = None,
    kept: frozenset[str] = frozenset(),
    thresholds: Thresholds | None = None,
) -> tuple[IndexFinding, ...]:
    """All that can be found without a workload, but for `invalid_indexes`: what is to be done about
    one of those hangs on whether it is declared.

    `parents_changed` are the tables whose rows somebody deletes, or whose keys change; None: any.
    Of two indexes that are the same, one that is `kept` stays.
    """
    limits = thresholds or Thresholds()
    return (
        *alike_indexes(facts, kept),
        *unused_indexes(facts, limits),
        *foreign_keys_unindexed(facts, parents_changed, limits),
        *constraints_not_valid(facts),
        *stale_statistics(facts, limits),
        *bloated_indexes(facts, limits),
        *bloated_tables(facts, limits),
        *keys_near_end(facts, limits),
        *serving_findings(facts, limits),
    )


def invalid_indexes(facts: Facts) -> Iterator[IndexFinding]:
    """What a concurrent build has left behind when it failed; not one that is still under way."""
    for index in facts.indexes:
        if index.is_valid or index.is_being_built:
            continue
        table = facts.table(index.table)
        fix = rebuild(facts.engine, index)
        if _LEFT_BY_REBUILD.search(index.name):
            fix = drop(facts.engine, table, index)
        yield IndexFinding(
            name="index_invalid",
            ok=False,
            table=index.table,
            index=index.name,
            sentence=f"{index.table}: {index.name} is not valid, for its build has failed. It"
            " serves nothing, and each write pays for it.",
            # The index of a partitioned table becomes valid with the last of its parts.
            fix="" if index.is_partitioned else fix,
        )


def unused_indexes(facts: Facts, limits: Thresholds) -> Iterator[IndexFinding]:
    """An index that was never read while the counters counted. Only a note: a standby may read it,
    and so may a statement that runs once a quarter."""
    counted_s = facts.server.counted_s if facts.server else None
    if counted_s is None or counted_s < limits.unused_s:
        return
    for index in facts.indexes:
        table = facts.table(index.table)
        if (
            index.scans != 0
            or index.is_unique
            or index.constraint
            or index.is_held
            or not index.is_valid
            or (index.size_bytes or 0) < limits.unused_bytes
            or (table.rows or 0) < limits.many_rows
            or any(_serves(index, key) for key in facts.foreign_keys)
        ):
            continue
        yield IndexFinding(
            name="index_unused",
            ok=True,
            table=index.table,
            index=index.name,
            sentence=f"{index.table}: {index.name} takes {in_bytes(index.size_bytes or 0)} and was"
            f" not read for {in_time(counted_s)}. Standbys keep counters of their own.",
            fix=drop(facts.engine, table, index),
        )


def foreign_keys_unindexed(
    facts: Facts, parents_changed: frozenset[str] | None, limits: Thresholds
) -> Iterator[IndexFinding]:
    """References that the deletion of a parent looks for in the whole table. Nothing is said where
    nobody deletes a parent or changes its key; a small table is only a note."""
    names = {index.name for index in facts.indexes}
    for key in facts.foreign_keys:
        if parents_changed is not None and key.parent not in parents_changed:
            continue
        if any(_serves(index, key) for index in facts.indexes):
            continue
        table = facts.table(key.table)
        name = _name_for(key, names)
        is_plain = facts.engine == "sqlite" or table.is_partitioned
        rows = "" if table.rows is None else f", about {table.rows:,} rows now"
        yield IndexFinding(
            name="foreign_key_unindexed",
            ok=table.rows is not None and table.rows < limits.many_rows,
            table=key.table,
            sentence=f"{key.table}: no index begins with the reference ({key.columns_sql}) to"
            f" {key.parent}. Each row deleted from {key.parent} reads all of {key.table}{rows}.",
            fix=f"CREATE INDEX {'' if is_plain else 'CONCURRENTLY '}{name}"
            f" ON {table.sql_name} ({key.columns_sql});",
        )


def _serves(index: IndexFacts, key: ForeignKey) -> bool:
    """Whether it finds the rows that refer to one parent, in whichever order it has the columns."""
    count = len(key.columns)
    first = index.parts[:count]
    if not index.is_valid or index.table != key.table or any(one.is_expression for one in first):
        return False
    if index.method != "btree" and (index.method != "hash" or count > 1):
        return False
    if {part.text for part in first} != set(key.columns):
        return False
    # A reference that is NULL refers to nothing and need not be found.
    without_null = {f"{column} is not null" for column in key.columns}
    return not index.predicate or index.predicate.strip("()").lower() in without_null


def _name_for(key: ForeignKey, taken: set[str]) -> str:
    table = key.table.rpartition(".")[2]
    name = "_".join(("ix", table, *key.columns))[:_LONGEST_NAME]
    while name in taken:
        name = f"{name[: _LONGEST_NAME - 3]}_fk"
        if name in taken:
            name = f"{name[: _LONGEST_NAME - 4]}_{len(taken) % 1000}"
    taken.add(name)
    return quoted(name)


def constraints_not_valid(facts: Facts) -> Iterator[IndexFinding]:
    """Rules that old rows may break."""
    for one in facts.unvalidated:
        yield IndexFinding(
            name="constraint_not_valid",
            ok=False,
            table=one.table,
            sentence=f"{one.table}: the constraint {one.name} was added without a look at the rows"
            " there were. They may break it, and the planner does not trust it.",
            fix=f"ALTER TABLE {facts.table(one.table).sql_name}"
            f" VALIDATE CONSTRAINT {one.sql_name};",
        )


def stale_statistics(facts: Facts, limits: Thresholds) -> Iterator[IndexFinding]:
    """Tables of which the planner knows nothing, or what is no longer so."""
    for table in facts.tables:
        rows, changed, known = table.rows, table.changed_rows or 0, table.rows_in_statistics
        # Nothing analyzes a SQLite file by itself, and most are never. What autovacuum sees to
        # may have been loaded a moment ago.
        ok = table.is_seen_to
        if rows is None:
            continue
        if table.has_statistics is False and rows >= limits.many_rows:
            told = f"has about {rows:,} rows and was never analyzed: the planner guesses"
            ok = ok or facts.engine == "sqlite"
        elif changed > limits.many_rows and changed > rows * limits.changed_share:
            told = f"has about {rows:,} rows, and {changed:,} changed since it was analyzed"
        elif known is not None and _is_misjudged(rows, known, limits):
            told = f"has about {rows:,} rows, and the planner takes it to have {known:,}"
        else:
            continue
        yield IndexFinding(
            name="statistics_stale",
            ok=ok,
            table=table.name,
            sentence=f"{table.name} {told}."
            + (" Autovacuum does it by itself, in a minute or so." if table.is_seen_to else ""),
            fix=f"ANALYZE {table.sql_name};",
        )


def _is_misjudged(rows: int, known: int, limits: Thresholds) -> bool:
    few, many = sorted((rows, known))
    return many - few > limits.many_rows and many > few * limits.rows_misjudged


def bloated_indexes(facts: Facts, limits: Thresholds) -> Iterator[IndexFinding]:
    """B-trees whose pages are mostly empty."""
    for index in facts.indexes:
        size_bytes, wasted_bytes = index.size_bytes or 0, index.wasted_bytes or 0
        if not index.is_valid or not _is_wasteful(size_bytes, wasted_bytes, limits):
            continue
        yield IndexFinding(
            name="index_bloated",
            ok=wasted_bytes < limits.wasted_fails_bytes,
            table=index.table,
            index=index.name,
            sentence=f"{index.table}: {index.name} takes {in_bytes(size_bytes)}, of which about"
            f" {in_bytes(wasted_bytes)} are empty.",
            fix=rebuild(facts.engine, index),
        )


def bloated_tables(facts: Facts, limits: Thresholds) -> Iterator[IndexFinding]:
    """Tables whose pages are mostly empty or dead, and files with mostly free pages."""
    file = facts.file
    if file is not None:
        free_bytes = file.free_pages * file.page_bytes
        if _is_wasteful(file.pages * file.page_bytes, free_bytes, limits):
            yield IndexFinding(
                name="table_bloated",
                ok=free_bytes < limits.wasted_fails_bytes,
                table="",
                sentence=f"{file.free_pages:,} of {file.pages:,} pages of the file are free:"
                f" {in_bytes(free_bytes)} that each copy carries. VACUUM needs the file for itself"
                " and as much space again.",
                fix="VACUUM;",
            )
    for table in facts.tables:
        size_bytes, wasted_bytes = table.size_bytes or 0, table.wasted_bytes or 0
        dead = table.dead_rows or 0
        live = _live_rows(table)
        share = dead / max(1, dead + live)
        is_empty = _is_wasteful(size_bytes, wasted_bytes, limits)
        # The dead leave their place behind: VACUUM alone would leave a table that is mostly empty.
        dead_bytes = round(size_bytes * share)
        is_dead = dead > limits.many_rows and share > limits.dead_share
        will_be_empty = is_dead and _is_wasteful(size_bytes, dead_bytes, limits)
        if not is_empty and not is_dead:
            continue
        worst_bytes = max(wasted_bytes if is_empty else 0, dead_bytes if is_dead else 0)
        if is_dead:
            told = f"has about {dead:,} dead rows beside {live:,} that live"
        else:
            told = (
                f"takes {in_bytes(size_bytes)}, of which about {in_bytes(wasted_bytes)} are empty"
            )
        fix = "VACUUM;"
        if facts.engine == "postgresql":
            fix = f"VACUUM (ANALYZE) {table.sql_name};"
            if is_empty or will_be_empty:
                told += ". VACUUM (FULL) locks it until it is written anew"
                fix = f"VACUUM (FULL, ANALYZE) {table.sql_name};"
        yield IndexFinding(
            name="table_bloated",
            ok=worst_bytes < limits.wasted_fails_bytes,
            table=table.name,
            sentence=f"{table.name} {told}.",
            fix=fix,
        )


def _live_rows(table: TableFacts) -> int:
    """Those that were counted, and no more than its pages hold beside the dead: a row may have
    died since."""
    rows, dead = table.rows or 0, table.dead_rows or 0
    if not table.size_bytes or table.wasted_bytes is None:
        return rows
    full_bytes = max(1, table.size_bytes - table.wasted_bytes)
    return max(0, min(rows, round(rows * table.size_bytes / full_bytes) - dead))


def _is_wasteful(size_bytes: int, wasted_bytes: int, limits: Thresholds) -> bool:
    return (
        wasted_bytes >= limits.wasted_noted_bytes
        and wasted_bytes >= size_bytes * limits.wasted_share
    )


def keys_near_end(facts: Facts, limits: Thresholds) -> Iterator[IndexFinding]:
    """Numbers that run out: then nothing can be added to the table."""
    for key in facts.keys:
        ends = [end for end in (key.column_end, key.sequence_end) if end is not None]
        if key.largest_used is None or not ends:
            continue
        end = min(ends)
        share = (key.largest_used - key.smallest) / max(1, end - key.smallest)
        if share < limits.key_noted_share:
            continue
        what = f"{key.table}.{key.column}" if key.table else f"The sequence {key.sequence_sql}"
        yield IndexFinding(
            name="key_near_end",
            ok=share < limits.key_fails_share,
            table=key.table or key.sequence_sql,
            sentence=f"{what} ({key.type}) has reached {key.largest_used:,} of {end:,},"
            f" {share:.0%}." + _fix_costs(key),
            fix=_wider(facts, key),
        )


def _fix_costs(key: NumberedKey) -> str:
    if key.type in ("smallint", "integer"):
        return " A wider type writes the table anew and locks it until then."
    if key.type in ("rowid", "autoincrement"):
        return " No wider type is there: new rows need smaller numbers."
    return ""


def _wider(facts: Facts, key: NumberedKey) -> str:
    steps = []
    if key.type in ("smallint", "integer") and key.table:
        table = facts.table(key.table).sql_name
        steps.append(f"ALTER TABLE {table} ALTER COLUMN {key.column_sql} TYPE bigint;")
    has_own_end = key.sequence_end is not None and key.sequence_end < 2**63 - 1
    if has_own_end and not (key.is_identity and steps):
        steps.append(f"ALTER SEQUENCE {key.sequence_sql} AS bigint NO MAXVALUE;")
    return "\n".join(steps)
