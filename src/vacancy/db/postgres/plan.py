"""Reads PostgreSQL's plans, made once for all values, as our sessions make them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import msgspec

from vacancy.db.catalog import Catalog, Table
from vacancy.db.plan import Plan, Sizes, Way, constraint_name, homes, leading

FORCED = {
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    "enable_memoize": "off",
    "max_parallel_workers_per_gather": "0",
}
"""With nothing else to choose from, an index that can serve a statement does."""
_QUALIFIED = re.compile(r"\b\w+\.\w+\b")
_TEXT = re.compile(r"'(?:[^']|'')*'(?:::\w+)?")
_WORD = re.compile(r'"((?:[^"]|"")+)"|\b([A-Za-z_]\w*)\b')


async def explain(
    connection: asyncpg.Connection[Any],
    sql: str,
    catalog: Catalog,
    *,
    ours: bool = True,
) -> Plan:
    """The plan that the session would follow with whatever values. Nothing is run: the session
    needs `FORCED`, or its plan would be for the values of this question. What is prepared for it
    is the caller's to deallocate, after the transaction."""
    # Several statements in one text are refused here, and so never come to the line below.
    prepared = await connection.prepare(sql)
    values = ", ".join(["NULL"] * len(prepared.get_parameters()))
    await connection.execute(f"PREPARE vacancy_plan AS {sql}")
    answer = await connection.fetchval(
        f"EXPLAIN (FORMAT JSON) EXECUTE vacancy_plan{f'({values})' if values else ''}"
    )
    return read_plan(answer, catalog, ours=ours)


def read_plan(answer: str, catalog: Catalog, *, ours: bool = True) -> Plan:
    """What EXPLAIN (FORMAT JSON) has answered, as a value. Of a text that is not `ours`, an index
    that is not in the catalogue is told with its condition; ours may not lean on any such."""
    root = msgspec.json.decode(answer)[0]["Plan"]
    places = _places(catalog)
    ways: list[Way] = []
    sorts: list[str] = []
    lines: list[str] = []
    for depth, node, parent in _nodes(root, 0, None):
        kind = node["Node Type"]
        lines.append("  " * depth + _line(node))
        if kind in ("Seq Scan", "Sample Scan", "Tid Scan"):
            ways.append(Way(table=node["Relation Name"]))
        elif "Index Name" in node:
            name = node["Index Name"]
            table, common, columns = places.get(
                name,
                (node.get("Relation Name") or (parent or {}).get("Relation Name", ""), name, ()),
            )
            condition = node.get("Index Cond", "")
            found = leading(columns, _bound(condition))
            if condition and not columns and not ours:
                found = (condition,)
            ways.append(Way(table=table, index=common, columns=found))
        elif kind in ("Sort", "Incremental Sort"):
            sorts.append(f"by {', '.join(node.get('Sort Key', ()))}")
    return Plan(ways=tuple(ways), sorts=tuple(sorts), text="\n".join(lines))


def _places(catalog: Catalog) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Table, common name and columns by PostgreSQL's own name of the index."""
    found = {name: (table, name, columns) for name, (table, columns) in homes(catalog).items()}
    for table in catalog.tables:
        for one in table.constraints if "." not in table.name else ():
            if one.kind in ("primary key", "unique"):
                common = constraint_name(table.name, one.kind, one.columns)
                found[one.name] = (table.name, common, one.columns)
    return found


def _bound(condition: str) -> set[str]:
    """The index's own columns stand in its condition without a table before them."""
    words = _WORD.findall(_QUALIFIED.sub(" ", _TEXT.sub(" ", condition)))
    return {quoted or plain for quoted, plain in words}


def _nodes(
    node: dict[str, Any], depth: int, parent: dict[str, Any] | None
) -> Iterator[tuple[int, dict[str, Any], dict[str, Any] | None]]:
    yield depth, node, parent
    for child in node.get("Plans", ()):
        yield from _nodes(child, depth + 1, node)


def _line(node: dict[str, Any]) -> str:
    parts = [node["Node Type"]]
    if "Index Name" in node:
        parts.append(f"using {node['Index Name']}")
    if "Relation Name" in node:
        parts.append(f"on {node['Relation Name']}")
    for part in ("Index Cond", "Filter"):
        if part in node:
            parts.append(f"{part.lower()} {node[part]}")
    return " ".join(parts)


async def pretend_sizes(
    connection: asyncpg.Connection[Any], catalog: Catalog, sizes: Sizes
) -> None:
    """Makes PostgreSQL, 18 and later, take empty tables to be of these sizes. For a database made
    for this purpose: its real statistics are gone afterwards."""
    for table in catalog.tables:
        size = sizes.get(table.name)
        if size is None:
            continue
        await connection.execute(f"ALTER TABLE {table.name} SET (autovacuum_enabled = off)")
        if not await connection.fetchval("SELECT pg_relation_size($1::regclass)", table.name):
            await _give_page(connection, table)
        await connection.execute(
            """
            SELECT pg_restore_relation_stats(
                'schemaname', 'public', 'relname', $1::text,
                'relpages', (pg_relation_size($1::text::regclass) / 8192)::integer,
                'reltuples', $2::real
            )
            """,
            table.name,
            float(size.rows),
        )
        for column in table.columns:
            different = size.distinct.get(column.name)
            await connection.execute(
                """
                SELECT pg_restore_attribute_stats(
                    'schemaname', 'public', 'relname', $1::text, 'attname', $2::text,
                    'inherited', false, 'null_frac', 0::real, 'avg_width', 8,
                    'n_distinct', $3::real
                )
                """,
                table.name,
                column.name,
                -1.0 if different is None else float(different),
            )


async def _give_page(connection: asyncpg.Connection[Any], table: Table) -> None:
    """A table without a single page has no rows, whatever its statistics say. The page that a row
    was written to stays when the row is undone."""
    given = [column for column in table.columns if not column.generated and not column.nullable]
    names = ", ".join(column.name for column in given)
    values = ", ".join(_VALUES.get(column.type, "''") for column in given)
    transaction = connection.transaction()
    await transaction.start()
    try:
        for one in table.constraints:
            if one.kind in ("check", "foreign key"):
                await connection.execute(f"ALTER TABLE {table.name} DROP CONSTRAINT {one.name}")
        await connection.execute(f"INSERT INTO {table.name} ({names}) VALUES ({values})")
    finally:
        await transaction.rollback()


_VALUES = {
    "bigint": "0",
    "integer": "0",
    "date": "'2000-01-01'",
    "timestamp with time zone": "'2000-01-01T00:00:00Z'",
    "jsonb": "'[]'",
    "boolean": "false",
}
