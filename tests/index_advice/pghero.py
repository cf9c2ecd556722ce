"""PgHero's published rules, restated in our words: the rival that our checks are scored against.

What is told here is what its pages say of one database, by its defaults, on PostgreSQL alone.
Its counters of use are given by the caller: which indexes the plans of the workload go through, as
a day of that workload would leave them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from vacancy.db.plan import Sizes
from vacancy.perf.indexes.finding import IndexFinding, Rule

SEQUENCE_SHARE = 0.9
BLOAT_BYTES = 100 * 1024 * 1024
NO_INDEX_NEEDED_ROWS = 500
FEW_ROWS = 50
"""Once so few are left, a suggested index ends."""
WORTH_ANOTHER_COLUMN = 0.3
"""A column that leaves more than this share of the rows is not worth having."""


class _Index(msgspec.Struct, frozen=True):
    table: str
    name: str
    columns: tuple[str, ...]
    method: str
    unique: bool
    valid: bool
    expressions: str | None
    predicate: str | None


async def ask_pghero(
    connection: asyncpg.Connection[Any],
    queries: Iterable[str],
    used: Iterable[str],
    sizes: Sizes | None = None,
) -> list[IndexFinding]:
    """All that its pages tell of the database of the connection.

    `queries` is what pg_stat_statements would hold, `used` the indexes that these go through, and
    `sizes` what the statistics would tell were the tables of that size.
    """
    indexes = await _indexes(connection)
    return [
        *invalid_indexes(indexes),
        *duplicate_indexes(indexes),
        *unused_indexes(indexes, set(used)),
        *await suggested_indexes(connection, indexes, queries, sizes or {}),
        *await sequences_in_danger(connection),
        *await invalid_constraints(connection),
        *await bloated_indexes(connection),
    ]


def _line(rule: Rule, table: str, index: str = "", *, ok: bool = False) -> IndexFinding:
    """One line on one of its pages; `ok` for what its overview does not warn of."""
    return IndexFinding(name=rule, ok=ok, table=table, index=index, sentence="PgHero's rule.")


def invalid_indexes(indexes: Sequence[_Index]) -> list[IndexFinding]:
    """An index that is not valid, unless it is being built at the moment."""
    return [_line("index_invalid", one.table, one.name) for one in indexes if not one.valid]


def duplicate_indexes(indexes: Sequence[_Index]) -> list[IndexFinding]:
    """A valid index that refuses nothing, whose columns another valid one of the same kind begins
    with: expressions and predicate have to be the same text. Of two with equal columns the later
    name goes, or the one that is not unique."""
    found = []
    for one in indexes:
        if one.unique or not one.valid:
            continue
        covering = next((other for other in indexes if _covers(other, one)), None)
        if covering and (
            covering.columns != one.columns or one.name > covering.name or covering.unique
        ):
            same = covering.columns == one.columns
            found.append(_line("index_duplicate" if same else "index_prefix", one.table, one.name))
    return found


def _covers(other: _Index, one: _Index) -> bool:
    return (
        other.valid
        and other.table == one.table
        and other.name != one.name
        and other.columns[: len(one.columns)] == one.columns
        and other.method == one.method
        and other.expressions == one.expressions
        and other.predicate == one.predicate
    )


def unused_indexes(indexes: Sequence[_Index], used: set[str]) -> list[IndexFinding]:
    """One that is not unique and was never scanned. A line on a page, not a warning."""
    return [
        _line("index_unused", one.table, one.name, ok=True)
        for one in indexes
        if not one.unique and one.name not in used
    ]


async def sequences_in_danger(connection: asyncpg.Connection[Any]) -> list[IndexFinding]:
    """A sequence behind a column's default, beyond nine tenths of what an integer or a bigint
    holds. Identity columns have no default."""
    rows = await connection.fetch(
        """
        SELECT
            c.relname,
            format_type(a.atttypid, NULL) AS type,
            pg_get_expr(d.adbin, d.adrelid) AS value
        FROM pg_attrdef AS d
        JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        JOIN pg_class AS c ON c.oid = d.adrelid
        WHERE c.relnamespace = 'public'::regnamespace
        """
    )
    found = []
    for table, kind, value in rows:
        told = re.fullmatch(r"nextval\('(.+)'::regclass\)", value)
        if told is None:
            continue
        last = await connection.fetchval(f"SELECT last_value FROM {told[1]}")
        most = 2**31 - 1 if kind == "integer" else 2**63 - 1
        if last / most > SEQUENCE_SHARE:
            found.append(_line("key_near_end", table))
    return found


async def invalid_constraints(connection: asyncpg.Connection[Any]) -> list[IndexFinding]:
    """Foreign keys that were not validated; checks are not asked for."""
    rows = await connection.fetch(
        """
        SELECT conrelid::regclass::text AS name
        FROM pg_constraint
        WHERE NOT convalidated AND contype = 'f' AND connamespace = 'public'::regnamespace
        """
    )
    return [_line("constraint_not_valid", name) for (name,) in rows]


async def bloated_indexes(connection: asyncpg.Connection[Any]) -> list[IndexFinding]:
    """A B-tree with 100 MB more than its entries would need, by the widths in the statistics."""
    rows = await connection.fetch(
        """
        SELECT t.relname AS on_table, c.relname AS name, c.relpages, c.reltuples,
            sum(coalesce(s.avg_width, 0)) AS width
        FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid
        JOIN pg_class AS t ON t.oid = i.indrelid
        JOIN pg_am AS m ON m.oid = c.relam AND m.amname = 'btree'
        JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
        JOIN pg_stats AS s
            ON s.schemaname = 'public' AND s.tablename = t.relname AND s.attname = a.attname
        WHERE c.relnamespace = 'public'::regnamespace
        GROUP BY 1, 2, 3, 4
        """
    )
    found = []
    for table, name, pages, entries, width in rows:
        needed = 1 + entries * (12 + -(-int(width) // 8) * 8) / (8192 - 24)
        if (pages - needed) * 8192 >= BLOAT_BYTES:
            found.append(_line("index_bloated", table, name))
    return found


# -- suggested indexes


class _Values(msgspec.Struct, frozen=True):
    """A column's statistics."""

    different: float
    empty: float


class _Simple(msgspec.Struct, frozen=True):
    """A statement on one table, whose conditions are joined by AND alone."""

    table: str
    compared: tuple[tuple[str, str], ...]
    """Columns and operators."""
    ordered: tuple[str, ...]


async def suggested_indexes(
    connection: asyncpg.Connection[Any],
    indexes: Sequence[_Index],
    queries: Iterable[str],
    sizes: Sizes,
) -> list[IndexFinding]:
    """For each statement on one table: its compared columns, those that leave the fewest rows
    first, two at most, then its order; when no index begins with them. Joins are left out."""
    rows_of = {
        str(name): float(rows)
        for name, rows in await connection.fetch(
            "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace"
        )
    }
    values = {
        (str(table), str(column)): _Values(different, empty)
        for table, column, different, empty in await connection.fetch(
            "SELECT tablename, attname, n_distinct, null_frac FROM pg_stats"
            " WHERE schemaname = 'public'"
        )
    }
    for table, size in sizes.items():
        rows_of[table] = float(size.rows)
    for table, column in await connection.fetch(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute"
        " JOIN pg_class AS c ON c.oid = attrelid AND c.relkind = 'r'"
        " WHERE relnamespace = 'public'::regnamespace AND attnum > 0"
    ):
        if table in sizes:
            values[table, column] = _Values(float(sizes[table].distinct.get(column, -1)), 0.0)
    wanted = set()
    for simple in filter(None, map(_simple, queries)):
        rows = rows_of.get(simple.table, 0.0)
        columns = _best(simple, rows, values) if rows >= NO_INDEX_NEEDED_ROWS else ()
        known = [one.columns for one in indexes if one.table == simple.table]
        if columns and not any(one[: len(columns)] == columns for one in known):
            wanted.add((simple.table, columns))
    return [_line("index_missing", table) for table, _ in sorted(wanted)]


def _best(
    simple: _Simple, rows: float, values: Mapping[tuple[str, str], _Values]
) -> tuple[str, ...]:
    names = [*(column for column, _ in simple.compared), *simple.ordered]
    if not names or any((simple.table, name) not in values for name in names):
        return ()

    def left_of(total: float, column: str, sign: str) -> float:
        told = values[simple.table, column]
        if sign == "IS NULL":
            return total * told.empty
        total *= 1 - told.empty
        if sign == "IS NOT NULL":
            return total
        each = total / rows / -told.different if told.different < 0 else total / told.different
        if sign == "<>":
            return total - each
        return each if sign == "=" else (total + each) / 10

    by_rows = sorted(simple.compared, key=lambda one: (left_of(rows, *one), one[0]))
    chosen: list[str] = []
    left = [rows]
    for column, sign in [*by_rows, *((column, "=") for column in simple.ordered)]:
        if column in chosen:
            continue
        chosen.append(column)
        left.append(left_of(left[-1], column, sign))
        if left[-1] < FEW_ROWS or len(chosen) >= 2 or sign in _RANGES:
            break
    while chosen and left[-1] > left[-2] * WORTH_ANOTHER_COLUMN:
        chosen.pop()
        left.pop()
    return tuple(chosen)


_RANGES = ("<", "<=", ">", ">=")
_ONE_TABLE = re.compile(
    r"\s*(?:SELECT\b.*?\bFROM|DELETE\s+FROM|UPDATE)\s+(?P<table>\w+)(?:\s+AS\s+\w+)?\s*"
    r"(?:\bSET\b.*?)?\bWHERE\s+(?P<where>.*?)"
    r"(?:\bORDER\s+BY\s+(?P<order>.*?))?(?:\bLIMIT\b.*)?(?:\bRETURNING\b.*)?",
    re.IGNORECASE | re.DOTALL,
)
_COMPARED = re.compile(
    r"(?:\w+\.)?(\w+)\s*(?:(=|<>|<=|>=|<|>)\s*\S.*|(IS(?: NOT)? NULL))", re.DOTALL | re.IGNORECASE
)


def _simple(sql: str) -> _Simple | None:
    """None for what its reader of statements does not understand."""
    found = _ONE_TABLE.fullmatch(sql)
    if found is None or re.search(r"\b(?:JOIN|WITH|UNION|OR|EXISTS)\b|\(\s*SELECT", sql, re.I):
        return None
    compared = []
    for part in re.split(r"\bAND\b", found["where"], flags=re.IGNORECASE):
        told = _COMPARED.fullmatch(part.strip())
        if told is None:
            return None
        compared.append((told[1], told[2] or told[3].upper()))
    words = [part.split() for part in (found["order"] or "").split(",") if part.strip()]
    ordered = []
    for column, *direction in words:
        ordered.append(column.rpartition(".")[2])
        if [word.upper() for word in direction] == ["DESC"]:
            break
    return _Simple(found["table"], tuple(compared), tuple(ordered))


async def _indexes(connection: asyncpg.Connection[Any]) -> list[_Index]:
    rows = await connection.fetch(
        """
        SELECT t.relname, c.relname, pg_get_indexdef(i.indexrelid), m.amname, i.indisunique,
            i.indisvalid, i.indexprs::text, i.indpred::text
        FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid
        JOIN pg_class AS t ON t.oid = i.indrelid
        JOIN pg_am AS m ON m.oid = c.relam
        WHERE c.relnamespace = 'public'::regnamespace
        ORDER BY 1, 2
        """
    )
    return [
        _Index(table, name, _columns_told(told), method, unique, valid, expressions, predicate)
        for table, name, told, method, unique, valid, expressions, predicate in rows
    ]


def _columns_told(definition: str) -> tuple[str, ...]:
    """What stands between the brackets of a definition, with a predicate as part of the last."""
    inside = re.sub(r"^[^(]*\((.*)\)$", r"\1", definition)
    return tuple(part.strip('"') for part in inside.replace(") WHERE (", " WHERE ").split(", "))
