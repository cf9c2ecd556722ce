"""A migrated database without rows, which its planner takes to be of full size: where plans are
judged, and broken for a moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import apsw
import asyncpg

from tests.seeds.seed import SchemaFault, broken_postgres, broken_sqlite
from vacancy.db.connect import sqlite_path
from vacancy.db.postgres.catalog import read_postgres_catalog
from vacancy.db.postgres.plan import FORCED, pretend_sizes
from vacancy.db.postgres.witness import PostgresWitness
from vacancy.db.sqlite.witness import SqliteWitness
from vacancy.db.witness import Witness
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.sizes import SIZES


class Shape:
    """One engine's."""

    def __init__(self, connection: apsw.Connection | asyncpg.Connection[Any]) -> None:
        self._connection = connection

    async def look(self) -> Witness:
        """A witness of what stands now."""
        if isinstance(self._connection, apsw.Connection):
            return SqliteWitness(self._connection, SIZES)
        return PostgresWitness(self._connection, await read_postgres_catalog(self._connection))

    @asynccontextmanager
    async def broken(self, fault: SchemaFault) -> AsyncIterator[Witness]:
        """A witness of the schema with the fault in it, which is undone at the end."""
        if isinstance(self._connection, apsw.Connection):
            with broken_sqlite(self._connection, fault):
                yield await self.look()
        else:
            async with broken_postgres(self._connection, fault):
                yield await self.look()


@asynccontextmanager
async def open_shape(url: str) -> AsyncIterator[Shape]:
    """In an empty database, which is then good for nothing else."""
    await migrate_database(url)
    if url.startswith("sqlite"):
        connection = apsw.Connection(str(sqlite_path(url)))
        try:
            yield Shape(connection)
        finally:
            connection.close()
        return
    postgres = await asyncpg.connect(url, server_settings=FORCED, statement_cache_size=0)
    try:
        await pretend_sizes(postgres, await read_postgres_catalog(postgres), SIZES)
        yield Shape(postgres)
    finally:
        await postgres.close()
