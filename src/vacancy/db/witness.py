"""Asks a database about statements, and runs none of them: their plans, the tables they touch,
how wide their rows are. Changes nothing, so that it may look at a live one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgspec

from vacancy.db.catalog import Catalog
from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.plan import Plan, Sizes
from vacancy.db.statement import Engine, SetStatement, Statement

AnyStatement = Statement[Any] | SetStatement[Any]


class Touched(msgspec.Struct, frozen=True):
    """The tables behind a statement, and how many columns its rows have."""

    reads: frozenset[str]
    """Without those that it also writes."""
    writes: frozenset[str]
    width: int


class Witness(Protocol):
    """One look at one database."""

    engine: Engine
    catalog: Catalog

    async def plan(self, statement: AnyStatement) -> Plan:
        """Raises our errors when the database does not take the text."""
        ...

    async def touched(self, statement: AnyStatement) -> Touched: ...

    def known_rows(self, table: str) -> int | None:
        """About how many rows the table really has, where plans are made for these; None where
        they are made for the sizes that were given."""
        ...


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
