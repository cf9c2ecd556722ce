"""A mutant: our clean schema with one fault in it, and the findings that count as finding it."""

from __future__ import annotations

from contextlib import closing
from typing import Literal

import apsw
import asyncpg
import msgspec

from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.statement import Engine
from vacancy.perf.indexes.finding import IndexFinding, Rule

Family = Literal[
    # the declared schema
    "index dropped",
    "index shortened",
    "columns reordered",
    "index of a part",
    "index of another kind",
    "build that failed",
    "wrong table",
    "constraint lost",
    "key reordered",
    # what stands beside it
    "duplicate",
    "prefix",
    "nobody asks",
    "became unneeded",
    # the state of a database
    "foreign key without an index",
    "key near its end",
    "not validated",
    "statistics",
    "bloat",
]

BOTH: tuple[Engine, ...] = ("sqlite", "postgresql")
SQLITE: tuple[Engine, ...] = ("sqlite",)
POSTGRESQL: tuple[Engine, ...] = ("postgresql",)

CONSEQUENCES: tuple[Rule, ...] = ("table_scanned", "rows_sorted")
"""What a lost index does to statements, on whatever table they then begin with."""


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. It is applied to a database that was just migrated and is thrown away."""

    name: str
    family: Family
    why: str
    """What it costs, for whoever is called at night."""
    ddl: tuple[str, ...] = ()
    """Each step stands for itself: none is in a transaction with another one."""
    postgresql: tuple[str, ...] | None = None
    """Only where it differs."""
    refused: str = ""
    """A last step on PostgreSQL that must fail, and leaves something behind."""
    table: str
    index: str = ""
    """What a finding must name; empty: any index of the table, or none."""
    also: tuple[str, ...] = ()
    """Other tables and indexes that a finding may name in their place."""
    expects: tuple[Rule, ...]
    """A finding must be of one of these rules."""
    harmless: tuple[Rule, ...] = ()
    """What may fairly be found beside, on the same table."""
    deletes: tuple[str, ...] = ()
    """Tables whose rows somebody deletes, although no statement of ours does."""
    engines: tuple[Engine, ...] = BOTH
    """Where it is a fault."""

    def ddl_of(self, engine: Engine) -> tuple[str, ...]:
        if engine == "postgresql" and self.postgresql is not None:
            return self.postgresql
        return self.ddl

    def is_found_by(self, finding: IndexFinding) -> bool:
        """Whether it says what is wrong, and where."""
        if finding.name not in self.expects or not self._is_about(finding.table):
            return False
        if not self.index or finding.name in CONSEQUENCES:
            return True
        if finding.name == "index_missing" and not finding.index:
            return True  # one that has no name yet
        return finding.index == self.index or finding.index in self.also

    def excuses(self, finding: IndexFinding) -> bool:
        """Whether it may fairly stand beside, or is found itself."""
        if self.is_found_by(finding):
            return True
        if finding.name in CONSEQUENCES and set(CONSEQUENCES) & {*self.expects, *self.harmless}:
            return True
        return finding.name in (*self.expects, *self.harmless) and self._is_about(finding.table)

    def _is_about(self, table: str) -> bool:
        return table == self.table or table in self.also


async def apply_mutant(url: str, mutant: Mutant) -> None:
    """Runs its steps for good. Raises what the database says of a step that it does not take, and
    AssertionError when it takes one that it must refuse."""
    if engine_of(url) == "sqlite":
        with closing(apsw.Connection(str(sqlite_path(url)))) as file:
            file.execute("PRAGMA foreign_keys = OFF")
            for sql in mutant.ddl_of("sqlite"):
                file.execute(sql)
        return
    connection = await asyncpg.connect(url)
    try:
        for sql in mutant.ddl_of("postgresql"):
            await connection.execute(sql)
        if mutant.refused:
            try:
                await connection.execute(mutant.refused)
            except asyncpg.PostgresError:
                pass
            else:
                raise AssertionError(f"{mutant.name}: {mutant.refused} was not refused")
        await connection.execute("SELECT pg_stat_force_next_flush()")
    finally:
        await connection.close()
