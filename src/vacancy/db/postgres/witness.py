"""Asks PostgreSQL about statements, in transactions that only read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from vacancy.db.catalog import Catalog
from vacancy.db.plan import Plan
from vacancy.db.postgres.catalog import read_postgres_catalog
from vacancy.db.postgres.errors import CONNECTING_ERRORS, DRIVER_ERRORS, translated
from vacancy.db.postgres.plan import FORCED, explain
from vacancy.db.statement import Engine, SetStatement, Statement
from vacancy.db.witness import Touched
from vacancy.errors import Unsupported

_CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 30.0
_OLDEST = 16
_LOCKED = """
    SELECT
        c.relname,
        l.mode
    FROM pg_locks AS l
    JOIN pg_class AS c ON c.oid = l.relation
    WHERE l.pid = pg_backend_pid()
        AND c.relkind IN ('r', 'p')
        AND c.relnamespace = 'public'::regnamespace
    """
"""PostgreSQL locks every table that a text names while it reads the text."""
_FREE = "".join(f"SET LOCAL {name} = on;" for name, told in FORCED.items() if told == "off")
"""Every way to join and to scan, whatever the server's own settings say."""
_SIZES = """
    SELECT
        relname,
        -- A table that was never analysed tells nothing; a page holds some eighty rows.
        CASE WHEN reltuples < 0 THEN pg_relation_size(oid) / 100 ELSE reltuples END
    FROM pg_class
    WHERE relkind IN ('r', 'p')
        AND relnamespace = 'public'::regnamespace
    """


class PostgresWitness:
    """One connection; nothing that it does outlasts a question."""

    engine: Engine = "postgresql"

    def __init__(
        self,
        connection: asyncpg.Connection[Any],
        catalog: Catalog,
        rows: dict[str, int] | None = None,
    ) -> None:
        """`rows` are those of the tables; None when they were given other statistics."""
        self._connection = connection
        self._rows = rows
        self.catalog = catalog

    async def plan(self, statement: Statement[Any] | SetStatement[Any]) -> Plan:
        try:
            async with self._connection.transaction(readonly=True):
                return await explain(self._connection, statement.postgresql, self.catalog)
        except DRIVER_ERRORS as error:
            raise translated(error, statement.name) from error
        finally:
            # What was prepared outlasts a transaction, also one that failed.
            await self._connection.execute("DEALLOCATE ALL")

    async def plan_of_text(self, sql: str) -> Plan:
        """The plan of a text that is none of ours, as sessions that were told nothing would follow
        it. Raises our errors when the database does not take the text."""
        try:
            async with self._connection.transaction(readonly=True):
                await self._connection.execute(_FREE)
                return await explain(self._connection, sql, self.catalog, ours=False)
        except DRIVER_ERRORS as error:
            raise translated(error, "EXPLAIN") from error
        finally:
            await self._connection.execute("DEALLOCATE ALL")

    async def touched(self, statement: Statement[Any] | SetStatement[Any]) -> Touched:
        try:
            async with self._connection.transaction(readonly=True):
                prepared = await self._connection.prepare(statement.postgresql)
                width = len(prepared.get_attributes())
                locks = await self._connection.fetch(_LOCKED)
        except DRIVER_ERRORS as error:
            raise translated(error, statement.name) from error
        writes = frozenset(lock["relname"] for lock in locks if lock["mode"] == "RowExclusiveLock")
        reads = frozenset(lock["relname"] for lock in locks) - writes
        return Touched(reads, writes, width)

    def known_rows(self, table: str) -> int | None:
        return None if self._rows is None else self._rows.get(table, 0)


@asynccontextmanager
async def open_postgres_witness(url: str) -> AsyncIterator[PostgresWitness]:
    """Connects with settings under which an index that can serve a statement does."""
    try:
        connection = await asyncpg.connect(
            url,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=_ANSWER_TIMEOUT_S,
            server_settings={"application_name": "vacancy", **FORCED},
            statement_cache_size=0,
        )
    except CONNECTING_ERRORS as error:
        raise translated(error, "connecting") from error
    if connection.get_server_version().major < _OLDEST:
        await connection.close()
        raise Unsupported(
            "POSTGRESQL_TOO_OLD",
            f"This needs PostgreSQL {_OLDEST} or later: older ones do not tell all sorts.",
            hint="Everything else of Vacancy works on it.",
        )
    try:
        catalog = await read_postgres_catalog(connection)
        sizes = await connection.fetch(_SIZES)
        yield PostgresWitness(connection, catalog, {row[0]: int(row[1]) for row in sizes})
    finally:
        await connection.close()
