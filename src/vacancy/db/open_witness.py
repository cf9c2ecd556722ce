"""Looks at the database that a URL names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.plan import Sizes
from vacancy.db.witness import Witness


@asynccontextmanager
async def open_witness(url: str, sizes: Sizes) -> AsyncIterator[Witness]:
    """Looks at the database of the URL. On SQLite plans are made for tables of these sizes, in an
    empty copy of the schema; PostgreSQL plans for what it knows of its own tables.

    Raises `Missing` DATABASE_MISSING, and what connecting raises.
    """
    if engine_of(url) == "sqlite":
        from vacancy.db.sqlite.witness import SqliteWitness

        witness = SqliteWitness.of_file(sqlite_path(url), sizes)
        try:
            yield witness
        finally:
            witness.close()
    else:
        from vacancy.db.postgres.witness import open_postgres_witness

        async with open_postgres_witness(url) as postgres:
            yield postgres
