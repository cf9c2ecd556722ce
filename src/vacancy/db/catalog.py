"""What a database holds, as a value that can be compared: tables, columns, constraints, indexes.

Works on any SQLite file and any PostgreSQL database. The texts in it are the database's own,
normalised so that two databases of one engine that mean the same read the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeVar

import msgspec

from vacancy.db.statement import Engine
from vacancy.errors import Missing

ConstraintKind = Literal["primary key", "unique", "check", "foreign key", "exclusion"]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table."""

    name: str
    type: str
    nullable: bool
    default: str = ""
    """The expression, as SQL; empty when there is none."""
    generated: str = ""
    """The expression and whether it is stored, or which kind of identity; empty for neither."""


class Constraint(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that a table's rows keep. NOT NULL belongs to the column."""

    kind: ConstraintKind
    name: str
    """Empty where SQLite's text gives none."""
    columns: tuple[str, ...]
    """In the constraint's own order; empty for the checks of SQLite, which names none."""
    definition: str


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """An index. Those that carry a primary key or a unique constraint are its constraints."""

    name: str
    columns: tuple[str, ...]
    """Names of columns, or expressions; without what the index only includes."""
    unique: bool
    predicate: str
    """What a row must meet to be in it; empty when all are."""
    definition: str
    """All of it: directions, collations, method and included columns too."""
    valid: bool = True
    """False for what a failed concurrent build on PostgreSQL left behind."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table. Columns stand in its order, constraints and indexes by name."""

    name: str
    """With its schema in front, unless that is PostgreSQL's `public`."""
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]
    indexes: tuple[Index, ...]
    options: tuple[str, ...] = ()
    """On SQLite `strict` and `without rowid`; on PostgreSQL `partitioned` and `unlogged`."""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """Whatever else has a name: a trigger, a view, a function, a type, a sequence."""

    kind: str
    name: str
    definition: str


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """All that a database holds, except rows."""

    engine: Engine
    tables: tuple[Table, ...]
    others: tuple[Definition, ...] = ()

    def table(self, name: str) -> Table:
        """The table of that name. Raises `Missing` TABLE_MISSING."""
        for table in self.tables:
            if table.name == name:
                return table
        raise Missing("TABLE_MISSING", f"The database has no table {name!r}.")

    def without(self, *names: str) -> Catalog:
        """The same without these tables."""
        kept = tuple(table for table in self.tables if table.name not in names)
        return msgspec.structs.replace(self, tables=kept)


def differences(expected: Catalog, found: Catalog) -> list[str]:
    """What differs, a sentence each; empty when both hold the same.

    The order of columns in a table is left out: a column that a migration adds always comes last.
    """
    if expected.engine != found.engine:
        return [f"The database is {found.engine}, expected is {expected.engine}."]
    sentences = list(
        _compare(
            "Table", expected.tables, found.tables, lambda table: table.name, _table_differences
        )
    )
    sentences += _compare(
        "",
        expected.others,
        found.others,
        lambda other: f"{other.kind.capitalize()} {other.name}",
        _unequal,
    )
    return sentences


Part = TypeVar("Part")
_Named = Column | Constraint | Index


def _table_differences(name: str, expected: Table, found: Table) -> Iterator[str]:
    if expected.options != found.options:
        yield _changed(name, " ".join(expected.options), " ".join(found.options))
    parts: tuple[tuple[str, Sequence[_Named], Sequence[_Named]], ...] = (
        ("Column", expected.columns, found.columns),
        ("Constraint", expected.constraints, found.constraints),
        ("Index", expected.indexes, found.indexes),
    )
    table = expected.name
    for kind, wanted, there in parts:
        yield from _compare(kind, wanted, there, lambda part: f"{table}.{_name(part)}", _unequal)


def _name(part: _Named) -> str:
    # Many constraints of SQLite have no name: what they say is what they are called.
    return part.definition if isinstance(part, Constraint) and not part.name else part.name


def _compare(
    kind: str,
    expected: Sequence[Part],
    found: Sequence[Part],
    name_of: Callable[[Part], str],
    compare: Callable[[str, Part, Part], Iterator[str]],
) -> Iterator[str]:
    wanted = {f"{kind} {name_of(part)}".strip(): part for part in expected}
    there = {f"{kind} {name_of(part)}".strip(): part for part in found}
    for name, part in wanted.items():
        if name in there:
            yield from compare(name, part, there[name])
        else:
            yield f"{name} is missing."
    for name in there:
        if name not in wanted:
            yield f"{name} is not expected."


def _unequal(name: str, expected: msgspec.Struct, found: msgspec.Struct) -> Iterator[str]:
    for field in expected.__struct_fields__:
        wanted, there = getattr(expected, field), getattr(found, field)
        # One sentence each: the definition, which says it all, stands last among the fields.
        if wanted != there:
            yield _changed(f"{name}, {field}", wanted, there)
            return


def _changed(what: str, expected: object, found: object) -> str:
    return f"{what}: expected {_shown(expected)}, found {_shown(found)}."


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(str, value))})"
    return str(value) if value != "" else "nothing"
