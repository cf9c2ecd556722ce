"""How a database would run a statement, as a value: by which index it comes to each table, what it
reads from end to end, what it sorts. Each database's own file reads its plans into this."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from vacancy.db.catalog import Catalog, Table


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to one table."""

    table: str
    index: str = ""
    """Primary keys are `pk_<table>`, unique constraints `uq_<table>_<columns>`, on both databases;
    empty where none is used."""
    columns: tuple[str, ...] = ()
    """The columns that bound the search, as far as they lead in the index. None: all is read."""

    @property
    def reads_all(self) -> bool:
        return not self.columns

    def __str__(self) -> str:
        if self.columns:
            return f"{self.index} ({', '.join(self.columns)})"
        return f"all of {self.index or self.table}"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole plan."""

    ways: tuple[Way, ...]
    sorts: tuple[str, ...]
    """What is sorted, in the database's own words."""
    text: str
    """The plan as the database tells it."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large a table is thought to be: plans must not hang on what happens to be in it."""

    rows: int
    distinct: Mapping[str, int] = {}
    """Different values by column; a column that is not here is thought to have one for each row."""

    def rows_behind(self, columns: tuple[str, ...]) -> int:
        """How many rows share one value of all these columns, 1 at least."""
        different = 1
        for column in columns:
            different *= self.distinct.get(column, self.rows)
        return max(1, self.rows // max(1, min(different, self.rows)))


Sizes = Mapping[str, Size]


def indexes_of(table: Table) -> dict[str, tuple[str, ...]]:
    """The columns of everything in a table that can be searched, by its common name."""
    found = {
        constraint_name(table.name, constraint.kind, constraint.columns): constraint.columns
        for constraint in table.constraints
        if constraint.kind in ("primary key", "unique")
    }
    for index in table.indexes:
        if index.valid:
            found[index.name] = index.columns
    return found


def constraint_name(table: str, kind: str, columns: tuple[str, ...]) -> str:
    """`pk_<table>` or `uq_<table>_<columns>`, whatever the database itself calls it."""
    return f"pk_{table}" if kind == "primary key" else f"uq_{table}_{'_'.join(columns)}"


def leading(index: tuple[str, ...], bound: set[str]) -> tuple[str, ...]:
    """The columns that are bound from the index's first on, without a gap."""
    found: list[str] = []
    for column in index:
        if column not in bound:
            break
        found.append(column)
    return tuple(found)


def homes(catalog: Catalog) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Table and columns by index name; without tables of other schemas, which may bear the same."""
    return {
        name: (table.name, columns)
        for table in catalog.tables
        if "." not in table.name
        for name, columns in indexes_of(table).items()
    }
