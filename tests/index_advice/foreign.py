"""A database that is not ours: its tables, its rows, its own queries, and faults in it."""

from __future__ import annotations

from contextlib import closing

import apsw
import asyncpg
import msgspec

from tests.index_advice.mutant import Mutant
from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.statement import Engine


class Foreign(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, for both engines: `{day:…}` is the date so many days after 2026-01-01."""

    name: str
    tables: tuple[str, ...]
    indexes: tuple[str, ...]
    """What serves its queries and its references."""
    rows: tuple[str, ...]
    queries: dict[str, str]
    faults: tuple[Mutant, ...]
    harmless: tuple[Mutant, ...] = ()
    """Changes that are no faults: nothing that is found may fail."""

    def file(self) -> str:
        """Its queries as the text of a file."""
        return "\n".join(f"-- name: {name}\n{sql};\n" for name, sql in self.queries.items())

    def steps(self, engine: Engine) -> list[str]:
        """All that makes it, with statistics."""
        raw = (*self.tables, *self.rows, *self.indexes, "ANALYZE")
        return [_for(engine, sql) for sql in raw]


def numbers(count: int) -> str:
    """A table `n` with a column `i` of 1 … count, on both engines."""
    return (
        "(WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r"
        f" WHERE i < {count}) SELECT i FROM r) AS n"
    )


async def make_foreign(url: str, foreign: Foreign) -> None:
    """Makes it in an empty database."""
    engine = engine_of(url)
    if engine == "sqlite":
        with closing(apsw.Connection(str(sqlite_path(url)))) as file:
            file.execute("BEGIN")
            for sql in foreign.steps(engine):
                file.execute(sql)
            file.execute("COMMIT")
        return
    connection = await asyncpg.connect(url)
    try:
        for sql in foreign.steps(engine):
            await connection.execute(sql)
    finally:
        await connection.close()


def _for(engine: Engine, sql: str) -> str:
    while "{day:" in sql:
        before, _, behind = sql.partition("{day:")
        days, _, after = behind.partition("}")
        told = (
            f"date('2026-01-01', '+' || ({days}) || ' days')"
            if engine == "sqlite"
            else f"(date '2026-01-01' + ({days})::integer)"
        )
        sql = before + told + after
    return sql
