"""Migrations: Alembic writes the SQL, we run it, statement by statement, under a lock.

Each revision is one transaction that also moves the version, unless its module says
`transactional = False` (an index that PostgreSQL builds beside the writers cannot be part of one).
Such a revision may stop half-way and be run again from its start: let it do nothing else. Loaded
only by the commands that migrate.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory
from sqlalchemy import MetaData

from vacancy.db.migration_door import MigrationDoor
from vacancy.db.revision import VERSION_TABLE
from vacancy.db.statement import Engine
from vacancy.errors import Invalid, Unsupported

BASE = "base"
HEAD = "head"


class Step(msgspec.Struct, frozen=True):
    """One revision, up or down, as the statements that will run."""

    revision: str
    direction: Literal["up", "down"]
    title: str
    statements: tuple[str, ...]
    transactional: bool


class Migrations:
    """The revisions in a folder, a straight line from the first to the newest."""

    def __init__(self, folder: Path, names: dict[str, str]) -> None:
        self._scripts = ScriptDirectory(str(folder), version_locations=[str(folder)])
        self._names = names
        self.line: tuple[str, ...] = tuple(
            script.revision for script in reversed(list(self._scripts.walk_revisions()))
        )

    def plan(self, engine: Engine, current: str | None, target: str = HEAD) -> list[Step]:
        """The steps from where the database stands to the target revision.

        Raises `Invalid` REVISION_UNKNOWN for a target, `Unsupported` SCHEMA_TOO_NEW for a database
        that stands at a revision we do not know.
        """
        here = self._position(current) if current else 0
        if here is None:
            raise Unsupported(
                "SCHEMA_TOO_NEW",
                f"The database stands at revision {current}, which this version does not know;"
                f" its newest is {self.line[-1]}.",
                hint="Install the version of Vacancy that made it, or a newer one.",
            )
        there = self._position(target)
        if there is None:
            raise Invalid(
                "REVISION_UNKNOWN",
                f"There is no revision {target!r}.",
                hint=f"Known: {BASE}, {', '.join(self.line)}, {HEAD}.",
            )
        if here <= there:
            return [self._step(engine, revision, "up") for revision in self.line[here:there]]
        return [
            self._step(engine, revision, "down") for revision in reversed(self.line[there:here])
        ]

    def _position(self, revision: str) -> int | None:
        """How many revisions have run when the database stands at this one."""
        if revision == BASE:
            return 0
        if revision == HEAD:
            return len(self.line)
        return self.line.index(revision) + 1 if revision in self.line else None

    def _step(self, engine: Engine, revision: str, direction: Literal["up", "down"]) -> Step:
        script: Script = self._scripts.get_revision(revision)
        module: Any = script.module
        work = module.upgrade if direction == "up" else module.downgrade
        before = str(script.down_revision or BASE)
        statements = [*self._written(engine, work), *_move_version(revision, before, direction)]
        return Step(
            revision=revision,
            direction=direction,
            title=script.doc.strip().splitlines()[0],
            statements=tuple(statements),
            transactional=getattr(module, "transactional", True),
        )

    def _written(self, engine: Engine, work: Callable[[], None]) -> Iterator[str]:
        written: list[str] = []
        context = MigrationContext.configure(
            dialect_name=engine,
            opts={
                "as_sql": True,
                "output_buffer": io.StringIO(),
                "target_metadata": MetaData(naming_convention=self._names),
            },
        )
        impl: Any = context.impl
        impl.static_output = written.append
        with Operations.context(context):
            work()
        return (text.strip().removesuffix(";").rstrip() for text in written if text.strip())


def _move_version(revision: str, before: str, direction: Literal["up", "down"]) -> list[str]:
    after = revision if direction == "up" else before
    if after == BASE:
        return [f"DROP TABLE {VERSION_TABLE}"]
    if before == BASE and direction == "up":
        # Until the row is there, the database counts as never migrated.
        return [
            f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)",
            f"INSERT INTO {VERSION_TABLE} (version_num) VALUES ('{after}')",
        ]
    # One statement: a revision outside a transaction that is killed here has moved or has not.
    return [f"UPDATE {VERSION_TABLE} SET version_num = '{after}'"]


async def migrate(
    door: MigrationDoor,
    migrations: Migrations,
    target: str = HEAD,
    *,
    progress: Callable[[Step], None] = lambda step: None,
) -> list[Step]:
    """Brings the database to the target and answers with the steps that ran.

    Others who migrate at the same time wait for the lock, then find nothing left to do. A step that
    fails leaves the database at the step before it.
    """
    async with door.locked():
        steps = migrations.plan(door.engine, await door.revision(), target)
        for step in steps:
            progress(step)
            await door.run(step.statements, transactional=step.transactional)
        return steps
