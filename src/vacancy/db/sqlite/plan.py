"""Reads SQLite's plans, also for tables of a size that they do not have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import apsw
import apsw.ext

from vacancy.db.catalog import Catalog
from vacancy.db.plan import Plan, Sizes, Way, constraint_name, homes, leading
from vacancy.db.sqlite.catalog import read_sqlite_catalog
from vacancy.db.sqlite.session import translated
from vacancy.db.statement import SetStatement, Statement
from vacancy.errors import Internal

_ACCESS = re.compile(
    r"(?P<how>SEARCH|SCAN) (?P<name>\w+)(?: EXISTS)?"
    r"(?: USING (?P<by>AUTOMATIC|(?:PARTIAL |COVERING )*INDEX|INTEGER PRIMARY KEY|PRIMARY KEY)"
    r"(?P<rest>.*))?"
)
_BOUND = re.compile(r"(?:\(|\bAND )((?:(?!\(| AND ).)+?)(?:=|<|>| IS )\?")
_ALIAS = re.compile(
    r"""(?:\b(?:FROM|JOIN|UPDATE|INTO)\s+(?:main\.)?|,\s*)"?(\w+)"?(?=(?:\s+(?:AS\s+)?(\w+))?)""",
    re.IGNORECASE,
)
"""The second word may be one of SQL's own instead of an alias: no plan calls a table so."""
_ROWS = 2
"""A set statement is planned for so many rows; more do not change its plan."""


def read_sqlite_plan(
    connection: apsw.Connection, statement: Statement[Any] | SetStatement[Any], catalog: Catalog
) -> Plan:
    """The plan that SQLite would follow now."""
    sql = statement.sqlite(_ROWS) if isinstance(statement, SetStatement) else statement.sqlite
    return plan_of_text(connection, sql, catalog, statement.name)


def plan_of_text(connection: apsw.Connection, sql: str, catalog: Catalog, name: str) -> Plan:
    """The plan of any one text; its parameters may be written as SQLite knows them. Errors name
    it so."""
    try:
        # Its parameters have no values: a plan needs none, but there must be as many.
        info = apsw.ext.query_info(connection, sql)
        explained = f"EXPLAIN QUERY PLAN {info.first_query}"
        rows = connection.execute(explained, [None] * info.bindings_count).fetchall()
    except apsw.Error as error:
        raise translated(error, name) from error
    details = [str(row[3]) for row in rows]
    tables = {table.name for table in catalog.tables}
    aliases = _aliases(sql, tables)
    ways = []
    for detail in details:
        found = _ACCESS.match(detail)
        if found and found["name"] in aliases:
            ways += [_way(connection, found, table, catalog) for table in aliases[found["name"]]]
    sorts = tuple(
        detail.removeprefix("USE TEMP B-TREE FOR ").lower()
        for detail in details
        if detail.startswith("USE TEMP B-TREE")
    )
    return Plan(ways=tuple(ways), sorts=sorts, text="\n".join(details))


def shape_of(connection: apsw.Connection, sizes: Sizes) -> apsw.Connection:
    """An empty database in memory with the same tables, which SQLite takes to be of these sizes."""
    shape = apsw.Connection(":memory:")
    shape.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # as our connections
    for (sql,) in connection.execute(
        """
        SELECT s.sql
        FROM sqlite_schema AS s
        JOIN pragma_table_list AS l ON l.schema = 'main' AND l.name = s.tbl_name
        WHERE s.sql IS NOT NULL
            AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
            AND (
                l.type = 'table' AND s.type IN ('table', 'index') -- a virtual one makes others
                OR l.type = 'view' AND s.type = 'view'
            )
        ORDER BY s.type = 'view', s.type = 'index', s.name
        """
    ).fetchall():
        shape.execute(str(sql))
    shape.execute("ANALYZE")  # makes the table of statistics
    catalog = read_sqlite_catalog(shape)
    shape.execute("DELETE FROM sqlite_stat1")
    shape.executemany(
        "INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", _statistics(shape, catalog, sizes)
    )
    shape.execute("ANALYZE sqlite_schema")  # reads them
    return shape


def _statistics(
    connection: apsw.Connection, catalog: Catalog, sizes: Sizes
) -> Iterable[tuple[str, str | None, str]]:
    for table in catalog.tables:
        size = sizes.get(table.name)
        if size is None:
            continue
        indexes = connection.execute("SELECT * FROM pragma_index_list(?)", (table.name,)).fetchall()
        for _, name, unique, *_ in indexes:
            names = connection.execute("SELECT * FROM pragma_index_info(?)", (name,)).fetchall()
            columns = tuple(str(column) for *_, column in names)
            behind = [
                1 if unique and end == len(columns) else size.rows_behind(columns[:end])
                for end in range(1, len(columns) + 1)
            ]
            owner = table.name if str(name) == table.name else str(name)
            yield table.name, owner, " ".join(map(str, [size.rows, *behind]))
        if not indexes:
            yield table.name, None, str(size.rows)


def _aliases(sql: str, tables: set[str]) -> dict[str, list[str]]:
    """Base tables by the name that the text gives them."""
    found: dict[str, list[str]] = {}
    spelled = {table.lower(): table for table in tables}  # SQLite looks at no case
    for written, alias in _ALIAS.findall(sql):
        table = spelled.get(written.lower(), "")
        for name in {alias or written, written} if table else ():
            known = found.setdefault(name, [])
            if table not in known:
                known.append(table)
    return found


def _way(connection: apsw.Connection, found: re.Match[str], table: str, catalog: Catalog) -> Way:
    by, rest = found["by"], found["rest"] or ""
    if by is None or by == "AUTOMATIC":
        return Way(table=table)
    # SQLite looks at no case, and the catalogue tells an index's columns in small letters.
    bound = {name.lower() for name in _BOUND.findall(rest.replace("ANY(", "any ("))}
    keys = (
        tuple(map(str.lower, c.columns))
        for c in catalog.table(table).constraints
        if c.kind == "primary key"
    )
    key = next(keys, ("rowid",))
    if "PRIMARY KEY" in by:
        if by == "INTEGER PRIMARY KEY" and "rowid" in bound:
            bound = {key[0]}
        return Way(table=table, index=f"pk_{table}", columns=leading(key, bound))
    name = rest.partition(" (")[0].strip() or rest.strip()
    if name.startswith("sqlite_autoindex_"):
        name = _behind_autoindex(connection, name, table)
    places = homes(catalog)
    if name not in places:
        raise Internal("PLAN_UNREADABLE", f"SQLite names an index {name!r} that nobody knows.")
    columns = places[name][1]
    if "rowid" in bound:  # the key of the row stands behind the columns of every index
        bound = (bound - {"rowid"}) | {key[0]}
        columns = (*columns, key[0]) if key[0] not in columns else columns
    return Way(table=table, index=name, columns=leading(columns, bound))


def _behind_autoindex(connection: apsw.Connection, name: str, table: str) -> str:
    """The constraint that an index of SQLite's own making carries: it is on the same columns."""
    rows = connection.execute(f"PRAGMA index_info({name})").fetchall()
    return constraint_name(table, "unique", tuple(str(row[2]) for row in rows))
