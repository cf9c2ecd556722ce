"""Asks SQLite about statements in an empty copy of a file's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import apsw.ext

from vacancy.db.plan import Plan, Sizes
from vacancy.db.sqlite.catalog import read_sqlite_catalog
from vacancy.db.sqlite.plan import read_sqlite_plan, shape_of
from vacancy.db.sqlite.session import open_untouched, translated
from vacancy.db.statement import Engine, SetStatement, Statement
from vacancy.db.witness import Touched
from vacancy.errors import Missing

_WRITES = (apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE)


class SqliteWitness:
    """The copy lies in memory; the file is closed as soon as its schema is read."""

    engine: Engine = "sqlite"

    def __init__(self, connection: apsw.Connection, sizes: Sizes) -> None:
        self._shape = shape_of(connection, sizes)
        self.catalog = read_sqlite_catalog(self._shape)
        self._tables = frozenset(table.name for table in self.catalog.tables)

    @classmethod
    def of_file(cls, path: Path, sizes: Sizes) -> SqliteWitness:
        """Raises `Missing` DATABASE_MISSING."""
        if not path.exists():
            raise Missing(
                "DATABASE_MISSING",
                f"There is no database at {path}.",
                hint="Run `vacancy init`, or check VACANCY_DATABASE_URL and VACANCY_DATA_DIR.",
            )
        connection = open_untouched(path)
        try:
            return cls(connection, sizes)
        finally:
            connection.close()

    async def plan(self, statement: Statement[Any] | SetStatement[Any]) -> Plan:
        return read_sqlite_plan(self._shape, statement, self.catalog)

    async def touched(self, statement: Statement[Any] | SetStatement[Any]) -> Touched:
        sql = statement.sqlite(1) if isinstance(statement, SetStatement) else statement.sqlite
        try:
            details = apsw.ext.query_info(self._shape, sql, actions=True)
        except apsw.Error as error:
            raise translated(error, statement.name) from error
        reads: set[str] = set()
        writes: set[str] = set()
        for action in details.actions or ():
            if action.table_name in self._tables:  # not json_each, nor a name from WITH
                if action.action in _WRITES:
                    writes.add(action.table_name)
                elif action.action == apsw.SQLITE_READ:
                    reads.add(action.table_name)
        return Touched(frozenset(reads - writes), frozenset(writes), len(details.description))

    def known_rows(self, table: str) -> int | None:
        return None

    def close(self) -> None:
        self._shape.close()
