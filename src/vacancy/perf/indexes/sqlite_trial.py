"""Tries indexes of SQLite in an empty copy of the schema, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from vacancy.db.plan import Sizes
from vacancy.db.sqlite.catalog import read_sqlite_catalog
from vacancy.db.sqlite.plan import plan_of_text, shape_of
from vacancy.db.sqlite.session import open_untouched, translated
from vacancy.db.statement import Engine
from vacancy.errors import Missing, VacancyError
from vacancy.perf.indexes.quoting import quoted
from vacancy.perf.indexes.trial import NOTHING, Change, Look, Planned
from vacancy.perf.indexes.workload import Question

_Statistics = list[tuple[Any, ...]]


class SqliteTrial:
    """The file is closed as soon as its schema and its statistics are read."""

    engine: Engine = "sqlite"
    tries = True
    why_not = ""

    def __init__(self, connection: apsw.Connection, sizes: Sizes | None) -> None:
        self._sizes = sizes
        self._statistics = _statistics_of(connection) if sizes is None else []
        self._schema = shape_of(connection, {}).serialize("main")

    @classmethod
    def of_file(cls, path: Path, sizes: Sizes | None) -> SqliteTrial:
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
        except apsw.Error as error:
            raise translated(error, f"copying the schema of {path}") from error
        finally:
            connection.close()

    def known_rows(self, table: str) -> int | None:
        return None

    async def look(self, questions: Sequence[Question], change: Change = NOTHING) -> Look:
        copy = apsw.Connection(":memory:")
        copy.deserialize("main", self._schema)
        refused: dict[str, str] = {}
        for index in change.drops:
            try:
                copy.execute(f"DROP INDEX IF EXISTS {quoted(index.name)}")
            except apsw.Error as error:  # it carries a constraint
                refused[index.name] = str(error)
        for index in change.creates:
            try:
                copy.execute(index.creates())
            except apsw.Error as error:
                refused[index.name] = str(error)
        shape = shape_of(copy, self._sizes or {})
        copy.close()
        self._restore_statistics(shape)
        catalog = read_sqlite_catalog(shape)
        plans: dict[str, Planned] = {}
        for question in questions:
            try:
                plan = plan_of_text(shape, question.sql, catalog, question.name)
                plans[question.name] = Planned(plan=plan)
            except VacancyError as error:
                plans[question.name] = Planned(refusal=error.detail)
        shape.close()
        return Look(catalog=catalog, plans=plans, refused=refused)

    def _restore_statistics(self, shape: apsw.Connection) -> None:
        """Those of the file; of an index that is only tried there are none."""
        if not self._statistics:
            return
        shape.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", self._statistics)
        shape.execute("ANALYZE sqlite_schema")


def _statistics_of(connection: apsw.Connection) -> _Statistics:
    if not connection.execute("PRAGMA table_info(sqlite_stat1)").fetchall():
        return []
    return connection.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall()
