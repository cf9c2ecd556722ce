"""Reads the catalog of a PostgreSQL database: what `pg_catalog` says, in PostgreSQL's own words.

What belongs to an extension is left out, as are the schemas of PostgreSQL itself.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import asyncpg

from vacancy.db.catalog import Catalog, Column, Constraint, ConstraintKind, Definition, Index, Table
from vacancy.db.postgres.database import CONNECT_TIMEOUT_S
from vacancy.db.postgres.errors import CONNECTING_ERRORS, DRIVER_ERRORS, translated

_KINDS: dict[str, ConstraintKind] = {
    "p": "primary key",
    "u": "unique",
    "c": "check",
    "f": "foreign key",
    "x": "exclusion",
}


def _ours(schema: str, kind: str, oid: str) -> str:
    """The condition for things that are neither PostgreSQL's own nor an extension's."""
    return f"""
        {schema}.nspname NOT LIKE 'pg\\_%'
        AND {schema}.nspname <> 'information_schema'
        AND NOT EXISTS (
            SELECT FROM pg_depend AS d
            WHERE d.classid = '{kind}'::regclass AND d.objid = {oid} AND d.deptype = 'e'
        )"""


def _name(schema: str, name: str) -> str:
    return f"CASE WHEN {schema}.nspname = 'public' THEN '' ELSE {schema}.nspname || '.' END||{name}"


_TABLES = f"""
SELECT
    c.oid::bigint AS table_id,
    {_name("n", "c.relname")} AS name,
    c.relkind::text AS kind,
    c.relpersistence::text AS persistence
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND {_ours("n", "pg_class", "c.oid")}
ORDER BY 2
"""

_TEMPORARY_TABLES = """
SELECT
    oid::bigint AS table_id,
    relname::text AS name
FROM pg_class
WHERE relkind = 'r' AND relnamespace = pg_my_temp_schema()
"""

_COLUMNS = """
SELECT
    a.attrelid::bigint AS table_id,
    a.attname AS name,
    format_type(a.atttypid, a.atttypmod)
        || CASE
            WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation
            ELSE ''
        END AS type,
    NOT a.attnotnull AS nullable,
    COALESCE(pg_get_expr(d.adbin, d.adrelid), '') AS expression,
    a.attgenerated::text AS generated,
    a.attidentity::text AS identity
FROM pg_attribute AS a
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY ($1::bigint[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

# A NOT NULL has been a constraint of its own since PostgreSQL 18; here it belongs to its column.
_CONSTRAINTS = """
SELECT
    c.conrelid::bigint AS table_id,
    c.contype::text AS kind,
    c.conname AS name,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(c.conkey) WITH ORDINALITY AS k (number, position)
        JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number
        ORDER BY k.position
    ) AS columns,
    pg_get_constraintdef(c.oid, true) AS definition
FROM pg_constraint AS c
WHERE c.conrelid = ANY ($1::bigint[]) AND c.contype IN ('p', 'u', 'c', 'f', 'x')
ORDER BY c.conname
"""

_INDEXES = """
SELECT
    i.indrelid::bigint AS table_id,
    c.relname AS name,
    ARRAY(
        SELECT COALESCE(a.attname::text, pg_get_indexdef(i.indexrelid, part, true))
        FROM generate_series(1, i.indnkeyatts) AS part
        LEFT JOIN pg_attribute AS a
            ON a.attrelid = i.indrelid
            AND a.attnum = i.indkey[part - 1]
            AND a.attnum > 0
        ORDER BY part
    ) AS columns,
    i.indisunique AS is_unique,
    COALESCE(pg_get_expr(i.indpred, i.indrelid, true), '') AS predicate,
    pg_get_indexdef(i.indexrelid) AS definition,
    i.indisvalid AND i.indisready AS valid
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY ($1::bigint[])
    AND NOT EXISTS (
        SELECT FROM pg_constraint AS k
        WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
    )
ORDER BY c.relname
"""

# A sequence that a column owns (an identity, a serial) goes with its column.
_OTHERS = f"""
SELECT 'trigger' AS kind, {_name("n", "c.relname")} || '.' || t.tgname AS name,
    pg_get_triggerdef(t.oid, true) || CASE t.tgenabled
        WHEN 'O' THEN ''
        WHEN 'A' THEN ' enabled always'
        WHEN 'R' THEN ' enabled for replicas'
        ELSE ' disabled'
    END AS definition
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND {_ours("n", "pg_class", "c.oid")}
UNION ALL
SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END,
    {_name("n", "c.relname")}, pg_get_viewdef(c.oid, true)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND {_ours("n", "pg_class", "c.oid")}
UNION ALL
SELECT 'sequence', {_name("n", "c.relname")}, format('INCREMENT %s', s.seqincrement)
FROM pg_class AS c
JOIN pg_sequence AS s ON s.seqrelid = c.oid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE {_ours("n", "pg_class", "c.oid")}
    AND NOT EXISTS (
        SELECT FROM pg_depend AS o
        WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid AND o.deptype IN ('a', 'i')
    )
UNION ALL
SELECT 'function', {_name("n", "p.oid::regprocedure::text")}, pg_get_functiondef(p.oid)
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.prokind IN ('f', 'p') AND {_ours("n", "pg_proc", "p.oid")}
UNION ALL
SELECT 'type', {_name("n", "y.typname")}, string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder)
FROM pg_type AS y
JOIN pg_namespace AS n ON n.oid = y.typnamespace
JOIN pg_enum AS e ON e.enumtypid = y.oid
WHERE {_ours("n", "pg_type", "y.oid")}
GROUP BY n.nspname, y.typname
ORDER BY 1, 2
"""


async def read_postgres_database(url: str) -> Catalog:
    """Connects, reads the catalog and leaves again."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    except CONNECTING_ERRORS as error:
        raise translated(error, "connecting") from error
    try:
        return await read_postgres_catalog(connection)
    finally:
        await connection.close()


async def read_postgres_catalog(connection: asyncpg.Connection) -> Catalog:
    """The catalog of the database of an open connection, in one snapshot."""
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            tables = await connection.fetch(_TABLES)
            ids = [table["table_id"] for table in tables]
            columns = _by_table(await connection.fetch(_COLUMNS, ids))
            constraints = _by_table(await connection.fetch(_CONSTRAINTS, ids))
            indexes = _by_table(await connection.fetch(_INDEXES, ids))
            others = await connection.fetch(_OTHERS)
    except DRIVER_ERRORS as error:
        raise translated(error, "reading the catalog") from error
    return Catalog(
        engine="postgresql",
        tables=tuple(
            Table(
                name=table["name"],
                columns=tuple(map(_column, columns[table["table_id"]])),
                constraints=tuple(map(_constraint, constraints[table["table_id"]])),
                indexes=tuple(map(_index, indexes[table["table_id"]])),
                options=_options(table["kind"], table["persistence"]),
            )
            for table in tables
        ),
        others=tuple(
            Definition(kind=row["kind"], name=row["name"], definition=row["definition"])
            for row in others
        ),
    )


async def read_temporary_indexes(
    connection: asyncpg.Connection,
) -> dict[str, tuple[tuple[Index, ...], tuple[Constraint, ...]]]:
    """The indexes and the constraints of the session's temporary tables, by table."""
    tables = await connection.fetch(_TEMPORARY_TABLES)
    ids = [table["table_id"] for table in tables]
    constraints = _by_table(await connection.fetch(_CONSTRAINTS, ids))
    indexes = _by_table(await connection.fetch(_INDEXES, ids))
    return {
        table["name"]: (
            tuple(map(_index, indexes[table["table_id"]])),
            tuple(map(_constraint, constraints[table["table_id"]])),
        )
        for table in tables
    }


def _by_table(rows: list[Any]) -> defaultdict[int, list[Any]]:
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row["table_id"]].append(row)
    return found


def _options(kind: str, persistence: str) -> tuple[str, ...]:
    options = [("partitioned", kind == "p"), ("unlogged", persistence == "u")]
    return tuple(option for option, is_set in options if is_set)


def _column(row: Any) -> Column:
    stored = {"s": "stored", "v": "virtual"}.get(row["generated"])
    identity = {"a": "always as identity", "d": "by default as identity"}.get(row["identity"], "")
    return Column(
        name=row["name"],
        type=row["type"],
        nullable=row["nullable"],
        default="" if stored else row["expression"],
        generated=f"{row['expression']} {stored}" if stored else identity,
    )


def _constraint(row: Any) -> Constraint:
    return Constraint(
        kind=_KINDS[row["kind"]],
        name=row["name"],
        columns=tuple(row["columns"]),
        definition=row["definition"],
    )


def _index(row: Any) -> Index:
    # "CREATE INDEX name ON schema.table USING btree (a) WHERE b": from the method on.
    _, _, definition = row["definition"].partition(" USING ")
    return Index(
        name=row["name"],
        columns=tuple(row["columns"]),
        unique=row["is_unique"],
        predicate=row["predicate"],
        definition=definition,
        valid=row["valid"],
    )
