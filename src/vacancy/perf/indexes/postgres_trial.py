"""Tries indexes of PostgreSQL on temporary tables of the same names, in one transaction that is
undone.

Temporary tables stand before all others in the search path, so the statements' own texts plan
against them. They are made from the catalogue and not from the tables, which are never locked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from vacancy.db.catalog import Catalog, Table
from vacancy.db.plan import Sizes
from vacancy.db.postgres.catalog import read_postgres_catalog, read_temporary_indexes
from vacancy.db.postgres.errors import CONNECTING_ERRORS, DRIVER_ERRORS, translated
from vacancy.db.postgres.plan import FORCED, explain, read_plan
from vacancy.db.statement import Engine
from vacancy.errors import Internal, Unsupported
from vacancy.perf.indexes.quoting import quoted
from vacancy.perf.indexes.trial import (
    NOTHING,
    Change,
    IndexMade,
    Look,
    Planned,
    constraints_made,
    made_from,
)
from vacancy.perf.indexes.workload import Question

_CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 30.0
_OLDEST_TO_PLAN = 16
_OLDEST_TO_TRY = 18
_TEMPORARY = "pg_temp."
_SETTINGS = {
    "application_name": "vacancy",
    # Whatever waits for a lock here lets others wait behind it.
    "lock_timeout": "100ms",
    **FORCED,
}
_MAY_TRY = """
    SELECT
        pg_is_in_recovery() AS standby,
        has_database_privilege(current_database(), 'TEMP') AS temporary
    """
_PLANNER = """
    CREATE FUNCTION pg_temp.vacancy_plan(question text) RETURNS text LANGUAGE plpgsql AS $function$
    DECLARE
        answer json;
    BEGIN
        -- As a cursor, for that takes one statement and never a second one behind it.
        FOR answer IN EXECUTE 'EXPLAIN (GENERIC_PLAN, FORMAT JSON) ' || question LOOP
            RETURN answer;
        END LOOP;
    EXCEPTION WHEN OTHERS THEN
        RETURN '!' || SQLERRM;
    END
    $function$
    """
"""Plans for all values at once, which no driver can ask for: it would send a value for each $1."""
_PLANS = "SELECT pg_temp.vacancy_plan(sql) FROM unnest($1::text[]) WITH ORDINALITY AS q (sql, n)"
_TABLE_STATISTICS = """
    SELECT pg_restore_relation_stats(
        'schemaname', pg_my_temp_schema()::regnamespace::text,
        'relname', name,
        'relpages', 1,
        'reltuples', rows
    )
    FROM unnest($1::text[], $2::real[]) AS given (name, rows)
    """
"""All rows on the one page that there is: the planner multiplies by the pages that it finds."""
_COLUMN_SIZES = """
    SELECT pg_restore_attribute_stats(
        'schemaname', pg_my_temp_schema()::regnamespace::text,
        'relname', name,
        'attname', part,
        'inherited', false,
        'null_frac', 0::real,
        'avg_width', 8,
        'n_distinct', different
    )
    FROM unnest($1::text[], $2::text[], $3::real[]) AS given (name, part, different)
    """
_COLUMN_STATISTICS = """
    SELECT pg_restore_attribute_stats(
        'schemaname', pg_my_temp_schema()::regnamespace::text,
        'relname', s.tablename::text,
        'attname', s.attname::text,
        'inherited', false,
        'null_frac', s.null_frac,
        'avg_width', s.avg_width,
        'n_distinct', s.n_distinct,
        'most_common_vals', s.most_common_vals::text,
        'most_common_freqs', s.most_common_freqs,
        'histogram_bounds', s.histogram_bounds::text,
        'correlation', s.correlation
    )
    FROM pg_stats AS s
    WHERE s.schemaname = 'public'
        AND NOT s.inherited
        AND s.tablename = ANY ($1::text[])
    """
_ROWS = """
    SELECT
        relname::text,
        -- A table that was never analysed tells nothing; a page holds some eighty rows.
        CASE WHEN reltuples < 0 THEN pg_relation_size(oid) / 100 ELSE reltuples END::bigint
    FROM pg_class
    WHERE relkind IN ('r', 'p')
        AND relnamespace = 'public'::regnamespace
    """


class PostgresTrial:
    """One connection, in the transaction that is undone; or one that only plans."""

    engine: Engine = "postgresql"

    def __init__(
        self,
        connection: asyncpg.Connection[Any],
        catalog: Catalog,
        *,
        rows: dict[str, int] | None,
        why_not: str = "",
    ) -> None:
        """`rows` are those of the tables; None when they were given other statistics."""
        self._connection = connection
        self._catalog = catalog
        self._rows = rows
        self.tries = not why_not
        self.why_not = why_not

    def known_rows(self, table: str) -> int | None:
        return None if self._rows is None else self._rows.get(table, 0)

    async def look(self, questions: Sequence[Question], change: Change = NOTHING) -> Look:
        if not self.tries and change != NOTHING:
            raise Internal("TRIAL_IMPOSSIBLE", f"Nothing can be tried here: {self.why_not}")
        undone = self._connection.transaction()
        await undone.start()
        try:
            refused = await self._make(change)
            catalog = self._catalog
            if change != NOTHING:
                catalog = await self._read_again(change)
            plans = await self._plan(questions, catalog)
        except DRIVER_ERRORS as error:
            raise translated(error, "planning on a copy of the schema") from error
        finally:
            await undone.rollback()
        return Look(catalog=catalog, plans=plans, refused=refused)

    async def _plan(self, questions: Sequence[Question], catalog: Catalog) -> dict[str, Planned]:
        if not self.tries:
            return await self._plan_one_by_one(questions)
        await self._connection.execute(_PLANNER)
        texts = [question.sql for question in questions]
        answers = await self._connection.fetch(_PLANS, texts)
        plans: dict[str, Planned] = {}
        for question, (answer,) in zip(questions, answers, strict=True):
            if answer.startswith("!"):
                plans[question.name] = Planned(refusal=answer[1:])
            else:
                plans[question.name] = Planned(plan=read_plan(answer, catalog))
        return plans

    async def _plan_one_by_one(self, questions: Sequence[Question]) -> dict[str, Planned]:
        """Where no function may be made either; for the tables themselves."""
        plans: dict[str, Planned] = {}
        for question in questions:
            try:
                async with self._connection.transaction():
                    plan = await explain(self._connection, question.sql, self._catalog)
                    plans[question.name] = Planned(plan=plan)
            except DRIVER_ERRORS as error:
                plans[question.name] = Planned(refusal=str(error))
            # What was prepared outlasts the savepoint.
            await self._connection.execute("DEALLOCATE ALL")
        return plans

    async def _make(self, change: Change) -> dict[str, str]:
        """Makes the change on the copy; what is refused, and why. What stands in no copy is not
        dropped: its name would be that of the index itself."""
        refused: dict[str, str] = {}
        for index, sql in [
            *((one, one.drops(schema=_TEMPORARY)) for one in change.drops),
            *((one, one.creates(schema=_TEMPORARY)) for one in change.creates),
        ]:
            try:
                async with self._connection.transaction():
                    await self._connection.execute(sql)
            except DRIVER_ERRORS as error:
                refused[index.name] = str(error)
        return refused

    async def _read_again(self, change: Change) -> Catalog:
        """The catalogue with the change in it, in PostgreSQL's words; what is invalid stays."""
        found = await read_temporary_indexes(self._connection)
        gone = {one.name for one in change.drops}
        tables = []
        for table in self._catalog.tables:
            here = found.get(table.name)
            if here is not None:
                indexes, constraints = here
                left = [one for one in table.indexes if not one.valid and one.name not in gone]
                other = [
                    one for one in table.constraints if one.kind not in ("primary key", "unique")
                ]
                table = msgspec.structs.replace(
                    table,
                    indexes=tuple(sorted((*indexes, *left), key=lambda one: one.name)),
                    constraints=(*constraints, *other),
                )
            tables.append(table)
        return msgspec.structs.replace(self._catalog, tables=tuple(tables))


@asynccontextmanager
async def open_postgres_trial(url: str, sizes: Sizes | None) -> AsyncIterator[PostgresTrial]:
    """Connects, copies the schema where that may be, and undoes all of it at the end.

    Raises `Unsupported` POSTGRESQL_TOO_OLD, and what connecting raises.
    """
    try:
        connection = await asyncpg.connect(
            url,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=_ANSWER_TIMEOUT_S,
            server_settings=_SETTINGS,
            statement_cache_size=0,
        )
    except CONNECTING_ERRORS as error:
        raise translated(error, "connecting") from error
    try:
        version = connection.get_server_version().major
        if version < _OLDEST_TO_PLAN:
            raise Unsupported(
                "POSTGRESQL_TOO_OLD",
                f"This needs PostgreSQL {_OLDEST_TO_PLAN} or later: older ones do not tell all"
                " sorts.",
                hint="Everything else of Vacancy works on it.",
            )
        catalog = await read_postgres_catalog(connection)
        rows = {name: int(count) for name, count in await connection.fetch(_ROWS)}
        why_not = await _why_not(connection, version)
        undone = connection.transaction()
        await undone.start()
        try:
            if not why_not:
                # A role may read only, unless it says otherwise for this one transaction.
                await connection.execute("SET TRANSACTION READ WRITE")
                copied = await _copy(connection, catalog)
                await _give_statistics(connection, copied, rows, sizes)
            known = None if sizes is not None and not why_not else rows
            yield PostgresTrial(connection, catalog, rows=known, why_not=why_not)
        finally:
            await undone.rollback()
    except DRIVER_ERRORS as error:
        raise translated(error, "copying the schema") from error
    finally:
        await connection.close()


async def _why_not(connection: asyncpg.Connection[Any], version: int) -> str:
    """Why no copy can be made here; empty where one can."""
    if version < _OLDEST_TO_TRY:
        return (
            f"PostgreSQL {version} takes no statistics for a copy of its tables; {_OLDEST_TO_TRY}"
            " does."
        )
    may = await connection.fetchrow(_MAY_TRY)
    if may["standby"]:
        return "This server is a standby, and makes no temporary tables."
    if not may["temporary"]:
        return "This role may make no temporary tables in this database (TEMPORARY)."
    return ""


async def _copy(connection: asyncpg.Connection[Any], catalog: Catalog) -> list[Table]:
    """Makes the temporary tables; those that were made. One whose types or functions do not let it
    be copied is left out, and statements on it plan on the table itself."""
    tables = [table for table in catalog.tables if "." not in table.name]
    try:
        async with connection.transaction():
            await connection.execute(";\n".join(sql for table in tables for sql in _ddl(table)))
    except DRIVER_ERRORS:
        copied = []
        for table in tables:
            try:
                async with connection.transaction():
                    await connection.execute(";\n".join(_ddl(table)))
            except DRIVER_ERRORS:
                continue
            copied.append(table)
        return copied
    return tables


def _ddl(table: Table) -> list[str]:
    """What makes the copy. Foreign keys, checks and defaults change no plan."""
    name = f"{_TEMPORARY}{quoted(table.name)}"
    columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in table.columns)
    # With autovacuum on, every new index would count the copy's rows.
    ddl = [
        f"CREATE TEMPORARY TABLE {quoted(table.name)} ({columns}) WITH (autovacuum_enabled = off)",
        # A table without a single page has no rows, whatever its statistics say.
        f"INSERT INTO {name} DEFAULT VALUES",
        f"DELETE FROM {name}",
    ]
    ddl += [
        f"ALTER TABLE {name} ALTER COLUMN {quoted(column.name)} SET NOT NULL"
        for column in table.columns
        if not column.nullable
    ]
    made: list[IndexMade] = constraints_made(table)
    made += [made_from("postgresql", table, index) for index in table.indexes if index.valid]
    return ddl + [one.creates(schema=_TEMPORARY) for one in made]


async def _give_statistics(
    connection: asyncpg.Connection[Any],
    tables: Sequence[Table],
    rows: dict[str, int],
    sizes: Sizes | None,
) -> None:
    names = [table.name for table in tables]
    if sizes is None:
        await connection.execute(_TABLE_STATISTICS, names, [float(rows[name]) for name in names])
        await connection.execute(_COLUMN_STATISTICS, names)
        return
    sized = [name for name in names if name in sizes]
    await connection.execute(_TABLE_STATISTICS, sized, [float(sizes[name].rows) for name in sized])
    columns = [
        (table.name, column.name, float(sizes[table.name].distinct.get(column.name, -1)))
        for table in tables
        if table.name in sizes
        for column in table.columns
    ]
    if columns:
        await connection.execute(_COLUMN_SIZES, *map(list, zip(*columns, strict=True)))
