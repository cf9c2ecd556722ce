"""Reads the facts of a SQLite file: its PRAGMAs, `sqlite_stat1`, and the first pages of each tree.

SQLite knows neither the rows of a table nor the pages of one. Both are estimated: the first 1,000
pages of each tree are read through `dbstat`, and the fan-out of those above tells of the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec

from vacancy.db.catalog import Catalog, Table
from vacancy.db.sqlite.catalog import read_sqlite_catalog
from vacancy.db.sqlite.session import open_untouched, translated
from vacancy.perf.indexes.facts import (
    Facts,
    FileFacts,
    ForeignKey,
    IndexFacts,
    KeyPart,
    NumberedKey,
    TableFacts,
)
from vacancy.perf.indexes.quoting import quoted

SAMPLED_PAGES = 1_000
"""Of each tree: 4 MB, and 9 ms when the system has them in memory. Smaller ones are read whole."""
_END = 2**63 - 1


class _Tree(msgspec.Struct, frozen=True):
    """One B-tree of the file, about."""

    entries: int
    size_bytes: int
    unused_bytes: int


def read_sqlite_facts(path: Path) -> Facts:
    """Raises `Unsupported` NOT_A_DATABASE and what else opening may raise."""
    connection = open_untouched(path)
    try:
        catalog = read_sqlite_catalog(connection)
        return _read(connection, catalog, path)
    except apsw.Error as error:
        raise translated(error, "reading what the file tells of itself") from error
    finally:
        connection.close()


def _read(connection: apsw.Connection, catalog: Catalog, path: Path) -> Facts:
    # Each question is a transaction of its own: in a file without a write-ahead log a writer
    # waits for those that read, and a tree is read in a moment.
    known = _rows_in_statistics(connection)
    tables = []
    indexes: list[IndexFacts] = []
    keys: list[NumberedKey] = []
    foreign_keys: list[ForeignKey] = []
    for table in catalog.tables:
        tree = _tree(connection, table.name, by_rowid="without rowid" not in table.options)
        key = _rowid_key(connection, table)
        tables.append(
            TableFacts(
                name=table.name,
                sql_name=quoted(table.name),
                rows=tree.entries if tree else None,
                size_bytes=tree.size_bytes if tree else None,
                wasted_bytes=tree.unused_bytes if tree else None,
                has_statistics=table.name.lower() in known,
                rows_in_statistics=known.get(table.name.lower()),
                rowid_key=key,
            )
        )
        indexes += _indexes(connection, table, key)
        foreign_keys += _foreign_keys(connection, table.name, catalog)
        if "without rowid" not in table.options:
            keys.append(_numbers(connection, table, key))
    return Facts(
        engine="sqlite",
        catalog=catalog,
        tables=tuple(tables),
        indexes=tuple(indexes),
        foreign_keys=tuple(foreign_keys),
        keys=tuple(keys),
        file=_file(connection, path, bool(known)),
    )


def _file(connection: apsw.Connection, path: Path, has_statistics: bool) -> FileFacts:
    def pragma(name: str) -> Any:
        return connection.pragma(name)

    log = Path(f"{path}-wal")
    return FileFacts(
        page_bytes=int(pragma("page_size")),
        pages=int(pragma("page_count")),
        free_pages=int(pragma("freelist_count")),
        journal_mode=str(pragma("journal_mode")),
        log_bytes=log.stat().st_size if log.exists() else 0,
        has_statistics=has_statistics,
    )


def _rows_in_statistics(connection: apsw.Connection) -> dict[str, int]:
    """By table, its name in small letters; empty when ANALYZE has never run."""
    there = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'"
    if not connection.execute(there).get:
        return {}
    known: dict[str, int] = {}
    # An index of a part of the rows tells nothing of the table; the planner does not ask it either.
    whole = (
        "SELECT known.tbl, known.stat FROM sqlite_stat1 AS known WHERE NOT EXISTS (SELECT 1"
        " FROM pragma_index_list(known.tbl) AS one WHERE one.name = known.idx AND one.partial)"
    )
    for table, stat in connection.execute(whole):
        first = str(stat).partition(" ")[0]
        if first.isdigit():
            known[table.lower()] = max(known.get(table.lower(), 0), int(first))
    return known


def _rowid_key(connection: apsw.Connection, table: Table) -> str:
    """The column that is the rowid by another name."""
    sql = "SELECT name, upper(type) FROM pragma_table_xinfo(?) WHERE pk > 0"
    columns = connection.execute(sql, (table.name,)).fetchall()
    sql = "SELECT count(*) FROM pragma_index_list(?) WHERE origin = 'pk'"
    if len(columns) != 1 or columns[0][1] != "INTEGER" or "without rowid" in table.options:
        return ""
    # `INTEGER PRIMARY KEY DESC` has an index of its own, for a mistake that SQLite has kept.
    return "" if connection.execute(sql, (table.name,)).get else str(columns[0][0])


def _indexes(connection: apsw.Connection, table: Table, rowid_key: str) -> Iterator[IndexFacts]:
    if rowid_key:
        yield IndexFacts(
            table=table.name,
            name="",
            sql_name="",
            parts=(KeyPart(text=rowid_key.lower(), collation="BINARY"),),
            is_unique=True,
            constraint="primary key",
        )
    written = {index.name: index for index in table.indexes}
    sql = """
    SELECT l.name, l."unique", l.origin, s.rowid
    FROM pragma_index_list(?) AS l
    LEFT JOIN sqlite_schema AS s ON s.type = 'index' AND s.name = l.name
    ORDER BY s.rowid
    """
    listed: list[Any] = connection.execute(sql, (table.name,)).fetchall()
    for name, is_unique, origin, made in listed:
        told = written.get(name)
        is_tree = origin != "pk" or "without rowid" not in table.options
        tree = _tree(connection, name, by_rowid=False) if is_tree else None
        parts = connection.execute(
            'SELECT seqno, name, "desc", coll FROM pragma_index_xinfo(?) WHERE key = 1'
            " ORDER BY seqno",
            (name,),
        )
        yield IndexFacts(
            table=table.name,
            name=name,
            sql_name=quoted(name),
            parts=tuple(
                KeyPart(
                    text=column.lower() if column or told is None else told.columns[position],
                    is_expression=column is None,
                    collation=str(collation).upper(),
                    descending=bool(descending),
                )
                for position, column, descending, collation in parts
            ),
            predicate=told.predicate if told else "",
            is_unique=bool(is_unique),
            constraint={"pk": "primary key", "u": "unique"}.get(origin, ""),
            made=int(made or 0),
            size_bytes=tree.size_bytes if tree else None,
            wasted_bytes=tree.unused_bytes if tree else None,
        )


def _foreign_keys(
    connection: apsw.Connection, table: str, catalog: Catalog
) -> Iterator[ForeignKey]:
    spelled = {one.name.lower(): one.name for one in catalog.tables}
    sql = 'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq'
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(sql, (table,)):
        found[row[0]].append(row)
    for rows in found.values():
        columns = tuple(str(row[2]) for row in rows)
        yield ForeignKey(
            table=table,
            name="",
            columns=tuple(column.lower() for column in columns),
            columns_sql=", ".join(map(quoted, columns)),
            parent=spelled.get(rows[0][1].lower(), rows[0][1]),
            # None of them named means the parent's primary key.
            parent_columns=tuple(str(row[3]).lower() for row in rows if row[3] is not None),
        )


def _numbers(connection: apsw.Connection, table: Table, key: str) -> NumberedKey:
    """The number of the last row; with AUTOINCREMENT that of the last there ever was."""
    taken = {column.name.lower() for column in table.columns}
    hidden = next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), "")
    name = quoted(key) if key else hidden
    largest = None
    if name:
        largest = connection.execute(f"SELECT max({name}) FROM {quoted(table.name)}").get
    if "autoincrement" in table.options:
        sql = "SELECT max(seq) FROM sqlite_sequence WHERE name = ?"
        last = connection.execute(sql, (table.name,)).get
        largest = max(largest or 0, last or 0)
    return NumberedKey(
        table=table.name,
        column=key or hidden,
        column_sql=name,
        type="autoincrement" if "autoincrement" in table.options else "rowid",
        largest_used=largest,
        column_end=_END,
    )


def _tree(connection: apsw.Connection, name: str, *, by_rowid: bool) -> _Tree | None:
    """The tree of a table or an index, about; None where SQLite was built without `dbstat`.

    In a table with rowids only the leaves hold rows; in every other tree all pages do.
    """
    try:
        pages: list[Any] = connection.execute(
            "SELECT path, pagetype, ncell, unused, pgsize FROM dbstat WHERE name = ? LIMIT ?",
            (name, SAMPLED_PAGES),
        ).fetchall()
    except apsw.SQLError:
        return None
    if not pages:
        return None
    page_bytes = int(pages[0][4])
    unused = sum(page[3] for page in pages)
    entries = sum(page[2] for page in pages if page[1] == "leaf" or not by_rowid)
    count = float(len(pages))
    if len(pages) == SAMPLED_PAGES:
        count = max(count, _pages_of(pages))
        entries = round(entries * count / len(pages))
        unused = round(unused * count / len(pages))
    return _Tree(entries, round(count) * page_bytes, unused)


def _pages_of(pages: list[Any]) -> float:
    """How many pages a tree has, by the fan-out of those of its upper pages that were read."""
    fan_out: defaultdict[int, list[int]] = defaultdict(list)
    for path, kind, cells, _, _ in pages:
        if kind == "internal":
            fan_out[path.count("/")].append(cells + 1)
    width = 1.0
    total = 1.0
    for level in sorted(fan_out):
        children = sum(fan_out[level]) / len(fan_out[level])
        # The last page of a level is on its way to be full: half so, as far as one can tell.
        width = max(1.0, width - 0.5) * children if width > 1 else children
        total += width
    leaves = sum(1 for page in pages if page[1] == "leaf")
    overflow = sum(1 for page in pages if page[1] == "overflow")
    return total + width * overflow / max(1, leaves)
