"""A statement is a named value: readable SQL, the tables it reads and writes, the row it gives.

Parameters are written `:name`. A set statement takes many rows at once: `{rows}` in its text is a
list of rows with the declared columns, `VALUES` on SQLite and `unnest` on PostgreSQL, so that one
statement serves a whole batch on both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import msgspec

Engine = Literal["sqlite", "postgresql"]
Column = Literal["integer", "text", "date", "instant", "json"]


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How a statement gets at its tables: what `contracts` holds both databases to.

    An index is written as its name and the leading columns that the statement binds:
    `ix_orders_user (user_id, id)`. Primary keys are `pk_<table>`, unique constraints
    `uq_<table>_<columns>`, on both databases. Inserts alone need none.
    """

    served_by: Mapping[str, str | tuple[str, ...]] = {}
    """Table to index; several where the statement comes to the table on several ways."""
    postgresql_served_by: Mapping[str, str | tuple[str, ...]] = {}
    """Only the tables that PostgreSQL comes to in another way."""
    may_scan: Mapping[str, str] = {}
    """Table to the reason why all of it may be read."""
    may_sort: str = ""
    """Why rows may be sorted and not come in an index's order; empty when they may not."""


class NoRow(msgspec.Struct, frozen=True):
    """The row type of a statement that gives none."""


Row = TypeVar("Row", bound=msgspec.Struct)

MAX_ROWS_AT_ONCE = 256
"""Longer sets are run in several statements of the same transaction."""

_SQLITE_MAX_PARAMETERS = 32_000  # SQLite refuses more than 32,766
_POSTGRES_TYPE: dict[Column, str] = {
    "integer": "bigint",
    "text": "text",
    "date": "date",
    "instant": "timestamptz",
    "json": "jsonb",
}
_PARAMETER = re.compile(r"(?<!:):([a-z][a-z0-9_]*)")


class Statement(Generic[Row]):
    """One question or one change, with named parameters.

    `postgresql` is a second text, only where the two databases really differ. `heavy` statements
    run on a thread of their own on SQLite, so that they do not hold up the quick ones. `access`
    says which indexes serve it; only registered statements run (`registry.py`).
    """

    __slots__ = (
        "_postgresql",
        "access",
        "heavy",
        "name",
        "order",
        "reads",
        "registered",
        "row",
        "sqlite",
        "writes",
    )

    def __init__(
        self,
        name: str,
        sql: str,
        *,
        row: type[Row],
        reads: tuple[str, ...] = (),
        writes: tuple[str, ...] = (),
        heavy: bool = False,
        postgresql: str | None = None,
        access: Access | None = None,
    ) -> None:
        self.name = name
        self.row = row
        self.reads = reads
        self.writes = writes
        self.heavy = heavy
        self.access = access
        self.registered = False
        self.sqlite = sql.strip()
        self._postgresql, self.order = number_parameters((postgresql or sql).strip())

    @property
    def postgresql(self) -> str:
        """The text with `$1`, `$2`, …; `order` names the parameter behind each number."""
        return self._postgresql

    def __repr__(self) -> str:
        return f"Statement({self.name!r})"


class SetStatement(Generic[Row]):
    """One question or one change for many rows at once; its text holds `{rows}` once.

    `counted` is False for what changes as many rows as it must or fails, such as a plain INSERT:
    where counting costs something, `execute_sets` leaves it out.
    """

    __slots__ = (
        "_postgresql",
        "_sqlite",
        "access",
        "columns",
        "counted",
        "name",
        "postgresql",
        "reads",
        "registered",
        "row",
        "writes",
    )

    def __init__(
        self,
        name: str,
        sql: str,
        *,
        columns: Mapping[str, Column],
        row: type[Row],
        reads: tuple[str, ...] = (),
        writes: tuple[str, ...] = (),
        postgresql: str | None = None,
        access: Access | None = None,
        counted: bool = True,
    ) -> None:
        self.name = name
        self.row = row
        self.reads = reads
        self.writes = writes
        self.access = access
        self.registered = False
        self.counted = counted
        self.columns = dict(columns)
        self._sqlite = sql.strip()
        self._postgresql = (postgresql or sql).strip()
        self.postgresql = self.postgresql_given(self.postgresql_rows(1))

    def sqlite(self, rows: int) -> str:
        """The text for so many rows; `chunk` keeps the number of different texts small."""
        one = f"({', '.join('?' * len(self.columns))})"
        return self._sqlite.replace("{rows}", f"VALUES {', '.join([one] * rows)}")

    def postgresql_rows(self, first: int, same: frozenset[int] = frozenset()) -> str:
        """The rows, made of one array for each column; parameters are numbered from `first`. The
        columns at the positions in `same` are one value for all rows."""
        arrays: list[str] = []
        names: list[str] = []
        columns: list[str] = []
        for position, (name, kind) in enumerate(self.columns.items()):
            value = f"${first + position}::text::{_POSTGRES_TYPE[kind]}"
            if position in same:
                columns.append(f"{value} AS {name}")
            else:
                arrays.append(f"{value}[]")
                names.append(name)
                columns.append(f"given.{name}")
        given = f"unnest({', '.join(arrays)}) AS given ({', '.join(names)})"
        return f"SELECT {', '.join(columns)} FROM {given}"

    def postgresql_given(self, rows: str) -> str:
        """The text for rows that this query gives."""
        return self._postgresql.replace("{rows}", rows)

    def chunk(self, rows: int) -> int:
        """How many of the rows to take at once: a power of two, so that texts are few and stay
        prepared."""
        limit = min(MAX_ROWS_AT_ONCE, _SQLITE_MAX_PARAMETERS // len(self.columns))
        return 1 << (min(rows, limit).bit_length() - 1)

    def __repr__(self) -> str:
        return f"SetStatement({self.name!r})"


AnyStatement: TypeAlias = Statement[Any] | SetStatement[Any]


def together(
    statements: tuple[SetStatement[Any], ...],
    sets: tuple[int, ...],
    same: tuple[frozenset[int], ...],
) -> str:
    """PostgreSQL text that makes several changes in one round trip and counts the rows of each that
    is `counted`.

    `sets` tells which rows each one takes, by number: who takes the same rows has the same columns,
    and they are sent once. `same` has for each set the positions of columns that are one value. All
    of them see the tables as they were before; none may touch a row that another one does.
    """
    parts: list[str] = []
    counts: list[str] = []
    first = 1
    for number, (statement, rows) in enumerate(zip(statements, sets, strict=True)):
        if rows not in sets[:number]:
            parts.append(f"rows_{rows} AS (\n{statement.postgresql_rows(first, same[rows])}\n)")
            first += len(statement.columns)
        change = statement.postgresql_given(f"SELECT * FROM rows_{rows}")
        if statement.counted:
            change += "\nRETURNING 1"
            counts.append(f"(SELECT count(*) FROM change_{number})")
        parts.append(f"change_{number} AS (\n{change}\n)")
    return f"WITH {', '.join(parts)}\nSELECT {', '.join(counts) or '0'}"


def number_parameters(sql: str) -> tuple[str, tuple[str, ...]]:
    """The text with `$1`, `$2`, … for `:name`, and the names in that order."""
    order: list[str] = []

    def number(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in order:
            order.append(name)
        return f"${order.index(name) + 1}"

    return _PARAMETER.sub(number, sql), tuple(order)
