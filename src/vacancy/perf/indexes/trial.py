"""A copy of a database's schema, without rows, on which an index is made or dropped and every
statement planned again. The database itself is never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from vacancy.db.catalog import Catalog, Index, Table
from vacancy.db.plan import Plan
from vacancy.db.statement import Engine
from vacancy.perf.indexes.quoting import quoted
from vacancy.perf.indexes.workload import Question


class IndexMade(msgspec.Struct, frozen=True, kw_only=True):
    """An index, or a constraint that is one, with what it takes to make it."""

    name: str
    table: str
    body: str
    """What follows the table in CREATE INDEX, or the name in ADD CONSTRAINT."""
    columns: tuple[str, ...] = ()
    unique: bool = False
    kind: Literal["index", "primary key", "unique"] = "index"

    def creates(self, *, schema: str = "", concurrently: bool = False) -> str:
        """The SQL that makes it."""
        table = f"{schema}{quoted(self.table)}"
        if self.kind != "index":
            return f"ALTER TABLE {table} ADD CONSTRAINT {quoted(self.name)} {self.body}"
        unique = "UNIQUE " if self.unique else ""
        beside = "CONCURRENTLY " if concurrently else ""
        return f"CREATE {unique}INDEX {beside}{quoted(self.name)} ON {table} {self.body}"

    def drops(self, *, schema: str = "", concurrently: bool = False) -> str:
        """The SQL that takes it away."""
        if self.kind != "index":
            table = f"{schema}{quoted(self.table)}"
            return f"ALTER TABLE {table} DROP CONSTRAINT {quoted(self.name)}"
        beside = "CONCURRENTLY " if concurrently else ""
        return f"DROP INDEX {beside}{schema}{quoted(self.name)}"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried: indexes that go, and others that come."""

    drops: tuple[IndexMade, ...] = ()
    creates: tuple[IndexMade, ...] = ()

    def then(self, other: Change) -> Change:
        """Both, one after the other."""
        gone = {one.name for one in other.drops}
        kept = tuple(one for one in self.creates if one.name not in gone)
        made = {one.name for one in self.creates}
        dropped = {one.name for one in self.drops}
        drops = tuple(
            one for one in other.drops if one.name not in dropped and one.name not in made
        )
        return Change(drops=self.drops + drops, creates=kept + other.creates)

    def statements(self, engine: Engine) -> list[str]:
        """The SQL for the database itself. On PostgreSQL it is built beside the writers, and what
        takes the place of another is there before that goes."""
        if engine == "sqlite":
            return [*(one.drops() for one in self.drops), *(one.creates() for one in self.creates)]
        gone = {one.name: one for one in self.drops}
        made = []
        for one in self.creates:
            made += _beside(one, gone.pop(one.name, None))
        return [*made, *(one.drops(concurrently=True) for one in gone.values())]

    def sql(self, engine: Engine) -> str:
        """The same as one text, to be copied: a line for each statement."""
        return "\n".join(f"{one};" for one in self.statements(engine))


def _beside(made: IndexMade, gone: IndexMade | None) -> list[str]:
    """Makes one on PostgreSQL, in the place of another one of its name where one goes."""
    built = made.name if gone is None else f"{made.name}_new"
    body = made.body if made.kind == "index" else made.body[made.body.index("(") :]
    index = msgspec.structs.replace(made, name=built, kind="index", body=body)
    steps = [index.creates(concurrently=True)]
    if gone is not None:
        steps.append(gone.drops(concurrently=True))
    if made.kind != "index":
        table, name, kind = quoted(made.table), quoted(made.name), made.kind.upper()
        steps.append(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} {kind} USING INDEX {quoted(built)}"
        )
    elif gone is not None:
        steps.append(f"ALTER INDEX {quoted(built)} RENAME TO {quoted(made.name)}")
    return steps


NOTHING = Change()


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What the database would do with one statement, or why it does not take it."""

    plan: Plan | None = None
    refusal: str = ""

    def same_as(self, other: Planned) -> bool:
        """Whether tables are come to on the same ways, and the same is sorted."""
        if self.plan is None or other.plan is None:
            return self.plan is other.plan
        return (self.plan.ways, self.plan.sorts) == (other.plan.ways, other.plan.sorts)

    def worse_than(self, other: Planned) -> bool:
        """Whether more is read from end to end, or sorted, or it is refused."""
        if self.plan is None or other.plan is None:
            return self.plan is None and other.plan is not None
        return _whole_reads(self.plan) > _whole_reads(other.plan) or len(self.plan.sorts) > len(
            other.plan.sorts
        )

    def in_words(self) -> str:
        """The ways and the sorts in one line."""
        if self.plan is None:
            return f"refused: {self.refusal}"
        ways = [
            f"all of {way.table}" if way.reads_all and not way.index else f"{way.table} by {way}"
            for way in self.plan.ways
        ]
        return "; ".join([*ways, *(f"sorts {one}" for one in self.plan.sorts)]) or "no table"


def _whole_reads(plan: Plan) -> int:
    return sum(way.reads_all for way in plan.ways)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """The schema and all plans, with a change or without one."""

    catalog: Catalog
    plans: Mapping[str, Planned]
    """By the statement's name."""
    refused: Mapping[str, str] = {}
    """What could not be made, by its name, and why."""

    def worse_than(self, other: Look) -> list[str]:
        """The statements that are worse off here."""
        return [
            name
            for name, planned in self.plans.items()
            if name in other.plans and planned.worse_than(other.plans[name])
        ]


class Trial(Protocol):
    """One copy."""

    engine: Engine
    tries: bool
    """False where no copy can be made: then the plans are those of the database itself, and
    nothing can be changed."""
    why_not: str

    def known_rows(self, table: str) -> int | None:
        """As `Witness.known_rows`."""
        ...

    async def look(self, questions: Sequence[Question], change: Change = NOTHING) -> Look:
        """Makes the change on the copy, plans everything, and undoes it."""
        ...


def made_from(engine: Engine, table: Table, index: Index) -> IndexMade:
    """An index that stands, as what it takes to make it again."""
    using = "USING " if engine == "postgresql" else ""
    return IndexMade(
        name=index.name,
        table=table.name,
        body=f"{using}{index.definition}",
        columns=index.columns,
        unique=index.unique,
    )


def constraints_made(table: Table) -> list[IndexMade]:
    """The primary key and the unique constraints of a table of PostgreSQL."""
    return [
        IndexMade(
            name=one.name,
            table=table.name,
            body=one.definition,
            columns=one.columns,
            unique=True,
            kind=one.kind,
        )
        for one in table.constraints
        if one.kind in ("primary key", "unique")
    ]
